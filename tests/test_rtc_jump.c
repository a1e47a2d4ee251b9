/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Jumps of the calendar (rtc_set_unix): as if the guest had written the time bytes between two updates. Nothing else moves. */
#include "tests/rtc_board.h"
#include "timekeeping/date.h"

#define JUMP_NS (5 * SECOND + 123456789)

/* Claim: in each format the registers show the new date at once and count on from it, at the seconds' old phase; the weekday
 * is the date's, and the alarm bytes and modes stay. */
static void shows_the_new_date_and_counts_on(void **state)
{
	static const int64_t dates[] = { 0, 951782399, INT32_MAX, 1ll << 31, 4107542399, UINT32_MAX, DATE_LAST_UNIX - 1 };

	(void)state;
	for (unsigned f = 0; f < 4; f++)
		for (unsigned d = 0; d < sizeof dates / sizeof *dates; d++) {
			power_on(JULY_2025);
			set_format(formats[f], JULY_2025, 0);
			put(RTC_MINUTES_ALARM, 0x34, 0);
			assert_true(rtc_set_unix(&rtc, dates[d], JUMP_NS));
			assert_int_equal(read_time(JUMP_NS), dates[d]);
			assert_int_equal(read_time(6 * SECOND - 1), dates[d]);
			assert_int_equal(read_time(6 * SECOND), dates[d] + 1);
			assert_int_equal(rtc_unix(&rtc, 6 * SECOND), dates[d] + 1);
			assert_int_equal(get(RTC_WEEKDAY, 6 * SECOND), ((dates[d] + 1) / 86400 + 4) % 7 + 1);
			assert_int_equal(get(RTC_MINUTES_ALARM, 6 * SECOND), 0x34);
			assert_int_equal(get(RTC_B, 6 * SECOND), formats[f]);
		}
}

static void expect_date(const char *text, uint64_t now_ns)
{
	char shown[32];
	time_t there = read_time(now_ns);
	struct tm tm;

	strftime(shown, sizeof shown, "%Y-%m-%d %H:%M:%S", gmtime_r(&there, &tm));
	assert_string_equal(shown, text);
}

/* Claim: the calendar goes on rightly over leap days, the end of 32-bit time, and the year 2100, which has no leap day. */
static void goes_on_over_the_corners_of_the_calendar(void **state)
{
	static const struct {
		const char *to, *then; /* a second before, and two seconds later */
	} rows[] = {
		{ "2024-02-28T23:59:59", "2024-02-29 00:00:01" },
		{ "2024-02-29T23:59:59", "2024-03-01 00:00:01" },
		{ "2025-02-28T23:59:59", "2025-03-01 00:00:01" },
		{ "2100-02-28T23:59:59", "2100-03-01 00:00:01" },
		{ "2000-02-28T23:59:59", "2000-02-29 00:00:01" },
		{ "2038-01-19T03:14:06", "2038-01-19 03:14:08" },
		{ "2099-12-31T23:59:59", "2100-01-01 00:00:01" },
		{ "2106-02-07T06:28:15", "2106-02-07 06:28:17" },
		{ "9999-12-31T23:59:58", "9999-12-31 23:59:59" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t to;

		assert_int_equal(date_parse(rows[i].to, &to), DATE_FINE);
		power_on(JULY_2025);
		assert_true(rtc_set_unix(&rtc, to, JUMP_NS));
		expect_date(rows[i].then, JUMP_NS + 2 * SECOND);
	}
}

/* Claim: no periodic tick is lost, doubled or moved by a thousand jumps, and none comes for what was skipped; nor an
 * update-ended interrupt. */
static void no_interrupt_is_lost_or_doubled(void **state)
{
	uint64_t seed = 7;

	(void)state;
	power_on(JULY_2025);
	put(RTC_A, 0x26, 0);
	put(RTC_B, RTC_B_24H | RTC_B_PIE | RTC_B_UIE, 0);
	for (uint64_t n = 1; n <= 20 * 1024; n++) {
		uint64_t due_ns = (n * SECOND + 1023) / 1024;
		uint8_t whole = n % 1024 ? 0 : RTC_C_UF;

		if (random_next(&seed) % 20 == 0)
			assert_true(rtc_set_unix(&rtc, (int64_t)(random_next(&seed) % DATE_LAST_UNIX), due_ns - 1 - random_next(&seed) % 900000));
		assert_true(event_next_ns(&board.queue) == due_ns);
		board_run(&board, due_ns);
		assert_int_equal(board.rises[RTC_IRQ], n);
		assert_int_equal(get(RTC_C, due_ns), RTC_C_IRQF | RTC_C_PF | whole);
		assert_int_equal(get(RTC_C, due_ns), 0);
	}
	assert_int_equal(rtc_tick(&rtc)->counters.due, 20 * 1024);
	assert_int_equal(rtc_tick(&rtc)->counters.accepted, 20 * 1024);
}

/* Claim: an update that was due at the very moment of the jump has happened before it: its flag and interrupt are there. */
static void what_was_due_before_is_kept(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_B, RTC_B_24H | RTC_B_UIE, 0);
	assert_true(rtc_set_unix(&rtc, 0, SECOND));
	assert_true(board.level[RTC_IRQ]);
	assert_int_equal(get(RTC_C, SECOND) & (RTC_C_IRQF | RTC_C_UF), RTC_C_IRQF | RTC_C_UF);
	assert_true(event_next_ns(&board.queue) == 2 * SECOND);
	assert_int_equal(read_time(2 * SECOND - 1), 0);
	assert_int_equal(read_time(2 * SECOND), 1);
}

/* The alarm at 12:30:00 each day, and a jump from 12:00:00.1 to another time of the day. */
static uint64_t alarm_after_jump(int64_t to)
{
	power_on(JULY_2025 + 12 * 3600);
	put(RTC_A, 0x20, 0);
	put(RTC_SECONDS_ALARM, 0x00, 0);
	put(RTC_MINUTES_ALARM, 0x30, 0);
	put(RTC_HOURS_ALARM, 0x12, 0);
	put(RTC_B, RTC_B_24H | RTC_B_AIE, 0);
	assert_true(event_next_ns(&board.queue) == 1800 * SECOND);
	assert_true(rtc_set_unix(&rtc, to, SECOND / 10));
	assert_false(board.level[RTC_IRQ]);
	assert_int_equal(get(RTC_C, SECOND / 10) & RTC_C_AF, 0);
	return event_next_ns(&board.queue);
}

/* Claim: the alarm comes at the first update that reaches its time. A jump over it or onto it gives none: the chip compares
 * after an update only. */
static void the_alarm_follows_the_new_time(void **state)
{
	int64_t noon = JULY_2025 + 12 * 3600, next_year = noon + 365 * 86400;

	(void)state;
	assert_true(alarm_after_jump(noon + 1799) == SECOND);                      /* to a second before */
	assert_true(alarm_after_jump(noon + 1800) == 86400 * SECOND);              /* onto it: tomorrow's */
	assert_true(alarm_after_jump(noon + 1801) == (86400 - 1) * SECOND);        /* over it */
	assert_true(alarm_after_jump(next_year) == 1800 * SECOND);
	assert_true(alarm_after_jump(next_year + 7200) == (86400 - 5400) * SECOND);
	assert_true(alarm_after_jump(DATE_LAST_UNIX - 3600) == EVENT_NEVER);       /* the calendar ends first */
	assert_true(alarm_after_jump(noon - 1800) == 3600 * SECOND);
	board_run(&board, 3600 * SECOND);
	assert_int_equal(get(RTC_C, 3600 * SECOND), RTC_C_IRQF | RTC_C_AF | RTC_C_UF);
}

/* Claim: while the guest holds its clock, by SET or by the divider, a jump is refused and changes nothing. */
static void a_held_clock_takes_no_jump(void **state)
{
	struct rtc before;

	(void)state;
	power_on(JULY_2025);
	put(RTC_B, RTC_B_24H | RTC_B_SET, SECOND);
	before = rtc;
	assert_false(rtc_set_unix(&rtc, 0, 10 * SECOND));
	assert_memory_equal(&rtc, &before, sizeof rtc);
	assert_int_equal(rtc_unix_ns(&rtc, 10 * SECOND), 0);
	put(RTC_A, 0x76, 11 * SECOND);
	put(RTC_B, RTC_B_24H, 11 * SECOND);
	before = rtc;
	assert_false(rtc_set_unix(&rtc, 0, 12 * SECOND));
	assert_memory_equal(&rtc, &before, sizeof rtc);
	put(RTC_A, 0x26, 20 * SECOND);
	assert_true(rtc_set_unix(&rtc, 0, 20 * SECOND));
	assert_int_equal(rtc_unix_ns(&rtc, 20 * SECOND), SECOND / 2); /* the first update is half a second away */
	assert_int_equal(read_time(20 * SECOND + SECOND / 2), 1);
}

static void count_ends(void *context)
{
	++*(unsigned *)context;
}

/* Claim: at its end the calendar stands, updates go on, no alarm comes, and it is told; a jump back lets it go on. */
static void the_calendar_ends_and_stands(void **state)
{
	unsigned ends = 0;

	(void)state;
	power_on(DATE_LAST_UNIX - 5);
	rtc.ended = count_ends;
	rtc.ended_context = &ends;
	put(RTC_SECONDS_ALARM, 0xff, 0);
	put(RTC_MINUTES_ALARM, 0xff, 0);
	put(RTC_HOURS_ALARM, 0xff, 0);
	put(RTC_B, RTC_B_24H | RTC_B_AIE, 0);
	for (unsigned second = 1; second <= 5; second++) {
		board_run(&board, second * SECOND);
		assert_int_equal(get(RTC_C, second * SECOND) & (RTC_C_AF | RTC_C_UF), RTC_C_AF | RTC_C_UF);
	}
	assert_int_equal(ends, 0);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	assert_int_equal(get(RTC_C, 6 * SECOND) & (RTC_C_AF | RTC_C_UF), RTC_C_UF);
	assert_true(ends > 0);
	expect_date("9999-12-31 23:59:59", 1000000 * SECOND);
	assert_int_equal(get(RTC_WEEKDAY, 1000000 * SECOND), 6); /* a Friday */
	assert_true(rtc_set_unix(&rtc, JULY_2025, 1000000 * SECOND));
	assert_true(event_next_ns(&board.queue) == 1000001 * SECOND);
	assert_int_equal(read_time(1000001 * SECOND), JULY_2025 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_new_date_and_counts_on),
		cmocka_unit_test(goes_on_over_the_corners_of_the_calendar),
		cmocka_unit_test(no_interrupt_is_lost_or_doubled),
		cmocka_unit_test(what_was_due_before_is_kept),
		cmocka_unit_test(the_alarm_follows_the_new_time),
		cmocka_unit_test(a_held_clock_takes_no_jump),
		cmocka_unit_test(the_calendar_ends_and_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
