/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 64-bit division for 32-bit guests: the functions that the compilers call and that no 32-bit libgcc is here to give
 * (their names and meanings are libgcc's). Shift and subtract: simple, and never in a measured loop. */
#include <stdint.h>

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder);
uint64_t __udivdi3(uint64_t dividend, uint64_t divisor);
uint64_t __umoddi3(uint64_t dividend, uint64_t divisor);
int64_t __divdi3(int64_t dividend, int64_t divisor);
int64_t __moddi3(int64_t dividend, int64_t divisor);

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
	uint64_t quotient = 0, rest = 0;

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t carry = rest >> 63;

		rest = rest << 1 | (dividend >> bit & 1);
		if (carry || rest >= divisor) {
			rest -= divisor;
			quotient |= 1ull << bit;
		}
	}
	if (remainder)
		*remainder = rest;
	return quotient;
}

uint64_t __udivdi3(uint64_t dividend, uint64_t divisor)
{
	return __udivmoddi4(dividend, divisor, 0);
}

uint64_t __umoddi3(uint64_t dividend, uint64_t divisor)
{
	uint64_t rest;

	__udivmoddi4(dividend, divisor, &rest);
	return rest;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

int64_t __divdi3(int64_t dividend, int64_t divisor)
{
	uint64_t quotient = __udivmoddi4(magnitude(dividend), magnitude(divisor), 0);

	return (int64_t)((dividend < 0) != (divisor < 0) ? -quotient : quotient);
}

int64_t __moddi3(int64_t dividend, int64_t divisor)
{
	uint64_t rest;

	__udivmoddi4(magnitude(dividend), magnitude(divisor), &rest);
	return (int64_t)(dividend < 0 ? -rest : rest);
}
