/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timer of a PC: an 8254 at ports 40h to 43h, and port 61h with the gate and the OUT of channel 2. OUT of
 * channel 0 is the line of IRQ 0; channel 1 counts and is read, but refreshes nothing. There is no sound. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/pit_counter.h"
#include "timekeeping/event.h"
#include "timekeeping/tick.h"

#include <stdbool.h>
#include <stdint.h>

#define PIT_COUNTER_PORT 0x40 /* to 43h */
#define PIT_SYSTEM_PORT 0x61

/* The interrupts of channel 0 in modes 0 and 4. due = accepted + dropped + raised. */
struct pit_one_shot {
	struct event event;
	bool raised; /* one is due and not yet accepted */
	uint64_t due, accepted, dropped;
};

struct pit {
	struct pit_counter counters[3];
	uint8_t port_61; /* the bits that can be written */
	struct irq_router *router;
	struct event_queue *queue;
	struct tick tick; /* the interrupts of channel 0 in modes 2 and 3 */
	struct pit_one_shot one_shot;
};

/* Claims the ports and IRQ 0, whose chip must be attached already, and resets. */
void pit_init(struct pit *pit, struct bus *bus, struct irq_router *router, struct event_queue *queue);

/* Nothing counts, and no interrupt comes, until the guest has programmed it. The counters of interrupts go on. */
void pit_reset(struct pit *pit);

/* For the monitor: the periodic timer and its counters. */
const struct tick *pit_tick(const struct pit *pit);
