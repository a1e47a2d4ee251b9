/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest loaders. Claims: what was loaded is what the files hold, wherever the modules lay; each lying field
 * is refused by its own number; a refusal leaves guest RAM as it was; random damage never makes a loader read
 * outside of a file or write outside of RAM. */
#include "vm/load.h"

#include "tests/support.h"
#include "vm/bytes.h"

#define MIB 0x100000ull
#define RAM_BYTES (6 * MIB)
#define IMAGE_GPA (4 * MIB) /* Foliot's own memory, a hole in the guest's */
#define IMAGE_BYTES (MIB / 2)

#define SETUP_BYTES (5 * 512)
#define SYSTEM_BYTES 0x8000u
#define INIT_BYTES 0x20000u
#define PREFERRED_GPA (2 * MIB)

static uint8_t ram[RAM_BYTES], before[RAM_BYTES];
static struct guest_map map;

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	assert_true(guest_map_is_ram(&map, gpa, bytes));
	return ram + gpa;
}

static const struct guest_ram guest_ram = { NULL, span };

static void build_map(void)
{
	static const struct memory_range host[] = { { 0, RAM_BYTES, MEMORY_USABLE } };
	struct guest_map_input in = { host, 1, IMAGE_GPA, IMAGE_BYTES, 0 };
	struct refusal why = { 0 };

	assert_true(guest_map_build(&in, &map, &why));
}

static void fill_random(uint8_t *at, size_t bytes, uint64_t *seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)random_next(seed);
}

/* What a test hands to the loader: files at places of guest RAM, or (hpa beyond RAM) in memory of their own. */
struct scene {
	struct load_module modules[LOAD_MODULES];
	size_t count;
	struct vcpu_start start;
	struct refusal why;
};

static void add_in_ram(struct scene *scene, uint64_t hpa, const uint8_t *file, size_t bytes, const char *text)
{
	memcpy(ram + hpa, file, bytes);
	scene->modules[scene->count++] = (struct load_module){ hpa, bytes, ram + hpa, text };
}

static void add_outside(struct scene *scene, const uint8_t *file, size_t bytes, const char *text)
{
	uint64_t hpa = RAM_BYTES + scene->count * MIB;

	scene->modules[scene->count++] = (struct load_module){ hpa, bytes, file, text };
}

static bool run(struct scene *scene)
{
	struct load_input in = { scene->modules, scene->count, &map, &guest_ram, 0xe0000 };

	memset(&scene->start, 0xee, sizeof scene->start);
	scene->why = (struct refusal){ 0 };
	return guest_load(&in, &scene->start, &scene->why);
}

static void expect_refusal(struct scene *scene, unsigned number, const char *part)
{
	memcpy(before, ram, sizeof ram);
	if (run(scene))
		fail_msg("not refused with %u", number);
	if (scene->why.number != number || !strstr(scene->why.text, part))
		fail_msg("expected %u (%s), got %u: %s", number, part, scene->why.number, scene->why.text);
	assert_true(strlen(scene->why.text) < sizeof scene->why.text - 1); /* nothing was cut off */
	assert_memory_equal(ram, before, sizeof ram);
}

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

static uint8_t initrd[0x5123];

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

/* An ELF32 kernel of two segments: text with the header at the front, data with a tail of zeros. */
#define ELF_BYTES 0x5000u
#define TEXT_OFFSET 0x1000u
#define TEXT_GPA 0x180000u
#define TEXT_BYTES 0x2345u
#define DATA_OFFSET 0x4000u
#define DATA_GPA 0x190000u
#define DATA_BYTES 0x789u
#define DATA_MEMORY_BYTES 0x3000u
#define ELF_ENTRY (TEXT_GPA + 0x20)

static uint8_t elf[ELF_BYTES];

static void put_header(uint8_t *at, uint32_t flags)
{
	put32(at, 0x1badb002);
	put32(at + 4, flags);
	put32(at + 8, -(0x1badb002 + flags));
}

static void put_segment(uint8_t *at, uint32_t offset, uint32_t gpa, uint32_t bytes, uint32_t memory_bytes)
{
	put32(at, 1);
	put32(at + 4, offset);
	put32(at + 8, gpa + 0xc0000000u);
	put32(at + 12, gpa);
	put32(at + 16, bytes);
	put32(at + 20, memory_bytes);
}

static void build_elf(void)
{
	uint64_t seed = 9;

	fill_random(elf, sizeof elf, &seed);
	memset(elf, 0, TEXT_OFFSET);
	memcpy(elf, "\177ELF\1\1\1", 7);
	put16(elf + 16, 2);
	put16(elf + 18, 3);
	put32(elf + 24, ELF_ENTRY);
	put32(elf + 28, 52);
	put16(elf + 42, 32);
	put16(elf + 44, 3);
	put_segment(elf + 52, TEXT_OFFSET, TEXT_GPA, TEXT_BYTES, TEXT_BYTES);
	put_segment(elf + 84, DATA_OFFSET, DATA_GPA, DATA_BYTES, DATA_MEMORY_BYTES);
	put32(elf + 116, 0x6474e551); /* PT_GNU_STACK: not loaded */
	put_header(elf + TEXT_OFFSET, 3);
}

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
	const uint8_t *files[] = { elf, initrd, bzimage };
	struct scene scene = { 0 };

	(void)state;
	memset(ram, 0xee, sizeof ram);
	add_outside(&scene, elf, sizeof elf, "test one");
	assert_true(run(&scene));
	check_elf(&scene, files);
	add_outside(&scene, initrd, sizeof initrd, "a module");
	add_in_ram(&scene, 0x300000, bzimage, sizeof bzimage, "");
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

static void no_room_is_refused_and_nothing_moved(void **state)
{
	static uint8_t large[3 * MIB];
	struct scene scene = { 0 }, modules = { 0 };

	(void)state;
	add_outside(&scene, bzimage, sizeof bzimage, "");
	add_outside(&scene, large, sizeof large, "");
	expect_refusal(&scene, 352, "initrd of 3072 KiB");
	add_in_ram(&modules, 0x180800, elf, sizeof elf, "");
	add_outside(&modules, large, sizeof large, "");
	expect_refusal(&modules, 355, "module 2 of 3072 KiB");
}

/* A random place in RAM for a module of so many bytes, at any alignment, that no other one has; 0: not found. */
static uint64_t random_place(const struct scene *scene, uint64_t bytes, uint64_t near_gpa, uint64_t *seed)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint64_t at = random_next(seed) % 3 ? near_gpa - 0x8000 + random_next(seed) % 0x18000
						    : 0x1000 + random_next(seed) % (RAM_BYTES - bytes - 0x1000);
		bool free = guest_map_is_ram(&map, at, bytes);

		if (random_next(seed) % 2)
			at &= ~0xfffull;
		for (size_t i = 0; i < scene->count && free; i++)
			free = at + bytes <= scene->modules[i].hpa ||
			       scene->modules[i].hpa + scene->modules[i].bytes <= at;
		if (free && guest_map_is_ram(&map, at, bytes))
			return at;
	}
	return 0;
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

/* Damages a few bytes of a header, mostly with values that hurt. */
static void damage(uint8_t *file, size_t bytes, uint64_t *seed)
{
	static const uint32_t nasty[] = { 0, 1, 0x7f, 0xff, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xfffff000,
					  0xffffffff };

	for (unsigned n = 1 + (unsigned)(random_next(seed) % 4); n > 0; n--) {
		size_t at = random_next(seed) % bytes;

		if (random_next(seed) % 2 && at + 4 <= bytes)
			put32(file + (at & ~3ull), nasty[random_next(seed) % 10]);
		else
			file[at] = (uint8_t)random_next(seed);
	}
}

static void random_damage_is_loaded_or_refused(void **state)
{
	static const struct {
		const uint8_t *file;
		size_t bytes, from, header_bytes;
	} kinds[] = {
		{ bzimage, sizeof bzimage, 0x1f0, 0xa0 },
		{ elf, sizeof elf, 0, 0x80 },
		{ flat, sizeof flat, 0x100, 0x20 },
	};
	unsigned long count = share(400000), loaded = 0;
	uint64_t seed = 13;

	(void)state;
	memset(ram, 0, sizeof ram);
	for (unsigned long i = 0; i < count; i++) {
		size_t kind = i % 3, bytes = kinds[kind].bytes;
		struct scene scene = { 0 };
		uint8_t *copy;

		if (random_next(&seed) % 4 == 0)
			bytes = 1 + random_next(&seed) % bytes;
		copy = malloc(bytes);
		memcpy(copy, kinds[kind].file, bytes);
		if (bytes > kinds[kind].from + kinds[kind].header_bytes)
			damage(copy + kinds[kind].from, kinds[kind].header_bytes, &seed);
		add_outside(&scene, copy, bytes, "text");
		add_outside(&scene, initrd, sizeof initrd, "");
		if (i % 16 == 0)
			memcpy(before, ram, sizeof ram);
		if (run(&scene)) {
			loaded++;
			assert_int_equal(scene.why.number, 0);
		} else {
			assert_in_range(scene.why.number, 302, 369);
			if (i % 16 == 0)
				assert_memory_equal(before, ram, sizeof ram);
		}
		free(copy);
	}
	assert_true(loaded > 0 && loaded < count);
}

static int build_all(void **state)
{
	(void)state;
	build_map();
	build_bzimage();
	build_elf();
	build_flat();
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
		cmocka_unit_test(a_truncated_elf_is_refused),
		cmocka_unit_test(a_multiboot_elf_is_loaded_with_its_modules),
		cmocka_unit_test(a_kernel_with_address_fields_is_loaded),
		cmocka_unit_test(each_lying_field_of_a_multiboot_kernel_has_its_refusal),
		cmocka_unit_test(headers_that_ask_for_more_are_refused),
		cmocka_unit_test(wrong_sets_of_modules_are_refused_with_what_to_do),
		cmocka_unit_test(no_room_is_refused_and_nothing_moved),
		cmocka_unit_test(linux_is_loaded_from_anywhere_over_itself),
		cmocka_unit_test(multiboot_kernels_are_loaded_from_anywhere_over_themselves),
		cmocka_unit_test(random_damage_is_loaded_or_refused),
	};

	return cmocka_run_group_tests(tests, build_all, NULL);
}
