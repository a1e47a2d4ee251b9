/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's real-time clock: its registers as a date. Pure. */
#include "host/rtc.h"

#define STATUS_B_24_HOURS 0x02u
#define STATUS_B_BINARY 0x04u
#define HOURS_PM 0x80u

static unsigned number(const struct host_rtc_registers *r, uint8_t value)
{
	return r->status_b & STATUS_B_BINARY ? value : value / 16 * 10u + value % 16;
}

/* 12 AM is hour 0, 12 PM is hour 12; anything above 23 says that it is no hour. */
static unsigned hour_of(const struct host_rtc_registers *r)
{
	unsigned hour;

	if (r->status_b & STATUS_B_24_HOURS)
		return number(r, r->hours);
	hour = number(r, r->hours & (uint8_t)~HOURS_PM);
	if (hour < 1 || hour > 12)
		return 24;
	return hour % 12 + (r->hours & HOURS_PM ? 12 : 0);
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_before(unsigned year, unsigned month)
{
	static const uint16_t days[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

	return days[month - 1] + (month > 2 && is_leap(year) ? 1u : 0u);
}

static unsigned year_of(const struct host_rtc_registers *r)
{
	unsigned century = number(r, r->century), year = number(r, r->year);

	if (century >= 19 && century <= 29)
		return century * 100 + year;
	return year + (year < 70 ? 2000 : 1900);
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
	unsigned end;

	if (year < 1970 || month < 1 || month > 12 || day < 1)
		return false;
	end = month == 12 ? days_before(year, 12) + 31 : days_before(year, month + 1);
	return day <= end - days_before(year, month);
}

static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);

	return (int64_t)(year - 1970) * 365 + leaps + days_before(year, month) + day - 1;
}

bool host_rtc_to_unix(const struct host_rtc_registers *registers, int64_t *unix_seconds)
{
	unsigned year = year_of(registers), month = number(registers, registers->month);
	unsigned day = number(registers, registers->day), hour = hour_of(registers);
	unsigned minute = number(registers, registers->minutes), second = number(registers, registers->seconds);

	if (number(registers, registers->year) > 99 || !is_date(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return false;
	*unix_seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}
