/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The high precision event timer: IA-PC HPET 1.0a, one block at FED00000h. Its shape (how many comparators, how wide, how fast) is the operator's.
 * The main counter has 64 bits where a comparator has. Interrupts by the IOAPIC's and the 8259As' lines, or in place of the PIT and the RTC
 * (legacy replacement); no front side bus delivery.
 *
 * Where the specification leaves it open: the main counter ignores writes while it runs; a write to a periodic comparator with Tn_VAL_SET_CNF sets
 * value and period, one without the period alone; Tn_VAL_SET_CNF reads 0, and each write to the comparator, of 32 bits or 64, uses it up; legacy
 * replacement is in force while the counter runs. */
#pragma once

#include "devices/bus.h"
#include "devices/hpet_comparator.h"
#include "devices/irq.h"
#include "timekeeping/event.h"
#include "timekeeping/tick.h"

#include <stdbool.h>
#include <stdint.h>

#define HPET_BASE_GPA 0xfed00000ull
#define HPET_TIMERS_LEAST 3u
#define HPET_TIMERS_MOST 32u
#define HPET_HZ_LEAST 10000000ull /* 2.3.4: a period of 100 ns at the most */
#define HPET_HZ_MOST 1000000000ull
#define HPET_VENDOR_ID 0x8086u
#define HPET_REVISION 1u

/* The comparators of 64 bits come first. None of either: there is no HPET. */
struct hpet_shape {
	uint8_t wide, narrow; /* how many of 64 bits, and of 32 */
	uint64_t hz;
};

/* A line that comparators can drive, and whether some do: of the IOAPIC, or in legacy replacement. */
struct hpet_line {
	struct hpet *hpet;
	uint8_t irq;
	bool replaces;
};

#define HPET_LINES 13u

struct hpet_timer {
	struct hpet *hpet;
	struct hpet_comparator comparator;
	uint32_t config;   /* the bits that can be written, but for Tn_VAL_SET_CNF */
	bool set_value;    /* Tn_VAL_SET_CNF waits for the next write to the comparator */
	bool edge;         /* an edge-triggered interrupt was sent and not yet accepted */
	struct tick tick;  /* while periodic */
	struct event event; /* the next match, while one-shot and where one has an effect */
	struct tick_counters one_shot; /* due = accepted + dropped + backlog, which is 0 or 1 */
};

struct hpet {
	struct irq_router *router;
	struct event_queue *queue;
	struct hpet_shape shape;
	unsigned count;          /* of timers */
	uint64_t period_fs;
	uint64_t num, den;       /* ticks per ns, reduced */
	uint32_t config, status;
	uint64_t counter;        /* what it showed at origin_ns, or shows while it stands */
	uint64_t origin_ns;      /* when it was last started */
	uint32_t high;           /* the lines that are up, by index */
	struct hpet_line lines[HPET_LINES];
	struct hpet_timer timers[HPET_TIMERS_MOST];
};

/* Claims the registers and the lines, which must be attached already, and resets. A shape without comparators claims nothing. */
void hpet_init(struct hpet *hpet, struct bus *bus, struct irq_router *router, struct event_queue *queue, const struct hpet_shape *shape);

/* The counter stands at 0, and no interrupt comes. The counters of interrupts go on. */
void hpet_reset(struct hpet *hpet);

static inline bool hpet_is_present(const struct hpet *hpet)
{
	return hpet->count;
}

/* For the ACPI table (IA-PC HPET 3.2.4): the low half of the capabilities register. */
uint32_t hpet_block_id(const struct hpet_shape *shape);

/* What becomes of late ticks, of all comparators. */
void hpet_set_policy(struct hpet *hpet, enum tick_policy policy);

/* For the monitor: the interrupts of all comparators, periodic and one-shot. */
void hpet_count_interrupts(const struct hpet *hpet, struct tick_counters *counters);
