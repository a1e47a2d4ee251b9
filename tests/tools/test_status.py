# SPDX-License-Identifier: BSD-2-Clause
"""Claim: each way in which a bed can end has the exit status that foliot-run --help promises."""

import signal
import unittest

import common  # noqa: F401
from foliotlib import status
from foliotlib.status import End, Status


def left_with(byte):
    """QEMU's exit status after this byte on isa-debug-exit."""
    return byte << 1 | 1


class Foliot(unittest.TestCase):
    """Runs under Foliot."""

    def check(self, byte, end, exit_status, unseen=0):
        ending = status.foliot_ending(left_with(byte))
        self.assertIs(ending.end, end)
        self.assertEqual(ending.exit_status(unseen), exit_status)

    def test_every_byte(self):
        self.check(0x20, End.PASSED, 0)
        self.check(0x21, End.FAILED, 1)
        self.check(0x22, End.POWERED_OFF, 0)
        self.check(0x23, End.RESET, 1)
        self.check(0x24, End.TRIPLE_FAULT, 1)
        self.check(0x25, End.QUIT, 0)
        self.check(0x26, End.FEATURE_MISSING, 3)
        self.check(0x27, End.GUEST_REFUSED, 1)
        self.check(0x28, End.GUEST_STOPPED, 1)
        self.check(0x2F, End.FOLIOT_PANIC, 6)

    def test_power_off_and_quit_need_every_pattern(self):
        self.check(0x22, End.POWERED_OFF, 1, unseen=1)
        self.check(0x25, End.QUIT, 1, unseen=1)
        self.check(0x20, End.PASSED, 0, unseen=1)  # the guest's own report is enough

    def test_unknown_byte_is_foliots_fault(self):
        self.check(0x10, End.FOLIOT_PANIC, 6)

    def test_bed_ended_without_foliots_word(self):
        self.assertEqual(status.foliot_ending(0).exit_status(), Status.FOLIOT_CRASHED)

    def test_bed_failed(self):
        for code, errors in ((1, "qemu-system-x86_64: no such option"), (-signal.SIGSEGV, ""), (-signal.SIGKILL, "")):
            ending = status.foliot_ending(code, errors)
            self.assertEqual(ending.exit_status(), Status.BED_FAILED)
            self.assertIn(errors or "signal", str(ending))

    def test_bytes_are_unique(self):
        taken = [end.byte for end in End if end.byte is not None]
        self.assertEqual(len(taken), len(set(taken)))


class Native(unittest.TestCase):
    """Runs of the guest alone."""

    def test_guests_own_byte(self):
        self.assertEqual(status.native_ending(left_with(0)).exit_status(), 0)
        self.assertEqual(status.native_ending(left_with(5)).exit_status(), 1)
        self.assertEqual(status.native_ending(left_with(0x20)).exit_status(), 1)

    def test_byte_0_and_qemus_failure_differ(self):
        self.assertEqual(status.native_ending(1, "qemu-system-x86_64: cannot open").exit_status(), 4)

    def test_power_off_and_reset(self):
        self.assertIs(status.native_ending(0, "", "guest-shutdown").end, End.POWERED_OFF)
        self.assertIs(status.native_ending(0, "", "guest-reset").end, End.RESET)

    def test_signal(self):
        self.assertEqual(status.native_ending(-9).exit_status(), 4)


if __name__ == "__main__":
    unittest.main()
