/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: both kinds of screen show what a plain terminal would, however much was written; the screen's memory is never read; what
 * was written before the screen could be reached is shown as soon as it can; a screen that is too large or none is left alone. */
#include "host/screen.h"

#include "host/font.h"
#include "tests/support.h"

#define COLUMNS 80u
#define ROWS 25u
#define BLANK 0x0720u

static const struct pixel_format format = { 480, 225, 1920, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } }; /* 80 by 25 */

static uint16_t *cells;
static uint32_t *dots;

static int set_up(void **state)
{
	cells = malloc(COLUMNS * ROWS * sizeof *cells);
	dots = malloc(pixels_bytes(&format));
	return 0;
}

static int tear_down(void **state)
{
	screen_begin_text(NULL, 0, 0);
	free(cells);
	free(dots);
	return 0;
}

/* A terminal without any cleverness. */
static struct { char text[ROWS][COLUMNS]; unsigned x, y; } model;

static void model_begin(void)
{
	memset(&model, ' ', sizeof model.text);
	model.x = model.y = 0;
}

static void model_newline(void)
{
	model.x = 0;
	if (++model.y < ROWS)
		return;
	model.y = ROWS - 1;
	memmove(model.text[0], model.text[1], sizeof model.text - COLUMNS);
	memset(model.text[ROWS - 1], ' ', COLUMNS);
}

static void model_put(char c)
{
	if (c == '\r')
		model.x = 0;
	else if (c == '\n')
		model_newline();
	if (c == '\r' || c == '\n')
		return;
	if (model.x == COLUMNS)
		model_newline();
	model.text[model.y][model.x++] = c;
}

static void write_both(const char *text, size_t bytes)
{
	screen_write(text, bytes);
	for (size_t i = 0; i < bytes; i++)
		model_put(text[i]);
}

static bool dot_at(unsigned x, unsigned y)
{
	return dots[y * format.pitch_bytes / 4 + x] != 0;
}

static void expect_dots(unsigned column, unsigned row, char letter)
{
	for (unsigned y = 0; y < FONT_CELL_HEIGHT; y++)
		for (unsigned x = 0; x < FONT_CELL_WIDTH; x++)
			assert_int_equal(dot_at(column * FONT_CELL_WIDTH + x, row * FONT_CELL_HEIGHT + y), font_dot(letter, x, y));
}

static void expect_shown(bool as_dots)
{
	for (unsigned y = 0; y < ROWS; y++)
		for (unsigned x = 0; x < COLUMNS; x++)
			if (as_dots)
				expect_dots(x, y, model.text[y][x]);
			else
				assert_int_equal(cells[y * COLUMNS + x], 0x0700 | (uint8_t)model.text[y][x]);
}

static void begin(bool as_dots)
{
	memset(cells, 0xee, COLUMNS * ROWS * sizeof *cells);
	memset(dots, 0xee, pixels_bytes(&format));
	assert_true(as_dots ? screen_begin_pixels(dots, &format) : screen_begin_text(cells, COLUMNS, ROWS));
	model_begin();
}

static void it_begins_empty(void **state)
{
	begin(false);
	expect_shown(false);
	begin(true);
	expect_shown(true);
}

static size_t random_text(uint64_t *random, char *text, size_t most)
{
	size_t bytes = random_next(random) % most;

	for (size_t i = 0; i < bytes; i++) {
		unsigned kind = random_next(random) % 40;

		text[i] = kind == 0 ? '\n' : kind == 1 ? '\r' : (char)(random_next(random) >> 40);
		if (text[i] != '\n' && text[i] != '\r' && kind < 35)
			text[i] = (char)(' ' + (text[i] & 0x3f));
	}
	return bytes;
}

static void it_shows_what_a_terminal_shows(void **state)
{
	uint64_t random = 7;
	char text[600];

	for (unsigned long n = share(10000); n; n--) {
		bool as_dots = n % 2;

		begin(as_dots);
		for (unsigned pieces = 0; pieces < 12; pieces++)
			write_both(text, random_text(&random, text, sizeof text));
		expect_shown(as_dots);
	}
}

/* Everything on the screen is spoilt, and then every letter of it changes: nothing of the spoilt may come back. */
static void the_screens_memory_is_never_read(void **state)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		begin(kind);
		for (unsigned i = 0; i < ROWS * 3; i++) {
			char line[COLUMNS];

			memset(line, 'a' + i % 26, sizeof line);
			write_both(line, sizeof line);
			if (i % ROWS == 0) {
				memset(cells, 0xee, COLUMNS * ROWS * sizeof *cells);
				memset(dots, 0xee, pixels_bytes(&format));
			}
		}
		expect_shown(kind);
	}
}

/* A sentinel that is in the way of nothing new stays: cells that do not change are not drawn. */
static void only_what_changes_is_drawn(void **state)
{
	begin(false);
	for (unsigned i = 0; i < ROWS; i++)
		write_both("same\r\n", 6);
	cells[10 * COLUMNS + 2] = 0x1234;
	cells[10 * COLUMNS + 40] = 0x4321;
	write_both("same\r\n", 6);
	assert_int_equal(cells[10 * COLUMNS + 2], 0x1234);
	assert_int_equal(cells[10 * COLUMNS + 40], 0x4321);
}

static void what_was_written_before_it_was_reached_is_shown(void **state)
{
	memset(dots, 0xee, pixels_bytes(&format));
	assert_true(screen_begin_pixels(NULL, &format));
	model_begin();
	for (unsigned i = 0; i < 40; i++)
		write_both("before\r\n<>", 10);
	screen_move(dots);
	expect_shown(true);
	write_both("after", 5);
	expect_shown(true);
}

static void it_goes_on_at_another_address(void **state)
{
	uint16_t *elsewhere = calloc(COLUMNS * ROWS, sizeof *elsewhere), *first = cells;

	begin(false);
	write_both("one", 3);
	memcpy(elsewhere, cells, COLUMNS * ROWS * sizeof *cells);
	screen_move(elsewhere);
	memset(first, 0xee, COLUMNS * ROWS * sizeof *cells);
	write_both(" two", 4);
	cells = elsewhere;
	expect_shown(false);
	cells = first;
	assert_int_equal(cells[4], 0xeeee);
	screen_begin_text(NULL, 0, 0);
	free(elsewhere);
}

static void what_is_no_screen_is_left_alone(void **state)
{
	struct pixel_format small = format;

	small.height = 80;
	memset(cells, 0xee, COLUMNS * ROWS * sizeof *cells);
	assert_false(screen_begin_text(cells, SCREEN_COLUMNS_MAX + 1, 10));
	assert_false(screen_begin_text(cells, 10, SCREEN_ROWS_MAX + 1));
	assert_false(screen_begin_text(cells, 0, 25));
	assert_false(screen_begin_text(cells, 80, 0));
	assert_false(screen_begin_pixels(dots, &small));
	screen_write("nowhere", 7);
	screen_move(cells);
	screen_write("nowhere", 7);
	for (unsigned i = 0; i < COLUMNS * ROWS; i++)
		assert_int_equal(cells[i], 0xeeee);
}

/* 2400 by 100 letters of one pixel a dot: only so many are used, and the rest stays black. */
static void of_a_large_screen_a_part_is_used(void **state)
{
	struct pixel_format wide = { 2400, 360, 9600, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } };
	uint32_t *screen = malloc(pixels_bytes(&wide));

	assert_true(screen_begin_pixels(screen, &wide));
	for (unsigned i = 0; i < 500; i++)
		screen_write("################################################################", 64);
	for (unsigned y = 0; y < wide.height; y++)
		for (unsigned x = SCREEN_COLUMNS_MAX * FONT_CELL_WIDTH; x < wide.width; x++)
			assert_int_equal(screen[y * wide.width + x], 0);
	assert_true(screen[5 * wide.width + SCREEN_COLUMNS_MAX * FONT_CELL_WIDTH - 4] != 0);
	screen_begin_text(NULL, 0, 0);
	free(screen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_begins_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_shows_what_a_terminal_shows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_screens_memory_is_never_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_changes_is_drawn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_written_before_it_was_reached_is_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_goes_on_at_another_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_screen_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_large_screen_a_part_is_used, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
