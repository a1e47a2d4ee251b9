# SPDX-License-Identifier: BSD-2-Clause
"""The calendar jumps while Linux runs: hwclock shows it at once, uptime and `date` do not move, `hwclock -s` takes it over; over
the end of 32-bit time and a leap day. A jump before the boot is the date that Linux starts with, by kvm-clock and by the RTC."""

import boot
import guest as linux
from foliotlib.client import ControlError
from foliotlib.session import PROMPT

AT_BOOT, AT_BOOT_TEXT = 1900000000, "2030-03-17T17:46:40Z"
YEAR_S = 365 * 86400
END_OF_32_BITS = 2**31 - 1
LEAP_DAY = 1709164800     # 2024-02-29
CORNER_LIMIT_S = 60       # of waiting for a second or two of the guest's
BAD_DATES = ("2025-02-31", "2025-13-01", "1969-12-31", "+99999999999999999999y", "tomorrow", "")


def around(client, guest):
    """Guest time in s before and after a mark of the guest's clocks."""
    before = client.ask("time")["guest_ns"] / 1e9
    seen = linux.mark(guest)
    return before, seen, client.ask("time")["guest_ns"] / 1e9


def judge_jump(report, client, guest):
    """A year further: only the RTC moves."""
    first = around(client, guest)
    answer = client.ask("date", date="+1y")
    report.claim(answer["calendar_unix"] == answer["wall_unix"], "RTC and kvm-clock's wall clock agree after a jump", str(answer))
    last = around(client, guest)
    least, most = last[0] - first[2], last[2] - first[0]
    report.claim(least - 1 <= last[1].rtc - first[1].rtc - YEAR_S <= most + 1, "after `date +1y` hwclock shows it",
                 f"{last[1].rtc - first[1].rtc} s, not a year and {least:.2f} to {most:.2f} s")
    for name in ("uptime", "clock"):
        passed = getattr(last[1], name) - getattr(first[1], name)
        report.claim(least - 1 <= passed <= most + 1, f"and its {name} does not move", f"{passed:.2f} s, not within {least:.2f} to {most:.2f}")


def show_day(guest):
    """What hwclock and the RTC's driver make of the registers."""
    return " ".join(linux.ask(guest, "hwclock -u; grep rtc_date /proc/driver/rtc"))


def judge_corner(report, client, guest, unix, wanted, words):
    """A jump to a second before a corner of the calendar: the RTC reaches it, and Linux reads it rightly and takes it over."""
    client.ask("date", unix=unix - 1)
    guest.send(f"while read -r now </sys/class/rtc/rtc0/since_epoch && [ $now -le {unix} ]; do :; done; echo beyond\n")
    guest.expect(r"^beyond\r", CORNER_LIMIT_S)
    guest.expect(PROMPT)
    shown = show_day(guest)
    report.claim(wanted in shown, f"hwclock goes on over {words}", shown)
    taken = linux.ask(guest, "hwclock -s -u; date -u +%s")
    now = client.ask("date")["calendar_unix"]
    report.claim(unix < int(taken[-1]) <= now + 1, f"`hwclock -s` takes it over, beyond {words}", f"{taken}, not up to {now}")


def judge_bad_dates(report, client):
    """What is no date changes nothing."""
    for text in BAD_DATES:
        before = client.ask("date")
        try:
            client.ask("date", date=text)
            report.claim(False, f"the date {text!r} is refused")
        except ControlError as error:
            after = client.ask("date")
            passed_s = (after["guest_ns"] - before["guest_ns"]) / 1e9
            moved = after["calendar_unix"] - before["calendar_unix"]
            report.claim("bad-argument" in str(error) and abs(moved - passed_s) <= 1, f"the date {text!r} is refused and changes nothing", str(error))


def run(report):
    """The scenario."""
    with linux.session(report, append="loglevel=4", words=["--foliot", f'on-death=leave rtc=2025-01-01 "do=1ns:date {AT_BOOT_TEXT}"']) as guest:
        linux.boot(guest)
        client = guest.control()
        seen, now = int(linux.ask(guest, "date -u +%s")[0]), client.ask("date")
        report.claim(AT_BOOT <= seen <= now["calendar_unix"] + 1 < AT_BOOT + 3600, "Linux starts with the date that was set before its boot",
                     f"{seen}, and the calendar shows {now}")
        ids = linux.ask(guest, "cat /sys/bus/acpi/devices/*/hid")
        wanted = ("PNP0000", "PNP0100", "PNP0B00", "PNP0103", "PNP0501")
        report.claim(all(name in ids for name in wanted), "Linux finds PIC, PIT, RTC, HPET and COM1 by ACPI", str(ids))
        judge_jump(report, client, guest)
        judge_corner(report, client, guest, END_OF_32_BITS, "2038", "2038-01-19T03:14:07Z")
        judge_corner(report, client, guest, LEAP_DAY, "2024-02-29", "the leap day's first second")
        judge_bad_dates(report, client)
        boot.judge_kernel_log(report, linux.ask(guest, "dmesg -r"), "after jumps of the calendar", boot.SLOW_BED)
        guest.send("poweroff\n")
        report.claim(guest.wait() == 0, "`poweroff` ends the run after jumps", guest.said())
