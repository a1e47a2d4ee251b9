# SPDX-License-Identifier: BSD-2-Clause
"""Linux boots to its shell at rates 1, 10 and 1/4, its clock source is kvm-clock, and its kernel complains of nothing that
dmesg-allow.txt does not explain."""

import os
import re
import time

import guest as linux

ALLOW_LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dmesg-allow.txt")
# Never allowed, whatever the list or the line's level says.
NEVER = re.compile(r"unchecked MSR access|Firmware Bug|clocksource: .*(unstable|watchdog|wrong)|lockup|hung task|rcu.*stall|"
                   r"lost (interrupt|tick)|nobody cared|TSC.*unstable|BUG:|WARNING:|Oops|Call Trace",
                   re.IGNORECASE)
# A free-running bed that is shared with others may really have kept a handler for so long.
SLOW_BED = (r"hrtimer: interrupt took \d+ ns",)
REPORT_LIMIT_S = 300
SOURCE = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"


def allowed_lines():
    """The expressions of the allow-list: lines "expression  # reason", the reason required."""
    with open(ALLOW_LIST, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    pairs = [line.split("  # ", 1) for line in lines if line.strip() and not line.startswith("#")]
    return [re.compile(pair[0]) for pair in pairs if pair[1].strip()]


def complaints(lines, also=()):
    """Of dmesg -r's lines: those of level warning or worse that nothing explains (also: further expressions), and those that
    are never allowed."""
    allowed = allowed_lines() + [re.compile(text) for text in also]
    bad = []
    for line in lines:
        match = re.match(r"<(\d+)>(?:\[ *[\d.]+\] )?(.*)", line)
        if not match:
            continue
        grave = int(match[1]) & 7 <= 4
        if NEVER.search(match[2]) or (grave and not any(p.fullmatch(match[2]) for p in allowed)):
            bad.append(match[2])
    return bad


# Bochs' skylake_x tells the standard size for the compacted one (CPUID 0Dh.1 EBX); natively the kernel warns as well.
BED_WARNING = "XSAVE consistency problem: size 2432 != kernel_size 2688"


def without_bed_warning(lines):
    """The log less the one warning block that is the bed's processor's, from its cut to its end."""
    texts = [re.sub(r"^<\d+>(?:\[ *[\d.]+\] )?", "", line) for line in lines]
    if BED_WARNING not in texts:
        return lines
    at = texts.index(BED_WARNING)
    first = max(number for number in range(at) if "[ cut here ]" in texts[number])
    last = next((number for number in range(at, len(texts)) if texts[number].startswith("---[ end trace")), at)
    while texts[last + 1:] and texts[last + 1].startswith("CPUID[0d, "):  # the sub-leaves that it was about
        last += 1
    return lines[:first] + lines[last + 1:]


def judge_kernel_log(report, lines, words, also=()):
    """The claim about dmesg -r's lines; words: where in the claim's text; also: what else is explained."""
    bad = complaints(without_bed_warning(lines) if report.bed == "bochs" else lines, also)
    seen = any("Linux version" in line for line in lines)
    report.claim(seen and not bad, f"the kernel has nothing to complain of {words}", " | ".join(bad[:8]) or "no kernel log")


def judge_clock_source(report, source, words):
    """The claim about the clock source in use."""
    wanted = "tsc" if report.native else "kvm-clock"
    report.claim(source == wanted, f"the clock source is {wanted} {words}", source)


def free_running(report):
    """The shell on the free-running bed, as a user sees it."""
    began = time.monotonic()
    with linux.session(report, append="loglevel=4") as guest:
        linux.boot(guest)
        report.claim(True, "the shell is there on the free-running bed")
        report.note(f"to the shell in {time.monotonic() - began:.1f} s")
        judge_clock_source(report, linux.ask(guest, SOURCE)[0], "on the free-running bed")
        if not report.native:
            linux.ask(guest, "for i in 1 2 3 4 5 6 7 8; do hwclock >/dev/null; date >/dev/null; done", 120)
            judge_kernel_log(report, linux.ask(guest, "dmesg -r"), "on the free-running bed")


def repeatable(report, rate):
    """A boot and a minute of the guest's time on the repeatable bed, where the bed's speed does not matter."""
    words = f"at rate {linux.show(rate)}, repeatable"
    status, said, log = linux.repeatable_run(report, f"rate={linux.show(rate)}", "foliot.test=report", REPORT_LIMIT_S)
    lines = log.replace("\r", "").splitlines()
    source = [line.split()[1] for line in lines if line.startswith("clocksource ")]
    report.claim(status == 0 and bool(source), f"Linux boots {words}", f"status {status}: {said}")
    judge_clock_source(report, "".join(source), words)
    judge_kernel_log(report, lines, words)


def run(report):
    """The scenario."""
    free_running(report)
    for rate in () if report.native else linux.RATES:
        repeatable(report, rate)
