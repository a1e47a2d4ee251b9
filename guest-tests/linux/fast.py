# SPDX-License-Identifier: BSD-2-Clause
"""Linux, booted at rate 1 and raised to rate 1000 by do= afterwards: its clocks stay in step and never go back, through the
change up, at the rate, and after the change down, and the guest works on. Repeatable, 10^9 instructions a second: there a guest
second at rate 1000 is a million instructions."""

import re

import boot
import guest as linux

LIMIT_S = 900
FROM_S, UNTIL_S = 10, 503
SCRIPT = ("do=10200ms:rate 1000", "do=300s:rate 100", "do=310s:rate 1000", "do=500s:rate 10", "do=501s:rate")
LEAST_READINGS = 200  # of about ten million instructions each
UPTIME_RESOLUTION_S = 0.01
RTC_RESOLUTION_S = 1.0
# Whole ones: a do= line may break one in two.
READING = re.compile(r"^f (\d{10}\.\d{6}) (\d+\.\d\d) (\d{10}) (\d{10}\.\d{6})$", re.MULTILINE)
# 21 s without the grace-period thread are then 21 million instructions: the kernel is told to wait for longer.
PATIENT = "rcupdate.rcu_cpu_stall_timeout=300"
ITS_ECHO = re.compile(r" rcupdate\.rcu_cpu_stall_timeout=300|RCU CPU stall warnings timeout set to 300 \(rcu_cpu_stall_timeout\)\.")
# Each of these is true: at rate 1000 a handler of 10000 instructions lasts 10 ms of the guest's time.
FAST_GUEST = (r"hrtimer: interrupt took \d+ ns", r"perf: interrupt took too long .*")
REPLY = re.compile(r"foliot: do [^:]+: rate -> (.*)")


def readings_of(log):
    """Each reading as (date before, uptime, rtc, date after), in s."""
    return [tuple(float(text) for text in match.groups()) for match in READING.finditer(log)]


def judge_forward(report, readings):
    """No clock goes back from one reading to the next."""
    back = [(one, two) for one, two in zip(readings, readings[1:])
            if two[0] < one[3] or any(two[n] < one[n] for n in (1, 2)) or two[3] < two[0]]
    report.claim(not back, f"no clock goes back in {len(readings)} readings at rates 1, 1000, 100, 1000, 10", str(back[:2]))


def judge_step(report, readings, number, called, resolution_s):
    """A clock against the system clock: the offsets that the readings allow have one in common."""
    least = max(before - reading - resolution_s for before, reading in ((r[0], r[number]) for r in readings))
    most = min(after - reading for after, reading in ((r[3], r[number]) for r in readings))
    report.claim(least <= most, f"{called} keeps step with `date` over {readings[-1][3] - readings[0][0]:.0f} guest seconds, to its resolution",
                 f"offsets from {least:.3f} to {most:.3f} s")


def run(report):
    """The scenario."""
    script = " ".join(f'"{words}"' for words in SCRIPT)
    status, said, log = linux.repeatable_run(report, f"rate=1 {script}", f"{PATIENT} foliot.test=fast foliot.span={FROM_S},{UNTIL_S}", LIMIT_S)
    log = log.replace("\r", "")
    report.claim(status == 0, "a Linux that is raised to rate 1000 after its boot passes", f"status {status}: {said}")
    reply = REPLY.search(log)
    report.claim(bool(reply), "do= carries out every change", log[-300:])
    readings = readings_of(log)
    if not report.claim(len(readings) >= LEAST_READINGS, f"the guest gets its work done: {len(readings)} readings of all clocks", log[-300:]):
        return
    judge_forward(report, readings)
    judge_step(report, readings, 1, "/proc/uptime", UPTIME_RESOLUTION_S)
    judge_step(report, readings, 2, "the real-time clock", RTC_RESOLUTION_S)
    boot.judge_kernel_log(report, ITS_ECHO.sub("", log).splitlines(), "at rate 1000", FAST_GUEST)
