/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Why an entry failed, in words: the checks of SDM 3C 27.2 and 27.3.1 made again, field by field. Pure: the fields come
 * through a function. Left out is what Foliot never sets: restricted guests, SMM, CET, and the fields of features that
 * vmx/control.c does not ask for. */
#pragma once

#include "vmx/control.h"

#include <stdbool.h>
#include <stdint.h>

/* What this processor allows (SDM 3D appendix A). */
struct vmx_limits {
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t controls[WORD_COUNT]; /* must-be-1 bits low, may-be-1 bits high */
	uint64_t misc;                 /* IA32_VMX_MISC */
	bool any_error_code;           /* IA32_VMX_BASIC bit 56: exceptions may have one or not */
	unsigned physical_bits, linear_bits; /* of addresses */
};

/* From the processor, which must have VT-x. */
void vmx_read_limits(struct vmx_limits *limits);

/* What VM-instruction error number means (SDM 3C 31.4). */
const char *vmx_instruction_error(uint32_t number);

/* Prints one line for each rule of the controls, of the host's and of the guest's state that is broken: the field, its
 * value, what must hold. Says so where none is. Lines are shorter than 120 characters. Returns how many are broken. */
unsigned vmx_check(const struct vmx_limits *limits, uint64_t (*read)(void *context, uint32_t field), void *context,
		   void (*print)(const char *line));
