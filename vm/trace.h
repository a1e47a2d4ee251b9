/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace of the clocks: each clock value that the guest gets by an exit, and everything that such a value depends on, so that another
 * program can work the same values out from the models (tests/replay.h does). Pure. Nothing of it is in the way of a run that is not traced:
 * it puts itself in front of the ports, the timers and the pvclock page when it is told to watch them. */
#pragma once

#include "devices/bus.h"
#include "devices/pvclock.h"
#include "timekeeping/tick.h"

#include <stddef.h>
#include <stdint.h>

#define TRACE_VERSION 3
#define TRACE_VALUES 8
#define TRACE_NAME_VALUES 3 /* of TRACE_EXITS */
#define TRACE_RANGES 6
#define TRACE_RECORD_BYTES (1 + 10 * (2 + TRACE_VALUES)) /* the longest that trace_encode makes */

/* The values of each kind, in their order. A record is made before what it tells of has its effects, but for those that tell what came out:
 * READ, TSC, STAMP and DUE. */
enum trace_kind {
	TRACE_START, /* TRACE_VERSION, host Hz, the multiplier's fraction bits and ratio limit, the calendar at guest time 0 (seconds since 1970),
			bytes of RAM below and above 4 GiB as the CMOS tells them, tick policies (PIT | RTC << 8), and whether the line is stamped (<< 16) */
	TRACE_LINE,  /* the line is like this now: mult, fraction bits, offset, tsc_adjust, rate's num and den, origin, what stamps cut off */
	TRACE_READ,  /* port, bytes, value */
	TRACE_WRITE, /* port, bytes, value */
	TRACE_TSC,   /* value (RDTSC, RDTSCP or RDMSR of 10h, by an exit) */
	TRACE_MSR,   /* MSR, value written */
	TRACE_STAMP, /* a pvclock page's version, tsc_timestamp, system_time_ns, mul, shift (as uint8_t), flags */
	TRACE_DUE,   /* ticks fell due: enum trace_timer, index n of the first and the last, when these two were due in guest ns */
	TRACE_DATE,  /* the RTC's calendar jumps: to seconds since 1970 */
	TRACE_EXITS, /* at the end, for each kind: count, name (in TRACE_NAME_VALUES values, the first byte the lowest) */
	TRACE_END,   /* how it ended: enum machine_end */
	TRACE_KIND_COUNT,
};

enum trace_timer { TRACE_PIT, TRACE_RTC, TRACE_TIMER_COUNT };

struct trace_record {
	enum trace_kind kind;
	uint64_t guest_ns, host_tsc;
	uint64_t values[TRACE_VALUES];
};

/* How many values a kind has. */
unsigned trace_value_count(enum trace_kind kind);

/* A record as bytes: the kind; then, each in LEB128, how far guest_ns and host_tsc are from those of the record before (*last, all zero at
 * first; updated), modulo 2^64, and the values. Returns the length. */
size_t trace_encode(struct trace_record *last, const struct trace_record *record, uint8_t out[TRACE_RECORD_BYTES]);

/* The inverse. Returns how many of the bytes the record took; 0: they hold no whole record. */
size_t trace_decode(struct trace_record *last, const uint8_t *in, size_t bytes, struct trace_record *record);

struct trace;

struct trace_range {
	struct trace *trace;
	struct port_range inner;
};

struct trace_tick {
	struct trace *trace;
	enum trace_timer timer;
	struct tick *tick;
	const struct tick_ops *ops; /* the timer's own */
	void *device;
	uint64_t told; /* ticks, masked ones included */
};

struct trace {
	const uint64_t *now_ns, *host_tsc;
	void (*emit)(void *context, const struct trace_record *record); /* NULL: nothing is traced */
	void *context;
	struct trace_range ranges[TRACE_RANGES];
	struct trace_tick ticks[TRACE_TIMER_COUNT];
};

/* A record of this moment. */
void trace_add(struct trace *trace, enum trace_kind kind, const uint64_t *values);

/* The ports of PIT, RTC and PM timer, each access of which is recorded, and those of the PIC pair, only writes to which are: its masks decide
 * about ticks. A chip that the machine has not is not watched. */
void trace_watch_ports(struct trace *trace, struct bus *bus);

/* Each tick that falls due. */
void trace_watch_tick(struct trace *trace, enum trace_timer timer, struct tick *tick);

/* Each time structure that is written. */
void trace_watch_pvclock(struct trace *trace, struct pvclock *pvclock);
