/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested page tables (APM 2 15.25), in 1 GiB and 2 MiB pages where they fit and 4 KiB pages at the edges. What is not mapped does not
 * exist for the guest. Built at boot, never changed. */
#include "svm/svm.h"

#include "base/assert.h"
#include "host/cpu.h"
#include "host/memory.h"

#define NPT_PRESENT (1ull << 0)
#define NPT_WRITE (1ull << 1)
#define NPT_USER (1ull << 2) /* nested walks count as user accesses (15.25.5) */
#define NPT_LARGE (1ull << 7)
#define NPT_ADDRESS 0x000ffffffffff000ull
#define NPT_ALL (NPT_PRESENT | NPT_WRITE | NPT_USER)
#define NPT_LEVELS 4

static uint64_t *root;
static bool gigabyte_pages;

void npt_init(void)
{
	root = frames_alloc(1);
	gigabyte_pages = cpuid(0x80000001, 0).edx & 1u << 26;
}

uint64_t npt_root_hpa(void)
{
	return host_hpa_of(root);
}

/* Where a frame of Foliot's own is in our address space. */
static uint64_t *frame_at(uint64_t hpa)
{
	return (uint64_t *)(IMAGE_VIRTUAL + (hpa - host_hpa_of((const void *)IMAGE_VIRTUAL)));
}

/* The table below an entry, made where there is none. */
static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & NPT_PRESENT))
		*entry = host_hpa_of(frames_alloc(1)) | NPT_ALL;
	ASSERT(!(*entry & NPT_LARGE));
	return frame_at(*entry & NPT_ADDRESS);
}

/* Maps the largest page that starts at gpa and hpa and fits in bytes. Returns its size. */
static uint64_t map_one(uint64_t gpa, uint64_t hpa, uint64_t bytes)
{
	uint64_t *table = root;

	for (unsigned level = NPT_LEVELS; ; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t size = 1ull << shift;
		uint64_t *entry = &table[gpa >> shift & 511];
		bool may_be_leaf = level < 3 || (level == 3 && gigabyte_pages);

		if (may_be_leaf && !((gpa | hpa) & (size - 1)) && bytes >= size) {
			ASSERT(!(*entry & NPT_PRESENT));
			*entry = hpa | NPT_ALL | (level > 1 ? NPT_LARGE : 0);
			return size;
		}
		table = table_below(entry);
	}
}

void npt_map(uint64_t gpa, uint64_t hpa, uint64_t bytes)
{
	ASSERT(!((gpa | hpa | bytes) & (PAGE_BYTES - 1)));
	while (bytes) {
		uint64_t mapped = map_one(gpa, hpa, bytes);

		gpa += mapped;
		hpa += mapped;
		bytes -= mapped;
	}
}
