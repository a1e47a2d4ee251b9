/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All clocks against each other. For each pair and each sample, A1, B, A2 are read one after the other: B must lie
 * between A1 less one tick of the coarser clock and A2 plus one, with the same offset in all samples. The offsets
 * that a sample allows are an interval; where the intervals of all samples have nothing in common, the two clocks
 * drifted apart or one jumped. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"

#define SAMPLES 60
#define GAP_US 33000 /* channel 2 wraps after 55 ms */

const char test_name[] = "clocks";

struct clock {
	const char *name;
	uint32_t hz;
	uint64_t (*read)(void); /* in ticks, never wrapping */
};

static volatile struct pvclock_page page;

static uint64_t read_pit(void)
{
	static uint64_t ticks;
	static uint16_t last;
	uint16_t now = pit_read(2);

	ticks += (uint16_t)(last - now);
	last = now;
	return ticks;
}

static uint64_t read_pm_timer(void)
{
	static uint64_t ticks;
	static uint32_t last;
	uint32_t now = pm_timer_read();

	ticks += pm_timer_ticks(last, now);
	last = now;
	return ticks;
}

static uint64_t read_pvclock(void)
{
	return pvclock_read(&page);
}

static const struct clock clocks[] = {
	{ "TSC", 1000000000, rdtsc },
	{ "pvclock", 1000000000, read_pvclock },
	{ "PM timer", PM_TIMER_HZ, read_pm_timer },
	{ "PIT", PIT_HZ, read_pit },
};

static bool there(const struct clock *c)
{
	if (c->read == read_pvclock)
		return pvclock_present();
	return c->read != read_pm_timer || acpi.pm_timer_port;
}

static uint64_t to_ns(const struct clock *c, uint64_t ticks)
{
	return ticks / c->hz * NS_PER_SECOND + ticks % c->hz * NS_PER_SECOND / c->hz;
}

static void pair(const struct clock *a, const struct clock *b)
{
	uint32_t coarser = a->hz < b->hz ? a->hz : b->hz;
	int64_t tick_ns = (int64_t)(NS_PER_SECOND / coarser + 1), low = INT64_MIN, high = INT64_MAX;
	uint64_t spoil = option_number("control", 0) ? 20000 : 0; /* the control: 20 us of drift a sample, to be seen */
	unsigned apart = 0;

	for (unsigned i = 0; i < SAMPLES; i++) {
		int64_t a1 = (int64_t)to_ns(a, a->read());
		int64_t at = (int64_t)(to_ns(b, b->read()) + i * spoil);
		int64_t a2 = (int64_t)to_ns(a, a->read());

		if (at - a2 - tick_ns > low)
			low = at - a2 - tick_ns;
		if (at - a1 + tick_ns < high)
			high = at - a1 + tick_ns;
		apart += low > high;
		sleep_us(GAP_US);
	}
	report(!apart, "%s and %s agree to one tick of the coarser over 2 s; known to %lld ns", a->name, b->name,
	       high - low);
}

void test_main(void)
{
	unsigned count = sizeof clocks / sizeof clocks[0];

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 0);
	sleep_us(10);
	if (pvclock_present())
		wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = i + 1; j < count; j++)
			if (there(&clocks[i]) && there(&clocks[j])) {
				read_pit();
				pair(&clocks[i], &clocks[j]);
			}
}
