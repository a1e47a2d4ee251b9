/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The proleptic Gregorian calendar, in UTC, without leap seconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct calendar {
	int year;    /* 1970..9999 */
	int month;   /* 1..12 */
	int day;     /* 1..31 */
	int hour, minute, second;
	int weekday; /* 1 = Sunday .. 7, as the MC146818 counts */
};

/* Seconds since 1970-01-01T00:00:00Z, of a date that calendar_valid accepts; the weekday is not looked at. */
int64_t calendar_to_unix(const struct calendar *date);

/* The other way: unix_seconds from 0 to the end of year 9999. */
void calendar_from_unix(int64_t unix_seconds, struct calendar *date);

/* Whether the date exists (the weekday is not looked at). */
bool calendar_valid(const struct calendar *date);

/* How many days the month (1..12) has. */
int calendar_month_days(int year, int month);
