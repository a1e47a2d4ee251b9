/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's own command line, in Xen's manner: key=value words, quoted where they contain blanks.
 * docs/command-line.md lists the keys. */
#pragma once

#include "devices/hpet.h"
#include "timekeeping/rate.h"
#include "timekeeping/tick.h"
#include "vm/clocks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_DOS 64
#define SETTINGS_DO_BYTES 128

enum tsc_delivery { TSC_AUTO, TSC_SCALE, TSC_TRAP, TSC_NATIVE };
enum on_reset { RESET_STOP, RESET_RESTART };
enum on_death { DEATH_STAY, DEATH_LEAVE };

/* A command of do=: at guest time at_ns the monitor executes it. */
struct settings_do {
	uint64_t at_ns;
	char command[SETTINGS_DO_BYTES];
};

struct settings {
	struct rate rate;              /* rate=       default 1 */
	enum tsc_delivery tsc;         /* tsc=        auto */
	enum tick_policy tick_pit;     /* tick.pit=, tick=   slew */
	enum tick_policy tick_rtc;     /* tick.rtc=, tick=   slew */
	enum tick_policy tick_hpet;    /* tick.hpet=, tick=  slew */
	enum tick_policy tick_lapic;   /* tick.lapic=, tick= slew */
	bool own_pit, own_rtc, own_hpet, own_lapic; /* tick.pit=, ... were given: tick= does not change them */
	struct hpet_shape hpet;        /* hpet=       3x64@100000000 */
	bool rtc_from_host;            /* rtc=host    the default */
	int64_t rtc_unix;              /* rtc=2025-01-01T00:00:00 or seconds since 1970 */
	uint64_t mem_mib;              /* mem=        0: all of it */
	bool hide_random;              /* rdrand=hide CPUID shows no RDRAND and RDSEED; default pass */
	uint32_t clocks;               /* clocks=     enum clock_bits; all */
	enum hv_interface hv;          /* hv=         kvm, or what clocks= needs */
	bool own_clocks, own_hv;       /* clocks=, hv= were given */
	bool hide_invariant;           /* tsc-invariant=hide  CPUID does not tell that the TSC never stops; default show */
	bool hide_constant;            /* tsc-constant=hide   nor is the processor's model one that tells that it keeps its rate */
	bool hide_tsc_frequency;       /* tsc-frequency=hide  nothing gives the TSC's frequency: the guest has to measure it */
	bool hide_tsc_adjust;          /* tsc-adjust=hide     no TSC_ADJUST */
	bool hide_tsc_deadline;        /* tsc-deadline=hide   the local APIC's timer has no deadline mode */
	bool hide_x2apic;              /* x2apic=hide         the local APIC is in memory only */
	uint64_t poll_ns;              /* poll=       1 ms: how often a quiet console is looked at */
	int escape;                    /* escape=^]   0..255; none: -1 */
	uint16_t exit_port;            /* exit-port=  0: none */
	uint16_t trace_port;           /* trace-port= 0: no trace */
	enum on_reset on_reset;        /* on-reset=   stop */
	enum on_death on_death;        /* on-death=   stay: the monitor lives on; leave: a test bed is left at once */
	size_t do_count;
	struct settings_do dos[SETTINGS_DOS]; /* do=<duration>:<command>, sorted by time, equal times as written */
};

/* Fills settings with the defaults and what text says. A key that is unknown, malformed or given twice is named
 * in a line to warn and has no effect (of two, the first counts). text may be of any length and content. Pure. */
void cmdline_parse(const char *text, struct settings *settings, void (*warn)(void *context, const char *line),
		   void *context);
