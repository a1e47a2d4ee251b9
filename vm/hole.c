/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Holes in the guest's physical memory. */
#include "vm/hole.h"

#include "monitor/eventlog.h"
#include "vm/emulate.h"
#include "vm/instruction.h"
#include "vm/machine.h"

#define ERROR_FETCH (1u << 4)

static uint64_t read_ones(struct machine *machine, uint64_t gpa, unsigned bytes)
{
	(void)machine, (void)gpa, (void)bytes;
	return UINT64_MAX;
}

static void write_nothing(struct machine *machine, uint64_t gpa, uint64_t value, unsigned bytes)
{
	(void)machine, (void)gpa, (void)value, (void)bytes;
}

static const struct emulated_memory hole = { read_ones, write_nothing };

void hole_access(struct machine *machine, const struct vcpu_exit *exit)
{
	struct instruction instruction;

	machine->hole_accesses++;
	eventlog_add(&machine_log, LOG_MEMORY_HOLE, machine->now_ns, machine->host_tsc, exit->memory.gpa,
		     exit->memory.error);
	if (exit->memory.walking || exit->memory.delivering) {
		machine_stop_with_dump(machine, "its page tables, IDT, GDT or stack are where it has no memory", exit);
		machine_end(machine, END_STOPPED);
	} else if (exit->memory.error & ERROR_FETCH) {
		machine_raise(machine, VECTOR_UD, NO_ERROR_CODE); /* FFh FFh is no instruction */
	} else if (!instruction_fetch(machine, &instruction) || !emulate(machine, &instruction, exit->memory.gpa, &hole)) {
		machine_raise(machine, VECTOR_GP, 0);
	}
}
