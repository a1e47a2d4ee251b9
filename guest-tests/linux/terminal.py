# SPDX-License-Identifier: BSD-2-Clause
"""The interactive console on a pty: every key reaches the guest, the monitor comes and goes, the terminal is restored."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

import guest as linux
from foliotlib.session import BOOT_LIMIT_S, FOLIOT_RUN, PROMPT, SessionError, linux_words

MONITOR = r"foliot> "
ESCAPE = b"\x1d"
RESTORE_LIMIT_S = 15


class Terminal:
    """foliot-run --interactive on a pty of its own; a context."""

    def __init__(self, report):
        native = report.native
        self._directory = tempfile.TemporaryDirectory(prefix="foliot-t-")
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self._patience = linux.PATIENCE[report.bed]
        rest = [] if native else ["--control", os.path.join(self._directory.name, "control")]
        words = linux_words(rest=[*linux.bed_words(report), *rest])
        self.process = subprocess.Popen([sys.executable, FOLIOT_RUN, "--interactive", *words], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, start_new_session=True)
        self.log = b""
        self._seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        self._directory.cleanup()

    def type(self, keys):
        """Keys as bytes or text."""
        os.write(self.master, keys if isinstance(keys, bytes) else keys.encode())

    def expect(self, pattern, limit_s=30):
        """Waits for the pattern behind the last one; returns the match."""
        limit_s *= self._patience
        deadline = time.monotonic() + limit_s
        compiled = re.compile(pattern.encode(), re.MULTILINE)
        while not (match := compiled.search(self.log, self._seen)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise SessionError(f"not seen within {limit_s} s: {pattern}; last: {self.log[-200:]!r}")
            self.log += os.read(self.master, 65536)
        self._seen = match.end()
        return match

    def is_raw(self):
        """Whether keys pass as they are, Ctrl-C too."""
        return not termios.tcgetattr(self.slave)[3] & (termios.ISIG | termios.ICANON)

    def is_restored(self):
        """Whether the terminal becomes what it was, within the limit. The end of a process is not to be polled for here."""
        deadline = time.monotonic() + RESTORE_LIMIT_S
        while termios.tcgetattr(self.slave) != self.before:
            if time.monotonic() > deadline:
                return False
            if select.select([self.master], [], [], 0.02)[0]:
                os.read(self.master, 65536)
        return True


def start_sleeper(terminal):
    """A program of the guest that runs for long; it says so when the shell has given it the terminal."""
    terminal.type("sh -c \"echo go''ing; exec sleep 1000\"\n")
    terminal.expect(r"^going\r")


def keys_for_the_guest(report, terminal):
    """Ctrl-C, Ctrl-Z and the arrow keys, as a shell user sees them."""
    start_sleeper(terminal)
    terminal.type(b"\x03")
    terminal.expect(PROMPT)
    terminal.type("echo status $?\n")
    report.claim(terminal.expect(r"^status (\d+)\r")[1] == b"130", "Ctrl-C interrupts the guest's program")
    terminal.expect(PROMPT)
    start_sleeper(terminal)
    terminal.type(b"\x1a")
    terminal.expect(PROMPT)
    terminal.type("jobs; kill %1\n")
    report.claim(terminal.expect(r"\+ +(Stopped|Running) +sh")[1] == b"Stopped", "Ctrl-Z stops the guest's program")
    terminal.expect(PROMPT)
    terminal.type("echo ar''row\n")
    terminal.expect(r"^arrow\r")
    terminal.expect(PROMPT)
    terminal.type(b"\x1b[A\r")
    report.claim(bool(terminal.expect(r"^arrow\r")), "the up arrow recalls the guest's last line")
    terminal.expect(PROMPT)


def monitor(report, terminal):
    """The escape character, and the ways back."""
    terminal.type(ESCAPE)
    terminal.expect(MONITOR)
    terminal.type("rate 10\r")
    report.claim(bool(terminal.expect(r"asked 10\b")), "Ctrl-] is the monitor, and `rate 10` answers there")
    terminal.type("rate ten\r")
    terminal.expect(r"usage: rate")
    terminal.type("rate\r")
    report.claim(bool(terminal.expect(r"asked +10\b")), "`rate ten` gets the usage line and changes nothing")
    terminal.type("guest\r")
    terminal.type("echo ba''ck\r")
    report.claim(bool(terminal.expect(r"^back\r")), "`guest` leads back to the guest")
    terminal.type(ESCAPE)
    terminal.expect(MONITOR)
    terminal.type(b"\x04")
    terminal.type("echo ba''ck too\r")
    report.claim(bool(terminal.expect(r"^back too\r")), "Ctrl-D leads back to the guest")


def escape_itself(report, terminal):
    """Ctrl-] twice."""
    terminal.type("stty raw -echo; echo rea''dy; dd bs=1 count=1 2>/dev/null | od -An -tx1; stty sane\r")
    terminal.expect(r"^ready")
    terminal.type(ESCAPE + ESCAPE)
    report.claim(terminal.expect(r" ([0-9a-f]{2})\r?\n")[1] == b"1d", "Ctrl-] twice sends Ctrl-] to the guest")


def tips(report, terminal):
    """The three lines before the shell."""
    for words in ("Ctrl-\\] is the monitor", "try `rate 10`", "`quit` there ends"):
        terminal.expect(words, BOOT_LIMIT_S)
    report.claim(True, "three lines before the shell name Ctrl-], `rate 10` and `quit`")


def ends(report, how, end):
    """One more run, ended by end(terminal); afterwards the terminal is as before."""
    with Terminal(report) as terminal:
        terminal.expect(PROMPT, BOOT_LIMIT_S)
        raw = terminal.is_raw()
        end(terminal)
        report.claim(raw and terminal.is_restored(), f"the terminal is restored after {how}", "raw before" if raw else "never raw")


def by_quit(terminal):
    """`quit` in the monitor."""
    terminal.type(ESCAPE)
    terminal.expect(MONITOR)
    terminal.type("quit\r")
    terminal.process.wait(30)


def run(report):
    """The scenario."""
    with Terminal(report) as terminal:
        if not report.native:
            tips(report, terminal)
        terminal.expect(PROMPT, BOOT_LIMIT_S)
        keys_for_the_guest(report, terminal)
        if not report.native:
            monitor(report, terminal)
            escape_itself(report, terminal)
    if not report.native:
        ends(report, "`quit`", by_quit)
    ends(report, "`poweroff`", lambda terminal: terminal.type("poweroff\r"))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        ends(report, number.name, lambda terminal, number=number: terminal.process.send_signal(number))
