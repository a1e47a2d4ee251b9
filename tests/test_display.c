/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: of the loader's word about the screen only what can be true is used; on a screen of pixels nothing is ever written where
 * VGA has its text. VGA's window is there in this program too, at its own address, and faults where it must not be touched. */
#include "boot/display.h"

#include "host/memory.h"
#include "host/screen.h"
#include "tests/support.h"

#include <sys/mman.h>

#define VGA 0xa0000ul
#define VGA_BYTES 0x20000ul
#define TEXT_HPA 0xb8000ul
#define TEXT ((uint16_t *)TEXT_HPA)
#define PIXELS 0x10000000ul /* below 4 GiB, as the early map reaches it */
#define PIXEL_BYTES (2400u * 480)

static struct boot_info boot;
static uint64_t mmio_hpa, mmio_bytes, framebuffer_hpa, framebuffer_bytes;
static void *mapped;

void *host_map_mmio(uint64_t hpa, size_t bytes)
{
	mmio_hpa = hpa;
	mmio_bytes = bytes;
	return mapped;
}

void *host_map_framebuffer(uint64_t hpa, uint64_t bytes)
{
	framebuffer_hpa = hpa;
	framebuffer_bytes = bytes;
	return mapped;
}

static void *reserve(unsigned long at, size_t bytes, int access)
{
	void *got = mmap((void *)at, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_ptr_equal(got, (void *)at);
	return got;
}

static void loader_says(enum framebuffer_kind kind, uint64_t hpa, uint32_t width, uint32_t height)
{
	memset(&boot, 0, sizeof boot);
	boot.ranges[0] = (struct memory_range){ 0, 0xa0000, MEMORY_USABLE };
	boot.ranges[1] = (struct memory_range){ 0x100000, 0xf00000, MEMORY_USABLE };
	boot.range_count = 2;
	boot.framebuffer = (struct framebuffer){ kind, hpa, width * 3, width, height, 24, { 16, 8 }, { 8, 8 }, { 0, 8 } };
	mmio_hpa = framebuffer_hpa = 0;
	mapped = NULL;
	screen_begin_text(NULL, 0, 0);
}

static int set_up(void **state)
{
	reserve(VGA, VGA_BYTES, PROT_NONE);
	reserve(PIXELS, PIXEL_BYTES, PROT_READ | PROT_WRITE);
	return 0;
}

static unsigned count_lit(const volatile uint8_t *at)
{
	unsigned lit = 0;

	for (size_t i = 0; i < PIXEL_BYTES; i++)
		lit += at[i] != 0;
	return lit;
}

/* A write to VGA's window would end this program. */
static void pixels_are_drawn_and_text_is_not_touched(void **state)
{
	uint8_t *elsewhere = calloc(1, PIXEL_BYTES);
	unsigned lit;

	loader_says(FRAMEBUFFER_RGB, PIXELS, 800, 480);
	memset((void *)PIXELS, 0xee, PIXEL_BYTES);
	display_start(&boot);
	assert_int_equal(count_lit((void *)PIXELS), 0);
	screen_write("Foliot", 6);
	lit = count_lit((void *)PIXELS);
	assert_true(lit > 100);
	mapped = elsewhere;
	display_move(&boot);
	assert_int_equal(framebuffer_hpa, PIXELS);
	assert_int_equal(framebuffer_bytes, PIXEL_BYTES);
	assert_int_equal(mmio_hpa, 0);
	for (unsigned i = 0; i < 200; i++)
		screen_write("Foliot\r\n", 8);
	assert_int_equal(count_lit((void *)PIXELS), lit);
	assert_true(count_lit(elsewhere) > 40 * lit);
	free(elsewhere);
}

static void pixels_above_4_gib_are_shown_after_the_move(void **state)
{
	uint8_t *elsewhere = calloc(1, PIXEL_BYTES);

	loader_says(FRAMEBUFFER_RGB, 0x4000000000, 800, 480);
	display_start(&boot); /* would fault */
	screen_write("Foliot", 6);
	mapped = elsewhere;
	display_move(&boot);
	assert_int_equal(framebuffer_hpa, 0x4000000000);
	assert_true(count_lit(elsewhere) > 100);
	loader_says(FRAMEBUFFER_RGB, 0xfffff000, 800, 480); /* crosses 4 GiB */
	display_start(&boot);
	screen_write("Foliot", 6);
	free(elsewhere);
}

static void text_is_written_where_vga_has_it(void **state)
{
	static uint16_t elsewhere[80 * 25];

	reserve(VGA, VGA_BYTES, PROT_READ | PROT_WRITE);
	loader_says(FRAMEBUFFER_EGA_TEXT, TEXT_HPA, 80, 25);
	display_start(&boot);
	screen_write("Foliot", 6);
	assert_int_equal(TEXT[0], 0x0700 | 'F');
	assert_int_equal(TEXT[80 * 25 - 1], 0x0720);
	assert_int_equal(TEXT[80 * 25], 0);
	mapped = elsewhere;
	display_move(&boot);
	assert_int_equal(mmio_hpa, TEXT_HPA);
	assert_int_equal(mmio_bytes, 4000);
	screen_write("!", 1);
	assert_int_equal(elsewhere[6], 0x0700 | '!');
	assert_int_equal(TEXT[6], 0x0720);
	reserve(VGA, VGA_BYTES, PROT_NONE);
}

static void expect_no_screen(void)
{
	display_start(&boot);
	screen_write("Foliot\r\n", 8);
	display_move(&boot);
	screen_write("Foliot\r\n", 8);
	assert_int_equal(mmio_hpa | framebuffer_hpa, 0);
	assert_int_equal(display_pixel_bytes(&boot), 0);
}

static void what_cannot_be_is_no_screen(void **state)
{
	static const struct { enum framebuffer_kind kind; uint64_t hpa; uint32_t width, height; } lies[] = {
		{ FRAMEBUFFER_NONE, TEXT_HPA, 80, 25 },
		{ FRAMEBUFFER_EGA_TEXT, 0, 80, 25 },
		{ FRAMEBUFFER_EGA_TEXT, 0x9ffff, 80, 25 },
		{ FRAMEBUFFER_EGA_TEXT, 0xbffff, 80, 25 }, /* reaches beyond VGA's window */
		{ FRAMEBUFFER_EGA_TEXT, 0x100000, 80, 25 },
		{ FRAMEBUFFER_EGA_TEXT, TEXT_HPA, UINT32_MAX, UINT32_MAX },
		{ FRAMEBUFFER_EGA_TEXT, TEXT_HPA, SCREEN_COLUMNS_MAX + 1, 25 },
		{ FRAMEBUFFER_EGA_TEXT, TEXT_HPA, 80, 0 },
		{ FRAMEBUFFER_RGB, 0x200000, 800, 480 },  /* the guest's memory */
		{ FRAMEBUFFER_RGB, 0xfff000, 800, 480 },
		{ FRAMEBUFFER_RGB, 0, 800, 480 },
		{ FRAMEBUFFER_RGB, PIXELS + 1, 800, 480 },
		{ FRAMEBUFFER_RGB, 0xfffffffffffff000, 800, 480 },
		{ FRAMEBUFFER_RGB, PIXELS, 80, 25 },
	};

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		loader_says(lies[i].kind, lies[i].hpa, lies[i].width, lies[i].height);
		expect_no_screen();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pixels_are_drawn_and_text_is_not_touched, set_up),
		cmocka_unit_test_setup(pixels_above_4_gib_are_shown_after_the_move, set_up),
		cmocka_unit_test_setup(text_is_written_where_vga_has_it, set_up),
		cmocka_unit_test_setup(what_cannot_be_is_no_screen, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
