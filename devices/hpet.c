/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The HPET's registers, counter and interrupts. Section numbers are those of IA-PC HPET 1.0a. Every access first lets happen what was due by
 * then. */
#include "devices/hpet.h"

#include "base/assert.h"
#include "base/mem.h"
#include "devices/hpet_interrupts.h"
#include "timekeeping/arith.h"

#define NS_PER_S 1000000000ull
#define FS_PER_S 1000000000000000ull

/* 2.3: offsets. */
#define GCAP_ID 0x000u
#define GEN_CONF 0x010u
#define GINTR_STA 0x020u
#define MAIN_CNT 0x0f0u
#define TIMERS 0x100u
#define TIMER_BYTES 0x20u
#define TN_CONF 0x00u
#define TN_COMPARATOR 0x08u
#define BLOCK_BYTES 0x400u

#define CAP_COUNT_SIZE (1u << 13)
#define CAP_LEG_RT (1u << 15)

static bool is_periodic(const struct hpet_timer *timer)
{
	return timer->config & TN_TYPE_CNF;
}

/* The ticks since the counter was started. */
static uint64_t ticks_by(const struct hpet *hpet, uint64_t now_ns)
{
	return hpet_is_running(hpet) ? mul_div_floor(now_ns - hpet->origin_ns, hpet->num, hpet->den) : 0;
}

static uint64_t counter_mask(const struct hpet *hpet)
{
	return hpet->shape.wide ? UINT64_MAX : UINT32_MAX;
}

static uint64_t counter_at(const struct hpet *hpet, uint64_t now_ns)
{
	return (hpet->counter + ticks_by(hpet, now_ns)) & counter_mask(hpet);
}

/* Matches. */

/* A tick that is never reached is past the end of guest time. */
static uint64_t due_ns(const struct hpet *hpet, uint64_t ticks)
{
	uint64_t after_ns = mul_div_ceil(ticks, hpet->den, hpet->num);

	return after_ns < EVENT_NEVER - hpet->origin_ns ? hpet->origin_ns + after_ns : EVENT_NEVER;
}

/* A one-shot that neither interrupts nor sets its status needs no event: what it shows is worked out. */
static void await(struct hpet_timer *timer)
{
	const struct hpet_comparator *comparator = &timer->comparator;
	bool has_effect = hpet_is_level(timer) || timer->config & TN_INT_ENB_CNF;

	if (is_periodic(timer))
		tick_start_behind(&timer->tick, timer->hpet->origin_ns, comparator->match, hpet_comparator_step(comparator),
				  timer->hpet->shape.hz);
	else
		event_set(timer->hpet->queue, &timer->event,
			  has_effect && comparator->match != HPET_NO_MATCH ? due_ns(timer->hpet, comparator->match) : EVENT_NEVER);
}

static void restart(struct hpet_timer *timer, uint64_t now_ns)
{
	uint64_t ticks = ticks_by(timer->hpet, now_ns);

	if (!hpet_is_running(timer->hpet))
		return;
	hpet_comparator_settle(&timer->comparator, ticks);
	hpet_comparator_arm(&timer->comparator, counter_at(timer->hpet, now_ns), ticks);
	await(timer);
}

static void stop(struct hpet_timer *timer)
{
	if (timer->tick.running)
		tick_stop(&timer->tick);
	event_cancel(timer->hpet->queue, &timer->event);
}

static void fire_one_shot(void *owner, uint64_t now_ns)
{
	struct hpet_timer *timer = owner;
	hpet_match_one_shot(timer, hpet_comparator_matches(&timer->comparator, ticks_by(timer->hpet, now_ns)));
	restart(timer, now_ns);
}

static void run_if_due(struct hpet *hpet, struct event *event, uint64_t now_ns)
{
	if (!event->queued || event->due_ns > now_ns)
		return;
	event_cancel(hpet->queue, event);
	event->fire(event->owner, now_ns);
}

static void run_due(struct hpet *hpet, uint64_t now_ns)
{
	if (now_ns < event_next_ns(hpet->queue))
		return;
	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++) {
		run_if_due(hpet, &timer->tick.event, now_ns);
		run_if_due(hpet, &timer->event, now_ns);
	}
}

/* Writes. */

static void halt(struct hpet *hpet, uint64_t now_ns)
{
	uint64_t ticks = ticks_by(hpet, now_ns);

	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++) {
		stop(timer);
		hpet_comparator_settle(&timer->comparator, ticks);
		hpet_comparator_disarm(&timer->comparator);
	}
	hpet->counter = counter_at(hpet, now_ns);
	hpet->config &= ~ENABLE_CNF;
}

static void run(struct hpet *hpet, uint64_t now_ns)
{
	hpet->origin_ns = now_ns;
	hpet->config |= ENABLE_CNF;
	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++)
		restart(timer, now_ns);
}

static void write_general(struct hpet *hpet, uint64_t written, uint64_t mask, uint64_t now_ns)
{
	uint32_t config = (uint32_t)((hpet->config & ~mask) | (written & mask)) & (ENABLE_CNF | LEG_RT_CNF);
	bool was_replacing = hpet_is_replacing(hpet);

	hpet->config = (hpet->config & ENABLE_CNF) | (config & LEG_RT_CNF);
	if (config & ENABLE_CNF && !hpet_is_running(hpet))
		run(hpet, now_ns);
	else if (!(config & ENABLE_CNF) && hpet_is_running(hpet))
		halt(hpet, now_ns);
	if (hpet_is_replacing(hpet) != was_replacing)
		hpet_replace(hpet, !was_replacing);
	hpet_drive_lines(hpet);
}

/* 2.3.6: what is cleared was served. */
static void write_status(struct hpet *hpet, uint64_t written, uint64_t now_ns)
{
	uint32_t cleared = hpet->status & (uint32_t)written;

	hpet->status &= ~cleared;
	hpet_drive_lines(hpet);
	for (unsigned i = 0; i < hpet->count; i++)
		if (cleared >> i & 1)
			hpet_accept(&hpet->timers[i], now_ns);
}

static void write_counter(struct hpet *hpet, uint64_t written, uint64_t mask)
{
	if (hpet_is_running(hpet))
		return;
	hpet->counter = ((hpet->counter & ~mask) | (written & mask)) & counter_mask(hpet);
	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++)
		timer->comparator.spent = false;
}

/* The bits of the configuration that take what is written; a route that the timer does not have is not taken (2.3.8). */
static uint32_t new_config(const struct hpet_timer *timer, uint64_t written, uint64_t mask)
{
	uint32_t writable = TN_INT_TYPE_CNF | TN_INT_ENB_CNF | TN_TYPE_CNF | TN_INT_ROUTE_CNF;
	unsigned route = (uint32_t)(written & TN_INT_ROUTE_CNF) >> TN_INT_ROUTE_CNF_SHIFT;

	if (timer->comparator.wide)
		writable |= TN_32MODE_CNF;
	if (!(hpet_route_cap() >> route & 1))
		writable &= ~TN_INT_ROUTE_CNF;
	writable &= (uint32_t)mask;
	return (timer->config & ~writable) | ((uint32_t)written & writable);
}

static void count_otherwise(struct hpet_timer *timer, uint64_t now_ns)
{
	stop(timer);
	hpet_comparator_settle(&timer->comparator, ticks_by(timer->hpet, now_ns));
	hpet_comparator_configure(&timer->comparator, is_periodic(timer), timer->config & TN_32MODE_CNF);
}

static void write_config(struct hpet_timer *timer, uint64_t written, uint64_t mask, uint64_t now_ns)
{
	uint32_t config = new_config(timer, written, mask), changed = config ^ timer->config;
	bool counts_otherwise = changed & (TN_TYPE_CNF | TN_32MODE_CNF);

	if (mask & TN_VAL_SET_CNF)
		timer->set_value = written & TN_VAL_SET_CNF && config & TN_TYPE_CNF;
	if (!changed)
		return;
	if (changed & TN_INT_TYPE_CNF)
		timer->hpet->status &= ~(1u << hpet_index_of(timer));
	if (changed & (TN_INT_TYPE_CNF | TN_INT_ROUTE_CNF))
		timer->edge = false;
	timer->config = config;
	if (counts_otherwise)
		count_otherwise(timer, now_ns);
	if (counts_otherwise || !is_periodic(timer))
		restart(timer, now_ns);
	hpet_drive_lines(timer->hpet);
}

static void write_comparator(struct hpet_timer *timer, uint64_t written, uint64_t mask, uint64_t now_ns)
{
	hpet_comparator_settle(&timer->comparator, ticks_by(timer->hpet, now_ns));
	hpet_comparator_write(&timer->comparator, written, mask, timer->set_value);
	timer->set_value = false;
	restart(timer, now_ns);
}

static void write_timer(struct hpet *hpet, uint32_t at, uint64_t written, uint64_t mask, uint64_t now_ns)
{
	struct hpet_timer *timer = &hpet->timers[at / TIMER_BYTES];

	if (at / TIMER_BYTES >= hpet->count)
		return;
	if (at % TIMER_BYTES == TN_CONF)
		write_config(timer, written, mask, now_ns);
	else if (at % TIMER_BYTES == TN_COMPARATOR)
		write_comparator(timer, written, mask, now_ns);
}

static void hpet_write(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	unsigned shift = 8 * (offset & 4);
	uint64_t mask = bytes == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift, written = value << shift;
	struct hpet *hpet = device;

	run_due(hpet, now_ns);
	switch (offset & ~4u) {
	case GEN_CONF:
		write_general(hpet, written, mask, now_ns);
		break;
	case GINTR_STA:
		write_status(hpet, written & mask, now_ns);
		break;
	case MAIN_CNT:
		write_counter(hpet, written, mask);
		break;
	default:
		if (offset >= TIMERS)
			write_timer(hpet, (offset & ~4u) - TIMERS, written, mask, now_ns);
	}
}

/* Reads. */

uint32_t hpet_block_id(const struct hpet_shape *shape)
{
	unsigned last = shape->wide + shape->narrow - 1u;

	return HPET_REVISION | last << 8 | (shape->wide ? CAP_COUNT_SIZE : 0) | CAP_LEG_RT | HPET_VENDOR_ID << 16;
}

static uint64_t config_of(const struct hpet_timer *timer)
{
	uint32_t caps = TN_PER_INT_CAP | (timer->comparator.wide ? TN_SIZE_CAP : 0);

	return timer->config | caps | (uint64_t)hpet_route_cap() << 32;
}

static uint64_t read_timer(const struct hpet *hpet, uint32_t at, uint64_t now_ns)
{
	const struct hpet_timer *timer = &hpet->timers[at / TIMER_BYTES];

	if (at / TIMER_BYTES >= hpet->count)
		return 0;
	if (at % TIMER_BYTES == TN_CONF)
		return config_of(timer);
	return at % TIMER_BYTES == TN_COMPARATOR ? hpet_comparator_read(&timer->comparator, ticks_by(hpet, now_ns)) : 0;
}

static uint64_t read_register(struct hpet *hpet, uint32_t offset, uint64_t now_ns)
{
	switch (offset) {
	case GCAP_ID:
		return hpet_block_id(&hpet->shape) | hpet->period_fs << 32;
	case GEN_CONF:
		return hpet->config;
	case GINTR_STA:
		run_due(hpet, now_ns);
		return hpet->status;
	case MAIN_CNT:
		return counter_at(hpet, now_ns);
	default:
		return offset >= TIMERS ? read_timer(hpet, offset - TIMERS, now_ns) : 0;
	}
}

static uint64_t hpet_read(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns)
{
	(void)bytes;
	return read_register(device, offset & ~4u, now_ns) >> 8 * (offset & 4);
}

/* The whole. */

void hpet_set_policy(struct hpet *hpet, enum tick_policy policy)
{
	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++)
		tick_set_policy(&timer->tick, policy);
}

static void add(struct tick_counters *sum, const struct tick_counters *counters)
{
	sum->due += counters->due;
	sum->accepted += counters->accepted;
	sum->merged += counters->merged;
	sum->dropped += counters->dropped;
	sum->masked += counters->masked;
	sum->backlog += counters->backlog;
}

void hpet_count_interrupts(const struct hpet *hpet, struct tick_counters *counters)
{
	*counters = (struct tick_counters){ 0 };
	for (const struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++) {
		add(counters, &timer->tick.counters);
		add(counters, &timer->one_shot);
	}
}

void hpet_reset(struct hpet *hpet)
{
	if (hpet_is_replacing(hpet))
		hpet_replace(hpet, false);
	hpet->config = hpet->status = 0;
	hpet->counter = 0;
	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++) {
		stop(timer);
		hpet_drop_one_shot(timer);
		timer->config = 0;
		timer->set_value = timer->edge = false;
		hpet_comparator_reset(&timer->comparator);
	}
	hpet_drive_lines(hpet);
}

static void init_timers(struct hpet *hpet)
{
	for (unsigned i = 0; i < hpet->count; i++) {
		struct hpet_timer *timer = &hpet->timers[i];

		timer->hpet = hpet;
		timer->comparator.wide = i < hpet->shape.wide;
		tick_init(&timer->tick, hpet->queue, &hpet_tick_ops, timer, TICK_SLEW);
		event_init(&timer->event, fire_one_shot, timer);
	}
}

/* The period is rounded down: who works the frequency out of it by dividing, as Linux does, gets exactly hz wherever hz is below 31.6 MHz or
 * divides 10^15. */
void hpet_init(struct hpet *hpet, struct bus *bus, struct irq_router *router, struct event_queue *queue, const struct hpet_shape *shape)
{
	struct mmio_range range = { .base_gpa = HPET_BASE_GPA, .bytes = BLOCK_BYTES, .widths = MMIO_4 | MMIO_8, .device = hpet,
				    .read = hpet_read, .write = hpet_write };
	uint64_t common;

	memset(hpet, 0, sizeof(*hpet));
	if (!shape->wide && !shape->narrow)
		return;
	ASSERT(shape->wide + shape->narrow <= (int)HPET_TIMERS_MOST && shape->hz >= HPET_HZ_LEAST && shape->hz <= HPET_HZ_MOST);
	common = gcd(shape->hz, NS_PER_S);
	hpet->router = router;
	hpet->queue = queue;
	hpet->shape = *shape;
	hpet->count = shape->wide + shape->narrow;
	hpet->period_fs = FS_PER_S / shape->hz;
	hpet->num = shape->hz / common;
	hpet->den = NS_PER_S / common;
	if (TIMERS + hpet->count * TIMER_BYTES > range.bytes)
		range.bytes = TIMERS + hpet->count * TIMER_BYTES;
	init_timers(hpet);
	hpet_claim_lines(hpet);
	bus_add_mmio(bus, &range);
	hpet_reset(hpet);
}
