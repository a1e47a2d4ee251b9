/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine that only pretends: vm/control.h for tests of the monitor and the control port. To be included by one
 * file of a program. It counts what was done to it, and keeps no time of its own. */
#pragma once

#include "vm/control.h"

struct machine {
	struct control_rate rate;
	struct control_time time;
	struct control_exits exits;
	struct control_date date;
	uint64_t stalled_ns;
	unsigned rates, pauses, resumes, stalls, dates, quits;
	bool refuse; /* refuse whatever can be refused */
	void (*changed)(struct machine *machine); /* called after each change, where it is set */
};

static const struct machine fake_machine = {
	.rate = { .asked = { 1, 1 }, .effective_e12 = 1000000000233, .error_e12 = 233, .attained_e12 = 999871234567,
		  .untrapped_limit = 255 },
	.time = { .guest_ns = 5000000000, .calendar_unix = 1738326896, .host_ns = 4999000001, .host_hz = 2999999123,
		  .bed_ns = 6000000002, .bed_name = "hpet",
		  .ticks = { { "pit", 100, 90, 1, 2, 3, 7 }, { "rtc", 20, 20, 0, 0, 0, 0 } }, .tick_count = 2 },
	.date = { .rtc_unix = 1738326896, .wall_unix = 1738326895, .wall_ns = 999999999 },
	.exits = { .kinds = { { "cpuid", 12 }, { "port", UINT64_MAX }, { "hlt", 0 } }, .count = 3, .total = 34,
		   .injections = 5, .unclaimed_ports = 6, .refused_msrs = 7 },
};

static void fake_changed(struct machine *machine)
{
	if (machine->changed)
		machine->changed(machine);
}

bool control_set_rate(struct machine *machine, struct rate rate)
{
	if (machine->refuse || !rate.den)
		return false;
	machine->rate.asked = rate;
	machine->rate.effective_e12 = (uint64_t)((unsigned __int128)rate.num * 1000000000000 / rate.den);
	machine->rate.error_e12 = -3;
	machine->rates++;
	fake_changed(machine);
	return true;
}

void control_get_rate(const struct machine *machine, struct control_rate *rate)
{
	*rate = machine->rate;
}

static void fake_set_paused(struct machine *machine, bool paused)
{
	machine->rate.paused = machine->time.paused = paused;
	fake_changed(machine);
}

bool control_pause(struct machine *machine)
{
	if (machine->refuse || machine->time.paused || machine->time.ended)
		return false;
	machine->pauses++;
	fake_set_paused(machine, true);
	return true;
}

bool control_resume(struct machine *machine)
{
	if (machine->refuse || !machine->time.paused || machine->time.ended)
		return false;
	machine->resumes++;
	fake_set_paused(machine, false);
	return true;
}

void control_get_time(const struct machine *machine, struct control_time *time)
{
	*time = machine->time;
}

void control_get_exits(const struct machine *machine, struct control_exits *exits)
{
	*exits = machine->exits;
}

void control_get_date(const struct machine *machine, struct control_date *date)
{
	*date = machine->date;
}

bool control_set_date(struct machine *machine, int64_t unix_seconds)
{
	if (machine->refuse || machine->time.ended)
		return false;
	machine->date = (struct control_date){ unix_seconds, unix_seconds, 5 };
	machine->dates++;
	fake_changed(machine);
	return true;
}

bool control_stall(struct machine *machine, uint64_t host_ns)
{
	if (machine->refuse || machine->time.ended)
		return false;
	machine->stalled_ns = host_ns;
	machine->stalls++;
	return true;
}

void control_quit(struct machine *machine)
{
	machine->quits++;
	fake_changed(machine);
}
