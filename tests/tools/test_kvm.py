# SPDX-License-Identifier: BSD-2-Clause
"""Claim: KVM is used only where it is there, permitted, and says itself that a guest of it has an engine's feature."""

import contextlib
import errno
import io
import os
import tempfile
import types
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

    def name_in(self, answer):
        feature = kvm.feature_in(answer)
        return feature and feature.name

    def test_each_vendor(self):
        self.assertEqual((self.name_in(SVM), self.name_in(VMX)), ("SVM", "VMX"))

    def test_neither(self):
        for without in (NEITHER, reply(), reply((0x80000001, 0))):
            self.assertIsNone(self.name_in(without))

    def test_entries_beyond_the_count_do_not_count(self):
        shorter = bytearray(SVM)
        kvm.HEADER.pack_into(shorter, 0, 2, 0)
        self.assertIsNone(self.name_in(shorter))

    def test_count_that_lies(self):
        longer = bytearray(NEITHER)
        kvm.HEADER.pack_into(longer, 0, 0xFFFFFFFF, 0)
        self.assertIsNone(self.name_in(longer))

    def test_structure_sizes(self):
        self.assertEqual((kvm.HEADER.size, kvm.ENTRY.size), (8, 40))
        self.assertEqual(kvm.KVM_GET_SUPPORTED_CPUID, 3 << 30 | kvm.HEADER.size << 16 | 0xAE << 8 | 5)


class Faked(unittest.TestCase):
    """Answers for a host that is made up: a device, its ioctl layer, the modules in a tree like sysfs, the processor's flags."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.answer = NEITHER
        self.version = 12

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def module(self, module, **parameters):
        os.makedirs(os.path.join(self.root, "module", module, "parameters"))
        for name, value in parameters.items():
            self.write(f"module/{module}/parameters/{name}", f"{value}\n")

    def flags(self, *flags):
        self.write("cpuinfo", "processor\t: 0\nflags\t\t: fpu " + " ".join(flags) + " lm\nbugs\t\t: svm vmx\n")

    def ioctl(self, _device, request, *arguments):
        if request == kvm.KVM_GET_API_VERSION:
            return self.version
        self.assertEqual(request, kvm.KVM_GET_SUPPORTED_CPUID)
        if isinstance(self.answer, Exception):
            raise self.answer
        self.assertEqual(kvm.HEADER.unpack_from(arguments[0]), (kvm.ENTRIES, 0))  # as much room as the buffer has
        arguments[0][:] = self.answer
        return 0

    def ask(self, device=True):
        path = self.write("kvm", "") if device else os.path.join(self.root, "kvm")
        return kvm.ask(kvm.Host(path, os.path.join(self.root, "module"), os.path.join(self.root, "cpuinfo"), self.ioctl))

    def refused(self, *parts, device=True):
        answer = self.ask(device)
        self.assertIsNone(answer.feature)
        self.assertNotIn("\n", answer.words)
        for part in parts:
            self.assertIn(part, answer.words)
        return answer.words

    def test_usable(self):
        self.answer = SVM
        self.assertEqual(self.ask().feature.name, "SVM")
        self.module("kvm_amd", nested="1", npt="1")
        answer = self.ask()
        self.assertEqual((answer.feature.name, answer.words), ("SVM", "it offers SVM"))

    def test_no_device_and_no_processor(self):
        self.flags("sse2", "svm_lock")
        self.refused("no ", "kvm", "the processor shows neither SVM nor VMX", device=False)

    def test_no_device_and_nothing_known(self):
        self.refused("neither SVM nor VMX", device=False)

    def test_no_device_but_a_processor(self):
        for flag, command in (("svm", "modprobe kvm_amd nested=1 npt=1"),
                              ("vmx", "modprobe kvm_intel nested=1 ept=1 unrestricted_guest=1")):
            self.flags(flag)
            self.refused(f"the processor has {flag.upper()}", command, device=False)

    def test_no_device_but_a_module(self):
        self.flags("svm")
        self.module("kvm_amd", nested="1")
        self.refused("kvm_amd is loaded", "container", device=False)

    def test_no_permission(self):
        for number in (errno.EACCES, errno.EPERM):
            with mock.patch.object(kvm.os, "open", side_effect=OSError(number, os.strerror(number))):
                self.assertIn("no permission for /dev/kvm", kvm.why_not())

    def test_other_error(self):
        with mock.patch.object(kvm.os, "open", side_effect=OSError(errno.EBUSY, os.strerror(errno.EBUSY))):
            self.assertEqual(kvm.why_not(), f"/dev/kvm: {os.strerror(errno.EBUSY)}")

    def test_no_kvm_behind_the_name(self):
        self.assertIn("does not answer", kvm.why_not(kvm.Host("/dev/null")))
        self.answer = OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self.refused("does not answer", os.strerror(errno.E2BIG))

    def test_other_version(self):
        self.version = 11
        self.refused("API 11")

    def test_nested_off(self):
        for module, value in (("kvm_amd", "0"), ("kvm_intel", "N")):
            with self.subTest(module):
                self.module(module, nested=value)
                self.refused("nested virtualisation is off", f"{module}/parameters/nested is {value}", f"modprobe -r {module}; modprobe {module}")
                os.remove(os.path.join(self.root, "module", module, "parameters", "nested"))

    def test_sysfs_that_says_on_does_not_convince(self):
        self.module("kvm_intel", nested="Y")
        self.refused("by kvm_intel offers its guests neither SVM nor VMX (KVM_GET_SUPPORTED_CPUID)")

    def test_another_kind_of_kvm(self):
        os.makedirs(os.path.join(self.root, "module", "kvm"))
        self.module("kvm_pvm", verbose="0")
        self.refused("by kvm_pvm offers")

    def test_no_sysfs(self):
        self.assertIn("kvm offers its guests neither", self.refused())

    def test_nested_paging_off(self):
        self.answer = SVM
        self.module("kvm_amd", nested="1", npt="0")
        self.refused("nested paging is off", "kvm_amd/parameters/npt is 0")

    def test_intel_parameters(self):
        self.answer = VMX
        self.module("kvm_intel", nested="Y", ept="Y", unrestricted_guest="N")
        self.refused("kvm_intel/parameters/unrestricted_guest is N")
        self.write("module/kvm_intel/parameters/unrestricted_guest", "Y\n")
        self.assertEqual(self.ask().words, "it offers VMX")


class Probing(unittest.TestCase):
    """foliot-run --probe: one line and a status."""

    def probe(self, answer, *words, qemu="/usr/bin/qemu-system-x86_64"):
        out = io.StringIO()
        with mock.patch.object(beds.kvm, "ask", return_value=answer), mock.patch.object(beds.shutil, "which", return_value=qemu), \
                contextlib.redirect_stdout(out):
            status = cli.main(["--probe", *words])
        self.assertEqual(out.getvalue().count("\n"), 1)
        return int(status), out.getvalue().strip()

    def test_usable_is_0(self):
        answer = kvm.Answer(kvm.FEATURES[0], "it offers SVM")
        self.assertEqual(self.probe(answer), (0, "kvm: usable: it offers SVM"))
        self.assertEqual(self.probe(answer, "--bed", "kvm"), (0, "kvm: usable: it offers SVM"))

    def test_not_usable_is_3(self):
        self.assertEqual(self.probe(kvm.Answer(None, "no SVM there")), (3, "kvm: not usable here: no SVM there"))

    def test_no_qemu_is_3(self):
        status, line = self.probe(kvm.Answer(kvm.FEATURES[0], "it offers SVM"), qemu=None)
        self.assertEqual(status, 3)
        self.assertIn("is not installed", line)

    def test_other_beds(self):
        self.assertEqual(self.probe(kvm.Answer(None, "no SVM there"), "--bed", "qemu"), (0, "qemu: usable: QEMU, emulated (TCG)"))

    def test_processor_by_name(self):
        options = cli.parse(["--bed", "kvm", common.GUEST])
        for feature, cpu in ((kvm.FEATURES[0], "host,+svm"), (kvm.FEATURES[1], "host,+vmx")):
            with mock.patch.object(beds.kvm, "ask", return_value=kvm.Answer(feature, "")):
                words = beds.BEDS["kvm"].command(options, [], types.SimpleNamespace(control_fd=None, qmp_fd=None))
            self.assertEqual((words[words.index("-accel") + 1], words[words.index("-cpu") + 1]), ("kvm", cpu))


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

    def test_the_log_names_the_fall_back(self):
        said = []
        with mock.patch.object(beds.kvm, "why_not", return_value="no SVM there"), mock.patch.object(cli, "say", said.append), \
                mock.patch.object(beds.shutil, "which", return_value="/usr/bin/qemu"), mock.patch.object(cli, "run_in", return_value=0):
            cli.run(cli.parse([common.GUEST]))
        self.assertEqual(said, ["not QEMU with KVM: no SVM there", "bed: QEMU, emulated (TCG)"])

    def test_repeatable_is_never_kvm(self):
        self.assertEqual(self.choose("--repeatable")[0].name, "qemu")
        with self.assertRaises(beds.BedRefusal) as caught:
            self.choose("--repeatable", "--bed", "kvm")
        self.assertEqual(caught.exception.status, Status.USAGE)

    def test_asked_for_but_not_there(self):
        with self.assertRaises(beds.BedRefusal) as caught:
            self.choose("--bed", "kvm", nested="no SVM there")
        self.assertEqual(caught.exception.status, Status.FEATURE_MISSING)

    def test_bochs_is_never_chosen_for_the_user(self):
        self.assertNotIn("bochs", beds.AUTO)
        self.assertEqual(self.choose("--bed", "bochs")[0].name, "bochs")

    def test_the_bed_is_not_installed(self):
        for bed in ("auto", "qemu", "bochs"):
            with self.assertRaises(beds.BedRefusal) as caught:
                self.choose("--bed", bed, qemu=None)
            self.assertEqual(caught.exception.status, Status.BED_FAILED)
            self.assertIn("tools/setup", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
