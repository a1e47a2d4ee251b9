# SPDX-License-Identifier: BSD-2-Clause
"""How a bed's lines reach a run: its console, its control port, and its word on how it ended. Each bed has its own kind."""

import fcntl
import json
import os
import socket
import subprocess

from .status import foliot_ending, native_ending

PIPE_BYTES = 1 << 20  # how far the reader of a console may fall behind before the bed feels it
F_SETPIPE_SZ = 1031


def widen(pipe):
    """Gives a pipe more room."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # a user's limit may be lower: it is only head-room


def output_pipe():
    """(our end, the bed's) of a pipe with room, for a line that only the bed writes to."""
    reader, writer = os.pipe()
    widen(reader)
    return reader, writer


class Lines:
    """What every bed has. inherited: descriptors that the bed is started with; stdin: what its standard input is."""

    environment = None

    def __init__(self, options):
        self.options = options
        self.inherited = []
        self.stdin = subprocess.DEVNULL

    def started(self, runner, process):
        """The bed runs: drops its ends of the lines and gives ours to the runner, now or when the bed has opened them."""
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = []

    def said(self, data):
        """The bed's error output. Returns whether the run is over with it."""
        return False

    def last_words(self, errors):
        """Of the bed's error output what people should see where it failed."""
        return errors.strip()

    def close(self):
        """Nothing of ours is left open, whether or not a bed was started."""
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = []

    def ending(self, returncode, errors):
        """The Ending behind the bed's exit status (negative: a signal) and its error output."""
        raise NotImplementedError


class QemuLines(Lines):
    """The console is QEMU's standard input and output; the control port a descriptor, and so, natively, its monitor."""

    def __init__(self, options):
        super().__init__(options)
        self.control_fd = self.qmp_fd = None
        self._control = self._qmp = None
        self._qmp_data = b""
        if not options.repeatable:
            self.stdin = subprocess.PIPE
        if options.native:
            self._qmp, theirs = socket.socketpair()
            self.qmp_fd = theirs.detach()
            self.inherited.append(self.qmp_fd)
        else:
            self._control, self.control_fd = self._control_pair()
            self.inherited.append(self.control_fd)

    def _control_pair(self):
        """Our end of the control port, and the bed's: a pipe where nothing is sent."""
        if self.options.repeatable:
            return output_pipe()
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach()

    def started(self, runner, process):
        super().started(runner, process)
        widen(process.stdout.fileno())
        runner.console_opened(process.stdout, process.stdin)
        if self._control is not None:
            control, self._control = self._control, None
            runner.control_opened(control)
        if self._qmp:
            self._qmp.sendall(b'{"execute":"qmp_capabilities"}\n')
            runner.read_from(self._qmp.makefile("rb", buffering=0), self._heard_qmp)

    def _heard_qmp(self, data):
        self._qmp_data += data

    def close(self):
        super().close()
        if self._control is not None:
            os.close(self._control)
            self._control = None
        if self._qmp:
            self._qmp.close()

    def _shutdown_reason(self):
        for line in self._qmp_data.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if value.get("event") == "SHUTDOWN":
                return value["data"].get("reason")
        return None

    def ending(self, returncode, errors):
        errors = "\n".join(line for line in errors.splitlines() if "warning:" not in line)
        if self.options.native:
            return native_ending(returncode, errors, self._shutdown_reason())
        return foliot_ending(returncode, errors)
