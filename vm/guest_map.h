/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's physical memory: which of the host's RAM it gets (guest-physical equals host-physical), what lies
 * below 1 MiB, and the memory map in the forms that boot protocols want. Nothing of the host's firmware shows
 * through. */
#pragma once

#include "base/refusal.h"
#include "boot/boot_info.h"
#include "devices/guest_ram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_RANGES 64
#define GUEST_E820_ENTRIES (GUEST_RANGES + 4)

#define GUEST_EBDA_GPA 0x9fc00ull    /* the end of RAM below 1 MiB */
#define GUEST_EBDA_BYTES 0x400ull
#define GUEST_HOLE_GPA 0xa0000ull    /* nothing answers up to GUEST_ROM_GPA */
#define GUEST_ROM_GPA 0xc0000ull     /* RAM of Foliot's choosing up to 1 MiB: the ACPI tables */
#define GUEST_HIGH_GPA 0x100000ull

struct guest_map_input {
	const struct memory_range *ranges; /* in any order; where they overlap, one that is not MEMORY_USABLE wins */
	size_t count;
	uint64_t image_base_hpa, image_bytes; /* Foliot's own memory */
	uint64_t limit_mib;                   /* mem=: all RAM of the guest, its first MiB included; 0: no limit */
};

/* What nested paging maps: all of it is RAM, 4 KiB aligned, sorted and disjoint. */
struct guest_range {
	uint64_t gpa, bytes;
	bool own; /* backed by zeroed frames of Foliot's; otherwise HPA = GPA */
};

enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };

struct e820_entry {
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));

struct guest_map {
	struct guest_range ranges[GUEST_RANGES];
	size_t count;
	struct e820_entry e820[GUEST_E820_ENTRIES]; /* as Linux's boot_params.e820_table has them */
	size_t e820_count;
	uint64_t ram_bytes;      /* the sum of the E820_RAM entries */
	uint64_t left_out_bytes; /* usable, but the table was full */
};

/* Refuses (301) where less than 4 MiB would remain. */
bool guest_map_build(const struct guest_map_input *input, struct guest_map *map, struct refusal *why);

/* Whether [gpa, gpa + bytes) lies in one E820_RAM entry. */
bool guest_map_is_ram(const struct guest_map *map, uint64_t gpa, uint64_t bytes);

/* KiB of RAM from 1 MiB up to the first hole: Multiboot 1's mem_upper, the RTC's memory size bytes. Saturates
 * at 2^32 - 1. */
uint32_t guest_map_upper_kib(const struct guest_map *map);

/* Writes the map as Multiboot 1 has it (3.3 "mmap_*"): 24 bytes an entry. Returns the bytes written, or needed
 * where out is NULL. */
size_t guest_map_multiboot(const struct guest_map *map, uint8_t *out);

/* Clears the guest's page 0 and the EBDA, and writes the BIOS data area: COM1 at 400h, EBDA segment at 40Eh,
 * equipment word at 410h, KiB of base memory at 413h (Phoenix "System BIOS for IBM PCs", BIOS data area). */
void guest_map_build_bios_area(const struct guest_ram *ram);
