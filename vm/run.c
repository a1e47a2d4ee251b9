/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The run loop. Each turn: now, due events, the console, an interrupt for the guest, the host timer, the guest, its exit. Besides the
 * machine's start this is the only place above host/ and the engine that reads the TSC. */
#include "vm/machine.h"

#include "host/bed_clock.h"
#include "host/cpu.h"
#include "host/interrupts.h"
#include "host/timer.h"
#include "monitor/eventlog.h"
#include "vm/apic.h"

#define POLLS_PER_BED_CLOCK 200 /* four seconds at the most: its narrowest counter wraps within five */
#define QUIET_POLLS 100 /* so many in a row without a byte, and the console is looked at less often */

#define BUSY_SHIFT 9  /* of the period of polls, 1 ms: 2 us, 16 us */
#define STUCK_SHIFT 6

/* Whether host TSC a is at or after b; right across the wrap. */
static bool reached(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) >= 0;
}

/* The host TSC at which the next event is due, from the cache where its deadline is still the same; the next poll where that is earlier. */
static uint64_t next_deadline(struct machine *machine)
{
	uint64_t due_ns = event_next_ns(&machine->events);

	if (due_ns != machine->timer_for_ns) {
		machine->timer_for_ns = due_ns;
		if (due_ns == EVENT_NEVER ||
		    !line_host_tsc(&machine->line, machine->host_tsc, due_ns, &machine->timer_tsc))
			machine->timer_tsc = machine->host_tsc + (1ull << 62);
	}
	return reached(machine->timer_tsc, machine->next_poll_tsc) ? machine->next_poll_tsc : machine->timer_tsc;
}

static __attribute__((noinline)) void arm_anew(struct machine *machine)
{
	uint64_t deadline = next_deadline(machine);

	machine->armed_for_ns = machine->timer_for_ns;
	if (!reached(deadline, machine->breath_tsc))
		deadline = machine->breath_tsc;
	machine->ops->set_deadline(&machine->vcpu, deadline + machine->base_tsc);
}

/* The guest's next run ends at the next deadline. Nothing is to be done where that is the one that was set already. */
static void arm_guest(struct machine *machine)
{
	if (event_next_ns(&machine->events) != machine->armed_for_ns)
		arm_anew(machine);
}

/* Events that come faster than Foliot can serve them, as a PIT's at a rate of 100000, would end each run before the guest's first instruction.
 * The more it looks so, the longer the next run is left alone. */
static void leave_breath(struct machine *machine)
{
	bool stuck = machine->vcpu.registers.rip == machine->interrupted_rip &&
		     machine->injections == machine->interrupted_injections;
	uint64_t least_tsc = machine->poll_period_tsc >> (stuck ? STUCK_SHIFT : BUSY_SHIFT);

	if (machine->host_tsc - machine->interrupted_tsc < least_tsc)
		machine->breath_tsc = machine->host_tsc + least_tsc;
	machine->interrupted_tsc = machine->host_tsc;
	machine->interrupted_rip = machine->vcpu.registers.rip;
	machine->interrupted_injections = machine->injections;
}

/* The run's deadline, told by the host's pending interrupt or by the processor's own timer. Either is one-shot: it has to be armed anew. */
static void take_deadline(struct machine *machine, enum vcpu_exit_kind kind)
{
	if (kind == EXIT_HOST_INTERRUPT)
		cpu_open_interrupts();
	machine->armed_for_ns = 0;
	leave_breath(machine);
}

/* The host TSC shows less than before: it went past 2^64 - 1, or it was set back, by firmware or by a hypervisor below that moved us to another
 * processor; then time stands until that is made up for. */
static __attribute__((noinline, cold)) void read_lesser(struct machine *machine, uint64_t host_tsc)
{
	if (!reached(host_tsc, machine->host_tsc))
		return;
	line_wrapped(&machine->line);
	machine_update_tsc(machine);
	machine_set_now(machine, host_tsc);
}

/* Takes over the host's clock. */
static void read_now(struct machine *machine, uint64_t host_tsc)
{
	if (host_tsc < machine->host_tsc)
		read_lesser(machine, host_tsc);
	else
		machine_set_now(machine, host_tsc);
}

/* Waits for the timer with the processor asleep. */
static void wait(struct machine *machine)
{
	timer_arm(next_deadline(machine) + machine->base_tsc);
	cpu_wait_for_interrupt();
	machine->armed_for_ns = 0;
	read_now(machine, rdtsc() - machine->base_tsc);
}

static void inject(struct machine *machine)
{
	uint8_t vector = apic_acknowledge(machine);

	machine->ops->inject(&machine->vcpu, vector);
	machine->injections++;
	machine->halted = false;
	eventlog_add(&machine_log, LOG_INJECT, machine->now_ns, machine->host_tsc, vector, 0);
}

/* Hands the guest the interrupt that its controllers have, and asks to be told when it can take the next one. */
static void offer_interrupt(struct machine *machine)
{
	bool ready;
	unsigned priority = apic_next_priority(machine, &ready);

	if (ready && machine->ops->can_inject(&machine->vcpu)) {
		inject(machine);
		priority = machine_may_interrupt(machine) ? apic_next_priority(machine, &ready) : 0;
	}
	if (priority || machine->window) {
		machine->window = priority;
		machine->ops->want_window(&machine->vcpu, priority);
	}
}

/* The end of a stall: the guest is told, so that its watchdogs forgive the gap. */
static void end_stall(struct machine *machine)
{
	machine_withhold(machine, WITHHELD_STALLED, false);
	pvclock_guest_stopped(&machine->pvclock);
	machine_write_stamp(machine);
}

static bool is_withheld(struct machine *machine)
{
	if (machine->withheld & WITHHELD_STALLED && reached(machine->host_tsc, machine->stall_end_tsc))
		end_stall(machine);
	return machine->withheld;
}

/* The console; and, now and then, what only has to be looked at before it is too late. */
static void poll(struct machine *machine)
{
	bool quiet = machine->quiet_polls >= QUIET_POLLS;

	machine->next_poll_tsc = machine->host_tsc + (quiet ? machine->quiet_period_tsc : machine->poll_period_tsc);
	machine->armed_for_ns = 0;
	machine->quiet_polls = console_poll(machine) ? 0 : machine->quiet_polls + 1;
	interrupts_report_nmi();
	if (machine->line.stamped)
		machine_renew_stamp(machine);
	if (!(machine->polls++ % POLLS_PER_BED_CLOCK))
		bed_clock_keep();
}

/* What is due at "now": events of guest time, and the console. What falls due on the way back into the guest ends that run at once, by the timer. */
static void do_due(struct machine *machine)
{
	uint64_t early_tsc = 0;

	if (machine->now_ns >= event_next_ns(&machine->events)) {
		event_run(&machine->events, machine->now_ns);
		early_tsc = machine->poll_period_tsc / 4; /* a poll that is due soon spares an exit of its own */
	}
	if (reached(machine->host_tsc + early_tsc, machine->next_poll_tsc))
		poll(machine);
}

static void run_guest(struct machine *machine)
{
	struct vcpu_exit exit;

	arm_guest(machine);
	machine->ops->run(&machine->vcpu, &exit);
	read_now(machine, exit.host_tsc - machine->base_tsc);
	machine->exits[exit.kind]++;
	if (exit.kind == EXIT_HOST_INTERRUPT || exit.kind == EXIT_DEADLINE)
		take_deadline(machine, exit.kind);
	else
		machine_handle_exit(machine, &exit);
}

void machine_run(struct machine *machine)
{
	for (;;) {
		do_due(machine);
		if (machine->withheld && is_withheld(machine)) {
			wait(machine);
			continue;
		}
		if (machine_may_interrupt(machine) || machine->window)
			offer_interrupt(machine);
		if (machine->halted)
			wait(machine);
		else
			run_guest(machine);
	}
}
