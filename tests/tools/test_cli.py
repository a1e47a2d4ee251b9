# SPDX-License-Identifier: BSD-2-Clause
"""Claim: foliot-run takes the options that --help names, refuses the others with status 2 and a line, and hands them on."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

import common
from foliotlib import beds, cli, firmware, image
from foliotlib.status import Status

RUN = os.path.join(common.TOOLS, "foliot-run")


def refused(*words):
    """The usage error's text; None where the words were taken."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            cli.parse(list(words))
        except SystemExit as left:
            return errors.getvalue() if left.code == 2 else f"status {left.code}"
    return None


class Parsing(unittest.TestCase):
    """The command line."""

    def test_defaults(self):
        options = cli.parse(["g"])
        self.assertEqual((options.guest, options.bed, options.mem, options.on_reset), ("g", "auto", 1024, "stop"))
        self.assertEqual(options.timeout, cli.DEFAULT_TIMEOUT_S)
        self.assertTrue(any(p.search("Kernel panic - not syncing: x") for p in options.fails))

    def test_interactive_has_no_timeout_and_no_hidden_pattern(self):
        options = cli.parse(["--interactive", "g"])
        self.assertIsNone(options.timeout)
        self.assertEqual(options.fails, [])

    def test_refusals_name_the_value(self):
        for words, named in ((["--mem", "0", "g"], "'0'"), (["--mem", "much", "g"], "'much'"), (["--timeout", "-1", "g"], "'-1'"),
                             (["--timeout", "nan", "g"], "'nan'"), (["--pass", "(", "g"], "'('"), (["--bed", "vmware", "g"], "vmware"),
                             (["--on-reset", "ignore", "g"], "ignore"), (["--nonsense", "g"], "--nonsense"), ([], "GUEST"),
                             (["--interactive", "--repeatable", "g"], "--repeatable"), (["--native", "--foliot", "rate=2", "g"], "--foliot"), (["--ips", "0", "g"], "'0'"), (["--ips", "9", "g"], "bochs"),
                             (["--firmware", "coreboot", "g"], "coreboot"), (["--firmware", "uefi", "--native", "g"], "--native"),
                             (["--append", "a\nb", "g"], "line break"), (["--native", "--trace", "t", "g"], "--trace"),
                             (["--trace", 'a"b', "g"], "--trace"), (["g", "h"], "h")):
            text = refused(*words)
            self.assertIsNotNone(text, words)
            self.assertIn(named, text)

    def test_help_has_an_example_for_each_use_and_every_status(self):
        text = cli.parser().format_help()
        examples = text[text.index("examples"):]
        for option in ("--initrd", "--append", "--foliot", "--bed", "--cpu", "--ips", "--firmware", "--mem", "--repeatable", "--serial", "--timeout", "--control",
                       "--keep", "--pass", "--fail", "--on-reset", "--native", "--trace", "--interactive", "--probe"):
            self.assertIn(option, examples)
        for number in range(7):
            self.assertRegex(text, rf"\n  {number}  \w")


class HandingOn(unittest.TestCase):
    """What Foliot and QEMU get."""

    def test_foliot_command_line(self):
        line = image.foliot_command_line(cli.parse(["--foliot", 'rate=10 "do=5s:rate 1/4"', "g"]), 0xF4)
        self.assertEqual(line, 'rate=10 "do=5s:rate 1/4" exit-port=0xf4 on-reset=stop on-death=leave')

    def test_the_user_has_the_last_word(self):
        line = image.foliot_command_line(cli.parse(["--foliot", "exit-port=0x501", "--on-reset", "restart", "g"]), 0xF4)
        self.assertEqual(line, "exit-port=0x501 on-reset=restart on-death=leave")

    def test_a_dead_guest_leaves_the_monitor_to_an_operator(self):
        self.assertIn("on-death=stay", image.foliot_command_line(cli.parse(["--interactive", "g"]), 0xF4))

    def command(self, *words):
        lines = types.SimpleNamespace(control_fd=7, qmp_fd=None)
        return beds.BEDS["qemu"].command(cli.parse([*words, "g"]), ["-cdrom", "x.iso"], lines)

    def test_qemu_flags(self):
        words = self.command("--mem", "512", "--cpu", "EPYC")
        for flag, value in (("-accel", "tcg"), ("-m", "512"), ("-cpu", "EPYC"), ("-smp", "1"), ("-machine", "q35"), ("-cdrom", "x.iso"),
                            ("-device", "isa-debug-exit,iobase=0xf4,iosize=4")):
            self.assertEqual(words[words.index(flag) + 1], value)
        self.assertIn("-nodefaults", words)
        self.assertIn("-no-reboot", words)
        self.assertNotIn("-icount", words)
        self.assertIn("socket,id=control,fd=7", words)

    def test_repeatable(self):
        words = self.command("--repeatable")
        self.assertEqual(words[words.index("-icount"):][:6], beds.REPEATABLE)
        self.assertIn("file,id=control,path=/dev/fd/7", words)

    def test_uefi(self):
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(firmware, "rom", return_value=f"{scratch}/rom"):
            words = firmware.qemu_words("/a,b/x.iso")
        self.assertEqual(words[words.index("-bios") + 1], f"{scratch}/rom")
        self.assertTrue(any(word.endswith("file=/a,,b/x.iso") for word in words))

    def test_the_rom_is_ones_and_then_the_firmware(self):
        with tempfile.TemporaryDirectory() as scratch:
            code = os.path.join(scratch, "code")
            with open(code, "wb") as file:
                file.write(b"code" * 1024)
            with mock.patch.object(firmware, "CODE", ("/nowhere", code)):
                with open(firmware.rom(os.path.join(scratch, "rom")), "rb") as file:
                    data = file.read()
            self.assertEqual(sorted(os.listdir(scratch)), ["code", "rom"])
        self.assertEqual(len(data), (1 << 32) - 0xFED40000)
        self.assertEqual(data[-4096:], b"code" * 1024)
        self.assertEqual(data[:-4096].strip(b"\xff"), b"")

    def test_uefi_that_is_not_there_is_named(self):
        options = cli.parse(["--firmware", "uefi", "g"])
        with mock.patch.object(firmware, "CODE", ("/nowhere",)):
            self.assertEqual(beds.BEDS["qemu"].why_not(options)[0], Status.BED_FAILED)
            self.assertIn("OVMF", beds.BEDS["qemu"].why_not(options)[1])
        self.assertEqual(beds.BEDS["bochs"].why_not(options)[0], Status.FEATURE_MISSING)

    def test_trace(self):
        words = self.command("--trace", "/d/a,b")
        self.assertIn("file,id=trace,path=/d/a,,b", words)
        self.assertIn("isa-parallel,iobase=0x378,chardev=trace", words)
        self.assertIn(" trace-port=0x378", image.foliot_command_line(cli.parse(["--trace", "t", "g"]), 0xF4))
        self.assertFalse([word for word in self.command() if "parallel" in word])

    def test_restart(self):
        self.assertNotIn("-no-reboot", self.command("--on-reset", "restart"))


class Program(unittest.TestCase):
    """The program as a user starts it."""

    def run_it(self, *words):
        return subprocess.run([sys.executable, RUN, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                              timeout=60)

    def test_usage_is_2(self):
        self.assertEqual(self.run_it("--nonsense").returncode, 2)

    def test_missing_guest_is_2_and_named(self):
        done = self.run_it("--native", "--bed", "qemu", "/nowhere/vmlinuz")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere/vmlinuz", done.stderr)

    def test_bed_failure_is_4(self):
        done = self.run_it("--native", "--bed", "qemu", "--cpu", "no-such-model", common.GUEST)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("no-such-model", done.stderr)

    def test_serial_that_cannot_be_written_is_4(self):
        done = self.run_it("--native", "--bed", "qemu", "--serial", "/nowhere/log", common.GUEST)
        self.assertEqual(done.returncode, 4)
        self.assertIn("/nowhere/log", done.stderr)

    def test_nothing_is_left_behind(self):
        with tempfile.TemporaryDirectory() as scratch:
            environment = dict(os.environ, TMPDIR=scratch)
            subprocess.run([sys.executable, RUN, "--native", "--bed", "qemu", "--cpu", "no-such-model", common.GUEST], env=environment,
                           capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
            self.assertEqual(os.listdir(scratch), [])


if __name__ == "__main__":
    unittest.main()
