/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest loaders. Claims: what was loaded is what the files hold, wherever the modules lay; each lying field
 * is refused by its own number; a refusal leaves guest RAM as it was; random damage never makes a loader read
 * outside of a file or write outside of RAM. */
#include "tests/load_scene.h"

#define SETUP_BYTES (5 * 512)
#define SYSTEM_BYTES 0x8000u
#define INIT_BYTES 0x20000u
#define PREFERRED_GPA (2 * MIB)

static uint8_t bzimage[SETUP_BYTES + SYSTEM_BYTES];

static void build_bzimage(void)
{
	uint64_t seed = 7;

	fill_random(bzimage, sizeof bzimage, &seed);
	memset(bzimage, 0, SETUP_BYTES);
	bzimage[0x1f1] = SETUP_BYTES / 512 - 1;
	put32(bzimage + 0x1f4, SYSTEM_BYTES / 16);
	put16(bzimage + 0x1fe, 0xaa55);
	put16(bzimage + 0x200, 0x6aeb); /* a short jump over the header */
	put32(bzimage + 0x202, 0x53726448);
	put16(bzimage + 0x206, 0x20f);
	bzimage[0x211] = 0x01;
	put32(bzimage + 0x22c, 0x7fffffff);
	put32(bzimage + 0x230, 0x10000);
	bzimage[0x234] = 1;
	put32(bzimage + 0x238, 2047);
	put32(bzimage + 0x248, 0x100);
	put32(bzimage + 0x24c, SYSTEM_BYTES - 0x100);
	put64(bzimage + 0x258, PREFERRED_GPA);
	put32(bzimage + 0x260, INIT_BYTES);
}

static void check_linux(const struct scene *scene, uint64_t kernel_gpa, const char *text, size_t initrd_bytes)
{
	const uint8_t *params = ram + scene->start.esi;

	assert_true(scene->start.esi >= 0x1000); /* not over the BIOS data area */
	assert_true(scene->start.flat);
	assert_int_equal(scene->start.eip, kernel_gpa);
	assert_memory_equal(ram + kernel_gpa, bzimage + SETUP_BYTES, SYSTEM_BYTES);
	assert_memory_equal(params + 0x202, "HdrS", 4);
	assert_int_equal(params[0x210], 0xff);
	assert_int_equal(params[0x1e8], map.e820_count);
	assert_memory_equal(params + 0x2d0, map.e820, map.e820_count * 20);
	assert_int_equal(get64(params + 0x70), 0xe0000);
	assert_int_equal(get32(params + 0x214), kernel_gpa);
	assert_string_equal((const char *)ram + get32(params + 0x228), text);
	assert_int_equal(get32(params + 0x21c), initrd_bytes);
	for (size_t i = 0; i < 0x70; i++)
		assert_int_equal(params[i], 0); /* no screen_info */
	assert_int_equal(params[0x1ef], 0);     /* the sentinel */
	if (initrd_bytes) {
		assert_int_equal(get32(params + 0x218) % 4096, 0);
		assert_memory_equal(ram + get32(params + 0x218), initrd, initrd_bytes);
	} else {
		assert_int_equal(get32(params + 0x218), 0);
	}
}

static void linux_is_loaded_by_its_boot_protocol(void **state)
{
	struct scene scene = { 0 };
	uint64_t seed = 8;

	(void)state;
	fill_random(initrd, sizeof initrd, &seed);
	add_outside(&scene, bzimage, sizeof bzimage, "console=ttyS0 quiet");
	assert_true(run(&scene));
	check_linux(&scene, PREFERRED_GPA, "console=ttyS0 quiet", 0);
	add_outside(&scene, initrd, sizeof initrd, "");
	assert_true(run(&scene));
	check_linux(&scene, PREFERRED_GPA, "console=ttyS0 quiet", sizeof initrd);
	assert_int_equal(get32(ram + scene.start.esi + 0x218), RAM_BYTES - 0x6000); /* as high as possible */
}

static void the_initrd_stays_below_initrd_addr_max(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	put32(bzimage + 0x22c, 0x37ffff);
	add_outside(&scene, bzimage, sizeof bzimage, "");
	add_outside(&scene, initrd, sizeof initrd, "");
	assert_true(run(&scene));
	check_linux(&scene, PREFERRED_GPA, "", sizeof initrd);
	assert_int_equal(get32(ram + scene.start.esi + 0x218), 0x380000 - 0x6000);
	build_bzimage();
}

static void a_kernel_whose_place_is_taken_goes_higher_if_it_is_relocatable(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	put64(bzimage + 0x258, IMAGE_GPA - 0x10000); /* its end would reach into Foliot */
	add_outside(&scene, bzimage, sizeof bzimage, "");
	assert_true(run(&scene));
	check_linux(&scene, IMAGE_GPA + IMAGE_BYTES, "", 0);
	bzimage[0x234] = 0;
	expect_refusal(&scene, 350, "init_size");
	build_bzimage();
}

static const struct {
	unsigned offset, bytes;
	uint64_t value;
	unsigned number;
	const char *part;
} linux_lies[] = {
	{ 0x206, 2, 0x20b, 311, "2.11" },
	{ 0x1f1, 1, 255, 312, "setup_sects is 255" },
	{ 0x1f4, 4, SYSTEM_BYTES / 16 + 1, 313, "syssize is 801h" },
	{ 0x1f4, 4, 0xffffffff, 313, "syssize is ffffffffh" },
	{ 0x1f4, 4, 0, 313, "syssize is 0h" },
	{ 0x248, 4, 0x101, 314, "payload_offset 101h" },
	{ 0x24c, 4, 0xffffffff, 314, "payload_length ffffffffh" },
	{ 0x201, 1, 0x61, 315, "ends at 263h" },
	{ 0x201, 1, 0xff, 315, "ends at 301h" },
	{ 0x211, 1, 0, 316, "zImage" },
	{ 0x260, 4, SYSTEM_BYTES - 1, 317, "init_size is 7fffh" },
	{ 0x230, 4, 0, 318, "kernel_alignment is 0h" },
	{ 0x230, 4, 0x30000, 318, "kernel_alignment is 30000h" },
	{ 0x258, 8, 0, 319, "pref_address is 0h" },
	{ 0x258, 8, 1ull << 32, 319, "pref_address is 100000000h" },
	{ 0x258, 8, UINT64_MAX, 319, "pref_address" },
	{ 0x238, 4, 3, 320, "cmdline_size allows 3" },
	{ 0x260, 4, 0xffffffff, 350, "init_size is 4194303 KiB" },
	{ 0x258, 8, 0xfffff000, 350, "from fffff000h" },
	{ 0x230, 4, 0x80000000, 350, "init_size" },
	{ 0x22c, 4, 0, 352, "initrd_addr_max" },
	{ 0x22c, 4, 0x4000, 352, "initrd_addr_max" },
};

static void each_lying_field_of_a_bzimage_has_its_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof linux_lies / sizeof *linux_lies; i++) {
		struct scene scene = { 0 };

		memcpy(bzimage + linux_lies[i].offset, &linux_lies[i].value, linux_lies[i].bytes);
		if (linux_lies[i].value == 0x80000000)
			put64(bzimage + 0x258, PREFERRED_GPA + 0x1000);
		add_outside(&scene, bzimage, sizeof bzimage, "a=bc");
		add_outside(&scene, initrd, sizeof initrd, "");
		expect_refusal(&scene, linux_lies[i].number, linux_lies[i].part);
		build_bzimage();
	}
}

static void a_truncated_bzimage_is_refused(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes < sizeof bzimage; bytes += bytes < 0x300 ? 1 : 0x111) {
		uint8_t *copy = malloc(bytes); /* exact, for the address sanitizer */
		struct scene scene = { 0 };

		memcpy(copy, bzimage, bytes);
		add_outside(&scene, copy, bytes, "");
		assert_false(run(&scene));
		assert_int_equal(scene.why.number,
				 bytes < 0x208 ? 303 : bytes < 1024 ? 310 : bytes <= SETUP_BYTES ? 312 : 313);
		free(copy);
	}
}

static void wrong_sets_of_modules_are_refused_with_what_to_do(void **state)
{
	struct scene none = { 0 }, two = { 0 }, three = { 0 }, swapped = { 0 }, unknown = { 0 };
	struct scene many = { 0 }, lying = { 0 };

	(void)state;
	expect_refusal(&none, 302, "module2 /boot/vmlinuz console=ttyS0");
	add_outside(&unknown, initrd, 3, "");
	expect_refusal(&unknown, 303, "module2 /boot/vmlinuz console=ttyS0");
	add_outside(&two, bzimage, sizeof bzimage, "");
	add_outside(&two, bzimage, sizeof bzimage, "");
	expect_refusal(&two, 304, "modules 1 and 2");
	add_outside(&three, bzimage, sizeof bzimage, "");
	add_outside(&three, initrd, sizeof initrd, "");
	add_outside(&three, initrd, 17, "");
	expect_refusal(&three, 321, "cat");
	add_outside(&swapped, initrd, sizeof initrd, "");
	add_outside(&swapped, elf, sizeof elf, "");
	expect_refusal(&swapped, 305, "module 2 is");
	while (many.count < LOAD_MODULES)
		add_outside(&many, elf, sizeof elf, "");
	many.count++;
	expect_refusal(&many, 306, "17 modules");
	add_outside(&lying, elf, sizeof elf, "");
	lying.modules[0].bytes = 0;
	expect_refusal(&lying, 307, "module 1 has 0 bytes");
	lying.modules[0].bytes = 1ull << 32;
	expect_refusal(&lying, 307, "4294967296 bytes");
	lying.modules[0].bytes = 4096;
	lying.modules[0].hpa = UINT64_MAX - 4094;
	expect_refusal(&lying, 307, "module 1");
	lying.modules[0] = (struct load_module){ MIB, sizeof elf, elf, "" };
	lying.modules[1] = (struct load_module){ MIB + sizeof elf - 1, 5, elf, "" };
	lying.count = 2;
	expect_refusal(&lying, 308, "modules 1 and 2 overlap at 104fffh");
}

static void an_initrd_without_room_is_refused(void **state)
{
	static uint8_t large[3 * MIB];
	struct scene scene = { 0 };

	(void)state;
	add_outside(&scene, bzimage, sizeof bzimage, "");
	add_outside(&scene, large, sizeof large, "");
	expect_refusal(&scene, 352, "initrd of 3072 KiB");
}

static void linux_is_loaded_from_anywhere_over_itself(void **state)
{
	unsigned long count = share(100000), loaded = 0;
	uint64_t seed = 11;

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		size_t initrd_bytes = 1 + random_next(&seed) % sizeof initrd;
		struct scene scene = { 0 };
		uint64_t near_gpa = random_next(&seed) % 2 ? RAM_BYTES - 0x6000 : PREFERRED_GPA;
		uint64_t at, initrd_at;

		memset(ram, 0xee, sizeof ram);
		at = random_place(&scene, sizeof bzimage, random_next(&seed) % 4 ? PREFERRED_GPA : 0x10000, &seed);
		assert_int_not_equal(at, 0);
		add_in_ram(&scene, at, bzimage, sizeof bzimage, "root=/dev/ram0");
		initrd_at = random_place(&scene, initrd_bytes, near_gpa, &seed);
		if (!initrd_at)
			continue;
		add_in_ram(&scene, initrd_at, initrd, initrd_bytes, "");
		if (!run(&scene))
			fail_msg("%u: %s", scene.why.number, scene.why.text);
		check_linux(&scene, PREFERRED_GPA, "root=/dev/ram0", initrd_bytes);
		loaded++;
	}
	assert_true(loaded > count / 2);
}

static void random_damage_is_loaded_or_refused(void **state)
{
	unsigned long count = share(200000), loaded = 0;
	uint64_t seed = 13;

	(void)state;
	for (unsigned long i = 0; i < count; i++)
		loaded += load_damaged(bzimage, sizeof bzimage, 0x1f0, 0xa0, &seed);
	assert_true(loaded > 0 && loaded < count);
}

static int build_all(void **state)
{
	(void)state;
	build_map();
	build_bzimage();
	build_elf();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_is_loaded_by_its_boot_protocol),
		cmocka_unit_test(the_initrd_stays_below_initrd_addr_max),
		cmocka_unit_test(a_kernel_whose_place_is_taken_goes_higher_if_it_is_relocatable),
		cmocka_unit_test(each_lying_field_of_a_bzimage_has_its_refusal),
		cmocka_unit_test(a_truncated_bzimage_is_refused),
		cmocka_unit_test(wrong_sets_of_modules_are_refused_with_what_to_do),
		cmocka_unit_test(an_initrd_without_room_is_refused),
		cmocka_unit_test(linux_is_loaded_from_anywhere_over_itself),
		cmocka_unit_test(random_damage_is_loaded_or_refused),
	};

	return cmocka_run_group_tests(tests, build_all, NULL);
}
