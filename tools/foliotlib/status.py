# SPDX-License-Identifier: BSD-2-Clause
"""How a run ends: Foliot's status bytes on the bed's exit port, QEMU's exit statuses, and foliot-run's own.

Foliot, started with exit-port=0xf4, writes one byte v there, and QEMU's isa-debug-exit leaves with (v << 1) | 1; Bochs
prints a byte that is written to port E9h. A guest without Foliot (--native) writes its own byte there: 0 for passed.
"""

import enum

EXIT_PORT = 0xF4
TRACE_PORT = 0x378  # LPT1: a bed puts what comes out into a file


class Status(enum.IntEnum):
    """Exit statuses of foliot-run; --help and the README list them."""

    PASSED = 0
    GUEST_FAILED = 1
    USAGE = 2
    FEATURE_MISSING = 3
    BED_FAILED = 4
    TIMEOUT = 5
    FOLIOT_CRASHED = 6


class End(enum.Enum):
    """Why a run ended: the byte that Foliot writes (None: only foliot-run can tell), exit status, in words."""

    PASSED = (0x20, Status.PASSED, "the guest passed")
    FAILED = (0x21, Status.GUEST_FAILED, "the guest failed")
    POWERED_OFF = (0x22, Status.PASSED, "the guest powered off")
    RESET = (0x23, Status.GUEST_FAILED, "the guest reset the machine")
    TRIPLE_FAULT = (0x24, Status.GUEST_FAILED, "the guest died of a triple fault")
    QUIT = (0x25, Status.PASSED, "ended by the operator")
    FEATURE_MISSING = (0x26, Status.FEATURE_MISSING, "Foliot misses a feature of the processor")
    GUEST_REFUSED = (0x27, Status.GUEST_FAILED, "Foliot refused the guest")
    GUEST_STOPPED = (0x28, Status.GUEST_FAILED, "Foliot stopped the guest")
    FOLIOT_PANIC = (0x2F, Status.FOLIOT_CRASHED, "Foliot panicked")
    FOLIOT_GONE = (None, Status.FOLIOT_CRASHED, "Foliot went without a word: the bed was reset or switched off")
    PASS_SEEN = (None, Status.PASSED, "every --pass pattern was seen")
    FAIL_SEEN = (None, Status.GUEST_FAILED, "a --fail pattern was seen")
    TIMEOUT = (None, Status.TIMEOUT, "timeout")
    BED_FAILED = (None, Status.BED_FAILED, "the bed failed")

    def __init__(self, byte, status, words):
        self.byte = byte
        self.status = status
        self.words = words


# Ends after which a run is good only if no --pass pattern is still unseen.
NEEDS_PATTERNS = (End.POWERED_OFF, End.QUIT)

_BY_BYTE = {end.byte: end for end in End if end.byte is not None}


class Ending:
    """One run's end: what, and a detail in words that may be empty."""

    def __init__(self, end, detail=""):
        self.end = end
        self.detail = detail

    def exit_status(self, unseen_patterns=0):
        """The status for foliot-run, with so many --pass patterns not seen."""
        if self.end in NEEDS_PATTERNS and unseen_patterns:
            return Status.GUEST_FAILED
        return self.end.status

    def __str__(self):
        return f"{self.end.words}: {self.detail}" if self.detail else self.end.words


def exit_byte(returncode):
    """The byte behind QEMU's exit status, or None where the status is not the exit port's."""
    return returncode >> 1 if returncode > 0 and returncode & 1 else None


def byte_ending(byte):
    """The Ending behind the byte that Foliot wrote."""
    return Ending(_BY_BYTE[byte]) if byte in _BY_BYTE else Ending(End.FOLIOT_PANIC, f"unknown status byte {byte:#x} on the exit port")


def native_byte_ending(byte, port):
    """The same for a guest without Foliot, which wrote it to this port."""
    return Ending(End.FAILED, f"byte {byte:#x} on port {port:#x}") if byte else Ending(End.PASSED)


def foliot_ending(returncode, errors=""):
    """The Ending of a QEMU that ran Foliot, from its exit status (negative: a signal) and its error output."""
    byte = exit_byte(returncode)
    if byte:
        return byte_ending(byte)
    return Ending(End.FOLIOT_GONE) if returncode == 0 else bed_failure(returncode, errors)


def native_ending(returncode, errors="", reason=None):
    """The same for a guest without Foliot. reason: that of QEMU's SHUTDOWN event, where one came.

    A byte of 0 and QEMU's own failure are both exit status 1: QEMU names its failure on its error output."""
    byte = exit_byte(returncode)
    if byte is not None and not (byte == 0 and errors):
        return native_byte_ending(byte, EXIT_PORT)
    if returncode == 0:
        return Ending(End.RESET if reason == "guest-reset" else End.POWERED_OFF)
    return bed_failure(returncode, errors)


def bed_failure(returncode, errors=""):
    """The Ending of a bed that died by itself."""
    how = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    last = errors.strip().splitlines()[-1:]
    return Ending(End.BED_FAILED, ": ".join([how] + last))
