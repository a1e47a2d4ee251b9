/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loadable segments of an ELF32 executable for the i386 (System V ABI, "Object Files"). */
#pragma once

#include "vm/load.h"

#define LOAD_SEGMENTS 24

/* file_bytes at file_offset go to gpa; from there to memory_bytes is zero. */
struct load_segment {
	uint64_t file_offset, file_bytes;
	uint64_t gpa, memory_bytes;
};

struct load_segments {
	struct load_segment list[LOAD_SEGMENTS];
	unsigned count;
	uint32_t entry; /* physical */
};

/* Reads and checks the program headers. The segments may still overlap or lie outside of RAM. Refusals 340 to 349. */
bool elf32_read(const struct load_module *file, struct load_segments *segments, struct refusal *why);
