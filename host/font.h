/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The letters for screens of pixels: ASCII 20h to 7Eh, five dots wide. Pure. */
#pragma once

#include <stdbool.h>

/* A letter's cell in dots, the gaps to its neighbours included. */
#define FONT_CELL_WIDTH 6u
#define FONT_CELL_HEIGHT 9u

/* Whether the dot at column x and row y of the cell belongs to the letter. What is no letter is a block. */
bool font_dot(char letter, unsigned x, unsigned y);
