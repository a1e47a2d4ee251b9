/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tick engine: periodic interrupts of PIT, RTC, HPET and LAPIC, exact and never lost in silence.
 *
 * A tick falls due at origin + ceil(n * count * 10^9 / hz) for n = 1, 2, ...: computed from n, so no rounded period
 * is ever added up. A due tick is raised, then accepted: the guest's interrupt controller took it (or, for the RTC,
 * register C was read). At most one tick is raised and not yet accepted. Always, and asserted after each event:
 *
 *     due = accepted + merged + dropped + backlog, and the backlog includes the raised tick
 *
 * What moves the counters, for k ticks that fall due together (k > 1 when the engine was called late):
 *
 *     k fall due, not masked    due += k. With none raised the newest is raised (backlog 1) and k - 1 are late; else
 *                               all k are. Late ones: DISCARD dropped, MERGE merged with the one that is raised,
 *                               DELAY backlog
 *     k fall due, masked        masked += k and nothing else. At the second such time with no acceptance in between
 *                               the backlog is dropped, so that a long masked timer is unmasked without one
 *     accepted, one is raised   accepted += 1, backlog -= 1; the next of the backlog is raised at once
 *     accepted, none is raised  nothing: the edge was a masked tick's, or of a stopped timer
 *     stopped                   dropped += backlog, backlog = 0
 *
 * A backlog outlives one masked tick because Linux masks the line of an 8259 while it handles each interrupt.
 *
 * Each time that ticks fall due, also masked ones and late ones, the device raises one edge, as the chip would: it is
 * the interrupt controller's latch that then keeps it or not. All catching up is arithmetic, never a loop over
 * ticks, and the next deadline is later than now: no period is short enough to hold the caller. */
#pragma once

#include "timekeeping/event.h"

#include <stdbool.h>
#include <stdint.h>

enum tick_policy {
	TICK_DISCARD, /* late ticks are dropped */
	TICK_MERGE,   /* all of them become one late tick */
	TICK_DELAY,   /* all are delivered, one after another, as fast as the guest accepts them */
	TICK_SLEW,    /* given back gradually; for now at once, as DELAY does */
};

/* What the timer's device gives the engine. */
struct tick_ops {
	void (*raise)(void *device, uint64_t now_ns); /* one interrupt */
	bool (*masked)(void *device);                 /* can no interrupt of this timer be delivered now? */
};

struct tick_counters {
	uint64_t due, accepted, merged, dropped, masked, backlog, largest_backlog;
};

struct tick {
	const struct tick_ops *ops;
	void *device;
	struct event_queue *queue;
	struct event event;
	enum tick_policy policy;
	bool running;
	bool raised; /* one tick is raised and not yet accepted */
	bool was_masked; /* the ticks that fell due last were masked, and no tick was accepted since */
	uint64_t origin_ns;
	uint64_t count, hz; /* the period is count / hz seconds */
	uint64_t first;     /* in units of 1 / hz s: how far behind origin_ns the sequence begins; 0 but for tick_start_behind */
	uint64_t next;      /* index n of the next tick to fall due */
	struct tick_counters counters;
};

void tick_init(struct tick *tick, struct event_queue *queue, const struct tick_ops *ops, void *device,
	       enum tick_policy policy);

/* Starts, or restarts: tick n falls due at origin_ns + ceil(n * count * 10^9 / hz); those up to now_ns are past and not
 * counted. With another period than before only the raised tick is still owed, the rest of the backlog is dropped.
 * count from 1, hz from 1 to 2^30. */
void tick_start(struct tick *tick, uint64_t origin_ns, uint64_t count, uint64_t hz, uint64_t now_ns);

/* The same for a sequence that begins later than now, and whose tick 0, at first_ns itself, falls due too: a period
 * that takes over where another one ends. */
void tick_start_first(struct tick *tick, uint64_t first_ns, uint64_t count, uint64_t hz);

/* The same for a sequence that is part of a longer count: tick n = 0, 1, ... falls due at origin_ns + ceil((first + n * count) * 10^9 / hz). The
 * first one may be past already, and then falls due at once; no other may. */
void tick_start_behind(struct tick *tick, uint64_t origin_ns, uint64_t first, uint64_t count, uint64_t hz);

/* No tick falls due any more; the backlog is dropped and counted so. */
void tick_stop(struct tick *tick);

/* The guest's interrupt controller took the interrupt. Ignored where no counted tick was raised. May call
 * ops->raise. */
void tick_accepted(struct tick *tick, uint64_t now_ns);

/* From now on. What is late already is treated as if it fell due now. */
void tick_set_policy(struct tick *tick, enum tick_policy policy);

/* When tick n falls due, in guest ns; EVENT_NEVER past the end of guest time. */
uint64_t tick_due_ns(const struct tick *tick, uint64_t n);

/* How many ticks fell due up to and at now_ns: the n of the last one. 0 where none has. */
uint64_t tick_index(const struct tick *tick, uint64_t now_ns);

/* Whether the counters add up. */
bool tick_conserved(const struct tick *tick);
