/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading the shape of an HPET. */
#include "vm/hpet_shape.h"

#include "base/mem.h"

#include <stddef.h>

#define DEFAULT_HZ 100000000ull

/* Digits, up to limit. Returns what follows them; NULL: there are none, or it is more. */
static const char *take_number(const char *text, uint64_t limit, uint64_t *value)
{
	if (*text < '0' || *text > '9')
		return NULL;
	for (*value = 0; *text >= '0' && *text <= '9'; text++) {
		*value = *value * 10 + (uint64_t)(*text - '0');
		if (*value > limit)
			return NULL;
	}
	return text;
}

/* "<n>x64" or "<n>x32", of which there may be one each. */
static const char *take_group(const char *text, struct hpet_shape *shape)
{
	uint64_t count, bits;
	uint8_t *group;

	text = take_number(text, HPET_TIMERS_MOST, &count);
	if (!text || !count || *text != 'x')
		return NULL;
	text = take_number(text + 1, 64, &bits);
	if (!text || (bits != 64 && bits != 32))
		return NULL;
	group = bits == 64 ? &shape->wide : &shape->narrow;
	if (*group)
		return NULL;
	*group = (uint8_t)count;
	return text;
}

static bool take_hz(const char *text, uint64_t *hz)
{
	if (*text == '@')
		text = take_number(text + 1, HPET_HZ_MOST, hz);
	return text && !*text && *hz >= HPET_HZ_LEAST;
}

bool hpet_shape_parse(const char *text, struct hpet_shape *shape)
{
	struct hpet_shape found = { .hz = DEFAULT_HZ };

	if (!strcmp(text, "none")) {
		*shape = found;
		return true;
	}
	text = take_group(text, &found);
	if (text && *text == '+')
		text = take_group(text + 1, &found);
	if (!text || !take_hz(text, &found.hz))
		return false;
	if (found.wide + found.narrow < (int)HPET_TIMERS_LEAST || found.wide + found.narrow > (int)HPET_TIMERS_MOST)
		return false;
	*shape = found;
	return true;
}
