/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: a measured interval always holds the true frequency, whatever the reads' moments were; clocks that
 * agree give the narrowest interval, clocks that do not are refused by name; one whole MHz in a narrow interval
 * is taken, and else the middle. The host's RTC registers become the seconds that the C library finds. */
#include "host/clock_math.h"
#include "host/rtc.h"
#include "tests/support.h"

#include <time.h>

/* A TSC of hz and a reference of reference_hz run from 0; each end is caught with random slack around the
 * reference's edge. */
static void intervals_hold_the_truth(void **state)
{
	uint64_t random = 1;

	for (unsigned long n = share(10000000); n; n--) {
		uint64_t hz = 50000000 + random_next(&random) % 5950000000ull;
		uint64_t reference_hz = 1000000 + random_next(&random) % 99000000;
		uint64_t ticks = reference_hz / 100 + random_next(&random) % reference_hz;
		uint64_t start = random_next(&random);
		uint64_t end = start + (uint64_t)((unsigned __int128)ticks * hz / reference_hz);
		struct moment a = { start - random_next(&random) % 5000, start + random_next(&random) % 5000 };
		struct moment b = { end - random_next(&random) % 5000, end + 1 + random_next(&random) % 5000 };
		struct hz_interval i = calibrate_interval(a, b, ticks, ticks, reference_hz);

		assert_true(i.low_hz <= hz && hz <= i.high_hz);
		assert_true(i.high_hz - i.low_hz <= 20002 * reference_hz / ticks + 2);
	}
}

static void intervals_are_rounded_outwards(void **state)
{
	struct hz_interval i = calibrate_interval((struct moment){ 0, 1 }, (struct moment){ 11, 12 }, 7, 7, 10);

	assert_int_equal(i.low_hz, 14);  /* 100 / 7 */
	assert_int_equal(i.high_hz, 18); /* 120 / 7 */
}

static void senseless_measurements_say_nothing(void **state)
{
	struct moment early = { 1000, 1010 }, late = { 2000, 2010 }, huge = { UINT64_MAX - 20, UINT64_MAX - 10 };
	struct hz_interval i;

	i = calibrate_interval(early, late, 0, 0, 1000);
	assert_true(i.low_hz == 0 && i.high_hz == UINT64_MAX);
	i = calibrate_interval(late, early, 5, 5, 1000);
	assert_true(i.low_hz == 0 && i.high_hz == UINT64_MAX);
	i = calibrate_interval(early, late, 6, 5, 1000);
	assert_true(i.low_hz == 0 && i.high_hz == UINT64_MAX);
	i = calibrate_interval(early, huge, 5, 5, 1000);
	assert_true(i.low_hz == 0 && i.high_hz == UINT64_MAX);
	assert_true(calibrate_width_ppb(i) > 900000000);
	assert_int_equal(calibrate_width_ppb((struct hz_interval){ 999999000, 1000000000 }), 1000);
}

static void agreeing_clocks_give_the_narrowest(void **state)
{
	const struct calibrate_source sources[] = {
		{ "PM timer", { 2999000000, 3001000000 } },
		{ "HPET", { 2999990000, 3000010000 } },
		{ "PIT", { 2997000000, 2999980000 } }, /* apart, but by less than 500 ppm */
	};
	struct hz_interval best;
	struct refusal why = { 0 };

	assert_true(calibrate_agree(sources, 3, &best, &why));
	assert_int_equal(best.low_hz, 2999990000);
	assert_int_equal(best.high_hz, 3000010000);
}

static void disagreeing_clocks_are_named(void **state)
{
	const struct calibrate_source sources[] = {
		{ "PM timer", { 2999000000, 3001000000 } },
		{ "HPET", { 3003000000, 3004000000 } },
	};
	struct hz_interval best;
	struct refusal why = { 0 };

	assert_false(calibrate_agree(sources, 2, &best, &why));
	assert_int_equal(why.number, 141);
	assert_non_null(strstr(why.text, "PM timer"));
	assert_non_null(strstr(why.text, "HPET"));
	assert_non_null(strstr(why.text, "3003000000"));
	assert_false(calibrate_agree(sources, 0, &best, &why));
	assert_int_equal(why.number, 142);
}

static void whole_megahertz_are_picked(void **state)
{
	static const struct {
		struct hz_interval interval;
		uint64_t hz;
	} rows[] = {
		{ { 999998765, 1000001234 }, 1000000000 },
		{ { 1000000000, 1000000010 }, 1000000000 },
		{ { 999999990, 1000000000 }, 1000000000 },
		{ { 1000000001, 1000000011 }, 1000000006 },  /* none inside */
		{ { 2099989000, 2100010000 }, 2099999500 },  /* too wide */
		{ { 2999995000, 3000015000 }, 3000000000 },
		{ { 0, 10 }, 5 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(calibrate_pick(rows[i].interval), rows[i].hz);
}

static uint8_t bcd(int value)
{
	return (uint8_t)(value / 10 * 16 + value % 10);
}

static uint8_t hour_register(int hour, bool binary, bool hours_24)
{
	int shown = hours_24 ? hour : hour % 12 ? hour % 12 : 12;
	uint8_t value = binary ? (uint8_t)shown : bcd(shown);

	return hours_24 || hour < 12 ? value : value | 0x80;
}

static void rtc_registers_become_seconds(void **state)
{
	uint64_t random = 7;

	for (unsigned long n = share(4000000); n; n--) {
		time_t when = (time_t)(random_next(&random) % 4291747200ull); /* to the end of 2105 */
		bool binary = random & 1, hours_24 = random & 2, century = random & 4;
		struct tm t;
		int64_t seconds;

		gmtime_r(&when, &t);
		struct host_rtc_registers r = {
			.seconds = binary ? (uint8_t)t.tm_sec : bcd(t.tm_sec),
			.minutes = binary ? (uint8_t)t.tm_min : bcd(t.tm_min),
			.hours = hour_register(t.tm_hour, binary, hours_24),
			.day = binary ? (uint8_t)t.tm_mday : bcd(t.tm_mday),
			.month = binary ? (uint8_t)(t.tm_mon + 1) : bcd(t.tm_mon + 1),
			.year = binary ? (uint8_t)(t.tm_year % 100) : bcd(t.tm_year % 100),
			.century = binary ? (uint8_t)(19 + t.tm_year / 100) : bcd(19 + t.tm_year / 100),
			.status_b = (uint8_t)((binary ? 4 : 0) | (hours_24 ? 2 : 0)),
		};
		if (!century && t.tm_year < 170)
			r.century = 0;
		assert_true(host_rtc_to_unix(&r, &seconds));
		assert_int_equal(seconds, when);
	}
}

static void impossible_dates_are_refused(void **state)
{
	static const struct host_rtc_registers good = { 0x59, 0x59, 0x23, 0x28, 0x02, 0x23, 0x20, 2 };
	struct host_rtc_registers bad[] = { good, good, good, good, good, good, good, good };
	int64_t seconds;

	assert_true(host_rtc_to_unix(&good, &seconds));
	bad[0].seconds = 0x60;
	bad[1].minutes = 0x60;
	bad[2].hours = 0x24;
	bad[3].day = 0;
	bad[4].day = 0x29;
	bad[5].month = 0x13;
	bad[6].month = 0;
	bad[7].status_b = 0; /* 12 hours: there is no hour 23 */
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(host_rtc_to_unix(&bad[i], &seconds));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_hold_the_truth),
		cmocka_unit_test(intervals_are_rounded_outwards),
		cmocka_unit_test(senseless_measurements_say_nothing),
		cmocka_unit_test(agreeing_clocks_give_the_narrowest),
		cmocka_unit_test(disagreeing_clocks_are_named),
		cmocka_unit_test(whole_megahertz_are_picked),
		cmocka_unit_test(rtc_registers_become_seconds),
		cmocka_unit_test(impossible_dates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
