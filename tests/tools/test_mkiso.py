# SPDX-License-Identifier: BSD-2-Clause
"""Claim: one image boots by BIOS and by UEFI, from a CD and from a disk; the same input gives the same bytes; what is missing is
named. That it does boot is what guest-tests/linux shows."""

import os
import re
import subprocess
import tempfile
import time
import unittest

import common

MKISO = os.path.join(common.TOOLS, "mkiso")
PE_X86_64 = 0x8664


def run(*words, **more):
    """The finished command."""
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=60, **more)


class Image(unittest.TestCase):
    """An image of a program that nothing ever looks into."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.guest = self.path("guest")
        with open(self.guest, "wb") as file:
            file.write(bytes(range(256)) * 64)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def make(self, name, *words, **more):
        done = run(MKISO, self.path(name), common.GUEST, self.guest, *words, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.path(name)

    def report(self, iso, what):
        return run("xorriso", "-indev", iso, f"-report_{what}", "plain").stdout

    def content(self, iso, path):
        out = self.path("content")
        done = run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", path, out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out

    def test_a_cd_has_an_image_for_each_firmware(self):
        report = self.report(self.make("a.iso"), "el_torito")
        self.assertEqual(re.findall(r"^El Torito boot img : +\d+ +(\S+) +y +none", report, re.MULTILINE), ["BIOS", "UEFI"])

    def test_a_disk_has_code_for_bios_and_a_partition_for_uefi(self):
        report = self.report(self.make("a.iso"), "system_area")
        self.assertIn("grub2-mbr", report)
        self.assertIn("GPT partition path :   2  /boot/grub/efi.img", report)
        self.assertRegex(report, r"GPT type GUID +: +2 +28732ac11ff8d211ba4b00a0c93ec93b")  # an EFI system partition's

    def test_uefi_finds_a_program_of_its_processor(self):
        fat = self.content(self.make("a.iso"), "/boot/grub/efi.img")
        program = self.path("boot.efi")
        done = run("mcopy", "-i", fat, "::/EFI/BOOT/BOOTX64.EFI", program)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(program, "rb") as file:
            data = file.read()
        header = int.from_bytes(data[0x3C:0x40], "little")
        self.assertEqual((data[:2], data[header:header + 4]), (b"MZ", b"PE\0\0"))
        self.assertEqual(int.from_bytes(data[header + 4:header + 6], "little"), PE_X86_64)

    def test_the_same_input_gives_the_same_bytes(self):
        isos = []
        for name in ("a.iso", "b.iso"):
            isos.append(self.make(name, "x=1 'y z'", "--foliot", "rate=10"))
            now = time.time()
            while int(time.time()) < int(now) + 3:  # FAT counts in two seconds
                time.sleep(0.2)
            os.utime(self.guest)
        with open(isos[0], "rb") as one, open(isos[1], "rb") as two:
            self.assertEqual(one.read(), two.read())

    def test_another_date_gives_other_bytes(self):
        one, two = (self.make(name, env=dict(os.environ, SOURCE_DATE_EPOCH=date)) for name, date in (("a", "1735689600"), ("b", "1735776000")))
        with open(one, "rb") as first, open(two, "rb") as second:
            self.assertNotEqual(first.read(), second.read())

    def test_uefi_looks_for_the_file_system_that_the_image_has(self):
        iso = self.make("a.iso", env=dict(os.environ, SOURCE_DATE_EPOCH="1735689600"))
        with open(iso, "rb") as file:
            file.seek(16 * 2048 + 830)  # the volume's time of change, ECMA-119 8.4.27
            self.assertEqual(file.read(16), b"2025010100000000")
        with open(self.content(iso, "/boot/grub/efi.img"), "rb") as file:
            self.assertIn(b"--fs-uuid --set=root 2025-01-01-00-00-00-00\n", file.read())

    def test_a_missing_grub_is_named(self):
        for have, package in (((), "grub-pc-bin"), (("i386-pc",), "grub-efi-amd64-bin")):
            grub = tempfile.mkdtemp(dir=self.directory.name)
            for platform in have:
                os.symlink(f"/usr/lib/grub/{platform}", os.path.join(grub, platform))
            done = run(MKISO, self.path("a.iso"), common.GUEST, env=dict(os.environ, GRUB_DIR=grub))
            self.assertEqual(done.returncode, 1)
            self.assertIn(package, done.stderr)


if __name__ == "__main__":
    unittest.main()
