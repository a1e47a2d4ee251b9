/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The names of Foliot's functions, for panics. tools/gen-symbols writes the tables from what nm says of the
 * image; an image linked for the first time has empty ones. The table follows the code in memory, so that it
 * does not move it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint32_t offset; /* of its address from IMAGE_VIRTUAL */
	uint32_t name;   /* index into symbol_names */
};

extern const struct symbol symbols[]; /* sorted by offset */
extern const size_t symbol_count;
extern const char symbol_names[];

/* The name of the function that holds the address, and how far in it is; NULL: none does. */
const char *symbol_find(uint64_t address, uint64_t *offset);
