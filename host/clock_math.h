/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The frequency of a fast counter from measurements against slow ones: the arithmetic. Pure; host/calibrate.c
 * measures. Every measurement is an interval in which the truth lies, so that "they agree" has a meaning. CPUID
 * leaves 15h and 16h are not asked: they lie. */
#pragma once

#include "base/refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALIBRATE_SOURCES_MAX 4u

struct hz_interval {
	uint64_t low_hz, high_hz;
};

/* The fast counter's values between which something happened. */
struct moment {
	uint64_t before, after;
};

struct calibrate_source {
	const char *name;
	struct hz_interval hz;
};

/* The fast counter's frequency when between ticks_low and ticks_high ticks of a reference of reference_hz
 * passed between two moments. The interval is 0 to UINT64_MAX (nothing known) where the numbers make no sense
 * or pass 64 bits: spans of up to a few seconds do not. */
struct hz_interval calibrate_interval(struct moment start, struct moment end, uint64_t ticks_low, uint64_t ticks_high,
                                      uint64_t reference_hz);

/* The narrowest of the intervals; false where two of them lie more than 500 ppm apart (message 141 names both),
 * or where there is none (142). */
bool calibrate_agree(const struct calibrate_source *sources, size_t count, struct hz_interval *best,
                     struct refusal *why);

/* One frequency for the interval: its middle; but a whole MHz when it is the only one inside and the interval
 * is at most 20 kHz wide, as makers choose whole MHz, and the middle of a wider one is the better guess. */
uint64_t calibrate_pick(struct hz_interval interval);

/* The width of the interval in parts per 10^9 of its upper end. */
uint64_t calibrate_width_ppb(struct hz_interval interval);
