# SPDX-License-Identifier: BSD-2-Clause
"""The tiny guests: one row a run. A row without a control says nothing of the kind "never"; a control is an argument
with which the guest spoils its own observation, and the run must then fail."""

import dataclasses
import re

ALL_RATES = ("1", "100", "1/100")
FAST_RATES = ("1000", "65000", "1000000")
CLOCK_RATES = ("1/1000", "1/7", "1", "3", "100", "255.9", "1000")

# What beds lack: (bed, processor or None for the usual one) -> need -> in words.
MULTIPLIER = {"multiplier": "a TSC multiplier"}
LACKING = {
    ("qemu", None): MULTIPLIER,
    ("bochs", None): MULTIPLIER,
    ("bochs", "corei7_haswell_4770"): MULTIPLIER,
    ("bochs", "corei7_sandy_bridge_2600k"): MULTIPLIER,
    ("bochs", "ryzen"): {"shutdown": "an exit at a guest's triple fault: this Bochs stops there", **MULTIPLIER},
}


@dataclasses.dataclass
class Guest:
    """How one guest is run, and what must come of it."""

    name: str                    # of the row
    guest: str = ""              # folder under guest-tests/; the name where empty
    append: str = ""             # the guest's arguments; share= and bed= are added
    foliot: str = ""             # Foliot's arguments; rate= is added
    rates: tuple = ALL_RATES
    status: int = 0              # of foliot-run
    ending: str = "the guest passed"  # a pattern in foliot-run's last line
    needs: tuple = ()            # what a bed may lack, see LACKING
    native: bool = True          # whether plain QEMU can run it, as an oracle of the chips
    native_status: int = 0       # where it is not the same
    complete: bool = True        # the guest comes to its "done" line
    control: str = ""
    image: str = "foliot.elf"    # in build/; foliot-test.elf has the hooks of a test build
    control_image: str = ""      # of the control, where it is not the same
    ips: int = 0                 # instructions a second, where the bed takes it (Bochs) and the usual is not wanted
    timeout_s: int = 300         # of host time; the bed's own time is whatever the rate makes of it
    check: callable = None       # of the lines of the console: more (held, claim) pairs


def ending(how, status, words, native_status, complete=False, rates=ALL_RATES, native=True):
    """A way to end: a row of the guest "endings"."""
    return Guest(f"ends-{how}", guest="endings", append=f"how={how}", rates=rates, status=status, ending=words,
                 native_status=native_status, complete=complete, native=native, timeout_s=120)


def changes(*steps):
    """Foliot's arguments for a run whose rate changes: (guest time, rate) pairs."""
    return " ".join(f'"do={at}:rate {rate}"' for at, rate in steps)


EXITS = re.compile(r"foliot: (do [^>]*: exits ->| ) *([a-zA-Z-]+(?: \w+)*) +(\d+)$")
OF_THE_HOST = ("host-interrupt", "deadline")


def only_the_host_exits(lines):
    """Between two do=TIME:exits the guest came to Foliot for nothing but the host's timer."""
    counts = []
    for match in filter(None, map(EXITS.match, lines)):
        if match[1].startswith("do"):
            counts.append({})
        counts[-1][match[2]] = int(match[3])
    if len(counts) != 2:
        return [(False, f"two counts of exits: {len(counts)}")]
    kinds = {kind: counts[1].get(kind, 0) - counts[0].get(kind, 0) for kind in counts[1]}
    total = kinds.pop("all exits")
    others = {kind: more for kind, more in kinds.items() if more and kind not in OF_THE_HOST}
    return [(not others, f"no exit between two counts but {total} of the host's timer: {others}"),
            ("rdtsc" not in kinds and "rdtscp" not in kinds, "RDTSC has never exited")]


def native(rate):
    """tsc=native at one rate: a fifth of a second of the host's time between the two counts."""
    foliot = f'tsc=native "do=1ns:rate {rate}" "do={100 * rate}ms:exits" "do={300 * rate}ms:exits"'
    return Guest(f"native-{rate}", guest="native", append=f"from_ms={100 * rate} to_ms={300 * rate}", foliot=foliot, rates=("1",),
                 native=False, control="control=1" if rate == 1 else "", ips=10**9, timeout_s=600, check=only_the_host_exits)


def steep_changes(count):
    """Each rate lasts for 40 ms of the host's time or more, as the answers take their time."""
    rates = (1000, 50, 33333, 64, 1440, 30, 100, 25)
    at, steps = 1, []
    for number in range(count):
        rate = rates[number % len(rates)]
        steps.append((f"{at}s", rate))
        at += 1 + rate // 25
    return changes(*steps)


WITHOUT_HYPERV = "pit,rtc,hpet,pmtimer,tsc,lapic,tsc-deadline,pvclock"


def refuses_clocks(lines):
    """Foliot says what it does not take, and what there is."""
    told = [line for line in lines if "[F300]" in line and "clocks" in line]
    return [(len(told) == 1 and all(name in told[0] for name in (*WITHOUT_HYPERV.split(","), "hyperv")), f"one refusal with all names: {told}")]


def only(name, clocks, have=None, foliot="", control="", check=None):
    """A machine with just these clocks."""
    return Guest(f"only-{name}", guest="absent", append=f"have={have or clocks}", foliot=f"clocks={clocks} {foliot}", rates=("1",), native=False,
                 control=control, timeout_s=120, check=check)


# Jumps of the calendar at known guest times, and dates that are refused: (guest time, command, part of the answer).
JUMPS = (
    ("1.5s", "date 2038-01-19T03:14:05Z", "from 2025-01-01T00:00:01Z to 2038-01-19T03:14:05Z"),
    ("5.5s", "date 2024-02-28T23:59:58Z", "from 2038-01-19T03:14:09Z to 2024-02-28T23:59:58Z"),
    ("8.5s", "date +1y", "from 2024-02-29T00:00:01Z to 2025-02-28T00:00:01Z"),
    ("9.5s", "date 2025-02-31", "that month has no such day"),
    ("9.5s", "date 2025-13-01T00:00:00Z", "there is no such month: they are 01 to 12"),
    ("9.5s", "date 1969-12-31T23:59:59Z", "the calendar begins at 1970-01-01T00:00:00Z"),
    ("9.5s", "date -99999999999999999999y", "the calendar begins at 1970-01-01T00:00:00Z"),
    ("9.5s", "date +7975y", "the calendar ends at 9999-12-31T23:59:59Z"),
    ("9.5s", "date tomorrow", "usage: date [DATE | +STEP | -STEP]"),
    ("10.5s", "date +20s", "to 2025-02-28T00:00:23Z"),
    ("11.5s", "date 9999-12-31T23:59:50Z", "to 9999-12-31T23:59:50Z"),
)
CALENDAR = "rtc=2025-01-01 " + " ".join(f'"do={at}:{command}"' for at, command, _ in JUMPS)


def jumps_are_answered(lines):
    """Each of JUMPS has its answer, in their order."""
    answers = [line for line in lines if line.startswith("foliot: do ")]
    wanted = [f"foliot: do {at}: {command} -> " for at, command, _ in JUMPS]
    found = [answer.startswith(start) and part in answer for answer, start, (_, _, part) in zip(answers, wanted, JUMPS)]
    return [(len(answers) == len(JUMPS) and all(found), f"{len(JUMPS)} dates are answered with what they do, or why not: {answers if not all(found) else ''}")]


RESET = "the guest reset the machine"

# Each lasts some thousands of instructions at least.
CHANGES = changes(("2s", "65000"), ("100s", "1000"), ("103s", "1"), ("103001ms", "30000"), ("300s", "1/1000"), ("300000001us", "999"),
                  ("310s", "65000"), ("600s", "7/3"), ("600001ms", "1000"))

CLOCKS = "hv=both"

GUESTS = [
    Guest("rtc", control="control=1", timeout_s=900),
    Guest("pit", control="control=1", timeout_s=900),
    # every pair of clocks: at steady rates, through random changes, with the TSC left out that is the host's; and clocks that are wrong
    Guest("clocks", foliot=CLOCKS, rates=CLOCK_RATES, native=False, control="control=1", control_image="foliot-test.elf", timeout_s=900),
    Guest("clocks-walk", guest="clocks", append="how=walk", foliot=CLOCKS, rates=("1",), native=False, image="foliot-test.elf", ips=10**9,
          timeout_s=900),
    Guest("clocks-native", guest="clocks", append="reference=pvclock", foliot=f"tsc=native {CLOCKS}", rates=("1/7", "100"), native=False, timeout_s=900),
    Guest("clocks-controls", guest="clocks", append="how=controls", foliot=f"tsc=trap {CLOCKS}", rates=("1",), native=False,
          image="foliot-test.elf", ips=10**9, timeout_s=900),
    Guest("ticks", native=False, control="control=1"),
    Guest("pvclock", native=False, control="control=1"),
    Guest("hyperv", foliot="hv=hyperv", native=False, control="control=1"),
    Guest("hyperv-changed", guest="hyperv", rates=("1",), native=False,
          foliot="hv=hyperv " + changes(("200ms", "100"), ("500ms", "1/10"), ("501ms", "3"), ("700ms", "255.9"), ("1200ms", "1/7"), ("1210ms", "1000"))),
    Guest("hyperv-both", guest="hyperv", append="mode=both", foliot="hv=both", rates=("1",), native=False),
    Guest("hyperv-none", guest="hyperv", append="mode=none", foliot="hv=none", rates=("1",), native=False),
    Guest("calendar", foliot=CALENDAR, rates=("1", "100"), native=False, control="control=1", timeout_s=900, check=jumps_are_answered),
    Guest("pmtimer", control="control=1"),
    Guest("tsc", control="control=1"),
    Guest("hpet", control="control=1", timeout_s=600),
    Guest("hpet-shape", guest="hpet", foliot="hpet=4x32@14318180 tick.hpet=delay", rates=("1",), native=False),
    native(1),
    native(100),
    native(1000),
    # do= takes 64 commands; native/changes has the thousands
    Guest("native-changes", guest="native", append="how=changes changes=30", foliot=f"tsc=native {steep_changes(30)}",
          rates=("1",), native=False),
    only("pit", "pit", control="control=1"),
    only("rtc", "rtc,pmtimer"),
    only("hpet", "hpet,tsc,pvclock"),
    only("deadline", "lapic,tsc,tsc-deadline,rtc"),
    only("counter", "pit,hyperv"),
    only("paravirtual", "lapic,tsc,pvclock,hyperv"),
    only("unknown", "pit,sundial", have=WITHOUT_HYPERV, check=refuses_clocks),
    Guest("pic", control="control=1"),
    Guest("lapic", control="control=1"),
    Guest("lapic-timer", control="control=1", rates=(*ALL_RATES, "1000"), timeout_s=600),
    Guest("ioapic", control="control=1"),
    # the SCI comes once in 600 s of guest time
    Guest("ioapic-sci", guest="ioapic", append="how=sci", rates=("1000",), native=False, ips=10**9),
    Guest("uart"),
    Guest("halt"),
    Guest("storm", timeout_s=600),
    Guest("ports", native=False, control="control=1"),
    Guest("memory", native=False, control="control=1"),
    Guest("cpuid", native=False, control="control=1"),
    Guest("msr", native=False, control="control=1"),
    Guest("exceptions"),
    Guest("realmode"),
    Guest("paging", native=False),
    Guest("traps", native=False),
    # no rate leaves the guest without the processor
    Guest("traps-fast", guest="traps", foliot='"do=1ns:rate 1000000"', rates=("1",), native=False),
    Guest("traps-idt", guest="traps", append="how=idt", rates=("1",), status=1, native=False,
          ending="Foliot stopped the guest",
          complete=False),
    # rates at which counters turn between two reads; the host's TSC at 1 GHz; live changes between such rates
    Guest("fast", foliot="tsc=trap", rates=FAST_RATES, native=False, ips=10**9, control="control=1"),
    Guest("fast-scaled", guest="fast", foliot="tsc=scale", rates=FAST_RATES[:2], native=False, needs=("multiplier",), ips=10**9),
    Guest("fast-changed", guest="fast", foliot=CHANGES, rates=("1000",), native=False, ips=10**9),
    ending("cf9", 1, RESET, 1),
    ending("keyboard", 1, RESET, 1),
    ending("port92", 1, RESET, 1),
    ending("acpi", 1, RESET, 1),
    ending("triple", 1, "the guest died of a triple fault", 1),
    ending("stack", 1, "the guest died of a triple fault|Foliot stopped the guest", 1, native=False),
    ending("gdt", 1, "the guest died of a triple fault|Foliot stopped the guest", 1, native=False),
    ending("s5", 0, "the guest powered off", 0),
    ending("fail", 1, "the guest failed", 1),
    ending("nothing", 0, "the guest passed", 0, complete=True, rates=("1",)),
]
