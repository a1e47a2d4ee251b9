/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Carrying out an instruction whose memory operand is not RAM: the bus answers there. */
#pragma once

#include "vm/decode.h"
#include "vm/vcpu.h"

struct machine;

/* Carries the instruction out, one element of it where it is repeated: then rip stays. False: vm/decode knows its length only. A page fault
 * of a MOVS's other operand is raised in the guest. */
bool emulate(struct machine *machine, const struct instruction *instruction, uint64_t gpa);
