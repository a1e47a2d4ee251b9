# SPDX-License-Identifier: BSD-2-Clause
"""foliot-run's command line and the order of a run."""

import argparse
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile

from . import beds, image
from .guardian import Guardian
from .runner import Interrupted, Runner
from .status import End, Ending, Status
from .terminal import Terminal

LONGEST_SOCKET_PATH = 107  # sockaddr_un's, less the NUL
DEFAULT_TIMEOUT_S = 600
PANIC = "Kernel panic - not syncing"

DESCRIPTION = """Runs a guest under Foliot in a bed (QEMU or Bochs), for scripts and CI. GUEST is a Linux bzImage or a Multiboot 1 kernel.
The guest's console is on the standard output; what this program says itself is on the standard error output."""

EPILOG = """how a guest reports
  One byte written to I/O port F4h ends the run: 0 is passed, another value failed. Or patterns on its console: the run has
  passed once every --pass was seen, and failed with the first --fail. "{panic}" is always a --fail,
  but not with --interactive. A pattern is looked for in each line as it grows (one that ends in $: when the line ends).

exit status
  0  passed; or powered off, or ended by the operator, with no --pass left unseen
  1  the guest failed: its report, a pattern, a panic, a triple fault, an unexpected reset, a guest that Foliot refused
  2  usage, or a file is missing
  3  a feature that is needed is missing
  4  the bed failed
  5  timeout
  6  Foliot crashed
  A signal to this program ends the run, and then it by the same signal.

control port
  Every run makes a unix socket (--control) and prints its path: one JSON object per line, Foliot's greeting first, for
  one client at a time. A --repeatable run sends nothing to the guest or to Foliot: use do= on Foliot's command line.

examples
  foliot-run --initrd initramfs.cpio --append "console=ttyS0" --pass "login:" vmlinuz     boot Linux up to a pattern
  foliot-run --foliot "rate=10" --timeout 60 tick.elf                                     a tiny guest, ten times as fast
  foliot-run --repeatable --foliot 'do="5s:rate 10"' --serial a.log --initrd i.cpio vmlinuz the same bytes in each run
  foliot-run --interactive --on-reset restart --initrd i.cpio --append "console=ttyS0" vmlinuz   a console; Ctrl-] quit
  foliot-run --native --initrd i.cpio --append "console=ttyS0" vmlinuz                    without Foliot, to compare
  foliot-run --control /tmp/c --fail "Oops" vmlinuz & socat - unix:/tmp/c                 steer it from outside
  foliot-run --keep run1 --cpu EPYC --mem 512 tick.elf                                    keep the ISO and the logs
  foliot-run --bed qemu tick.elf                                                          emulated, even where KVM works
  foliot-run --trace clocks.trace --repeatable tick.elf                                   record the guest's clocks (docs/testing.md)
  foliot-run --bed bochs --cpu corei7_skylake_x tick.elf                                  VT-x, emulated
  foliot-run --bed bochs --repeatable --ips 1000000000 tick.elf                           the same with a TSC of 1 GHz
  foliot-run --firmware uefi tick.elf                                                     by UEFI instead of BIOS
  foliot-run --probe                                                                      is KVM usable here, and if not, why
"""


def positive(kind, words, limit=1e9):
    """A converter for argparse: a number of this kind above 0 and below the limit."""
    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < limit:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return value
    return convert


def pattern(text):
    """A converter for argparse: a regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None


def parser():
    """The command line's grammar."""
    made = argparse.ArgumentParser(prog="foliot-run", description=DESCRIPTION, epilog=EPILOG.format(panic=PANIC),
                                   formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = made.add_argument
    add("guest", metavar="GUEST", nargs="?", help="a Linux bzImage or a Multiboot 1 kernel")
    add("--initrd", metavar="F", help="the guest's initrd, or a Multiboot module")
    add("--append", metavar="S", default="", help="the guest's command line")
    add("--foliot", metavar="S", default="", help="Foliot's command line")
    add("--image", metavar="FILE", default=image.FOLIOT_ELF, help="Foliot itself (build/foliot.elf)")
    add("--bed", choices=("auto",) + tuple(beds.BEDS), default="auto", help="what Foliot runs on (auto: KVM where it nests, else QEMU)")
    add("--cpu", metavar="MODEL",
        help="the bed's processor model (QEMU: max; with KVM: host,+svm or host,+vmx; Bochs: corei7_haswell_4770)")
    add("--ips", metavar="N", type=positive(int, "a number of instructions", 1 << 32),
        help="Bochs: instructions in a second of its time (100000000)")
    add("--firmware", choices=("bios", "uefi"), default="bios", help="what starts the bed: BIOS, or UEFI (OVMF; QEMU only) (bios)")
    add("--mem", metavar="MIB", type=positive(int, "a number of MiB"), default=1024, help="the bed's memory (1024)")
    add("--repeatable", action="store_true", help="deterministic: the bed counts instructions for time, and nothing is sent to it")
    add("--serial", metavar="FILE", help="also write the console to FILE")
    add("--timeout", metavar="S", type=positive(float, "a number of seconds"),
        help=f"end the run after S seconds ({DEFAULT_TIMEOUT_S}; none with --interactive)")
    add("--control", metavar="PATH", help="where the control port's socket is made")
    add("--keep", metavar="DIR", help="keep the ISO and the logs in DIR")
    add("--pass", metavar="RE", dest="passes", type=pattern, action="append", default=[], help="passed when seen (all, if several)")
    add("--fail", metavar="RE", dest="fails", type=pattern, action="append", default=[], help="failed when seen")
    add("--on-reset", choices=("stop", "restart"), default="stop", help="what a reset by the guest does (stop)")
    add("--native", action="store_true", help="boot the guest without Foliot in the same bed")
    add("--trace", metavar="FILE", help="write each clock value that the guest reads by an exit, and what it depends on, to FILE")
    add("--interactive", action="store_true", help="the terminal is the guest's console")
    add("--probe", action="store_true", help="only say in one line whether KVM (or --bed's) can be used here, or why not (status 0 or 3)")
    return made


def parse(arguments):
    """The checked options; leaves with status 2 on bad ones."""
    grammar = parser()
    options = grammar.parse_args(arguments)
    if options.probe:
        return options
    if options.guest is None:
        grammar.error("no GUEST")
    if options.interactive and options.repeatable:
        grammar.error("--interactive and --repeatable: a repeatable run takes no input")
    if options.native and (options.foliot or options.control or options.trace):
        grammar.error("--native runs without Foliot: no --foliot, no --control, no --trace")
    if options.native and options.firmware != "bios":
        grammar.error("--native is by BIOS: no --firmware uefi")
    if options.trace and re.search(r'["\n]', options.trace):
        grammar.error(f"--trace: no file name for every bed: {options.trace!r}")
    if options.ips and options.bed != "bochs":
        grammar.error("--ips: only --bed bochs has it")
    if "\n" in options.append + options.foliot:
        grammar.error("a command line with a line break")
    if options.timeout is None and not options.interactive:
        options.timeout = DEFAULT_TIMEOUT_S
    if not options.interactive:
        options.fails.append(re.compile(re.escape(PANIC)))
    return options


def say(text):
    """One line of our own; \\r because the terminal may be raw."""
    sys.stderr.write(f"foliot-run: {text}\r\n" if sys.stderr.isatty() else f"foliot-run: {text}\n")
    sys.stderr.flush()


def check_control_path(options, directory):
    """Fills in the default path; raises OSError for one that no socket can have."""
    options.control = os.path.abspath(options.control or os.path.join(directory, "control"))
    if len(os.fsencode(options.control)) > LONGEST_SOCKET_PATH:
        raise OSError(f"{options.control}: too long for a unix socket")


def open_files(options, bed):
    """The files that record the console, the control port's log, and that of the bed's errors."""
    files = [open(options.serial, "wb")] if options.serial else []
    if not options.keep:
        return files, None, None
    console, control, errors = (open(os.path.join(options.keep, name), "wb", buffering=0)
                                for name in ("console.log", "control.log", bed.log_name))
    return files + [console], control, errors


def write_report(options, runner, ending, status):
    """What --keep says of the run besides its console."""
    with open(os.path.join(options.keep, "run.txt"), "w", encoding="utf-8") as report:
        report.write(f"command: {shlex.join(runner.command)}\nended: {ending}\nstatus: {int(status)}\n")

def run_in(options, bed, directory, scratch):
    """The run proper; directory takes the ISO. Returns the exit status."""
    image.check_files(options)
    if not options.native:
        check_control_path(options, directory)
    boot = bed.boot(options, directory)
    files, *logs = open_files(options, bed)
    terminal = Terminal(0) if options.interactive else Terminal(-1)
    guardian = Guardian(terminal.descriptor, scratch)
    runner = Runner(options, bed, boot, 1, files, *logs)
    say(f"control port: {options.control}" if runner.control_path else "no control port: this run is without Foliot")
    try:
        ending = runner.run(guardian, terminal)
    finally:
        guardian.dismiss()
        for file in files + [log for log in logs if log]:
            file.close()
    return conclude(options, runner, ending)


def conclude(options, runner, ending):
    """Says how the run ended; returns the exit status."""
    unseen = runner.watcher.unseen
    status = ending.exit_status(len(unseen))
    say(f"{ending} (status {int(status)})")
    for wanted in unseen if status else ():
        say(f"never seen: {wanted.pattern}")
    if ending.end in (End.BED_FAILED, End.FOLIOT_GONE) and runner.last_words:
        say("the bed said: " + runner.last_words)
    if options.keep:
        write_report(options, runner, ending, status)
    return status


def run(options):
    """One run in a directory of its own (--keep's, else a temporary one). Returns the exit status."""
    bed, passed_over = beds.choose(options)
    for line in passed_over:
        say(line)
    say(f"bed: {bed.words}" + (", repeatable" if options.repeatable else "") + (", without Foliot" if options.native else ""))
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        return run_in(options, bed, options.keep, None)
    scratch = tempfile.mkdtemp(prefix="foliot-")
    try:
        return run_in(options, bed, scratch, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main(arguments):
    """Returns the exit status, or ends by the signal that ended the run."""
    options = parse(arguments)
    if options.probe:
        options.native = False
        line, usable = beds.probe(options)
        print(line)
        return Status.PASSED if usable else Status.FEATURE_MISSING
    try:
        return run(options)
    except beds.BedRefusal as refusal:
        say(str(refusal))
        return refusal.status
    except image.ImageError as error:
        say(str(error))
        return Status.USAGE
    except Interrupted as signalled:
        say(f"ended by {signalled}")
        signal.signal(signalled.number, signal.SIG_DFL)
        os.kill(os.getpid(), signalled.number)
    except OSError as error:
        say(str(Ending(End.BED_FAILED, str(error))))
        return Status.BED_FAILED
