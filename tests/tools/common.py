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
    """A bed that is a Python program, with QEMU's lines; "control" in it is the control port's descriptor."""

    name = words = "fake"

    def __init__(self, program):
        self._program = program

    def lines(self, options):
        """As the real one's."""
        from foliotlib.lines import QemuLines
        return QemuLines(options)

    def command(self, _options, _boot, lines):
        """Runs the program in place of QEMU."""
        prologue = f"import os, sys, time, signal\ncontrol = {lines.control_fd}\n"
        return [sys.executable, "-c", prologue + self._program]
