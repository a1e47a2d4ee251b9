/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an operator can do with the running machine: the one interface behind the monitor, the control port and do= of the command
 * line. Guest time is in ns since power-on. */
#pragma once

#include "timekeeping/rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

struct control_rate {
	struct rate asked;
	uint64_t effective_e12;   /* in units of 10^-12 */
	int64_t error_e12;        /* (effective - asked) / asked, in 10^-12 */
	uint64_t attained_e12;    /* guest time over host time since the last change of rate or pause */
	uint64_t untrapped_limit; /* the highest whole rate that needs no exit on RDTSC; 0: only the exact ratio 1 */
	bool trapped;             /* RDTSC exits now */
	bool native;              /* RDTSC shows the host's own ticks; the pvclock page carries the rate */
	bool paused;
};

struct control_time {
	uint64_t guest_ns;
	int64_t calendar_unix; /* the RTC's calendar */
	uint64_t host_ns;      /* host time since the guest was started */
	uint64_t host_hz;
	uint64_t bed_ns;       /* a counter of the host that the line does not use, in ns since boot; to check it by */
	const char *bed_name;  /* which one: "hpet", "pm-timer"; "none" */
	bool paused;
	bool halted;           /* the guest waits in HLT */
	bool ended;            /* the guest runs no more */
	struct {
		const char *name;
		uint64_t due, accepted, merged, dropped, masked, backlog;
	} ticks[8];
	size_t tick_count;
};

struct control_date {
	int64_t rtc_unix;  /* the RTC's calendar, seconds since 1970 */
	int64_t wall_unix; /* the date of kvm-clock's wall clock, */
	uint32_t wall_ns;  /* and the ns of its second */
};

struct control_exits {
	struct {
		const char *name;
		uint64_t count;
	} kinds[48];
	size_t count;
	uint64_t total;
	uint64_t injections;
	uint64_t unclaimed_ports, refused_msrs;
};

/* False: the rate is not one that Foliot can run; nothing changed. A paused machine stays paused and takes the rate when it resumes. */
bool control_set_rate(struct machine *machine, struct rate rate);
void control_get_rate(const struct machine *machine, struct control_rate *rate);

/* False: it was so already, or the guest has ended. */
bool control_pause(struct machine *machine);
bool control_resume(struct machine *machine);

void control_get_time(const struct machine *machine, struct control_time *time);
void control_get_exits(const struct machine *machine, struct control_exits *exits);

void control_get_date(const struct machine *machine, struct control_date *date);

/* Sets the calendar: the RTC, and kvm-clock's wall clock by it; no other clock moves. unix_seconds on the calendar (date_check). False: the guest
 * has ended, or is just setting its RTC; nothing changed. */
bool control_set_date(struct machine *machine, int64_t unix_seconds);

/* Withholds the processor from the guest for host_ns of host time, while guest time goes on. For tests. */
bool control_stall(struct machine *machine, uint64_t host_ns);

/* Ends the run: the machine is powered off, or on a test bed the bed is left. */
void control_quit(struct machine *machine);
