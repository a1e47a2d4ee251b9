# SPDX-License-Identifier: BSD-2-Clause
"""Two repeatable runs of a Linux with changes of its rate in them give the same console, byte for byte; and a run with one
nanosecond's difference in them does not, so that the comparison can fail."""

import clocks
import guest as linux

LOOKS_S = (20, 60)
SCRIPT = ("do=1s:rate 10", "do=15s:rate 1/4", "do=18s:rate 1", "do=30s:rate 100", "do=50s:rate 5/2")


def first_difference(one, two):
    """Where two logs part, in words."""
    lines = zip(one.splitlines(), two.splitlines())
    for number, (left, right) in enumerate(lines, 1):
        if left != right:
            return f"line {number}: {left!r} and {right!r}"
    return f"{len(one)} and {len(two)} characters"


def run(report):
    """The scenario."""
    line = clocks.script_line(linux.RATES[0], LOOKS_S, SCRIPT)
    runs = [clocks.repeatable_log(report, LOOKS_S, line) for _ in range(2)]
    report.claim(all(status == 0 for status, _, _ in runs), "a repeatable run with rate changes passes", runs[0][1])
    logs = [log for _, _, log in runs]
    changes = logs[0].count("foliot: do ")
    report.claim(changes >= len(SCRIPT) + len(LOOKS_S), "every do= of the command line is carried out", f"{changes} lines")
    report.claim(logs[0] == logs[1], "two repeatable runs give byte-identical serial logs", first_difference(*logs))
    changed = clocks.repeatable_log(report, LOOKS_S, line.replace("do=1s:", "do=1000000001ns:"))[2]
    report.claim(changed != logs[0], "a run that differs by one nanosecond gives another log (control)")
