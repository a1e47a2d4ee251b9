# SPDX-License-Identifier: BSD-2-Clause
"""The guest's `date`, /proc/uptime and real-time clock run at the asked rate by the bed's own clock, and agree with each other.

Free-running: over a span of guest time, between two lines of /tests/mark.sh, by the harness's clock, which knows when a line
came to what a busy host allows; Foliot's guest time and the bed's own clock stand in one reply of the control port.
Repeatable: Foliot's do=<guest time>:time lines fall between two lines of /tests/clocks.sh on the console, so that the
guest's clocks are known there within one line's distance, whatever the harness does."""

import calendar
import os
import re
import time

import guest as linux
from foliotlib.session import PROMPT

BED_TOLERANCE = 0.001
HARNESS_TOLERANCE = 0.01
TOGETHER_S = 1.0
CLOCKS = (("clock", "date"), ("uptime", "/proc/uptime"), ("rtc", "hwclock"))

# Guest seconds: at least 60, and as long as a line's delay on a busy host is small beside 1 % of the span.
SPANS_S = {"1": 60, "10": 300, "1/4": 60}
LONG_FACTOR = 4
SHORT_FACTOR = 1 / 4  # on Bochs, where our clock does not judge

# Guest seconds since power-on of the two looks of a repeatable run: the first when the slowest boot is over.
LOOKS_S = {"1": (10, 130), "10": (80, 280), "1/4": (5, 65)}
REPEATABLE_LIMIT_S = 900


def off(measured, asked):
    """By how much a measured rate is off, relatively."""
    return abs(measured / float(asked) - 1)


def ppm(value):
    """For a message."""
    return f"{value * 1e6:.0f} ppm off"


class Look:
    """All clocks at about one moment: the guest's, the bed's and ours, in s; and those of Foliot's reply itself."""

    def __init__(self, guest, client):
        self.mark, self.reply = _look(guest, client)
        self.commands = linux.ask(guest, "date +%s; hwclock; date +%s")


def _look(guest, client):
    """A mark, and Foliot's reply to `time` after it."""
    seen = linux.mark(guest)
    return seen, client.ask("time") if client else None


def command_times(lines):
    """Seconds since 1970 that `date +%s`, `hwclock`, and `date +%s` again printed."""
    text = re.match(r"(\w+ \w+ +\d+ [\d:]+ \d+)", lines[1])[1]
    return int(lines[0]), calendar.timegm(time.strptime(" ".join(text.split()), "%a %b %d %H:%M:%S %Y")), int(lines[2])


def judge_span(report, rate, first, last):
    """The claims about two looks."""
    words = f"at rate {linux.show(rate)} over {last.mark.clock - first.mark.clock:.0f} guest seconds"
    if report.bed == "bochs":
        report.skip(f"Bochs' time is not the harness's: the guest's clocks by the bed's own are judged in clocks-repeatable {words}")
    else:
        judge_by_harness(report, rate, words, first, last)
    if not report.native:
        line = (last.reply["guest_ns"] - first.reply["guest_ns"]) / (last.reply["bed_ns"] - first.reply["bed_ns"])
        report.claim(off(line, rate) <= BED_TOLERANCE, f"Foliot's guest time keeps the rate by the bed's own clock {words}",
                     ppm(off(line, rate)))
    judge_together(report, words, first, last)


def judge_by_harness(report, rate, words, first, last):
    """The guest's clocks against ours."""
    here = last.mark.here - first.mark.here
    for name, called in CLOCKS:
        passed = getattr(last.mark, name) - getattr(first.mark, name)
        error = off(passed / here, rate)
        report.claim(error <= HARNESS_TOLERANCE, f"{called} keeps the rate within 1 % by the harness's clock {words}", ppm(error))


def judge_together(report, words, first, last):
    """The clocks against each other: the system clock was set from the real-time clock's whole seconds."""
    apart = [max(look.mark.begun - look.mark.rtc, look.mark.rtc - look.mark.clock, 0.0) for look in (first, last)]
    drift = abs((last.mark.clock - first.mark.clock) - (last.mark.uptime - first.mark.uptime))
    report.claim(max(apart) <= TOGETHER_S and drift <= TOGETHER_S, f"the clocks agree within one second's rounding {words}",
                 f"date and hwclock {max(apart):.3f} s apart, date and uptime drifted {drift:.3f} s")
    before, rtc, after = command_times(last.commands)
    report.claim(before - 1 <= rtc <= after + 1, f"`hwclock` prints a second between those of `date` before and after it {words}",
                 f"{before}, {rtc}, {after}")


def free_running(report, rate):
    """One rate on the free-running bed."""
    span = SPANS_S[linux.show(rate)] * (LONG_FACTOR if os.environ.get("FOLIOT_TIER") == "long" else 1)
    span = int(span * (SHORT_FACTOR if report.bed == "bochs" else 1))
    with linux.session(report) as guest:
        client = None if report.native else guest.control()
        linux.boot(guest)
        if client:
            client.ask("rate", rate=linux.show(rate))
        first = Look(guest, client)
        guest.send(f"sleep {span}\n")
        guest.expect(PROMPT, float(span / rate) * 1.5 + 30)
        judge_span(report, rate, first, Look(guest, client))


def run(report):
    """The scenario on the free-running bed."""
    for rate in linux.RATES[:1] if report.native else linux.RATES:
        free_running(report, rate)


UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def duration_s(text):
    """A duration as the monitor prints it ("1m 0.5s"), in s."""
    return sum(float(part[:-1]) * UNITS[part[-1]] for part in text.split())


class Bracket:
    """The marks around one do= line: the last before it, the first after it, and the window's marks."""

    def __init__(self, log, at):
        self.before = list(MARK.finditer(log, 0, at))
        self.after = list(MARK.finditer(log, at))
        found = self.before and self.after
        self.last = [float(text) for text in self.before[-1].groups()] if found else None
        self.next = [float(text) for text in self.after[0].groups()] if found else None

    def tick_offset(self):
        """The guest's clock less its real-time clock at the first start of a second near the line, in s."""
        marks = [[float(text) for text in m.groups()] for m in self.before[-4000:] + self.after[:4000]]
        for one, two in zip(marks, marks[1:]):
            if two[2] == one[2] + 1 and two[0] - one[0] < 0.1:
                return (one[0] + two[0]) / 2 - two[2]
        return None


MARK = re.compile(r"^m ([0-9.]+) ([0-9.]+) ([0-9]+)\r?$", re.MULTILINE)
DO_LINE = re.compile(r"^foliot: do [^:]+: time -> guest time +([^\r\n]*) since power-on\r?\n(?:foliot:.*\n)*?"
                     r"foliot: +bed clock +([^(\r\n]*) \(([\w-]+)\)", re.MULTILINE)


def script_line(rate, looks, script=()):
    """Foliot's command line for a run with `time` at the looks, and further do= commands."""
    commands = [*script, *(f"do={look}s:time" for look in looks)]
    return " ".join([f"rate={linux.show(rate)}"] + [f'"{command}"' for command in commands])


def repeatable_log(report, looks, foliot):
    """Runs /tests/clocks.sh on the repeatable bed, with Foliot's command line."""
    marks = ",".join(str(look) for look in looks)
    return linux.repeatable_run(report, foliot, f"foliot.test=clocks foliot.marks={marks}", REPEATABLE_LIMIT_S)


def judge_repeatable(report, rate, log):
    """The claims about one log of two looks."""
    lines = list(DO_LINE.finditer(log))
    brackets = [Bracket(log, line.start()) for line in lines]
    if not report.claim(len(lines) == 2 and all(b.last for b in brackets), f"two looks between marks at rate {linux.show(rate)}",
                        f"{len(lines)} do= lines in: {log[-300:]}"):
        return
    guest_s, bed_s = (duration_s(lines[1][n]) - duration_s(lines[0][n]) for n in (1, 2))
    words = f"at rate {linux.show(rate)} over {guest_s:.0f} guest seconds, repeatable"
    report.claim(off(guest_s / bed_s, rate) <= BED_TOLERANCE, f"Foliot's guest time keeps the rate by the bed's {lines[0][3]} {words}",
                 ppm(off(guest_s / bed_s, rate)))
    for number, called in ((0, "date"), (1, "/proc/uptime")):
        least = brackets[1].last[number] - brackets[0].next[number]
        most = brackets[1].next[number] - brackets[0].last[number]
        error = max(off(least / bed_s, rate), off(most / bed_s, rate))
        report.claim(error <= BED_TOLERANCE, f"{called} keeps the rate within 0.1 % by the bed's own clock {words}", f"up to {ppm(error)}")
    judge_ticks(report, words, guest_s, brackets)


def judge_ticks(report, words, guest_s, brackets):
    """The real-time clock against the system clock, at its ticks."""
    offsets = [bracket.tick_offset() for bracket in brackets]
    if None in offsets:
        report.claim(False, f"a second of the real-time clock begins in each window {words}")
        return
    error = abs(offsets[1] - offsets[0]) / guest_s
    report.claim(error <= BED_TOLERANCE, f"hwclock keeps step with date within 0.1 % {words}", ppm(error))
    report.claim(max(map(abs, offsets)) <= TOGETHER_S, f"date and hwclock agree within one second's rounding {words}", str(offsets))


def run_repeatable(report):
    """The scenario on the repeatable bed."""
    for rate in linux.RATES:
        looks = LOOKS_S[linux.show(rate)]
        status, said, log = repeatable_log(report, looks, script_line(rate, looks))
        if report.claim(status == 0, f"the repeatable run passes at rate {linux.show(rate)}", f"status {status}: {said}"):
            judge_repeatable(report, rate, log)
