/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The real-time clock and CMOS memory of a PC: Motorola MC146818A, with the century byte and the memory sizes at
 * the places where firmware keeps them. Ports 70h and 71h, IRQ 8. It runs in guest time.
 *
 * Left out: daylight saving (DSE is stored, as on the chips that dropped it), the square-wave pin, and time bases
 * other than the 32768 Hz crystal: with any DV but 010b the clock stands still. The calendar ends with the year 9999, as
 * the century byte does, and stands there; updates go on, alarms come no more. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"
#include "timekeeping/event.h"
#include "timekeeping/tick.h"

#include <stdbool.h>
#include <stdint.h>

#define RTC_IRQ 8
#define RTC_PORT_INDEX 0x70
#define RTC_PORT_DATA 0x71
#define RTC_HZ 32768

/* Registers (MC146818A, figures 10 and 11); the century is where ACPI's FADT says it is. */
enum rtc_register {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_WEEKDAY = 0x06,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_CENTURY = 0x32,
};

#define RTC_A_UIP 0x80
#define RTC_A_DV 0x70
#define RTC_A_DV_RUN 0x20
#define RTC_A_RS 0x0f

#define RTC_B_SET 0x80
#define RTC_B_PIE 0x40
#define RTC_B_AIE 0x20
#define RTC_B_UIE 0x10
#define RTC_B_SQWE 0x08
#define RTC_B_DM 0x04   /* 1: binary, 0: BCD */
#define RTC_B_24H 0x02

#define RTC_C_IRQF 0x80
#define RTC_C_PF 0x40   /* PF, AF and UF have the places of PIE, AIE and UIE */
#define RTC_C_AF 0x20
#define RTC_C_UF 0x10

#define RTC_D_VRT 0x80

/* UIP is set for tBUC + tUC before an update ends (MC146818A table 6, 32768 Hz). The new time and UF appear when
 * it is cleared, at the whole second. */
#define RTC_UIP_NS (244000 + 1984000)

struct rtc {
	struct irq_router *router;
	struct event_queue *queue;
	struct event event;    /* the next update-ended or alarm interrupt; queued only where one is enabled */
	struct tick tick;      /* the periodic interrupt; runs only where it is enabled */
	uint64_t tick_count;   /* its period in 1/32768 s; 0: it does not run */
	uint64_t chain_ns;     /* when the divider chain was last released */
	uint64_t phase_ns;     /* update n ends at chain_ns + n s - phase_ns */
	uint64_t updates;      /* how many updates since chain_ns the time registers have in them, or have missed */
	uint64_t periods;      /* how many periods since chain_ns have been looked at for PF */
	void (*ended)(void *context); /* an update found the calendar at its end, where it stands; NULL at first */
	void *ended_context;
	bool line;
	uint8_t index;
	uint8_t cmos[128];     /* as the guest reads it, but for UIP and IRQF */
};

/* Powers the chip on at guest time 0, showing unix_at_zero (seconds since 1970, from 0 to the end of 9999) in BCD
 * and 24 hours. */
void rtc_init(struct rtc *rtc, struct bus *bus, struct irq_router *router, struct event_queue *queue,
	      int64_t unix_at_zero);

/* The RESET pin: no interrupt is enabled or pending after it; the time goes on. */
void rtc_reset(struct rtc *rtc, uint64_t now_ns);

/* The memory sizes that firmware leaves in the CMOS: the end of RAM below 4 GiB, and how much lies above. */
void rtc_set_memory(struct rtc *rtc, uint64_t below_4g_bytes, uint64_t above_4g_bytes);

/* Its periodic interrupt, for those who show or set the policy. */
static inline const struct tick *rtc_tick(const struct rtc *rtc)
{
	return &rtc->tick;
}

/* What the calendar shows at now_ns, in seconds since 1970. */
int64_t rtc_unix(const struct rtc *rtc, uint64_t now_ns);

/* How far the calendar is into that second, in ns; 0 while the guest holds it. */
uint32_t rtc_unix_ns(const struct rtc *rtc, uint64_t now_ns);

/* Sets the calendar to unix_seconds (0 to DATE_LAST_UNIX) as a guest would that wrote the time bytes between two updates:
 * the second goes on from where it is, no tick and no flag is set or lost, and an alarm comes when the new time reaches
 * it, none for what was skipped. False: the guest holds its clock (SET, or the divider chain is stopped), as it does while
 * it sets it itself; nothing changed. */
bool rtc_set_unix(struct rtc *rtc, int64_t unix_seconds, uint64_t now_ns);
