/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fetching and decoding at the guest's rip. */
#include "vm/instruction.h"

#include "base/mem.h"
#include "vm/machine.h"

#define PAGE_BYTES 4096u
#define REMEMBERED 16u
#define FAST_BYTES 3u /* what decode_fast_length looks at */

#define CS_LONG 0x200u    /* segment attribute L, as in the VMCB */
#define CS_DEFAULT_32 0x400u
#define EFER_LMA (1ull << 10)
#define CR0_PG (1ull << 31)
#define LOW_HALF 0xffffffffull

#define RFLAGS_AC (1ull << 18)

#define OPCODE_MOV_TO_CR 0x22
#define OPCODE_GROUP_7 0x01
#define GROUP_7_LMSW 6

/* APM 3 "LMSW": MP, EM and TS; PE can be set only. */
#define LMSW_CLEARS 0xeu
#define LMSW_SETS 0xfu

/* The code's place and mode. */
struct code {
	struct vcpu_mode mode;
	enum decode_mode decode_mode;
	uint64_t gva;
};

static enum decode_mode decode_mode_of(const struct vcpu_mode *mode)
{
	if (mode->efer & EFER_LMA && mode->cs_attributes & CS_LONG)
		return DECODE_64;
	return mode->cs_attributes & CS_DEFAULT_32 ? DECODE_32 : DECODE_16;
}

static void find_code(const struct machine *machine, struct code *code)
{
	machine->ops->get_mode(&machine->vcpu, &code->mode);
	code->decode_mode = decode_mode_of(&code->mode);
	code->gva = machine->vcpu.registers.rip;
	if (code->decode_mode != DECODE_64)
		code->gva = (code->gva + code->mode.cs_base) & LOW_HALF;
}

static struct walk_state walk_state_of(const struct machine *machine, const struct vcpu_mode *mode)
{
	return (struct walk_state){
		.cr0 = mode->cr0,
		.cr3 = mode->cr3,
		.cr4 = mode->cr4,
		.efer = mode->efer,
		.ac = machine->vcpu.registers.rflags & RFLAGS_AC,
	};
}

static unsigned user_access(const struct vcpu_mode *mode)
{
	return mode->cpl == 3 ? WALK_USER : 0;
}

unsigned instruction_user_access(const struct machine *machine)
{
	struct vcpu_mode mode;

	machine->ops->get_mode(&machine->vcpu, &mode);
	return user_access(&mode);
}

struct walk_state instruction_walk_state(const struct machine *machine)
{
	struct vcpu_mode mode;

	machine->ops->get_mode(&machine->vcpu, &mode);
	return walk_state_of(machine, &mode);
}

static bool fetch_at(const struct machine *machine, const struct code *code, struct instruction *instruction)
{
	struct walk_state state = walk_state_of(machine, &code->mode);
	uint8_t bytes[INSTRUCTION_BYTES];
	uint64_t count;
	uint32_t error;

	guest_read_virtual(&state, &machine->ram, code->gva, WALK_FETCH | user_access(&code->mode), bytes, sizeof bytes,
			   &count, &error);
	return decode(bytes, count, code->decode_mode, instruction);
}

bool instruction_fetch(const struct machine *machine, struct instruction *instruction)
{
	struct code code;

	find_code(machine, &code);
	return fetch_at(machine, &code, instruction);
}

/* The code's first bytes, where they are in one page. NULL: ask the slow way. */
static inline const uint8_t *first_bytes(const struct machine *machine, const struct code *code, unsigned bytes)
{
	uint64_t gpa = code->gva;

	if ((gpa & (PAGE_BYTES - 1)) > PAGE_BYTES - bytes)
		return NULL;
	if (code->mode.cr0 & CR0_PG) {
		struct walk_state state = walk_state_of(machine, &code->mode);
		uint32_t error;

		if (walk(&state, &machine->ram, code->gva, WALK_FETCH | user_access(&code->mode), &gpa, &error) != WALK_OK)
			return NULL;
	}
	return machine->ram.span(machine->ram.context, gpa, bytes);
}

/* An instruction that was decoded, and the bytes that it was decoded from: nothing but these and the mode decides. */
struct remembered {
	uint64_t words[2], masks[2]; /* its bytes, and which of the words' bytes those are */
	enum decode_mode decode_mode;
	struct instruction instruction;
};

static bool decode_anew(struct remembered *slot, const uint64_t words[2], enum decode_mode decode_mode)
{
	unsigned bits;

	slot->decode_mode = 0; /* no mode: the slot is empty until it is filled */
	if (!decode((const uint8_t *)words, INSTRUCTION_BYTES, decode_mode, &slot->instruction))
		return false;
	bits = 8u * slot->instruction.length;
	slot->masks[0] = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
	slot->masks[1] = bits > 64 ? (1ull << (bits - 64)) - 1 : 0;
	slot->words[0] = words[0] & slot->masks[0];
	slot->words[1] = words[1] & slot->masks[1];
	slot->decode_mode = decode_mode;
	return true;
}

static const struct instruction *decode_slowly(const struct machine *machine, const struct code *code)
{
	static struct instruction instruction;

	return fetch_at(machine, code, &instruction) ? &instruction : NULL;
}

const struct instruction *instruction_at_rip(const struct machine *machine)
{
	static struct remembered slots[REMEMBERED];
	struct remembered *slot;
	struct code code;
	uint64_t words[2];
	const uint8_t *at;

	find_code(machine, &code);
	at = first_bytes(machine, &code, sizeof words);
	if (!at)
		return decode_slowly(machine, &code);
	memcpy(words, at, sizeof words);
	slot = &slots[code.gva % REMEMBERED];
	if (slot->decode_mode == code.decode_mode && (words[0] & slot->masks[0]) == slot->words[0] &&
	    (words[1] & slot->masks[1]) == slot->words[1])
		return &slot->instruction;
	return decode_anew(slot, words, code.decode_mode) ? &slot->instruction : NULL;
}

unsigned instruction_length(const struct machine *machine)
{
	struct instruction instruction;
	struct code code;
	const uint8_t *at;

	find_code(machine, &code);
	at = first_bytes(machine, &code, FAST_BYTES);
	if (at) {
		uint8_t bytes[FAST_BYTES] = { at[0], at[1], at[2] };
		unsigned length = decode_fast_length(bytes);

		if (length)
			return length;
	}
	return fetch_at(machine, &code, &instruction) ? instruction.length : 0;
}

unsigned instruction_rdtsc_length(const struct machine *machine, const struct vcpu_exit *exit, bool *is_rdtscp)
{
	const struct instruction *instruction;

	*is_rdtscp = false;
	if (exit->length == 2)
		return exit->length;
	instruction = instruction_at_rip(machine);
	if (!instruction)
		return exit->length;
	*is_rdtscp = instruction->map == MAP_0F && instruction->opcode == OPCODE_GROUP_7;
	return instruction->length;
}

/* In 64-bit mode only FS and GS have a base (APM 2 4.5.3); elsewhere addresses wrap at 4 GiB. */
uint64_t instruction_gva(const struct machine *machine, enum segment which, uint64_t offset)
{
	struct segment_register segment;
	struct code code;

	find_code(machine, &code);
	machine->ops->get_segment(&machine->vcpu, which, &segment);
	if (code.decode_mode != DECODE_64)
		return (segment.base + offset) & LOW_HALF;
	return which == FS || which == GS ? segment.base + offset : offset;
}

/* The operand of LMSW. False: it is not there any more. */
static bool get_word(const struct machine *machine, const struct instruction *instruction, uint16_t *word)
{
	struct walk_state state = instruction_walk_state(machine);
	uint64_t gva;
	uint32_t error;

	*word = (uint16_t)machine->vcpu.registers.gpr[instruction->rm];
	if (!instruction->has_memory)
		return true;
	gva = instruction_gva(machine, instruction->memory.segment, decode_offset(instruction, &machine->vcpu.registers));
	return guest_read_virtual(&state, &machine->ram, gva, 0, word, sizeof *word, NULL, &error) == WALK_OK;
}

unsigned instruction_write_cr(const struct machine *machine, uint64_t *value)
{
	uint64_t cr0 = machine->ops->get(&machine->vcpu, CR0);
	struct instruction i;
	struct code code;
	uint16_t word;

	find_code(machine, &code);
	if (!fetch_at(machine, &code, &i) || i.map != MAP_0F)
		return 0;
	if (i.opcode == OPCODE_MOV_TO_CR) {
		*value = machine->vcpu.registers.gpr[i.rm] & (code.decode_mode == DECODE_64 ? UINT64_MAX : LOW_HALF);
		return i.length;
	}
	if (i.opcode != OPCODE_GROUP_7 || (i.reg & 7) != GROUP_7_LMSW || !get_word(machine, &i, &word))
		return 0;
	*value = (cr0 & ~(uint64_t)LMSW_CLEARS) | (word & LMSW_SETS);
	return i.length;
}
