/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen, for messages and panics: VGA's text, or pixels. Without one of the two begins nothing is written anywhere. What is
 * shown is kept here too, so that scrolling reads no device and draws only what changes. Pure. */
#pragma once

#include "host/pixels.h"

#include <stddef.h>

#define SCREEN_COLUMNS_MAX 160u
#define SCREEN_ROWS_MAX 72u

/* VGA's text buffer, two bytes a letter, mapped at cells. Clears it. False: more letters than the above. */
bool screen_begin_text(void *cells, unsigned columns, unsigned rows);

/* Pixels, mapped at base. Clears them. NULL: not mapped yet, screen_move shows what was written until then. Of a larger screen the
 * left upper part is used. False: pixels_init does not take the format. */
bool screen_begin_pixels(void *base, const struct pixel_format *format);

/* The same screen at another address. */
void screen_move(void *base);

/* Newlines and carriage returns are understood; the screen scrolls. */
void screen_write(const char *text, size_t bytes);
