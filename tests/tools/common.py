# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the host-side tools share."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, "tools")
sys.dont_write_bytecode = True
sys.path.insert(0, TOOLS)

GUEST = os.path.abspath(__file__)  # any file that can be read: a faked bed does not look into it


class FakeBed:
    """A bed that is a Python program; "control" in it is the control port's descriptor."""

    name = words = "fake"

    def __init__(self, program):
        self._program = program

    def command(self, _options, _boot, control_fd, _qmp_fd):
        """Runs the program in place of QEMU."""
        prologue = f"import os, sys, time, signal\ncontrol = {control_fd}\n"
        return [sys.executable, "-c", prologue + self._program]

    def ending(self, _options, returncode, errors, _reason):
        """As the real beds judge Foliot."""
        from foliotlib import status
        return status.foliot_ending(returncode, errors)
