/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Clocks at rates at which an exit takes longer than a counter's turn: each is read between two TSC values, and compared modulo its wrap with
 * what the TSC says. A sample whose two TSC values are nearly a turn apart or more says nothing; a clock whose samples mostly are such is
 * skipped. The rate may change meanwhile. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define SAMPLES 200000u
#define READS 1000000u

const char test_name[] = "fast";

static volatile struct pvclock_page page;

/* A counter that wraps. */
struct counter {
	const char *name;
	uint32_t hz;
	uint32_t wrap;
	uint32_t (*read)(void);
};

static uint32_t read_pm_timer(void)
{
	return pm_timer_read() & 0xffffff;
}

/* Bits 15 to 0 of what it has counted. */
static uint32_t read_pit(void)
{
	return (uint16_t)-pit_read(2);
}

static uint32_t read_seconds(void)
{
	uint8_t bcd = rtc_read(RTC_SECONDS);

	return (bcd >> 4) * 10u + (bcd & 15u);
}

static const struct counter counters[] = {
	{ "PM timer", PM_TIMER_HZ, 1u << 24, read_pm_timer },
	{ "PIT", PIT_HZ, 1u << 16, read_pit },
	{ "RTC", 1, 60, read_seconds },
};

static struct sample sample(const struct counter *c)
{
	struct sample s;

	s.before = rdtsc();
	s.value = c->read();
	s.after = rdtsc();
	return s;
}

/* Whether the counter has counted what the TSC says since the first sample, modulo its wrap, to within one tick at each end. */
static bool agrees(const struct counter *c, const struct sample *first, const struct sample *now, bool *judged)
{
	uint64_t least = ticks_floor(now->before - first->after, c->hz), most = ticks_ceil(now->after - first->before, c->hz);
	uint32_t counted = (uint32_t)(now->value + c->wrap - first->value) % c->wrap;
	uint32_t spoil = option_number("control", 0) ? c->wrap / 2 : 0;
	uint64_t width = most + 1 - least + 1;
	uint32_t low = (uint32_t)((least + c->wrap - 1) % c->wrap);

	*judged = width < c->wrap - c->wrap / 8;
	return (counted + spoil + c->wrap - low) % c->wrap <= width;
}

static void judge(const struct counter *c)
{
	uint32_t samples = share(SAMPLES), judged = 0, apart = 0;
	struct sample first = sample(c);
	uint64_t span_ns;

	for (uint32_t i = 0; i < samples; i++) {
		struct sample now = sample(c);
		bool counts;

		apart += !agrees(c, &first, &now, &counts) && counts;
		judged += counts;
	}
	span_ns = rdtsc() - first.before;
	if (judged < samples / 2)
		report_skip("%s turns faster than it can be read here: %u of %u samples judged", c->name, judged, samples);
	else
		report(!apart, "%s is in step with the TSC over %llu s: %u of %u samples apart", c->name,
		       span_ns / NS_PER_SECOND, apart, judged);
}

static uint64_t read_pvclock(void)
{
	return pvclock_read(&page);
}

static void never_backward(const char *name, uint64_t (*read)(void))
{
	uint32_t reads = share(READS), backward = 0;
	uint64_t last = read();

	for (uint32_t i = 0; i < reads; i++) {
		uint64_t now = read();

		backward += now < last;
		last = now;
	}
	report(!backward, "%s: %u of %u reads went backward", name, backward, reads);
}

/* pvclock between two TSC values: the same line. */
static void pvclock_in_step(void)
{
	uint32_t reads = share(SAMPLES), apart = 0;
	int64_t low = INT64_MIN, high = INT64_MAX;

	for (uint32_t i = 0; i < reads; i++) {
		int64_t before = (int64_t)rdtsc(), at = (int64_t)read_pvclock(), after = (int64_t)rdtsc();

		low = at - after > low ? at - after : low;
		high = at - before < high ? at - before : high;
		apart += low > high;
	}
	report(!apart, "pvclock is in step with the TSC: %u of %u samples apart", apart, reads);
}

void test_main(void)
{
	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 0);
	for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++)
		judge(&counters[i]);
	never_backward("TSC", rdtsc);
	if (!pvclock_present())
		return;
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
	never_backward("pvclock", read_pvclock);
	pvclock_in_step();
}
