/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tick engine. The bounds of its arithmetic stand at tick_due_ns and tick_index. */
#include "timekeeping/tick.h"

#include "base/assert.h"
#include "timekeeping/arith.h"
#include "timekeeping/line.h"

#define NS_PER_SECOND 1000000000ull
#define HZ_MAX (1ull << 30)

/* Where the units pass 2^64 the tick is past the end of guest time, as hz is not above 2^30: 2^64 * 10^9 / 2^30 > 2^63. n is below 2^64 - 1, so the
 * sum fits. */
uint64_t tick_due_ns(const struct tick *tick, uint64_t n)
{
	unsigned __int128 units = (unsigned __int128)n * tick->count + tick->first;

	if (units > UINT64_MAX || tick->origin_ns > GUEST_TIME_END)
		return EVENT_NEVER;

	uint64_t after_ns = mul_div_ceil((uint64_t)units, NS_PER_SECOND, tick->hz);

	return after_ns <= GUEST_TIME_END - tick->origin_ns ? tick->origin_ns + after_ns : EVENT_NEVER;
}

/* ceil(units * 10^9 / hz) <= t where units * 10^9 / hz <= t, as t is whole. 2^63 * 2^30 / 10^9 fits 64 bits. */
uint64_t tick_index(const struct tick *tick, uint64_t now_ns)
{
	uint64_t until_ns = now_ns < GUEST_TIME_END ? now_ns : GUEST_TIME_END, units;

	if (until_ns <= tick->origin_ns)
		return 0;
	units = mul_div_floor(until_ns - tick->origin_ns, tick->hz, NS_PER_SECOND);
	return units < tick->first ? 0 : (units - tick->first) / tick->count;
}

bool tick_conserved(const struct tick *tick)
{
	const struct tick_counters *counters = &tick->counters;

	return counters->due == counters->accepted + counters->merged + counters->dropped + counters->backlog &&
	       tick->raised == (counters->backlog > 0);
}

static void add_to_backlog(struct tick *tick, uint64_t ticks)
{
	struct tick_counters *counters = &tick->counters;

	counters->backlog += ticks;
	if (counters->backlog > counters->largest_backlog)
		counters->largest_backlog = counters->backlog;
}

/* What becomes of ticks that are counted as due and cannot be delivered in time. */
static void treat_late(struct tick *tick, uint64_t ticks)
{
	switch (tick->policy) {
	case TICK_DISCARD:
		tick->counters.dropped += ticks;
		break;
	case TICK_MERGE:
		tick->counters.merged += ticks;
		break;
	case TICK_DELAY:
	case TICK_SLEW:
		add_to_backlog(tick, ticks);
		break;
	}
}

static void drop_backlog(struct tick *tick)
{
	tick->counters.dropped += tick->counters.backlog;
	tick->counters.backlog = 0;
	tick->raised = false;
}

/* Takes the late ticks out of the backlog, so that only the raised one is left there. */
static uint64_t take_late(struct tick *tick)
{
	uint64_t late = tick->raised ? tick->counters.backlog - 1 : 0;

	tick->counters.backlog -= late;
	return late;
}

static void fall_due(struct tick *tick, uint64_t ticks)
{
	tick->was_masked = false;
	tick->counters.due += ticks;
	if (!tick->raised) {
		tick->raised = true;
		add_to_backlog(tick, 1);
		ticks--;
	}
	treat_late(tick, ticks);
}

static void fall_due_masked(struct tick *tick, uint64_t ticks)
{
	tick->counters.masked += ticks;
	if (tick->was_masked)
		drop_backlog(tick);
	tick->was_masked = true;
}

static void arm(struct tick *tick)
{
	event_set(tick->queue, &tick->event, tick_due_ns(tick, tick->next));
}

static void fire(void *owner, uint64_t now_ns)
{
	struct tick *tick = owner;
	uint64_t last = tick_index(tick, now_ns);
	uint64_t ticks = last - tick->next + 1;

	ASSERT(last >= tick->next);
	tick->next = last + 1;
	if (tick->ops->masked(tick->device))
		fall_due_masked(tick, ticks);
	else
		fall_due(tick, ticks);
	arm(tick);
	ASSERT(tick_conserved(tick));
	tick->ops->raise(tick->device, now_ns);
}

void tick_init(struct tick *tick, struct event_queue *queue, const struct tick_ops *ops, void *device,
	       enum tick_policy policy)
{
	*tick = (struct tick){ .ops = ops, .device = device, .queue = queue, .policy = policy, .count = 1, .hz = 1 };
	event_init(&tick->event, fire, tick);
}

static void set_sequence(struct tick *tick, uint64_t origin_ns, uint64_t first, uint64_t count, uint64_t hz)
{
	ASSERT(count > 0 && hz > 0 && hz <= HZ_MAX);
	if (count != tick->count || hz != tick->hz)
		tick->counters.dropped += take_late(tick);
	tick->origin_ns = origin_ns;
	tick->first = first;
	tick->count = count;
	tick->hz = hz;
	tick->running = true;
	tick->was_masked = false;
}

static void start_at(struct tick *tick, uint64_t next)
{
	tick->next = next;
	arm(tick);
	ASSERT(tick_conserved(tick));
}

void tick_start(struct tick *tick, uint64_t origin_ns, uint64_t count, uint64_t hz, uint64_t now_ns)
{
	set_sequence(tick, origin_ns, 0, count, hz);
	start_at(tick, tick_index(tick, now_ns) + 1);
}

void tick_start_first(struct tick *tick, uint64_t first_ns, uint64_t count, uint64_t hz)
{
	set_sequence(tick, first_ns, 0, count, hz);
	start_at(tick, 0);
}

void tick_start_behind(struct tick *tick, uint64_t origin_ns, uint64_t first, uint64_t count, uint64_t hz)
{
	set_sequence(tick, origin_ns, first, count, hz);
	start_at(tick, 0);
}

void tick_stop(struct tick *tick)
{
	tick->running = false;
	event_cancel(tick->queue, &tick->event);
	drop_backlog(tick);
	ASSERT(tick_conserved(tick));
}

void tick_accepted(struct tick *tick, uint64_t now_ns)
{
	tick->was_masked = false;
	if (!tick->raised)
		return;
	tick->counters.accepted++;
	tick->counters.backlog--;
	tick->raised = tick->counters.backlog > 0;
	ASSERT(tick_conserved(tick));
	if (tick->raised)
		tick->ops->raise(tick->device, now_ns);
}

void tick_set_policy(struct tick *tick, enum tick_policy policy)
{
	uint64_t late = take_late(tick);

	tick->policy = policy;
	treat_late(tick, late);
	ASSERT(tick_conserved(tick));
}
