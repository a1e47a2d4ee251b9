/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event log: a ring of fixed records of what happened to the machine, always on, cheap enough for every exit.
 * The newest records are kept; those that were overwritten are counted. The panic dump and the monitor turn the last
 * of them into text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EVENTLOG_RECORDS 1024u /* a power of two */

/* Each kind's two arguments are named in the table of eventlog.c. */
enum eventlog_kind {
	LOG_EXIT,
	LOG_INJECT,
	LOG_HALT,
	LOG_RATE,
	LOG_PAUSE,
	LOG_RESUME,
	LOG_STALL,
	LOG_DATE,
	LOG_REFUSED_MSR,
	LOG_FAULT,
	LOG_MEMORY_HOLE,
	LOG_RESET,
	LOG_APIC_SIGNAL, /* NMI, SMI, INIT */
	LOG_ENDED,
	LOG_KIND_COUNT,
};

struct eventlog_record {
	uint64_t guest_ns, host_tsc;
	uint64_t a, b;
	enum eventlog_kind kind;
};

struct eventlog {
	uint64_t count; /* records ever written */
	struct eventlog_record records[EVENTLOG_RECORDS];
};

/* Adds one record, and overwrites the oldest one where the ring is full: about a dozen instructions, no branch. Inline,
 * because it stands in the run loop. Memory of zeros is an empty log. */
static inline void eventlog_add(struct eventlog *log, enum eventlog_kind kind, uint64_t guest_ns, uint64_t host_tsc,
				uint64_t a, uint64_t b)
{
	struct eventlog_record *record = &log->records[log->count++ & (EVENTLOG_RECORDS - 1)];

	record->guest_ns = guest_ns;
	record->host_tsc = host_tsc;
	record->a = a;
	record->b = b;
	record->kind = kind;
}

/* How many records were overwritten. */
uint64_t eventlog_overwritten(const struct eventlog *log);

/* One record as text, without a line end: guest time in seconds, host TSC, kind, arguments. Returns the length as
 * format does. */
size_t eventlog_format(const struct eventlog_record *record, char *out, size_t bytes);

/* Hands the last at most wanted records to line, oldest first; before them, where records are missing, a line that
 * says how many. Safe on a log that a wild write has damaged: it is called by the panic dump. */
void eventlog_last(const struct eventlog *log, size_t wanted, void (*line)(void *context, const char *text),
		   void *context);
