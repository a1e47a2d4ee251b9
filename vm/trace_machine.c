/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace of this machine: what is watched, and the way out, which is a parallel port. Each record leaves at once, so that none is lost
 * whatever comes; the guest pays for it in time, as for a longer exit. */
#include "vm/machine.h"

#include "base/mem.h"
#include "host/parallel.h"

static void send(void *context, const struct trace_record *record)
{
	static struct trace_record last;
	const struct machine *machine = context;
	uint8_t bytes[TRACE_RECORD_BYTES];

	parallel_write(machine->settings.trace_port, bytes, trace_encode(&last, record, bytes));
}

static void tell_start(struct machine *machine, uint64_t below_4g_bytes, uint64_t above_4g_bytes)
{
	trace_add(&machine->trace, TRACE_START, (const uint64_t[]){
		TRACE_VERSION, machine->line.host_hz, machine->line.multiplier.frac_bits, machine->line.multiplier.ratio_limit,
		(uint64_t)machine->pvclock.unix_at_zero, below_4g_bytes, above_4g_bytes,
		(uint64_t)machine->settings.tick_pit | (uint64_t)machine->settings.tick_rtc << 8 | (uint64_t)machine->line.stamped << 16 });
}

void machine_trace_line(struct machine *machine)
{
	const struct line *line = &machine->line;

	trace_add(&machine->trace, TRACE_LINE, (const uint64_t[]){ line->mult, line->frac_bits, line->offset, machine->tsc_adjust,
								   line->rate.num, line->rate.den, line->origin_tsc, line->cut_off });
}

void machine_trace_start(struct machine *machine, uint64_t below_4g_bytes, uint64_t above_4g_bytes)
{
	struct trace *trace = &machine->trace;

	if (!machine->settings.trace_port)
		return;
	*trace = (struct trace){ .now_ns = &machine->now_ns, .host_tsc = &machine->host_tsc, .emit = send, .context = machine };
	tell_start(machine, below_4g_bytes, above_4g_bytes);
	machine_trace_line(machine);
	trace_watch_ports(trace, &machine->bus);
	trace_watch_tick(trace, TRACE_PIT, &machine->pit.tick);
	trace_watch_tick(trace, TRACE_RTC, &machine->rtc.tick);
	trace_watch_pvclock(trace, &machine->pvclock);
}

void machine_trace_end(struct machine *machine)
{
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		uint64_t values[1 + TRACE_NAME_VALUES] = { machine->exits[kind] };
		size_t bytes = strlen(machine_exit_names[kind]), most = TRACE_NAME_VALUES * sizeof *values;

		memcpy(&values[1], machine_exit_names[kind], bytes < most ? bytes : most);
		trace_add(&machine->trace, TRACE_EXITS, values);
	}
	trace_add(&machine->trace, TRACE_END, (const uint64_t[]){ machine->end });
	machine->trace.emit = NULL;
}
