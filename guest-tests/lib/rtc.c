/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Access to the real-time clock for test guests. */
#include "guest-tests/lib/rtc.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"

#define RTC_IRQ 8

volatile uint8_t rtc_causes;
volatile uint64_t rtc_tsc, rtc_stop_tsc;

#define ENABLES (RTC_B_PIE | RTC_B_AIE | RTC_B_UIE)

uint8_t rtc_read(uint8_t index)
{
	outb(0x70, index);
	return inb(0x71);
}

void rtc_write(uint8_t index, uint8_t value)
{
	outb(0x70, index);
	outb(0x71, value);
}

static void on_interrupt(void)
{
	rtc_tsc = rdtsc();
	rtc_causes |= rtc_read(RTC_C);
	if (rtc_stop_tsc && rtc_tsc >= rtc_stop_tsc) {
		rtc_write(RTC_B, rtc_read(RTC_B) & (uint8_t)~ENABLES);
		rtc_stop_tsc = 0;
	}
}

void rtc_listen(uint8_t enables)
{
	uint8_t b = rtc_read(RTC_B) & (uint8_t)~ENABLES;

	irq_handlers[RTC_IRQ] = on_interrupt;
	rtc_write(RTC_B, b);
	rtc_read(RTC_C);
	irq_mask(RTC_IRQ, false);
	rtc_write(RTC_B, b | enables);
}

void rtc_deafen(void)
{
	rtc_write(RTC_B, rtc_read(RTC_B) & (uint8_t)~ENABLES);
	irq_mask(RTC_IRQ, true);
	rtc_read(RTC_C);
}

bool rtc_wait_update(void)
{
	return sleep_until_changed(&irq_counts[RTC_IRQ], irq_counts[RTC_IRQ], 3000000);
}

static uint32_t number(uint8_t index)
{
	uint8_t value = rtc_read(index);

	return rtc_read(RTC_B) & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

static uint32_t hour(void)
{
	uint8_t b = rtc_read(RTC_B), value = rtc_read(RTC_HOURS);
	bool pm = value & 0x80;
	uint32_t h = b & RTC_B_BINARY ? value & 0x7F : (value >> 4 & 7) * 10u + (value & 15);

	if (b & RTC_B_24H)
		return h;
	return h % 12 + (pm ? 12 : 0);
}

int64_t rtc_unix(void)
{
	uint32_t year = number(RTC_CENTURY) * 100 + number(RTC_YEAR);
	uint32_t month = number(RTC_MONTH), days = number(RTC_DAY) - 1;
	static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

	days += before[month - 1];
	if (month > 2 && year % 4 == 0 && (year % 100 || year % 400 == 0))
		days++;
	days += (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
	return (int64_t)days * 86400 + hour() * 3600 + number(RTC_MINUTES) * 60 + number(RTC_SECONDS);
}
