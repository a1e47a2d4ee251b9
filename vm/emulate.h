/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Carrying out an instruction whose memory operand is not RAM. Where the operand's bytes come from and go to is the caller's. */
#pragma once

#include "vm/decode.h"
#include "vm/vcpu.h"

struct machine;

/* What answers at the address: reads of 1 to 8 bytes, and writes. */
struct emulated_memory {
	uint64_t (*read)(struct machine *machine, uint64_t gpa, unsigned bytes);
	void (*write)(struct machine *machine, uint64_t gpa, uint64_t value, unsigned bytes);
};

/* Carries the instruction out, one element of it where it is repeated: then rip stays. False: vm/decode knows its length only. A page fault
 * of a MOVS's other operand is raised in the guest. */
bool emulate(struct machine *machine, const struct instruction *instruction, uint64_t gpa,
	     const struct emulated_memory *memory);
