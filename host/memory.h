/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's view of physical memory: the image and its frame pool in one physical block, which is mapped at
 * IMAGE_VIRTUAL; a direct map of the host's RAM without that block; and a window for device registers. */
#pragma once

#include "host/paging.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull
#define IMAGE_VIRTUAL 0xffffffff80000000ull
#define DIRECT_MAP_VIRTUAL 0xffff800000000000ull
#define DIRECT_MAP_BYTES (1ull << 46)
#define MMIO_VIRTUAL 0xffffffffc0000000ull
#define MMIO_BYTES 0x3fe00000ull

/* The address at which Foliot reads and writes the host's RAM at hpa: what the host's map calls usable is
 * writable; the first MiB without the VGA window, and ACPI's tables, are read-only. Anything else, Foliot's own
 * block included, faults. */
static inline void *host_ram(uint64_t hpa)
{
	return (void *)(DIRECT_MAP_VIRTUAL + hpa);
}

/* Whether host_ram reaches the whole range, for reading. */
bool host_ram_reaches(uint64_t hpa, uint64_t bytes);

/* The physical address of an object of Foliot: a variable, its stack, a frame. */
uint64_t host_hpa_of(const void *foliot_pointer);

/* Device registers at hpa, uncached, for good. A page that was mapped before is found again. At boot only. */
void *host_map_mmio(uint64_t hpa, size_t bytes);

/* The screen's memory at hpa, a page's start, for good: writes may be combined, where the processor can. At boot only. */
void *host_map_framebuffer(uint64_t hpa, uint64_t bytes);

/* Zeroed pages, physically contiguous. At boot only; there is no free. Foliot stops with message 121 when they
 * run out. */
void *frames_alloc(size_t pages);
size_t frames_left(void);

/* Nested page tables in Foliot's frames; largest_level as in struct paging. At boot only; Foliot stops with message 121 when no frame is left. */
void nested_init(struct paging *nested, unsigned largest_level);
void nested_map(struct paging *nested, uint64_t gpa, uint64_t hpa, uint64_t bytes, uint64_t flags);

/* Where Foliot reads what host_ram reaches, and its own block; NULL: neither. */
const void *host_pointer(uint64_t hpa, uint64_t bytes);

/* For boot/relocate.c: the block at base_hpa, still reached by its physical address, and its tables, empty. */
struct paging *memory_begin(uint64_t base_hpa, uint64_t image_bytes, size_t pool_pages, unsigned largest_level);

/* For boot/relocate.c, after the switch: the block is reached at IMAGE_VIRTUAL from now on. */
void memory_moved(void);

/* The end of the host's physical addresses, 2^MAXPHYADDR. */
uint64_t host_physical_end(void);
