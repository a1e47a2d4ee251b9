/* SPDX-License-Identifier: BSD-2-Clause
 *
 * First fit around avoided ranges. Each step of a search moves past one avoided range, so a search ends after
 * as many steps. */
#include "vm/place.h"

#include "base/assert.h"

void place_init(struct placement *placement, const struct guest_map *map)
{
	placement->map = map;
	placement->count = 0;
}

void place_avoid(struct placement *placement, uint64_t gpa, uint64_t bytes)
{
	ASSERT(placement->count < PLACE_AVOIDED);
	placement->avoided[placement->count++] = (struct span){ gpa, bytes };
}

bool place_overlap(struct span a, struct span b)
{
	if (!a.bytes || !b.bytes)
		return false;
	return a.gpa >= b.gpa ? a.gpa - b.gpa < b.bytes : b.gpa - a.gpa < a.bytes;
}

/* The first avoided range in the way, or NULL. */
static const struct span *obstacle(const struct placement *placement, uint64_t gpa, uint64_t bytes)
{
	for (size_t i = 0; i < placement->count; i++)
		if (place_overlap(placement->avoided[i], (struct span){ gpa, bytes }))
			return &placement->avoided[i];
	return NULL;
}

bool place_is_free(const struct placement *placement, uint64_t gpa, uint64_t bytes, uint64_t limit_gpa)
{
	return gpa >= PLACE_LEAST_GPA && gpa <= limit_gpa && bytes <= limit_gpa - gpa &&
	       guest_map_is_ram(placement->map, gpa, bytes) && !obstacle(placement, gpa, bytes);
}

static bool highest_in(const struct placement *placement, struct span room, uint64_t bytes, uint64_t align,
		       uint64_t *gpa)
{
	uint64_t end = room.gpa + room.bytes;

	while (end > room.gpa && end - room.gpa >= bytes) {
		uint64_t at = (end - bytes) & ~(align - 1);
		const struct span *in_the_way;

		if (at < room.gpa)
			return false;
		in_the_way = obstacle(placement, at, bytes);
		if (!in_the_way) {
			*gpa = at;
			return true;
		}
		end = in_the_way->gpa;
	}
	return false;
}

static bool lowest_in(const struct placement *placement, struct span room, uint64_t bytes, uint64_t align,
		      uint64_t *gpa)
{
	uint64_t end = room.gpa + room.bytes, start = room.gpa;

	while (start <= UINT64_MAX - align) {
		uint64_t at = (start + align - 1) & ~(align - 1);
		const struct span *in_the_way;

		if (at > end || end - at < bytes)
			return false;
		in_the_way = obstacle(placement, at, bytes);
		if (!in_the_way) {
			*gpa = at;
			return true;
		}
		start = in_the_way->gpa + in_the_way->bytes;
	}
	return false;
}

/* The part of a RAM entry within [low_gpa, limit_gpa); 0 bytes where there is none. */
static struct span room_in(const struct e820_entry *entry, uint64_t low_gpa, uint64_t limit_gpa)
{
	uint64_t start = entry->gpa > low_gpa ? entry->gpa : low_gpa;
	uint64_t end = entry->gpa + entry->bytes < limit_gpa ? entry->gpa + entry->bytes : limit_gpa;

	if (entry->type != E820_RAM || start >= end)
		return (struct span){ start, 0 };
	return (struct span){ start, end - start };
}

bool place_highest(const struct placement *placement, uint64_t bytes, uint64_t align, uint64_t limit_gpa,
		   uint64_t *gpa)
{
	for (size_t i = placement->map->e820_count; i-- > 0;) {
		struct span room = room_in(&placement->map->e820[i], PLACE_LEAST_GPA, limit_gpa);

		if (highest_in(placement, room, bytes, align, gpa))
			return true;
	}
	return false;
}

bool place_lowest(const struct placement *placement, uint64_t bytes, uint64_t align, uint64_t low_gpa, uint64_t *gpa)
{
	for (size_t i = 0; i < placement->map->e820_count; i++) {
		struct span room = room_in(&placement->map->e820[i], low_gpa, PLACE_LIMIT_GPA);

		if (lowest_in(placement, room, bytes, align, gpa))
			return true;
	}
	return false;
}
