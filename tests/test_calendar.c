/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claim: the calendar agrees with the C library, on each day from 1970 to 2106 and at samples up to the end of 9999;
 * exactly the dates that exist are valid. */
#define _GNU_SOURCE
#include "timekeeping/calendar.h"

#include "tests/support.h"

#include <time.h>

#define DAY 86400
#define END_OF_2106 4323196799
#define END_OF_9999 253402300799

static void expect_agreement(int64_t unix_seconds)
{
	struct calendar date;
	struct tm tm;
	time_t time = unix_seconds;

	calendar_from_unix(unix_seconds, &date);
	assert_non_null(gmtime_r(&time, &tm));
	assert_int_equal(date.year, tm.tm_year + 1900);
	assert_int_equal(date.month, tm.tm_mon + 1);
	assert_int_equal(date.day, tm.tm_mday);
	assert_int_equal(date.hour, tm.tm_hour);
	assert_int_equal(date.minute, tm.tm_min);
	assert_int_equal(date.second, tm.tm_sec);
	assert_int_equal(date.weekday, tm.tm_wday + 1);
	assert_true(calendar_valid(&date));
	assert_true(timegm(&tm) == unix_seconds);
	assert_true(calendar_to_unix(&date) == unix_seconds);
}

static void test_each_day_to_2106(void **state)
{
	(void)state;
	for (int64_t day = 0; day <= END_OF_2106; day += DAY) {
		expect_agreement(day);
		expect_agreement(day + DAY / 2 + day / DAY % (DAY / 2));
		expect_agreement(day + DAY - 1);
	}
}

static void test_each_day_to_9999(void **state)
{
	(void)state;
	for (int64_t day = 0; day <= END_OF_9999; day += DAY)
		expect_agreement(day);
	expect_agreement(END_OF_9999);
}

static void test_random_seconds(void **state)
{
	uint64_t seed = 146818;

	(void)state;
	for (unsigned long i = share(10000000); i; i--)
		expect_agreement((int64_t)(random_next(&seed) % (END_OF_9999 + 1)));
}

/* A date exists if the C library leaves it as it is. */
static void test_which_days_exist(void **state)
{
	(void)state;
	for (int year = 1970; year <= 2106; year++) {
		for (int month = 0; month <= 13; month++) {
			for (int day = 0; day <= 32; day++) {
				struct calendar date = { .year = year, .month = month, .day = day };
				struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

				timegm(&tm);
				assert_int_equal(calendar_valid(&date), tm.tm_mon == month - 1 && tm.tm_mday == day &&
									tm.tm_year == year - 1900);
			}
		}
	}
}

static void test_which_times_exist(void **state)
{
	struct calendar good = { 2000, 2, 29, 23, 59, 59, 0 };
	struct calendar bad[] = {
		{ 1969, 12, 31, 23, 59, 59, 0 }, { 10000, 1, 1, 0, 0, 0, 0 }, { 2000, 1, 1, 24, 0, 0, 0 },
		{ 2000, 1, 1, -1, 0, 0, 0 },     { 2000, 1, 1, 0, 60, 0, 0 }, { 2000, 1, 1, 0, -1, 0, 0 },
		{ 2000, 1, 1, 0, 0, 60, 0 },     { 2000, 1, 1, 0, 0, -1, 0 }, { 1900, 2, 29, 0, 0, 0, 0 },
	};

	(void)state;
	assert_true(calendar_valid(&good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(calendar_valid(&bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_day_to_2106),
		cmocka_unit_test(test_each_day_to_9999),
		cmocka_unit_test(test_random_seconds),
		cmocka_unit_test(test_which_days_exist),
		cmocka_unit_test(test_which_times_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
