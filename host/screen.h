/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A text screen of the VGA kind, for messages and panics. Without screen_init nothing is written anywhere. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* cells: the mapped text buffer, two bytes a character. Clears the screen; NULL: no screen from here on. */
void screen_init(void *cells, unsigned columns, unsigned rows);

/* The same screen at another address. */
void screen_move(void *cells);

/* Newlines and carriage returns are understood; the screen scrolls. */
void screen_write(const char *text, size_t bytes);
