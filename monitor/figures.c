/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Figures as text. */
#include "monitor/figures.h"

#include "base/assert.h"
#include "base/format.h"
#include "timekeeping/calendar.h"
#include "timekeeping/date.h"

#define DECIMALS 12 /* of a value in units of 10^-12 */
#define SECOND_NS 1000000000ull
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)
#define DAY_NS (24 * HOUR_NS)

static uint64_t power_of_ten(unsigned exponent)
{
	uint64_t power = 1;

	while (exponent--)
		power *= 10;
	return power;
}

/* value / 10^decimals, without trailing zeros. */
static size_t put_decimal(char *out, size_t bytes, uint64_t value, unsigned decimals)
{
	for (; decimals && value % 10 == 0; decimals--)
		value /= 10;
	if (!decimals)
		return format(out, bytes, "%lu", value);
	return format(out, bytes, "%lu.%0*lu", value / power_of_ten(decimals), (int)decimals,
		      value % power_of_ten(decimals));
}

size_t figure_e12(char *out, size_t bytes, uint64_t value_e12, unsigned decimals)
{
	uint64_t unit, quotient;

	ASSERT(decimals <= DECIMALS);
	unit = power_of_ten(DECIMALS - decimals);
	quotient = value_e12 / unit;
	if (unit > 1 && value_e12 % unit >= unit / 2)
		quotient++;
	return put_decimal(out, bytes, quotient, decimals);
}

size_t figure_measured_e12(char *out, size_t bytes, uint64_t value_e12)
{
	unsigned digits = 0, decimals;

	for (uint64_t rest = value_e12; rest; rest /= 10)
		digits++;
	if (digits <= 6)
		decimals = DECIMALS;
	else
		decimals = digits <= DECIMALS + 6 ? DECIMALS + 6 - digits : 0;
	return figure_e12(out, bytes, value_e12, decimals);
}

size_t figure_ppm(char *out, size_t bytes, int64_t error_e12)
{
	uint64_t magnitude = error_e12 < 0 ? -(uint64_t)error_e12 : (uint64_t)error_e12;
	size_t length = 0;

	if (error_e12)
		length = format(out, bytes, error_e12 < 0 ? "-" : "+");
	length += put_decimal(out + length, bytes - length, magnitude, 6);
	return length + format(out + length, bytes - length, " ppm");
}

size_t figure_rate(char *out, size_t bytes, struct rate rate)
{
	if (rate.den == 1)
		return format(out, bytes, "%lu", rate.num);
	return format(out, bytes, "%lu/%lu", rate.num, rate.den);
}

size_t figure_duration(char *out, size_t bytes, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		char name;
	} units[] = { { DAY_NS, 'd' }, { HOUR_NS, 'h' }, { MINUTE_NS, 'm' } };
	size_t length = 0;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (ns >= units[i].ns)
			length += format(out + length, bytes - length, "%s%lu%c", length ? " " : "", ns / units[i].ns,
					 units[i].name);
		ns %= units[i].ns;
	}
	if (length && !ns)
		return length;
	length += format(out + length, bytes - length, length ? " " : "");
	length += put_decimal(out + length, bytes - length, ns, 9);
	return length + format(out + length, bytes - length, "s");
}

size_t figure_date(char *out, size_t bytes, int64_t unix_seconds)
{
	struct calendar date;

	if (date_check(unix_seconds) != DATE_FINE)
		return format(out, bytes, "%ld", unix_seconds);
	calendar_from_unix(unix_seconds, &date);
	return format(out, bytes, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month, date.day, date.hour,
		      date.minute, date.second);
}
