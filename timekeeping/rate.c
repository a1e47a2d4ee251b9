/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rate of guest time: an exact fraction. */
#include "timekeeping/rate.h"

#include "timekeeping/arith.h"

#define RATE_EXTREME 1000000ull
#define TERM_LIMIT 1000000000000000ull

bool rate_reduce(struct rate *rate)
{
	if (!rate->den)
		return false;

	uint64_t common = gcd(rate->num, rate->den);
	uint64_t num = rate->num / common, den = rate->den / common;

	if (num > TERM_LIMIT || den > TERM_LIMIT)
		return false;
	/* The products are below 2^50 * 2^20, which 64 bits do not hold. */
	if (num && (unsigned __int128)num * RATE_EXTREME < den)
		return false;
	if (num > (unsigned __int128)den * RATE_EXTREME)
		return false;
	*rate = (struct rate){ .num = num, .den = den };
	return true;
}
