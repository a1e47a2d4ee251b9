/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding the function at an address. */
#include "host/symbols.h"

#include "host/memory.h"

extern const uint8_t image_rodata[]; /* linker.ld: the end of the code */

const char *symbol_find(uint64_t address, uint64_t *offset)
{
	const char *name = NULL;

	if (address < IMAGE_VIRTUAL || address >= (uint64_t)image_rodata)
		return NULL;
	for (size_t i = 0; i < symbol_count && symbols[i].offset <= address - IMAGE_VIRTUAL; i++) {
		name = symbol_names + symbols[i].name;
		*offset = address - IMAGE_VIRTUAL - symbols[i].offset;
	}
	return name;
}
