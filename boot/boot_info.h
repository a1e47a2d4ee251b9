/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the loader told Foliot about the machine, in a form that does not depend on the loader. A copy: nothing
 * in it points into the loader's data, except for the modules' contents. */
#pragma once

#include "host/pixels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_COMMAND_LINE_BYTES 4096u
#define BOOT_RANGES_MAX 256u
#define BOOT_MODULES_MAX 8u

/* In rising order of who wins where ranges overlap. */
enum memory_kind {
	MEMORY_USABLE,
	MEMORY_ACPI, /* ACPI tables, usable once they have been read */
	MEMORY_NVS,  /* kept by firmware */
	MEMORY_RESERVED,
	MEMORY_BAD,
};

struct memory_range {
	uint64_t base_hpa;
	uint64_t bytes; /* base_hpa + bytes is at most 2^64 - 1 */
	enum memory_kind kind;
};

struct boot_module {
	uint64_t base_hpa;
	uint64_t bytes;
	char command_line[BOOT_COMMAND_LINE_BYTES];
};

/* Multiboot2 2.0 3.6.12. A screen with a palette is none that Foliot draws on. */
enum framebuffer_kind { FRAMEBUFFER_NONE, FRAMEBUFFER_RGB, FRAMEBUFFER_EGA_TEXT };

struct framebuffer {
	enum framebuffer_kind kind;
	uint64_t base_hpa;
	uint32_t pitch_bytes, width, height; /* in characters for text */
	uint8_t bits_per_pixel;
	struct colour_field red, green, blue; /* of FRAMEBUFFER_RGB */
};

struct boot_info {
	char command_line[BOOT_COMMAND_LINE_BYTES];
	char loader[64];
	struct memory_range ranges[BOOT_RANGES_MAX]; /* sorted, not empty, no overlap, neighbours of one kind merged */
	size_t range_count;
	struct boot_module modules[BOOT_MODULES_MAX];
	size_t module_count;
	uint8_t rsdp[36]; /* a copy of the ACPI root pointer */
	size_t rsdp_bytes; /* 0: the loader gave none */
	struct framebuffer framebuffer;
	uint64_t image_base_hpa, image_bytes; /* where Foliot is, its frame pool included */
};
