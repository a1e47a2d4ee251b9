/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Letters on a screen of pixels. */
#include "host/pixels.h"

#include "host/font.h"

#define BLACK 0u
#define GREY 0xaau
#define SIDE_MOST 16384u
#define COLUMNS_LEAST 40u
#define ROWS_LEAST 10u
/* The screen that one pixel a dot is for: 80 by 40 letters; every multiple of it has a greater scale. */
#define SCALE_WIDTH 480u
#define SCALE_HEIGHT 360u

static bool has_colour(const struct pixel_format *f, struct colour_field colour)
{
	return colour.bits && colour.bits <= 16 && colour.position + colour.bits <= f->bits_per_pixel;
}

static bool is_possible(const struct pixel_format *f)
{
	unsigned bytes = (f->bits_per_pixel + 7u) / 8;

	if (bytes < 2 || bytes > 4 || f->width > SIDE_MOST || f->height > SIDE_MOST)
		return false;
	if (f->pitch_bytes < f->width * bytes || f->pitch_bytes > SIDE_MOST * 8 || (bytes != 3 && f->pitch_bytes % bytes))
		return false;
	return has_colour(f, f->red) && has_colour(f, f->green) && has_colour(f, f->blue);
}

/* Eight bits of a colour where the pixel has it. */
static uint32_t place(struct colour_field colour, uint32_t value)
{
	value = colour.bits < 8 ? value >> (8 - colour.bits) : value << (colour.bits - 8);
	return value << colour.position;
}

static unsigned choose_scale(const struct pixel_format *f)
{
	unsigned across = f->width / SCALE_WIDTH, down = f->height / SCALE_HEIGHT;
	unsigned scale = across < down ? across : down;

	return scale ? scale : 1;
}

bool pixels_init(struct pixels *pixels, const struct pixel_format *format)
{
	if (!is_possible(format))
		return false;
	*pixels = (struct pixels){
		.format = *format,
		.bytes_per_pixel = (format->bits_per_pixel + 7u) / 8,
		.scale = choose_scale(format),
		.ink = place(format->red, GREY) | place(format->green, GREY) | place(format->blue, GREY),
	};
	pixels->columns = format->width / (FONT_CELL_WIDTH * pixels->scale);
	pixels->rows = format->height / (FONT_CELL_HEIGHT * pixels->scale);
	return pixels->columns >= COLUMNS_LEAST && pixels->rows >= ROWS_LEAST;
}

static void put(const struct pixels *p, volatile uint8_t *at, uint32_t value)
{
	switch (p->bytes_per_pixel) {
	case 4:
		*(volatile uint32_t *)at = value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	default:
		for (unsigned i = 0; i < 3; i++)
			at[i] = (uint8_t)(value >> 8 * i);
	}
}

static volatile uint8_t *row_at(const struct pixels *p, unsigned y)
{
	return p->base + (uint64_t)y * p->format.pitch_bytes;
}

void pixels_clear(const struct pixels *pixels)
{
	for (unsigned y = 0; pixels->base && y < pixels->format.height; y++)
		for (unsigned x = 0; x < pixels->format.width; x++)
			put(pixels, row_at(pixels, y) + x * pixels->bytes_per_pixel, BLACK);
}

/* One row of a cell, from `at` on: y counts in pixels from the cell's top. */
static void draw_row(const struct pixels *p, volatile uint8_t *at, char letter, unsigned y)
{
	for (unsigned x = 0; x < FONT_CELL_WIDTH; x++) {
		uint32_t value = font_dot(letter, x, y / p->scale) ? p->ink : BLACK;

		for (unsigned i = 0; i < p->scale; i++, at += p->bytes_per_pixel)
			put(p, at, value);
	}
}

void pixels_draw(const struct pixels *pixels, unsigned column, unsigned row, char letter)
{
	unsigned width = FONT_CELL_WIDTH * pixels->scale, height = FONT_CELL_HEIGHT * pixels->scale;

	for (unsigned y = 0; pixels->base && y < height; y++)
		draw_row(pixels, row_at(pixels, row * height + y) + column * width * pixels->bytes_per_pixel, letter, y);
}
