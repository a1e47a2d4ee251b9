/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The line: how it is chosen, bent, and asked backwards.
 *
 * Guest ns per host tick are asked = ratio_num / ratio_den with ratio_num = rate.num * 10^9 < 2^80 and
 * ratio_den = rate.den * host_hz < 2^87. Shifted by at most 48 bits both stay below 2^128. */
#include "timekeeping/line.h"

#include "base/assert.h"
#include "timekeeping/arith.h"

#include <stddef.h>

#define HOST_HZ_MIN 1000000ull
#define HOST_HZ_MAX (1ull << 37)
#define HOST_TICKS_END (1ull << 63) /* from there on a signed difference of TSC values says past */
#define RATE_MAX 1000000ull
#define PPM 1000000
#define E12 1000000000000ull

static const unsigned software_frac_bits[] = { 48, 40, 32 };

static unsigned __int128 scaled_ratio_num(struct rate rate, unsigned frac_bits)
{
	return (unsigned __int128)rate.num * GUEST_TSC_HZ << frac_bits;
}

static unsigned __int128 ratio_den(struct rate rate, uint64_t host_hz)
{
	return (unsigned __int128)rate.den * host_hz;
}

/* The asked ratio in units of 2^-frac_bits, to the nearest. */
static __attribute__((noinline, cold)) unsigned __int128 quantise(struct rate rate, uint64_t host_hz, unsigned frac_bits)
{
	unsigned __int128 den = ratio_den(rate, host_hz), rest;
	unsigned __int128 mult = div_128_128(scaled_ratio_num(rate, frac_bits), den, &rest);

	return rest >= den - rest ? mult + 1 : mult;
}

/* (effective - asked) * 2^frac_bits * ratio_den; at most half of ratio_den. The products agree in all but their
 * last 87 bits. */
static __int128 quantisation_error(struct rate rate, uint64_t host_hz, unsigned frac_bits, unsigned __int128 mult)
{
	return (__int128)(mult * ratio_den(rate, host_hz) - scaled_ratio_num(rate, frac_bits));
}

static unsigned __int128 magnitude(__int128 value)
{
	return (unsigned __int128)(value < 0 ? -value : value);
}

/* Whether the processor's multiplier can carry the rate; then *mult is what it multiplies with. */
static __attribute__((cold)) bool multiplier_carries(const struct line *line, struct rate rate, uint64_t *mult)
{
	unsigned frac_bits = line->multiplier.frac_bits;

	if (!frac_bits)
		return false;

	unsigned __int128 wide = quantise(rate, line->host_hz, frac_bits);
	__int128 error = quantisation_error(rate, line->host_hz, frac_bits, wide);

	*mult = (uint64_t)wide;
	return wide >> frac_bits < line->multiplier.ratio_limit &&
	       magnitude(error) * PPM <= scaled_ratio_num(rate, frac_bits);
}

static __attribute__((cold)) void choose_software(struct line *line)
{
	size_t choice = 0;
	unsigned __int128 wide;

	do {
		ASSERT(choice < sizeof(software_frac_bits) / sizeof(software_frac_bits[0]));
		line->frac_bits = software_frac_bits[choice++];
		wide = quantise(line->rate, line->host_hz, line->frac_bits);
	} while (wide > UINT64_MAX);
	line->mult = (uint64_t)wide;
	line->hardware = line_is_offset_only(line);
}

/* pvclock's formula as the line's: a shift to the left is one of mul, a shift to the right loses bits first. The asked
 * ratio is below 2^30 and above 2^-28, so mult is below 2^62. */
static __attribute__((cold)) void choose_factors(struct line *line, uint64_t host_tsc)
{
	struct pvclock_factors factors = { 0 };

	if (line->rate.num)
		factors = pvclock_factors_of(scaled_ratio_num(line->rate, 0), ratio_den(line->rate, line->host_hz));

	unsigned left = factors.shift > 0 ? (unsigned)factors.shift : 0;
	unsigned right = factors.shift < 0 ? (unsigned)-factors.shift : 0;

	line->factors = factors;
	line->mult = (uint64_t)factors.mul << left;
	line->frac_bits = PVCLOCK_FRAC_BITS + right;
	line->tsc_mask = -(1ull << right);
	line->origin_tsc = host_tsc;
	line->cut_off = 0;
}

/* Sets everything but the offset. */
static void choose(struct line *line, uint64_t host_tsc, struct rate rate)
{
	line->rate = rate;
	if (line->stamped) {
		choose_factors(line, host_tsc);
	} else if (!rate.num) {
		line->mult = 0;
		line->hardware = false;
	} else if (multiplier_carries(line, rate, &line->mult)) {
		line->frac_bits = line->multiplier.frac_bits;
		line->hardware = true;
	} else {
		choose_software(line);
	}
}

__attribute__((cold)) void line_init(struct line *line, uint64_t host_hz, struct line_multiplier multiplier, uint64_t host_tsc,
	       struct rate rate)
{
	ASSERT(host_hz >= HOST_HZ_MIN && host_hz <= HOST_HZ_MAX);
	ASSERT(multiplier.frac_bits <= software_frac_bits[0]);
	*line = (struct line){ .host_hz = host_hz, .multiplier = multiplier, .frac_bits = software_frac_bits[0],
			       .tsc_mask = -1ull };
	line_bend(line, host_tsc, rate);
}

__attribute__((cold)) void line_init_stamped(struct line *line, uint64_t host_hz, uint64_t host_tsc, struct rate rate)
{
	ASSERT(host_hz >= HOST_HZ_MIN && host_hz <= HOST_HZ_MAX);
	*line = (struct line){ .host_hz = host_hz, .stamped = true };
	line_bend(line, host_tsc, rate);
}

__attribute__((cold)) void line_bend(struct line *line, uint64_t host_tsc, struct rate rate)
{
	uint64_t guest_ns = line_guest_ns(line, host_tsc);

	choose(line, host_tsc, rate);
	line->offset += guest_ns - line_guest_ns(line, host_tsc);
}

__attribute__((cold)) void line_stamp(struct line *line, uint64_t host_tsc)
{
	uint64_t ticks = (host_tsc - line->origin_tsc) & line->tsc_mask;
	unsigned __int128 passed = (unsigned __int128)ticks * line->mult + line->cut_off;

	ASSERT(line->stamped);
	line->origin_tsc += ticks;
	line->offset += (uint64_t)(passed >> line->frac_bits);
	line->cut_off = (uint64_t)passed & ((1ull << line->frac_bits) - 1);
}

/* How far guest time comes in 2^64 host ticks, modulo 2^64. It is a whole number, so that nothing is rounded at a
 * wrap. */
static uint64_t guest_ns_per_wrap(const struct line *line)
{
	return line->mult << (64 - line->frac_bits);
}

void line_take_out(struct line *line, uint64_t host_tsc, uint64_t host_ticks)
{
	uint64_t before_ns = line_guest_ns(line, host_tsc - host_ticks);

	if (host_tsc - line->origin_tsc < host_ticks)
		before_ns -= guest_ns_per_wrap(line);
	line->offset -= line_guest_ns(line, host_tsc) - before_ns;
}

/* What counts from an origin goes on over the end by itself. */
void line_wrapped(struct line *line)
{
	if (!line->stamped)
		line->offset += guest_ns_per_wrap(line);
}

/* With f = frac_bits the answer is the smallest multiple t of step_ticks for which floor((counted + t) * mult / 2^f) >=
 * floor(counted * mult / 2^f) + left_ns, that is t * mult >= left_ns * 2^f - (counted * mult mod 2^f). */
static inline bool ticks_until(const struct line *line, uint64_t counted, uint64_t step_ticks, uint64_t left_ns,
			       uint64_t *ticks)
{
	uint64_t step = line->mult * step_ticks, steps, rest;
	uint64_t done = counted * line->mult & ((1ull << line->frac_bits) - 1);
	unsigned __int128 needed = ((unsigned __int128)left_ns << line->frac_bits) - done + (step - 1);

	if ((uint64_t)(needed >> 64) >= step)
		return false;
	steps = div_128_64((uint64_t)(needed >> 64), (uint64_t)needed, step, &rest);
	*ticks = steps * step_ticks;
	return steps < HOST_TICKS_END / step_ticks;
}

/* Only each 2^k-th tick counts, from the origin on. */
static __attribute__((noinline, cold)) bool stamped_ticks_until(const struct line *line, uint64_t host_tsc,
								 uint64_t left_ns, uint64_t *ticks)
{
	uint64_t passed = host_tsc - line->origin_tsc, counted = passed & line->tsc_mask;

	if (!ticks_until(line, counted, -line->tsc_mask, left_ns, ticks))
		return false;
	*ticks -= passed - counted;
	return true;
}

bool line_host_tsc(const struct line *line, uint64_t host_tsc, uint64_t guest_ns, uint64_t *at)
{
	uint64_t left_ns = guest_ns - line_guest_ns(line, host_tsc);
	uint64_t left_ticks;
	bool reached;

	if (guest_ns == UINT64_MAX)
		return false;
	if (!left_ns || left_ns > GUEST_TIME_END) {
		*at = host_tsc;
		return true;
	}
	if (!line->mult)
		return false;
	if (line->stamped)
		reached = stamped_ticks_until(line, host_tsc, left_ns, &left_ticks);
	else
		reached = ticks_until(line, host_tsc, 1, left_ns, &left_ticks);
	if (reached)
		*at = host_tsc + left_ticks;
	return reached;
}

bool line_is_offset_only(const struct line *line)
{
	return line->mult == 1ull << line->frac_bits;
}

__attribute__((cold)) uint64_t line_effective_e12(const struct line *line)
{
	unsigned __int128 product = (unsigned __int128)line->mult * line->host_hz * (E12 / GUEST_TSC_HZ);

	return (uint64_t)((product + (1ull << (line->frac_bits - 1))) >> line->frac_bits);
}

__attribute__((cold)) int64_t line_error_e12(const struct line *line)
{
	if (!line->mult)
		return 0;

	__int128 error = quantisation_error(line->rate, line->host_hz, line->frac_bits, line->mult);
	unsigned __int128 asked = scaled_ratio_num(line->rate, line->frac_bits), rest;
	/* Half of ratio_den is below 2^86, and 10^12 below 2^40. */
	unsigned __int128 e12 = div_128_128(magnitude(error) * E12, asked, &rest);

	if (rest)
		e12++;
	return error < 0 ? -(int64_t)e12 : (int64_t)e12;
}

__attribute__((cold)) uint64_t line_untrapped_limit(const struct line *line)
{
	uint64_t mult;

	if (line->stamped)
		return RATE_MAX;

	uint64_t limit = mul_div_floor(line->multiplier.ratio_limit, line->host_hz, GUEST_TSC_HZ);

	if (limit > RATE_MAX)
		limit = RATE_MAX;
	/* The limit itself does not count, nor what would be rounded up to it. */
	if (limit && !multiplier_carries(line, (struct rate){ .num = limit, .den = 1 }, &mult))
		limit--;
	return line->multiplier.frac_bits ? limit : 0;
}
