/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The factors with which pvclock turns TSC ticks into ns. */
#include "timekeeping/pvclock_factors.h"

#include "base/assert.h"
#include "timekeeping/arith.h"

#define NS_PER_SECOND 1000000000ull
#define MUL_END (1ull << 32)

/* mul = num * 2^(32 - shift) / den, where the shift is the one that brings it between 2^31 and 2^32. */
__attribute__((cold)) struct pvclock_factors pvclock_factors_of(unsigned __int128 num, unsigned __int128 den)
{
	unsigned __int128 rest;
	int shift = 0;

	ASSERT(num && den && !(num >> 95) && !(den >> 96));
	num <<= 32;
	for (; num >= den << 32; shift++)
		den <<= 1;
	for (; num < den << 31; shift--)
		num <<= 1;

	uint64_t mul = (uint64_t)div_128_128(num, den, &rest);

	if (rest >= den - rest)
		mul++;
	if (mul == MUL_END) {
		mul = MUL_END / 2;
		shift++;
	}
	return (struct pvclock_factors){ .mul = (uint32_t)mul, .shift = (int8_t)shift };
}

struct pvclock_factors pvclock_factors(uint64_t hz)
{
	ASSERT(hz > 0 && hz <= 1ull << 63);
	return pvclock_factors_of(NS_PER_SECOND, hz);
}

uint64_t pvclock_ns(struct pvclock_factors factors, uint64_t ticks)
{
	uint64_t shifted = factors.shift < 0 ? ticks >> -factors.shift : ticks << factors.shift;

	return (uint64_t)((unsigned __int128)shifted * factors.mul >> 32);
}
