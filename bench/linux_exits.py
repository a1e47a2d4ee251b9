# SPDX-License-Identifier: BSD-2-Clause
"""How many exits a Linux makes in a second of its time, idle and while it starts one program after the other, by kind and by the clocks that it
has. Repeatable bed; Foliot's own counts, which do= prints at two moments of each state (guest-tests/linux/guest/exits.sh)."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLIOT_RUN = ROOT / "tools" / "foliot-run"
GUEST = ROOT / "build" / "guest"
APPEND = ("console=ttyS0,115200 quiet nokaslr mitigations=off cryptomgr.notests audit=0 nowatchdog panic=-1 foliot.test=exits")
LOOKS_S = {"idle": (15, 35), "busy": (41, 44)}
LIMIT_S = 900
# In words, Foliot's command line, Linux's.
MACHINES = [
    ("APIC timer by TSC deadline, TSC", "", ""),
    ("the same, HPET as the clock", "", "clocksource=hpet"),
    ("HPET, no APIC", "clocks=pit,rtc,hpet,pmtimer,tsc,pvclock", ""),
    ("PIT, no APIC, no HPET", "clocks=pit,rtc,pmtimer,tsc,pvclock", ""),
    ("APIC timer, periodic", "", "nohz=off highres=off"),
]
KINDS = ("host-interrupt", "interrupt-window", "hlt", "port", "memory", "rdmsr", "wrmsr")  # all others together: "other"
ALL, INJECTIONS = "all exits", "injections"
COUNT = re.compile(r"^foliot: (do [^>]*: exits ->| ) *([a-zA-Z-]+(?: \w+)*) +(\d+)$")


class Unmeasured(Exception):
    """A figure that could not be had, and why."""


def counts_of(console):
    """Each do=TIME:exits answer as kind -> count."""
    counts = []
    for match in filter(None, map(COUNT.match, console.splitlines())):
        if match[1].startswith("do"):
            counts.append({})
        counts[-1][match[2]] = int(match[3])
    return counts


def run(foliot, append):
    """The counts at the looks."""
    script = " ".join(f"do={at}s:exits" for looks in LOOKS_S.values() for at in looks)
    words = [str(FOLIOT_RUN), "--bed", "qemu", "--repeatable", "--timeout", str(LIMIT_S), "--foliot", f"poll=1ms {foliot} {script}".strip(),
             "--initrd", str(GUEST / "initramfs.cpio"), "--append", f"{APPEND} {append}".strip(), str(GUEST / "vmlinuz")]
    ended = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    counts = counts_of(ended.stdout.decode("utf-8", "replace").replace("\r", ""))
    if ended.returncode or len(counts) != 2 * len(LOOKS_S):
        raise Unmeasured(f"Linux ended with status {ended.returncode}, {len(counts)} looks: {ended.stderr.decode('utf-8', 'replace')[-200:]}")
    return counts


def measure():
    """Rows: the machine, its state, exits per guest second in all and by kind, interrupts given."""
    rows = []
    for words, foliot, append in MACHINES:
        counts = run(foliot, append)
        for number, (state, looks) in enumerate(LOOKS_S.items()):
            before, after = counts[2 * number:2 * number + 2]
            each = {kind: (after[kind] - before.get(kind, 0)) / (looks[1] - looks[0]) for kind in after}
            kinds = [each.get(kind, 0) for kind in KINDS]
            other = max(0.0, each[ALL] - sum(kinds))
            rows.append((words, state, *(f"{value:.0f}" for value in (each[ALL], *kinds, other, each.get(INJECTIONS, 0)))))
    return rows
