# SPDX-License-Identifier: BSD-2-Clause
"""Claim: KVM is used only where it is there, permitted, and says itself that a guest of it has an engine's feature."""

import errno
import os
import unittest
from unittest import mock

import common  # noqa: F401
from foliotlib import beds, cli, kvm
from foliotlib.status import Status


def reply(*leaves):
    """A KVM_GET_SUPPORTED_CPUID reply with (leaf, ECX) entries."""
    made = bytearray(kvm.HEADER.size + kvm.ENTRIES * kvm.ENTRY.size)
    kvm.HEADER.pack_into(made, 0, len(leaves), 0)
    for number, (leaf, ecx) in enumerate(leaves):
        kvm.ENTRY.pack_into(made, kvm.HEADER.size + number * kvm.ENTRY.size, leaf, 0, 0, ~0 & 0xFFFFFFFF, 0, ecx, 0, 0, 0, 0)
    return made


SVM = reply((0, 0), (1, 0), (0x80000001, 1 << 2))
VMX = reply((0, 0), (1, 1 << 5), (0x80000001, 0))
NEITHER = reply((0, 0), (1, 0xFFFFFFFF & ~(1 << 5)), (0x80000001, 0xFFFFFFFF & ~(1 << 2)))


class Reply(unittest.TestCase):
    """The structure that KVM fills."""

    def test_svm(self):
        self.assertEqual(kvm.engines_in(SVM), ["SVM"])

    def test_no_engine(self):
        for without in (NEITHER, VMX, reply(), reply((0x80000001, 0))):
            self.assertEqual(kvm.engines_in(without), [])

    def test_entries_beyond_the_count_do_not_count(self):
        shorter = bytearray(SVM)
        kvm.HEADER.pack_into(shorter, 0, 2, 0)
        self.assertEqual(kvm.engines_in(shorter), [])

    def test_count_that_lies(self):
        longer = bytearray(NEITHER)
        kvm.HEADER.pack_into(longer, 0, 0xFFFFFFFF, 0)
        self.assertEqual(kvm.engines_in(longer), [])

    def test_structure_sizes(self):
        self.assertEqual((kvm.HEADER.size, kvm.ENTRY.size), (8, 40))
        self.assertEqual(kvm.KVM_GET_SUPPORTED_CPUID, 3 << 30 | kvm.HEADER.size << 16 | 0xAE << 8 | 5)


class Probe(unittest.TestCase):
    """The file, the permission, the answers."""

    def probe(self, version=12, answer=SVM):
        with mock.patch.object(kvm.fcntl, "ioctl", return_value=version), \
                mock.patch.object(kvm, "supported_cpuid", return_value=answer):
            return kvm.why_not("/dev/null")

    def refused(self, number):
        error = OSError(number, os.strerror(number))
        with mock.patch.object(kvm.os, "open", side_effect=error):
            return kvm.why_not("/dev/kvm")

    def test_usable(self):
        self.assertIsNone(self.probe())

    def test_absent(self):
        self.assertIn("not there", kvm.why_not("/nowhere/kvm"))

    def test_not_permitted(self):
        self.assertIn("no permission", self.refused(errno.EACCES))
        self.assertIn("no permission", self.refused(errno.EPERM))

    def test_other_error(self):
        self.assertIn(os.strerror(errno.EBUSY), self.refused(errno.EBUSY))

    def test_no_kvm_behind_the_name(self):
        self.assertIn("does not answer", kvm.why_not("/dev/null"))

    def test_other_version(self):
        self.assertIn("API 11", self.probe(version=11))

    def test_no_nesting(self):
        self.assertIn("no SVM", self.probe(answer=NEITHER))
        self.assertIn("no SVM", self.probe(answer=VMX))


class Choice(unittest.TestCase):
    """Which bed a run gets."""

    def choose(self, *words, nested=None, qemu="/usr/bin/qemu-system-x86_64"):
        options = cli.parse([*words, common.GUEST])
        with mock.patch.object(beds.kvm, "why_not", return_value=nested), \
                mock.patch.object(beds.shutil, "which", return_value=qemu):
            return beds.choose(options)

    def test_auto_takes_kvm_where_it_nests(self):
        bed, passed_over = self.choose()
        self.assertEqual((bed.name, passed_over), ("kvm", []))

    def test_auto_says_why_not_kvm(self):
        bed, passed_over = self.choose(nested="no SVM there")
        self.assertEqual(bed.name, "qemu")
        self.assertEqual(len(passed_over), 1)
        self.assertIn("no SVM there", passed_over[0])

    def test_repeatable_is_never_kvm(self):
        self.assertEqual(self.choose("--repeatable")[0].name, "qemu")
        with self.assertRaises(beds.BedRefusal) as caught:
            self.choose("--repeatable", "--bed", "kvm")
        self.assertEqual(caught.exception.status, Status.USAGE)

    def test_asked_for_but_not_there(self):
        with self.assertRaises(beds.BedRefusal) as caught:
            self.choose("--bed", "kvm", nested="no SVM there")
        self.assertEqual(caught.exception.status, Status.FEATURE_MISSING)

    def test_bochs_waits_for_its_engine(self):
        with self.assertRaises(beds.BedRefusal) as caught:
            self.choose("--bed", "bochs")
        self.assertEqual(caught.exception.status, Status.FEATURE_MISSING)
        self.assertIn("VT-x", str(caught.exception))

    def test_no_qemu(self):
        for bed in ("auto", "qemu"):
            with self.assertRaises(beds.BedRefusal) as caught:
                self.choose("--bed", bed, qemu=None)
            self.assertEqual(caught.exception.status, Status.BED_FAILED)
            self.assertIn("tools/setup", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
