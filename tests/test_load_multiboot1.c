/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Multiboot 1 loader, with the claims of test_load.c: ELF32 kernels and kernels with address fields,
 * modules, each lying field, files that lie in their own way, random damage. */
#include "tests/load_scene.h"

static void check_information(const struct scene *scene, const uint8_t *const *files)
{
	const uint8_t *info = ram + scene->start.ebx;

	assert_true(scene->start.flat && scene->start.ebx >= 0x1000);
	assert_int_equal(scene->start.eax, 0x2badb002);
	assert_int_equal(get32(info), 0x24d);
	assert_int_equal(get32(info + 4), 639);
	assert_int_equal(get32(info + 8), (IMAGE_GPA - MIB) / 1024);
	assert_string_equal((const char *)ram + get32(info + 16), scene->modules[0].text);
	assert_string_equal((const char *)ram + get32(info + 64), "Foliot");
	assert_int_equal(get32(info + 44), map.e820_count * 24);
	for (size_t i = 0; i < map.e820_count; i++)
		assert_memory_equal(ram + get32(info + 48) + 24 * i + 4, &map.e820[i], 20);
	assert_int_equal(get32(info + 20), scene->count - 1);
	for (size_t i = 1; i < scene->count; i++) {
		const uint8_t *entry = ram + get32(info + 24) + 16 * (i - 1);

		assert_int_equal(get32(entry) % 4096, 0);
		assert_int_equal(get32(entry + 4) - get32(entry), scene->modules[i].bytes);
		assert_true(guest_map_is_ram(&map, get32(entry), scene->modules[i].bytes));
		assert_memory_equal(ram + get32(entry), files[i], scene->modules[i].bytes);
		assert_string_equal((const char *)ram + get32(entry + 8), scene->modules[i].text);
	}
}

static void check_elf(const struct scene *scene, const uint8_t *const *files)
{
	assert_int_equal(scene->start.eip, ELF_ENTRY);
	assert_memory_equal(ram + TEXT_GPA, elf + TEXT_OFFSET, TEXT_BYTES);
	assert_memory_equal(ram + DATA_GPA, elf + DATA_OFFSET, DATA_BYTES);
	for (size_t i = DATA_BYTES; i < DATA_MEMORY_BYTES; i++)
		assert_int_equal(ram[DATA_GPA + i], 0);
	check_information(scene, files);
}

static void a_truncated_elf_is_refused(void **state)
{
	(void)state;
	for (size_t bytes = 20; bytes < DATA_OFFSET + DATA_BYTES; bytes += bytes < 0x200 ? 1 : 0x111) {
		uint8_t *copy = malloc(bytes);
		struct scene scene = { 0 };
		unsigned number = bytes < 52 ? 340 : 342;

		memcpy(copy, elf, bytes);
		if (bytes < TEXT_OFFSET + 12)
			put_header(copy + 8, 3); /* so early that the file may end right behind it; destroys e_type */
		else
			number = 344;
		add_outside(&scene, copy, bytes, "");
		assert_false(run(&scene));
		assert_int_equal(scene.why.number, number);
		free(copy);
	}
}

static void a_multiboot_elf_is_loaded_with_its_modules(void **state)
{
	const uint8_t *files[] = { elf, initrd, initrd };
	struct scene scene = { 0 };

	(void)state;
	memset(ram, 0xee, sizeof ram);
	add_outside(&scene, elf, sizeof elf, "test one");
	assert_true(run(&scene));
	check_elf(&scene, files);
	add_outside(&scene, initrd, sizeof initrd, "a module");
	add_in_ram(&scene, 0x300000, initrd, sizeof initrd, "");
	assert_true(run(&scene));
	check_elf(&scene, files);
	assert_int_equal(get32(ram + get32(ram + scene.start.ebx + 24) + 16), 0x300000); /* was well where it was */
	put32(elf + 24, ELF_ENTRY + 0xc0000000u);
	assert_true(run(&scene));
	check_elf(&scene, files);
	build_elf();
}

/* A kernel with address fields: its header is at 100h of the file, the load starts at 80h. */
#define FLAT_GPA 0x200000u
#define FLAT_BYTES 0x3000u

static uint8_t flat[0x80 + FLAT_BYTES];

static void build_flat(void)
{
	uint64_t seed = 10;

	fill_random(flat, sizeof flat, &seed);
	put_header(flat + 0x100, 0x10003);
	put32(flat + 0x10c, FLAT_GPA + 0x80);
	put32(flat + 0x110, FLAT_GPA);
	put32(flat + 0x114, FLAT_GPA + FLAT_BYTES - 0x100);
	put32(flat + 0x118, FLAT_GPA + 0x8000);
	put32(flat + 0x11c, FLAT_GPA + 0x200);
}

static void a_kernel_with_address_fields_is_loaded(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	memset(ram, 0xee, sizeof ram);
	add_outside(&scene, flat, sizeof flat, "");
	assert_true(run(&scene));
	assert_int_equal(scene.start.eip, FLAT_GPA + 0x200);
	assert_memory_equal(ram + FLAT_GPA, flat + 0x80, FLAT_BYTES - 0x100);
	for (size_t i = FLAT_BYTES - 0x100; i < 0x8000; i++)
		assert_int_equal(ram[FLAT_GPA + i], 0);
	assert_int_equal(ram[FLAT_GPA + 0x8000], 0xee);
	put32(flat + 0x114, 0); /* to the end of the file */
	put32(flat + 0x118, 0); /* nothing behind it */
	assert_true(run(&scene));
	assert_memory_equal(ram + FLAT_GPA, flat + 0x80, FLAT_BYTES);
	build_flat();
}

static const struct {
	uint8_t *file;
	unsigned offset, bytes;
	uint64_t value;
	unsigned number;
	const char *part;
} multiboot_lies[] = {
	{ elf, 0, 1, 0, 340, "neither" },
	{ elf, 4, 1, 2, 341, "objcopy" },
	{ elf, 4, 1, 3, 342, "class 3" },
	{ elf, 5, 1, 2, 342, "data 2" },
	{ elf, 16, 2, 3, 342, "e_type 3" },
	{ elf, 18, 2, 62, 342, "e_machine 62" },
	{ elf, 28, 4, 0xffffffff, 343, "e_phoff ffffffffh" },
	{ elf, 28, 4, ELF_BYTES - 95, 343, "e_phoff" },
	{ elf, 42, 2, 0, 343, "of 0 bytes" },
	{ elf, 44, 2, 0, 343, "e_phnum 0" },
	{ elf, 44, 2, 0xffff, 343, "e_phnum 65535" },
	{ elf, 52 + 4, 4, ELF_BYTES - TEXT_BYTES + 1, 344, "p_offset" },
	{ elf, 52 + 4, 4, 0xffffffff, 344, "p_offset ffffffffh" },
	{ elf, 52 + 16, 4, 0xffffffff, 344, "p_filesz ffffffffh" },
	{ elf, 84 + 20, 4, DATA_BYTES - 1, 345, "p_memsz 788h" },
	{ elf, 84 + 12, 4, 0xfffff000, 346, "p_paddr fffff000h" },
	{ elf, 24, 4, 0x1000, 348, "e_entry is 1000h" },
	{ elf, 24, 4, DATA_GPA + DATA_MEMORY_BYTES, 348, "e_entry" },
	{ elf, 84 + 12, 4, TEXT_GPA + TEXT_BYTES - 1, 353, "overlaps" },
	{ elf, 84 + 12, 4, 0xfff, 354, "segment 2" },
	{ elf, 84 + 12, 4, 0x9e000, 354, "not in RAM" },
	{ elf, 84 + 12, 4, IMAGE_GPA - 0x1000, 354, "not in RAM" },
	{ elf, 84 + 12, 4, RAM_BYTES - 0x1000, 354, "not in RAM" },
	{ elf, 84 + 20, 4, 0xf0000000, 354, "not in RAM" },
	{ flat, 0x10c, 4, FLAT_GPA - 1, 331, "header_addr 1fffffh" },
	{ flat, 0x10c, 4, FLAT_GPA + 0x101, 331, "header_addr 200101h" },
	{ flat, 0x110, 4, 0xffffffff, 331, "load_addr is ffffffffh" },
	{ flat, 0x114, 4, FLAT_GPA - 1, 332, "load_end_addr is 1fffffh" },
	{ flat, 0x114, 4, FLAT_GPA + FLAT_BYTES + 1, 332, "load_end_addr is 203001h" },
	{ flat, 0x118, 4, FLAT_GPA - 1, 333, "bss_end_addr" },
	{ flat, 0x118, 4, FLAT_GPA + FLAT_BYTES - 0x101, 333, "bss_end_addr" },
	{ flat, 0x11c, 4, FLAT_GPA - 1, 334, "entry_addr" },
	{ flat, 0x11c, 4, FLAT_GPA + 0x8000, 334, "entry_addr" },
	{ flat, 0x118, 4, 0xffffffff, 354, "not in RAM" },
};

static void each_lying_field_of_a_multiboot_kernel_has_its_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof multiboot_lies / sizeof *multiboot_lies; i++) {
		uint8_t *file = multiboot_lies[i].file;
		struct scene scene = { 0 };

		memcpy(file + multiboot_lies[i].offset, &multiboot_lies[i].value, multiboot_lies[i].bytes);
		add_outside(&scene, file, file == elf ? sizeof elf : sizeof flat, "");
		expect_refusal(&scene, multiboot_lies[i].number, multiboot_lies[i].part);
		build_elf();
		build_flat();
	}
}

static void headers_that_ask_for_more_are_refused(void **state)
{
	struct scene scene = { 0 }, cut = { 0 };
	static uint8_t header[28];

	(void)state;
	put_header(elf + TEXT_OFFSET, 0x0b);
	add_outside(&scene, elf, sizeof elf, "");
	expect_refusal(&scene, 330, "bits 8h");
	put_header(header, 0x10003);
	add_outside(&cut, header, sizeof header, "");
	expect_refusal(&cut, 335, "28 bytes");
	build_elf();
	for (unsigned i = 0; i < LOAD_MODULES; i++)
		put_segment(elf + 0x200 + 32 * i, TEXT_OFFSET, TEXT_GPA + 0x1000 * i, 0, 0);
	memset(elf + 84, 0, 64);
	put32(elf + 52, 2); /* PT_DYNAMIC */
	expect_refusal(&scene, 349, "no loadable segment");
	memset(elf, 0, TEXT_OFFSET);
	build_elf();
	put16(elf + 44, 25);
	for (unsigned i = 0; i < 25; i++)
		put_segment(elf + 52 + 32 * i, TEXT_OFFSET, TEXT_GPA + 0x1000 * i, 8, 8);
	expect_refusal(&scene, 347, "more than 24");
	memset(elf, 0, TEXT_OFFSET);
	build_elf();
}

static void a_module_without_room_is_refused_and_nothing_moved(void **state)
{
	static uint8_t large[3 * MIB];
	struct scene scene = { 0 };

	(void)state;
	add_in_ram(&scene, 0x180800, elf, sizeof elf, "");
	add_outside(&scene, large, sizeof large, "");
	expect_refusal(&scene, 355, "module 2 of 3072 KiB");
}

static void multiboot_kernels_are_loaded_from_anywhere_over_themselves(void **state)
{
	unsigned long count = share(100000), loaded = 0;
	uint64_t seed = 12;

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		size_t modules = 1 + random_next(&seed) % 5;
		const uint8_t *files[6] = { elf };
		struct scene scene = { 0 };

		memset(ram, 0xee, sizeof ram);
		add_in_ram(&scene, random_place(&scene, sizeof elf, TEXT_GPA, &seed), elf, sizeof elf, "kernel");
		for (size_t k = 1; k <= modules; k++) {
			size_t bytes = 1 + random_next(&seed) % sizeof initrd;
			uint64_t near_gpa = random_next(&seed) % 2 ? DATA_GPA : RAM_BYTES - 0x10000;
			uint64_t at = random_place(&scene, bytes, near_gpa, &seed);

			if (!at)
				break;
			files[k] = initrd;
			add_in_ram(&scene, at, initrd, bytes, "module");
		}
		if (!run(&scene))
			fail_msg("%u: %s", scene.why.number, scene.why.text);
		check_elf(&scene, files);
		loaded++;
	}
	assert_true(loaded > count / 2);
}

static void random_damage_is_loaded_or_refused(void **state)
{
	unsigned long count = share(300000), loaded = 0;
	uint64_t seed = 14;

	(void)state;
	for (unsigned long i = 0; i < count; i++)
		loaded += i % 2 ? load_damaged(elf, sizeof elf, 0, 0x80, &seed)
				: load_damaged(flat, sizeof flat, 0x100, 0x20, &seed);
	assert_true(loaded > 0 && loaded < count);
}

static int build_all(void **state)
{
	(void)state;
	build_map();
	build_elf();
	build_flat();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_truncated_elf_is_refused),
		cmocka_unit_test(a_multiboot_elf_is_loaded_with_its_modules),
		cmocka_unit_test(a_kernel_with_address_fields_is_loaded),
		cmocka_unit_test(each_lying_field_of_a_multiboot_kernel_has_its_refusal),
		cmocka_unit_test(headers_that_ask_for_more_are_refused),
		cmocka_unit_test(a_module_without_room_is_refused_and_nothing_moved),
		cmocka_unit_test(multiboot_kernels_are_loaded_from_anywhere_over_themselves),
		cmocka_unit_test(random_damage_is_loaded_or_refused),
	};

	return cmocka_run_group_tests(tests, build_all, NULL);
}
