/* SPDX-License-Identifier: BSD-2-Clause
 *
 * String port accesses, element by element, at most ELEMENTS_PER_EXIT of them before the guest's other business has its turn. */
#include "vm/port_string.h"

#include "vm/instruction.h"
#include "vm/machine.h"

#define ELEMENTS_PER_EXIT 64
#define RFLAGS_DF (1ull << 10)

struct string_access {
	struct walk_state state;
	enum segment segment;
	uint64_t mask;   /* of the address size */
	uint64_t step;   /* what one element adds to the index, modulo 2^64 */
	unsigned access; /* for the walk */
	enum gpr index;
};

/* False: the instruction is no longer there. */
static bool begin(const struct machine *machine, const struct vcpu_exit *exit, struct string_access *access)
{
	struct instruction instruction;
	struct string_access s = {
		.state = instruction_walk_state(machine),
		.step = machine->vcpu.registers.rflags & RFLAGS_DF ? 0 - (uint64_t)exit->port.bytes : exit->port.bytes,
		.access = instruction_user_access(machine) | (exit->port.in ? WALK_WRITE : 0),
		.index = exit->port.in ? RDI : RSI,
	};

	if (!instruction_fetch(machine, &instruction))
		return false;
	s.mask = instruction.address_bytes >= 8 ? UINT64_MAX : (1ull << 8 * instruction.address_bytes) - 1;
	s.segment = exit->port.in ? ES : instruction.memory.segment;
	*access = s;
	return true;
}

static void add_to(uint64_t *gpr, uint64_t value, uint64_t mask)
{
	uint64_t sum = (*gpr + value) & mask;

	*gpr = mask == 0xffffffff ? sum : (*gpr & ~mask) | sum;
}

/* One element. What is not RAM reads as all ones and takes no write. */
static enum walk_result transfer(struct machine *machine, const struct vcpu_exit *exit, const struct string_access *s,
				 uint64_t gva, uint32_t *error)
{
	unsigned bytes = exit->port.bytes;
	uint32_t value = UINT32_MAX;
	enum walk_result result;

	if (exit->port.in) {
		uint64_t gpa;

		result = walk(&s->state, &machine->ram, gva, s->access, &gpa, error);
		if (result != WALK_OK)
			return result;
		value = bus_read_port(&machine->bus, exit->port.port, bytes, machine->now_ns);
		return guest_write_virtual(&s->state, &machine->ram, gva, s->access, &value, bytes, NULL, error);
	}
	result = guest_read_virtual(&s->state, &machine->ram, gva, s->access, &value, bytes, NULL, error);
	if (result == WALK_OK || result == WALK_NOT_RAM)
		bus_write_port(&machine->bus, exit->port.port, value, bytes, machine->now_ns);
	return result;
}

void port_string(struct machine *machine, const struct vcpu_exit *exit)
{
	struct string_access s;
	uint64_t *gpr = machine->vcpu.registers.gpr;
	unsigned left = exit->port.rep ? ELEMENTS_PER_EXIT : 1;
	uint32_t error = 0;

	if (!begin(machine, exit, &s))
		return;
	for (; left && (!exit->port.rep || gpr[RCX] & s.mask) && !machine->end; left--) {
		uint64_t gva = instruction_gva(machine, s.segment, gpr[s.index] & s.mask);
		enum walk_result result = transfer(machine, exit, &s, gva, &error);

		if (result == WALK_FAULT) {
			machine_page_fault(machine, gva, error);
			return;
		}
		if (result == WALK_NOT_CANONICAL) {
			machine_raise(machine, VECTOR_GP, 0);
			return;
		}
		add_to(&gpr[s.index], s.step, s.mask);
		if (exit->port.rep)
			add_to(&gpr[RCX], UINT64_MAX, s.mask);
	}
	if (!exit->port.rep || !(gpr[RCX] & s.mask))
		machine_advance(machine, exit);
}
