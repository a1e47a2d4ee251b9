/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen: light grey on black. */
#include "host/screen.h"

#include "base/mem.h"

#define GREY 0x0700u

static enum screen_kind { SCREEN_NONE, SCREEN_TEXT, SCREEN_PIXELS } kind;
static volatile uint16_t *text_cells;
static struct pixels pixels;
static char shown[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
static unsigned columns, rows, column, row;

static void draw(unsigned x, unsigned y)
{
	switch (kind) {
	case SCREEN_NONE:
		break;
	case SCREEN_TEXT:
		text_cells[y * columns + x] = (uint16_t)(GREY | (uint8_t)shown[y][x]);
		break;
	case SCREEN_PIXELS:
		pixels_draw(&pixels, x, y, shown[y][x]);
		break;
	}
}

static void draw_all(void)
{
	for (unsigned y = 0; y < rows; y++)
		for (unsigned x = 0; x < columns; x++)
			if (kind == SCREEN_TEXT || shown[y][x] != ' ')
				draw(x, y);
}

static void begin(enum screen_kind which, unsigned width, unsigned height)
{
	kind = which;
	columns = width < SCREEN_COLUMNS_MAX ? width : SCREEN_COLUMNS_MAX;
	rows = height < SCREEN_ROWS_MAX ? height : SCREEN_ROWS_MAX;
	column = row = 0;
	memset(shown, ' ', sizeof shown);
}

bool screen_begin_text(void *cells, unsigned width, unsigned height)
{
	kind = SCREEN_NONE;
	if (!width || width > SCREEN_COLUMNS_MAX || !height || height > SCREEN_ROWS_MAX)
		return false;
	text_cells = cells;
	begin(SCREEN_TEXT, width, height);
	draw_all();
	return true;
}

bool screen_begin_pixels(void *base, const struct pixel_format *format)
{
	kind = SCREEN_NONE;
	if (!pixels_init(&pixels, format))
		return false;
	pixels.base = base;
	begin(SCREEN_PIXELS, pixels.columns, pixels.rows);
	pixels_clear(&pixels);
	return true;
}

static void move_pixels(void *base)
{
	bool seen = pixels.base;

	pixels.base = base;
	if (seen)
		return;
	pixels_clear(&pixels);
	draw_all();
}

void screen_move(void *base)
{
	switch (kind) {
	case SCREEN_NONE:
		break;
	case SCREEN_TEXT:
		text_cells = base;
		break;
	case SCREEN_PIXELS:
		move_pixels(base);
		break;
	}
}

static void show(unsigned x, unsigned y, char c)
{
	if (shown[y][x] == c)
		return;
	shown[y][x] = c;
	draw(x, y);
}

static void new_line(void)
{
	column = 0;
	if (++row < rows)
		return;
	row = rows - 1;
	for (unsigned y = 0; y < rows; y++)
		for (unsigned x = 0; x < columns; x++)
			show(x, y, y < row ? shown[y + 1][x] : ' ');
}

static void put(char c)
{
	if (c == '\r') {
		column = 0;
	} else if (c == '\n') {
		new_line();
	} else {
		if (column == columns)
			new_line();
		show(column++, row, c);
	}
}

void screen_write(const char *text, size_t bytes)
{
	for (size_t i = 0; kind != SCREEN_NONE && i < bytes; i++)
		put(text[i]);
}
