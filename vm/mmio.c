/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses of the guest's where it has no RAM. */
#include "vm/mmio.h"

#include "monitor/eventlog.h"
#include "vm/emulate.h"
#include "vm/instruction.h"
#include "vm/machine.h"

#define ERROR_FETCH (1u << 4)

static void log_hole(const struct machine *machine, const struct vcpu_exit *exit)
{
	eventlog_add(&machine_log, LOG_MEMORY_HOLE, machine->now_ns, machine->host_tsc, exit->memory.gpa, exit->memory.error);
}

/* What a processor does with no memory at its tables, its stack or its code: nothing that ends well. */
static void refuse_access(struct machine *machine, const struct vcpu_exit *exit)
{
	log_hole(machine, exit);
	if (exit->memory.walking || exit->memory.delivering) {
		machine_stop_with_dump(machine, "its page tables, IDT, GDT or stack are where it has no memory", exit);
		machine_end(machine, END_STOPPED);
	} else {
		machine_raise(machine, VECTOR_UD, NO_ERROR_CODE); /* FFh FFh is no instruction */
	}
}

void mmio_access(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t unclaimed = machine->bus.mmio_unclaimed;
	const struct instruction *instruction;

	if (exit->memory.walking || exit->memory.delivering || exit->memory.error & ERROR_FETCH) {
		refuse_access(machine, exit);
		return;
	}
	instruction = instruction_at_rip(machine);
	if (!instruction || !emulate(machine, instruction, exit->memory.gpa))
		machine_raise(machine, VECTOR_GP, 0);
	if (machine->bus.mmio_unclaimed != unclaimed)
		log_hole(machine, exit);
}
