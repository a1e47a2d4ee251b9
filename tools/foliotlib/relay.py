# SPDX-License-Identifier: BSD-2-Clause
"""The control port between Foliot's second serial port and one client at a time at a unix socket.

Foliot greets when it starts, long before anyone may listen: the latest greeting is kept and opens each client's conversation."""

import json
import os
import select
import selectors
import socket
import stat
import time

from .console import Backlog

LONGEST_LINE = 65536
LONGEST_BACKLOG = 1 << 20  # a client that leaves more than this unread is let go
FLUSH_S = 1.0              # how long a client may take for the last lines


def error_line(code, text):
    """An error of this relay's own, in the protocol's form."""
    return json.dumps({"error": {"code": code, "text": text}}).encode() + b"\n"


def object_in(line):
    """The line's JSON object; None: it is none, and firmware's or the boot loader's word, not Foliot's."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def is_greeting(value):
    """A greeting is the object that names Foliot's version, and answers no request."""
    return "foliot" in value and "id" not in value


class Relay:
    """Owns the listening socket. writable: whether the port takes input; greeted: called when Foliot greets."""

    def __init__(self, selector, path, writable, greeted, log=None):
        self._selector = selector
        self._port = None
        self._writable = writable
        self._greeted = greeted
        self._log = log
        self._path = path
        self._line = b""
        self._greeting = b""
        self._client = None
        self._client_events = 0
        self._to_client = Backlog()
        self._to_port = Backlog()
        self._mid_line = False
        self._listener = self._listen(path)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def attach(self, port):
        """The bed's end, a descriptor that is the relay's from now on. What a client has sent already goes there."""
        os.set_blocking(port, False)
        self._port = port
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._to_port else 0)
        self._selector.register(port, events, self._port_ready)

    @staticmethod
    def _listen(path):
        try:
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.unlink(path)
        except FileNotFoundError:
            pass
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
        except OSError:
            listener.close()
            raise
        listener.listen()
        listener.setblocking(False)
        return listener

    def close(self):
        """The client gets what the port still holds; nothing is left behind at the path."""
        self._drain_port()
        self._flush_client(FLUSH_S)
        self._drop_client()
        self._selector.unregister(self._listener)
        self._listener.close()
        self._close_port()
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass  # somebody tidied up before us

    def _drain_port(self):
        """A bed that is gone may have answered right before: the reply to quit, the last event."""
        deadline = time.monotonic() + FLUSH_S
        try:
            while self._port is not None and select.select([self._port], [], [], max(0, deadline - time.monotonic()))[0]:
                self._from_port(os.read(self._port, 65536))
        except BlockingIOError:
            pass
        except OSError:
            self._close_port()

    def _flush_client(self, limit_s):
        deadline = time.monotonic() + limit_s
        while self._client and self._to_client and (left := deadline - time.monotonic()) > 0:
            if select.select([], [self._client], [], left)[1]:
                self._client_ready(selectors.EVENT_WRITE)

    def _accept(self, _events):
        client, _ = self._listener.accept()
        client.setblocking(False)
        while self._client and self._client_left():
            self._client_ready(selectors.EVENT_READ)  # its last requests, then its end
        if self._client:
            try:
                client.send(error_line("busy", "another client holds the control port"))
            except OSError:
                pass
            client.close()
            return
        self._client = client
        self._to_client = Backlog()
        self._client_wants()
        self._tell_client(self._greeting)

    def _client_left(self):
        poll = select.poll()
        poll.register(self._client, 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))

    def _tell_client(self, data):
        if self._client and data:
            self._to_client.add(data)
            self._client_wants()
        if len(self._to_client) > LONGEST_BACKLOG:
            self._drop_client()

    def _client_wants(self):
        """What the client is polled for: it is not read while the bed is behind."""
        wanted = selectors.EVENT_READ if len(self._to_port) < LONGEST_LINE else 0
        wanted |= selectors.EVENT_WRITE if self._to_client else 0
        if self._client_events:
            self._selector.unregister(self._client)
        if wanted:
            self._selector.register(self._client, wanted, self._client_ready)
        self._client_events = wanted

    def _client_ready(self, events):
        try:
            if events & selectors.EVENT_WRITE and self._to_client:
                self._to_client.send(self._client.send)
                self._client_wants()
            if events & selectors.EVENT_READ:
                self._from_client(self._client.recv(4096))
        except BlockingIOError:
            pass
        except OSError:
            self._drop_client()

    def _from_client(self, data):
        if not data:
            self._drop_client()
        elif not self._writable:
            self._tell_client(error_line("repeatable", "a repeatable run takes no input") * data.count(b"\n"))
        else:
            self._mid_line = not data.endswith(b"\n")
            self._tell_port(data)
            self._client_wants()

    def _tell_port(self, data):
        self._to_port.add(data)
        if self._port is not None:
            self._selector.modify(self._port, selectors.EVENT_READ | selectors.EVENT_WRITE, self._port_ready)

    def _drop_client(self):
        if not self._client:
            return
        if self._client_events:
            self._selector.unregister(self._client)
        self._client.close()
        self._client = None
        self._client_events = 0
        if self._mid_line:  # half a request must not spoil the next client's first
            self._mid_line = False
            self._tell_port(b"\n")

    def _close_port(self):
        if self._port is not None:
            self._selector.unregister(self._port)
            os.close(self._port)
            self._port = None

    def _port_ready(self, events):
        try:
            if events & selectors.EVENT_WRITE and self._to_port:
                self._to_port.send(lambda piece: os.write(self._port, piece))
                if not self._to_port:
                    self._selector.modify(self._port, selectors.EVENT_READ, self._port_ready)
                if self._client:
                    self._client_wants()
            if events & selectors.EVENT_READ:
                self._from_port(os.read(self._port, 65536))
        except BlockingIOError:
            pass
        except OSError:
            self._close_port()

    def _from_port(self, data):
        if not data:
            self._close_port()
            return
        if self._log:
            self._log.write(data)
        *lines, last = (self._line + data).split(b"\n")
        self._line = last[-LONGEST_LINE:]
        for line in lines:
            value = object_in(line)
            if value is None:
                continue
            if is_greeting(value):
                self._greeting = line + b"\n"
                self._greeted()
            self._tell_client(line + b"\n")
