# SPDX-License-Identifier: BSD-2-Clause
"""Claim: a run ends as its bed, its patterns, its clock or a signal say; the bed never outlives it; the control port relays."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import textwrap
import time
import unittest

import common
from foliotlib import cli, client
from foliotlib.console import Backlog, Plain, Watcher
from foliotlib.guardian import Guardian
from foliotlib.runner import Interrupted, Runner
from foliotlib.status import End
from foliotlib.terminal import Terminal

GREETING = r'os.write(control, b"{\"foliot\":\"0.1\",\"protocol\":1}\n")' + "\n"
SLEEP = "time.sleep(60)\n"


def compiled(*texts):
    return [cli.pattern(text) for text in texts]


class Patterns(unittest.TestCase):
    """What is looked for on the console."""

    def test_pattern_across_pieces(self):
        watcher = Watcher(compiled("all is well"), [])
        for piece in (b"all ", b"is\x1b[1m we", b"ll\r\n"):
            watcher.feed(piece)
        self.assertTrue(watcher.all_seen())

    def test_all_of_several(self):
        watcher = Watcher(compiled("one", "two"), [])
        watcher.feed(b"two\n")
        self.assertFalse(watcher.all_seen())
        watcher.feed(b"one")
        self.assertTrue(watcher.all_seen())

    def test_dollar_waits_for_the_line(self):
        watcher = Watcher(compiled("^ok$"), [])
        watcher.feed(b"ok")
        self.assertFalse(watcher.all_seen())
        watcher.feed(b"\n")
        self.assertTrue(watcher.all_seen())

    def test_failure_keeps_its_line(self):
        watcher = Watcher([], compiled("Oops"))
        watcher.feed(b"\nOops: 0002\nmore\n")
        self.assertEqual(watcher.failed_line, "Oops: 0002")

    def test_nothing_asked_is_nothing_seen(self):
        self.assertFalse(Watcher([], []).all_seen())

    def test_sequences_are_taken_out_wherever_the_stream_is_cut(self):
        stream = b"a\x1b[2J\x1b[01;01Hb\x1b[=3h\r\n\x1b[0m\x1b[37mc \x1b7[1]\x1b"
        for cut in range(len(stream) + 1):
            plain = Plain()
            text = plain.feed(stream[:cut]) + plain.feed(stream[cut:])
            self.assertEqual(text, b"ab\r\nc \x1b7[1]")
            self.assertEqual((plain.rest(), plain.rest()), (b"\x1b", b""))
        plain = Plain()
        self.assertEqual(b"".join(plain.feed(bytes([byte])) for byte in stream), b"ab\r\nc \x1b7[1]")

    def test_backlog_keeps_what_was_not_taken(self):
        backlog, taken = Backlog(), []
        backlog.add(b"abc")
        backlog.send(lambda piece: taken.append(piece[:2]) or 2)
        backlog.send(lambda piece: None)
        self.assertEqual((taken, len(backlog)), ([b"ab"], 1))


class Runs(unittest.TestCase):
    """Whole runs on a faked bed."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.control = os.path.join(self.directory.name, "control")
        self.output = os.open(os.path.join(self.directory.name, "out"), os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, self.output)

    def runner(self, program, *words):
        options = cli.parse(["--timeout", "20", *words, "--control", self.control, common.GUEST])
        return Runner(options, common.FakeBed(textwrap.dedent(program)), [], self.output, [])

    def end(self, program, *words):
        guardian = Guardian()
        try:
            return self.runner(program, *words).run(guardian, Terminal(-1))
        finally:
            guardian.dismiss()

    def console(self):
        return os.pread(self.output, 1 << 24, 0)

    def test_exit_byte(self):
        self.assertIs(self.end("sys.exit(0x20 << 1 | 1)").end, End.PASSED)
        self.assertIs(self.end("sys.exit(0x24 << 1 | 1)").end, End.TRIPLE_FAULT)

    def test_the_last_words_are_read(self):
        program = "os.write(1, b'x' * 900000 + b'\\nlast words'); os._exit(0x22 << 1 | 1)"
        self.assertIs(self.end(program, "--pass", "last words").end, End.PASS_SEEN)
        self.assertEqual(len(self.console()), 900011)

    def test_pass_ends_the_run_at_once(self):
        began = time.monotonic()
        self.assertIs(self.end("os.write(1, b'login: ')\n" + SLEEP, "--pass", "login:").end, End.PASS_SEEN)
        self.assertLess(time.monotonic() - began, 10)

    def test_fail_takes_the_rest_of_the_dump_along(self):
        program = "os.write(1, b'Oops\\n'); time.sleep(0.1); os.write(1, b'Call Trace\\n')\n" + SLEEP
        ending = self.end(program, "--fail", "Oops")
        self.assertIs(ending.end, End.FAIL_SEEN)
        self.assertIn(b"Call Trace", self.console())

    def test_panic_fails_without_being_asked(self):
        self.assertIs(self.end("os.write(1, b'Kernel panic - not syncing: x\\n')\n" + SLEEP).end, End.FAIL_SEEN)

    def test_timeout(self):
        self.assertIs(self.end(SLEEP, "--timeout", "0.2").end, End.TIMEOUT)

    def test_bed_that_dies(self):
        ending = self.end("os.kill(os.getpid(), signal.SIGSEGV)")
        self.assertIs(ending.end, End.BED_FAILED)

    def test_a_bed_that_ignores_signals_is_gone_afterwards(self):
        program = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'%d\\n' % os.getpid())\n" + SLEEP
        began = time.monotonic()
        self.end(program, "--pass", "^[0-9]+$")
        self.assertLess(time.monotonic() - began, 10)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(self.console()), 0)

    def test_signal_ends_the_run(self):
        program = f"os.kill({os.getpid()}, signal.SIGTERM)\n" + SLEEP
        before = signal.getsignal(signal.SIGTERM)
        with self.assertRaises(Interrupted) as caught:
            self.end(program)
        self.assertEqual(caught.exception.number, signal.SIGTERM)
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)

    def test_socket_is_gone_afterwards(self):
        self.end("sys.exit(0x20 << 1 | 1)")
        self.assertFalse(os.path.exists(self.control))

    def test_stale_socket_is_replaced_but_no_other_file(self):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.control)
        stale.close()
        self.assertIs(self.end("sys.exit(0x20 << 1 | 1)").end, End.PASSED)
        with open(self.control, "w", encoding="ascii") as file:
            file.write("precious")
        with self.assertRaises(OSError):
            self.end("sys.exit(0x20 << 1 | 1)")
        with open(self.control, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")


ECHO = GREETING + """
import json, select
heard = b""
while True:
    select.select([control], [], [])
    piece = os.read(control, 4096)
    if not piece:
        sys.exit(1)
    heard += piece
    while b"\\n" in heard:
        line, heard = heard.split(b"\\n", 1)
        if line == b"":
            continue
        asked = json.loads(line)
        if asked["cmd"] == "quit":
            sys.exit(0x25 << 1 | 1)
        if asked["cmd"] == "greet":
            os.write(control, b'{"foliot":"0.2","protocol":1}\\n')
        os.write(control, json.dumps({"id": asked["id"], "ok": {"heard": asked["cmd"]}}).encode() + b"\\n")
"""


class ControlPort(unittest.TestCase):
    """The relay, seen by a client of a run in another process."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "control")

    def start(self, program, *words):
        source = textwrap.dedent(f"""
            import os, sys
            sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
            import common
            from foliotlib import cli
            from foliotlib.guardian import Guardian
            from foliotlib.runner import Runner
            from foliotlib.terminal import Terminal
            options = cli.parse({["--timeout", "30", *words, "--control", self.path, common.GUEST]!r})
            guardian = Guardian()
            ending = Runner(options, common.FakeBed({program!r}), [], 1, []).run(guardian, Terminal(-1))
            guardian.dismiss()
            sys.exit(ending.exit_status())
        """)
        process = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()  # the bed says that it runs, so the socket is there
        return process

    def client(self):
        made = client.Client(self.path)
        self.addCleanup(made.close)
        return made

    def test_requests_and_a_late_joiners_greeting(self):
        run = self.start("os.write(1, b'up\\n')\n" + ECHO)
        first = self.client()
        self.assertEqual(first.wait_greeting(20)["foliot"], "0.1")
        self.assertEqual(first.ask("greet"), {"heard": "greet"})
        first.close()
        second = self.client()
        self.assertEqual(second.wait_greeting(20)["foliot"], "0.2")  # the latest
        with self.assertRaises(client.ControlError):
            second.ask("quit")
        self.assertEqual(run.wait(20), 0)

    def test_firmwares_words_reach_no_client(self):
        firmware = "os.write(control, b'\\x1b[2JBdsDxe: loading\\r\\n12\\r\\n\\r\\nWelcome to GRUB!')\n"
        self.start(firmware + "os.write(1, b'up\\n')\ntime.sleep(1)\nos.write(control, b'\\n')\n" + ECHO)
        early = self.client()
        self.assertEqual(early.wait_greeting(20)["foliot"], "0.1")
        self.assertEqual(early.ask("time"), {"heard": "time"})

    def test_one_client_at_a_time(self):
        self.start("os.write(1, b'up\\n')\n" + ECHO)
        first = self.client()
        first.ask("rate")
        with self.assertRaises(client.ControlError) as caught:
            self.client().ask("rate")
        self.assertIn("busy", str(caught.exception))
        self.assertEqual(first.ask("time"), {"heard": "time"})

    def test_half_a_request_does_not_spoil_the_next_clients(self):
        self.start("os.write(1, b'up\\n')\n" + ECHO.replace("asked = json.loads(line)", """
        try:
            asked = json.loads(line)
        except ValueError:
            continue"""))
        first = self.client()
        first.ask("rate")
        first._socket.sendall(b'{"id":9,"cmd":"ra')
        first.close()
        self.assertEqual(self.client().ask("time"), {"heard": "time"})

    def test_repeatable_run_takes_no_input(self):
        self.start("os.write(1, b'up\\n')\n" + GREETING + SLEEP, "--repeatable")
        late = self.client()
        self.assertEqual(late.wait_greeting(20)["foliot"], "0.1")
        with self.assertRaises(client.ControlError) as caught:
            late.ask("rate")
        self.assertIn("repeatable", str(caught.exception))

    def test_the_last_reply_is_read_although_the_bed_is_gone(self):
        last = b'{"id":1,"ok":{}}\n{"event":"guest-ended"}\n'
        for _ in range(5):
            run = self.start(f"""os.write(1, b'up\\n')
os.read(control, 4096)
os.write(control, {last!r})
os._exit(0x25 << 1 | 1)
""")
            asker = self.client()
            self.assertEqual(asker.ask("quit"), {})
            with self.assertRaises(client.ControlError):
                while True:
                    asker._take(asker._line(time.monotonic() + 20))
            self.assertEqual(asker.events, [{"event": "guest-ended"}])
            self.assertEqual(run.wait(20), 0)

    def test_many_requests_in_one_burst(self):
        self.start("os.write(1, b'up\\n')\n" + ECHO)
        burst = self.client()
        burst._socket.sendall(b"".join(json.dumps({"id": n, "cmd": "x"}).encode() + b"\n" for n in range(1, 3001)))
        burst._next_id = 3001
        self.assertEqual(burst.ask("last"), {"heard": "last"})


KEYS = r'''
os.write(1, b"%d up\n" % os.getpid())
while keys := os.read(0, 99):
    os.write(1, keys.hex().encode() + b"\n")
time.sleep(60)
'''

RAW = '''
import os, sys
sys.path.insert(0, {here!r})
import common
from foliotlib import cli
from foliotlib.guardian import Guardian
from foliotlib.runner import Runner
from foliotlib.terminal import Terminal
options = cli.parse(["--interactive", "--control", {control!r}, common.GUEST])
terminal = Terminal(0)
guardian = Guardian(terminal.descriptor)
Runner(options, common.FakeBed({keys!r}), [], 1, []).run(guardian, terminal)
guardian.dismiss()
'''


class OnATerminal(unittest.TestCase):
    """--interactive on a pty."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, self.slave)
        self.before = termios.tcgetattr(self.slave)
        here = os.path.dirname(os.path.abspath(__file__))
        source = RAW.format(here=here, keys=KEYS, control=os.path.join(self.directory.name, "c"))
        self.run_process = subprocess.Popen([sys.executable, "-c", source], stdin=self.slave, stdout=self.slave,
                                            stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(self.run_process.wait)
        self.addCleanup(self.run_process.kill)
        self.bed = int(self.read_until(b" up").split()[0])

    def read_until(self, wanted):
        heard = b""
        while wanted not in heard:
            heard += os.read(self.master, 1024)
        return heard

    def restored_within(self, seconds):
        deadline = time.monotonic() + seconds
        while termios.tcgetattr(self.slave) != self.before:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def bed_is_gone_within(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with open(f"/proc/{self.bed}/stat", encoding="ascii") as file:
                    if file.read().split()[2] == "Z":
                        return True
            except OSError:
                return True
            time.sleep(0.01)
        return False

    def test_every_key_reaches_the_guest(self):
        self.assertNotEqual(termios.tcgetattr(self.slave), self.before)  # raw
        for keys in (b"\x03", b"\x1a", b"\x1c", b"\x04", b"\x11", b"\x13", b"\x1d", b"\x1b[A", b"\x7f", b"\r"):
            os.write(self.master, keys)
            self.read_until(keys.hex().encode())

    def check_end_by(self, number):
        self.run_process.send_signal(number)
        self.run_process.wait(20)
        self.assertTrue(self.restored_within(10), "the terminal is still raw")
        self.assertTrue(self.bed_is_gone_within(10), "the bed lives on")

    def test_restored_after_kill(self):
        self.check_end_by(signal.SIGKILL)

    def test_restored_after_sigterm(self):
        self.check_end_by(signal.SIGTERM)

    def test_restored_after_hangup(self):
        self.check_end_by(signal.SIGHUP)

    def test_restored_after_the_bed_was_killed(self):
        os.kill(self.bed, signal.SIGKILL)
        self.run_process.wait(20)
        self.assertTrue(self.restored_within(10))


if __name__ == "__main__":
    unittest.main()
