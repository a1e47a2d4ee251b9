/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The RTC's calendar and memory, against the MC146818A data sheet and the C library. */
#include "tests/rtc_board.h"

/* Claim: right after power-on the bytes are those of the data sheet's table 4. */
static void starts_in_bcd_and_24_hours(void **state)
{
	static const uint8_t indices[] = { 0, 2, 4, 6, 7, 8, 9, 0x32, 0x0a, 0x0b, 0x0c, 0x0d };
	static const uint8_t bytes[] = { 0x59, 0x47, 0x23, 4, 0x29, 0x02, 0x96, 0x20, 0x26, 0x02, 0x00, 0x80 };

	(void)state;
	power_on(3981397679); /* 2096-02-29T23:47:59Z, a Wednesday */
	for (unsigned i = 0; i < sizeof(bytes); i++)
		assert_int_equal(get(indices[i], 0), bytes[i]);
	assert_int_equal(get(RTC_SECONDS, SECOND), 0);
	assert_int_equal(get(RTC_MINUTES, SECOND), 0x48);
}

/* Claim: at any moment, in all four formats, the registers show unix_at_zero plus the whole seconds of guest time. */
static void shows_whole_seconds_of_guest_time(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned long i = 0; i < share(400000); i++) {
		int64_t start = (int64_t)(random_next(&seed) % 4291747200); /* 1970 to 2105 */
		uint64_t now_ns = random_next(&seed) >> (2 + random_next(&seed) % 50);

		power_on(start);
		set_format(formats[i % 4], start, 0);
		assert_int_equal(read_time(now_ns), start + (int64_t)(now_ns / SECOND));
		assert_int_equal(rtc_unix(&rtc, now_ns), start + (int64_t)(now_ns / SECOND));
		now_ns = (now_ns / SECOND + 1) * SECOND;
		assert_int_equal(rtc_unix(&rtc, now_ns - 1), start + (int64_t)(now_ns / SECOND) - 1);
		assert_int_equal(read_time(now_ns - 1), start + (int64_t)(now_ns / SECOND) - 1);
		assert_int_equal(read_time(now_ns), start + (int64_t)(now_ns / SECOND));
	}
}

/* Claim: each second of a day has its byte in each format. */
static void counts_through_a_day_in_each_format(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 4; f++) {
		power_on(0);
		set_format(formats[f], JULY_2025, 0);
		for (unsigned second = 0; second < 86400; second += 1 + 97 * (second % 3600 > 2)) {
			assert_int_equal(get(RTC_HOURS, second * SECOND), to_hour((int)(second / 3600), formats[f]));
			assert_int_equal(read_time(second * SECOND), JULY_2025 + second);
		}
	}
}

/* Claim: the calendar is right on the first and last day of each month from 1970 to 2106, and beyond to 9999
 * through the century byte, where it stays. */
static void knows_all_months(void **state)
{
	(void)state;
	for (int year = 1970; year <= 9999; year += year < 2107 ? 1 : 131) {
		for (int month = 0; month < 12; month++) {
			struct tm tm = { .tm_year = year - 1900, .tm_mon = month, .tm_mday = 1 };
			int64_t first = timegm(&tm);

			if (first == 0)
				continue;
			power_on(first - 1);
			assert_int_equal(read_time(SECOND - 1), first - 1);
			assert_int_equal(read_time(SECOND), first);
			assert_int_equal(get(RTC_WEEKDAY, SECOND), (first / 86400 + 4) % 7 + 1);
		}
	}
	power_on(253402300799);
	assert_int_equal(read_time(5 * SECOND), 253402300799);
	assert_int_equal(rtc_unix(&rtc, 5 * SECOND), 253402300799);
}

/* Claim: UIP is set for exactly tBUC + tUC (244 us + 1984 us) up to each whole second, and the time in the
 * registers is still the old one. */
static void update_in_progress_has_the_data_sheets_length(void **state)
{
	(void)state;
	power_on(JULY_2025);
	for (uint64_t second = 1; second < 100; second += 7) {
		uint64_t end_ns = second * SECOND, begin_ns = end_ns - 2228000;

		assert_int_equal(get(RTC_A, begin_ns - 1) & RTC_A_UIP, 0);
		assert_int_equal(get(RTC_A, begin_ns), 0xa6);
		assert_int_equal(read_time(end_ns - 1), JULY_2025 + (int64_t)second - 1);
		assert_int_equal(get(RTC_A, end_ns - 1) & RTC_A_UIP, RTC_A_UIP);
		assert_int_equal(get(RTC_A, end_ns), 0x26);
		assert_int_equal(read_time(end_ns), JULY_2025 + (int64_t)second);
	}
	put(RTC_A, 0xff & ~RTC_A_DV, 100 * SECOND);
	assert_int_equal(get(RTC_A, 101 * SECOND - 1), 0x0f); /* UIP is not writable; nothing counts */
}

/* Claim: SET stops the update and keeps UIP 0, also when it comes while UIP is 1; what was written in the meantime
 * counts on from the next whole second. */
static void set_holds_the_time_still(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_B, RTC_B_24H | RTC_B_SET, SECOND - 1000);
	assert_int_equal(get(RTC_A, SECOND - 900) & RTC_A_UIP, 0);
	assert_int_equal(read_time(10 * SECOND), JULY_2025);
	assert_int_equal(rtc_unix(&rtc, 10 * SECOND), JULY_2025);
	write_time(1000000000, 10 * SECOND);
	assert_int_equal(read_time(20 * SECOND), 1000000000);
	put(RTC_B, RTC_B_24H, 20 * SECOND + 999999999);
	assert_int_equal(read_time(20 * SECOND + 999999999), 1000000000);
	assert_int_equal(read_time(21 * SECOND), 1000000001);
	assert_int_equal(get(RTC_C, 21 * SECOND), RTC_C_UF | RTC_C_PF);
}

/* Claim: the first update ends half a second after the divider is released (Linux's way of setting the clock), and
 * the periodic interrupt's phase begins at the release. */
static void divider_reset_gives_half_a_second(void **state)
{
	uint64_t release_ns = 5 * SECOND + 123456789;

	(void)state;
	power_on(JULY_2025);
	put(RTC_B, RTC_B_24H | RTC_B_SET, SECOND);
	put(RTC_A, 0x76, SECOND);
	write_time(1234567890, SECOND);
	put(RTC_B, RTC_B_24H, SECOND);
	assert_int_equal(read_time(release_ns), 1234567890); /* SET is 0, but nothing counts */
	get(RTC_C, release_ns);
	put(RTC_A, 0x26, release_ns);
	assert_int_equal(read_time(release_ns + SECOND / 2 - 1), 1234567890);
	assert_int_equal(get(RTC_A, release_ns + SECOND / 2 - 2228001) & RTC_A_UIP, 0);
	assert_int_equal(get(RTC_A, release_ns + SECOND / 2 - 2228000) & RTC_A_UIP, RTC_A_UIP);
	assert_int_equal(read_time(release_ns + SECOND / 2), 1234567891);
	assert_int_equal(read_time(release_ns + SECOND / 2 + SECOND), 1234567892);
	assert_int_equal(rtc_unix(&rtc, release_ns + SECOND / 2 + 2 * SECOND), 1234567893);
	put(RTC_B, RTC_B_24H | RTC_B_PIE, release_ns + 2 * SECOND);
	assert_true(event_next_ns(&board.queue) == release_ns + 2 * SECOND + 976563); /* ceil(10^9 / 1024) */
}

/* Claim: impossible dates and bytes that are no BCD are read back as written, and carry over at the next update. */
static void impossible_times_carry_over(void **state)
{
	static const struct {
		uint8_t century, year, month, day, hour, minute, second;
		const char *then;
	} cases[] = {
		{ 0x20, 0x25, 0x02, 0x31, 0x12, 0x00, 0x00, "2025-03-03 12:00:01" },
		{ 0x20, 0x24, 0x02, 0x30, 0x23, 0x59, 0x59, "2024-03-02 00:00:00" },
		{ 0x20, 0x25, 0x13, 0x01, 0x00, 0x00, 0x00, "2026-01-01 00:00:01" },
		{ 0x20, 0x25, 0x00, 0x01, 0x00, 0x00, 0x00, "2024-12-01 00:00:01" },
		{ 0x20, 0x25, 0x03, 0x00, 0x00, 0x00, 0x00, "2025-02-28 00:00:01" },
		{ 0x20, 0x25, 0x01, 0x01, 0x25, 0x61, 0x61, "2025-01-02 02:02:02" },
		{ 0x1f, 0x0f, 0x0a, 0x0c, 0x0b, 0x0d, 0x0e, "2515-10-12 11:13:15" },
		{ 0x19, 0x69, 0x12, 0x31, 0x23, 0x59, 0x00, "1970-01-01 00:00:01" },
		{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, "1970-01-01 00:00:01" },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, "9999-12-31 23:59:59" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];
		time_t then;
		struct tm tm;

		power_on(JULY_2025);
		put(RTC_CENTURY, cases[i].century, 0);
		put(RTC_YEAR, cases[i].year, 0);
		put(RTC_MONTH, cases[i].month, 0);
		put(RTC_DAY, cases[i].day, 0);
		put(RTC_HOURS, cases[i].hour, 0);
		put(RTC_MINUTES, cases[i].minute, 0);
		put(RTC_SECONDS, cases[i].second, 0);
		assert_int_equal(get(RTC_DAY, SECOND - 1), cases[i].day);
		assert_int_equal(get(RTC_MINUTES, SECOND - 1), cases[i].minute);
		then = read_time(SECOND);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&then, &tm));
		assert_string_equal(text, cases[i].then);
		assert_int_equal(rtc_unix(&rtc, SECOND), then);
	}
}

/* Claim: the weekday counts by itself from what was written, and becomes the date's where that was none. */
static void weekday_counts_by_itself(void **state)
{
	(void)state;
	power_on(JULY_2025);
	assert_int_equal(get(RTC_WEEKDAY, 0), 3);
	put(RTC_WEEKDAY, 7, 0);
	assert_int_equal(get(RTC_WEEKDAY, 86400 * SECOND), 1);
	assert_int_equal(get(RTC_WEEKDAY, 20 * 86400 * SECOND), (6 + 20) % 7 + 1);
	put(RTC_WEEKDAY, 0x0b, 20 * 86400 * SECOND);
	assert_int_equal(get(RTC_WEEKDAY, 21 * 86400 * SECOND), (2 + 21) % 7 + 1);
	put(RTC_WEEKDAY, 0, 21 * 86400 * SECOND);
	assert_int_equal(get(RTC_WEEKDAY, 22 * 86400 * SECOND), (2 + 22) % 7 + 1);
}

/* Claim: C and D cannot be written, index bit 7 (NMI) does not count, port 70h cannot be read, and all else up to
 * 7Fh is memory. */
static void cmos_is_memory(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_C, 0xff, 0);
	put(RTC_D, 0x00, 0);
	assert_int_equal(get(RTC_C, 0), 0);
	assert_int_equal(get(RTC_D, 0), RTC_D_VRT);
	assert_int_equal(board_in(&board, RTC_PORT_INDEX, 0), 0xff);
	for (unsigned i = 0x0e; i < 0x80; i++)
		put((uint8_t)(i | 0x80), (uint8_t)(i * 7), 0);
	for (unsigned i = 0x0e; i < 0x80; i++)
		assert_int_equal(get((uint8_t)i, 0), (uint8_t)(i * 7));
}

static uint64_t get_size(uint8_t index, unsigned bytes)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < bytes; i++)
		size |= (uint64_t)get((uint8_t)(index + i), 0) << 8 * i;
	return size;
}

/* Claim: the sizes are in the units of their places and stop at the largest that fits. */
static void memory_sizes(void **state)
{
	static const struct {
		uint64_t below, above, extended_kib, above_16m, above_4g;
	} cases[] = {
		{ 0x80000, 0, 0, 0, 0 },
		{ 0x1000000, 0, 15360, 0, 0 },
		{ 0x8000000, 0, 65535, 0x700, 0 },
		{ 0xc0000000, 0x140000000, 65535, 0xbf00, 0x14000 },
		{ 0x100000000, 1ull << 41, 65535, 0xff00, 0xffffff },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t sum = 0;

		power_on(JULY_2025);
		rtc_set_memory(&rtc, cases[i].below, cases[i].above);
		assert_int_equal(get_size(0x15, 2), 640);
		assert_int_equal(get_size(0x17, 2), cases[i].extended_kib);
		assert_int_equal(get_size(0x30, 2), cases[i].extended_kib);
		assert_int_equal(get_size(0x34, 2), cases[i].above_16m);
		assert_int_equal(get_size(0x5b, 3), cases[i].above_4g);
		for (uint8_t index = 0x10; index < 0x2e; index++)
			sum += get(index, 0);
		assert_int_equal(get(0x2e, 0) << 8 | get(0x2f, 0), sum);
	}
}

/* Claim: a reset leaves no interrupt enabled or pending, and the time as it was. */
static void reset_keeps_the_time(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_B, RTC_B_24H | RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE, 0);
	board_run(&board, 5 * SECOND);
	assert_true(board.level[RTC_IRQ]);
	rtc_reset(&rtc, 5 * SECOND + 7);
	assert_false(board.level[RTC_IRQ]);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	assert_int_equal(get(RTC_B, 5 * SECOND + 7), RTC_B_24H);
	assert_int_equal(read_time(5 * SECOND + 7), JULY_2025 + 5);
}

/* Claim: whatever is written, whenever: the line is IRQF, ticks are conserved, no event lies in the past, and the
 * calendar stays within its range. */
static void survives_anything(void **state)
{
	uint64_t seed = 4, now_ns = 0;

	(void)state;
	power_on(JULY_2025);
	for (unsigned long i = 0; i < share(20000000); i++) {
		uint64_t dice = random_next(&seed);
		uint8_t index = (uint8_t)(dice >> 8) & (dice & 1 ? 0x0f : 0xff);

		now_ns += random_next(&seed) >> (30 + random_next(&seed) % 34);
		if (now_ns >> 62) {
			now_ns = 0;
			power_on((int64_t)(dice % 253402300800));
		}
		event_run(&board.queue, now_ns);
		board.masked[RTC_IRQ] = dice >> 40 & 1;
		if ((dice >> 41 & 15) == 0)
			rtc_set_unix(&rtc, (int64_t)(random_next(&seed) % 253402300800), now_ns);
		if (dice & 2)
			get(index, now_ns);
		else if (dice & 4 || (index & 0x7f) != RTC_A)
			put(index, (uint8_t)(dice >> 16), now_ns);
		else
			put(index, 0x20 | (dice >> 16 & 15), now_ns);
		assert_int_equal(board.level[RTC_IRQ], (rtc.cmos[RTC_C] & rtc.cmos[RTC_B] & 0x70) != 0);
		assert_true(tick_conserved(&rtc.tick));
		assert_true(event_next_ns(&board.queue) > now_ns);
		assert_in_range(rtc_unix(&rtc, now_ns), 0, 253402300799);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_in_bcd_and_24_hours),
		cmocka_unit_test(shows_whole_seconds_of_guest_time),
		cmocka_unit_test(counts_through_a_day_in_each_format),
		cmocka_unit_test(knows_all_months),
		cmocka_unit_test(update_in_progress_has_the_data_sheets_length),
		cmocka_unit_test(set_holds_the_time_still),
		cmocka_unit_test(divider_reset_gives_half_a_second),
		cmocka_unit_test(impossible_times_carry_over),
		cmocka_unit_test(weekday_counts_by_itself),
		cmocka_unit_test(cmos_is_memory),
		cmocka_unit_test(memory_sizes),
		cmocka_unit_test(reset_keeps_the_time),
		cmocka_unit_test(survives_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
