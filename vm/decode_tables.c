/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The opcode maps, one row of eight or sixteen to a line. Prefixes and the escape 0Fh never reach the tables. */
#include "vm/decode_tables.h"

#include "vm/decode.h"

#define M FORM_MODRM
#define MR (FORM_MODRM | FORM_REGISTER_ONLY)
#define M8 (FORM_MODRM | FORM_IMMEDIATE_8)
#define MZ (FORM_MODRM | FORM_IMMEDIATE_Z)
#define I8 FORM_IMMEDIATE_8
#define IW FORM_IMMEDIATE_16
#define WB (FORM_IMMEDIATE_16 | FORM_IMMEDIATE_8)
#define IZ FORM_IMMEDIATE_Z
#define IV FORM_IMMEDIATE_V
#define BR FORM_BRANCH
#define OF FORM_OFFSET
#define N FORM_NOT_64
#define N8 (FORM_NOT_64 | FORM_IMMEDIATE_8)
#define NM (FORM_NOT_64 | FORM_MODRM)
#define NM8 (FORM_NOT_64 | FORM_MODRM | FORM_IMMEDIATE_8)
#define NF (FORM_NOT_64 | FORM_IMMEDIATE_Z | FORM_IMMEDIATE_16) /* a far pointer */
#define X FORM_UNDEFINED

const uint16_t decode_forms[256] = {
	/* 00 */ M,  M,  M,  M,  I8, IZ, N,  N,  M,  M,  M,  M,  I8, IZ, N,  X,
	/* 10 */ M,  M,  M,  M,  I8, IZ, N,  N,  M,  M,  M,  M,  I8, IZ, N,  N,
	/* 20 */ M,  M,  M,  M,  I8, IZ, X,  N,  M,  M,  M,  M,  I8, IZ, X,  N,
	/* 30 */ M,  M,  M,  M,  I8, IZ, X,  N,  M,  M,  M,  M,  I8, IZ, X,  N,
	/* 40 */ N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
	/* 50 */ 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
	/* 60 */ N,  N,  NM, M,  X,  X,  X,  X,  IZ, MZ, I8, M8, 0,  0,  0,  0,
	/* 70 */ I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8, I8,
	/* 80 */ M8, MZ, NM8, M8, M, M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 90 */ 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  NF, 0,  0,  0,  0,  0,
	/* a0 */ OF, OF, OF, OF, 0,  0,  0,  0,  I8, IZ, 0,  0,  0,  0,  0,  0,
	/* b0 */ I8, I8, I8, I8, I8, I8, I8, I8, IV, IV, IV, IV, IV, IV, IV, IV,
	/* c0 */ M8, M8, IW, 0,  NM, NM, M8, MZ, WB, 0,  IW, 0,  0,  I8, N,  0,
	/* d0 */ M,  M,  M,  M,  N8, N8, N,  0,  M,  M,  M,  M,  M,  M,  M,  M,
	/* e0 */ I8, I8, I8, I8, I8, I8, I8, I8, BR, BR, NF, I8, 0,  0,  0,  0,
	/* f0 */ X,  0,  X,  X,  0,  0,  M,  M,  0,  0,  0,  0,  0,  0,  M,  M,
};

const uint16_t decode_forms_0f[256] = {
	/* 00 */ M,  M,  M,  M,  X,  0,  0,  0,  0,  0,  X,  0,  X,  M,  0,  M8,
	/* 10 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 20 */ MR, MR, MR, MR, X,  X,  X,  X,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 30 */ 0,  0,  0,  0,  0,  0,  X,  0,  M,  X,  M8, X,  X,  X,  X,  X,
	/* 40 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 50 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 60 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 70 */ M8, M8, M8, M8, M,  M,  M,  0,  M,  M,  X,  X,  M,  M,  M,  M,
	/* 80 */ BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR,
	/* 90 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* a0 */ 0,  0,  0,  M,  M8, M,  M,  M,  0,  0,  0,  M,  M8, M,  M,  M,
	/* b0 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M8, M,  M,  M,  M,  M,
	/* c0 */ M,  M,  M8, M,  M8, M8, M8, M,  0,  0,  0,  0,  0,  0,  0,  0,
	/* d0 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* e0 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* f0 */ M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
};

const uint8_t decode_short_lengths[256] = {
	[0x05 ... 0x09] = 2, [0x0b] = 2, [0x0e] = 2, [0x30 ... 0x35] = 2, [0x37] = 2, [0x77] = 2,
	[0xa0 ... 0xa2] = 2, [0xa8 ... 0xaa] = 2, [0xc8 ... 0xcf] = 2,
};

/* The map of 0F, in which a few opcodes have an immediate. */
static unsigned map_1_form(uint8_t opcode)
{
	switch (opcode) {
	case 0x70: case 0x71: case 0x72: case 0x73:
	case 0xc2: case 0xc4: case 0xc5: case 0xc6:
		return M8;
	case 0x77: /* VZEROUPPER, VZEROALL */
		return 0;
	default:
		return M;
	}
}

unsigned decode_vector_form(uint8_t escape, uint8_t map, uint8_t opcode)
{
	if (escape == 0x8f)
		return map == 8 ? M8 : map == 9 ? M : map == 10 ? FORM_MODRM | FORM_IMMEDIATE_4 : X;
	switch (map) {
	case 1:
		return map_1_form(opcode);
	case 2:
		return M;
	case 3:
		return M8;
	case 5: case 6:
		return escape == 0x62 ? M : X;
	default:
		return X;
	}
}
