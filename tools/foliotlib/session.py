# SPDX-License-Identifier: BSD-2-Clause
"""A run of foliot-run as a child, for scripts that type at the guest's console, read it and use the control port."""

import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

from .client import Client
from .image import ROOT

FOLIOT_RUN = os.path.join(ROOT, "tools", "foliot-run")
PROMPT = r"guest:\S*# "
BOOT_LIMIT_S = 180


class SessionError(Exception):
    """The console did not show what was waited for, or the run ended."""


class Session:
    """words: of foliot-run, without --control; patience: what limits are multiplied by, for a slow bed. A context: the run is
    gone when it is left."""

    def __init__(self, words, interactive=True, patience=1):
        self._patience = patience
        self._directory = tempfile.mkdtemp(prefix="foliot-s-")
        self.native = "--native" in words
        self._control = os.path.join(self._directory, "control")
        command = [sys.executable, FOLIOT_RUN, *words] + (["--interactive"] if interactive else [])
        command += [] if self.native else ["--control", self._control]
        self._errors = open(os.path.join(self._directory, "errors"), "w+b")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0)
        self.log = b""
        self._seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the run if it has not ended."""
        self._process.terminate()  # it ends its bed in order
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def said(self):
        """What foliot-run itself has said so far."""
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def send(self, text):
        """Types at the console."""
        try:
            self._process.stdin.write(text.encode())
        except BrokenPipeError:
            raise SessionError(f"the run has ended: {self.said()}") from None

    def expect(self, pattern, limit_s=60):
        """Waits for the pattern in what the console shows after the last match; returns the match."""
        return self.expect_at(pattern, limit_s)[0]

    def expect_at(self, pattern, limit_s=60):
        """As expect, and the harness's clock when the bytes were read, in s."""
        limit_s *= self._patience
        deadline = time.monotonic() + limit_s
        compiled = re.compile(pattern.encode(), re.MULTILINE)
        now = time.monotonic()
        while not (match := compiled.search(self.log, self._seen)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise SessionError(f"not seen within {limit_s} s: {pattern}; last: {self.tail()}")
            if not self._read(left):
                raise SessionError(f"the run ended before {pattern} was seen; last: {self.tail()}; {self.said()}")
            now = time.monotonic()
        self._seen = match.end()
        return match, now

    def tail(self):
        """The console's last lines, for a message."""
        return self.log[-300:].decode("utf-8", "replace").replace("\r", "").strip().replace("\n", " | ")

    def _read(self, left):
        """More of the console; False: there is no more."""
        if not select.select([self._process.stdout], [], [], left)[0]:
            return True
        data = os.read(self._process.stdout.fileno(), 65536)
        self.log += data
        return bool(data)

    def control(self, limit_s=BOOT_LIMIT_S):
        """A client of the control port, after Foliot's greeting."""
        limit_s *= self._patience
        deadline = time.monotonic() + limit_s
        while not os.path.exists(self._control):
            if time.monotonic() > deadline or not self._wait_moment():
                raise SessionError(f"no control port: {self.said()}")
        client = Client(self._control)
        client.wait_greeting(limit_s)
        client.patience = self._patience
        return client

    def _wait_moment(self):
        """Until the console says something, or a tenth of a second; False: the run has ended."""
        return self._read(0.1)

    def wait(self, limit_s=60):
        """The exit status; what is left of the console is read into the log."""
        limit_s *= self._patience
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            if not self._read(left):
                return self._process.wait(max(1, left))
        raise SessionError(f"the run did not end within {limit_s} s; last: {self.tail()}")


def linux_words(append="", rest=(), base=None):
    """foliot-run's words for the Linux guest that tools/guest-linux makes; base: instead of the usual command line."""
    guest = os.path.join(ROOT, "build", "guest")
    line = f"{LINUX_APPEND if base is None else base} {append}".strip()
    return [*rest, "--initrd", os.path.join(guest, "initramfs.cpio"), "--append", line, os.path.join(guest, "vmlinuz")]


# No kernel address randomisation, so that runs are alike; no self-tests of the crypto code, which cost seconds; a panic resets.
# Linux prefers the TSC to kvm-clock where the TSC never stops.
LINUX_APPEND = ("console=ttyS0,115200 quiet nokaslr mitigations=off cryptomgr.notests audit=0 nowatchdog "
                "clocksource=kvm-clock panic=-1")
