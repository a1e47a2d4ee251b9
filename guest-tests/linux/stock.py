# SPDX-License-Identifier: BSD-2-Clause
"""The kernel as it is, with nothing on its command line but the console: it finds and uses ACPI, the IOAPIC, the local APIC and the HPET, and
complains of nothing."""

import re

import boot
import guest as linux
import sources

LIMIT_S = 900
COMMAND_LINE = "console=ttyS0,115200 panic=-1"
# (what, a line that says so)
FOUND = (("ACPI", r"ACPI: Core revision|ACPI: Interpreter enabled"),
         ("the IOAPIC by ACPI's MADT", r"IOAPIC\[0\]: apic_id \d+, version \d+, address 0xfec00000, GSI 0-23"),
         ("the PIT on pin 2", r"ACPI: INT_SRC_OVR \(bus 0 bus_irq 0 global_irq 2 dfl dfl\)"),
         ("the IOAPIC for routing", r"ACPI: Using IOAPIC for interrupt routing"),
         ("the HPET by ACPI", r"ACPI: HPET id: 0x[0-9a-f]+ base: 0xfed00000"),
         ("the HPET's shape", r"hpet0: 3 comparators, 64-bit 100\.000000 MHz counter"),
         ("the PM timer", r"ACPI: PM-Timer IO Port: 0x[0-9a-f]+"))
INTERRUPTS = ((r"^ *4: +[1-9]\d* +\S*IO-APIC", "the serial port interrupts by the IOAPIC"),
              (r"^LOC: +[1-9]\d*", "the local APIC's timer interrupts"))


def run(report):
    """The scenario."""
    status, said, log = linux.repeatable_run(report, "", "foliot.test=stock", LIMIT_S, base=COMMAND_LINE)
    log = log.replace("\r", "")
    words = f"with \"{COMMAND_LINE}\""
    if not report.claim(status == 0, f"Linux boots {words}", f"status {status}: {said} {log[-300:]}"):
        return
    kernel = sources.Kernel(log)
    wanted = "lapic" if report.native else "lapic-deadline"
    report.claim(kernel.event == wanted, f"its clock event device is {wanted} {words}", kernel.event)
    report.claim(kernel.chosen == "tsc", f"its clock source is the TSC that never stops {words}", kernel.chosen)
    missing = [name for name in sources.ALL if name not in kernel.available and not (report.native and name == sources.KVM_CLOCK)]
    report.claim(not missing, f"it has every clock source {words}", f"{missing} of {kernel.available}")
    for what, pattern in () if report.native else FOUND:
        report.claim(bool(re.search(pattern, log)), f"it finds {what} {words}", pattern)
    for pattern, what in INTERRUPTS:
        report.claim(bool(re.search(pattern, log, re.MULTILINE)), f"{what} {words}", log[log.find("\nend\n"):][:400])
    if not report.native:
        boot.judge_kernel_log(report, log[log.find("\nend\n"):].splitlines(), words)
