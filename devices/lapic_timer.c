/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timer of the local APIC. The count is computed from "now", never stepped; a period of n counts is exactly n counts
 * long, and the count that is seen runs from n down to 1 in it. */
#include "devices/lapic_timer.h"

#include "timekeeping/line.h"

/* The divider is 2 to 128 in steps of 2, and 1 for the last of its eight values: bits 0, 1 and 3 (SDM 3A figure 11-10). */
static unsigned shift_of(uint8_t divide)
{
	return ((divide & 3u) + (divide >> 1 & 4u) + 1) & 7;
}

static void drop_one_shot(struct lapic_timer *timer)
{
	timer->one_shot.dropped += timer->one_shot.raised;
	timer->one_shot.raised = false;
}

/* Unlike an 8259A this chip keeps nothing while the interrupt is masked: it is lost. */
static void one_shot_fire(void *owner, uint64_t now_ns)
{
	struct lapic_timer *timer = owner;

	timer->deadline_tsc = 0;
	if (timer->ops->masked(timer->device)) {
		timer->one_shot.masked++;
	} else {
		drop_one_shot(timer);
		timer->one_shot.due++;
		timer->one_shot.raised = true;
	}
	timer->ops->raise(timer->device, now_ns);
}

void lapic_timer_init(struct lapic_timer *timer, struct event_queue *queue, const struct tick_ops *ops, void *device)
{
	*timer = (struct lapic_timer){ .ops = ops, .device = device, .queue = queue };
	tick_init(&timer->tick, queue, ops, device, TICK_SLEW);
	event_init(&timer->one_shot.event, one_shot_fire, timer);
	timer->shift = shift_of(0);
}

static void disarm(struct lapic_timer *timer)
{
	tick_stop(&timer->tick);
	event_cancel(timer->queue, &timer->one_shot.event);
	timer->loaded = 0;
	timer->deadline_tsc = 0;
}

void lapic_timer_reset(struct lapic_timer *timer)
{
	disarm(timer);
	drop_one_shot(timer);
	timer->mode = LAPIC_ONE_SHOT;
	timer->initial = 0;
	timer->divide = 0;
	timer->shift = shift_of(0);
}

static void run_if_due(struct lapic_timer *timer, struct event *event, uint64_t now_ns)
{
	if (!event->queued || event->due_ns > now_ns)
		return;
	event_cancel(timer->queue, event);
	event->fire(event->owner, now_ns);
}

void lapic_timer_run_due(struct lapic_timer *timer, uint64_t now_ns)
{
	run_if_due(timer, &timer->tick.event, now_ns);
	run_if_due(timer, &timer->one_shot.event, now_ns);
}

uint32_t lapic_timer_current(const struct lapic_timer *timer, uint64_t now_ns)
{
	uint64_t counted = (now_ns - timer->start_ns) >> timer->shift;

	if (counted < timer->loaded)
		return timer->loaded - (uint32_t)counted;
	if (!timer->loaded || timer->mode != LAPIC_PERIODIC)
		return 0;
	return timer->initial - (uint32_t)((counted - timer->loaded) % timer->initial);
}

/* Counts down from that count, and begins with it now. */
static void load(struct lapic_timer *timer, uint32_t count, uint64_t now_ns)
{
	uint64_t end_ns = now_ns + ((uint64_t)count << timer->shift), period_ns = (uint64_t)timer->initial << timer->shift;

	timer->loaded = count;
	timer->start_ns = now_ns;
	if (timer->mode == LAPIC_ONE_SHOT)
		event_set(timer->queue, &timer->one_shot.event, end_ns);
	else if (timer->mode == LAPIC_PERIODIC && count == timer->initial)
		tick_start(&timer->tick, now_ns, period_ns, LAPIC_TIMER_HZ, now_ns);
	else if (timer->mode == LAPIC_PERIODIC)
		tick_start_first(&timer->tick, end_ns, period_ns, LAPIC_TIMER_HZ);
	else
		timer->loaded = 0;
}

void lapic_timer_set_mode(struct lapic_timer *timer, enum lapic_timer_mode mode, uint64_t now_ns)
{
	if (mode == timer->mode)
		return;
	lapic_timer_run_due(timer, now_ns);
	disarm(timer);
	timer->mode = mode;
}

void lapic_timer_set_initial(struct lapic_timer *timer, uint32_t count, uint64_t now_ns)
{
	if (timer->mode == LAPIC_TSC_DEADLINE)
		return;
	lapic_timer_run_due(timer, now_ns);
	timer->initial = count;
	if (count)
		load(timer, count, now_ns);
	else
		disarm(timer);
}

void lapic_timer_set_divide(struct lapic_timer *timer, uint8_t divide, uint64_t now_ns)
{
	uint32_t count;

	lapic_timer_run_due(timer, now_ns);
	count = lapic_timer_current(timer, now_ns);
	timer->divide = divide & 0xb;
	if (shift_of(divide) == timer->shift)
		return;
	timer->shift = shift_of(divide);
	timer->loaded = 0;
	if (count)
		load(timer, count, now_ns);
}

void lapic_timer_set_deadline(struct lapic_timer *timer, uint64_t deadline_tsc, uint64_t tsc, uint64_t now_ns)
{
	uint64_t due_ns = now_ns;

	if (timer->mode != LAPIC_TSC_DEADLINE)
		return;
	lapic_timer_run_due(timer, now_ns);
	timer->deadline_tsc = deadline_tsc;
	if (deadline_tsc > tsc)
		due_ns = deadline_tsc - tsc <= GUEST_TIME_END - now_ns ? now_ns + (deadline_tsc - tsc) : EVENT_NEVER;
	if (!deadline_tsc)
		due_ns = EVENT_NEVER;
	event_set(timer->queue, &timer->one_shot.event, due_ns);
}

void lapic_timer_accepted(struct lapic_timer *timer, uint64_t now_ns)
{
	if (timer->one_shot.raised) {
		timer->one_shot.raised = false;
		timer->one_shot.accepted++;
	} else {
		tick_accepted(&timer->tick, now_ns);
	}
}

void lapic_timer_count(const struct lapic_timer *timer, struct tick_counters *counters)
{
	const struct lapic_one_shot *one_shot = &timer->one_shot;

	*counters = timer->tick.counters;
	counters->due += one_shot->due;
	counters->accepted += one_shot->accepted;
	counters->dropped += one_shot->dropped;
	counters->masked += one_shot->masked;
	counters->backlog += one_shot->raised;
}
