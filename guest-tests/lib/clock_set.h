/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All clocks of a PC as counters that count up and never wrap.
 *
 * A counter's turns are known from a reference clock of 1 GHz, the TSC or pvclock, that is read before each round of reads: what a counter has gone
 * on since it was read last is known modulo its wrap, and how many turns that were follows from the reference to within a quarter of a
 * turn. Who reads sees to it that a round takes less than that (quarter_ns). So a wrong count by less than half a turn is seen as what it is. */
#pragma once

#include "guest-tests/lib/test_hooks.h"

#include <stdbool.h>
#include <stdint.h>

struct clock {
	const char *name;
	enum hook_clock hook;
	uint32_t hz;
	uint64_t wrap;      /* it counts modulo this; 0: it has 64 bits */
	bool from_zero;     /* it has counted since guest time 0 */
	bool (*start)(struct clock *clock); /* false: it is not there */
	void (*capture)(void);  /* takes the count at this moment, for read to fetch; NULL: read does both */
	uint64_t (*read)(void); /* modulo wrap */
	bool there;
	uint64_t quarter_ns; /* of a turn; UINT64_MAX where it has none */
	uint64_t count;     /* what was read last */
	uint64_t raw, ref_ns;
	uint32_t reads, backward; /* how often it went backward, since the test last cleared them */
};

enum clock_index { CLOCK_TSC, CLOCK_PVCLOCK, CLOCK_HV_PAGE, CLOCK_HV_MSR, CLOCK_HPET, CLOCK_LAPIC, CLOCK_PM_TIMER, CLOCK_RTC, CLOCK_PIT, CLOCK_COUNT };

extern struct clock clock_set[CLOCK_COUNT];

/* Programs and starts all that are there. by_pvclock: pvclock is the reference, and the TSC, which is no clock then, is left out. from_zero: nobody
 * has set any of them since guest time 0. */
void clock_set_start(bool by_pvclock, bool from_zero);

/* Guest ns now by the reference. */
uint64_t clock_reference_ns(void);

/* Takes over what read() gave, in a round that began at ref_ns: count is what it has counted in all. */
void clock_note(struct clock *clock, uint64_t raw, uint64_t ref_ns);
