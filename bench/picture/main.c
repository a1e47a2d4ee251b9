/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What every clock shows while the rate changes, beside the bed's own clock, for the picture in docs/clocks.md (bench/picture.py). Needs a test build. */
#include "guest-tests/lib/clock_set.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/report.h"

#define STAGE_NS 200000000u /* of the bed */
#define SAMPLE_NS 4000000u
#define SPINS 2000

const char test_name[] = "picture";

static const struct {
	uint32_t num, den;
} stages[] = { { 1, 1 }, { 10, 1 }, { 1, 4 }, { 20, 1 }, { 3, 1 }, { 1, 2 } };

/* Each clock, and the TSC before and after. */
static struct {
	uint64_t before, after;
} brackets[CLOCK_COUNT];

static void read_clock(unsigned index)
{
	struct clock *clock = &clock_set[index];
	uint64_t raw = 0;

	brackets[index].before = rdtsc();
	if (clock->capture)
		clock->capture();
	else
		raw = clock->read();
	brackets[index].after = rdtsc();
	if (clock->capture)
		raw = clock->read();
	clock_note(clock, raw, brackets[index].before);
}

/* Nothing is printed before all are read: that takes long. */
static void sample(void)
{
	uint64_t bed_ns = hook_bed_ns();

	for (unsigned i = 0; i < CLOCK_COUNT; i++)
		if (clock_set[i].there)
			read_clock(i);
	print("plot %llu", bed_ns);
	for (unsigned i = 0; i < CLOCK_COUNT; i++)
		if (clock_set[i].there)
			print(" %llu %llu %llu", brackets[i].before, clock_set[i].count, brackets[i].after);
	print("\n");
}

void test_main(void)
{
	uint64_t next_ns;

	if (!report(hooks_present(), "Foliot is a test build"))
		return;
	clock_set_start(false, true);
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++)
		if (clock->there)
			print("clock %u %s\n", clock->hz, clock->name);
	next_ns = hook_bed_ns();
	for (unsigned i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		print("rate %u/%u\n", stages[i].num, stages[i].den);
		hook_rate(stages[i].num, stages[i].den);
		for (uint32_t at_ns = 0; at_ns < STAGE_NS; at_ns += SAMPLE_NS) {
			sample();
			next_ns += SAMPLE_NS;
			while (hook_bed_ns() < next_ns)
				for (volatile int spin = 0; spin < SPINS; spin++) /* which is cheaper than exits */
					;
		}
	}
	hook_rate(1, 1);
}
