# SPDX-License-Identifier: BSD-2-Clause
"""The rate changes while Linux works: it goes on, its clocks agree with each other and with Foliot's, and it complains of nothing."""

import select

import boot
import guest as linux
from foliotlib.client import ControlError
from foliotlib.session import PROMPT

# (rate, host seconds for which it is kept). Of the steep ones an emulated bed attains none: a guest with all of its time in
# the timer's interrupt says so, and rightly, so its log is judged before them, its clocks after them.
SCHEDULE = (("10", 1.5), ("1/4", 1.5), ("1", 1.0), ("1/1000", 0.5), ("5/2", 1.0), ("1", 0.5))
STEEP = (("100", 1.0), ("1", 0.5), ("1000", 0.5), ("1", 0.5), ("1d/1m", 0.5), ("1", 0.5))
LOAD = "while :; do date +%s; cat /proc/uptime; done >/tmp/load & while sleep 0.01; do hwclock; done >/tmp/ticks &"
BAD_RATES = ("0/0", "1e99", "-1", "ten", "")


def keep(seconds):
    """Lets the guest run on its own for so long; the span is the schedule's, not a wait for something."""
    select.select([], [], [], seconds)


def follow(client, schedule):
    """Sets one rate after the other."""
    for rate, seconds in schedule:
        client.ask("rate", rate=rate)
        keep(seconds)


def before_and_after(client, guest):
    """Foliot's guest time in s around a mark of the guest's clocks."""
    before = client.ask("time")["guest_ns"] / 1e9
    seen = linux.mark(guest)
    return before, seen, client.ask("time")["guest_ns"] / 1e9


def judge_clocks(report, first, last):
    """The guest's clocks passed as much time as Foliot's line, within what lies between the replies."""
    least, most = last[0] - first[2], last[2] - first[0]
    for name in ("clock", "uptime", "rtc"):
        passed = getattr(last[1], name) - getattr(first[1], name)
        report.claim(least - 1 <= passed <= most + 1, f"the guest's {name} went with Foliot's line through every change",
                     f"{passed:.2f} s, not within {least:.2f} to {most:.2f}")
    together = abs((last[1].clock - first[1].clock) - (last[1].rtc - first[1].rtc))
    report.claim(together <= 1, "date and hwclock passed the same time through every change", f"{together:.2f} s apart")


def judge_pause(report, client):
    """A paused guest's time stands still."""
    client.ask("pause")
    before = client.ask("time")
    keep(0.3)
    after = client.ask("time")
    report.claim(before["guest_ns"] == after["guest_ns"] and after["paused"], "a paused guest's time stands still",
                 f"{before['guest_ns']} and {after['guest_ns']}")
    client.ask("resume")


def judge_bad_rates(report, client):
    """What is no rate changes nothing."""
    for text in BAD_RATES:
        asked = client.ask("rate")["asked"]
        try:
            client.ask("rate", rate=text)
            report.claim(False, f"the rate {text!r} is refused")
        except ControlError as error:
            same = client.ask("rate")["asked"] == asked
            report.claim(same and "bad-argument" in str(error), f"the rate {text!r} is refused and changes nothing", str(error))


def run(report):
    """The scenario."""
    with linux.session(report, append="loglevel=4") as guest:
        client = guest.control()
        linux.boot(guest)
        guest.send(LOAD + "\n")
        guest.expect(PROMPT)
        first = before_and_after(client, guest)
        follow(client, SCHEDULE)
        boot.judge_kernel_log(report, linux.ask(guest, "dmesg -r", 120), "after changes of rate", boot.SLOW_BED)
        follow(client, STEEP)
        judge_pause(report, client)
        judge_bad_rates(report, client)
        judge_clocks(report, first, before_and_after(client, guest))
        guest.send("kill %1 %2\n")
        guest.expect(PROMPT)
        back = linux.ask(guest, "grep -v '[.]' /tmp/load | sort -n -c && echo onward")
        report.claim(back[-1:] == ["onward"], "`date` never went backward under any of the rates", str(back))
        guest.send("poweroff\n")
        report.claim(guest.wait() == 0, "`poweroff` ends the run after changes of rate", guest.said())
