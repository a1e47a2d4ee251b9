/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's ranges and where they are. Guest-physical is host-physical but for the ranges below 1 MiB that Foliot backs with its own frames. */
#include "vm/memory.h"

#include "host/memory.h"

static const struct guest_map *the_map;
static uint8_t *bases[GUEST_RANGES]; /* of each range, in our address space */

/* The ranges are few and nearly all accesses are to the last one, the memory above 1 MiB. */
static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	for (size_t i = the_map->count; i-- > 0;) {
		const struct guest_range *range = &the_map->ranges[i];

		if (gpa < range->gpa)
			continue;
		if (gpa - range->gpa >= range->bytes || bytes > range->bytes - (gpa - range->gpa))
			return NULL;
		return bases[i] + (gpa - range->gpa);
	}
	return NULL;
}

void memory_init(const struct guest_map *map, const struct virt_ops *ops, struct guest_ram *ram)
{
	the_map = map;
	for (size_t i = 0; i < map->count; i++) {
		const struct guest_range *range = &map->ranges[i];

		bases[i] = range->own ? frames_alloc(range->bytes / PAGE_BYTES) : host_ram(range->gpa);
		ops->map(range->gpa, range->own ? host_hpa_of(bases[i]) : range->gpa, range->bytes);
	}
	*ram = (struct guest_ram){ NULL, span };
}
