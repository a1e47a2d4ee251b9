/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading rates, durations and numbers exactly: a decimal is a fraction whose denominator is a power of ten,
 * and every product is checked, so that nothing is rounded and nothing wraps. */
#include "vm/quantity.h"

#include "base/mem.h"
#include "timekeeping/arith.h"

/* value / scale, scale a power of ten */
struct decimal {
	uint64_t value, scale;
};

struct unit {
	char name[3];
	uint64_t ns;
};

static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * 1000000000ull },
	{ "h", 3600 * 1000000000ull },
	{ "d", 86400 * 1000000000ull },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool append_digit(uint64_t *value, uint64_t base, uint64_t digit)
{
	return !__builtin_mul_overflow(*value, base, value) && !__builtin_add_overflow(*value, digit, value);
}

/* Digits, and after a point at least one more. Moves *at behind what it read. */
static bool read_decimal(const char **at, struct decimal *decimal)
{
	const char *p = *at;

	*decimal = (struct decimal){ 0, 1 };
	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++)
		if (!append_digit(&decimal->value, 10, (uint64_t)(*p - '0')))
			return false;
	if (*p == '.') {
		if (!is_digit(*++p))
			return false;
		for (; is_digit(*p); p++)
			if (!append_digit(&decimal->value, 10, (uint64_t)(*p - '0')) ||
			    !append_digit(&decimal->scale, 10, 0))
				return false;
	}
	*at = p;
	return true;
}

/* The unit at *at in ns, or 0 where there is none. The name must end there: at the end of the text or at a slash. */
static uint64_t read_unit(const char **at)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t length = strlen(units[i].name);

		if (!strncmp(*at, units[i].name, length) && (!(*at)[length] || (*at)[length] == '/')) {
			*at += length;
			return units[i].ns;
		}
	}
	return 0;
}

static void cancel(uint64_t *a, uint64_t *b)
{
	uint64_t common = gcd(*a, *b);

	if (common) {
		*a /= common;
		*b /= common;
	}
}

/* (a * a_unit) / (b * b_unit), with the common factors out before anything is multiplied. */
static bool quotient(struct decimal a, uint64_t a_unit, struct decimal b, uint64_t b_unit, struct rate *rate)
{
	cancel(&a.value, &b.value);
	cancel(&a_unit, &b_unit);
	cancel(&b.scale, &a.scale);
	cancel(&a.value, &a.scale);
	cancel(&a.value, &b_unit);
	cancel(&a_unit, &b.value);
	cancel(&a_unit, &a.scale);
	cancel(&b.scale, &b.value);
	cancel(&b.scale, &b_unit);
	return !__builtin_mul_overflow(a.value, a_unit, &rate->num) &&
	       !__builtin_mul_overflow(rate->num, b.scale, &rate->num) &&
	       !__builtin_mul_overflow(b.value, b_unit, &rate->den) &&
	       !__builtin_mul_overflow(rate->den, a.scale, &rate->den);
}

bool parse_rate(const char *text, struct rate *rate)
{
	struct decimal a, b = { 1, 1 };
	uint64_t a_unit, b_unit = 0;
	struct rate parsed;

	if (!read_decimal(&text, &a))
		return false;
	a_unit = read_unit(&text);
	if (*text == '/') {
		text++;
		if (!read_decimal(&text, &b))
			return false;
		b_unit = read_unit(&text);
	}
	if (*text || !a_unit != !b_unit || !b.value)
		return false;
	if (!quotient(a, a_unit ? a_unit : 1, b, b_unit ? b_unit : 1, &parsed) || !rate_reduce(&parsed))
		return false;
	*rate = parsed;
	return true;
}

bool parse_duration_ns(const char *text, uint64_t *ns)
{
	struct decimal count;
	uint64_t unit;
	uint64_t product;

	if (!read_decimal(&text, &count))
		return false;
	unit = read_unit(&text);
	if (!unit || *text)
		return false;
	cancel(&count.value, &count.scale);
	cancel(&unit, &count.scale);
	if (count.scale != 1 || __builtin_mul_overflow(count.value, unit, &product) || product >> 63)
		return false;
	*ns = product;
	return true;
}

static bool hex_digit(char c, uint64_t *digit)
{
	if (is_digit(c))
		*digit = (uint64_t)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*digit = (uint64_t)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

bool parse_number(const char *text, uint64_t limit, uint64_t *value)
{
	uint64_t base = 10, digit, number = 0;

	if (text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++)
		if (!hex_digit(*text, &digit) || digit >= base || !append_digit(&number, base, digit))
			return false;
	if (number > limit)
		return false;
	*value = number;
	return true;
}
