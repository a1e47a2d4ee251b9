/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading KVM's paravirtual clock. */
#include "guest-tests/lib/pvclock.h"

#include "guest-tests/lib/cpu.h"

#define FEATURE_CLOCKSOURCE2 0x8u

/* Behind another interface's leaves KVM's begin 100h higher. */
bool pvclock_present(void)
{
	for (uint32_t base = 0x40000000; base <= 0x40000100; base += 0x100) {
		struct cpuid c = cpuid(base, 0);

		if (c.ebx == 0x4B4D564B && c.ecx == 0x564B4D56 && c.edx == 0x4D)
			return cpuid(base + 1, 0).eax & FEATURE_CLOCKSOURCE2;
	}
	return false;
}

/* (ticks * mul) >> 32, from 32-bit halves: the high 64 bits of a 96-bit product. */
static uint64_t scale(uint64_t ticks, uint32_t mul)
{
	return (ticks >> 32) * mul + ((ticks & 0xFFFFFFFF) * mul >> 32);
}

uint64_t pvclock_read(const volatile struct pvclock_page *page)
{
	uint64_t ns, ticks;
	uint32_t version;

	do {
		do
			version = page->version;
		while (version & 1);
		ticks = rdtsc() - page->tsc_timestamp;
		ticks = page->shift >= 0 ? ticks << page->shift : ticks >> -page->shift;
		ns = page->system_time + scale(ticks, page->mul);
	} while (page->version != version);
	return ns;
}
