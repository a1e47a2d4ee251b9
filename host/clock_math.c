/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interval arithmetic on frequencies. */
#include "host/clock_math.h"

#define MHZ 1000000ull
#define PICK_WIDTH_HZ 20000u
#define APART_PPM 500u

static const struct hz_interval nothing_known = { 0, UINT64_MAX };

struct hz_interval calibrate_interval(struct moment start, struct moment end, uint64_t ticks_low, uint64_t ticks_high,
                                      uint64_t reference_hz)
{
	uint64_t least = end.before - start.after, most = end.after - start.before;
	uint64_t product;

	if (!ticks_low || ticks_high < ticks_low || end.before < start.after || most < least ||
	    __builtin_mul_overflow(most, reference_hz, &product) || product > UINT64_MAX - ticks_low)
		return nothing_known;
	return (struct hz_interval){ least * reference_hz / ticks_high, (product + ticks_low - 1) / ticks_low };
}

uint64_t calibrate_width_ppb(struct hz_interval interval)
{
	uint64_t width = interval.high_hz - interval.low_hz, product;

	if (__builtin_mul_overflow(width, 1000000000ull, &product))
		return width / (interval.high_hz / 1000000000ull + 1);
	return product / (interval.high_hz ? interval.high_hz : 1);
}

static bool are_apart(struct hz_interval a, struct hz_interval b)
{
	return a.low_hz > b.high_hz && a.low_hz - b.high_hz > a.low_hz / MHZ * APART_PPM;
}

static bool refuse_pair(const struct calibrate_source *a, const struct calibrate_source *b, struct refusal *why)
{
	return refuse(why, 141, "this machine's clocks disagree about the TSC: %s says %lu to %lu Hz, %s %lu to %lu Hz; "
	              "Foliot cannot keep time with them", a->name, a->hz.low_hz, a->hz.high_hz, b->name, b->hz.low_hz, b->hz.high_hz);
}

bool calibrate_agree(const struct calibrate_source *sources, size_t count, struct hz_interval *best,
                     struct refusal *why)
{
	if (!count)
		return refuse(why, 142, "this machine has no HPET, ACPI PM timer or PIT that counts: the TSC cannot be measured");
	*best = sources[0].hz;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++)
			if (are_apart(sources[i].hz, sources[j].hz))
				return refuse_pair(&sources[i], &sources[j], why);
		if (sources[i].hz.high_hz - sources[i].hz.low_hz < best->high_hz - best->low_hz)
			*best = sources[i].hz;
	}
	return true;
}

uint64_t calibrate_pick(struct hz_interval interval)
{
	uint64_t width = interval.high_hz - interval.low_hz;
	uint64_t whole = interval.high_hz / MHZ * MHZ;

	if (width <= PICK_WIDTH_HZ && whole >= interval.low_hz && whole)
		return whole;
	return interval.low_hz + width / 2;
}
