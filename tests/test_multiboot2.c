/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: what a loader says in its tags is read exactly; what it says wrongly is refused by number, or left
 * out, and never read beyond its stated size (each case lies in a block of exactly that size, so that the
 * sanitizer sees one byte too far). The memory map comes out sorted, without overlap, the greater kind winning,
 * against a byte-wise model. */
#include "boot/memory_map.h"
#include "boot/multiboot2.h"
#include "tests/support.h"

#define AREA_BYTES (1u << 16)

static uint8_t area[AREA_BYTES];
static size_t used;
static struct boot_info boot;
static struct refusal why;

static void put(uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		area[used++] = (uint8_t)(value >> 8 * i);
}

static void put_text(const char *text)
{
	memcpy(area + used, text, strlen(text) + 1);
	used += strlen(text) + 1;
}

static void begin(void)
{
	memset(area, 0, sizeof area);
	used = 8;
}

static size_t tag_start;

static void begin_tag(uint32_t type)
{
	used = (used + 7) & ~(size_t)7;
	tag_start = used;
	put(type, 4);
	put(0, 4);
}

static void end_tag(void)
{
	size_t end = used;

	used = tag_start + 4;
	put(end - tag_start, 4);
	used = end;
}

static void put_range(uint64_t base, uint64_t bytes, uint32_t type)
{
	put(base, 8);
	put(bytes, 8);
	put(type, 4);
	put(0, 4);
}

static void add_small_map(void)
{
	begin_tag(6);
	put(24, 4);
	put(0, 4);
	put_range(0x100000, 0x1000000, 1);
	put_range(0, 0x9fc00, 1);
	put_range(0x9fc00, 0x400, 2);
	end_tag();
}

/* A copy of exactly the stated size, so that reading beyond it is seen. */
static bool parse_bytes(size_t bytes)
{
	uint8_t *exact = malloc(bytes);
	bool ok;

	memcpy(exact, area, bytes);
	why.number = 0;
	ok = multiboot2_parse(exact, &boot, &why);
	free(exact);
	return ok;
}

static bool finish(void)
{
	size_t end;

	begin_tag(0);
	end_tag();
	end = used;
	used = 0;
	put(end, 4);
	used = end;
	return parse_bytes(end);
}

static void reads_what_a_loader_says(void **state)
{
	begin();
	begin_tag(1);
	put_text("rate=10 exit-port=0xf4");
	end_tag();
	begin_tag(2);
	put_text("GRUB 2.06");
	end_tag();
	begin_tag(3);
	put(0x110000, 4);
	put(0x234567, 4);
	put_text("console=ttyS0");
	end_tag();
	begin_tag(99); /* unknown, of odd size */
	put(0x123456, 3);
	end_tag();
	begin_tag(3);
	put(0x300000, 4);
	put(0x300000, 4);
	put_text("");
	end_tag();
	add_small_map();
	begin_tag(8);
	put(0xb8000, 8);
	put(160, 4);
	put(80, 4);
	put(25, 4);
	put(16, 1);
	put(2, 1);
	put(0, 2);
	end_tag();
	begin_tag(15);
	for (unsigned i = 0; i < 36; i++)
		put(i, 1);
	end_tag();
	begin_tag(14);
	for (unsigned i = 0; i < 20; i++)
		put(0xee, 1);
	end_tag();
	assert_true(finish());
	assert_string_equal(boot.command_line, "rate=10 exit-port=0xf4");
	assert_string_equal(boot.loader, "GRUB 2.06");
	assert_int_equal(boot.module_count, 2);
	assert_int_equal(boot.modules[0].base_hpa, 0x110000);
	assert_int_equal(boot.modules[0].bytes, 0x124567);
	assert_string_equal(boot.modules[0].command_line, "console=ttyS0");
	assert_int_equal(boot.modules[1].bytes, 0);
	assert_int_equal(boot.range_count, 3);
	assert_int_equal(boot.ranges[0].base_hpa, 0);
	assert_int_equal(boot.ranges[1].kind, MEMORY_RESERVED);
	assert_int_equal(boot.ranges[2].base_hpa, 0x100000);
	assert_int_equal(boot.framebuffer.kind, FRAMEBUFFER_EGA_TEXT);
	assert_int_equal(boot.framebuffer.width, 80);
	assert_int_equal(boot.framebuffer.height, 25);
	assert_int_equal(boot.rsdp_bytes, 36);
	assert_int_equal(boot.rsdp[35], 35); /* the newer table stays */
}

static void put_framebuffer(unsigned type, unsigned bytes)
{
	static const uint8_t tail[] = { 0, 0, 16, 8, 8, 6, 0, 5 };

	begin_tag(8);
	put(0x4000000000, 8);
	put(5120, 4);
	put(1280, 4);
	put(800, 4);
	put(32, 1);
	put(type, 1);
	for (unsigned i = 0; i < bytes; i++)
		put(tail[i], 1);
	end_tag();
}

static void reads_a_screen_of_pixels(void **state)
{
	begin();
	add_small_map();
	put_framebuffer(1, 8);
	assert_true(finish());
	assert_int_equal(boot.framebuffer.kind, FRAMEBUFFER_RGB);
	assert_int_equal(boot.framebuffer.base_hpa, 0x4000000000);
	assert_int_equal(boot.framebuffer.pitch_bytes, 5120);
	assert_int_equal(boot.framebuffer.width, 1280);
	assert_int_equal(boot.framebuffer.height, 800);
	assert_int_equal(boot.framebuffer.bits_per_pixel, 32);
	assert_int_equal(boot.framebuffer.red.position, 16);
	assert_int_equal(boot.framebuffer.red.bits, 8);
	assert_int_equal(boot.framebuffer.green.position, 8);
	assert_int_equal(boot.framebuffer.green.bits, 6);
	assert_int_equal(boot.framebuffer.blue.position, 0);
	assert_int_equal(boot.framebuffer.blue.bits, 5);
}

/* A palette, an unknown type; and colours that are not there are no colours. */
static void other_screens_are_none(void **state)
{
	begin();
	add_small_map();
	put_framebuffer(0, 8);
	put_framebuffer(3, 8);
	assert_true(finish());
	assert_int_equal(boot.framebuffer.kind, FRAMEBUFFER_NONE);
	begin();
	add_small_map();
	put_framebuffer(1, 4);
	assert_true(finish());
	assert_int_equal(boot.framebuffer.red.bits, 8);
	assert_int_equal(boot.framebuffer.green.bits, 0);
	assert_int_equal(boot.framebuffer.blue.bits, 0);
}

/* UEFI's maps: hundreds of entries, most of which go on where the last one ended. */
static void a_long_map_of_neighbours_fits(void **state)
{
	begin();
	begin_tag(6);
	put(24, 4);
	put(0, 4);
	for (unsigned i = 0; i < 1000; i++)
		put_range(i * 0x1000ull, 0x1000, i % 100 == 99 ? 4 : 1);
	put_range(UINT64_MAX - 0xfff, 0x2000, 4); /* ends behind all addresses */
	put_range(0x1000, 0x1000, 4);
	end_tag();
	assert_true(finish());
	assert_int_equal(boot.ranges[0].bytes, 0x1000);
	assert_int_equal(boot.ranges[1].kind, MEMORY_NVS);
	assert_int_equal(boot.ranges[2].bytes, 97 * 0x1000);
	assert_int_equal(boot.range_count, 20 + 2 + 1);
}

static void expect_refusal(unsigned number)
{
	assert_int_equal(why.number, number);
	assert_true(strlen(why.text) > 20);
}

static void refuses_lying_sizes(void **state)
{
	static const uint32_t totals[] = { 0, 7, MULTIBOOT2_BYTES_MAX + 1, UINT32_MAX };

	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
		begin();
		used = 0;
		put(totals[i], 4);
		assert_false(parse_bytes(8));
		expect_refusal(103);
	}
}

static void refuses_lying_tags(void **state)
{
	static const uint32_t sizes[] = { 0, 7, 33, 0x7fffffff, 0x80000000, 0xfffffff8, UINT32_MAX };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		begin();
		used = 0;
		put(40, 4);
		used = 8;
		put(1, 4);
		put(sizes[i], 4);
		assert_false(parse_bytes(40));
		expect_refusal(104);
	}
}

static void refuses_a_missing_end(void **state)
{
	begin();
	add_small_map();
	area[0] = (uint8_t)used;
	assert_false(parse_bytes(used));
	expect_refusal(104);
}

/* The last tag's padding would lie behind the end. */
static void refuses_an_end_within_padding(void **state)
{
	for (uint32_t bytes = 17; bytes < 24; bytes++) {
		begin();
		used = 0;
		put(bytes, 4);
		used = 8;
		put(99, 4);
		put(bytes - 8, 4);
		assert_false(parse_bytes(bytes));
		expect_refusal(104);
	}
}

static void half_an_entry_is_none(void **state)
{
	begin();
	begin_tag(6);
	put(24, 4);
	put(0, 4);
	put_range(0, 0x1000, 1);
	put(0x10000, 8);
	put(0x1000, 8);
	put(1, 4);
	end_tag();
	assert_true(finish());
	assert_int_equal(boot.range_count, 1);
}

static void refuses_long_texts(void **state)
{
	for (unsigned type = 1; type <= 3; type += 2)
		for (unsigned length = BOOT_COMMAND_LINE_BYTES - 1; length <= BOOT_COMMAND_LINE_BYTES; length++) {
			begin();
			add_small_map();
			begin_tag(type);
			if (type == 3)
				put(0, 8);
			for (unsigned i = 0; i < length; i++)
				put('x', 1);
			end_tag(); /* without a final NUL: the tag's end is one too */
			if (length < BOOT_COMMAND_LINE_BYTES) {
				assert_true(finish());
				continue;
			}
			assert_false(finish());
			expect_refusal(type == 1 ? 105 : 108);
		}
}

static void refuses_bad_modules(void **state)
{
	begin();
	for (unsigned i = 0; i < BOOT_MODULES_MAX + 1; i++) {
		begin_tag(3);
		put(0x100000, 4);
		put(0x100001, 4);
		end_tag();
	}
	assert_false(finish());
	expect_refusal(106);
	begin();
	begin_tag(3);
	put(0x200000, 4);
	put(0x1fffff, 4);
	end_tag();
	assert_false(finish());
	expect_refusal(107);
	begin();
	begin_tag(3);
	put(0x200000, 4);
	end_tag();
	assert_false(finish());
	expect_refusal(107);
}

static void refuses_bad_maps(void **state)
{
	static const uint32_t entry_bytes[] = { 0, 1, 19, 1000, UINT32_MAX };

	for (size_t i = 0; i < sizeof entry_bytes / sizeof *entry_bytes; i++) {
		begin();
		begin_tag(6);
		put(entry_bytes[i], 4);
		put(0, 4);
		put_range(0, 0x1000, 1);
		end_tag();
		assert_false(finish());
		expect_refusal(109);
	}
	begin();
	assert_false(finish());
	expect_refusal(111);
	begin();
	begin_tag(6);
	put(24, 4);
	put(0, 4);
	for (unsigned i = 0; i < BOOT_RANGES_MAX + 1; i++)
		put_range(i * 0x2000ull, 0x1000, 1);
	end_tag();
	assert_false(finish());
	expect_refusal(110);
}

static void unknown_kinds_are_reserved(void **state)
{
	assert_int_equal(multiboot2_memory_kind(1), MEMORY_USABLE);
	assert_int_equal(multiboot2_memory_kind(0), MEMORY_RESERVED);
	assert_int_equal(multiboot2_memory_kind(12), MEMORY_RESERVED);
	assert_int_equal(multiboot2_memory_kind(UINT32_MAX), MEMORY_RESERVED);
}

/* Random bytes, and a good block with random bytes changed: any verdict will do, as long as it ends and reads
 * nothing outside. */
static void survives_garbage(void **state)
{
	uint64_t random = 0x666f6c696f74;

	for (unsigned long n = share(2000000); n; n--) {
		size_t bytes;

		reads_what_a_loader_says(state);
		bytes = used;
		for (uint64_t changes = random_next(&random) % 8; changes; changes--)
			area[random_next(&random) % bytes] = (uint8_t)(random_next(&random) >> 32);
		for (unsigned i = 0; random % 16 == 0 && i < bytes; i++)
			area[i] = (uint8_t)(random_next(&random) >> 24);
		memcpy(area, &(uint32_t){ (uint32_t)bytes }, 4);
		if (parse_bytes(bytes))
			assert_true(boot.range_count > 0 && boot.module_count <= BOOT_MODULES_MAX);
		else
			assert_true(why.number >= 103 && why.number <= 111);
	}
}

#define MODEL_UNITS 64u

/* Each unit of a small address space gets the greatest kind that covers it; -1: none. */
static void model(const struct memory_range *ranges, size_t count, int kinds[MODEL_UNITS])
{
	for (unsigned u = 0; u < MODEL_UNITS; u++) {
		kinds[u] = -1;
		for (size_t i = 0; i < count; i++)
			if (u - ranges[i].base_hpa < ranges[i].bytes && (int)ranges[i].kind > kinds[u])
				kinds[u] = (int)ranges[i].kind;
	}
}

static void the_map_is_put_in_order(void **state)
{
	static struct memory_range ranges[BOOT_RANGES_MAX];
	uint64_t random = 42;
	int before[MODEL_UNITS], after[MODEL_UNITS];

	for (unsigned long n = share(5000000); n; n--) {
		size_t count = random_next(&random) % 12 + 1, out;

		for (size_t i = 0; i < count; i++) {
			ranges[i].base_hpa = random_next(&random) % MODEL_UNITS;
			ranges[i].bytes = random_next(&random) % (MODEL_UNITS / 2);
			ranges[i].kind = (enum memory_kind)(random_next(&random) % 5);
		}
		model(ranges, count, before);
		out = memory_map_normalise(ranges, count);
		model(ranges, out, after);
		assert_memory_equal(before, after, sizeof before);
		for (size_t i = 0; i < out; i++) {
			assert_true(ranges[i].bytes > 0);
			if (!i)
				continue;
			uint64_t end = ranges[i - 1].base_hpa + ranges[i - 1].bytes;

			assert_true(ranges[i].base_hpa >= end);
			assert_true(ranges[i].base_hpa > end || ranges[i].kind != ranges[i - 1].kind);
		}
	}
}

static void the_map_survives_the_end_of_addresses(void **state)
{
	struct memory_range ranges[BOOT_RANGES_MAX] = {
		{ UINT64_MAX - 10, UINT64_MAX, MEMORY_RESERVED },
		{ 0, UINT64_MAX, MEMORY_USABLE },
		{ UINT64_MAX, UINT64_MAX, MEMORY_BAD },
	};

	assert_int_equal(memory_map_normalise(ranges, 3), 2);
	assert_int_equal(ranges[0].bytes, UINT64_MAX - 10);
	assert_int_equal(ranges[1].bytes, 10);
	ranges[0].bytes = 0;
	assert_int_equal(memory_map_normalise(ranges, 1), 0);
}

/* 256 small islands in one great range become 513: too many. */
static void a_map_that_shatters_is_refused(void **state)
{
	static struct memory_range ranges[BOOT_RANGES_MAX];

	for (unsigned i = 0; i < BOOT_RANGES_MAX; i++)
		ranges[i] = (struct memory_range){ 0x1000 + i * 0x2000ull, 0x1000, MEMORY_RESERVED };
	ranges[0] = (struct memory_range){ 0, 1ull << 40, MEMORY_USABLE };
	assert_int_equal(memory_map_normalise(ranges, BOOT_RANGES_MAX), 0);
}

static void the_top_is_found_around_what_is_in_the_way(void **state)
{
	struct memory_range keep = { 0x3ff000, 0x1000, MEMORY_USABLE };
	uint64_t base;

	memset(&boot, 0, sizeof boot);
	boot.ranges[0] = (struct memory_range){ 0x100000, 0x300800, MEMORY_USABLE };
	boot.ranges[1] = (struct memory_range){ 0x400800, 0x1000, MEMORY_RESERVED };
	boot.ranges[2] = (struct memory_range){ 0x500000, 0x2000, MEMORY_USABLE };
	boot.range_count = 3;
	assert_true(memory_map_find_top(&boot, 0x100000, 1ull << 32, 0x2000, &keep, &base));
	assert_int_equal(base, 0x500000);
	assert_true(memory_map_find_top(&boot, 0x100000, 1ull << 32, 0x2001, &keep, &base));
	assert_int_equal(base, 0x3fc000); /* below what is kept */
	boot.modules[0] = (struct boot_module){ .base_hpa = 0x3fb800, .bytes = 0x1000 };
	boot.module_count = 1;
	assert_true(memory_map_find_top(&boot, 0x100000, 1ull << 32, 0x3000, &keep, &base));
	assert_int_equal(base, 0x3f8000); /* and below the module */
	assert_true(memory_map_find_top(&boot, 0x100000, 0x200800, 0x3000, &keep, &base));
	assert_int_equal(base, 0x1fd000);
	assert_false(memory_map_find_top(&boot, 0x100000, 1ull << 32, 0x300000, &keep, &base));
	assert_int_equal(memory_map_usable_bytes(&boot), 0x302800);
	assert_int_equal(memory_map_usable_end(&boot), 0x502000);
	assert_true(memory_map_touches_usable(&boot, 0x4007ff, 1));
	assert_false(memory_map_touches_usable(&boot, 0x400800, 0xff800));
	assert_true(memory_map_touches_usable(&boot, 0x400800, 0xff801));
	assert_true(memory_map_touches_usable(&boot, 0, UINT64_MAX));
	assert_false(memory_map_touches_usable(&boot, 0, 0x100000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_a_loader_says),
		cmocka_unit_test(reads_a_screen_of_pixels),
		cmocka_unit_test(other_screens_are_none),
		cmocka_unit_test(a_long_map_of_neighbours_fits),
		cmocka_unit_test(refuses_lying_sizes),
		cmocka_unit_test(refuses_lying_tags),
		cmocka_unit_test(refuses_a_missing_end),
		cmocka_unit_test(refuses_an_end_within_padding),
		cmocka_unit_test(half_an_entry_is_none),
		cmocka_unit_test(refuses_long_texts),
		cmocka_unit_test(refuses_bad_modules),
		cmocka_unit_test(refuses_bad_maps),
		cmocka_unit_test(unknown_kinds_are_reserved),
		cmocka_unit_test(survives_garbage),
		cmocka_unit_test(the_map_is_put_in_order),
		cmocka_unit_test(the_map_survives_the_end_of_addresses),
		cmocka_unit_test(a_map_that_shatters_is_refused),
		cmocka_unit_test(the_top_is_found_around_what_is_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
