/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instruction decoder: how long the instruction at a guest's RIP is, for processors that do not say; and
 * what the common instructions with a memory operand do, for MMIO. APM 3 chapter 1 and appendix A, SDM 2
 * chapter 2 and appendix A. The length is right for every instruction that a processor accepts, VEX, EVEX and
 * XOP included. It is no judge of validity: what is undefined within an opcode's group decodes too, since the
 * processor has already accepted the bytes. */
#pragma once

#include "vm/vcpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTRUCTION_BYTES 15 /* the longest that a processor accepts */
#define NO_REGISTER 0xff

/* The default operand and address size of the code segment. */
enum decode_mode { DECODE_16 = 16, DECODE_32 = 32, DECODE_64 = 64 };

/* ADD to CMP are in the order of their opcodes. */
enum operation {
	OPERATION_OTHER, /* only the length and the raw fields are known */
	OPERATION_ADD,
	OPERATION_OR,
	OPERATION_ADC,
	OPERATION_SBB,
	OPERATION_AND,
	OPERATION_SUB,
	OPERATION_XOR,
	OPERATION_CMP,
	OPERATION_TEST,
	OPERATION_MOV,
	OPERATION_MOVZX,
	OPERATION_MOVSX,
	OPERATION_XCHG,
	OPERATION_BT,
	OPERATION_BTS,
	OPERATION_BTR,
	OPERATION_BTC,
	OPERATION_STOS, /* to ES:rDI from rAX */
	OPERATION_MOVS, /* to ES:rDI from segment:rSI */
};

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_VECTOR /* VEX, EVEX, XOP, 3DNow! */ };

struct memory_operand {
	uint8_t base, index; /* enum gpr, or NO_REGISTER */
	uint8_t scale;       /* 1, 2, 4, 8 */
	bool rip_relative;
	uint8_t segment;     /* enum segment, an override included */
	int64_t displacement;
};

struct instruction {
	uint8_t length;        /* in bytes, 1 to 15 */
	uint8_t map, opcode;   /* enum opcode_map */
	uint8_t rex;           /* 0: none */
	uint8_t address_bytes; /* 2, 4, 8 */
	uint8_t operand_bytes; /* of the register or immediate: 1 to 8; for OPERATION_OTHER 2, 4, 8 by the prefixes */
	uint8_t memory_bytes;  /* of the memory operand, where it has one and the operation is known */
	uint8_t mod, reg, rm;  /* of ModRM, with REX's extensions. MOV CR: reg is the control register, rm the GPR */
	bool has_modrm, has_memory;
	bool operand_prefix, lock, rep, repne; /* rep: F3, repne: F2, the last one of them */
	bool high_byte;        /* the register is AH, CH, DH, BH and reg 0 to 3 */
	bool to_memory;        /* the memory operand is the destination, the register or immediate the source */
	bool has_immediate;    /* the source is the immediate */
	uint8_t operation;     /* enum operation */
	uint64_t immediate;    /* sign-extended to 64 bits */
	struct memory_operand memory;
	bool truncated;        /* after a refusal: the bytes ended before the instruction did */
};

/* Decodes the instruction at bytes, of which so many are readable. False: it is longer than 15 bytes,
 * undefined, or ends behind the available bytes (truncated). */
bool decode(const uint8_t *bytes, size_t available, enum decode_mode mode, struct instruction *instruction);

/* The offset of the memory operand within its segment, cut to the address size. regs->rip must be at the
 * instruction. For BT and its kin with a register, the bit offset's whole operands are not added. */
uint64_t decode_offset(const struct instruction *instruction, const struct vcpu_registers *regs);

/* The lengths of 0F xx without prefixes and without ModRM; 0 for all others. */
extern const uint8_t decode_short_lengths[256];

/* The length of the commonest instructions that exit, without prefixes: one- and two-byte ones, port accesses,
 * 0F 01 with register form (VMMCALL, XSETBV, RDTSCP, ...), MOV to and from CR. 3 bytes must be readable. 0: ask
 * decode(). */
static inline unsigned decode_fast_length(const uint8_t *bytes)
{
	if (bytes[0] == 0x0f) {
		if ((bytes[1] == 0x01 && bytes[2] >= 0xc0) || (bytes[1] & 0xfc) == 0x20)
			return 3;
		return decode_short_lengths[bytes[1]];
	}
	if ((bytes[0] & 0xf4) == 0xe4) /* IN and OUT */
		return bytes[0] & 0x08 ? 1 : 2;
	return bytes[0] == 0xf4;       /* HLT */
}
