/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace of the clocks: its records, and what it puts in front of ports, timers and the pvclock page. */
#include "vm/trace.h"

#include "base/assert.h"
#include "base/mem.h"

static const uint8_t value_counts[TRACE_KIND_COUNT] = {
	[TRACE_START] = 8, [TRACE_LINE] = 8, [TRACE_READ] = 3, [TRACE_WRITE] = 3, [TRACE_TSC] = 1,
	[TRACE_MSR] = 2, [TRACE_STAMP] = 6, [TRACE_DUE] = 5, [TRACE_DATE] = 1, [TRACE_EXITS] = 4, [TRACE_END] = 1,
};

unsigned trace_value_count(enum trace_kind kind)
{
	return value_counts[kind];
}

static uint8_t *put(uint8_t *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out++ = (uint8_t)(value | 0x80);
	*out++ = (uint8_t)value;
	return out;
}

size_t trace_encode(struct trace_record *last, const struct trace_record *record, uint8_t out[TRACE_RECORD_BYTES])
{
	uint8_t *at = out;

	*at++ = (uint8_t)record->kind;
	at = put(at, record->guest_ns - last->guest_ns);
	at = put(at, record->host_tsc - last->host_tsc);
	for (unsigned i = 0; i < value_counts[record->kind]; i++)
		at = put(at, record->values[i]);
	*last = *record;
	return (size_t)(at - out);
}

/* NULL where the bytes end first, or hold more than 64 bits. */
static const uint8_t *get(const uint8_t *in, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; in && in != end && shift < 64; shift += 7) {
		uint64_t bits = *in & 0x7f;

		if (bits << shift >> shift != bits)
			return NULL;
		*value |= bits << shift;
		if (!(*in++ & 0x80))
			return in;
	}
	return NULL;
}

size_t trace_decode(struct trace_record *last, const uint8_t *in, size_t bytes, struct trace_record *record)
{
	const uint8_t *at = in + 1, *end = in + bytes;

	if (!bytes || *in >= TRACE_KIND_COUNT)
		return 0;
	memset(record, 0, sizeof *record);
	record->kind = (enum trace_kind)*in;
	at = get(at, end, &record->guest_ns);
	at = get(at, end, &record->host_tsc);
	for (unsigned i = 0; i < value_counts[record->kind]; i++)
		at = get(at, end, &record->values[i]);
	if (!at)
		return 0;
	record->guest_ns += last->guest_ns;
	record->host_tsc += last->host_tsc;
	*last = *record;
	return (size_t)(at - in);
}

void trace_add(struct trace *trace, enum trace_kind kind, const uint64_t *values)
{
	struct trace_record record = { .kind = kind };

	if (!trace->emit)
		return;
	record.guest_ns = *trace->now_ns;
	record.host_tsc = *trace->host_tsc;
	for (unsigned i = 0; i < value_counts[kind]; i++)
		record.values[i] = values[i];
	trace->emit(trace->context, &record);
}

static uint32_t read_port(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct trace_range *range = device;
	uint32_t value = range->inner.read(range->inner.device, port, bytes, now_ns) & UINT32_MAX >> (32 - 8 * bytes);

	trace_add(range->trace, TRACE_READ, (const uint64_t[]){ port, bytes, value });
	return value;
}

static uint32_t read_port_quietly(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct trace_range *range = device;

	return range->inner.read(range->inner.device, port, bytes, now_ns);
}

static void write_port(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct trace_range *range = device;

	trace_add(range->trace, TRACE_WRITE, (const uint64_t[]){ port, bytes, value });
	range->inner.write(range->inner.device, port, value, bytes, now_ns);
}

void trace_watch_ports(struct trace *trace, struct bus *bus)
{
	static const struct { uint16_t port; bool reads; } watched[TRACE_RANGES] = {
		{ 0x20, false }, { 0xa0, false }, { 0x40, true }, { 0x61, true }, { 0x70, true }, { 0x608, true },
	};

	for (unsigned i = 0; i < TRACE_RANGES; i++) {
		struct trace_range *range = &trace->ranges[i];
		struct port_handlers watch = { range, watched[i].reads ? read_port : read_port_quietly, write_port };

		range->trace = trace;
		bus_interpose(bus, watched[i].port, &watch, &range->inner);
	}
}

/* The engine raises when ticks have fallen due, and when it gives one back out of its backlog: then none has. */
static void raise_tick(void *device, uint64_t now_ns)
{
	struct trace_tick *watch = device;
	const struct tick *tick = watch->tick;
	uint64_t fallen = tick->counters.due + tick->counters.masked, first = tick->next - (fallen - watch->told), last = tick->next - 1;

	if (fallen != watch->told)
		trace_add(watch->trace, TRACE_DUE, (const uint64_t[]){ watch->timer, first, last, tick_due_ns(tick, first),
								       tick_due_ns(tick, last) });
	watch->told = fallen;
	watch->ops->raise(watch->device, now_ns);
}

static bool is_tick_masked(void *device)
{
	const struct trace_tick *watch = device;

	return watch->ops->masked(watch->device);
}

static const struct tick_ops watching = { .raise = raise_tick, .masked = is_tick_masked };

void trace_watch_tick(struct trace *trace, enum trace_timer timer, struct tick *tick)
{
	struct trace_tick *watch = &trace->ticks[timer];

	*watch = (struct trace_tick){ trace, timer, tick, tick->ops, tick->device, tick->counters.due + tick->counters.masked };
	tick->ops = &watching;
	tick->device = watch;
}

static void note_stamp(void *context, const struct pvclock_time *time)
{
	trace_add(context, TRACE_STAMP, (const uint64_t[]){ time->version, time->tsc_timestamp, time->system_time_ns, time->tsc_to_system_mul,
							    (uint8_t)time->tsc_shift, time->flags });
}

void trace_watch_pvclock(struct trace *trace, struct pvclock *pvclock)
{
	pvclock->stamped = note_stamp;
	pvclock->stamped_context = trace;
}
