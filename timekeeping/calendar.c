/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The proleptic Gregorian calendar. Days are counted from 1970-01-01 by way of 0001-01-01, from where the leap years
 * are regular: 400 years are 146097 days. */
#include "timekeeping/calendar.h"

#define FIRST_YEAR 1970
#define LAST_YEAR 9999
#define DAYS_BEFORE_1970 719162 /* from 0001-01-01 */
#define SECONDS_PER_DAY 86400
#define DAYS_PER_400_YEARS 146097
#define WEEKDAY_OF_1970 4 /* a Thursday, with Sunday as 0 */

static const short days_before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

static bool is_leap_year(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days of the year before the month's first; month 13 gives the length of the year. */
static int days_before(int year, int month)
{
	return days_before_month[month - 1] + (month > 2 && is_leap_year(year));
}

/* Days from 1970-01-01 to the year's first day. */
static int days_before_year(int year)
{
	int past = year - 1;

	return past * 365 + past / 4 - past / 100 + past / 400 - DAYS_BEFORE_1970;
}

int64_t calendar_to_unix(const struct calendar *date)
{
	int64_t days = days_before_year(date->year) + days_before(date->year, date->month) + date->day - 1;

	return days * SECONDS_PER_DAY + (date->hour * 60 + date->minute) * 60 + date->second;
}

/* The year of a day counted from 1970-01-01. The mean year's length finds it or the year before it: the calendar is
 * ahead of the mean by less than a day at any first of January. */
static int year_of_day(int days)
{
	int year = (int)((int64_t)(days + DAYS_BEFORE_1970) * 400 / DAYS_PER_400_YEARS) + 1;

	return days < days_before_year(year + 1) ? year : year + 1;
}

void calendar_from_unix(int64_t unix_seconds, struct calendar *date)
{
	int days = (int)(unix_seconds / SECONDS_PER_DAY), seconds = (int)(unix_seconds % SECONDS_PER_DAY);
	int year = year_of_day(days), month = 1;
	int day_of_year = days - days_before_year(year);

	while (day_of_year >= days_before(year, month + 1))
		month++;
	*date = (struct calendar){
		.year = year,
		.month = month,
		.day = day_of_year - days_before(year, month) + 1,
		.hour = seconds / 3600,
		.minute = seconds / 60 % 60,
		.second = seconds % 60,
		.weekday = (days + WEEKDAY_OF_1970) % 7 + 1,
	};
}

int calendar_month_days(int year, int month)
{
	return days_before(year, month + 1) - days_before(year, month);
}

bool calendar_valid(const struct calendar *date)
{
	if (date->year < FIRST_YEAR || date->year > LAST_YEAR || date->month < 1 || date->month > 12)
		return false;
	return date->day >= 1 && date->day <= calendar_month_days(date->year, date->month) && date->hour >= 0 &&
	       date->hour < 24 && date->minute >= 0 && date->minute < 60 && date->second >= 0 && date->second < 60;
}
