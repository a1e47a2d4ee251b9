# SPDX-License-Identifier: BSD-2-Clause
"""Claim: the CI examples in docs/examples are YAML and TOML of the shape that the services take, call foliot-run and make with
words that these take, and docs/ci.md names each of them."""

import os
import re
import shlex
import subprocess
import tomllib
import unittest

import yaml

import common
from foliotlib import cli

DOCS = os.path.join(common.ROOT, "docs")


def text_of(*path):
    with open(os.path.join(DOCS, *path), encoding="utf-8") as file:
        return file.read()


class NoDuplicates(yaml.SafeLoader):
    """A loader that refuses a key that is there twice, where the last would win silently."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.YAMLError(f"a key twice among {keys}")
        return super().construct_mapping(node, deep)


def load(name):
    return yaml.load(text_of("examples", name), Loader=NoDuplicates)


def github_scripts():
    return [step["run"] for job in load("github-actions.yml")["jobs"].values() for step in job["steps"] if "run" in step]


def gitlab_jobs():
    special = ("stages", "variables")
    return {name: job for name, job in load("gitlab-ci.yml").items() if name not in special}


def gitlab_scripts():
    return [line for job in gitlab_jobs().values() for line in job.get("before_script", []) + job.get("script", [])]


def commands():
    """Each simple command of all the scripts, as words; a ">-" line is one command."""
    for script in github_scripts() + gitlab_scripts():
        for line in script.splitlines():
            for command in re.split(r"\|\||&&", line):
                yield shlex.split(command)


class Examples(unittest.TestCase):
    """The files."""

    def test_github_has_the_shape_of_a_workflow(self):
        workflow = load("github-actions.yml")
        self.assertEqual(workflow[True], ["push", "pull_request"])  # YAML 1.1 reads the key "on" as true; GitHub does not mind
        for job in workflow["jobs"].values():
            self.assertIn("ubuntu", job["runs-on"])
            self.assertTrue(all(("run" in step) != ("uses" in step) for step in job["steps"]))

    def test_gitlab_has_the_shape_of_a_pipeline(self):
        stages = load("gitlab-ci.yml")["stages"]
        for name, job in gitlab_jobs().items():
            if name.startswith("."):
                continue
            self.assertIn(job["extends"], gitlab_jobs())
            self.assertIn(job["stage"], stages)
            self.assertTrue(all(isinstance(line, str) for line in job["script"]))

    def test_runner_passes_kvm_on(self):
        runner, = tomllib.loads(text_of("examples", "gitlab-runner.toml"))["runners"]
        self.assertEqual((runner["executor"], runner["docker"]["devices"]), ("docker", ["/dev/kvm"]))

    def test_foliot_run_takes_the_words(self):
        runs = [words[1:] for words in commands() if words and words[0] == "foliot/tools/foliot-run"]
        self.assertGreaterEqual(len([words for words in runs if "--probe" not in words]), 3)
        for words in runs:
            cli.parse(words)

    def test_make_and_setup_have_the_targets(self):
        called = {tuple(words) for words in commands() if words and words[0] in ("make", "foliot/tools/setup")}
        self.assertLessEqual(called, {("foliot/tools/setup", "run"), ("make", "-C", "foliot"), ("make", "-C", "foliot", "test")})

    def test_scripts_are_shell(self):
        for script in github_scripts() + gitlab_scripts():
            done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)

    def test_the_page_names_each_example(self):
        page = text_of("ci.md")
        for name in os.listdir(os.path.join(DOCS, "examples")):
            self.assertIn(f"(examples/{name})", page)

    def test_the_page_has_the_words_that_probe_prints(self):
        page = text_of("ci.md")
        for words in ("neither SVM nor VMX", "nested virtualisation is off", "nested paging is off", "no permission for /dev/kvm",
                      "offers its guests", "host,+svm", "host,+vmx", "not QEMU with KVM", "QEMU, emulated (TCG)"):
            self.assertIn(words, page)


if __name__ == "__main__":
    unittest.main()
