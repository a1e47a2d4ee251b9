/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How the guest's run ends: by its own wish (power-off, reset, a report at port F4h), by the operator's, or by its death; and what Foliot does
 * then. Power-off and quit leave the machine. After any other end a test bed is left with the verdict where on-death=leave says so; else the
 * monitor lives on. */
#include "vm/machine.h"

#include "base/format.h"
#include "host/message.h"
#include "host/power.h"
#include "monitor/eventlog.h"

#define DUMPED_EVENTS 32

struct end_row {
	enum machine_end end;
	const char *name; /* of the control port's event, docs/protocol.md */
	unsigned number;
	const char *text;
	bool leaves; /* the machine is left, exit port or not */
};

static const struct end_row rows[] = {
	{ END_PASSED, "passed", 410, "the guest reports: passed (0 to port F4h)", false },
	{ END_FAILED, "failed", 411, "the guest reports: failed (not 0 to port F4h)", false },
	{ END_POWERED_OFF, "powered-off", 412, "the guest switched itself off", true },
	{ END_RESET, "reset", 413, "the guest reset itself (on-reset=stop)", false },
	{ END_TRIPLE_FAULT, "triple-fault", 414, "the guest died of a triple fault", false },
	{ END_QUIT, "quit", 415, "ended by the operator", true },
	{ END_STOPPED, "stopped", 416, "the guest is stopped", false },
};

static const struct end_row *row_of(enum machine_end end)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].end == end)
			return &rows[i];
	return NULL;
}

const char *machine_end_name(enum machine_end end)
{
	const struct end_row *row = row_of(end);

	return row ? row->name : "running";
}

/* The machine is left through the bed's exit port, or switched off where this end means so; else the monitor lives on. */
static void leave(struct machine *machine, const struct end_row *row)
{
	bool bed = machine->settings.exit_port && (row->leaves || machine->settings.on_death == DEATH_LEAVE);

	if (!bed && !row->leaves)
		return;
	console_drain(machine);
	if (bed)
		host_leave_bed(row->end);
	host_power_off();
}

void machine_end(struct machine *machine, enum machine_end end)
{
	const struct end_row *row = row_of(end);
	bool first = machine->end == END_NOT;

	if (first) {
		console_drain(machine); /* what the guest said comes before what is said of it */
		machine->end = end;
		machine_withhold(machine, WITHHELD_ENDED, true);
		machine_bend(machine, (struct rate){ 0, 1 }); /* a dead guest's clocks stand, or they would run past the end of time */
		eventlog_add(&machine_log, LOG_ENDED, machine->now_ns, machine->host_tsc, end, 0);
		machine_trace_end(machine);
		message(row->number, "%s", row->text);
		protocol_guest_ended(&machine->console.protocol, row->name, end);
	}
	leave(machine, row);
	if (first)
		mux_enter(&machine->console.mux);
}

void machine_request(void *context, enum machine_request what, unsigned value)
{
	struct machine *machine = context;

	switch (what) {
	case MACHINE_POWER_OFF:
		machine_end(machine, END_POWERED_OFF);
		return;
	case MACHINE_REPORT:
		machine_end(machine, value ? END_FAILED : END_PASSED);
		return;
	case MACHINE_RESET:
		eventlog_add(&machine_log, LOG_RESET, machine->now_ns, machine->host_tsc, value, 0);
		if (machine->settings.on_reset == RESET_RESTART) {
			message(417, "the guest reset itself: restarting the machine (on-reset=restart)");
			console_drain(machine);
			host_reset();
		}
		machine_end(machine, END_RESET);
		return;
	}
}

static void print_line(const char *line)
{
	message_text("  %s", line);
}

static void print_event(void *context, const char *text)
{
	(void)context;
	print_line(text);
}

static void dump_registers(const struct machine *machine)
{
	static const char *const names[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						       "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	const struct vcpu_registers *r = &machine->vcpu.registers;
	char line[120];

	format(line, sizeof line, "rip %016lx rflags %lx", r->rip, r->rflags);
	print_line(line);
	for (unsigned i = 0; i < GPR_COUNT; i += 4) {
		size_t used = 0;

		for (unsigned j = i; j < i + 4; j++)
			used += format(line + used, sizeof line - used, "%-3s %016lx ", names[j], r->gpr[j]);
		print_line(line);
	}
}

void machine_stop_with_dump(struct machine *machine, const char *why, const struct vcpu_exit *exit)
{
	console_drain(machine);
	message(401, "the guest is stopped: %s; exit %s, guest time %lu ns", why,
		exit ? machine_exit_names[exit->kind] : "none", machine->now_ns);
	dump_registers(machine);
	machine->ops->dump(&machine->vcpu, print_line);
	eventlog_last(&machine_log, DUMPED_EVENTS, print_event, NULL);
	if (!exit)
		machine_end(machine, END_STOPPED);
}
