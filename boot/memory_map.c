/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's memory map. Every border of a range is a possible cut; between two neighbouring cuts the greatest
 * kind that covers them wins. At most 256 ranges, so the square of their number does not matter. */
#include "boot/memory_map.h"

#include "base/mem.h"

#define PAGE_BYTES 4096ull

static uint64_t end_of(const struct memory_range *r)
{
	return r->base_hpa + r->bytes;
}

static void clamp(struct memory_range *r)
{
	if (r->bytes > UINT64_MAX - r->base_hpa)
		r->bytes = UINT64_MAX - r->base_hpa;
}

/* The least border greater than `after`, or UINT64_MAX. */
static uint64_t next_border(const struct memory_range *ranges, size_t count, uint64_t after)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		uint64_t base = ranges[i].base_hpa, end = end_of(&ranges[i]);

		if (base > after && base < next)
			next = base;
		if (end > after && end < next)
			next = end;
	}
	return next;
}

static bool kind_at(const struct memory_range *ranges, size_t count, uint64_t hpa, enum memory_kind *kind)
{
	bool covered = false;

	for (size_t i = 0; i < count; i++)
		if (ranges[i].base_hpa <= hpa && hpa < end_of(&ranges[i])) {
			if (!covered || ranges[i].kind > *kind)
				*kind = ranges[i].kind;
			covered = true;
		}
	return covered;
}

static bool append(struct memory_range *out, size_t *count, const struct memory_range *range)
{
	struct memory_range *last = *count ? &out[*count - 1] : NULL;

	if (last && last->kind == range->kind && end_of(last) == range->base_hpa) {
		last->bytes += range->bytes;
		return true;
	}
	if (*count == BOOT_RANGES_MAX)
		return false;
	out[(*count)++] = *range;
	return true;
}

size_t memory_map_normalise(struct memory_range *ranges, size_t count)
{
	static struct memory_range out[BOOT_RANGES_MAX];
	size_t out_count = 0;
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++)
		clamp(&ranges[i]);
	do {
		struct memory_range piece = { .base_hpa = at };
		uint64_t next = next_border(ranges, count, at);

		piece.bytes = next - at;
		if (kind_at(ranges, count, at, &piece.kind) && !append(out, &out_count, &piece))
			return 0;
		at = next;
	} while (at != UINT64_MAX);
	memcpy(ranges, out, out_count * sizeof *out);
	return out_count;
}

/* If [base, base + bytes) touches the obstacle, moves base below it. False: there is no room below. */
static bool step_below(uint64_t *base, uint64_t bytes, uint64_t obstacle, uint64_t obstacle_bytes, bool *moved)
{
	if (!obstacle_bytes || *base >= obstacle + obstacle_bytes || *base + bytes <= obstacle)
		return true;
	if (obstacle < bytes)
		return false;
	*base = (obstacle - bytes) & ~(PAGE_BYTES - 1);
	*moved = true;
	return true;
}

static bool find_in_range(const struct boot_info *boot, uint64_t low, uint64_t high, uint64_t bytes,
                          const struct memory_range *keep, uint64_t *base)
{
	bool moved;

	if (high < bytes)
		return false;
	*base = (high - bytes) & ~(PAGE_BYTES - 1);
	do {
		moved = false;
		if (!step_below(base, bytes, keep->base_hpa, keep->bytes, &moved))
			return false;
		for (size_t i = 0; i < boot->module_count; i++)
			if (!step_below(base, bytes, boot->modules[i].base_hpa, boot->modules[i].bytes, &moved))
				return false;
	} while (moved);
	return *base >= low;
}

bool memory_map_find_top(const struct boot_info *boot, uint64_t low_hpa, uint64_t high_hpa, uint64_t bytes,
                         const struct memory_range *keep, uint64_t *base_hpa)
{
	bytes = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	for (size_t i = boot->range_count; i-- > 0;) {
		const struct memory_range *r = &boot->ranges[i];
		uint64_t low = r->base_hpa > low_hpa ? r->base_hpa : low_hpa;
		uint64_t high = end_of(r) < high_hpa ? end_of(r) : high_hpa;

		if (r->kind == MEMORY_USABLE && low < high && find_in_range(boot, low, high, bytes, keep, base_hpa))
			return true;
	}
	return false;
}

bool memory_map_touches_usable(const struct boot_info *boot, uint64_t base_hpa, uint64_t bytes)
{
	for (size_t i = 0; i < boot->range_count; i++) {
		const struct memory_range *r = &boot->ranges[i];

		if (r->kind == MEMORY_USABLE && r->base_hpa < base_hpa + bytes && base_hpa < end_of(r))
			return true;
	}
	return false;
}

uint64_t memory_map_usable_bytes(const struct boot_info *boot)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < boot->range_count; i++)
		if (boot->ranges[i].kind == MEMORY_USABLE)
			bytes += boot->ranges[i].bytes;
	return bytes;
}

uint64_t memory_map_usable_end(const struct boot_info *boot)
{
	uint64_t end = 0;

	for (size_t i = 0; i < boot->range_count; i++)
		if (boot->ranges[i].kind == MEMORY_USABLE)
			end = end_of(&boot->ranges[i]);
	return end;
}
