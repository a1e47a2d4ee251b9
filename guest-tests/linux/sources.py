# SPDX-License-Identifier: BSD-2-Clause
"""Linux on each clock source and each clock event device. One boot for each device; /tests/sources.sh switches the clock sources
live and reads all clocks that a program can reach, the TSC around each, at both ends of a span (guest/against.c).

A clock's rate against the TSC, less Linux's own rounding (rounding.py), is 0 within what the readings can tell. A tick counted by
Linux is a tick that was due. Nobody wakes up before a deadline, by the TSC. Natively the same is judged of the bed itself."""

import os
import re
from fractions import Fraction

import boot
import guest as linux
import rounding

LIMIT_S = 1200
SPAN_S, SLEEPS = 20, 100
LONG_SPAN_S, LONG_SLEEPS = 610, 2000
TSC_HZ = 10 ** 9
# The three accesses that set the HPET take longer than the 1.9 us that Linux asks of it; so it asks less.
SLOW_HPET = (r"CE: hpet increased min_delta_ns to \d+ nsec",)
KVM_CLOCK, PAGE = "kvm-clock", "hyperv_clocksource_tsc_page"
BOCHS_UNIT = 101    # its chips have their counts from a clock of 1 us
QEMU_RELOAD = 1     # its APIC timer's period is a count longer than what was programmed
HANDLER_NS = 20000  # jiffies step in the tick's handler, which the kernel may hold up
JIFFIES = ("refined-jiffies", "jiffies")
PERIODIC = "nohz=off highres=off"


class Boot:
    """One machine: the event device that Linux must choose there, and the clock sources that it must have. foliot: words for
    Foliot; bare: Linux's words to have such a machine natively; says: a line of the kernel's log."""

    def __init__(self, event, sources, foliot="", bare="", periodic=False, says=None):
        self.event, self.sources, self.foliot, self.periodic, self.says = event, sources, foliot, periodic, says
        self.kernel = PERIODIC if periodic else ""
        self.bare = f"{bare} {self.kernel}"

    def words(self):
        """For a claim."""
        mode = ", periodic" if self.periodic else ""
        return f"on {self.event}{mode}" + (f" ({self.foliot})" if self.foliot else "")


ALL = (KVM_CLOCK, "tsc", "hpet", "acpi_pm")
NO_DEADLINE = "tsc-deadline=hide"
NO_LAPIC = "clocks=pit,rtc,hpet,pmtimer,tsc,pvclock", "nolapic"
NO_HPET = "clocks=pit,rtc,pmtimer,tsc,pvclock", "nolapic hpet=disable"
BOOTS = {
    "lapic-deadline": Boot("lapic-deadline", ALL),
    "hyperv": Boot("lapic-deadline", (PAGE, "tsc", "hpet", "acpi_pm"), "hv=hyperv"),
    "lapic": Boot("lapic", ALL, NO_DEADLINE),
    "hpet": Boot("hpet", ALL, *NO_LAPIC),
    "pit": Boot("pit", (KVM_CLOCK, "tsc", "acpi_pm"), *NO_HPET),
    "lapic-ticks": Boot("lapic", ALL + JIFFIES, NO_DEADLINE, periodic=True),
    "hpet-ticks": Boot("hpet", ALL + JIFFIES, *NO_LAPIC, periodic=True),
    "pit-ticks": Boot("pit", (KVM_CLOCK, "tsc", "acpi_pm") + JIFFIES, *NO_HPET, periodic=True),
    "hpet-32": Boot("hpet", ALL, f"{NO_LAPIC[0]} hpet=4x32@14318180", says="hpet0: 4 comparators, 32-bit 14.318180 MHz counter"),
}


class Reading:
    """A clock's value, and the TSC before and after."""

    def __init__(self, words):
        self.before, self.value, self.after = map(int, words)


class Source:
    """What the guest printed about one clock source: name -> two readings, and the sleeps."""

    def __init__(self, name, text):
        self.name = name
        self.clocks = {}
        for clock, *words in re.findall(r"^(?:clock (\w+)|(?=ticks)) ?(?:ticks )?(\d+) (\d+) (\d+)$", text, re.MULTILINE):
            self.clocks.setdefault(clock or "ticks", []).append(Reading(words))
        found = re.search(r"^sleeps (\d+) early (\d+) interrupts (\d+) ticks (\d+) least (-?\d+) most (-?\d+)$", text, re.MULTILINE)
        self.sleeps, self.early, self.interrupts, self.sleep_ns, self.least, self.most = map(int, found.groups()) if found else [0] * 6

    def is_whole(self):
        """Whether all was printed."""
        return self.sleeps > 0 and all(len(two) == 2 for two in self.clocks.values()) and {"raw", "ticks"} <= set(self.clocks)


def span(readings):
    """The TSC ticks between two readings: at least, at most."""
    first, last = readings
    return last.before - first.after, last.after - first.before


class Kernel:
    """What the guest printed in all."""

    def __init__(self, log, reload=0):
        self.reload = reload
        self.log = log.replace("\r", "")
        self.event, self.chosen = self.word("event"), self.word("chosen")
        self.available = self._line("available").split()
        begins = list(re.finditer(r"^source (\S+)$", self.log, re.MULTILINE)) + [re.search(r"^end$|\Z", self.log, re.MULTILINE)]
        self.sources = [Source(one[1], self.log[one.end():two.start()]) for one, two in zip(begins, begins[1:])]
        mult = re.search(r"^ mult: +(\d+)\n shift: +32$", self.log, re.MULTILINE)
        self.mult = int(mult[1]) if mult else 0
        self.tsc_khz = self._number(r"tsc: Refined TSC clocksource calibration: (\d+)\.(\d+) MHz", 1000) \
            or self._number(r"tsc: Detected (\d+)\.(\d+) MHz", 1000)
        self.hpet_hz = self._number(r"hpet0: \d+ comparators, \d+-bit (\d+)\.(\d+) MHz", 10 ** 6)
        self.hpet_bits = 64 if re.search(r"hpet0: \d+ comparators, 64-bit", self.log) else 32

    def _line(self, name):
        found = re.search(rf"^{name} (.*)$", self.log, re.MULTILINE)
        return found[1] if found else ""

    def word(self, name):
        """The first word of the line that begins with the name."""
        return (self._line(name).split() or [""])[0]

    def _number(self, pattern, scale):
        found = re.search(pattern, self.log)
        return int(found[1]) * scale + int(found[2]) if found else 0

    def tick_ns(self):
        """A periodic tick, in ns of its chip."""
        return rounding.tick_ns(self.event, self.mult, self.hpet_hz, self.reload)

    def rate(self, source):
        """The nanoseconds that this clock source counts in one nanosecond."""
        if source in JIFFIES:
            counted = rounding.refined_jiffies_ns() if source == "refined-jiffies" else rounding.jiffies_ns()
            return counted / self.tick_ns()
        if source == "tsc":
            return rounding.source_rate(self.tsc_khz, 64, 1000) * Fraction(TSC_HZ, self.tsc_khz * 1000)
        if source == "hpet":
            known = rounding.hpet_hz(self.hpet_hz)
            return rounding.source_rate(known, 32) * Fraction(self.hpet_hz, known)
        hz, bits = {KVM_CLOCK: (TSC_HZ, 64), PAGE: (10 ** 7, 64), "acpi_pm": (rounding.PM_HZ, 24)}[source]
        return rounding.source_rate(hz, bits)

    def tick_of(self, source):
        """A tick of the clock source, in ns."""
        if source in JIFFIES:
            return int(self.tick_ns()) + 1
        hz = {KVM_CLOCK: TSC_HZ, "tsc": TSC_HZ, PAGE: 10 ** 7, "acpi_pm": rounding.PM_HZ, "hpet": self.hpet_hz}[source]
        return -(-rounding.NS // hz) + 1


class Slope:
    """How a counter's rate of wanted_hz by the TSC may be off: ppm, and what the readings can tell. unit: counts that the
    counter may be behind at a reading."""

    def __init__(self, readings, wanted_hz, bits, unit=1):
        least, most = span(readings)
        wanted = wanted_hz * Fraction(least + most, 2 * TSC_HZ)
        counted = (readings[1].value - readings[0].value) % (1 << bits)
        if bits < 64:  # it may have gone round
            counted += round((wanted - counted) / (1 << bits)) << bits
        self.ppm = float((counted / wanted - 1) * 10 ** 6)
        self.resolution_ppm = float((unit + wanted_hz * Fraction(most - least, 2 * TSC_HZ)) / wanted * 10 ** 6)
        self.seconds = (least + most) / 2 / TSC_HZ

    def is_nil(self):
        """Whether it is 0 as far as can be told."""
        return abs(self.ppm) <= self.resolution_ppm

    def words(self):
        """For a claim."""
        return f"{self.ppm:+.4f} ppm, resolution {self.resolution_ppm:.4f}"


def judge_source(report, kernel, source, words):
    """The claims about the span on one clock source."""
    words = f"with {source.name} {words}"
    if not report.claim(source.is_whole(), f"the clocks were read twice {words}", str(sorted(source.clocks))):
        return
    rate, tick_ns = kernel.rate(source.name), kernel.tick_of(source.name)
    slope = Slope(source.clocks["raw"], rate * rounding.NS, 64, HANDLER_NS if source.name in JIFFIES else 1)
    report.note(f"{words}: {slope.words()}; Linux's own rounding {float(rate - 1) * 1e6:+.4f} ppm; sleeps late by {source.least} to "
                f"{source.most} ns, {source.interrupts} interrupts for {source.sleeps}")
    report.claim(slope.is_nil(), f"CLOCK_MONOTONIC_RAW goes with the TSC, less Linux's rounding, over {slope.seconds:.0f} s {words}", slope.words())
    for name, hz, bits in (("pm", rounding.PM_HZ, 24), ("hpet", kernel.hpet_hz, kernel.hpet_bits)):
        if name in source.clocks:
            slope = Slope(source.clocks[name], Fraction(hz), bits, BOCHS_UNIT if report.native and report.bed == "bochs" else 1)
            report.claim(slope.is_nil(), f"the counter {name} goes with the TSC over {slope.seconds:.0f} s {words}", slope.words())
    allowed = tick_ns + float(abs(rate - 1)) * 16e6 + 1
    report.claim(not source.early and source.least >= -allowed, f"no sleep ends early {words}",
                 f"{source.early} of {source.sleeps} by its own clock, {-source.least} ns by the TSC")


def judge_ticks(report, kernel, source, words):
    """Of a periodic event device: as many interrupts as ticks were due."""
    tick_ns, readings = kernel.tick_ns(), source.clocks["ticks"]
    least, most = (Fraction(ns) / tick_ns for ns in span(readings))
    counted = readings[1].value - readings[0].value
    report.claim(least // 1 <= counted <= -(-most // 1), f"Linux counted the ticks that were due with {source.name} {words}",
                 f"{counted}, not {float(least):.2f} to {float(most):.2f}")


def judge_interrupts(report, kernel, words):
    """Of a one-shot event device: an interrupt before its time would need another one."""
    for source in kernel.sources:
        enough = source.sleeps + source.sleep_ns // rounding.TICK_NS + source.sleeps // 10
        report.claim(source.interrupts <= enough, f"no interrupt comes before its deadline with {source.name} {words}",
                     f"{source.interrupts} for {source.sleeps} sleeps")


def judge(report, machine, log, words):
    """The claims about one boot."""
    kernel = Kernel(log, QEMU_RELOAD if report.native and report.bed == "qemu" else 0)
    report.claim(kernel.event == machine.event, f"the clock event device is {machine.event} {words}", kernel.event)
    report.claim(kernel.chosen == "tsc", f"the clock source that Linux takes by itself is the TSC that never stops {words}", kernel.chosen)
    missing = [name for name in wanted_sources(report, machine) if name not in kernel.available]
    report.claim(not missing, f"every clock source is offered {words}", f"{missing} of {kernel.available}")
    report.claim([one.name for one in kernel.sources] == kernel.available, f"every clock source can be taken live {words}",
                 str([one.name for one in kernel.sources]))
    for source in kernel.sources:
        if report.native and report.bed == "qemu" and machine.event == "hpet" and source.name in JIFFIES:
            report.skip(f"the bare bed's HPET interrupts twice where the processor is busy at its tick: {source.name} {words}")
            continue
        judge_source(report, kernel, source, words)
        if machine.periodic and source.is_whole():
            judge_ticks(report, kernel, source, words)
    if not machine.periodic:
        judge_interrupts(report, kernel, words)
    if not report.native:
        if machine.says:
            report.claim(machine.says in kernel.log, f"the kernel says \"{machine.says}\" {words}", ", ".join(re.findall(r"hpet0:.*", kernel.log)))
        boot.judge_kernel_log(report, kernel.log[kernel.log.find("\nend\n"):].splitlines(), words, SLOW_HPET if machine.event == "hpet" else ())


def wanted_sources(report, machine):
    """The clock sources that must be there."""
    return [name for name in machine.sources if not report.native or name not in (KVM_CLOCK, PAGE)]


def run_boot(report, machine):
    """One boot."""
    if report.native and (machine.event == "lapic-deadline" or machine.says):
        report.skip("a machine of Foliot's making: the bare bed's HPET has another shape, its APIC timer no deadline that Linux uses")
        return
    span_s, sleeps = (LONG_SPAN_S, LONG_SLEEPS) if os.environ.get("FOLIOT_TIER") == "long" else (SPAN_S, SLEEPS)
    kernel = machine.bare if report.native else machine.kernel
    append = f"clocksource= foliot.test=sources foliot.span={span_s} foliot.sleeps={sleeps} {kernel}"
    status, said, log = linux.repeatable_run(report, machine.foliot, append, LIMIT_S)
    words = machine.words()
    if report.claim(status == 0, f"Linux takes every clock source in turn {words}", f"status {status}: {said} {log[-300:]}"):
        judge(report, machine, log, words)


def scenario(name):
    """A scenario of one boot."""
    return lambda report: run_boot(report, BOOTS[name])
