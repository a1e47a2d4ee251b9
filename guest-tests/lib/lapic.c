/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC of test guests. */
#include "guest-tests/lib/lapic.h"

#include "guest-tests/lib/interrupts.h"

bool lapic_x2apic;

const char *lapic_mode(void)
{
	return lapic_x2apic ? "x2APIC" : "xAPIC";
}

bool lapic_set_base(uint32_t bits)
{
	bool good = wrmsr_safe(MSR_APIC_BASE, LAPIC_PAGE | APIC_BASE_BSP | bits);

	lapic_x2apic = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
	return good;
}

void lapic_enable(void)
{
	lapic_write(LAPIC_SVR, LAPIC_ENABLE | LAPIC_SPURIOUS);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_EXTINT);
}

bool lapic_has_vector(uint32_t reg, uint32_t vector)
{
	return lapic_read(reg + vector / 32 * 16) >> vector % 32 & 1;
}

void lapic_self_ipi(uint32_t vector)
{
	lapic_write(LAPIC_ICR, LAPIC_TO_SELF | vector);
}

static bool is_idle(void)
{
	uint32_t vectors = 0;

	for (uint32_t word = 0; word < 8; word++)
		vectors |= lapic_read(LAPIC_IRR + word * 16) | lapic_read(LAPIC_ISR + word * 16);
	return !vectors;
}

void lapic_end_all(void)
{
	lapic_write(LAPIC_TPR, 0);
	while (!is_idle()) {
		sti_nop_cli();
		lapic_write(LAPIC_EOI, 0);
	}
}
