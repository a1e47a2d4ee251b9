/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timer of the local APIC (SDM 3A 11.5.4): a 32-bit counter behind a divider, on a bus clock of 1 GHz, that
 * counts down once or for ever; or a deadline of the TSC. It tells the APIC when it fires. */
#pragma once

#include "timekeeping/event.h"
#include "timekeeping/tick.h"

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_TIMER_HZ 1000000000ull

/* Bits 18:17 of the LVT register (SDM 3A table 11-2). */
enum lapic_timer_mode {
	LAPIC_ONE_SHOT,
	LAPIC_PERIODIC,
	LAPIC_TSC_DEADLINE,
	LAPIC_RESERVED_MODE, /* stands still */
};

/* The interrupts that come once. due = accepted + dropped + raised; those that fell due masked are counted there only. */
struct lapic_one_shot {
	struct event event;
	bool raised; /* one is due and not yet accepted */
	uint64_t due, accepted, dropped, masked;
};

struct lapic_timer {
	const struct tick_ops *ops; /* of the APIC: raise sends the interrupt if nothing masks it */
	void *device;
	struct event_queue *queue;
	struct tick tick;               /* LAPIC_PERIODIC */
	struct lapic_one_shot one_shot; /* LAPIC_ONE_SHOT and LAPIC_TSC_DEADLINE */
	enum lapic_timer_mode mode;
	uint32_t initial;     /* the initial count register; what periods are reloaded with */
	uint32_t loaded;      /* the count at start_ns; 0: stopped */
	unsigned shift;       /* one count is 2^shift ns */
	uint8_t divide;       /* the divide configuration register */
	uint64_t start_ns;
	uint64_t deadline_tsc; /* 0: not armed */
};

void lapic_timer_init(struct lapic_timer *timer, struct event_queue *queue, const struct tick_ops *ops, void *device);

/* All registers 0, the mode one-shot, nothing armed. The counters of interrupts go on. */
void lapic_timer_reset(struct lapic_timer *timer);

/* The registers. A change of the mode disarms the timer (SDM 3A 11.5.4.1); the initial count starts it anew, 0 stops it,
 * and it is ignored in the deadline mode; a running counter goes on from its count with a new divider. */
void lapic_timer_set_mode(struct lapic_timer *timer, enum lapic_timer_mode mode, uint64_t now_ns);
void lapic_timer_set_initial(struct lapic_timer *timer, uint32_t count, uint64_t now_ns);
void lapic_timer_set_divide(struct lapic_timer *timer, uint8_t divide, uint64_t now_ns);
uint32_t lapic_timer_current(const struct lapic_timer *timer, uint64_t now_ns);

/* The deadline, when the guest's TSC shows tsc: fires when it shows deadline_tsc or more, at once if it does already. 0
 * disarms. Ignored in the other modes. */
void lapic_timer_set_deadline(struct lapic_timer *timer, uint64_t deadline_tsc, uint64_t tsc, uint64_t now_ns);

/* Interrupts that were due by now come now, before what the guest does next. */
void lapic_timer_run_due(struct lapic_timer *timer, uint64_t now_ns);

/* The interrupts of all modes: those that come once are the backlog until they are accepted. */
void lapic_timer_count(const struct lapic_timer *timer, struct tick_counters *counters);

/* The processor took the interrupt that ops->raise sent last. */
void lapic_timer_accepted(struct lapic_timer *timer, uint64_t now_ns);
