# SPDX-License-Identifier: BSD-2-Clause
"""The user's terminal as the guest's console: raw while the run lasts, as it was before afterwards."""

import os
import termios
import tty


class Terminal:
    """A context: raw inside, restored outside. Does nothing to what is not a terminal."""

    def __init__(self, descriptor):
        self.descriptor = descriptor if os.isatty(descriptor) else None
        self._settings = None

    def __enter__(self):
        if self.descriptor is not None:
            self._settings = termios.tcgetattr(self.descriptor)
            tty.setraw(self.descriptor, termios.TCSANOW)
        return self

    def __exit__(self, *_):
        self.restore()

    def restore(self):
        """May be called more than once."""
        if self._settings is not None:
            termios.tcsetattr(self.descriptor, termios.TCSANOW, self._settings)
            self._settings = None
