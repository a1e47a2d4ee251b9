/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VGA text screen: light grey on black. */
#include "host/screen.h"

#define BLANK 0x0720u
#define GREY 0x0700u

static volatile uint16_t *screen_cells;
static unsigned screen_columns, screen_rows, column, row;

static void clear_row(unsigned which)
{
	for (unsigned i = 0; i < screen_columns; i++)
		screen_cells[which * screen_columns + i] = BLANK;
}

void screen_init(void *cells, unsigned columns, unsigned rows)
{
	screen_cells = cells;
	screen_columns = columns;
	screen_rows = rows;
	column = row = 0;
	for (unsigned i = 0; cells && i < rows; i++)
		clear_row(i);
}

void screen_move(void *cells)
{
	if (screen_cells)
		screen_cells = cells;
}

static void new_line(void)
{
	column = 0;
	if (++row < screen_rows)
		return;
	row = screen_rows - 1;
	for (unsigned i = 0; i < row * screen_columns; i++)
		screen_cells[i] = screen_cells[i + screen_columns];
	clear_row(row);
}

static void put(char c)
{
	if (c == '\r') {
		column = 0;
	} else if (c == '\n') {
		new_line();
	} else {
		if (column == screen_columns)
			new_line();
		screen_cells[row * screen_columns + column++] = (uint16_t)(GREY | (uint8_t)c);
	}
}

void screen_write(const char *text, size_t bytes)
{
	for (size_t i = 0; screen_cells && i < bytes; i++)
		put(text[i]);
}
