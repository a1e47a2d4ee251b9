/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's real-time clock: reading the chip between its updates. */
#include "host/rtc.h"

#include "base/mem.h"
#include "host/cpu.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA 0x71u
#define STATUS_A_UPDATING 0x80u
#define TRIES 100000u /* an update takes 2 ms at most */

static uint8_t century_at;

void host_rtc_set_century(uint8_t century_register)
{
	century_at = century_register & 0x7f;
}

static uint8_t cmos_read(uint8_t index)
{
	out8(CMOS_INDEX, index & 0x7f);
	return in8(CMOS_DATA);
}

static void read_registers(struct host_rtc_registers *r)
{
	for (unsigned i = 0; i < TRIES && cmos_read(0x0a) & STATUS_A_UPDATING; i++)
		cpu_pause();
	*r = (struct host_rtc_registers){
		.seconds = cmos_read(0x00),
		.minutes = cmos_read(0x02),
		.hours = cmos_read(0x04),
		.day = cmos_read(0x07),
		.month = cmos_read(0x08),
		.year = cmos_read(0x09),
		.century = century_at ? cmos_read(century_at) : 0,
		.status_b = cmos_read(0x0b),
	};
}

bool host_rtc_read(int64_t *unix_seconds)
{
	struct host_rtc_registers a, b;
	unsigned tries = 0;

	do {
		read_registers(&a);
		read_registers(&b);
	} while (memcmp(&a, &b, sizeof a) && ++tries < 10);
	return host_rtc_to_unix(&a, unix_seconds);
}
