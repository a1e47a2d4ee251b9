/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What follows each opcode (APM 3 appendix A, SDM 2 appendix A). What a field of ModRM or a prefix changes is
 * in vm/decode.c. */
#pragma once

#include <stdint.h>

#define FORM_MODRM 0x001u
#define FORM_REGISTER_ONLY 0x002u  /* ModRM's mod is taken as 3 */
#define FORM_IMMEDIATE_8 0x004u
#define FORM_IMMEDIATE_16 0x008u
#define FORM_IMMEDIATE_Z 0x010u    /* 2 bytes with an operand size of 16 bits, else 4 */
#define FORM_IMMEDIATE_V 0x020u    /* 2, 4 or 8 bytes by the operand size */
#define FORM_BRANCH 0x040u         /* as Z, but always 4 bytes in 64-bit mode */
#define FORM_OFFSET 0x080u         /* a memory offset of the address size */
#define FORM_NOT_64 0x100u         /* undefined in 64-bit mode */
#define FORM_UNDEFINED 0x200u
#define FORM_IMMEDIATE_4 0x400u    /* always 4 bytes */

extern const uint16_t decode_forms[256];
extern const uint16_t decode_forms_0f[256];

/* The form of an opcode in a map that VEX (escape C4h, C5h), EVEX (62h) or XOP (8Fh) names. */
unsigned decode_vector_form(uint8_t escape, uint8_t map, uint8_t opcode);
