# SPDX-License-Identifier: BSD-2-Clause
"""tsc=native: Linux takes kvm-clock by itself, its clock_gettime makes no exit at rate 100 and never goes back, also while the
rate changes. Repeatable: Foliot's do=<guest time>:exits lines fall into a span in which a program reads the clock and nothing
else runs but the kernel's tick. The control is tsc=trap, where each reading exits."""

import re

import guest as linux

LIMIT_S = 900
# tsc= -> seconds of CLOCK_MONOTONIC, which the kernel begins some seconds after Foliot its guest time; and of that.
SPANS_S = {"native": ((60, 240), (100, 230)), "trap": ((60, 70), (61, 69))}
CHANGES = ("do=8s:rate 100", "do=150s:rate 5", "do=151s:rate 70", "do=170s:rate 100/3", "do=180s:rate 100", "do=235s:rate 80")
WANTED_READS = 1000000
WRITES_A_TICK = 16    # with which Linux acknowledges an interrupt and programs the next: the APIC's MSRs, or the PIC's and the PIT's ports
EXITS = re.compile(r"foliot: (do [^>]*: exits ->| ) *([a-zA-Z-]+(?: \w+)*) +(\d+)$")
READS = re.compile(r"^reads (\d+) backward (\d+) by (\w+)$", re.MULTILINE)
OTHERS = ("cpuid", "rdmsr", "rdtsc", "rdtscp", "memory", "hypercall")


def counts_of(log):
    """Each do=TIME:exits answer as kind -> count."""
    counts = []
    for match in filter(None, map(EXITS.match, log.splitlines())):
        if match[1].startswith("do"):
            counts.append({})
        counts[-1][match[2]] = int(match[3])
    return counts


def run_reads(report, delivery):
    """A run of /tests/native.sh with that tsc=: its status, words, console, and what was counted between the two looks."""
    span, looks = SPANS_S[delivery]
    script = " ".join(f'"{words}"' for words in (*CHANGES, *(f"do={at}s:exits" for at in looks)))
    # an empty clocksource= takes back that of the usual command line
    append = f"clocksource= foliot.test=native foliot.reads={span[0]},{span[1]}"
    status, said, log = linux.repeatable_run(report, f"tsc={delivery} {script}", append, LIMIT_S)
    log = log.replace("\r", "")
    counts = counts_of(log)
    more = {kind: counts[1][kind] - counts[0].get(kind, 0) for kind in counts[1]} if len(counts) == 2 else {}
    return status, said, log, more


def judge_exits(report, reads, more):
    """Nothing but the kernel's tick exits."""
    exits = {kind: more.get(kind, 0) for kind in OTHERS if more.get(kind, 0)}
    ticks, writes = more.get("injections", 0), more.get("port", 0) + more.get("wrmsr", 0)
    report.claim(bool(more) and not exits, f"{reads} clock_gettime at rates about 100 with tsc=native make 0 exits", f"{exits or more}")
    report.claim(0 < writes <= WRITES_A_TICK * ticks, "and the kernel's tick does all the writes to its chips between",
                 f"{writes} for {ticks} interrupts")


def run(report):
    """The scenario."""
    status, said, log, more = run_reads(report, "native")
    report.claim(status == 0, "Linux with tsc=native passes", f"status {status}: {said}")
    source = re.search(r"^clocksource (\S+)$", log, re.MULTILINE)
    report.claim(bool(source) and source[1] == "kvm-clock", "with tsc=native Linux takes kvm-clock by itself", source[1] if source else log[-300:])
    seen = READS.search(log)
    if not report.claim(bool(seen), "the clock was read", log[-300:]):
        return
    reads, backward = int(seen[1]), int(seen[2])
    report.claim(reads >= WANTED_READS and not backward, f"{reads} readings through {len(CHANGES)} changes of the rate, by {seen[3]}: none goes back",
                 f"{backward} backward")
    judge_exits(report, reads, more)
    status, said, log, more = run_reads(report, "trap")
    report.claim(status == 0 and more.get("rdtsc", 0) > 1000, "with tsc=trap the same readings exit (control)", f"status {status}: {said}: {more}")
