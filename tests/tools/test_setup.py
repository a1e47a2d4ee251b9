# SPDX-License-Identifier: BSD-2-Clause
"""Claim: tools/setup prints the one apt line that is needed, asks once on a terminal and nowhere else, and elsewhere lists
what is missing. dpkg-query, apt-get, sudo and id are faked; nothing is installed."""

import os
import pty
import subprocess
import tempfile
import unittest

import common

SETUP = os.path.join(common.TOOLS, "setup")
DPKG_QUERY = """#!/bin/sh
for last; do case "$last" in [a-z]*) [ "$last" = "$MISSING" ] || echo "$last installed" ;; esac; done
"""
APT_GET = '#!/bin/sh\necho "$@" >>"$LOG"\n'
ID = '#!/bin/sh\necho "$FAKE_ID"\n'
SUDO = '#!/bin/sh\necho sudo >>"$LOG"\n"$@"\n'
USUAL = ("bash", "awk", "cat", "env", "sh", "printf")


class Setup(unittest.TestCase):
    """The script with a PATH of fakes."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.log = os.path.join(self.directory.name, "log")
        for name in USUAL:
            path = next(p for p in (f"/usr/bin/{name}", f"/bin/{name}") if os.path.exists(p))
            os.symlink(path, self.path(name))

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def fake(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), 0o755)

    def debian(self, sudo=True):
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("id", ID), *((("sudo", SUDO),) if sudo else ())):
            self.fake(name, text)

    def environment(self, missing="", user="0", **more):
        return {"PATH": self.directory.name, "LOG": self.log, "MISSING": missing, "FAKE_ID": user, **more}

    def run_it(self, *words, **settings):
        return subprocess.run(["/bin/bash", SETUP, *words], env=self.environment(**settings), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=30)

    def logged(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="ascii") as file:
            return file.read()

    def test_nothing_missing_is_silent(self):
        self.debian()
        for which in ("run", "bochs", "test"):
            done = self.run_it(which)
            self.assertEqual((done.returncode, done.stdout + done.stderr, self.logged()), (0, "", ""))

    def test_missing_is_installed_without_a_terminal(self):
        self.debian()
        done = self.run_it("run", missing="nasm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("apt-get update && apt-get install -y --no-install-recommends nasm\n", done.stderr)
        self.assertRegex(self.logged(), r"update\n.*install -y --no-install-recommends nasm\n")
        self.assertNotIn("sudo", self.logged())

    def test_what_only_tests_need_is_not_asked_for_by_run(self):
        self.debian()
        self.assertEqual(self.run_it("run", missing="libcmocka-dev").stderr, "")
        self.assertIn("libcmocka-dev", self.run_it("test", missing="libcmocka-dev").stderr)

    def test_bochs_is_for_those_who_name_it_and_for_tests(self):
        self.debian()
        self.assertEqual(self.run_it("run", missing="bochsbios").stderr, "")
        for which in ("bochs", "test"):
            self.assertIn("bochsbios", self.run_it(which, missing="bochsbios").stderr)

    def test_user_takes_sudo(self):
        self.debian()
        done = self.run_it("run", missing="nasm", user="1000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("sudo apt-get install", done.stderr)
        self.assertIn("sudo\n", self.logged())

    def test_user_without_sudo_gets_the_line(self):
        self.debian(sudo=False)
        done = self.run_it("run", missing="nasm", user="1000")
        self.assertEqual((done.returncode, self.logged()), (3, ""))
        self.assertIn("apt-get install nasm", done.stderr)

    def test_apt_that_fails_is_told(self):
        self.debian()
        self.fake("apt-get", "#!/bin/sh\nexit 1\n")
        done = self.run_it("run", missing="nasm")
        self.assertEqual(done.returncode, 3)
        self.assertIn("could not install: nasm", done.stderr)

    def on_a_terminal(self, answer, **more):
        master, slave = pty.openpty()
        with subprocess.Popen(["/bin/bash", SETUP, "run"], env=self.environment(missing="nasm", **more), stdin=slave, stdout=slave,
                              stderr=slave, start_new_session=True) as process:
            os.close(slave)
            os.write(master, answer)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()  # it waits for an answer: its status says so
            shown = b""
            try:
                while piece := os.read(master, 4096):
                    shown += piece
            except OSError:
                pass
            os.close(master)
        return process.returncode, shown.decode()

    def test_terminal_is_asked_once(self):
        self.debian()
        status, shown = self.on_a_terminal(b"y\n")
        self.assertEqual((status, shown.count("[Y/n]")), (0, 1))
        self.assertIn("install", self.logged())

    def test_no_is_no(self):
        self.debian()
        status, _ = self.on_a_terminal(b"n\n")
        self.assertEqual((status, self.logged()), (3, ""))

    def test_yes_1_is_not_asked(self):
        self.debian()
        status, shown = self.on_a_terminal(b"", YES="1")
        self.assertEqual((status, shown.count("[Y/n]")), (0, 0))

    def test_other_distribution_lists_what_is_missing(self):
        done = self.run_it("run")
        self.assertEqual(done.returncode, 3)
        self.assertIn("qemu-system-x86_64", done.stderr)

    def test_other_distribution_goes_on_with_everything_there(self):
        for name in ("cpio", "gcc", "grub-mkimage", "ld", "mformat", "nasm", "python3", "qemu-system-x86_64", "readelf", "xorriso"):
            self.fake(name, "#!/bin/sh\n")
        done = self.run_it("run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_usage(self):
        self.assertEqual(self.run_it().returncode, 2)
        self.assertEqual(self.run_it("everything").returncode, 2)


if __name__ == "__main__":
    unittest.main()
