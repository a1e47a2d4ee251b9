/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The decoder: prefixes, opcode, ModRM with its address, immediate; then the meaning of the few operations that
 * MMIO needs. Tables say what follows each opcode (APM 3 appendix A; SDM 2 appendix A). */
#include "vm/decode.h"

#include "base/mem.h"
#include "vm/decode_tables.h"

#define PREFIX_OPERAND 0x66
#define PREFIX_ADDRESS 0x67
#define PREFIX_LOCK 0xf0
#define PREFIX_REPNE 0xf2
#define PREFIX_REP 0xf3
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define REX_PRESENT 0x40

struct cursor {
	const uint8_t *bytes;
	size_t at, end;
	bool failed;
};

/* The next so many bytes, sign-extended. */
static uint64_t take(struct cursor *c, unsigned bytes)
{
	uint64_t value = 0;

	if (c->end - c->at < bytes) {
		c->failed = true;
		c->at = c->end;
		return 0;
	}
	memcpy(&value, c->bytes + c->at, bytes);
	c->at += bytes;
	if (bytes && bytes < 8 && value >> (bytes * 8 - 1))
		value |= ~0ull << (bytes * 8);
	return value;
}

static uint8_t take8(struct cursor *c)
{
	return (uint8_t)take(c, 1);
}

/* The next byte without taking it; 0 behind the end. */
static uint8_t peek(const struct cursor *c)
{
	return c->at < c->end ? c->bytes[c->at] : 0;
}

/* Takes one legacy prefix; false: it is none. */
static bool take_prefix(struct instruction *in, uint8_t byte, enum decode_mode mode)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: /* ES, CS, SS, DS by their numbers; without effect in 64 bits */
		if (mode != DECODE_64)
			in->memory.segment = (byte >> 3) & 3;
		return true;
	case 0x64:
	case 0x65:
		in->memory.segment = byte == 0x64 ? FS : GS;
		return true;
	case PREFIX_OPERAND:
		in->operand_prefix = true;
		return true;
	case PREFIX_ADDRESS:
		in->address_bytes = mode == DECODE_32 ? 2 : 4;
		return true;
	case PREFIX_LOCK:
		in->lock = true;
		return true;
	case PREFIX_REPNE:
	case PREFIX_REP:
		in->rep = byte == PREFIX_REP;
		in->repne = byte == PREFIX_REPNE;
		return true;
	default:
		return false;
	}
}

/* Prefixes, and the first opcode byte as the result. A REX counts only right before the opcode. */
static uint8_t take_prefixes(struct cursor *c, struct instruction *in, enum decode_mode mode)
{
	uint8_t byte;

	do {
		byte = take8(c);
		in->rex = 0;
		while (mode == DECODE_64 && (byte & 0xf0) == REX_PRESENT && !c->failed) {
			in->rex = byte;
			byte = take8(c);
		}
	} while (!c->failed && take_prefix(in, byte, mode));
	if (in->rex & REX_W)
		in->operand_bytes = 8;
	else if (mode == DECODE_16)
		in->operand_bytes = in->operand_prefix ? 4 : 2;
	else
		in->operand_bytes = in->operand_prefix ? 2 : 4;
	return byte;
}

static void take_address_16(struct cursor *c, struct instruction *in, unsigned rm)
{
	static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const uint8_t index[8] = { RSI, RDI, RSI, RDI, NO_REGISTER, NO_REGISTER, NO_REGISTER, NO_REGISTER };
	bool direct = in->mod == 0 && rm == 6;

	in->memory.base = direct ? NO_REGISTER : base[rm];
	in->memory.index = index[rm];
	in->memory.displacement = (int64_t)take(c, direct ? 2 : in->mod);
}

static void take_sib(struct cursor *c, struct instruction *in, bool *no_base)
{
	uint8_t sib = take8(c);
	uint8_t index = (uint8_t)(((sib >> 3) & 7) | (in->rex & REX_X ? 8 : 0));

	in->memory.scale = (uint8_t)(1u << (sib >> 6));
	in->memory.index = index == RSP ? NO_REGISTER : index;
	in->memory.base = (uint8_t)((sib & 7) | (in->rex & REX_B ? 8 : 0));
	*no_base = (sib & 7) == RBP && in->mod == 0;
}

static void take_address(struct cursor *c, struct instruction *in, unsigned rm, enum decode_mode mode)
{
	bool no_base = in->mod == 0 && rm == RBP;
	bool sib = rm == RSP;

	in->memory.base = in->rm;
	if (sib)
		take_sib(c, in, &no_base);
	if (no_base) {
		in->memory.base = NO_REGISTER;
		in->memory.rip_relative = mode == DECODE_64 && !sib;
	}
	in->memory.displacement = (int64_t)take(c, no_base || in->mod == 2 ? 4 : in->mod);
}

static void take_modrm(struct cursor *c, struct instruction *in, enum decode_mode mode, bool register_only)
{
	uint8_t byte = take8(c);
	unsigned rm = byte & 7;

	in->has_modrm = true;
	in->mod = register_only ? 3 : byte >> 6;
	in->reg = (uint8_t)(((byte >> 3) & 7) | (in->rex & REX_R ? 8 : 0));
	in->rm = (uint8_t)(rm | (in->rex & REX_B ? 8 : 0));
	in->has_memory = in->mod != 3;
	if (!in->has_memory)
		return;
	if (in->address_bytes == 2)
		take_address_16(c, in, rm);
	else
		take_address(c, in, rm, mode);
}

/* What follows an opcode: ModRM first, immediates after it. False: the opcode is undefined. */
static bool take_rest(struct cursor *c, struct instruction *in, enum decode_mode mode, unsigned form)
{
	unsigned z_bytes = in->operand_bytes == 2 ? 2 : 4;

	if (form & FORM_UNDEFINED || (form & FORM_NOT_64 && mode == DECODE_64))
		return false;
	if (form & FORM_MODRM)
		take_modrm(c, in, mode, form & FORM_REGISTER_ONLY);
	if (form & FORM_IMMEDIATE_Z)
		in->immediate = take(c, z_bytes);
	if (form & FORM_BRANCH) /* 66 is ignored in 64-bit mode, as Intel has it */
		in->immediate = take(c, mode == DECODE_64 ? 4 : z_bytes);
	if (form & FORM_IMMEDIATE_V)
		in->immediate = take(c, in->operand_bytes);
	if (form & FORM_IMMEDIATE_4)
		in->immediate = take(c, 4);
	if (form & FORM_OFFSET) {
		in->has_memory = true;
		in->memory.displacement = (int64_t)take(c, in->address_bytes);
	}
	if (form & FORM_IMMEDIATE_16)
		in->immediate = take(c, 2);
	if (form & FORM_IMMEDIATE_8)
		in->immediate = take(c, 1);
	return true;
}

/* VEX, EVEX and XOP: what the payload says of the map decides what follows; ModRM always does, but for VZEROUPPER. */
static bool take_vector(struct cursor *c, struct instruction *in, enum decode_mode mode, uint8_t escape)
{
	uint8_t first = take8(c), map = 1;
	bool wide = escape == 0xc4 || escape == 0x8f || escape == 0x62;

	if (in->operand_prefix || in->rep || in->repne || in->lock || in->rex)
		return false;
	if (mode == DECODE_64) /* R, X, B are inverted; the two-byte form has R only */
		in->rex = (uint8_t)(REX_PRESENT | (~first >> 5 & (wide ? REX_R | REX_X | REX_B : REX_R)));
	if (wide)
		map = first & (escape == 0x62 ? 7 : 31);
	take(c, escape == 0x62 ? 2 : wide);
	in->map = MAP_VECTOR;
	in->opcode = take8(c);
	return take_rest(c, in, mode, decode_vector_form(escape, map, in->opcode));
}

/* C4, C5, 62 and 8F are instructions of their own where the bits that follow say so. */
static bool is_vector(const struct cursor *c, uint8_t opcode, enum decode_mode mode)
{
	uint8_t next = peek(c);

	switch (opcode) {
	case 0xc4: case 0xc5: case 0x62:
		return mode == DECODE_64 || next >= 0xc0;
	case 0x8f:
		return (next & 31) >= 8;
	default:
		return false;
	}
}

/* Opcodes whose immediates depend on ModRM's reg field or on a prefix. */
static void take_irregular(struct cursor *c, struct instruction *in)
{
	if (in->map == MAP_ONE_BYTE && (in->opcode & 0xfe) == 0xf6 && (in->reg & 7) < 2) /* TEST */
		in->immediate = take(c, in->opcode == 0xf6 ? 1 : in->operand_bytes == 2 ? 2 : 4);
	if (in->map == MAP_0F && in->opcode == 0x78 && (in->operand_prefix || in->repne)) /* EXTRQ, INSERTQ */
		take(c, 2);
}

static bool take_opcode(struct cursor *c, struct instruction *in, enum decode_mode mode)
{
	in->opcode = take_prefixes(c, in, mode);
	if (is_vector(c, in->opcode, mode))
		return take_vector(c, in, mode, in->opcode);
	if (in->opcode != 0x0f)
		return take_rest(c, in, mode, decode_forms[in->opcode]);
	in->opcode = take8(c);
	in->map = MAP_0F;
	if (in->opcode == 0x38 || in->opcode == 0x3a) {
		bool immediate = in->opcode == 0x3a;

		in->map = immediate ? MAP_0F3A : MAP_0F38;
		in->opcode = take8(c);
		return take_rest(c, in, mode, immediate ? FORM_MODRM | FORM_IMMEDIATE_8 : FORM_MODRM);
	}
	if (in->opcode == 0x0f)
		in->map = MAP_VECTOR;
	return take_rest(c, in, mode, decode_forms_0f[in->opcode]);
}

/* What an operation is: which, whether on bytes, whether memory is its first operand, whether it has an immediate. */
struct meaning {
	uint8_t operation;
	bool bytes, to_memory, has_immediate;
};

static struct meaning meaning_of_one_byte(const struct instruction *in)
{
	uint8_t op = in->opcode, group = in->reg & 7;
	bool bytes = !(op & 1);

	if (op < 0x40 && (op & 7) < 4)
		return (struct meaning){ (uint8_t)(OPERATION_ADD + (op >> 3)), bytes, !(op & 2), false };
	switch (op) {
	case 0x80: case 0x81: case 0x82: case 0x83:
		return (struct meaning){ (uint8_t)(OPERATION_ADD + group), bytes, true, true };
	case 0x84: case 0x85:
		return (struct meaning){ OPERATION_TEST, bytes, true, false };
	case 0x86: case 0x87:
		return (struct meaning){ OPERATION_XCHG, bytes, true, false };
	case 0x88: case 0x89: case 0x8a: case 0x8b:
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
		return (struct meaning){ OPERATION_MOV, bytes, (op < 0x90) == !(op & 2), false };
	case 0xa4: case 0xa5:
		return (struct meaning){ OPERATION_MOVS, bytes, true, false };
	case 0xaa: case 0xab:
		return (struct meaning){ OPERATION_STOS, bytes, true, false };
	case 0xc6: case 0xc7:
		return (struct meaning){ group ? OPERATION_OTHER : OPERATION_MOV, bytes, true, true };
	case 0xf6: case 0xf7:
		return (struct meaning){ group > 1 ? OPERATION_OTHER : OPERATION_TEST, bytes, true, true };
	default:
		return (struct meaning){ OPERATION_OTHER, false, false, false };
	}
}

static struct meaning meaning_of_0f(const struct instruction *in)
{
	switch (in->opcode) {
	case 0xa3: case 0xab: case 0xb3: case 0xbb:
		return (struct meaning){ (uint8_t)(OPERATION_BT + ((in->opcode >> 3) & 3)), false, true, false };
	case 0xb6: case 0xb7:
		return (struct meaning){ OPERATION_MOVZX, false, false, false };
	case 0xbe: case 0xbf:
		return (struct meaning){ OPERATION_MOVSX, false, false, false };
	case 0xba:
		if (in->reg & 4)
			return (struct meaning){ (uint8_t)(OPERATION_BT + (in->reg & 3)), false, true, true };
		break;
	}
	return (struct meaning){ OPERATION_OTHER, false, false, false };
}

/* The implicit operands of the string operations and of MOV with an offset. */
static void add_implicit(struct instruction *in)
{
	if (in->operation == OPERATION_STOS || in->operation == OPERATION_MOVS) {
		in->has_memory = true;
		in->memory.base = in->operation == OPERATION_STOS ? RDI : RSI;
		if (in->operation == OPERATION_STOS)
			in->memory.segment = ES;
	}
	if (!in->has_modrm)
		in->reg = RAX;
}

static void find_meaning(struct instruction *in, enum decode_mode mode)
{
	struct meaning meaning = { OPERATION_OTHER, false, false, false };

	if (in->map == MAP_ONE_BYTE && in->opcode == 0x63 && mode == DECODE_64)
		meaning.operation = OPERATION_MOVSX;
	else if (in->map == MAP_ONE_BYTE)
		meaning = meaning_of_one_byte(in);
	else if (in->map == MAP_0F)
		meaning = meaning_of_0f(in);
	if (meaning.operation == OPERATION_OTHER || in->mod == 3)
		return;
	in->operation = meaning.operation;
	in->to_memory = meaning.to_memory;
	in->has_immediate = meaning.has_immediate;
	if (meaning.bytes)
		in->operand_bytes = 1;
	in->memory_bytes = in->operand_bytes;
	if (meaning.operation == OPERATION_MOVZX || meaning.operation == OPERATION_MOVSX)
		in->memory_bytes = in->map == MAP_0F ? (uint8_t)(1 + (in->opcode & 1)) : in->operand_bytes == 2 ? 2 : 4;
	if (meaning.bytes && !meaning.has_immediate && !in->rex && in->has_modrm && in->reg >= 4) {
		in->high_byte = true;
		in->reg -= 4;
	}
	add_implicit(in);
}

/* The default segment, where no prefix named one. */
static void find_segment(struct instruction *in)
{
	if (in->memory.segment == NO_REGISTER)
		in->memory.segment = in->memory.base == RSP || in->memory.base == RBP ? SS : DS;
}

bool decode(const uint8_t *bytes, size_t available, enum decode_mode mode, struct instruction *instruction)
{
	struct cursor c = { bytes, 0, available < INSTRUCTION_BYTES ? available : INSTRUCTION_BYTES, false };
	bool defined;

	*instruction = (struct instruction){
		.address_bytes = (uint8_t)(mode / 8),
		.memory = { .base = NO_REGISTER, .index = NO_REGISTER, .scale = 1, .segment = NO_REGISTER },
	};
	defined = take_opcode(&c, instruction, mode);
	if (defined)
		take_irregular(&c, instruction);
	instruction->truncated = c.failed && available < INSTRUCTION_BYTES;
	if (c.failed || !defined)
		return false;
	instruction->length = (uint8_t)c.at;
	find_segment(instruction);
	find_meaning(instruction, mode);
	return true;
}

uint64_t decode_offset(const struct instruction *instruction, const struct vcpu_registers *regs)
{
	const struct memory_operand *memory = &instruction->memory;
	uint64_t offset = (uint64_t)memory->displacement;

	if (memory->base != NO_REGISTER)
		offset += regs->gpr[memory->base];
	if (memory->index != NO_REGISTER)
		offset += regs->gpr[memory->index] * memory->scale;
	if (memory->rip_relative)
		offset += regs->rip + instruction->length;
	return instruction->address_bytes == 8 ? offset : offset & ((1ull << (instruction->address_bytes * 8)) - 1);
}
