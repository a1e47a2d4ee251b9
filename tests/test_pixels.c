/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: a letter's cell has exactly the font's dots, in every format of pixels that is taken, and nothing beside it is touched
 * (each screen lies in a block of exactly its size); formats that cannot be are refused; the letters can be told apart. */
#include "host/pixels.h"

#include "host/font.h"
#include "tests/support.h"

#define FILL 0x5a

static const struct pixel_format xrgb = { 1280, 800, 5120, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } };

static const struct pixel_format formats[] = {
	{ 1024, 768, 4096, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
	{ 1024, 768, 4100, 32, { 0, 8 }, { 8, 8 }, { 16, 8 } },
	{ 800, 600, 3200, 30, { 20, 10 }, { 10, 10 }, { 0, 10 } },
	{ 801, 601, 2403, 24, { 16, 8 }, { 8, 8 }, { 0, 8 } },
	{ 640, 480, 2000, 24, { 0, 8 }, { 8, 8 }, { 16, 8 } },
	{ 640, 480, 1280, 16, { 11, 5 }, { 5, 6 }, { 0, 5 } },
	{ 1366, 768, 2732, 15, { 10, 5 }, { 5, 5 }, { 0, 5 } },
	{ 1920, 1080, 7680, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
	{ 240, 90, 480, 16, { 11, 5 }, { 5, 6 }, { 0, 5 } },
};

/* The grey, colour by colour, in arithmetic of its own: 170 of 255, cut to the bits that there are. */
static uint32_t grey(const struct pixel_format *f)
{
	const struct colour_field fields[] = { f->red, f->green, f->blue };
	uint32_t value = 0;

	for (unsigned i = 0; i < 3; i++)
		value |= (uint32_t)(170ull * (1ull << fields[i].bits) / 256) << fields[i].position;
	return value;
}

static uint32_t pixel_at(const struct pixels *p, uint32_t x, uint32_t y)
{
	const volatile uint8_t *at = p->base + (size_t)y * p->format.pitch_bytes + (size_t)x * p->bytes_per_pixel;
	uint32_t value = 0;

	for (unsigned i = 0; i < p->bytes_per_pixel; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

static void begin(struct pixels *p, const struct pixel_format *f)
{
	assert_true(pixels_init(p, f));
	p->base = malloc(pixels_bytes(f));
	memset((void *)p->base, FILL, pixels_bytes(f));
}

static uint32_t filled(const struct pixels *p)
{
	return (uint32_t)((FILL * 0x01010101ull) & ((1ull << 8 * p->bytes_per_pixel) - 1));
}

static void a_letter_has_its_dots_and_nothing_else_is_touched(void **state)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		const struct pixel_format *f = &formats[i];
		struct pixels p;
		unsigned width, height;

		begin(&p, f);
		width = FONT_CELL_WIDTH * p.scale;
		height = FONT_CELL_HEIGHT * p.scale;
		pixels_draw(&p, p.columns - 1, p.rows - 1, 'R');
		pixels_draw(&p, 3, 2, 'g');
		for (uint32_t y = 0; y < f->height; y++)
			for (uint32_t x = 0; x < f->width; x++) {
				uint32_t expected = filled(&p);
				unsigned column = x / width, row = y / height;
				bool is_g = column == 3 && row == 2;

				if (is_g || (column == p.columns - 1 && row == p.rows - 1))
					expected = font_dot(is_g ? 'g' : 'R', x % width / p.scale, y % height / p.scale) ? grey(f) : 0;
				assert_int_equal(pixel_at(&p, x, y), expected);
			}
		free((void *)p.base);
	}
}

static void clearing_leaves_the_room_between_rows_alone(void **state)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		const struct pixel_format *f = &formats[i];
		uint32_t used;
		struct pixels p;

		begin(&p, f);
		used = f->width * p.bytes_per_pixel;
		pixels_clear(&p);
		for (uint64_t at = 0; at < pixels_bytes(f); at++)
			assert_int_equal(p.base[at], at % f->pitch_bytes < used ? 0 : FILL);
		free((void *)p.base);
	}
}

static void letters_grow_with_the_screen(void **state)
{
	static const struct { uint32_t width, height; unsigned scale, columns, rows; } screens[] = {
		{ 240, 90, 1, 40, 10 },      { 640, 480, 1, 106, 53 },   { 800, 600, 1, 133, 66 },    { 1024, 768, 2, 85, 42 },
		{ 1280, 720, 2, 106, 40 },   { 1280, 800, 2, 106, 44 },  { 1920, 1080, 3, 106, 40 },  { 2560, 1440, 4, 106, 40 },
		{ 3840, 2160, 6, 106, 40 },  { 1080, 1920, 2, 90, 106 }, { 16384, 16384, 34, 80, 53 }
	};

	for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
		struct pixel_format f = xrgb;
		struct pixels p;

		f.width = screens[i].width;
		f.height = screens[i].height;
		f.pitch_bytes = 4 * f.width;
		assert_true(pixels_init(&p, &f));
		assert_int_equal(p.scale, screens[i].scale);
		assert_int_equal(p.columns, screens[i].columns);
		assert_int_equal(p.rows, screens[i].rows);
	}
}

/* One field at a time, so that the rest cannot be the reason. */
static void what_cannot_be_is_refused(void **state)
{
	struct pixel_format f[] = {
		xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb, xrgb,
	};
	struct pixels p;
	size_t n = 0;

	assert_true(pixels_init(&p, &xrgb));
	f[n++].width = 0;
	f[n++].width = 239;
	f[n++].width = 1281; /* the rows overlap */
	f[n++].width = UINT32_MAX;
	f[n++].height = 0;
	f[n++].height = 89;
	f[n++].height = 16385;
	f[n++].pitch_bytes = 5119;
	f[n++].pitch_bytes = 5122; /* no whole pixels */
	f[n++].pitch_bytes = UINT32_MAX - 3;
	f[n++].bits_per_pixel = 0;
	f[n++].bits_per_pixel = 8; /* a palette's, or VGA's planes */
	f[n++].bits_per_pixel = 33;
	f[n++].bits_per_pixel = 23; /* red reaches beyond */
	f[n++].red.bits = 0;
	f[n++].green.position = 25;
	f[n++].blue = (struct colour_field){ 255, 255 };
	assert_int_equal(n, sizeof f / sizeof *f);
	for (size_t i = 0; i < n; i++)
		assert_false(pixels_init(&p, &f[i]));
	memset(&f[0], 0xff, sizeof f[0]);
	assert_false(pixels_init(&p, &f[0]));
}

/* Whatever is taken can be drawn on to its edges: the sanitizer watches. */
static void random_formats_are_refused_or_safe(void **state)
{
	uint64_t random = 0xf0117;
	unsigned long taken = 0;

	for (unsigned long n = share(100000); n; n--) {
		struct pixel_format f;
		struct pixels p;

		for (size_t i = 0; i < sizeof f; i++)
			((uint8_t *)&f)[i] = (uint8_t)(random_next(&random) >> 32);
		f.width = f.width % 700;
		f.height = f.height % 300;
		f.bits_per_pixel = 8 + f.bits_per_pixel % 28;
		f.pitch_bytes = f.width * ((f.bits_per_pixel + 7u) / 8) + f.pitch_bytes % 9;
		f.red.position %= 24, f.red.bits = f.red.bits % 10;
		f.green.position %= 24, f.green.bits = f.green.bits % 10;
		f.blue.position %= 24, f.blue.bits = f.blue.bits % 10;
		if (!pixels_init(&p, &f))
			continue;
		taken++;
		begin(&p, &f);
		pixels_draw(&p, 0, 0, 'F');
		pixels_draw(&p, p.columns - 1, 0, '\x80');
		pixels_draw(&p, 0, p.rows - 1, 0);
		pixels_draw(&p, p.columns - 1, p.rows - 1, '~');
		free((void *)p.base);
	}
	assert_true(taken > 0);
}

static void nothing_is_drawn_before_the_screen_is_reached(void **state)
{
	struct pixels p;

	assert_true(pixels_init(&p, &xrgb));
	assert_null(p.base);
	pixels_clear(&p);
	pixels_draw(&p, 0, 0, 'A');
}

static uint64_t dots_of(int letter)
{
	uint64_t dots = 0;

	for (unsigned y = 0; y < FONT_CELL_HEIGHT; y++)
		for (unsigned x = 0; x < FONT_CELL_WIDTH; x++)
			dots = dots << 1 | font_dot((char)letter, x, y);
	return dots;
}

static void letters_can_be_told_apart_and_keep_their_distance(void **state)
{
	for (int letter = 0x20; letter <= 0x7e; letter++) {
		for (int other = 0x20; other < letter; other++)
			assert_true(dots_of(letter) != dots_of(other));
		for (unsigned y = 0; y < FONT_CELL_HEIGHT; y++)
			assert_false(font_dot((char)letter, FONT_CELL_WIDTH - 1, y));
		for (unsigned x = 0; x < FONT_CELL_WIDTH; x++)
			assert_false(font_dot((char)letter, x, 0));
	}
	assert_int_equal(dots_of(' '), 0);
	for (int other = 0; other < 256; other++)
		if (other < 0x20 || other > 0x7e)
			assert_int_equal(dots_of(other), dots_of(0x7f));
	assert_false(font_dot('M', FONT_CELL_WIDTH, 1));
	assert_false(font_dot('M', 0, FONT_CELL_HEIGHT));
	assert_false(font_dot('M', 0, UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_letter_has_its_dots_and_nothing_else_is_touched),
		cmocka_unit_test(clearing_leaves_the_room_between_rows_alone),
		cmocka_unit_test(letters_grow_with_the_screen),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(random_formats_are_refused_or_safe),
		cmocka_unit_test(nothing_is_drawn_before_the_screen_is_reached),
		cmocka_unit_test(letters_can_be_told_apart_and_keep_their_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
