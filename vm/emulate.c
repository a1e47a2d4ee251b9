/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Arithmetic and moves with one operand in memory (APM 3), flags included. */
#include "vm/emulate.h"

#include "vm/instruction.h"
#include "vm/machine.h"

#define PAGE_BYTES 4096u
#define BORDER_BYTES 16u

#define FLAG_CF (1ull << 0)
#define FLAG_PF (1ull << 2)
#define FLAG_AF (1ull << 4)
#define FLAG_ZF (1ull << 6)
#define FLAG_SF (1ull << 7)
#define FLAG_DF (1ull << 10)
#define FLAG_OF (1ull << 11)
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static uint64_t mask_of(unsigned bytes)
{
	return bytes >= 8 ? UINT64_MAX : (1ull << 8 * bytes) - 1;
}

/* Writes a register's low bytes as the processor does: 4 bytes clear the upper half, fewer leave the rest. */
static void put(uint64_t *gpr, uint64_t value, unsigned bytes)
{
	uint64_t mask = mask_of(bytes);

	*gpr = bytes == 4 ? value & mask : (*gpr & ~mask) | (value & mask);
}

/* The operand's memory: where the processor found the fault, and the linear address of its first byte. */
struct operand {
	uint64_t gpa, gva;
};

static bool crosses_page(const struct operand *operand, unsigned bytes)
{
	return (operand->gva & (PAGE_BYTES - 1)) + bytes > PAGE_BYTES;
}

/* One byte of an operand that lies in two pages, of which one may be RAM. */
static uint8_t *byte_in_ram(const struct machine *machine, uint64_t gva, unsigned access, uint64_t *gpa)
{
	struct walk_state state = instruction_walk_state(machine);
	uint32_t error;

	if (walk(&state, &machine->ram, gva, access | instruction_user_access(machine), gpa, &error) != WALK_OK)
		return NULL;
	return machine->ram.span(machine->ram.context, *gpa, 1);
}

static uint64_t load(struct machine *machine, const struct operand *operand, unsigned bytes)
{
	uint64_t value = 0;

	if (!crosses_page(operand, bytes))
		return bus_read_mmio(&machine->bus, operand->gpa, bytes, machine->now_ns);
	for (unsigned i = 0; i < bytes; i++) {
		uint64_t gpa = 0;
		const uint8_t *at = byte_in_ram(machine, operand->gva + i, 0, &gpa);
		uint64_t byte = at ? *at : bus_read_mmio(&machine->bus, gpa, 1, machine->now_ns) & 0xff;

		value |= byte << 8 * i;
	}
	return value;
}

static void store(struct machine *machine, const struct operand *operand, uint64_t value, unsigned bytes)
{
	if (!crosses_page(operand, bytes)) {
		bus_write_mmio(&machine->bus, operand->gpa, value, bytes, machine->now_ns);
		return;
	}
	for (unsigned i = 0; i < bytes; i++, value >>= 8) {
		uint64_t gpa = 0;
		uint8_t *at = byte_in_ram(machine, operand->gva + i, WALK_WRITE, &gpa);

		if (at)
			*at = (uint8_t)value;
		else
			bus_write_mmio(&machine->bus, gpa, value, 1, machine->now_ns);
	}
}

static uint64_t get_source(const struct machine *machine, const struct instruction *i)
{
	const uint64_t *gpr = machine->vcpu.registers.gpr;

	if (i->has_immediate)
		return i->immediate & mask_of(i->operand_bytes);
	return (i->high_byte ? gpr[i->reg] >> 8 : gpr[i->reg]) & mask_of(i->operand_bytes);
}

static void put_register(struct machine *machine, const struct instruction *i, uint64_t value)
{
	uint64_t *gpr = &machine->vcpu.registers.gpr[i->reg];

	if (i->high_byte)
		*gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
	else
		put(gpr, value, i->operand_bytes);
}

static uint64_t flags_of_result(uint64_t result, unsigned bytes)
{
	uint64_t flags = 0;

	if (!(result & mask_of(bytes)))
		flags |= FLAG_ZF;
	if (result >> (8 * bytes - 1) & 1)
		flags |= FLAG_SF;
	if (!__builtin_parity((unsigned)(result & 0xff)))
		flags |= FLAG_PF;
	return flags;
}

/* a + b + carry, or a - b - carry, with all flags. */
static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, bool subtract, unsigned bytes, uint64_t *flags)
{
	uint64_t mask = mask_of(bytes), top = mask ^ mask >> 1;
	uint64_t result = subtract ? a - b - carry : a + b + carry;
	uint64_t carries = subtract ? (~a & b) | ((~a | b) & result) : (a & b) | ((a | b) & ~result);

	result &= mask;
	*flags = flags_of_result(result, bytes);
	if (carries & top)
		*flags |= FLAG_CF;
	if ((a ^ b ^ result) & 0x10)
		*flags |= FLAG_AF;
	if ((subtract ? (a ^ b) & (a ^ result) : ~(a ^ b) & (a ^ result)) & top)
		*flags |= FLAG_OF;
	return result;
}

/* The result of a two-operand operation. *writes: whether it goes to the destination. */
static uint64_t compute(struct machine *machine, const struct instruction *i, uint64_t destination, uint64_t source,
			bool *writes)
{
	uint64_t *rflags = &machine->vcpu.registers.rflags, flags = 0, result;
	uint64_t carry = *rflags & FLAG_CF;

	*writes = i->operation != OPERATION_CMP && i->operation != OPERATION_TEST;
	switch (i->operation) {
	case OPERATION_ADD:
	case OPERATION_ADC:
		result = add(destination, source, i->operation == OPERATION_ADC ? carry : 0, false, i->operand_bytes, &flags);
		break;
	case OPERATION_SUB:
	case OPERATION_CMP:
	case OPERATION_SBB:
		result = add(destination, source, i->operation == OPERATION_SBB ? carry : 0, true, i->operand_bytes, &flags);
		break;
	default:
		result = i->operation == OPERATION_OR ? destination | source :
			 i->operation == OPERATION_XOR ? destination ^ source : destination & source;
		flags = flags_of_result(result, i->operand_bytes);
	}
	*rflags = (*rflags & ~FLAGS_ARITHMETIC) | flags;
	return result;
}

static void arithmetic(struct machine *machine, const struct instruction *i, const struct operand *operand)
{
	uint64_t stored = load(machine, operand, i->memory_bytes) & mask_of(i->memory_bytes);
	uint64_t other = get_source(machine, i), result;
	bool writes;

	result = i->to_memory ? compute(machine, i, stored, other, &writes) : compute(machine, i, other, stored, &writes);
	if (!writes)
		return;
	if (i->to_memory)
		store(machine, operand, result, i->memory_bytes);
	else
		put_register(machine, i, result);
}

static void bit_test(struct machine *machine, const struct instruction *i, const struct operand *operand)
{
	uint64_t stored = load(machine, operand, i->memory_bytes);
	uint64_t bit = 1ull << (get_source(machine, i) & (8u * i->memory_bytes - 1));
	uint64_t *rflags = &machine->vcpu.registers.rflags;

	*rflags = (*rflags & ~FLAG_CF) | (stored & bit ? FLAG_CF : 0);
	if (i->operation == OPERATION_BTS)
		store(machine, operand, stored | bit, i->memory_bytes);
	else if (i->operation == OPERATION_BTR)
		store(machine, operand, stored & ~bit, i->memory_bytes);
	else if (i->operation == OPERATION_BTC)
		store(machine, operand, stored ^ bit, i->memory_bytes);
}

static void move(struct machine *machine, const struct instruction *i, const struct operand *operand)
{
	uint64_t value;

	if (i->to_memory) {
		store(machine, operand, get_source(machine, i), i->memory_bytes);
		return;
	}
	value = load(machine, operand, i->memory_bytes) & mask_of(i->memory_bytes);
	if (i->operation == OPERATION_MOVSX && value >> (8 * i->memory_bytes - 1) & 1)
		value |= ~mask_of(i->memory_bytes);
	put_register(machine, i, value);
}

static void exchange(struct machine *machine, const struct instruction *i, const struct operand *operand)
{
	uint64_t value = load(machine, operand, i->memory_bytes);

	store(machine, operand, get_source(machine, i), i->memory_bytes);
	put_register(machine, i, value);
}

/* One step of an index register of a string instruction. */
static void step(struct machine *machine, const struct instruction *i, enum gpr index)
{
	uint64_t *gpr = &machine->vcpu.registers.gpr[index];
	uint64_t by = machine->vcpu.registers.rflags & FLAG_DF ? 0 - (uint64_t)i->operand_bytes : i->operand_bytes;

	put(gpr, *gpr + by, i->address_bytes);
}

/* Counts rCX down. True: the instruction is done. */
static bool last_of_repeat(struct machine *machine, const struct instruction *i)
{
	uint64_t *count = &machine->vcpu.registers.gpr[RCX];

	if (!i->rep && !i->repne)
		return true;
	put(count, *count - 1, i->address_bytes);
	return !(*count & mask_of(i->address_bytes));
}

/* The linear address of a string operand. */
static uint64_t string_gva(const struct machine *machine, const struct instruction *i, enum segment which,
			   enum gpr index)
{
	return instruction_gva(machine, which, machine->vcpu.registers.gpr[index] & mask_of(i->address_bytes));
}

/* Where an operand of MOVS is that is no RAM: each of the two may be the one that faulted. */
static uint64_t string_gpa(const struct machine *machine, const struct walk_state *state, uint64_t gva, unsigned access, uint64_t fault_gpa)
{
	uint64_t gpa;
	uint32_t error;

	return walk(state, &machine->ram, gva, access, &gpa, &error) == WALK_OK ? gpa : fault_gpa;
}

/* One element of MOVS; an operand that is RAM goes through the guest's page tables, another one to the bus. */
static bool move_string(struct machine *machine, const struct instruction *i, uint64_t gpa)
{
	struct walk_state state = instruction_walk_state(machine);
	unsigned user = instruction_user_access(machine);
	uint64_t from = string_gva(machine, i, i->memory.segment, RSI), to = string_gva(machine, i, ES, RDI);
	uint64_t value = 0, at = from;
	uint32_t error = 0;
	enum walk_result result;

	result = guest_read_virtual(&state, &machine->ram, from, user, &value, i->operand_bytes, NULL, &error);
	if (result == WALK_NOT_RAM)
		value = bus_read_mmio(&machine->bus, string_gpa(machine, &state, from, user, gpa), i->operand_bytes, machine->now_ns);
	if (result == WALK_OK || result == WALK_NOT_RAM) {
		at = to;
		result = guest_write_virtual(&state, &machine->ram, to, user | WALK_WRITE, &value, i->operand_bytes, NULL,
					     &error);
	}
	if (result == WALK_NOT_RAM)
		bus_write_mmio(&machine->bus, string_gpa(machine, &state, to, user | WALK_WRITE, gpa), value, i->operand_bytes,
			       machine->now_ns);
	if (result == WALK_FAULT)
		machine_page_fault(machine, at, error);
	else if (result == WALK_NOT_CANONICAL)
		machine_raise(machine, VECTOR_GP, 0);
	return result == WALK_OK || result == WALK_NOT_RAM;
}

static bool emulate_string(struct machine *machine, const struct instruction *i, uint64_t gpa)
{
	if (i->operation == OPERATION_MOVS) {
		if (!move_string(machine, i, gpa))
			return true;
		step(machine, i, RSI);
	} else {
		bus_write_mmio(&machine->bus, gpa, machine->vcpu.registers.gpr[RAX], i->operand_bytes, machine->now_ns);
	}
	step(machine, i, RDI);
	if (last_of_repeat(machine, i))
		machine->ops->advance(&machine->vcpu, i->length);
	return true;
}

/* Well within its page an operand cannot reach into the next one, and its place there is all that is asked of the linear address. The fault is
 * told at the operand's first byte, or, where it reaches into the next page, near the border (QEMU: of a word beside it). */
static inline uint64_t gva_of(const struct machine *machine, const struct instruction *i, uint64_t gpa)
{
	if ((gpa & (PAGE_BYTES - 1)) - BORDER_BYTES < PAGE_BYTES - 2 * BORDER_BYTES)
		return gpa;
	return instruction_gva(machine, i->memory.segment, decode_offset(i, &machine->vcpu.registers));
}

bool emulate(struct machine *machine, const struct instruction *i, uint64_t gpa)
{
	struct operand operand = { gpa, gva_of(machine, i, gpa) };

	switch ((enum operation)i->operation) {
	case OPERATION_OTHER:
		return false;
	case OPERATION_STOS:
	case OPERATION_MOVS:
		return emulate_string(machine, i, gpa);
	case OPERATION_ADD:
	case OPERATION_OR:
	case OPERATION_ADC:
	case OPERATION_SBB:
	case OPERATION_AND:
	case OPERATION_SUB:
	case OPERATION_XOR:
	case OPERATION_CMP:
	case OPERATION_TEST:
		arithmetic(machine, i, &operand);
		break;
	case OPERATION_MOV:
	case OPERATION_MOVZX:
	case OPERATION_MOVSX:
		move(machine, i, &operand);
		break;
	case OPERATION_XCHG:
		exchange(machine, i, &operand);
		break;
	case OPERATION_BT:
	case OPERATION_BTS:
	case OPERATION_BTR:
	case OPERATION_BTC:
		bit_test(machine, i, &operand);
		break;
	}
	machine->ops->advance(&machine->vcpu, i->length);
	return true;
}
