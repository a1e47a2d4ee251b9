# SPDX-License-Identifier: BSD-2-Clause
"""Puts things right however a run ends: a second process that waits for the first one's end, even by SIGKILL.

It then kills the bed's process group, restores the terminal and removes the run's temporary directory. A run that ends in
good order has done all that by itself and dismisses its guardian."""

import os
import shutil
import signal
import termios

DISMISSED = b"dismissed"


class Guardian:
    """Start it before the bed. terminal: a descriptor whose settings are to be kept, or None."""

    def __init__(self, terminal=None, directory=None):
        reader, self._writer = os.pipe()
        settings = termios.tcgetattr(terminal) if terminal is not None else None
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._writer)
                os.setsid()  # out of reach of the terminal's signals, and not stopped by it as a background process
                _guard(reader, terminal, settings, directory)
            finally:
                os._exit(0)
        os.close(reader)

    def watch(self, group):
        """Tells which process group the bed is."""
        os.write(self._writer, b"%d\n" % group)

    def dismiss(self):
        """Everything is in order: the guardian has nothing to do."""
        os.write(self._writer, DISMISSED)
        os.close(self._writer)
        os.waitpid(self._pid, 0)


def _guard(reader, terminal, settings, directory):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    _keep_only([reader] + ([terminal] if terminal is not None else []))
    heard = b""
    while piece := os.read(reader, 256):
        heard += piece
    if heard.endswith(DISMISSED):
        return
    for group in heard.split():
        _try(os.killpg, int(group), signal.SIGKILL)
    if settings is not None:
        _try(termios.tcsetattr, terminal, termios.TCSANOW, settings)
    if directory:
        shutil.rmtree(directory, ignore_errors=True)


def _try(function, *arguments):
    try:
        function(*arguments)
    except (OSError, termios.error):
        pass


def _keep_only(kept):
    """Closes every other descriptor: one that stayed open here would keep a reader of the run's output waiting."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            _try(os.close, int(name))
