# SPDX-License-Identifier: BSD-2-Clause
"""A machine that boots an image of its own making, with QEMU's monitor at hand: for what foliot-run does not show, the screen
and the memory. The flags are foliot-run's."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import types

from foliotlib import beds, cli, firmware
from foliotlib.image import FOLIOT_ELF, MKISO
from foliotlib.session import SessionError


class Machine:
    """mkiso: its words behind the image of Foliot; uefi: else by BIOS, with VGA's text for a screen. A context: the machine is gone
    when it is left."""

    def __init__(self, mkiso, uefi=True, mib=1024):
        self.directory = tempfile.mkdtemp(prefix="foliot-m-")
        self.log = b""
        iso = os.path.join(self.directory, "foliot.iso")
        subprocess.run([MKISO, iso, FOLIOT_ELF, *mkiso], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        self._qmp, theirs = socket.socketpair()
        options = cli.parse(["--bed", "qemu", "--mem", str(mib), "-"])
        lines = types.SimpleNamespace(control_fd=None, qmp_fd=theirs.fileno())
        boot = firmware.qemu_words(iso) if uefi else ["-cdrom", iso, "-device", "VGA"]
        command = beds.BEDS["qemu"].command(options, boot, lines)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, pass_fds=[theirs.fileno()])
        theirs.close()
        self._monitor = self._qmp.makefile("rw", encoding="utf-8")
        self.ask("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout, self._monitor, self._qmp):
            end.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, command, **arguments):
        """QEMU's answer to a command of its monitor."""
        self._monitor.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._monitor.flush()
        while line := self._monitor.readline():
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise SessionError(f"{command}: {answer['error']}")
        raise SessionError(f"{command}: the machine is gone; last: {self.tail()}")

    def screen(self):
        """(width, height, the pixels' bytes, three each) of what the screen shows."""
        path = os.path.join(self.directory, "screen.ppm")
        self.ask("screendump", filename=path)
        with open(path, "rb") as file:
            kind, size, most, data = file.read().split(b"\n", 3)
        if (kind, most) != (b"P6", b"255"):
            raise SessionError(f"a screen of the kind {kind} {most}")
        width, height = map(int, size.split())
        return width, height, data

    def memory(self, hpa, count):
        """The bytes of physical memory."""
        path = os.path.join(self.directory, "memory")
        self.ask("pmemsave", val=hpa, size=count, filename=path)
        with open(path, "rb") as file:
            return file.read()

    def send(self, text):
        """Types at the console."""
        self._process.stdin.write(text.encode())

    def expect(self, pattern, limit_s=240):
        """Waits until the console has shown the pattern."""
        deadline = time.monotonic() + limit_s
        while not re.search(pattern.encode(), self.log, re.MULTILINE):
            if time.monotonic() > deadline:
                raise SessionError(f"not seen within {limit_s} s: {pattern}; last: {self.tail()}")
            if not self._read(deadline):
                raise SessionError(f"the machine ended before {pattern} was seen; last: {self.tail()}")

    def wait(self, limit_s=240):
        """The exit status of QEMU."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if not self._read(deadline):
                return self._process.wait(10)
        raise SessionError(f"the machine did not end within {limit_s} s; last: {self.tail()}")

    def tail(self):
        """The console's last lines, for a message."""
        return self.log[-300:].decode("utf-8", "replace").replace("\r", "").strip().replace("\n", " | ")

    def _read(self, deadline):
        """More of the console; False: there is no more."""
        if not select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            return True
        data = os.read(self._process.stdout.fileno(), 65536)
        self.log += data
        return bool(data)
