# SPDX-License-Identifier: BSD-2-Clause
"""One run: starts the bed, moves bytes between it and everyone who listens, and says how it ended. Nothing here waits for a
fixed time: one poll, until the bed ends, a pattern is seen, the timeout is reached or a signal comes."""

import os
import select
import selectors
import signal
import socket
import subprocess
import time

from .console import Backlog, Plain, Watcher
from .relay import Relay
from .status import End, Ending

FAILURE_LINGER_S = 1.0     # after a --fail pattern: the rest of a panic's dump is wanted too
FLUSH_S = 5.0              # how long a reader of our output may take for its tail
DRAIN_S = 2.0              # how long what a bed that is gone has said may be under way
OUTPUT_LIMIT = 1 << 20     # the bed is not read while this much waits for our reader
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
ERRORS_LIMIT = 1 << 20     # of the bed's error output so much of the end is kept, to be judged and shown
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
    """options: of cli.parse; boot: of the bed; output: the descriptor that shows the console; files: that record it;
    errors_log: takes the bed's error output."""

    def __init__(self, options, bed, boot, output, files, control_log=None, errors_log=None):
        self.options = options
        self.bed = bed
        self.boot = boot
        self.control_path = None if options.native else options.control
        self.watcher = Watcher(options.passes, options.fails)
        self._control_log = control_log
        self._errors_log = errors_log
        self._selector = selectors.PollSelector()
        self._sink = Sink(self._selector, output, files)
        self._relay = None
        self._lines = None
        self._process = None
        self._console_reader = self._console_writer = None
        self._streams = {}  # read from: what takes the data
        self._errors = b""
        self._ends = []
        self._signal = None
        self._to_console = Backlog()
        self._over = False
        self._booting = not options.native
        self._plain = Plain()

    def run(self, guardian, terminal):
        """Runs the bed to its end; returns an Ending, or raises Interrupted. The bed is gone on return in any case."""
        waker, handlers = self._catch_signals()
        try:
            self._start(guardian)
            with terminal:
                ending = self._loop()
            self._sink.flush(FLUSH_S)
        finally:
            self._kill()
            if self._relay:
                self._relay.close()
            self._release()
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
        self._lines = self.bed.lines(self.options)
        if self.control_path:
            writable = not self.options.repeatable
            self._relay = Relay(self._selector, self.control_path, writable, self._greet, self._control_log)
        self.command = self.bed.command(self.options, self.boot, self._lines)
        self._process = subprocess.Popen(self.command, stdin=self._lines.stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         pass_fds=self._lines.inherited, start_new_session=True, bufsize=0,
                                         env=self._lines.environment)
        guardian.watch(self._process.pid)
        gone = open(os.pidfd_open(self._process.pid), "rb", buffering=0)
        self._ends += [end for end in (self._process.stdin, self._process.stdout, gone) if end]
        self._selector.register(gone, selectors.EVENT_READ, self._bed_gone)
        self.read_from(self._process.stderr, self._error_text)
        self._lines.started(self, self._process)
        if self.options.interactive:
            self._selector.register(0, selectors.EVENT_READ, self._typed)

    def poll(self, file, ready):
        """Calls ready() whenever the file can be read."""
        self._selector.register(file, selectors.EVENT_READ, lambda _events: ready())

    def unpoll(self, file):
        """No longer."""
        self._selector.unregister(file)

    def read_from(self, stream, take):
        """Hands what the stream gives to take(), to its end: also what is left in it when the bed is gone."""
        os.set_blocking(stream.fileno(), False)
        self._ends.append(stream)
        self._streams[stream] = take
        self._selector.register(stream, selectors.EVENT_READ, lambda _events: self._read(stream))

    def console_opened(self, reader, writer):
        """The bed's console, raw files; writer: None where nothing is sent."""
        self.read_from(reader, self._console)
        self._console_reader, self._console_writer = reader, writer
        if writer:
            os.set_blocking(writer.fileno(), False)
            self._ends.append(writer)
            self._want_typed_sent()

    def control_opened(self, descriptor):
        """The bed's control port."""
        self._relay.attach(descriptor)

    def bed_ended(self):
        """The bed has said how it ended, and may go on without a purpose."""
        self._over = True

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
        stream = self._console_reader
        if not stream or stream.closed:
            return
        registered = stream.fileno() in self._selector.get_map()
        if held and registered:
            self._selector.unregister(stream)
        elif not held and not registered:
            self._selector.register(stream, selectors.EVENT_READ, lambda _events: self._read(stream))

    def _fail_seen(self):
        return Ending(End.FAIL_SEEN, self.watcher.failed_line)

    def _bed_ending(self):
        """The bed has ended: what it still had to say is read, then judged."""
        returncode = self._kill()
        self._drain()
        if self.watcher.all_seen():
            return Ending(End.PASS_SEEN)
        if self.watcher.failed_line is not None:
            return self._fail_seen()
        return self._lines.ending(returncode, self._errors.decode("utf-8", "replace"))

    def _drain(self):
        """Every stream to its end; that of a connection may come a moment after the bed's."""
        deadline = time.monotonic() + DRAIN_S
        while (left := deadline - time.monotonic()) > 0 and self._streams:
            ready = select.select(list(self._streams), [], [], left)[0]
            for stream in ready:
                self._read(stream)

    def _greet(self):
        """Foliot has started: the boot loader has left the console."""
        if self._booting and self.options.interactive:
            self._sink.show(TIPS)
        self._booting = False

    def _console(self, data):
        booting = self._booting and self.options.interactive
        self._sink.write(data, self._plain.feed(data) if booting else self._plain.rest() + data)
        self.watcher.feed(data)

    def _error_text(self, data):
        if self._errors_log:
            self._errors_log.write(data)
        self._errors = (self._errors + data)[-ERRORS_LIMIT:]
        self._over |= self._lines.said(data)

    def _read(self, stream):
        try:
            data = stream.read(65536)
        except OSError:  # a connection whose other end was killed
            data = b""
        if data:
            self._streams[stream](data)
        elif data == b"":
            if stream.fileno() in self._selector.get_map():
                self._selector.unregister(stream)
            del self._streams[stream]
            stream.close()

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
            self._want_typed_sent()

    def _want_typed_sent(self):
        """Keys wait where the bed has not opened its console yet."""
        if self._to_console and self._console_writer:
            self._selector.register(self._console_writer, selectors.EVENT_WRITE, self._send_typed)

    def _send_typed(self, _events):
        try:
            self._to_console.send(self._console_writer.write)
        except OSError:
            self._to_console = Backlog()
        if not self._to_console:
            self._selector.unregister(self._console_writer)

    def _kill(self):
        """The bed is gone afterwards; returns its exit status, or None if it was never there."""
        if not self._process:
            return None
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self._process.wait()

    def _release(self):
        """Everything that the bed was polled through is closed."""
        for end in self._ends:
            end.close()
        if self._lines:
            self._lines.close()
        self._selector.close()

    @property
    def last_words(self):
        """What the bed said last on its error output, for people."""
        return self._lines.last_words(self._errors.decode("utf-8", "replace")) if self._lines else ""
