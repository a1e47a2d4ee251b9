/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the host tests share. */
#include "tests/support.h"

#include "base/assert.h"

void assert_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
	abort();
}

unsigned long share(unsigned long full)
{
	const char *text = getenv("FOLIOT_SHARE");
	unsigned long percent = text ? strtoul(text, NULL, 10) : 1;
	unsigned long part = full / 100 * percent + full % 100 * percent / 100;

	return part ? part : 1;
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}
