/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event log as text. */
#include "monitor/eventlog.h"

#include "base/format.h"

#include <stdbool.h>

/* The arguments' names; NULL: the kind does not use it. */
static const struct kind {
	const char *name, *a, *b;
	bool hex;
} kinds[LOG_KIND_COUNT] = {
	[LOG_EXIT] = { "exit", "kind", "rip", true },
	[LOG_INJECT] = { "inject", "vector", NULL, true },
	[LOG_HALT] = { "halt", "rip", NULL, true },
	[LOG_RATE] = { "rate", "num", "den", false },
	[LOG_PAUSE] = { "pause", NULL, NULL, false },
	[LOG_RESUME] = { "resume", NULL, NULL, false },
	[LOG_STALL] = { "stall", "host-ns", NULL, false },
	[LOG_DATE] = { "date", "from-unix", "to-unix", false },
	[LOG_REFUSED_MSR] = { "refused-msr", "msr", "write", true },
	[LOG_FAULT] = { "fault", "vector", "rip", true },
	[LOG_MEMORY_HOLE] = { "memory-hole", "gpa", "error", true },
	[LOG_RESET] = { "reset", "value", NULL, true },
	[LOG_APIC_SIGNAL] = { "apic-signal", "signal", NULL, false },
	[LOG_ENDED] = { "ended", "status", NULL, true },
};

uint64_t eventlog_overwritten(const struct eventlog *log)
{
	return log->count > EVENTLOG_RECORDS ? log->count - EVENTLOG_RECORDS : 0;
}

static size_t put_argument(char *out, size_t bytes, const char *name, uint64_t value, bool hex)
{
	if (!name)
		return 0;
	return format(out, bytes, hex ? " %s=%lxh" : " %s=%lu", name, value);
}

size_t eventlog_format(const struct eventlog_record *record, char *out, size_t bytes)
{
	static const struct kind damaged = { "damaged", "a", "b", true };
	const struct kind *kind = (unsigned)record->kind < LOG_KIND_COUNT ? &kinds[record->kind] : &damaged;
	size_t length = format(out, bytes, "%6lu.%09lu %016lx %s", record->guest_ns / 1000000000,
			       record->guest_ns % 1000000000, record->host_tsc, kind->name);

	length += put_argument(out + length, bytes - length, kind->a, record->a, kind->hex);
	return length + put_argument(out + length, bytes - length, kind->b, record->b, kind->hex);
}

void eventlog_last(const struct eventlog *log, size_t wanted, void (*line)(void *context, const char *text),
		   void *context)
{
	uint64_t held = log->count < EVENTLOG_RECORDS ? log->count : EVENTLOG_RECORDS;
	uint64_t shown = wanted < held ? wanted : held;
	char text[160];

	if (shown < log->count) {
		format(text, sizeof text, "(%lu earlier records, %lu of them overwritten)", log->count - shown,
		       eventlog_overwritten(log));
		line(context, text);
	}
	for (uint64_t i = log->count - shown; i != log->count; i++) {
		eventlog_format(&log->records[i & (EVENTLOG_RECORDS - 1)], text, sizeof text);
		line(context, text);
	}
}
