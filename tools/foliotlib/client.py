# SPDX-License-Identifier: BSD-2-Clause
"""A client of the control port: requests and their replies, for scripts. Events and the greeting are kept aside."""

import json
import select
import socket
import time


class ControlError(Exception):
    """The control port refused a request, or fell silent."""


class Client:
    """Connects to a run's control socket; greeting waits for Foliot's, which comes when Foliot has started."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._data = b""
        self._next_id = 1
        self.patience = 1  # what limits are multiplied by, for a slow bed
        self.greeting = None
        self.events = []

    def close(self):
        """Lets the next client in."""
        self._socket.close()

    def wait_greeting(self, limit_s):
        """Foliot's greeting; raises ControlError when none comes within the limit."""
        deadline = time.monotonic() + limit_s
        while self.greeting is None:
            self._take(self._line(deadline))
        return self.greeting

    def ask(self, command, limit_s=20, **arguments):
        """The "ok" of a command; raises ControlError for an error, or without a reply within the limit."""
        number, self._next_id = self._next_id, self._next_id + 1
        request = {"id": number, "cmd": command, **arguments}
        self._send(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + limit_s * self.patience
        while True:
            value = self._take(self._line(deadline))
            if value.get("id") == number:
                if "ok" not in value:
                    raise ControlError(f"{command}: {value.get('error')}")
                return value["ok"]

    def _send(self, data):
        try:
            self._socket.sendall(data)
        except BrokenPipeError:
            pass  # why the other end closed may still be there to read

    def _take(self, line):
        try:
            value = json.loads(line)
        except ValueError:
            raise ControlError(f"no JSON from the control port: {line!r}") from None
        if "event" in value:
            self.events.append(value)
        elif "foliot" in value and "id" not in value:
            self.greeting = value
        elif "error" in value and "id" not in value:
            raise ControlError(str(value["error"]))
        return value

    def _line(self, deadline):
        while b"\n" not in self._data:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise ControlError("no reply from the control port")
            data = self._socket.recv(65536)
            if not data:
                raise ControlError("the control port was closed")
            self._data += data
        line, self._data = self._data.split(b"\n", 1)
        return line
