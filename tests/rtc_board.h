/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of the RTC share: a chip on a board, and its date in each of the four formats. Included once per program. */
#pragma once

#include "devices/rtc.h"

#include "tests/board.h"

#include <time.h>

#define SECOND 1000000000ull
#define JULY_2025 1751328000 /* 2025-07-01T00:00:00Z, a Tuesday */

static struct board board;
static struct rtc rtc;

static void power_on(int64_t unix_at_zero)
{
	board_init(&board);
	rtc_init(&rtc, &board.bus, &board.router, &board.queue, unix_at_zero);
}

static inline uint8_t get(uint8_t index, uint64_t now_ns)
{
	board_out(&board, RTC_PORT_INDEX, index, now_ns);
	return board_in(&board, RTC_PORT_DATA, now_ns);
}

static inline void put(uint8_t index, uint8_t value, uint64_t now_ns)
{
	board_out(&board, RTC_PORT_INDEX, index, now_ns);
	board_out(&board, RTC_PORT_DATA, value, now_ns);
}

/* What a PC's firmware does to read a byte of the time. */
static inline int from_byte(uint8_t byte, uint8_t b)
{
	return b & RTC_B_DM ? byte : (byte >> 4) * 10 + (byte & 15);
}

static inline uint8_t to_byte(int value, uint8_t b)
{
	return (uint8_t)(b & RTC_B_DM ? value : value / 10 * 16 + value % 10);
}

static inline uint8_t to_hour(int hour, uint8_t b)
{
	if (b & RTC_B_24H)
		return to_byte(hour, b);
	return (uint8_t)(to_byte((hour + 11) % 12 + 1, b) | (hour >= 12 ? 0x80 : 0));
}

static inline int from_hour(uint8_t byte, uint8_t b)
{
	return b & RTC_B_24H ? from_byte(byte, b) : from_byte(byte & 0x7f, b) % 12 + (byte & 0x80 ? 12 : 0);
}

static inline int64_t read_time(uint64_t now_ns)
{
	uint8_t b = get(RTC_B, now_ns);
	struct tm tm = {
		.tm_year = from_byte(get(RTC_CENTURY, now_ns), b) * 100 + from_byte(get(RTC_YEAR, now_ns), b) - 1900,
		.tm_mon = from_byte(get(RTC_MONTH, now_ns), b) - 1,
		.tm_mday = from_byte(get(RTC_DAY, now_ns), b),
		.tm_hour = from_hour(get(RTC_HOURS, now_ns), b),
		.tm_min = from_byte(get(RTC_MINUTES, now_ns), b),
		.tm_sec = from_byte(get(RTC_SECONDS, now_ns), b),
	};

	return timegm(&tm);
}

static inline void write_time(int64_t unix_seconds, uint64_t now_ns)
{
	uint8_t b = get(RTC_B, now_ns);
	time_t seconds = unix_seconds;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	put(RTC_CENTURY, to_byte((tm.tm_year + 1900) / 100, b), now_ns);
	put(RTC_YEAR, to_byte((tm.tm_year + 1900) % 100, b), now_ns);
	put(RTC_MONTH, to_byte(tm.tm_mon + 1, b), now_ns);
	put(RTC_DAY, to_byte(tm.tm_mday, b), now_ns);
	put(RTC_WEEKDAY, to_byte(tm.tm_wday + 1, b), now_ns);
	put(RTC_HOURS, to_hour(tm.tm_hour, b), now_ns);
	put(RTC_MINUTES, to_byte(tm.tm_min, b), now_ns);
	put(RTC_SECONDS, to_byte(tm.tm_sec, b), now_ns);
}

static const uint8_t formats[] = { 0, RTC_B_DM, RTC_B_24H, RTC_B_24H | RTC_B_DM };

static inline void set_format(uint8_t format, int64_t unix_seconds, uint64_t now_ns)
{
	put(RTC_B, format | RTC_B_SET, now_ns);
	write_time(unix_seconds, now_ns);
	put(RTC_B, format, now_ns);
}
