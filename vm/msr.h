/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MSR policy: a table of the MSRs that the guest has and that its processor does not carry itself. All others are refused with #GP, and
 * none reaches the hardware. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

#define MSR_VARIABLE_MTRRS 8
#define MSR_FIXED_MTRRS 11

/* What is only remembered for the guest: memory types are the host's business (nested paging, PAT in the VMCB). */
struct msr_state {
	uint64_t mtrr_variable[2 * MSR_VARIABLE_MTRRS];
	uint64_t mtrr_fixed[MSR_FIXED_MTRRS];
	uint64_t mtrr_default;
	size_t recent; /* the row of the table that was found last */
};

/* The guest's RDMSR and WRMSR. False: #GP. */
bool msr_read(struct machine *machine, uint32_t msr, uint64_t *value);
bool msr_write(struct machine *machine, uint32_t msr, uint64_t value);

/* After a reset: MTRRs disabled (SDM 3A 12.11.5). */
void msr_reset(struct msr_state *state);
