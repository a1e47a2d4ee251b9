/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the boot loader handed over (Multiboot 0.6.96, 3.3): the command line's options and the memory map. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct memory_range {
	uint32_t size; /* of the rest of this entry */
	uint64_t base, bytes;
	uint32_t type; /* 1: RAM */
} __attribute__((packed));

void multiboot_init(uint32_t magic, const uint32_t *information);

/* The value after "name=" on the command line; if_absent where there is none. Decimal, or 0x and hexadecimal. */
uint32_t option_number(const char *name, uint32_t if_absent);

/* Whether "name=value" is on the command line. */
bool option_is(const char *name, const char *value);

/* Whether word is in the list, with commas between, after "name=". */
bool option_lists(const char *name, const char *word);

/* full times share percent (share=1 to 100 on the command line, 1 where it is not there), at least 1. */
uint32_t share(uint32_t full);

/* The next entry of the memory map: NULL asks for the first, NULL comes after the last. */
const struct memory_range *memory_next(const struct memory_range *range);

/* Whether [gpa, gpa + bytes) lies within one range that the map calls RAM. */
bool memory_is_ram(uint64_t gpa, uint64_t bytes);
