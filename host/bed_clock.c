/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading the HPET or the PM timer, with the narrow counters' wraps added up. */
#include "host/bed_clock.h"

#include "host/cpu.h"
#include "host/memory.h"


/* byte offsets */
#define HPET_PERIOD 0x04       /* of one tick, in 10^-15 s */
#define HPET_CONFIGURATION 0x10
#define HPET_COUNTER 0xf0
#define HPET_CFG_ENABLE 1u
#define HPET_BYTES 1024

#define PM_TIMER_HZ 3579545ull
#define FS_PER_NS 1000000ull
#define NS_PER_SECOND 1000000000ull

enum bed_clock_kind { BED_NONE, BED_HPET, BED_PM_TIMER };

static enum bed_clock_kind kind;
static volatile uint32_t *hpet;
static uint32_t hpet_period_fs;
static uint16_t pm_port;
static uint32_t mask;       /* of the counter's bits */
static uint32_t last;       /* its value when it was read last */
static uint64_t ticks;      /* since bed_clock_restart */

static uint32_t raw(void)
{
	return kind == BED_HPET ? hpet[HPET_COUNTER / 4] : in32(pm_port) & mask;
}

void bed_clock_init(const struct acpi_machine *acpi)
{
	mask = UINT32_MAX;
	if (acpi->hpet_hpa) {
		kind = BED_HPET;
		hpet = host_map_mmio(acpi->hpet_hpa, HPET_BYTES);
		hpet_period_fs = hpet[HPET_PERIOD / 4];
	} else if (acpi->pm_timer_port) {
		kind = BED_PM_TIMER;
		pm_port = acpi->pm_timer_port;
		if (!acpi->pm_timer_is_32_bit)
			mask = 0xffffff;
	}
	bed_clock_restart();
}

/* The HPET's ticks begin here too: a bed that repeats runs then has them at the same places. */
void bed_clock_restart(void)
{
	if (kind == BED_HPET) {
		hpet[HPET_CONFIGURATION / 4] &= ~HPET_CFG_ENABLE;
		hpet[HPET_COUNTER / 4] = 0;
		hpet[HPET_COUNTER / 4 + 1] = 0;
		hpet[HPET_CONFIGURATION / 4] |= HPET_CFG_ENABLE;
	}
	ticks = 0;
	if (kind != BED_NONE)
		last = raw();
}

void bed_clock_keep(void)
{
	uint32_t now;

	if (kind == BED_NONE)
		return;
	now = raw();
	ticks += (now - last) & mask;
	last = now;
}

/* Split into whole and rest, so that no product passes 64 bits. */
static uint64_t scale(uint64_t count, uint64_t numerator, uint64_t denominator)
{
	return count / denominator * numerator + count % denominator * numerator / denominator;
}

const char *bed_clock_read(uint64_t *ns)
{
	bed_clock_keep();
	*ns = 0;
	switch (kind) {
	case BED_NONE:
		return "none";
	case BED_HPET:
		*ns = scale(ticks, hpet_period_fs, FS_PER_NS);
		return "hpet";
	case BED_PM_TIMER:
		*ns = scale(ticks, NS_PER_SECOND, PM_TIMER_HZ);
		return "pm-timer";
	}
	return "none";
}
