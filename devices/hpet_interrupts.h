/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The interrupts of the HPET's comparators: which line each takes, how it is held, and when it counts as accepted. For the HPET's own files. */
#pragma once

#include "devices/hpet.h"
#include "devices/hpet_bits.h"

static inline bool hpet_is_running(const struct hpet *hpet)
{
	return hpet->config & ENABLE_CNF;
}

static inline bool hpet_is_replacing(const struct hpet *hpet)
{
	return (hpet->config & (ENABLE_CNF | LEG_RT_CNF)) == (ENABLE_CNF | LEG_RT_CNF);
}

static inline bool hpet_is_level(const struct hpet_timer *timer)
{
	return timer->config & TN_INT_TYPE_CNF;
}

static inline unsigned hpet_index_of(const struct hpet_timer *timer)
{
	return (unsigned)(timer - timer->hpet->timers);
}

extern const struct tick_ops hpet_tick_ops;

/* Claims all lines. */
void hpet_claim_lines(struct hpet *hpet);

/* A bit for each interrupt that a timer can be routed to (Tn_INT_ROUTE_CAP). */
uint32_t hpet_route_cap(void);

/* A one-shot comparator matched, so many times since it was looked at. */
void hpet_match_one_shot(struct hpet_timer *timer, uint64_t matches);

/* A timer's interrupt was accepted. May raise the next one. */
void hpet_accept(struct hpet_timer *timer, uint64_t now_ns);

/* Forgets the one-shot's interrupt that is due and not accepted. */
void hpet_drop_one_shot(struct hpet_timer *timer);

/* Timers 0 and 1 take the lines of PIT and RTC over, or give them back. */
void hpet_replace(struct hpet *hpet, bool replacing);

/* Brings all lines up to date. */
void hpet_drive_lines(struct hpet *hpet);
