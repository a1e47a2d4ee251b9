/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading dates. A year has four digits: more are behind the calendar's end, fewer are none. */
#include "timekeeping/date.h"

#include "timekeeping/calendar.h"

#include <stddef.h>

#define FIRST_YEAR 1970
#define LAST_YEAR 9999

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads exactly that many digits and moves *text behind them. */
static bool read_digits(const char **text, int digits, int *value)
{
	*value = 0;
	for (; digits; digits--, (*text)++) {
		if (!is_digit(**text))
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return true;
}

static bool read_separator(const char **text, char separator)
{
	return *(*text)++ == separator;
}

static bool read_day(const char **text, struct calendar *date)
{
	return read_separator(text, '-') && read_digits(text, 2, &date->month) && read_separator(text, '-') &&
	       read_digits(text, 2, &date->day);
}

static bool read_time(const char **text, struct calendar *date)
{
	return read_separator(text, 'T') && read_digits(text, 2, &date->hour) && read_separator(text, ':') &&
	       read_digits(text, 2, &date->minute) && read_separator(text, ':') && read_digits(text, 2, &date->second);
}

static enum date_fault judge(const struct calendar *date)
{
	if (date->month < 1 || date->month > 12)
		return DATE_NO_SUCH_MONTH;
	if (date->day < 1 || date->day > calendar_month_days(date->year, date->month))
		return DATE_NO_SUCH_DAY;
	if (date->hour > 23 || date->minute > 59 || date->second > 59)
		return DATE_NO_SUCH_TIME;
	return date->year < FIRST_YEAR ? DATE_BEFORE_1970 : DATE_FINE;
}

enum date_fault date_parse(const char *text, int64_t *unix_seconds)
{
	struct calendar date = { .hour = 0 };
	enum date_fault fault;
	bool late;

	if (!read_digits(&text, 4, &date.year))
		return DATE_UNREADABLE;
	late = is_digit(*text);
	while (is_digit(*text))
		text++;
	if (!read_day(&text, &date))
		return DATE_UNREADABLE;
	if (*text) {
		if (!read_time(&text, &date))
			return DATE_UNREADABLE;
		text += *text == 'Z';
	}
	if (*text)
		return DATE_UNREADABLE;
	if (late)
		return DATE_AFTER_9999;
	fault = judge(&date);
	if (fault == DATE_FINE)
		*unix_seconds = calendar_to_unix(&date);
	return fault;
}

enum date_fault date_check(int64_t unix_seconds)
{
	if (unix_seconds < 0)
		return DATE_BEFORE_1970;
	return unix_seconds > DATE_LAST_UNIX ? DATE_AFTER_9999 : DATE_FINE;
}

static enum date_fault move_seconds(int64_t seconds, int64_t from_unix, int64_t *unix_seconds)
{
	int64_t to;
	enum date_fault fault;

	if (__builtin_add_overflow(from_unix, seconds, &to))
		return seconds < 0 ? DATE_BEFORE_1970 : DATE_AFTER_9999;
	fault = date_check(to);
	if (fault == DATE_FINE)
		*unix_seconds = to;
	return fault;
}

static enum date_fault move_months(int64_t months, int64_t from_unix, int64_t *unix_seconds)
{
	struct calendar date;
	int64_t month; /* counted from January of the year 0 */
	int days;

	calendar_from_unix(from_unix, &date);
	if (__builtin_add_overflow(months, date.year * 12 + date.month - 1, &month) || month >= (LAST_YEAR + 1) * 12)
		return DATE_AFTER_9999;
	if (month < FIRST_YEAR * 12)
		return DATE_BEFORE_1970;
	date.year = (int)(month / 12);
	date.month = (int)(month % 12) + 1;
	days = calendar_month_days(date.year, date.month);
	date.day = date.day < days ? date.day : days;
	*unix_seconds = calendar_to_unix(&date);
	return DATE_FINE;
}

struct unit {
	char name[3];
	bool is_months;
	int64_t count; /* months or seconds */
};

static const struct unit units[] = {
	{ "y", true, 12 }, { "mo", true, 1 }, { "d", false, 86400 }, { "h", false, 3600 }, { "m", false, 60 }, { "s", false, 1 },
};

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (name[0] == units[i].name[0] && name[1] == units[i].name[1] && (!name[1] || !name[2]))
			return &units[i];
	return NULL;
}

/* What is too large for 64 bits is beyond both ends of the calendar all the same. */
static int64_t read_number(const char **text)
{
	int64_t number = 0;

	for (; is_digit(**text); (*text)++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, **text - '0', &number))
			number = INT64_MAX;
	return number;
}

enum date_fault date_move(const char *text, int64_t from_unix, int64_t *unix_seconds)
{
	bool back = *text == '-';
	const struct unit *unit;
	int64_t number;

	if (!back && *text != '+')
		return date_parse(text, unix_seconds);
	if (!is_digit(*++text))
		return DATE_UNREADABLE;
	number = read_number(&text);
	unit = find_unit(text);
	if (!unit)
		return DATE_UNREADABLE;
	if (__builtin_mul_overflow(number, back ? -unit->count : unit->count, &number))
		return back ? DATE_BEFORE_1970 : DATE_AFTER_9999;
	return unit->is_months ? move_months(number, from_unix, unix_seconds) : move_seconds(number, from_unix, unix_seconds);
}

const char *date_fault_text(enum date_fault fault)
{
	switch (fault) {
	case DATE_FINE:
		break;
	case DATE_UNREADABLE:
		return "that is no date";
	case DATE_NO_SUCH_MONTH:
		return "there is no such month: they are 01 to 12";
	case DATE_NO_SUCH_DAY:
		return "that month has no such day";
	case DATE_NO_SUCH_TIME:
		return "no day has such a time: 00:00:00 to 23:59:59";
	case DATE_BEFORE_1970:
		return "the calendar begins at 1970-01-01T00:00:00Z";
	case DATE_AFTER_9999:
		return "the calendar ends at 9999-12-31T23:59:59Z";
	}
	return "";
}
