/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exact arithmetic on products of up to 128 bits. Compilers divide 128-bit numbers by calling their own library,
 * which freestanding code does not have: these functions stand in for it (Knuth, The Art of Computer Programming 2,
 * 4.3.1 D, on 32-bit digits). */
#pragma once

#include <stdint.h>

/* a * b / c, rounded down or up, for c > 0. The product is exact. A result that does not fit, that is a * b / c >=
 * 2^64, is UINT64_MAX: as a deadline that is "never". Inline where the product has 64 bits: counters are read so. */
uint64_t mul_div_floor_wide(uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t mul_div_floor(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? mul_div_floor_wide(a, b, c) : product / c;
}

uint64_t mul_div_ceil(uint64_t a, uint64_t b, uint64_t c);

/* (high * 2^64 + low) / divisor, rounded down, and the remainder. high < divisor, so that the quotient fits 64 bits. */
uint64_t div_128_64(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder);

/* a / b, rounded down, and the remainder, for any a and any b > 0. One step a bit: for changes of rate, not for
 * each exit. */
unsigned __int128 div_128_128(unsigned __int128 a, unsigned __int128 b, unsigned __int128 *remainder);

/* The greatest common divisor; gcd(a, 0) = a. */
uint64_t gcd(uint64_t a, uint64_t b);
