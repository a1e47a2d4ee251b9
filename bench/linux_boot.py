# SPDX-License-Identifier: BSD-2-Clause
"""How long a Linux kernel takes from its 32-bit entry to its init, under Foliot and bare, in a repeatable bed.

Both ends are read off the bed's TSC, which counts the bed's instructions: the kernel's init is a program that prints
it, and a second run of the same kernel file, with its first instructions replaced, prints it at the entry point. Under
Foliot at rate 1 on a bed with exactly 1 GHz the guest's TSC is the bed's less a constant; that this holds is checked.
Two runs of a repeatable bed take the same way to the same entry, so the difference is exact."""

import pathlib
import re
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNEL = ROOT / "build" / "guest" / "vmlinuz"
INITRD = ROOT / "build" / "guest" / "initramfs.cpio"
FOLIOT_RUN = ROOT / "tools" / "foliot-run"
SETUP_SECTS_AT = 0x1F1
SECTOR = 512
EXACT_HOST = "host TSC 1000000000 Hz"

# The same for both. What Foliot does not offer (PCI) is taken away from the bare machine; ACPI stays.
ARGUMENTS = "console=ttyS0 quiet nokaslr panic=-1 pci=off rdinit=/bin/tsc"
# On Bochs the kernel's self-tests of its cryptography would be most of the time, and bare the messages of an ACPI without PCI,
# at the pace of a real serial line, even more.
MORE_ARGUMENTS = {"bochs": " cryptomgr.notests loglevel=1"}

# At the 32-bit entry: send the TSC as 8 raw bytes on COM1, low byte first, each when the transmitter is empty; then 0 to
# port F4h and to Bochs' port E9h. Machine code, since the kernel's own instructions are replaced by it:
ENTRY_STUB = bytes.fromhex(
    "fa"              # cli
    "0f31"            # rdtsc
    "89c3"            # mov ebx, eax
    "89d6"            # mov esi, edx
    "b908000000"      # mov ecx, 8
    "66bafd03"        # next: mov dx, 3fdh
    "ec"              # wait: in al, dx
    "a820"            # test al, 20h
    "74fb"            # jz wait
    "66baf803"        # mov dx, 3f8h
    "88d8"            # mov al, bl
    "ee"              # out dx, al
    "0facf308"        # shrd ebx, esi, 8
    "c1ee08"          # shr esi, 8
    "e2e7"            # loop next
    "66bafd03"        # mov dx, 3fdh
    "ec"              # drain: in al, dx
    "a840"            # test al, 40h
    "74fb"            # jz drain
    "30c0"            # xor al, al
    "e6f4"            # out f4h, al
    "e6e9"            # out e9h, al
    "f4"              # hlt
)


class Unmeasured(Exception):
    """A figure that could not be had, and why."""


def with_stub(kernel):
    """The kernel file's bytes with the stub at the 32-bit entry point: right after the setup sectors (Linux
    Documentation/arch/x86/boot.rst). The file's size and header stay, so that it is loaded in the same way."""
    sectors = kernel[SETUP_SECTS_AT] or 4
    at = (sectors + 1) * SECTOR
    return kernel[:at] + ENTRY_STUB + kernel[at + len(ENTRY_STUB):]


def run(bed, kernel, native, passes):
    """The console's bytes of one run."""
    words = [str(FOLIOT_RUN), "--bed", bed, "--repeatable", "--mem", "512", "--timeout", "900", "--initrd", str(INITRD)]
    words += ["--append", ARGUMENTS + MORE_ARGUMENTS.get(bed, "")] + (["--ips", "1000000000"] if bed == "bochs" else [])
    words += ["--native"] if native else []
    words += ["--pass", passes] if passes else []
    with tempfile.TemporaryDirectory(prefix="foliot-bench-") as scratch:
        serial = pathlib.Path(scratch) / "serial"
        words += ["--serial", str(serial), str(kernel)]
        done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True)
        console = serial.read_bytes() if serial.exists() else b""
    if done.returncode:
        raise Unmeasured(f"Linux {'bare' if native else 'under Foliot'} ended with status {done.returncode}: "
                         f"{done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return console


def tsc_at_entry(bed, native):
    """The TSC at the kernel's 32-bit entry."""
    with tempfile.TemporaryDirectory(prefix="foliot-bench-") as scratch:
        kernel = pathlib.Path(scratch) / "vmlinuz"
        kernel.write_bytes(with_stub(KERNEL.read_bytes()))
        console = run(bed, kernel, native, None)
    if native:
        sent = console[-8:]
    else:
        # The stub's eight bytes stand between Foliot's last line before the start and its first one after it.
        match = re.search(rb"host TSC \d+ Hz\r?\n(.{8})", console, re.S)
        sent = match[1] if match else b""
    if len(sent) != 8:
        raise Unmeasured(f"no time at the kernel's entry: {console[-80:]!r}")
    return struct.unpack("<Q", sent)[0]


def tsc_at_init(bed, native):
    """The TSC in the kernel's first program."""
    console = run(bed, KERNEL, native, r"^\d{6,}\r?$").decode("utf-8", "replace")
    if not native and EXACT_HOST not in console:
        raise Unmeasured("the bed's TSC was not calibrated to exactly 1 GHz: the guest's TSC is not the bed's")
    return int(re.search(r"^(?:\x1b\[[\d;]*[A-Z])*(\d{6,})\r?$", console, re.M)[1])


def measure(native, bed="qemu"):
    """Nanoseconds of the bed from the kernel's entry to its init."""
    maker = str(ROOT / "tools" / "guest-linux")
    made = subprocess.run([maker], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True)
    if made.returncode:
        raise Unmeasured(f"no Linux guest: {made.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return tsc_at_init(bed, native) - tsc_at_entry(bed, native)
