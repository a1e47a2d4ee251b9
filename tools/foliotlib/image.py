# SPDX-License-Identifier: BSD-2-Clause
"""What a bed boots: an ISO with GRUB, Foliot and the guest, or the guest alone (--native)."""

import os
import subprocess

from .status import TRACE_PORT

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLIOT_ELF = os.path.join(ROOT, "build", "foliot.elf")
MKISO = os.path.join(ROOT, "tools", "mkiso")


class ImageError(Exception):
    """What is to be booted is missing or cannot be packed."""


def foliot_command_line(options, exit_port):
    """Foliot's command line: the user's, then what this tool adds to it unless the user said otherwise."""
    line = options.foliot.strip()
    on_death = "stay" if options.interactive else "leave"
    added = [("exit-port", f"{exit_port:#x}"), ("on-reset", options.on_reset), ("on-death", on_death)]
    if options.repeatable:  # nothing is ever typed, and chance must not come in either
        added += [("poll", "20ms"), ("rdrand", "hide")]
    if options.trace:
        added.append(("trace-port", f"{TRACE_PORT:#x}"))
    for key, value in added:
        if not any(word.startswith(key + "=") for word in line.split()):
            line += f" {key}={value}"
    return line.strip()


def check_files(options):
    """Raises ImageError where a named file cannot be read."""
    needed = [options.guest] + ([options.initrd] if options.initrd else [])
    for path in needed:
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise ImageError(f"cannot read {path}")
    if not options.native and not os.path.isfile(options.image):
        raise ImageError(f"{options.image} is not there: run make")


def native_boot(options):
    """QEMU's arguments that boot the guest without Foliot: it loads bzImages and Multiboot 1 kernels itself."""
    words = ["-kernel", options.guest]
    words += ["-append", options.append] if options.append else []
    return words + (["-initrd", options.initrd] if options.initrd else [])


def foliot_iso(options, directory, exit_port):
    """Makes the ISO with GRUB, Foliot and the guest in the directory; returns its path."""
    return make_iso(options, directory, options.image, ["--foliot", foliot_command_line(options, exit_port)])


def native_iso(options, directory, _exit_port):
    """The same with GRUB and the guest alone."""
    return make_iso(options, directory, "--native", [])


def make_iso(options, directory, foliot, rest):
    """Has tools/mkiso make the ISO; raises ImageError where it does not."""
    iso = os.path.join(directory, "foliot.iso")
    words = [MKISO, iso, foliot, options.guest, options.append] + ([options.initrd] if options.initrd else []) + rest
    made = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if made.returncode:
        raise ImageError("tools/mkiso failed: " + (made.stderr or made.stdout).strip())
    return iso
