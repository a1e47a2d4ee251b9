/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's view of physical memory: the image and its frame pool in one physical block, which is mapped at IMAGE_VIRTUAL; a direct
 * map of the host's RAM without that block; and a window for device registers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull
#define IMAGE_VIRTUAL 0xffffffff80000000ull
#define DIRECT_MAP_VIRTUAL 0xffff800000000000ull
#define MMIO_VIRTUAL 0xffffffffc0000000ull
#define MMIO_BYTES 0x3fe00000ull

/* The address at which Foliot reads and writes the host's RAM at hpa: RAM that the host's map calls usable, writable; the first MiB
 * without the VGA window, and ACPI's tables, read-only. Anything else, Foliot's own block included, faults. */
static inline void *host_ram(uint64_t hpa)
{
	return (void *)(DIRECT_MAP_VIRTUAL + hpa);
}

/* The physical address of an object of Foliot: a variable, its stack, a frame. */
uint64_t host_hpa_of(const void *foliot_pointer);

/* Device registers at hpa, uncached, for good. The same page may be asked for again. At boot only. */
void *host_map_mmio(uint64_t hpa, size_t bytes);

/* Zeroed pages, physically contiguous. At boot only; there is no free. Foliot stops with message 121 when they run out. */
void *frames_alloc(size_t pages);
size_t frames_left(void);
