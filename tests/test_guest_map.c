/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's memory map: only what every statement of the host's map calls usable, never Foliot's own memory,
 * and below 1 MiB always the same. Checked page by page against a plain evaluation of the same input. */
#include "vm/guest_map.h"

#include "tests/support.h"

#define MIB 0x100000ull

static bool plainly_usable(const struct guest_map_input *in, uint64_t hpa)
{
	bool usable = false;

	if (hpa >= in->image_base_hpa && hpa - in->image_base_hpa < in->image_bytes)
		return false;
	for (size_t i = 0; i < in->count; i++)
		if (hpa >= in->ranges[i].base_hpa && hpa - in->ranges[i].base_hpa < in->ranges[i].bytes) {
			if (in->ranges[i].kind != MEMORY_USABLE)
				return false;
			usable = true;
		}
	return usable;
}

static const struct guest_range *range_at(const struct guest_map *map, uint64_t gpa)
{
	for (size_t i = 0; i < map->count; i++)
		if (gpa >= map->ranges[i].gpa && gpa - map->ranges[i].gpa < map->ranges[i].bytes)
			return &map->ranges[i];
	return NULL;
}

static void check_shape(const struct guest_map *map)
{
	uint64_t end = 0, ram = 0;

	for (size_t i = 0; i < map->count; i++) {
		assert_true(map->ranges[i].gpa >= end && map->ranges[i].bytes > 0);
		assert_int_equal((map->ranges[i].gpa | map->ranges[i].bytes) % 4096, 0);
		end = map->ranges[i].gpa + map->ranges[i].bytes;
	}
	end = 0;
	for (size_t i = 0; i < map->e820_count; i++) {
		const struct e820_entry *entry = &map->e820[i];

		assert_true(entry->gpa >= end && entry->bytes > 0);
		end = entry->gpa + entry->bytes;
		ram += entry->type == E820_RAM ? entry->bytes : 0;
		for (uint64_t gpa = entry->gpa & ~0xfffull; gpa < end; gpa += 4096)
			assert_non_null(range_at(map, gpa));
	}
	assert_int_equal(ram, map->ram_bytes);
}

static const struct memory_range qemu[] = {
	{ 0, 0x9fc00, MEMORY_USABLE },
	{ 0x9fc00, 0x400, MEMORY_RESERVED },
	{ 0xf0000, 0x10000, MEMORY_RESERVED },
	{ MIB, 0x3fee0000 - MIB, MEMORY_USABLE },
	{ 0x3fee0000, 0x120000, MEMORY_RESERVED },
	{ 0xfffc0000, 0x40000, MEMORY_RESERVED },
	{ 0x100000000, 0x40000000, MEMORY_USABLE },
};

static void the_map_of_a_pc_is_as_documented(void **state)
{
	struct guest_map_input in = { qemu, 7, 0x3fa00000, 0x400000, 0 };
	struct refusal why = { 0 };
	struct guest_map map;

	(void)state;
	assert_true(guest_map_build(&in, &map, &why));
	check_shape(&map);
	assert_int_equal(map.e820_count, 6);
	assert_int_equal(map.e820[0].bytes, 0x9fc00);
	assert_int_equal(map.e820[1].gpa, 0x9fc00);
	assert_int_equal(map.e820[1].type, E820_RESERVED);
	assert_int_equal(map.e820[2].gpa, 0xc0000);
	assert_int_equal(map.e820[2].bytes, 0x40000);
	assert_int_equal(map.e820[2].type, E820_RESERVED);
	assert_int_equal(map.e820[3].gpa, MIB);
	assert_int_equal(map.e820[3].bytes, 0x3fa00000 - MIB);
	assert_int_equal(map.e820[4].gpa, 0x3fe00000);
	assert_int_equal(map.e820[4].bytes, 0xe0000);
	assert_int_equal(map.e820[5].gpa, 0x100000000);
	assert_null(range_at(&map, 0xa0000));
	assert_null(range_at(&map, 0x3fa00000));
	assert_false(range_at(&map, 0x9e000)->own);
	assert_true(range_at(&map, 0x9f000)->own); /* its upper quarter is the host's EBDA */
	assert_true(range_at(&map, 0xf0000)->own);
	assert_int_equal(guest_map_upper_kib(&map), (0x3fa00000 - MIB) / 1024);
	assert_true(guest_map_is_ram(&map, MIB, 0x1000));
	assert_false(guest_map_is_ram(&map, 0x3f9ff000, 0x1001));
	assert_false(guest_map_is_ram(&map, 0xc0000, 1));
	assert_false(guest_map_is_ram(&map, UINT64_MAX, 2));
}

static void mem_limits_all_ram_the_first_mib_included(void **state)
{
	struct guest_map_input in = { qemu, 7, 0x3fa00000, 0x400000, 512 };
	struct refusal why = { 0 };
	struct guest_map map;

	(void)state;
	assert_true(guest_map_build(&in, &map, &why));
	check_shape(&map);
	assert_int_equal(map.e820[map.e820_count - 1].gpa, MIB);
	assert_int_equal(map.e820[map.e820_count - 1].bytes, 511 * MIB);
	in.limit_mib = UINT64_MAX;
	assert_true(guest_map_build(&in, &map, &why));
	assert_int_equal(map.e820_count, 6);
}

static void too_little_ram_is_refused_by_number(void **state)
{
	static const struct memory_range small[] = { { 0, 0xa0000, MEMORY_USABLE }, { MIB, 2 * MIB, MEMORY_USABLE } };
	struct guest_map_input in = { small, 2, 0, 0, 0 };
	struct refusal why = { 0 };
	struct guest_map map;

	(void)state;
	assert_false(guest_map_build(&in, &map, &why));
	assert_int_equal(why.number, 301);
	in = (struct guest_map_input){ qemu, 7, 0, 0, 3 };
	why.number = 0;
	assert_false(guest_map_build(&in, &map, &why));
	assert_int_equal(why.number, 301);
	assert_non_null(strstr(why.text, "mem=3"));
}

static void a_full_table_leaves_out_and_counts(void **state)
{
	static struct memory_range many[200];
	struct guest_map_input in = { many, 200, 0, 0, 0 };
	struct refusal why = { 0 };
	struct guest_map map;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		many[i] = (struct memory_range){ (1 + 2 * i) * MIB, MIB, MEMORY_USABLE };
	assert_true(guest_map_build(&in, &map, &why));
	check_shape(&map);
	assert_int_equal(map.count, GUEST_RANGES);
	assert_int_equal(map.left_out_bytes + map.ram_bytes - GUEST_EBDA_GPA, 200 * MIB);
}

/* Random, overlapping, unsorted maps: a page is the guest's exactly where every byte of it is plainly usable. */
static void random_maps_equal_a_plain_evaluation(void **state)
{
	unsigned long count = share(20000);
	uint64_t seed = 3;

	(void)state;
	for (unsigned long n = 0; n < count; n++) {
		struct memory_range list[12];
		struct guest_map_input in = { list, 1 + random_next(&seed) % 12, random_next(&seed) % (16 * MIB),
					      random_next(&seed) % (2 * MIB), 0 };
		struct refusal why = { 0 };
		struct guest_map map;

		for (size_t i = 0; i < in.count; i++) {
			list[i].base_hpa = random_next(&seed) % (12 * MIB) & ~(random_next(&seed) & 0xffff);
			list[i].bytes = random_next(&seed) % (8 * MIB);
			list[i].kind = random_next(&seed) % 3 ? MEMORY_USABLE : MEMORY_NVS;
		}
		if (n % 16 == 0)
			list[0] = (struct memory_range){ UINT64_MAX - 5000, n % 32 ? 5000 : UINT64_MAX, MEMORY_USABLE };
		if (!guest_map_build(&in, &map, &why))
			continue;
		check_shape(&map);
		for (uint64_t page = MIB; page < 20 * MIB; page += 4096) {
			bool usable = true;

			/* every border is in a list, so the bytes at borders decide for the page */
			usable = usable && plainly_usable(&in, page) && plainly_usable(&in, page + 4095);
			for (size_t i = 0; i <= in.count && usable; i++) {
				uint64_t base = i < in.count ? list[i].base_hpa : in.image_base_hpa;
				uint64_t end = base + (i < in.count ? list[i].bytes : in.image_bytes);

				usable = !(base > page && base < page + 4096 && !plainly_usable(&in, base)) &&
					 !(end > page && end < page + 4096 && !plainly_usable(&in, end));
			}
			assert_int_equal(usable, range_at(&map, page) != NULL);
		}
	}
}

/* A host's map that calls all of it usable. */
static void the_chips_are_never_ram(void **state)
{
	static const struct memory_range all[] = { { 0, 1ull << 33, MEMORY_USABLE } };
	struct guest_map_input in = { all, 1, 0x10000000, MIB, 0 };
	struct refusal why = { 0 };
	struct guest_map map;

	(void)state;
	assert_true(guest_map_build(&in, &map, &why));
	check_shape(&map);
	assert_non_null(range_at(&map, 0xfebff000));
	for (uint64_t gpa = 0xfec00000; gpa < 0xfef00000; gpa += 4096)
		assert_null(range_at(&map, gpa));
	assert_non_null(range_at(&map, 0xfef00000));
}

static uint8_t low_ram[MIB];

static void *low_span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	return gpa <= MIB && bytes <= MIB - gpa ? low_ram + gpa : NULL;
}

static void the_bios_data_area_has_what_guests_read(void **state)
{
	struct guest_ram ram = { NULL, low_span };

	(void)state;
	memset(low_ram, 0xee, sizeof low_ram);
	guest_map_build_bios_area(&ram);
	assert_memory_equal(low_ram + 0x400, "\xf8\x03", 2);
	assert_memory_equal(low_ram + 0x40e, "\xc0\x9f", 2);
	assert_memory_equal(low_ram + 0x413, "\x7f\x02", 2);
	assert_int_equal(low_ram[0x9fc00], 1);
	assert_int_equal(low_ram[0], 0);
	assert_int_equal(low_ram[0x1000], 0xee);
	assert_int_equal(low_ram[0x9fbff], 0xee);
	assert_int_equal(low_ram[0xa0000], 0xee);
}

static void the_multiboot_map_has_the_same_entries(void **state)
{
	struct guest_map_input in = { qemu, 7, 0x3fa00000, 0x400000, 0 };
	struct refusal why = { 0 };
	struct guest_map map;
	uint8_t out[GUEST_E820_ENTRIES * 24];

	(void)state;
	assert_true(guest_map_build(&in, &map, &why));
	assert_int_equal(guest_map_multiboot(&map, NULL), 6 * 24);
	assert_int_equal(guest_map_multiboot(&map, out), 6 * 24);
	for (size_t i = 0; i < 6; i++) {
		assert_memory_equal(out + 24 * i, "\x14\0\0\0", 4);
		assert_memory_equal(out + 24 * i + 4, &map.e820[i], 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_of_a_pc_is_as_documented),
		cmocka_unit_test(mem_limits_all_ram_the_first_mib_included),
		cmocka_unit_test(too_little_ram_is_refused_by_number),
		cmocka_unit_test(a_full_table_leaves_out_and_counts),
		cmocka_unit_test(the_chips_are_never_ram),
		cmocka_unit_test(random_maps_equal_a_plain_evaluation),
		cmocka_unit_test(the_bios_data_area_has_what_guests_read),
		cmocka_unit_test(the_multiboot_map_has_the_same_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
