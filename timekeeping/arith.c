/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exact arithmetic on products of up to 128 bits, without the compiler's division library. */
#include "timekeeping/arith.h"

#include "base/assert.h"

/* One digit in base 2^32 of a long division: (*rest * 2^32 + next_digit) / divisor, whose remainder goes to *rest.
 * *rest < divisor; the divisor has its top bit set, so that the first guess is at most two too high; it is at most
 * 2^32 + 1, so that its product with a digit fits. */
static uint64_t quotient_digit(uint64_t *rest, uint64_t next_digit, uint64_t divisor)
{
	uint64_t top = divisor >> 32, bottom = divisor & UINT32_MAX;
	uint64_t guess = *rest / top, left = *rest % top;

	while (left <= UINT32_MAX && guess * bottom > (left << 32 | next_digit)) {
		guess--;
		left += top;
	}
	*rest = (*rest << 32 | next_digit) - guess * divisor;
	return guess;
}

uint64_t div_128_64(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder)
{
	ASSERT(high < divisor);
	if (!high) {
		*remainder = low % divisor;
		return low / divisor;
	}

	unsigned shift = (unsigned)__builtin_clzll(divisor);
	uint64_t rest = shift ? high << shift | low >> (64 - shift) : high;

	low <<= shift;
	divisor <<= shift;

	uint64_t upper = quotient_digit(&rest, low >> 32, divisor);
	uint64_t lower = quotient_digit(&rest, low & UINT32_MAX, divisor);

	*remainder = rest >> shift;
	return upper << 32 | lower;
}

unsigned __int128 div_128_128(unsigned __int128 a, unsigned __int128 b, unsigned __int128 *remainder)
{
	unsigned __int128 quotient = 0, rest = 0;

	ASSERT(b > 0);
	for (int bit = 127; bit >= 0; bit--) {
		/* No bit is lost: rest is at most the upper 127 bits of a. */
		rest = rest << 1 | (a >> bit & 1);
		if (rest >= b) {
			rest -= b;
			quotient |= (unsigned __int128)1 << bit;
		}
	}
	*remainder = rest;
	return quotient;
}

/* UINT64_MAX where the quotient does not fit; then *remainder is 0. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c, uint64_t *remainder)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	uint64_t high = (uint64_t)(product >> 64);

	ASSERT(c > 0);
	*remainder = 0;
	return high < c ? div_128_64(high, (uint64_t)product, c, remainder) : UINT64_MAX;
}

uint64_t mul_div_floor_wide(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t remainder;

	return mul_div(a, b, c, &remainder);
}

uint64_t mul_div_ceil(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t remainder;
	uint64_t quotient = mul_div(a, b, c, &remainder);

	return remainder && quotient < UINT64_MAX ? quotient + 1 : quotient;
}

uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}
