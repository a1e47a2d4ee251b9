# SPDX-License-Identifier: BSD-2-Clause
"""The guest's console as a stream of bytes: what is watched for in it, and where it goes."""

import re

# Terminal control sequences (ECMA-48 5.4) and carriage returns are no part of a line's text.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|\r")
_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_BEGUN = re.compile(rb"(?:\x1b(?:\[[0-?]*[ -/]*)?)?\Z")
LONGEST_LINE = 65536


class Plain:
    """Takes terminal control sequences out of a stream, however it is cut: firmware's and a boot loader's would clear the user's
    screen."""

    def __init__(self):
        self._begun = b""

    def feed(self, data):
        """The bytes without sequences; one that is not whole yet waits for its rest."""
        text = _SEQUENCE.sub(b"", self._begun + data)
        self._begun = _BEGUN.search(text)[0]
        return text[:len(text) - len(self._begun)]

    def rest(self):
        """What waits: no sequence after all."""
        begun, self._begun = self._begun, b""
        return begun


class Watcher:
    """Looks for patterns in each line of the console, and in the last one while it grows (but not for those that end in $)."""

    def __init__(self, passes, fails):
        self.unseen = list(passes)
        self.fails = list(fails)
        self.failed_line = None
        self._line = b""
        self._wanted = bool(passes)

    def feed(self, data):
        """Takes the next bytes of the console."""
        *lines, last = (self._line + data).split(b"\n")
        for line in lines:
            self._look(line, finished=True)
        self._line = last[-LONGEST_LINE:]
        if last:
            self._look(last, finished=False)

    def all_seen(self):
        """Patterns were asked for, and each was seen."""
        return self._wanted and not self.unseen

    def _look(self, line, finished):
        text = _CONTROL.sub("", line.decode("utf-8", "replace"))
        matches = [p for p in self.unseen + self.fails if (finished or not p.pattern.endswith("$")) and p.search(text)]
        self.unseen = [pattern for pattern in self.unseen if pattern not in matches]
        if self.failed_line is None and any(pattern in self.fails for pattern in matches):
            self.failed_line = text.strip()


class Backlog:
    """Bytes on their way to a descriptor that may not take them yet."""

    PIECE = 4096  # a pipe that poll() calls writable takes this much at once (PIPE_BUF)

    def __init__(self):
        self._data = bytearray()

    def __len__(self):
        return len(self._data)

    def add(self, data):
        """Puts bytes behind those that wait."""
        self._data += data

    def send(self, write):
        """Hands one piece to write(), which returns how many bytes it took (None: none, as Python's raw files do)."""
        del self._data[:write(bytes(self._data[:self.PIECE])) or 0]
