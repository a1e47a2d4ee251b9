/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The memory types that the host's MTRRs give to physical memory (SDM 3A 12.11), for the extended page tables, which carry them in each entry.
 * Pure: the registers are read elsewhere. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MTRR_VARIABLE_MAX 16u
#define MTRR_FIXED 11u

#define MEMORY_TYPE_UC 0u
#define MEMORY_TYPE_WT 4u
#define MEMORY_TYPE_WB 6u

struct mtrrs {
	uint64_t def_type;                          /* MSR 2FFh */
	bool has_fixed;
	uint64_t fixed[MTRR_FIXED];                 /* 250h, 258h, 259h, 268h to 26Fh */
	unsigned variable_count;
	uint64_t base[MTRR_VARIABLE_MAX], mask[MTRR_VARIABLE_MAX]; /* 200h, 201h ... */
};

/* The type at hpa (SDM 3A 12.11.4.1: where ranges overlap UC wins, then WT over WB; other overlaps are undefined, and UC here). */
unsigned mtrr_type(const struct mtrrs *mtrrs, uint64_t hpa);

/* How many of the bytes from hpa on, page-aligned both, surely have the same type as the first: at least a page. */
uint64_t mtrr_run(const struct mtrrs *mtrrs, uint64_t hpa, uint64_t bytes);
