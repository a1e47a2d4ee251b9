# SPDX-License-Identifier: BSD-2-Clause
"""Bochs 2.7 as a bed: VT-x by emulation, and a second opinion on AMD-V. Debian's build has the debugger in, which takes its
commands from a file, and no display but VNC's (nothing is to be seen there) and a terminal's.

Its serial ports are pipes where nothing is sent, else connections that it opens to sockets of ours. It has no exit device:
the status byte goes to port E9h, which Bochs copies to its standard output; the machine is switched off after that."""

import os
import re
import shutil
import socket

from . import image
from .lines import Lines, output_pipe
from .status import End, Ending, Status, bed_failure, byte_ending, native_byte_ending

BOCHS = "bochs-bin"
SHARE = "/usr/share/bochs"
BIOS = f"{SHARE}/BIOS-bochs-latest"
VGA_BIOS = f"{SHARE}/VGABIOS-lgpl-latest"
EXIT_PORT = 0xE9
DEFAULT_CPU = "corei7_haswell_4770"
AMD_CPUS = ("phenom_8650_toliman", "ryzen", "trinity_apu", "turion64_tyler", "zambezi")
BIGGEST_HOST_MIB = 2048
LAST_LINES = 10  # of the log, shown where Bochs failed

# Instructions per second of its time: it emulates about 60 million in a second of ours. So a busy machine's time falls behind
# in a free-running run, and comes up again while the machine is idle.
IPS = 100_000_000
REPEATABLE_TIME0 = 1735689600  # 2025-01-01T00:00:00Z, as the repeatable QEMU has it

# The debugger prints this number before it lets the machine go: what stands behind its line on the standard output was
# written to port E9h. A machine that comes back to the debugger has nothing more to say.
MARK = 0xF01107
COMMANDS = f"? {MARK:#x}\nc\nq\n"
BEGUN = re.compile(rb"^0x0*%x [^\n]*\n" % MARK, re.MULTILINE)
DEBUGGER = b"(0).["  # so begins what the debugger says of an instruction, as at a power-off or a guest's triple fault
DEBUGGER_LINE = re.compile(rb"\(0\)\.\[[^\n]*\n")

RESET = re.compile(rb"^\d+i\[SYS *\] bx_pc_system_c::Reset\(HARDWARE\)", re.MULTILINE)
PANIC = re.compile(r"^\d+p\[[^\]]*\] (?:>>PANIC<< )?(.*)$", re.MULTILINE)
POWERED_OFF = "soft power off"
TRIPLE_FAULT = "exception with no resolution"

CONFIGURATION = """\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, parallel={parallel}, extfpuirq=1, iodebug=0, serial=1, gameport=0
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={bios}, options=fastboot
vgaromimage: file={vga_bios}
vga: extension=none, update_freq=1, realtime=0
cpu: model={cpu}, count=1, ips={ips}, reset_on_triple_fault={restart}, ignore_bad_msrs={native}
memory: guest={mem}, host={host_mem}
pci: enabled=1, chipset=i440fx
clock: {clock}
floppy_bootsig_check: disabled=1
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, {console}
com2: enabled=1, {control}
{trace}port_e9_hack: enabled=1
log: -
debugger_log: -
panic: action=fatal
error: {error}
info: action=report
debug: action=ignore
magic_break: enabled=0
print_timestamps: enabled=0
"""


def configuration(options, iso, console, control):
    """The text of the bochsrc. console, control: the modes of the two serial ports."""
    cpu = options.cpu or DEFAULT_CPU
    repeatable = f"sync=none, time0={REPEATABLE_TIME0}"
    return CONFIGURATION.format(
        parallel=int(bool(options.trace)), trace=f'parport1: enabled=1, file="{options.trace}"\n' if options.trace else "",
        bios=BIOS, vga_bios=VGA_BIOS, cpu=cpu, ips=options.ips or IPS,
        restart=int(options.on_reset == "restart"),
        # Linux reads MSR 1A0h of any Intel processor at its entry, unguarded, and this one has none.
        native=int(options.native), mem=options.mem, host_mem=min(options.mem, BIGGEST_HOST_MIB),
        clock=repeatable if options.repeatable else "sync=slowdown, time0=utc", iso=iso, console=console, control=control,
        # With AMD-V each exit of a guest is an "error" in the log.
        error="action=report" + (", CPU0=ignore" if cpu in AMD_CPUS else ""))


class BochsLines(Lines):
    """A run's serial ports, and what Bochs says of its end: on port E9h, in its log, by its exit status."""

    environment = dict(os.environ, TZ="UTC0")  # its real-time clock shows local time

    def __init__(self, options):
        super().__init__(options)
        self._runner = None
        self._pipes = []      # our ends: of the console's, and of the control port's
        self._listeners = []
        self._output = b""
        self._resets = -1     # the first is the start
        self._log_line = b""
        self.console, self.control = (self._open() for _ in range(2))

    def _open(self):
        """One serial port; returns its mode in the configuration."""
        if self.options.repeatable:
            ours, theirs = output_pipe()
            self._pipes.append(ours)
            self.inherited.append(theirs)
            return f"mode=file, dev=/dev/fd/{theirs}"
        listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listeners.append(listener)
        return f"mode=socket-client, dev=127.0.0.1:{listener.getsockname()[1]}"

    def started(self, runner, process):
        super().started(runner, process)
        self._runner = runner
        runner.read_from(process.stdout, self._heard_output)
        opened = (self._console_opened, self._control_opened)
        pipes, self._pipes = self._pipes, []
        for pipe, take in zip(pipes, opened):
            take(pipe)
        for listener, take in zip(self._listeners, opened):
            runner.poll(listener, lambda listener=listener, take=take: self._connected(listener, take))

    def _connected(self, listener, take):
        """Bochs has opened one of its ports: nobody else may now."""
        connection, _ = listener.accept()
        self._runner.unpoll(listener)
        self._listeners.remove(listener)
        listener.close()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        take(connection.detach())

    def _console_opened(self, descriptor):
        writer = None if self.options.repeatable else open(os.dup(descriptor), "wb", buffering=0)
        self._runner.console_opened(open(descriptor, "rb", buffering=0), writer)

    def _control_opened(self, descriptor):
        if self.options.native:
            self._runner.read_from(open(descriptor, "rb", buffering=0), lambda data: None)
        else:
            self._runner.control_opened(descriptor)

    def close(self):
        super().close()
        for pipe in self._pipes:
            os.close(pipe)
        for listener in self._listeners:
            listener.close()
        self._pipes, self._listeners = [], []

    def _heard_output(self, data):
        self._output += data
        written = self._written()
        if written and not DEBUGGER.startswith(written):
            self._runner.bed_ended()

    def _written(self):
        """What was written to port E9h."""
        begun = BEGUN.search(self._output)
        return DEBUGGER_LINE.sub(b"", self._output[begun.end():]).split(DEBUGGER)[0] if begun else b""

    def said(self, data):
        """Its log. A reset that nobody wants to see the other side of ends the run."""
        *lines, self._log_line = (self._log_line + data).split(b"\n")
        self._resets += sum(bool(RESET.match(line)) for line in lines)
        return self._was_reset()

    def _was_reset(self):
        return self._resets > 0 and self.options.on_reset == "stop"

    def last_words(self, errors):
        """The log up to the first panic; what follows it are registers."""
        lines = errors.strip().splitlines()
        end = next((number for number, line in enumerate(lines, 1) if PANIC.match(line)), len(lines))
        return "\n".join(lines[max(0, end - LAST_LINES):end])

    def ending(self, returncode, errors):
        native, written = self.options.native, self._written()
        if written:
            return native_byte_ending(written[0], EXIT_PORT) if native else byte_ending(written[0])
        panic = (PANIC.findall(errors) or [""])[0]
        if TRIPLE_FAULT in panic or self._was_reset():
            return Ending(End.RESET if native else End.FOLIOT_GONE)
        if POWERED_OFF in panic:
            return Ending(End.POWERED_OFF if native else End.FOLIOT_GONE)
        return bed_failure(returncode, panic or errors)


class Bochs:
    """Bochs: VT-x by emulation."""

    name = "bochs"
    words = "Bochs"
    log_name = "bochs.log"
    exit_port = EXIT_PORT

    def why_not(self, options):
        """None, or why this bed cannot make this run: (exit status, text)."""
        if options.firmware != "bios":
            return Status.FEATURE_MISSING, "there is no UEFI firmware for it"
        if not shutil.which(BOCHS):
            return Status.BED_FAILED, f"{BOCHS} is not installed (tools/setup bochs installs it)"
        missing = [path for path in (BIOS, VGA_BIOS) if not os.path.exists(path)]
        return (Status.BED_FAILED, f"{missing[0]} is not there (tools/setup bochs installs it)") if missing else None

    def lines(self, options):
        """How this bed's lines reach a run."""
        return BochsLines(options)

    def boot(self, options, directory):
        """Makes what the machine boots in the directory; returns its path."""
        make = image.native_iso if options.native else image.foliot_iso
        return make(options, directory, self.exit_port)

    def command(self, options, boot, lines):
        """The arguments of a run; writes the files that they name beside the ISO."""
        folder = os.path.dirname(boot)
        files = {"bochsrc": configuration(options, boot, lines.console, lines.control), "debugger": COMMANDS}
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        return [BOCHS, "-q", "-f", os.path.join(folder, "bochsrc"), "-rc", os.path.join(folder, "debugger")]
