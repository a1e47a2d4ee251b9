# SPDX-License-Identifier: BSD-2-Clause
"""The beds: what a run's machine is made of. A bed says why it cannot be used, makes what is booted, builds its command, and
has its own kind of lines (lines.py). QEMU is here: its flags are in its own manual; -nodefaults leaves no device but those named."""

import shutil

from . import firmware, image, kvm
from .bochs import Bochs
from .lines import QemuLines
from .status import EXIT_PORT, TRACE_PORT, Status

QEMU = "qemu-system-x86_64"
REPEATABLE = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm,base=2025-01-01T00:00:00", "-seed", "1"]


class BedRefusal(Exception):
    """The run cannot be made on this bed: an exit status and the reason."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Qemu:
    """QEMU without acceleration: AMD-V by emulation, on any host."""

    name = "qemu"
    words = "QEMU, emulated (TCG)"
    accelerator = "tcg"
    exit_port = EXIT_PORT
    log_name = "bed-errors.log"

    def default_cpu(self):
        """QEMU's word for the processor where the user names none."""
        return "max"

    def why_not(self, options):
        """None, or why this bed cannot make this run: (exit status, text)."""
        if not shutil.which(QEMU):
            return Status.BED_FAILED, f"{QEMU} is not installed (tools/setup run installs it)"
        reason = firmware.why_not() if options.firmware == "uefi" else None
        return (Status.BED_FAILED, reason) if reason else None

    def lines(self, options):
        """How this bed's lines reach a run."""
        return QemuLines(options)

    def boot(self, options, directory):
        """Makes what the machine boots in the directory; returns the arguments that name it."""
        if options.native:
            return image.native_boot(options)
        iso = image.foliot_iso(options, directory, self.exit_port)
        return firmware.qemu_words(iso) if options.firmware == "uefi" else ["-cdrom", iso]

    def command(self, options, boot, lines):
        """The arguments of a run. boot: of boot(); lines: of lines()."""
        words = [QEMU, "-accel", self.accelerator, "-machine", "q35", "-cpu", options.cpu or self.default_cpu()]
        words += ["-m", str(options.mem), "-smp", "1", "-nodefaults", "-display", "none"]
        words += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        if lines.control_fd is not None:
            # A run without input must not wait for a reader either: a file takes every byte at once.
            backend = "file,id=control,path=/dev/fd/{}" if options.repeatable else "socket,id=control,fd={}"
            words += ["-chardev", backend.format(lines.control_fd), "-serial", "chardev:control"]
        if lines.qmp_fd is not None:
            words += ["-chardev", f"socket,id=qmp,fd={lines.qmp_fd}", "-mon", "chardev=qmp,mode=control"]
        if options.on_reset == "stop":
            words.append("-no-reboot")
        words += ["-device", f"isa-debug-exit,iobase={self.exit_port:#x},iosize=4"]
        if options.trace:
            path = options.trace.replace(",", ",,")
            words += ["-chardev", f"file,id=trace,path={path}", "-device", f"isa-parallel,iobase={TRACE_PORT:#x},chardev=trace"]
        words += REPEATABLE if options.repeatable else []
        return words + boot


class Kvm(Qemu):
    """QEMU with KVM, where the host's KVM can carry a hypervisor."""

    name = "kvm"
    words = "QEMU with KVM"
    accelerator = "kvm"

    def default_cpu(self):
        """The host's own, and the feature by name: then QEMU says so if it cannot give it."""
        feature = kvm.ask().feature
        return f"host,+{feature.name.lower()}" if feature else "host"

    def why_not(self, options):
        if options.repeatable:
            return Status.USAGE, "--repeatable needs an emulated processor"
        reason = kvm.why_not()
        return (Status.FEATURE_MISSING, reason) if reason else super().why_not(options)


BEDS = {bed.name: bed for bed in (Kvm(), Qemu(), Bochs())}
AUTO = ("kvm", "qemu")


def choose(options):
    """The bed for a run, and lines that say why a better one was passed over. Raises BedRefusal where none will do."""
    if options.bed != "auto":
        refusal = BEDS[options.bed].why_not(options)
        if refusal:
            raise BedRefusal(refusal[0], f"bed {options.bed}: {refusal[1]}")
        return BEDS[options.bed], []
    passed_over = []
    for name in AUTO:
        refusal = BEDS[name].why_not(options)
        if not refusal:
            return BEDS[name], passed_over
        passed_over.append(f"not {BEDS[name].words}: {refusal[1]}")
    raise BedRefusal(refusal[0], "; ".join(passed_over))


def probe(options):
    """(line, usable): whether the bed that --bed names can be used here, or why not; of auto, what it tries first: KVM."""
    bed = BEDS["kvm" if options.bed == "auto" else options.bed]
    refusal = bed.why_not(options)
    if refusal:
        return f"{bed.name}: not usable here: {refusal[1]}", False
    return f"{bed.name}: usable: {kvm.ask().words if bed.name == 'kvm' else bed.words}", True
