/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the operator does to the machine. Every change is made at the machine's "now" and leaves each clock continuous. */
#include "vm/control.h"

#include "base/mem.h"
#include "host/bed_clock.h"
#include "monitor/eventlog.h"
#include "timekeeping/arith.h"
#include "vm/machine.h"

#define NS_PER_SECOND 1000000000ull
#define E12 1000000000000ull

static uint64_t host_ns(const struct machine *machine, uint64_t ticks)
{
	return mul_div_floor(ticks, NS_PER_SECOND, machine->line.host_hz);
}

/* Bends the line; at rate 0 the guest does not run. */
static void set_line(struct machine *machine, struct rate rate)
{
	machine_bend(machine, rate);
	machine_withhold(machine, WITHHELD_PAUSED, !rate.num);
}

bool control_set_rate(struct machine *machine, struct rate rate)
{
	if (!rate_reduce(&rate))
		return false;
	machine->rate = rate;
	if (!machine->paused && !machine->end)
		set_line(machine, rate);
	eventlog_add(&machine_log, LOG_RATE, machine->now_ns, machine->host_tsc, rate.num, rate.den);
	protocol_rate_changed(&machine->console.protocol);
	return true;
}

static uint64_t attained_e12(const struct machine *machine)
{
	uint64_t host = host_ns(machine, machine->host_tsc - machine->bend_tsc);
	uint64_t guest = machine->now_ns - machine->bend_ns;

	if (!host || guest / host >= UINT64_MAX / E12)
		return host ? UINT64_MAX : 0;
	return mul_div_floor(guest, E12, host);
}

void control_get_rate(const struct machine *machine, struct control_rate *rate)
{
	*rate = (struct control_rate){
		.asked = machine->rate,
		.effective_e12 = line_effective_e12(&machine->line),
		.error_e12 = line_error_e12(&machine->line),
		.attained_e12 = attained_e12(machine),
		.untrapped_limit = machine->settings.tsc == TSC_TRAP ? 0 : line_untrapped_limit(&machine->line),
		.trapped = machine_tsc_exits(machine),
		.native = machine->line.stamped,
		.paused = machine->paused || !machine->rate.num,
	};
}

bool control_pause(struct machine *machine)
{
	if (machine->paused || machine->end)
		return false;
	machine->paused = true;
	set_line(machine, (struct rate){ 0, 1 });
	eventlog_add(&machine_log, LOG_PAUSE, machine->now_ns, machine->host_tsc, 0, 0);
	protocol_paused(&machine->console.protocol);
	return true;
}

bool control_resume(struct machine *machine)
{
	if (!machine->paused || machine->end)
		return false;
	machine->paused = false;
	set_line(machine, machine->rate);
	eventlog_add(&machine_log, LOG_RESUME, machine->now_ns, machine->host_tsc, 0, 0);
	protocol_resumed(&machine->console.protocol);
	return true;
}

static void add_ticks(struct control_time *time, const char *name, const struct tick_counters *c)
{
	time->ticks[time->tick_count].name = name;
	time->ticks[time->tick_count].due = c->due;
	time->ticks[time->tick_count].accepted = c->accepted;
	time->ticks[time->tick_count].merged = c->merged;
	time->ticks[time->tick_count].dropped = c->dropped;
	time->ticks[time->tick_count].masked = c->masked;
	time->ticks[time->tick_count].backlog = c->backlog;
	time->tick_count++;
}

void control_get_time(const struct machine *machine, struct control_time *time)
{
	struct tick_counters hpet, lapic;

	memset(time, 0, sizeof *time);
	time->guest_ns = machine->now_ns;
	time->calendar_unix = rtc_unix(&machine->rtc, machine->now_ns);
	time->host_ns = host_ns(machine, machine->host_tsc - machine->started_tsc);
	time->host_hz = machine->line.host_hz;
	time->bed_name = bed_clock_read(&time->bed_ns);
	time->paused = machine->paused || !machine->rate.num;
	time->halted = machine->halted;
	time->ended = machine->end != END_NOT;
	add_ticks(time, "pit", &pit_tick(&machine->pit)->counters);
	add_ticks(time, "rtc", &rtc_tick(&machine->rtc)->counters);
	if (hpet_is_present(&machine->hpet)) {
		hpet_count_interrupts(&machine->hpet, &hpet);
		add_ticks(time, "hpet", &hpet);
	}
	lapic_count_interrupts(&machine->lapic, &lapic);
	add_ticks(time, "lapic", &lapic);
}

void control_get_exits(const struct machine *machine, struct control_exits *exits)
{
	memset(exits, 0, sizeof *exits);
	for (size_t kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		exits->kinds[kind].name = machine_exit_names[kind];
		exits->kinds[kind].count = machine->exits[kind];
		exits->total += machine->exits[kind];
	}
	exits->count = EXIT_KIND_COUNT;
	exits->injections = machine->injections;
	exits->unclaimed_ports = machine->bus.unclaimed;
	exits->refused_msrs = machine->refused_msrs;
}

void control_get_date(const struct machine *machine, struct control_date *date)
{
	date->rtc_unix = rtc_unix(&machine->rtc, machine->now_ns);
	date->wall_unix = pvclock_unix(&machine->pvclock, machine->now_ns, &date->wall_ns);
}

bool control_set_date(struct machine *machine, int64_t unix_seconds)
{
	int64_t from_unix = rtc_unix(&machine->rtc, machine->now_ns);

	if (machine->end || !rtc_set_unix(&machine->rtc, unix_seconds, machine->now_ns))
		return false;
	pvclock_set_unix(&machine->pvclock, unix_seconds, rtc_unix_ns(&machine->rtc, machine->now_ns), machine->now_ns);
	machine_trace(machine, TRACE_DATE, (uint64_t)unix_seconds, 0);
	eventlog_add(&machine_log, LOG_DATE, machine->now_ns, machine->host_tsc, (uint64_t)from_unix, (uint64_t)unix_seconds);
	protocol_date_changed(&machine->console.protocol, from_unix);
	return true;
}

bool control_stall(struct machine *machine, uint64_t stall_host_ns)
{
	if (machine->withheld)
		return false;
	machine_withhold(machine, WITHHELD_STALLED, true);
	machine->stall_end_tsc = machine->host_tsc + mul_div_ceil(stall_host_ns, machine->line.host_hz, NS_PER_SECOND);
	eventlog_add(&machine_log, LOG_STALL, machine->now_ns, machine->host_tsc, stall_host_ns, 0);
	return true;
}

void control_quit(struct machine *machine)
{
	machine_end(machine, END_QUIT);
}
