/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The HPET's interrupts. Section numbers are those of IA-PC HPET 1.0a. */
#include "devices/hpet_interrupts.h"

/* Lines that no other device has. Those below 16 are for systems without the IOAPIC. */
static const uint8_t routes[HPET_LINES - 2] = { 5, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23 };
#define LEGACY_LINES (HPET_LINES - 2)
#define NO_LINE HPET_LINES

static const uint8_t replaced_irqs[2] = { 0, 8 }; /* by timers 0 and 1 (2.3.5) */

uint32_t hpet_route_cap(void)
{
	uint32_t cap = 0;

	for (unsigned i = 0; i < LEGACY_LINES; i++)
		cap |= 1u << routes[i];
	return cap;
}

/* Which line, by index, the timer's interrupt takes. */
static unsigned line_of(const struct hpet_timer *timer)
{
	unsigned route = (timer->config & TN_INT_ROUTE_CNF) >> TN_INT_ROUTE_CNF_SHIFT, i = 0;

	if (hpet_index_of(timer) < 2 && hpet_is_replacing(timer->hpet))
		return LEGACY_LINES + hpet_index_of(timer);
	while (i < LEGACY_LINES && routes[i] != route)
		i++;
	return i < LEGACY_LINES ? i : NO_LINE;
}

static bool sends(const struct hpet_timer *timer)
{
	return timer->config & TN_INT_ENB_CNF && hpet_is_running(timer->hpet);
}

static bool holds_line(const struct hpet_timer *timer)
{
	if (!hpet_is_level(timer))
		return timer->edge;
	return sends(timer) && timer->hpet->status >> hpet_index_of(timer) & 1;
}

static void drive(struct hpet *hpet, unsigned line, bool level)
{
	const struct hpet_line *l = &hpet->lines[line];

	if (level)
		hpet->high |= 1u << line;
	else
		hpet->high &= ~(1u << line);
	if (l->replaces)
		irq_set_replacing(hpet->router, l->irq, level);
	else
		irq_set(hpet->router, l->irq, level);
}

/* Timers that share a line hold it up together. */
void hpet_drive_lines(struct hpet *hpet)
{
	uint32_t wanted = 0;

	for (struct hpet_timer *timer = hpet->timers; timer < hpet->timers + hpet->count; timer++)
		if (holds_line(timer))
			wanted |= 1u << line_of(timer);
	for (unsigned line = 0; line < HPET_LINES; line++)
		if ((wanted ^ hpet->high) >> line & 1)
			drive(hpet, line, wanted >> line & 1);
}

/* 2.3.8: a level is held until the status is cleared; an edge, here, until the interrupt is accepted, even if the timer is told meanwhile to send
 * no more of them. */
static void send(struct hpet_timer *timer)
{
	struct hpet *hpet = timer->hpet;
	unsigned line = line_of(timer);

	if (hpet_is_level(timer)) {
		hpet->status |= 1u << hpet_index_of(timer);
		if (sends(timer) && line != NO_LINE && !(hpet->high >> line & 1))
			drive(hpet, line, true);
	} else if (sends(timer) && line != NO_LINE) {
		timer->edge = true;
		if (hpet->high >> line & 1)
			drive(hpet, line, false);
		drive(hpet, line, true);
	}
}

static bool is_masked(void *device)
{
	const struct hpet_timer *timer = device;
	unsigned line = line_of(timer);

	if (!sends(timer) || line == NO_LINE)
		return true;
	if (timer->hpet->lines[line].replaces)
		return irq_masked_replacing(timer->hpet->router, timer->hpet->lines[line].irq);
	return irq_masked(timer->hpet->router, timer->hpet->lines[line].irq);
}

static void raise_tick(void *device, uint64_t now_ns)
{
	(void)now_ns;
	send(device);
}

const struct tick_ops hpet_tick_ops = { .raise = raise_tick, .masked = is_masked };

void hpet_drop_one_shot(struct hpet_timer *timer)
{
	timer->one_shot.dropped += timer->one_shot.backlog;
	timer->one_shot.backlog = 0;
}

/* A one-shot that cannot be sent counts as masked. One that a controller masks does not, as some keep it. */
static void fall_due(struct hpet_timer *timer, uint64_t matches)
{
	if (!sends(timer) || line_of(timer) == NO_LINE) {
		timer->one_shot.masked += matches;
		return;
	}
	hpet_drop_one_shot(timer);
	timer->one_shot.dropped += matches - 1;
	timer->one_shot.due += matches;
	timer->one_shot.backlog = 1;
}

void hpet_match_one_shot(struct hpet_timer *timer, uint64_t matches)
{
	fall_due(timer, matches);
	send(timer);
}

void hpet_accept(struct hpet_timer *timer, uint64_t now_ns)
{
	if (timer->one_shot.backlog) {
		timer->one_shot.backlog = 0;
		timer->one_shot.accepted++;
	} else {
		tick_accepted(&timer->tick, now_ns);
	}
}

/* The controller took the interrupt: it was that of every edge-triggered comparator that drove the line. */
static void accepted(void *device, uint64_t now_ns)
{
	struct hpet_line *line = device;
	struct hpet *hpet = line->hpet;
	uint32_t taken = 0;

	for (unsigned i = 0; i < hpet->count; i++) {
		struct hpet_timer *timer = &hpet->timers[i];

		if (!hpet_is_level(timer) && timer->edge && line_of(timer) == (unsigned)(line - hpet->lines)) {
			timer->edge = false;
			taken |= 1u << i;
		}
	}
	hpet_drive_lines(hpet);
	for (unsigned i = 0; i < hpet->count; i++)
		if (taken >> i & 1)
			hpet_accept(&hpet->timers[i], now_ns);
}

/* What timers 0 and 1 sent and was not accepted is lost where they change lines. */
void hpet_replace(struct hpet *hpet, bool replacing)
{
	for (unsigned i = 0; i < 2; i++) {
		hpet_drop_one_shot(&hpet->timers[i]);
		hpet->timers[i].edge = false;
		irq_replace(hpet->router, replaced_irqs[i], replacing);
	}
}

void hpet_claim_lines(struct hpet *hpet)
{
	for (unsigned i = 0; i < HPET_LINES; i++) {
		struct hpet_line *line = &hpet->lines[i];

		*line = (struct hpet_line){ hpet, i < LEGACY_LINES ? routes[i] : replaced_irqs[i - LEGACY_LINES], i >= LEGACY_LINES };
		if (line->replaces)
			irq_claim_replacing(hpet->router, line->irq, line, accepted);
		else
			irq_claim(hpet->router, line->irq, line, accepted);
	}
}
