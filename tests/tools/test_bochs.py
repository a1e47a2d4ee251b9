# SPDX-License-Identifier: BSD-2-Clause
"""Claim: a run on Bochs is configured as asked, its serial ports are ours alone, and whatever it says of its end (on port E9h,
in its log, by its exit status) has the exit status that foliot-run --help promises. Bochs is faked."""

import os
import socket
import sys
import tempfile
import textwrap
import time
import unittest

import common
from foliotlib import bochs, cli
from foliotlib.client import Client
from foliotlib.guardian import Guardian
from foliotlib.runner import Runner
from foliotlib.status import End, Status
from foliotlib.terminal import Terminal

START = "Next at t=0\n(0) [0x0000fffffff0] f000:fff0 (unk. ctxt): jmpf 0xf000:e05b\n0xf01107 15732999\n"
POWER_OFF_OUTPUT = "(0).[168926681] [0x00000fee0cf3] 0008:ffffffff80007cf3 (unk. ctxt): out dx, ax\n"
RESET = "00000000000i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called\n"
POWER_OFF = "00168926681p[ACPI  ] >>PANIC<< ACPI control: soft power off\n00168926681i[CPU0  ] | RAX=0\n"
TRIPLE_FAULT = "00162756029p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"


def settings(*words):
    """The bochsrc of a run with these options, line by line."""
    options = cli.parse(["--bed", "bochs", *words, "g"])
    return bochs.configuration(options, "/d/foliot.iso", "mode=A", "mode=B").splitlines()


class Configuration(unittest.TestCase):
    """What Bochs is told."""

    def has(self, line, *words):
        self.assertIn(line, settings(*words))

    def test_what_the_options_say(self):
        self.has("cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=0")
        self.has("cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=1, ignore_bad_msrs=1",
                 "--cpu", "corei7_skylake_x", "--repeatable", "--native", "--on-reset", "restart")
        self.has("cpu: model=corei7_haswell_4770, count=1, ips=1000000000, reset_on_triple_fault=0, ignore_bad_msrs=0",
                 "--ips", "1000000000")
        self.has("memory: guest=512, host=512", "--mem", "512")
        self.has("memory: guest=4096, host=2048", "--mem", "4096")
        self.has('ata0-master: type=cdrom, path="/d/foliot.iso", status=inserted')

    def test_the_clock_is_fixed_in_a_repeatable_run_only(self):
        self.has("clock: sync=none, time0=1735689600", "--repeatable")
        self.has("clock: sync=slowdown, time0=utc")

    def test_the_serial_ports_and_the_exit_port(self):
        for line in ("com1: enabled=1, mode=A", "com2: enabled=1, mode=B", "port_e9_hack: enabled=1"):
            self.has(line)

    def test_the_trace_leaves_by_a_parallel_port(self):
        self.has('parport1: enabled=1, file="/d/a b.trace"', "--trace", "/d/a b.trace")
        self.assertTrue(any("parallel=1" in line for line in settings("--trace", "t")))
        self.assertTrue(any("parallel=0" in line for line in settings()))

    def test_exits_of_amd_v_do_not_fill_the_log(self):
        self.has("error: action=report, CPU0=ignore", "--cpu", "ryzen")
        self.has("error: action=report")


class FakeBochs(bochs.Bochs):
    """A Python program in Bochs' place; "console" and "control" are its serial ports as raw files."""

    def __init__(self, program):
        self._program = program

    def command(self, _options, _boot, lines):
        prologue = f"""
import os, socket, sys, time
def opened(mode):
    if mode.startswith("mode=file"):
        return open(mode.rpartition("=")[2], "wb", buffering=0)
    host, port = mode.rpartition("=")[2].split(":")
    return socket.create_connection((host, int(port))).makefile("rwb", buffering=0)
def said(text):
    os.write(2, text.encode())
def out(text):
    os.write(1, text.encode())
START, RESET = {START!r}, {RESET!r}
console, control = opened({lines.console!r}), opened({lines.control!r})
"""
        return [sys.executable, "-c", prologue + textwrap.dedent(self._program)]


class Runs(unittest.TestCase):
    """Whole runs."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.output = os.open(os.path.join(self.directory.name, "out"), os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, self.output)

    def end(self, program, *words):
        words = [*words] if "--native" in words else ["--control", os.path.join(self.directory.name, "control"), *words]
        guardian = Guardian()
        runner = Runner(cli.parse(["--timeout", "20", *words, common.GUEST]), FakeBochs(program), "", self.output, [])
        try:
            return runner.run(guardian, Terminal(-1))
        finally:
            guardian.dismiss()

    def check(self, program, end, *words):
        ending = self.end(program, *words)
        self.assertIs(ending.end, end, str(ending))
        return ending

    def test_every_byte_on_port_e9_ends_the_run(self):
        for byte, end in ((0x20, End.PASSED), (0x21, End.FAILED), (0x26, End.FEATURE_MISSING), (0x2F, End.FOLIOT_PANIC)):
            began = time.monotonic()
            self.check(f"out(START); out(chr({byte})); time.sleep(60)", end)
            self.assertLess(time.monotonic() - began, 10)

    def test_the_byte_is_told_from_the_debuggers_words(self):
        power_off = f"out({POWER_OFF_OUTPUT!r}); said({POWER_OFF!r}); sys.exit(1)"
        for byte, end in ((0x20, End.PASSED), (0x25, End.QUIT), (0x28, End.GUEST_STOPPED)):
            self.check(f"out(START); out(chr({byte})); {power_off}", end)
        self.check(f"out(START); {power_off}", End.FOLIOT_GONE)
        self.check(f"out(START); {power_off}", End.POWERED_OFF, "--native")

    def test_the_debuggers_words_may_come_first(self):
        for piece in (1, 7, 1000):
            text = POWER_OFF_OUTPUT + "$"
            pieces = [text[at:at + piece] for at in range(0, len(text), piece)]
            self.check(f"out(START)\nfor piece in {pieces!r}: out(piece); time.sleep(0.001)\ntime.sleep(60)", End.TRIPLE_FAULT)

    def test_what_stands_before_the_mark_is_no_byte(self):
        self.check("out(START[:-1]); time.sleep(1)", End.TIMEOUT, "--timeout", "0.5")

    def test_a_native_guests_own_byte(self):
        self.check("out(START); os.write(1, bytes([0])); time.sleep(60)", End.PASSED, "--native")
        self.check("out(START); os.write(1, bytes([0x20])); time.sleep(60)", End.FAILED, "--native")

    def test_a_reset(self):
        began = time.monotonic()
        self.check("said(RESET); out(START); said(RESET); time.sleep(60)", End.FOLIOT_GONE)
        self.check("said(RESET); out(START); said(RESET); time.sleep(60)", End.RESET, "--native")
        self.assertLess(time.monotonic() - began, 10)
        self.check("said(RESET); out(START); said(RESET); out(chr(0x22)); time.sleep(60)", End.POWERED_OFF, "--on-reset", "restart")

    def test_a_triple_fault(self):
        fault = f"out(START + {POWER_OFF_OUTPUT!r}); said({TRIPLE_FAULT!r}); sys.exit(1)"
        self.assertEqual(self.check(fault, End.FOLIOT_GONE).exit_status(), Status.FOLIOT_CRASHED)
        self.assertEqual(self.check(fault, End.RESET, "--native").exit_status(), Status.GUEST_FAILED)

    def test_a_panic_of_bochs_is_the_beds_and_named(self):
        ending = self.check("said('00000000000p[SIM   ] >>PANIC<< no such model\\n'); sys.exit(1)", End.BED_FAILED)
        self.assertIn("no such model", str(ending))

    def test_serial_ports_carry_both_ways(self):
        program = "console.write(b'up'); heard = control.read(1); console.write(heard); out(START); out(chr(0x20)); time.sleep(60)"
        path = os.path.join(self.directory.name, "control")
        child = os.fork()
        if child == 0:
            try:
                while not os.path.exists(path):
                    time.sleep(0.01)
                Client(path)._socket.sendall(b"x")  # perhaps before Bochs has opened the port
                time.sleep(20)
            finally:
                os._exit(0)
        try:
            self.check(program, End.PASSED)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        self.assertEqual(os.pread(self.output, 100, 0), b"upx")

    def test_nothing_is_lost_of_a_bed_that_ends_at_once(self):
        for words in ((), ("--repeatable",)):
            os.ftruncate(self.output, 0)
            os.lseek(self.output, 0, os.SEEK_SET)
            self.check("console.write(b'x' * 99999 + b'last'); out(START); out(chr(0x20)); os._exit(1)", End.PASSED, *words)
            self.assertEqual(os.pread(self.output, 1 << 20, 0)[-5:], b"xlast")
            self.assertEqual(os.fstat(self.output).st_size, 100003)

    def test_nobody_else_can_connect_once_bochs_has(self):
        options = cli.parse([common.GUEST])
        lines = bochs.BochsLines(options)
        port = int(lines.console.rpartition(":")[2])
        listener = lines._listeners[0]
        taken = []
        lines._runner = type("R", (), {"unpoll": staticmethod(lambda file: None)})()
        with socket.create_connection(("127.0.0.1", port)):
            lines._connected(listener, taken.append)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
        os.close(taken[0])
        lines.close()


class LastWords(unittest.TestCase):
    """What a failure shows of the log."""

    def test_the_panic_and_what_came_before_it(self):
        lines = bochs.BochsLines(cli.parse(["--repeatable", common.GUEST]))
        self.addCleanup(lines.close)
        log = "".join(f"00000000000i[X] {number}\n" for number in range(50)) + POWER_OFF
        shown = lines.last_words(log).splitlines()
        self.assertEqual(len(shown), bochs.LAST_LINES)
        self.assertIn("soft power off", shown[-1])
        self.assertIn("[X] 49", shown[-2])


if __name__ == "__main__":
    unittest.main()
