/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine: the guest's processor, memory and devices, the line that all of its time is read off, and what the run loop keeps. One
 * static instance, nothing allocated after boot. The line, the event queue and the devices belong to the machine, registers to the vCPU. */
#pragma once

#include "boot/boot_info.h"
#include "devices/bus.h"
#include "devices/hpet.h"
#include "devices/hyperv.h"
#include "devices/ioapic.h"
#include "devices/irq.h"
#include "devices/lapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pmtimer.h"
#include "devices/pvclock.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "devices/uart.h"
#include "timekeeping/event.h"
#include "timekeeping/line.h"
#include "vm/cmdline.h"
#include "vm/console.h"
#include "vm/control.h"
#include "vm/cpuid_view.h"
#include "vm/guest_map.h"
#include "vm/msr.h"
#include "vm/test_hooks.h"
#include "vm/trace.h"
#include "vm/vcpu.h"

/* How the guest's run ended. The numbers are what Foliot leaves a test bed with, through exit-port=. */
enum machine_end {
	END_NOT = 0,
	END_PASSED = 0x20,       /* the guest wrote 0 to port F4h */
	END_FAILED = 0x21,       /* it wrote another value */
	END_POWERED_OFF = 0x22,
	END_RESET = 0x23,        /* with on-reset=stop */
	END_TRIPLE_FAULT = 0x24,
	END_QUIT = 0x25,         /* the operator's wish */
	END_MISSING = 0x26,      /* the processor lacks something */
	END_REFUSED = 0x27,      /* no guest could be loaded */
	END_STOPPED = 0x28,      /* an exit that Foliot cannot handle, or the end of time */
};

/* Why the guest does not get the processor. */
enum withheld {
	WITHHELD_PAUSED = 1,  /* by the operator, or rate 0 */
	WITHHELD_STALLED = 2, /* for a time, while guest time goes on */
	WITHHELD_ENDED = 4,
};

struct machine {
	const struct virt_ops *ops;
	struct virt_features features;
	struct settings settings;
	struct cpuid_view cpuid; /* what the settings make of CPUID */
	struct vcpu vcpu;

	struct line line;
	struct event_queue events;
	uint64_t tsc_adjust; /* what the guest itself added to its TSC */
	uint64_t base_tsc;   /* the host TSC that counts as 0 in all of the machine: its start, or 0 where the processor may multiply */
	uint64_t host_tsc;   /* "now": read once at the start of a turn, and right after each exit */
	uint64_t now_ns;     /* the line there */
	uint64_t started_tsc;
	uint64_t bend_tsc, bend_ns; /* where the rate last changed */
	struct rate rate;           /* as asked; the line's is 0 while paused */

	struct bus bus;
	struct irq_router irqs;
	struct pic pic;
	struct ioapic ioapic;
	struct lapic lapic; /* the processor's own */
	struct pit pit;
	struct rtc rtc;
	struct pmtimer pmtimer;
	struct hpet hpet;
	struct pvclock pvclock;
	struct hyperv hyperv;
	struct reset reset;
	struct uart uart;
	struct msr_state msrs;
	struct guest_map map;
	struct guest_ram ram;
	struct console console;
	struct trace trace;
	struct event end_of_time;
	struct event script; /* the next do= of the command line */
	size_t script_next;

	bool paused;          /* by the operator: the line's rate is 0, `rate` waits */
	unsigned withheld;    /* why the guest does not get the processor: enum withheld bits */
	bool halted;          /* the guest waits in HLT */
	bool dead_halt_told, calendar_end_told;
	bool window;          /* the engine was asked to tell when the guest can take an interrupt */
	uint64_t stall_end_tsc;
	uint64_t next_poll_tsc, poll_period_tsc;
	uint64_t quiet_period_tsc; /* of the polls while nothing comes or goes (poll=) */
	uint64_t polls, quiet_polls; /* so far; in a row without a byte */
	uint64_t timer_for_ns;  /* the guest deadline that timer_tsc belongs to */
	uint64_t timer_tsc;     /* the host deadline that it stands for */
	uint64_t armed_for_ns;  /* the guest deadline that the engine's deadline is set for; 0: none, or the next poll is at another time */
	uint64_t breath_tsc;    /* the timer ends no run of the guest before this */
	uint64_t interrupted_tsc, interrupted_rip, interrupted_injections; /* at the last exit by the timer */
	enum machine_end end;
	uint8_t end_value;      /* what the guest wrote to port F4h */

	uint64_t exits[EXIT_KIND_COUNT];
	uint64_t injections;
	uint64_t refused_msrs;
	uint64_t apic_signals; /* NMI, SMI and INIT from the APICs */
};

/* What happened lately (monitor/eventlog.h). */
extern struct eventlog machine_log;

/* What boot/ found out about the host. */
struct host_facts {
	uint64_t tsc_hz;
	bool has_rtc;
	int64_t rtc_unix; /* when started; seconds since 1970 */
};

/* Builds the machine around the guest that GRUB loaded and runs it for ever. boot/ calls it last. */
_Noreturn void machine_main(const struct boot_info *boot, const struct host_facts *host, const struct virt_ops *ops);

/* vm/run.c: the run loop, for ever. */
_Noreturn void machine_run(struct machine *machine);

/* Sets or clears one reason. */
static inline void machine_withhold(struct machine *machine, enum withheld why, bool withhold)
{
	machine->withheld = withhold ? machine->withheld | why : machine->withheld & ~(unsigned)why;
}

/* Whether a controller may have an interrupt for the processor: it has to be asked. */
static inline bool machine_may_interrupt(const struct machine *machine)
{
	return pic_pending(&machine->pic) || lapic_may_interrupt(&machine->lapic);
}

/* Moves "now" to host_tsc. */
static inline void machine_set_now(struct machine *machine, uint64_t host_tsc)
{
	machine->host_tsc = host_tsc;
	machine->now_ns = line_guest_ns(&machine->line, host_tsc);
}

/* What the guest's TSC shows at "now". */
static inline uint64_t machine_guest_tsc(const struct machine *machine)
{
	return test_hooks_tsc(machine, (machine->line.stamped ? machine->host_tsc : machine->now_ns) + machine->tsc_adjust);
}

/* vm/tsc.c. Guest time 0 is at start_tsc of the host; from there time goes at machine->rate. "Now" is there. */
void machine_start_line(struct machine *machine, uint64_t host_hz, uint64_t start_tsc);

/* Bends the line at "now" and tells the engine, and the guest where its pvclock page carries the rate. */
void machine_bend(struct machine *machine, struct rate rate);

/* The engine learns of a new line or tsc_adjust. */
void machine_update_tsc(struct machine *machine);
bool machine_tsc_exits(const struct machine *machine);

/* The guest moves its own TSC: guest time stays, tsc_adjust takes the difference (SDM 3B 18.17.3). */
void machine_move_tsc(struct machine *machine, uint64_t tsc_adjust);

/* What the guest's pvclock page has to say, and its writing. With tsc=native it must never become LINE_STAMP_TICKS old:
 * machine_renew_stamp, called at each poll then, sees to that. */
struct pvclock_stamp machine_stamp(const struct machine *machine);
void machine_write_stamp(struct machine *machine);
void machine_renew_stamp(struct machine *machine);

/* vm/exits.c: does what the exit asks for. */
void machine_handle_exit(struct machine *machine, const struct vcpu_exit *exit);

/* An exception in the guest at the current instruction. error_code NO_ERROR_CODE: this exception has none. */
void machine_raise(struct machine *machine, uint8_t vector, uint32_t error_code);

/* A page fault at the current instruction: CR2 and #PF. */
void machine_page_fault(struct machine *machine, uint64_t gva, uint32_t error_code);

/* The current instruction is done. */
void machine_advance(struct machine *machine, const struct vcpu_exit *exit);

/* vm/end.c: the guest runs no more. */
void machine_end(struct machine *machine, enum machine_end end);
const char *machine_end_name(enum machine_end end);

/* Stops the guest with a full dump and leaves the monitor alive. */
void machine_stop_with_dump(struct machine *machine, const char *why, const struct vcpu_exit *exit);

/* vm/trace_machine.c: begins the trace where trace-port= asks for one, when time has started and no device was touched yet. The sizes are the
 * CMOS's. */
void machine_trace_start(struct machine *machine, uint64_t below_4g_bytes, uint64_t above_4g_bytes);

/* The line or tsc_adjust has changed. */
void machine_trace_line(struct machine *machine);

/* Ends the trace with the counts of exits. */
void machine_trace_end(struct machine *machine);

/* One record, where there is a trace; a and b: its first values. */
static inline void machine_trace(struct machine *machine, enum trace_kind kind, uint64_t a, uint64_t b)
{
	if (__builtin_expect(machine->trace.emit != NULL, 0))
		trace_add(&machine->trace, kind, (const uint64_t[]){ a, b });
}

/* Takes a device's wish for reset or power-off, with the machine as context. */
void machine_request(void *machine, enum machine_request what, unsigned value);

extern const char *const machine_exit_names[EXIT_KIND_COUNT];
