# SPDX-License-Identifier: BSD-2-Clause
"""One run: starts the bed, moves bytes between it and everyone who listens, and says how it ended. Nothing here waits for a
fixed time: one poll, until the bed ends, a pattern is seen, the timeout is reached or a signal comes."""

import fcntl
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import time

from .console import Backlog, Watcher, without_sequences
from .relay import Relay
from .status import End, Ending

PIPE_BYTES = 1 << 20       # how far the reader of a console may fall behind before the bed feels it
FAILURE_LINGER_S = 1.0     # after a --fail pattern: the rest of a panic's dump is wanted too
FLUSH_S = 5.0              # how long a reader of our output may take for its tail
OUTPUT_LIMIT = 1 << 20     # the bed is not read while this much waits for our reader
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
F_SETPIPE_SZ = 1031
TIPS = (b"\r\nfoliot: Ctrl-] is the monitor (twice: Ctrl-] itself); Ctrl-D there leads back to the guest\r\n"
        b"foliot: try `rate 10` there, and then `date` in the guest\r\n"
        b"foliot: `quit` there ends the run\r\n\r\n")


class Interrupted(Exception):
    """A signal ended the run."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Sink:
    """Where the console goes: our output, and the files of --serial and --keep."""

    def __init__(self, selector, output, files):
        self.backlog = Backlog()
        self.broken = False
        self._selector = selector
        self._output = output
        self._files = files
        self._polled = False

    def write(self, data, shown):
        """Files take the data at once; our output what is to be shown, when it can take it."""
        for file in self._files:
            file.write(data)
            file.flush()
        self.show(shown)

    def show(self, data):
        """Our output only."""
        if data and not self.broken:
            self.backlog.add(data)
            self._poll(True)

    def _poll(self, wanted):
        if wanted and not self._polled:
            self._selector.register(self._output, selectors.EVENT_WRITE, self._ready)
        elif self._polled and not wanted:
            self._selector.unregister(self._output)
        self._polled = wanted

    def _ready(self, _events):
        self._send()
        if not self.backlog:
            self._poll(False)

    def _send(self):
        try:
            self.backlog.send(lambda piece: os.write(self._output, piece))
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
            self.backlog = Backlog()

    def flush(self, limit_s):
        """Our reader gets the tail, if it takes it within the limit."""
        deadline = time.monotonic() + limit_s
        while self.backlog and select.select([], [self._output], [], max(0, deadline - time.monotonic()))[1]:
            self._send()


class Runner:
    """options: of cli.parse; boot: from image; output: the descriptor that shows the console; files: that record it."""

    def __init__(self, options, bed, boot, output, files, control_log=None):
        self.options = options
        self.bed = bed
        self.boot = boot
        self.control_path = None if options.native else options.control
        self.watcher = Watcher(options.passes, options.fails)
        self._control_log = control_log
        self._selector = selectors.PollSelector()
        self._sink = Sink(self._selector, output, files)
        self._relay = None
        self._process = None
        self._errors = b""
        self._ends = []
        self._qmp = None
        self._qmp_data = b""
        self._signal = None
        self._to_console = Backlog()
        self._over = False
        self._booting = not options.native

    def run(self, guardian, terminal):
        """Runs the bed to its end; returns an Ending, or raises Interrupted. The bed is gone on return in any case."""
        waker, handlers = self._catch_signals()
        try:
            self._start(guardian)
            with terminal:
                ending = self._loop()
            self._sink.flush(FLUSH_S)
        finally:
            if self._relay:
                self._relay.close()
            self._kill()
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(-1)
            for end in waker:
                end.close()
        if self._signal:
            raise Interrupted(self._signal)
        return ending

    def _catch_signals(self):
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, self._on_signal) for number in CAUGHT}
        self._selector.register(reader, selectors.EVENT_READ, lambda _: reader.recv(64))
        return (reader, writer), handlers

    def _on_signal(self, number, _frame):
        self._signal = number

    def _start(self, guardian):
        control, bed_control = self._control_pair() if self.control_path else (None, None)
        qmp = socket.socketpair() if self.options.native else None
        inherited = [fd for fd in (bed_control, qmp[1].fileno() if qmp else None) if fd is not None]
        words = self.bed.command(self.options, self.boot, bed_control, qmp[1].fileno() if qmp else None)
        if self.control_path:
            writable = not self.options.repeatable
            self._relay = Relay(self._selector, control, self.control_path, writable, self._greet, self._control_log)
        self.command = words
        source = subprocess.DEVNULL if self.options.repeatable else subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         pass_fds=inherited, start_new_session=True, bufsize=0)
        guardian.watch(self._process.pid)
        if bed_control is not None:
            os.close(bed_control)
        if qmp:
            qmp[1].close()
            self._qmp = qmp[0]
            self._ends.append(self._qmp)
            self._qmp.sendall(b'{"execute":"qmp_capabilities"}\n')
        self._register()

    def _control_pair(self):
        """Our end of the control port, and the bed's: a pipe where nothing is sent."""
        if self.options.repeatable:
            reader, writer = os.pipe()
            _widen(reader)
            return reader, writer
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach()

    def _register(self):
        process, read = self._process, selectors.EVENT_READ
        _widen(process.stdout.fileno())
        for stream in (process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
        self._selector.register(process.stdout, read, self._console_ready)
        self._selector.register(process.stderr, read, self._errors_ready)
        gone = open(os.pidfd_open(process.pid), "rb", buffering=0)
        self._ends += [end for end in (process.stdin, process.stdout, process.stderr, gone) if end]
        self._selector.register(gone, read, self._bed_gone)
        if self._qmp:
            self._qmp.setblocking(False)
            self._selector.register(self._qmp, read, self._qmp_ready)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
        if self.options.interactive and process.stdin:
            self._selector.register(0, read, self._typed)

    def _loop(self):
        limit = self.options.timeout
        deadline = time.monotonic() + limit if limit else None
        lingering = False
        while True:
            if self._over:
                return self._bed_ending()
            if self._signal or self._sink.broken:
                self._signal = self._signal or signal.SIGPIPE
                return None
            if self.watcher.all_seen():
                return Ending(End.PASS_SEEN)
            if self.watcher.failed_line is not None and not lingering:
                lingering = True
                deadline = min(deadline or float("inf"), time.monotonic() + FAILURE_LINGER_S)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return self._fail_seen() if lingering else Ending(End.TIMEOUT, f"{limit:g} s are over")
            self._poll(left)

    def _poll(self, left):
        """One round: hands each ready descriptor to its function."""
        for key, events in self._selector.select(left):
            if key.fd in self._selector.get_map():
                key.data(events)
        self._hold_bed(len(self._sink.backlog) > OUTPUT_LIMIT)

    def _hold_bed(self, held):
        """Leaves the bed's output in its pipe while ours is not taken."""
        stream = self._process.stdout
        if stream.closed:
            return
        registered = stream.fileno() in self._selector.get_map()
        if held and registered:
            self._selector.unregister(stream)
        elif not held and not registered:
            self._selector.register(stream, selectors.EVENT_READ, self._console_ready)

    def _fail_seen(self):
        return Ending(End.FAIL_SEEN, self.watcher.failed_line)

    def _bed_ending(self):
        """The bed is gone: what it still had to say is read, then judged."""
        self._drain()
        if self.watcher.all_seen():
            return Ending(End.PASS_SEEN)
        if self.watcher.failed_line is not None:
            return self._fail_seen()
        errors = "\n".join(line for line in self._errors.decode("utf-8", "replace").splitlines() if "warning:" not in line)
        return self.bed.ending(self.options, self._process.wait(), errors, self._shutdown_reason())

    def _drain(self):
        for stream, take in ((self._process.stdout, self._console), (self._process.stderr, self._error_text)):
            try:
                while not stream.closed and (data := stream.read(65536)):
                    take(data)
            except BlockingIOError:
                pass
        if self._qmp:
            self._qmp_ready(0)

    def _shutdown_reason(self):
        for line in self._qmp_data.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if value.get("event") == "SHUTDOWN":
                return value["data"].get("reason")
        return None

    def _greet(self):
        """Foliot has started: the boot loader has left the console."""
        if self._booting and self.options.interactive:
            self._sink.show(TIPS)
        self._booting = False

    def _console(self, data):
        self._sink.write(data, without_sequences(data) if self._booting and self.options.interactive else data)
        self.watcher.feed(data)

    def _error_text(self, data):
        self._errors += data

    def _ready(self, stream, take):
        data = stream.read(65536)
        if data:
            take(data)
        elif data == b"":
            self._selector.unregister(stream)
            stream.close()

    def _console_ready(self, _events):
        self._ready(self._process.stdout, self._console)

    def _errors_ready(self, _events):
        self._ready(self._process.stderr, self._error_text)

    def _qmp_ready(self, _events):
        try:
            while data := self._qmp.recv(65536):
                self._qmp_data += data
        except BlockingIOError:
            return
        except OSError:
            pass
        if self._qmp.fileno() in self._selector.get_map():
            self._selector.unregister(self._qmp)

    def _bed_gone(self, _events):
        self._over = True

    def _typed(self, _events):
        data = os.read(0, 4096)
        if not data:
            self._selector.unregister(0)
            return
        first = not self._to_console
        self._to_console.add(data)
        if first:
            self._selector.register(self._process.stdin, selectors.EVENT_WRITE, self._send_typed)

    def _send_typed(self, _events):
        try:
            self._to_console.send(self._process.stdin.write)
        except OSError:
            self._to_console = Backlog()
        if not self._to_console:
            self._selector.unregister(self._process.stdin)

    def _kill(self):
        """The bed and everything that it was polled through are gone afterwards."""
        if self._process:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
        for end in self._ends:
            end.close()
        self._selector.close()

    @property
    def errors(self):
        """What the bed said on its error output."""
        return self._errors


def _widen(pipe):
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # a user's limit may be lower: it is only head-room
