/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tick engine: periodic interrupts of PIT, RTC and later HPET and LAPIC, exact and never lost in silence.
 *
 * A tick falls due at origin + ceil(n * count * 10^9 / hz) for n = 1, 2, ...: computed from n, so no rounded period is ever added
 * up. A due tick is raised, then accepted by the guest's interrupt controller. At most one tick is raised and not yet accepted;
 * what falls due meanwhile is the policy's business. Always: due = accepted + merged + dropped + backlog, where the
 * backlog includes the raised tick. A tick that falls due while the timer is masked counts as masked and nowhere else. */
#pragma once

#include "timekeeping/event.h"

#include <stdbool.h>
#include <stdint.h>

enum tick_policy {
	TICK_DISCARD, /* late ticks are dropped */
	TICK_MERGE,   /* all of them become one late tick */
	TICK_DELAY,   /* all are delivered, one after another, as fast as the guest accepts them */
	TICK_SLEW,    /* given back gradually (a later step: until then as DELAY) */
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
	uint64_t origin_ns;
	uint64_t count, hz; /* the period is count / hz seconds */
	uint64_t next;      /* index n of the next tick to fall due */
	struct tick_counters counters;
};

void tick_init(struct tick *tick, struct event_queue *queue, const struct tick_ops *ops, void *device,
	       enum tick_policy policy);

/* Starts (or restarts with another period): tick n falls due at origin_ns + ceil(n * count * 10^9 / hz); those up to now_ns are past
 * and not counted. count and hz > 0, count <= 2^40, hz <= 2^30. */
void tick_start(struct tick *tick, uint64_t origin_ns, uint64_t count, uint64_t hz, uint64_t now_ns);

/* No tick falls due any more; the backlog is dropped and counted so. */
void tick_stop(struct tick *tick);

/* The guest's interrupt controller took the interrupt. Ignored where no counted tick was raised. */
void tick_accepted(struct tick *tick, uint64_t now_ns);

void tick_set_policy(struct tick *tick, enum tick_policy policy);

/* When tick n falls due, in guest ns; EVENT_NEVER past the end of guest time. */
uint64_t tick_due_ns(const struct tick *tick, uint64_t n);
