/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Dates as operators write them: the moment itself, or a step from what the calendar shows. Each that cannot be has its
 * reason. */
#pragma once

#include <stdint.h>

#define DATE_LAST_UNIX 253402300799 /* 9999-12-31T23:59:59Z: the century byte of the RTC holds no later one */

enum date_fault {
	DATE_FINE,
	DATE_UNREADABLE,
	DATE_NO_SUCH_MONTH,
	DATE_NO_SUCH_DAY,
	DATE_NO_SUCH_TIME,
	DATE_BEFORE_1970,
	DATE_AFTER_9999,
};

/* Reads "2025-01-31T12:34:56", with or without a final Z, or "2025-01-31", into seconds since 1970. On a fault
 * *unix_seconds is as it was. */
enum date_fault date_parse(const char *text, int64_t *unix_seconds);

/* The same, or a step from from_unix (0 to DATE_LAST_UNIX) on: a sign, a whole number and a unit. "+1y" and "-2mo" go by
 * the calendar: the time of day stays, and so does the day, or it is the month's last (31 January and a month is 28 or 29
 * February). "+30d", "-2h", "+90m" and "+45s" are just so many seconds. */
enum date_fault date_move(const char *text, int64_t from_unix, int64_t *unix_seconds);

/* Whether unix_seconds is on the calendar, and the fault if not. */
enum date_fault date_check(int64_t unix_seconds);

/* The fault in words. */
const char *date_fault_text(enum date_fault fault);
