/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's real-time clock, read once at boot (MC146818A data sheet). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the chip's registers say, as they are read. */
struct host_rtc_registers {
	uint8_t seconds, minutes, hours, day, month, year, century; /* century 0: there is no such register */
	uint8_t status_b;
};

/* Seconds since 1970-01-01 of the date that the registers show, in BCD or binary, 12 or 24 hours. False: no
 * such date. Pure. Without a century years 70 to 99 are 1970 to 1999. */
bool host_rtc_to_unix(const struct host_rtc_registers *registers, int64_t *unix_seconds);

/* Which CMOS register holds the century, as ACPI says; 0, as at first: none. */
void host_rtc_set_century(uint8_t century_register);

/* The host's clock now in seconds since 1970-01-01; false: it shows no date. */
bool host_rtc_read(int64_t *unix_seconds);
