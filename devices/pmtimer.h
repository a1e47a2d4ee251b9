/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI's fixed hardware: the power-management timer and the PM1a event and control blocks (ACPI 6.5, 4.8.3). The
 * machine is always in ACPI mode: SCI_EN reads 1 and there is no SMI command port.
 *
 * Left out: sleep states other than S5, and bus-master and global-lock handling, which firmware would need. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/request.h"
#include "timekeeping/event.h"

#include <stdbool.h>
#include <stdint.h>

/* For the FADT and the DSDT. */
#define PM1A_EVT_PORT 0x600
#define PM1A_EVT_BYTES 4
#define PM1A_CNT_PORT 0x604
#define PM1A_CNT_BYTES 2
#define PM_TMR_PORT 0x608
#define PM_TMR_BYTES 4
#define PM_SCI_IRQ 9
#define PM_SLP_TYP_S5 5  /* what \_S5 names */

#define PM_TMR_HZ 3579545
#define PM_TMR_BITS 32   /* TMR_VAL_EXT in the FADT's flags */

/* PM1 status and enable bits (4.8.3.1). */
#define PM1_TMR 0x0001
#define PM1_BM 0x0010       /* status only */
#define PM1_GBL 0x0020
#define PM1_PWRBTN 0x0100
#define PM1_SLPBTN 0x0200
#define PM1_RTC 0x0400
#define PM1_WAK 0x8000      /* status only */

/* PM1 control bits (4.8.3.2.1). */
#define PM1_CNT_SCI_EN 0x0001
#define PM1_CNT_BM_RLD 0x0002
#define PM1_CNT_SLP_TYP 0x1c00
#define PM1_CNT_SLP_TYP_SHIFT 10
#define PM1_CNT_SLP_EN 0x2000

struct pmtimer {
	struct irq_router *router;
	struct event_queue *queue;
	struct machine_requests requests;
	struct event event;  /* the next carry; queued only while its interrupt is enabled */
	uint64_t carries;    /* how many carries TMR_STS has been set for */
	uint16_t status, enable, control;
	bool line;
	bool has_timer;
};

void pmtimer_init(struct pmtimer *pmtimer, struct bus *bus, struct irq_router *router, struct event_queue *queue,
		  const struct machine_requests *requests);

/* The machine has no PM timer (4.8.3.3: it is optional): neither the counter nor its status and enable bits are there. */
void pmtimer_remove_timer(struct pmtimer *pmtimer, struct bus *bus);

/* No event is enabled or pending; the counter goes on. */
void pmtimer_reset(struct pmtimer *pmtimer, uint64_t now_ns);

/* The timer's value: floor(now_ns * 3579545 / 10^9) modulo 2^32. */
uint32_t pmtimer_value(uint64_t now_ns);

/* Somebody presses the power button: PWRBTN_STS, and the SCI where the guest has enabled it. */
void pmtimer_press_power_button(struct pmtimer *pmtimer);
