/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets of clocks by their names, and which of them make a machine. */
#include "vm/clocks.h"

#include "base/mem.h"

#include <stddef.h>

static const struct { const char *name; uint32_t bit; } names[] = {
	{ "pit", CLOCK_PIT }, { "rtc", CLOCK_RTC }, { "hpet", CLOCK_HPET }, { "pmtimer", CLOCK_PMTIMER }, { "tsc", CLOCK_TSC },
	{ "lapic", CLOCK_LAPIC }, { "tsc-deadline", CLOCK_TSC_DEADLINE }, { "pvclock", CLOCK_PVCLOCK }, { "hyperv", CLOCK_HYPERV },
};

/* What one counts by, or is a part of. */
static const struct { uint32_t clock, needs; } needs[] = {
	{ CLOCK_PVCLOCK, CLOCK_TSC },
	{ CLOCK_TSC_DEADLINE, CLOCK_TSC | CLOCK_LAPIC },
};

#define CLOCKS_THAT_INTERRUPT (CLOCK_PIT | CLOCK_RTC | CLOCK_HPET | CLOCK_LAPIC)

static uint32_t bit_of(const char *name, size_t bytes)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].name) == bytes && !memcmp(names[i].name, name, bytes))
			return names[i].bit;
	return 0;
}

static bool is_possible(uint32_t clocks)
{
	for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
		if (clocks & needs[i].clock && (clocks & needs[i].needs) != needs[i].needs)
			return false;
	return clocks & CLOCKS_THAT_INTERRUPT;
}

bool clocks_parse(const char *text, uint32_t *clocks)
{
	uint32_t set = 0;

	for (;;) {
		const char *comma = strchr(text, ',');
		uint32_t bit = bit_of(text, comma ? (size_t)(comma - text) : strlen(text));

		if (!bit)
			return false;
		set |= bit;
		if (!comma)
			break;
		text = comma + 1;
	}
	if (!is_possible(set))
		return false;
	*clocks = set;
	return true;
}

enum hv_interface clocks_interface(uint32_t clocks)
{
	if (!(clocks & CLOCK_HYPERV))
		return HV_KVM;
	return clocks & CLOCK_PVCLOCK ? HV_BOTH : HV_HYPERV;
}

bool clocks_fit(uint32_t clocks, enum hv_interface hv)
{
	return (hv_is_kvm(hv) || !(clocks & CLOCK_PVCLOCK)) && (hv_is_hyperv(hv) || !(clocks & CLOCK_HYPERV));
}
