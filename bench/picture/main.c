/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What every clock shows while the rate changes, beside the bed's own clock, for the picture in docs/clocks.md (bench/picture.py). Needs a test build. */
#include "guest-tests/lib/clock_set.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/report.h"

#define STAGE_NS 200000000u /* of the bed */
#define SAMPLE_NS 4000000u

const char test_name[] = "picture";

static const struct {
	uint32_t num, den;
} stages[] = { { 1, 1 }, { 10, 1 }, { 1, 4 }, { 20, 1 }, { 3, 1 }, { 1, 2 } };

static void sample(void)
{
	uint64_t ref_ns = clock_reference_ns();

	print("plot %llu", hook_bed_ns());
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++) {
		if (!clock->there)
			continue;
		if (clock->capture)
			clock->capture();
		clock_note(clock, clock->read(), ref_ns);
		print(" %llu", clock->count);
	}
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
				;
		}
	}
	hook_rate(1, 1);
}
