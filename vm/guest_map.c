/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building the guest's memory map from the host's. The host's list need be neither sorted nor disjoint. */
#include "vm/guest_map.h"

#include "base/assert.h"
#include "base/mem.h"

#define PAGE_BYTES 0x1000ull
#define GUEST_LEAST_MIB 4

#define BDA_GPA 0x400
#define BDA_COM1 0x000
#define BDA_EBDA_SEGMENT 0x00e
#define BDA_EQUIPMENT 0x010
#define BDA_BASE_KIB 0x013
#define EQUIPMENT_FPU (1u << 1)
#define EQUIPMENT_ONE_SERIAL (1u << 9)
#define COM1_PORT 0x3f8

static uint64_t end_of(uint64_t base, uint64_t bytes)
{
	return bytes > UINT64_MAX - base ? UINT64_MAX : base + bytes;
}

/* Where the guest's IOAPIC, HPET and local APIC are: no RAM of the host's may cover them. */
#define CHIPS_BASE_GPA 0xfec00000ull
#define CHIPS_BYTES 0x300000ull

#define OWN_RANGES 2

/* The list with Foliot's own memory and the chips' as two more ranges. */
static struct memory_range nth_range(const struct guest_map_input *in, size_t i)
{
	if (i < in->count)
		return in->ranges[i];
	if (i == in->count)
		return (struct memory_range){ in->image_base_hpa, in->image_bytes, MEMORY_RESERVED };
	return (struct memory_range){ CHIPS_BASE_GPA, CHIPS_BYTES, MEMORY_RESERVED };
}

/* Whether the byte at hpa is the guest's to have; *until is where that may change. */
static bool usable_at(const struct guest_map_input *in, uint64_t hpa, uint64_t *until)
{
	bool usable = false, taken = false;

	*until = UINT64_MAX;
	for (size_t i = 0; i < in->count + OWN_RANGES; i++) {
		struct memory_range range = nth_range(in, i);
		uint64_t end = end_of(range.base_hpa, range.bytes);

		if (hpa < range.base_hpa && range.bytes && range.base_hpa < *until)
			*until = range.base_hpa;
		if (hpa < range.base_hpa || hpa >= end)
			continue;
		*(range.kind == MEMORY_USABLE ? &usable : &taken) = true;
		if (end < *until)
			*until = end;
	}
	return usable && !taken;
}

/* The end of the usable run that starts at hpa; hpa itself where there is none. */
static uint64_t usable_end(const struct guest_map_input *in, uint64_t hpa)
{
	uint64_t until;

	while (hpa != UINT64_MAX && usable_at(in, hpa, &until))
		hpa = until;
	return hpa;
}

static void add_range(struct guest_map *map, uint64_t gpa, uint64_t end, bool own)
{
	if (gpa < end)
		map->ranges[map->count++] = (struct guest_range){ gpa, end - gpa, own };
}

static void add_e820(struct guest_map *map, uint64_t gpa, uint64_t end, enum e820_type type)
{
	map->e820[map->e820_count++] = (struct e820_entry){ gpa, end - gpa, type };
	if (type == E820_RAM)
		map->ram_bytes += end - gpa;
}

/* Below 1 MiB the guest always has the same map: from the first page on that the host's map withholds, Foliot's
 * frames stand in. */
static void build_low(const struct guest_map_input *in, struct guest_map *map)
{
	uint64_t host_end = usable_end(in, 0) & ~(PAGE_BYTES - 1);

	if (host_end > GUEST_HOLE_GPA)
		host_end = GUEST_HOLE_GPA;
	add_range(map, 0, host_end, false);
	add_range(map, host_end, GUEST_HOLE_GPA, true);
	add_range(map, GUEST_ROM_GPA, GUEST_HIGH_GPA, true);
	add_e820(map, 0, GUEST_EBDA_GPA, E820_RAM);
	add_e820(map, GUEST_EBDA_GPA, GUEST_EBDA_GPA + GUEST_EBDA_BYTES, E820_RESERVED);
	add_e820(map, GUEST_ROM_GPA, GUEST_HIGH_GPA, E820_RESERVED);
}

/* One usable run of the host's, cut to whole pages and to what is left of the limit. */
static void add_high(struct guest_map *map, uint64_t gpa, uint64_t end, uint64_t *left_bytes)
{
	if (gpa > UINT64_MAX - PAGE_BYTES)
		return;
	gpa = (gpa + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	end &= ~(PAGE_BYTES - 1);
	if (gpa >= end)
		return;
	if (end - gpa > *left_bytes)
		end = gpa + *left_bytes;
	if (map->count == GUEST_RANGES) {
		map->left_out_bytes += end - gpa;
		return;
	}
	*left_bytes -= end - gpa;
	if (gpa < end) {
		add_range(map, gpa, end, false);
		add_e820(map, gpa, end, E820_RAM);
	}
}

static void build_high(const struct guest_map_input *in, struct guest_map *map)
{
	uint64_t left_bytes = UINT64_MAX, until;

	if (in->limit_mib && in->limit_mib < UINT64_MAX >> 20)
		left_bytes = (in->limit_mib << 20) - GUEST_HIGH_GPA;
	for (uint64_t hpa = GUEST_HIGH_GPA; hpa != UINT64_MAX; hpa = until) {
		if (usable_at(in, hpa, &until)) {
			until = usable_end(in, until);
			add_high(map, hpa, until, &left_bytes);
		}
	}
}

bool guest_map_build(const struct guest_map_input *input, struct guest_map *map, struct refusal *why)
{
	uint64_t mib;

	if (input->limit_mib && input->limit_mib < GUEST_LEAST_MIB)
		return refuse(why, 301, "mem=%lu leaves the guest too little memory; give at least mem=%u",
			      input->limit_mib, GUEST_LEAST_MIB);
	memset(map, 0, sizeof *map);
	build_low(input, map);
	build_high(input, map);
	mib = (map->ram_bytes + (GUEST_HIGH_GPA - GUEST_EBDA_GPA)) >> 20;
	if (mib < GUEST_LEAST_MIB)
		return refuse(why, 301, "too little RAM: %lu MiB remain for the guest; the machine needs at least %u "
			      "MiB more", mib, GUEST_LEAST_MIB - (unsigned)mib);
	return true;
}

bool guest_map_is_ram(const struct guest_map *map, uint64_t gpa, uint64_t bytes)
{
	for (size_t i = 0; i < map->e820_count; i++) {
		const struct e820_entry *entry = &map->e820[i];

		if (entry->type == E820_RAM && gpa >= entry->gpa && gpa - entry->gpa <= entry->bytes &&
		    bytes <= entry->bytes - (gpa - entry->gpa))
			return true;
	}
	return false;
}

uint32_t guest_map_upper_kib(const struct guest_map *map)
{
	uint64_t kib = 0;

	for (size_t i = 0; i < map->e820_count; i++)
		if (map->e820[i].gpa == GUEST_HIGH_GPA && map->e820[i].type == E820_RAM)
			kib = map->e820[i].bytes >> 10;
	return kib > UINT32_MAX ? UINT32_MAX : (uint32_t)kib;
}

size_t guest_map_multiboot(const struct guest_map *map, uint8_t *out)
{
	const uint32_t size = sizeof *map->e820; /* of what follows the size itself */

	for (size_t i = 0; out && i < map->e820_count; i++, out += sizeof size + size) {
		memcpy(out, &size, sizeof size);
		memcpy(out + sizeof size, &map->e820[i], size);
	}
	return map->e820_count * (sizeof size + size);
}

void guest_map_build_bios_area(const struct guest_ram *ram)
{
	uint8_t *low = ram->span(ram->context, 0, PAGE_BYTES);
	uint8_t *ebda = ram->span(ram->context, GUEST_EBDA_GPA, GUEST_EBDA_BYTES);
	const uint16_t com1 = COM1_PORT, segment = GUEST_EBDA_GPA >> 4, base_kib = GUEST_EBDA_GPA >> 10;
	const uint16_t equipment = EQUIPMENT_FPU | EQUIPMENT_ONE_SERIAL;

	ASSERT(low && ebda);
	memset(low, 0, PAGE_BYTES);
	memcpy(low + BDA_GPA + BDA_COM1, &com1, sizeof com1);
	memcpy(low + BDA_GPA + BDA_EBDA_SEGMENT, &segment, sizeof segment);
	memcpy(low + BDA_GPA + BDA_EQUIPMENT, &equipment, sizeof equipment);
	memcpy(low + BDA_GPA + BDA_BASE_KIB, &base_kib, sizeof base_kib);
	memset(ebda, 0, GUEST_EBDA_BYTES);
	ebda[0] = GUEST_EBDA_BYTES >> 10; /* its size in KiB */
}
