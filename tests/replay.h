/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Replays a trace of clocks (vm/trace.h) through the models: the line, the event queue, the tick engine, PIC, PIT, RTC, PM timer and pvclock,
 * as the hypervisor links them. Writes, bends and the moments are taken from the trace; every value that a guest read, every stamp of a
 * pvclock page and every due tick is worked out anew and must be the same. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pmtimer.h"
#include "devices/pvclock.h"
#include "devices/rtc.h"
#include "timekeeping/event.h"
#include "timekeeping/line.h"
#include "vm/trace.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_EXPECTED 8
#define REPLAY_EXITS 64
#define REPLAY_NAME_BYTES (8 * TRACE_NAME_VALUES)

/* What was compared or taken, by kind. */
enum replay_count {
	REPLAY_PIT_READS, REPLAY_RTC_READS, REPLAY_PM_READS, REPLAY_TSC_READS, REPLAY_STAMPS, REPLAY_PIT_TICKS, REPLAY_RTC_TICKS,
	REPLAY_WRITES, REPLAY_BENDS, REPLAY_COUNTS,
};

extern const char *const replay_count_names[REPLAY_COUNTS];

struct replay_exit {
	char name[REPLAY_NAME_BYTES + 1];
	uint64_t count;
};

struct replay {
	struct bus bus;
	struct irq_router router;
	struct event_queue queue;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct pmtimer pmtimer;
	struct pvclock pvclock;
	struct guest_ram ram;
	uint8_t page[sizeof(struct pvclock_time)];
	bool page_hidden; /* the models find no guest memory just now */
	struct line line;
	uint64_t host_hz, tsc_adjust;
	struct line_multiplier multiplier;

	bool started, has_line, ended;
	uint64_t now_ns, host_tsc;
	struct trace trace; /* of the models */
	struct trace_record expected[REPLAY_EXPECTED]; /* what they came out with and the trace has not told yet */
	unsigned expected_count;

	/* Told each tick once it is known to be right: the timer with its origin, count and frequency, and n. NULL: nobody asks. */
	void (*on_tick)(void *context, enum trace_timer timer, const struct tick *tick, uint64_t n);
	void *on_tick_context;
	uint64_t counts[REPLAY_COUNTS];
	struct replay_exit exits[REPLAY_EXITS];
	unsigned exit_count;
	char why[400]; /* of the first difference */
};

void replay_init(struct replay *replay);

/* Takes the next record. False: it is not what the models say, and replay->why tells the difference. */
bool replay_record(struct replay *replay, const struct trace_record *record);

/* The whole of a trace. False: a difference, bytes that are no record, or no end. replay->why begins with the record's number and text. */
bool replay_bytes(struct replay *replay, const uint8_t *bytes, size_t count);

/* A record in words, for messages. */
void replay_text(const struct trace_record *record, char *out, size_t bytes);
