/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A screen of pixels, and letters drawn on it. It is written only, never read: that would take long on real hardware. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where a colour is in a pixel: its lowest bit and how many there are. */
struct colour_field {
	uint8_t position, bits;
};

/* As a boot loader describes it. */
struct pixel_format {
	uint32_t width, height; /* in pixels */
	uint32_t pitch_bytes;   /* from one row to the next */
	uint8_t bits_per_pixel;
	struct colour_field red, green, blue;
};

struct pixels {
	volatile uint8_t *base; /* NULL: not reached yet, nothing is drawn */
	struct pixel_format format;
	unsigned bytes_per_pixel;
	unsigned scale;         /* pixels a dot of a letter is wide and high */
	unsigned columns, rows; /* of letters */
	uint32_t ink;           /* a light grey */
};

/* The bytes that the screen has in memory. */
static inline uint64_t pixels_bytes(const struct pixel_format *format)
{
	return (uint64_t)format->pitch_bytes * format->height;
}

/* Takes over a format, with base NULL; letters grow with the screen. False: it is none that can be drawn on (16, 24 or 32 bits a
 * pixel, three colours within them, rows that lie apart, at least 40 by 10 letters, at most 16384 pixels each way). */
bool pixels_init(struct pixels *pixels, const struct pixel_format *format);

/* All black. */
void pixels_clear(const struct pixels *pixels);

/* The letter's whole cell, black behind it. column, row: within pixels->columns and rows. */
void pixels_draw(const struct pixels *pixels, unsigned column, unsigned row, char letter);
