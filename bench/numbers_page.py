# SPDX-License-Identifier: BSD-2-Clause
"""docs/numbers.md: the tables that bench/run writes, each between its markers. Everything outside the markers is
written by hand."""

import pathlib

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "numbers.md"

HEADINGS = {
    "operations": ("operation", "bare", "Foliot", "target", "", "KVM 6.1", "Xen 4.17 HVM"),
    "vt-x": ("operation", "bare", "Foliot", "target", "", "KVM 6.1"),
    "size": ("what", "Foliot", "target", ""),
    "linux": ("what", "bare", "Foliot", "ratio", "target", ""),
    "lateness": ("timer, and what the guest does", "rate", "least", "median", "p99", "p99.9", "most", "target of p99.9", ""),
    "linux-vt-x": ("what", "bare", "Foliot", "ratio", "target", ""),
    "linux-exits": ("Linux on", "", "all exits", "host interrupt", "interrupt window", "HLT", "port", "memory", "RDMSR", "WRMSR", "other", "interrupts given"),
}


def cell(value):
    return "–" if value is None else str(value)


def table(part, rows):
    """A table in Markdown; numbers to the right."""
    heading = HEADINGS[part]
    lines = ["| " + " | ".join(heading) + " |", "|---" + "|---:" * (len(heading) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows])


def replace(part, text):
    """Puts the table between the page's markers of this part."""
    begin, end = f"<!-- bench {part} -->", f"<!-- end {part} -->"
    page = PAGE.read_text(encoding="utf-8")
    head, found, rest = page.partition(begin)
    if not found or end not in rest:
        raise OSError(f"{PAGE} has no markers {begin} and {end}")
    PAGE.write_text(head + begin + "\n" + text + "\n" + end + rest.partition(end)[2], encoding="utf-8")
