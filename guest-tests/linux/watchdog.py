# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own clock source watchdog has nothing to say in an hour of the guest's time at rates 1 and 50, while it compares the TSC with
the HPET, or where there is none with the PM timer, twice a second. It does so where CPUID does not tell that the TSC is to be
trusted. Controls, with Foliot's test build: the one or the other is made 1000 ppm wrong when Linux is up, and is found out."""

import os
import re
import subprocess

import boot
import guest as linux
from foliotlib.image import ROOT

LIMIT_S = 2400
SPAN_S, CONTROL_SPAN_S = 3600, 20
HIDE = "hv=none tsc-invariant=hide tsc-constant=hide tsc-adjust=hide"
NO_HPET = "clocks=pit,rtc,pmtimer,tsc,lapic,tsc-deadline"
RATE_FROM_S = 8  # the kernel is up; it measures the TSC by chips before
TEST_IMAGE = os.path.join(ROOT, "build", "foliot-test.elf")
# Who watches: what Foliot's command line has for it, and its number among the test build's clocks.
WATCHERS = {"hpet": ("", 7), "acpi_pm": (NO_HPET, 6)}
TRUSTED = ("constant_tsc", "nonstop_tsc", "tsc_known_freq", "tsc_adjust")
# A turn that the watchdog leaves out: an emulated processor that takes a microsecond for three exits has taken 50 us of a fast guest's time.
LEFT_OUT = re.compile(r"clocksource: (timekeeping watchdog on CPU0: )?\S+ wd-wd read-back delay of \d+ns(, clock-skew test skipped!)?$")
TURNS_A_SECOND = 2
LEFT_OUT_SHARE = 0.01
FOUND = re.compile(r"clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is too large")


def run_hour(report, watcher, rate, append, words=()):
    """A run of /tests/watchdog.sh: its status, foliot-run's words, the console's log."""
    foliot = f'{HIDE} {WATCHERS[watcher][0]} "do={RATE_FROM_S}s:rate {rate}"'
    status, said, log = linux.repeatable_run(report, foliot, f"clocksource= foliot.test=watchdog {append}", LIMIT_S, words)
    return status, said, log.replace("\r", "")


def word(log, name):
    """What stands behind a name at the beginning of a line."""
    found = re.search(rf"^{name} (.*)$", log, re.MULTILINE)
    return found[1].strip() if found else ""


def judge_hour(report, watcher, rate):
    """Nothing is found."""
    words = f"with {watcher} as the watchdog, for a guest hour at rate {rate}"
    status, said, log = run_hour(report, watcher, rate, f"foliot.span={SPAN_S}")
    if not report.claim(status == 0, f"Linux runs {words}", f"status {status}: {said} {log[-300:]}"):
        return
    flags = re.search(r"^flags.*:(.*)$", log, re.MULTILINE)
    trusted = [flag for flag in TRUSTED if flags and flag in flags[1].split()]
    report.claim(bool(flags) and not trusted, f"Linux knows nothing for which it would trust the TSC {words}", str(trusted))
    available = word(log, "available").split()
    sources = [source for source in WATCHERS if source in available]
    report.claim(sources[:1] == [watcher], f"the best clock source to watch the TSC by is {watcher} {words}", str(available))
    report.claim(word(log, "before") == word(log, "after") == "tsc", f"the TSC is and remains the clock source {words}",
                 f"{word(log, 'before')}, {word(log, 'after')}")
    report.claim(float(word(log, "uptime") or 0) >= SPAN_S, f"an hour has passed {words}", word(log, "uptime"))
    lines = log[log.find("\nend\n"):].splitlines()
    rest = [line for line in lines if not LEFT_OUT.search(line)]
    boot.judge_kernel_log(report, rest, words)
    turns = SPAN_S * TURNS_A_SECOND
    report.claim(len(lines) - len(rest) <= turns * LEFT_OUT_SHARE, f"the watchdog judges in at least 99 % of its {turns} turns {words}",
                 f"{len(lines) - len(rest)} left out")


def judge_control(report, watcher):
    """A clock that is 1000 ppm wrong is found."""
    append = f"foliot.span={CONTROL_SPAN_S} foliot.spoil={WATCHERS[watcher][1]},1000"
    status, said, log = run_hour(report, watcher, 1, append, ["--image", TEST_IMAGE])
    report.claim(status == 0 and bool(FOUND.search(log)) and word(log, "before") == "tsc" != word(log, "after"),
                 f"with {watcher} 1000 ppm wrong the watchdog throws the TSC out (control)", f"status {status}: {said} {word(log, 'after')}")


def run(report):
    """The scenario."""
    subprocess.run(["make", "--no-print-directory", "-s", "build/foliot-test.elf"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for watcher in WATCHERS:
        for rate in (1, 50):
            judge_hour(report, watcher, rate)
        judge_control(report, watcher)
