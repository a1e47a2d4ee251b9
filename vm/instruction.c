/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fetching and decoding at the guest's rip. */
#include "vm/instruction.h"

#include "vm/machine.h"

#define CS_LONG 0x200u    /* segment attribute L, as in the VMCB */
#define CS_DEFAULT_32 0x400u
#define EFER_LMA (1ull << 10)
#define LOW_HALF 0xffffffffull

#define RFLAGS_AC (1ull << 18)

#define OPCODE_MOV_TO_CR 0x22
#define OPCODE_GROUP_7 0x01

struct fetched {
	uint8_t bytes[INSTRUCTION_BYTES];
	uint64_t count;
	enum decode_mode mode;
};

unsigned instruction_user_access(const struct machine *machine)
{
	return machine->ops->cpl(&machine->vcpu) == 3 ? WALK_USER : 0;
}

struct walk_state instruction_walk_state(const struct machine *machine)
{
	const struct virt_ops *ops = machine->ops;
	const struct vcpu *vcpu = &machine->vcpu;

	return (struct walk_state){
		.cr0 = ops->get(vcpu, CR0),
		.cr3 = ops->get(vcpu, CR3),
		.cr4 = ops->get(vcpu, CR4),
		.efer = ops->get(vcpu, EFER),
		.ac = vcpu->registers.rflags & RFLAGS_AC,
	};
}

static enum decode_mode mode_of(const struct segment_register *cs, uint64_t efer)
{
	if (efer & EFER_LMA && cs->attributes & CS_LONG)
		return DECODE_64;
	return cs->attributes & CS_DEFAULT_32 ? DECODE_32 : DECODE_16;
}

static void fetch(const struct machine *machine, struct fetched *fetched)
{
	struct walk_state state = instruction_walk_state(machine);
	struct segment_register cs;
	uint32_t error;
	uint64_t gva;

	machine->ops->get_segment(&machine->vcpu, CS, &cs);
	fetched->mode = mode_of(&cs, state.efer);
	gva = machine->vcpu.registers.rip;
	if (fetched->mode != DECODE_64)
		gva = (gva + cs.base) & LOW_HALF;
	guest_read_virtual(&state, &machine->ram, gva, WALK_FETCH | instruction_user_access(machine), fetched->bytes,
			   sizeof fetched->bytes, &fetched->count, &error);
}

bool instruction_fetch(const struct machine *machine, struct instruction *instruction)
{
	struct fetched fetched;

	fetch(machine, &fetched);
	return decode(fetched.bytes, fetched.count, fetched.mode, instruction);
}

unsigned instruction_length(const struct machine *machine)
{
	struct instruction instruction;
	struct fetched fetched;
	unsigned length;

	fetch(machine, &fetched);
	if (fetched.count >= 3) {
		length = decode_fast_length(fetched.bytes);
		if (length)
			return length;
	}
	return decode(fetched.bytes, fetched.count, fetched.mode, &instruction) ? instruction.length : 0;
}

bool instruction_is_rdtscp(const struct machine *machine, const struct vcpu_exit *exit)
{
	struct instruction instruction;

	if (exit->length)
		return exit->length == 3;
	return instruction_fetch(machine, &instruction) && instruction.map == MAP_0F &&
	       instruction.opcode == OPCODE_GROUP_7;
}

unsigned instruction_mov_to_cr(const struct machine *machine, enum gpr *source)
{
	struct instruction instruction;

	if (!instruction_fetch(machine, &instruction) || instruction.map != MAP_0F ||
	    instruction.opcode != OPCODE_MOV_TO_CR)
		return 0;
	*source = instruction.rm;
	return instruction.length;
}
