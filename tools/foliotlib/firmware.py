# SPDX-License-Identifier: BSD-2-Clause
"""UEFI firmware for QEMU: OVMF, the CD where it boots fastest from, and a screen of pixels, without VGA's text.

Where no TPM is, QEMU's bus reads zeros, and OVMF waits seconds for the TPM that it believes to see: in a repeatable run 40 s of
ours. A machine reads all ones there. So OVMF's code is given as a ROM that begins at the TPM's registers, filled with ones."""

import os

from .image import ROOT, ImageError

CODE = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_CODE.fd",
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/qemu/ovmf-x86_64-code.bin")
TPM_HPA = 0xFED40000
ROM_END_HPA = 1 << 32


def code():
    """The path of OVMF's code; None: it is not installed."""
    return next((path for path in CODE if os.path.isfile(path)), None)


def why_not():
    """None, or why a bed cannot be started with UEFI."""
    return None if code() else "OVMF is not installed (tools/setup run installs it)"


def rom(path=None):
    """Makes the ROM under build/ if it is not there yet; returns its path."""
    path = path or os.path.join(ROOT, "build", "ovmf.rom")
    source = code()
    if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(source):
        return path
    with open(source, "rb") as file:
        data = file.read()
    if len(data) > ROM_END_HPA - TPM_HPA:
        raise ImageError(f"{source} has {len(data)} bytes: too many for firmware")
    part = f"{path}.{os.getpid()}"  # runs side by side may both make it
    with open(part, "wb") as file:
        file.write(b"\xff" * (ROM_END_HPA - TPM_HPA - len(data)) + data)
    os.replace(part, path)
    return path


def qemu_words(iso):
    """QEMU's arguments that boot the ISO by UEFI."""
    drive = "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=" + iso.replace(",", ",,")
    return ["-bios", rom(), "-device", "virtio-scsi-pci", "-drive", drive, "-device", "scsi-cd,drive=cd,bootindex=0",
            "-device", "bochs-display"]
