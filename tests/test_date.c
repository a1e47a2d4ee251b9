/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Dates as operators write them, against the C library and against tables: each that cannot be is refused with its reason,
 * and changes nothing. */
#define _GNU_SOURCE
#include "timekeeping/date.h"

#include "tests/support.h"
#include "timekeeping/calendar.h"

#include <inttypes.h>
#include <time.h>

#define UNCHANGED 4711

static void expect(const char *text, int64_t from_unix, enum date_fault fault, int64_t to_unix)
{
	/* an exact copy on the heap, so that reading past its end is seen */
	char *copy = strdup(text);
	int64_t unix_seconds = UNCHANGED;
	enum date_fault found = date_move(copy, from_unix, &unix_seconds);

	if (found != fault || unix_seconds != (fault == DATE_FINE ? to_unix : UNCHANGED))
		fail_msg("\"%s\" from %" PRId64 ": fault %d, %" PRId64, text, from_unix, found, unix_seconds);
	free(copy);
}

static void moments(void **state)
{
	static const struct {
		const char *text;
		enum date_fault fault;
		int64_t unix_seconds;
	} rows[] = {
		{ "1970-01-01", DATE_FINE, 0 },
		{ "1970-01-01T00:00:01", DATE_FINE, 1 },
		{ "2025-01-31T12:34:56", DATE_FINE, 1738326896 },
		{ "2025-01-31T12:34:56Z", DATE_FINE, 1738326896 },
		{ "2025-01-31", DATE_FINE, 1738281600 },
		{ "2000-02-29", DATE_FINE, 951782400 },
		{ "2038-01-19T03:14:08", DATE_FINE, 1ll << 31 },
		{ "2106-02-07T06:28:16Z", DATE_FINE, 1ll << 32 },
		{ "2100-02-28T23:59:59Z", DATE_FINE, 4107542399 },
		{ "9999-12-31T23:59:59Z", DATE_FINE, DATE_LAST_UNIX },
		{ "", DATE_UNREADABLE, 0 },
		{ "now", DATE_UNREADABLE, 0 },
		{ "2025", DATE_UNREADABLE, 0 },
		{ "2025-01", DATE_UNREADABLE, 0 },
		{ "2025-01-", DATE_UNREADABLE, 0 },
		{ "2025-1-31", DATE_UNREADABLE, 0 },
		{ "25-01-31", DATE_UNREADABLE, 0 },
		{ "2025-01-31Z", DATE_UNREADABLE, 0 },
		{ "2025-01-31 12:34:56", DATE_UNREADABLE, 0 },
		{ "2025-01-31T12:34", DATE_UNREADABLE, 0 },
		{ "2025-01-31T12:34:56ZZ", DATE_UNREADABLE, 0 },
		{ "2025-01-31T12:34:56+01:00", DATE_UNREADABLE, 0 },
		{ "-2025-01-31", DATE_UNREADABLE, 0 },
		{ "2025-01--1", DATE_UNREADABLE, 0 },
		{ "1738326896", DATE_UNREADABLE, 0 },
		{ "2025-13-01", DATE_NO_SUCH_MONTH, 0 },
		{ "2025-00-01", DATE_NO_SUCH_MONTH, 0 },
		{ "2025-02-29", DATE_NO_SUCH_DAY, 0 },
		{ "2025-02-31", DATE_NO_SUCH_DAY, 0 },
		{ "2100-02-29", DATE_NO_SUCH_DAY, 0 },
		{ "2025-04-31", DATE_NO_SUCH_DAY, 0 },
		{ "2025-01-00", DATE_NO_SUCH_DAY, 0 },
		{ "2025-01-31T24:00:00", DATE_NO_SUCH_TIME, 0 },
		{ "2025-01-31T12:60:00", DATE_NO_SUCH_TIME, 0 },
		{ "2025-01-31T12:34:60", DATE_NO_SUCH_TIME, 0 },
		{ "1969-12-31", DATE_BEFORE_1970, 0 },
		{ "0000-01-01", DATE_BEFORE_1970, 0 },
		{ "10000-01-01", DATE_AFTER_9999, 0 },
		{ "99999999999999999999-01-01T00:00:00Z", DATE_AFTER_9999, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t unix_seconds = UNCHANGED;

		expect(rows[i].text, 0, rows[i].fault, rows[i].unix_seconds);
		if (*rows[i].text == '-')
			continue;
		assert_int_equal(date_parse(rows[i].text, &unix_seconds), rows[i].fault);
		assert_true(strlen(date_fault_text(rows[i].fault)) > 0 || rows[i].fault == DATE_FINE);
	}
}

static void steps(void **state)
{
	static const struct {
		const char *from, *step, *to; /* to NULL: a fault */
		enum date_fault fault;
	} rows[] = {
		{ "2025-01-31T12:34:56", "+0s", "2025-01-31T12:34:56", DATE_FINE },
		{ "2025-01-31T12:34:56", "+1y", "2026-01-31T12:34:56", DATE_FINE },
		{ "2025-01-31T12:34:56", "+1mo", "2025-02-28T12:34:56", DATE_FINE },
		{ "2024-01-31T12:34:56", "+1mo", "2024-02-29T12:34:56", DATE_FINE },
		{ "2025-03-31T00:00:00", "-1mo", "2025-02-28T00:00:00", DATE_FINE },
		{ "2024-02-29T23:59:59", "+1y", "2025-02-28T23:59:59", DATE_FINE },
		{ "2024-02-29T23:59:59", "+4y", "2028-02-29T23:59:59", DATE_FINE },
		{ "2096-02-29T00:00:00", "+4y", "2100-02-28T00:00:00", DATE_FINE },
		{ "2024-12-31T00:00:00", "+2mo", "2025-02-28T00:00:00", DATE_FINE },
		{ "2025-01-15T00:00:00", "-13mo", "2023-12-15T00:00:00", DATE_FINE },
		{ "2025-01-31T12:34:56", "+30d", "2025-03-02T12:34:56", DATE_FINE },
		{ "2024-02-28T12:00:00", "+1d", "2024-02-29T12:00:00", DATE_FINE },
		{ "2025-01-01T01:00:00", "-2h", "2024-12-31T23:00:00", DATE_FINE },
		{ "2025-01-01T01:00:00", "+90m", "2025-01-01T02:30:00", DATE_FINE },
		{ "2038-01-19T03:14:07", "+1s", "2038-01-19T03:14:08", DATE_FINE },
		{ "1970-01-01T00:00:01", "-1s", "1970-01-01T00:00:00", DATE_FINE },
		{ "1970-01-01T00:00:00", "-1s", NULL, DATE_BEFORE_1970 },
		{ "1970-12-31T00:00:00", "-1y", NULL, DATE_BEFORE_1970 },
		{ "1971-01-01T00:00:00", "-1y", "1970-01-01T00:00:00", DATE_FINE },
		{ "9999-12-31T23:59:58", "+1s", "9999-12-31T23:59:59", DATE_FINE },
		{ "9999-12-31T23:59:59", "+1s", NULL, DATE_AFTER_9999 },
		{ "9998-12-31T00:00:00", "+1y", "9999-12-31T00:00:00", DATE_FINE },
		{ "9999-01-01T00:00:00", "+1y", NULL, DATE_AFTER_9999 },
		{ "9999-12-01T00:00:00", "+1mo", NULL, DATE_AFTER_9999 },
		{ "2025-01-01T00:00:00", "+9223372036854775807y", NULL, DATE_AFTER_9999 },
		{ "2025-01-01T00:00:00", "-9223372036854775807mo", NULL, DATE_BEFORE_1970 },
		{ "2025-01-01T00:00:00", "+9223372036854775807mo", NULL, DATE_AFTER_9999 },
		{ "2025-01-01T00:00:00", "-9223372036854775808s", NULL, DATE_BEFORE_1970 },
		{ "2025-01-01T00:00:00", "+9223372036854775807s", NULL, DATE_AFTER_9999 },
		{ "2025-01-01T00:00:00", "+184467440737095516160000000s", NULL, DATE_AFTER_9999 },
		{ "2025-01-01T00:00:00", "-184467440737095516160000000d", NULL, DATE_BEFORE_1970 },
		{ "2025-01-01T00:00:00", "+1", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+y", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "1y", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1.5h", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1yy", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1mon", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1ms", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+-1d", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1d ", NULL, DATE_UNREADABLE },
		{ "2025-01-01T00:00:00", "+1y2mo", NULL, DATE_UNREADABLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t from, to = 0;

		assert_int_equal(date_parse(rows[i].from, &from), DATE_FINE);
		if (rows[i].to)
			assert_int_equal(date_parse(rows[i].to, &to), DATE_FINE);
		expect(rows[i].step, from, rows[i].fault, to);
	}
}

static int64_t c_library(int64_t from, char unit, int64_t count)
{
	time_t time = from;
	struct tm tm;

	gmtime_r(&time, &tm);
	switch (unit) {
	case 'y':
	case 'o':
		tm.tm_mon += (int)(unit == 'y' ? count * 12 : count);
		tm.tm_year += tm.tm_mon >= 0 ? tm.tm_mon / 12 : -((11 - tm.tm_mon) / 12);
		tm.tm_mon = (tm.tm_mon % 12 + 12) % 12;
		for (int month = tm.tm_mon;; tm.tm_mon = month, tm.tm_mday--) {
			struct tm tried = tm;
			time_t there = timegm(&tried);

			if (tried.tm_mon == month)
				return there;
		}
	case 'd': return from + 86400 * count;
	case 'h': return from + 3600 * count;
	case 'm': return from + 60 * count;
	}
	return from + count;
}

/* Claim: a step is what the C library makes of it, over the whole calendar, and refused exactly where it leaves it. */
static void steps_agree_with_the_c_library(void **state)
{
	static const char *const names[] = { "y", "mo", "d", "h", "m", "s" };
	static const char units[] = "yodhms";
	uint64_t seed = 2038;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		int64_t from = (int64_t)(random_next(&seed) % (DATE_LAST_UNIX + 1));
		int64_t count = (int64_t)(random_next(&seed) % (10000ull << random_next(&seed) % 20)), to;
		unsigned unit = (unsigned)(random_next(&seed) % 6);
		bool back = random_next(&seed) % 2;
		char text[40];

		if (unit < 2)
			count %= 12000;
		snprintf(text, sizeof text, "%c%" PRId64 "%s", back ? '-' : '+', count, names[unit]);
		to = c_library(from, units[unit], back ? -count : count);
		expect(text, from, date_check(to), to);
	}
}

/* Claim: whatever the text is, the answer is a date of the calendar or a fault. */
static void noise_does_no_harm(void **state)
{
	static const char alphabet[] = "+-0123456789TZ:ymodhs. ";
	uint64_t seed = 146818;

	(void)state;
	for (unsigned long i = 0; i < share(5000000); i++) {
		char text[24];
		size_t length = random_next(&seed) % sizeof text;
		int64_t unix_seconds = UNCHANGED;
		enum date_fault fault;

		for (size_t at = 0; at < length; at++)
			text[at] = alphabet[random_next(&seed) % (sizeof alphabet - 1)];
		text[length] = 0;
		fault = date_move(text, 1738326896, &unix_seconds);
		if (fault == DATE_FINE)
			assert_int_equal(date_check(unix_seconds), DATE_FINE);
		else
			assert_int_equal(unix_seconds, UNCHANGED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments),
		cmocka_unit_test(steps),
		cmocka_unit_test(steps_agree_with_the_c_library),
		cmocka_unit_test(noise_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
