/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding places in guest RAM for what a loader puts there: first fit from above or below around ranges that
 * must stay untouched. */
#pragma once

#include "vm/guest_map.h"

#define PLACE_AVOIDED 64

#define PLACE_LEAST_GPA 0x1000ull        /* page 0 has the BIOS data area */
#define PLACE_LIMIT_GPA 0x100000000ull   /* what 32-bit code reaches */

struct span {
	uint64_t gpa, bytes;
};

struct placement {
	const struct guest_map *map;
	struct span avoided[PLACE_AVOIDED];
	size_t count;
};

void place_init(struct placement *placement, const struct guest_map *map);

/* One more range that nothing may be put over; more than PLACE_AVOIDED of them are our own mistake (ASSERT). */
void place_avoid(struct placement *placement, uint64_t gpa, uint64_t bytes);

/* Whether two ranges share a byte. */
bool place_overlap(struct span a, struct span b);

/* Whether the range is guest RAM outside page 0, ends at or below limit_gpa, and touches nothing avoided. */
bool place_is_free(const struct placement *placement, uint64_t gpa, uint64_t bytes, uint64_t limit_gpa);

/* The highest, or the lowest, place of so many bytes (> 0) at a multiple of align (a power of two), below
 * limit_gpa, or from low_gpa on and below 4 GiB. False: there is none. */
bool place_highest(const struct placement *placement, uint64_t bytes, uint64_t align, uint64_t limit_gpa,
		   uint64_t *gpa);
bool place_lowest(const struct placement *placement, uint64_t bytes, uint64_t align, uint64_t low_gpa, uint64_t *gpa);
