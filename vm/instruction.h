/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instruction at the guest's rip, fetched through the guest's own page tables: for what the processor does not say about an exit.
 * The bytes are copied once and only the copy decides. */
#pragma once

#include "vm/decode.h"
#include "vm/vcpu.h"
#include "vm/walk.h"

struct machine;

/* How the guest's addresses translate now; and WALK_USER where its code runs at CPL 3, else 0. */
unsigned instruction_user_access(const struct machine *machine);
struct walk_state instruction_walk_state(const struct machine *machine);

/* Fetches and decodes the instruction at rip. False: its bytes are not there, or are none that vm/decode knows. */
bool instruction_fetch(const struct machine *machine, struct instruction *instruction);

/* The same for an exit that comes often: the result stays good until the next call. What was decoded last is remembered by its bytes, which are
 * fetched anew each time. NULL: as false. */
const struct instruction *instruction_at_rip(const struct machine *machine);

/* Its length in bytes; 0 where instruction_fetch says false. */
unsigned instruction_length(const struct machine *machine);

/* The length of what exited as RDTSC, 0 where its bytes are not there any more; and whether it was RDTSCP (0F 01 F9; QEMU 7.2 reports it so). */
unsigned instruction_rdtsc_length(const struct machine *machine, const struct vcpu_exit *exit, bool *is_rdtscp);

/* For an exit by MOV to a control register or by LMSW: what the register would become. Returns the length, 0 where the instruction is neither. */
unsigned instruction_write_cr(const struct machine *machine, uint64_t *value);

/* The linear address of an offset in a segment. */
uint64_t instruction_gva(const struct machine *machine, enum segment which, uint64_t offset);
