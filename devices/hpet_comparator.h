/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One comparator of an HPET (IA-PC HPET 1.0a, 2.3.8 to 2.3.9): when it matches the main counter, and what it shows. Nothing is stepped. Time is
 * here the number of the counter's ticks since it was last started.
 *
 * A match is where the counter comes to show the comparator's value, in the bits that the comparator has; or where a value is written that the
 * counter shows. So a value behind the counter matches when the counter has gone all the way round, and a one-shot that nobody writes to matches
 * once in each round. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HPET_NO_MATCH UINT64_MAX

struct hpet_comparator {
	bool wide;      /* has 64 bits, not 32 */
	bool periodic;
	bool narrowed;  /* 64 bits that are used as 32 */
	bool spent;     /* the match at the value that the counter shows is over */
	uint64_t value; /* when the next three lines were worked out */
	uint64_t match; /* the first match since then, in ticks; HPET_NO_MATCH: none before the counter has wrapped at 2^64 ticks */
	uint64_t period; /* what was last written: a periodic one moves on by it at each match */
};

/* As the chip leaves reset: all ones, one-shot. */
void hpet_comparator_reset(struct hpet_comparator *comparator);

/* From one match to the next, in ticks; UINT64_MAX stands for 2^64 and more, which no time reaches. */
uint64_t hpet_comparator_step(const struct hpet_comparator *comparator);

/* How many matches there were in (the last arm, ticks], where the counter was armed. */
uint64_t hpet_comparator_matches(const struct hpet_comparator *comparator, uint64_t ticks);

/* What the register shows. */
uint64_t hpet_comparator_read(const struct hpet_comparator *comparator, uint64_t ticks);

/* Before the comparator or the counter is changed, at ticks: moves the value past the matches there were, and finds out whether there is one at
 * this tick. */
void hpet_comparator_settle(struct hpet_comparator *comparator, uint64_t ticks);

/* After that: when the next match is, for a counter that shows this. */
void hpet_comparator_arm(struct hpet_comparator *comparator, uint64_t counter, uint64_t ticks);

/* The counter stands: no match. */
void hpet_comparator_disarm(struct hpet_comparator *comparator);

/* The bits of mask are written, once settled. set_value: a periodic one's value too, not its period alone. */
void hpet_comparator_write(struct hpet_comparator *comparator, uint64_t written, uint64_t mask, bool set_value);

/* One-shot or periodic, and 32 bits used or all: once settled. */
void hpet_comparator_configure(struct hpet_comparator *comparator, bool periodic, bool narrowed);
