/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The real-time clock as guests read it (Motorola MC146818A): registers, and waiting for the end of an update. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum rtc_index {
	RTC_SECONDS,
	RTC_SECONDS_ALARM,
	RTC_MINUTES,
	RTC_MINUTES_ALARM,
	RTC_HOURS,
	RTC_HOURS_ALARM,
	RTC_WEEKDAY,
	RTC_DAY,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
	RTC_CENTURY = 0x32,
};

#define RTC_A_UIP 0x80
#define RTC_A_RUN 0x20
#define RTC_B_SET 0x80
#define RTC_B_PIE 0x40
#define RTC_B_AIE 0x20
#define RTC_B_UIE 0x10
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02
#define RTC_B_DSE 0x01
#define RTC_C_IRQF 0x80
#define RTC_C_PF 0x40
#define RTC_C_AF 0x20
#define RTC_C_UF 0x10

uint8_t rtc_read(uint8_t index);
void rtc_write(uint8_t index, uint8_t value);

/* What the IRQ 8 handler that rtc_listen installs has seen: register C's bits since last cleared by the test, and
 * the TSC of the last interrupt. */
extern volatile uint8_t rtc_causes;
extern volatile uint64_t rtc_tsc;

/* Where not 0: the handler disables all of the chip's interrupts at the first one at or after this TSC value, and
 * clears this. It ends a storm that leaves the rest of the guest no time. */
extern volatile uint64_t rtc_stop_tsc;

/* Unmasks IRQ 8, installs the handler (it reads register C) and enables these interrupts in register B, whose
 * other bits stay. */
void rtc_listen(uint8_t enables);

/* Disables all of the chip's interrupts and masks IRQ 8. */
void rtc_deafen(void);

/* Halts until the next update-ended interrupt while rtc_listen(RTC_B_UIE) is on; false after 3 s without. */
bool rtc_wait_update(void);

/* The time as seconds since 1970, read between two updates, whatever the mode; right after an update only. */
int64_t rtc_unix(void);
