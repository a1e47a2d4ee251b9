/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames and four-level page tables (APM 2 5.3). Pure: tables lie in a block of frames that is reached through
 * one pointer, so that they can be built before the block is where it will be used, and on the test host. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first three also are what a nested page table needs for an access of any kind (APM 2 15.25.5), and, in VT-x's, read, write and execute
 * (SDM 3C table 29-6); a large page is bit 7 in all of them. */
#define PTE_PRESENT 1ull
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_UNCACHED (1ull << 4)
#define PTE_LARGE (1ull << 7)
#define PTE_PAT (1ull << 7) /* the same bit, in a 4 KiB page's entry */
#define PTE_NX (1ull << 63)

/* A physically contiguous block of frames; all before `next` are taken. */
struct frames {
	uint64_t base_hpa;
	uint8_t *pointer; /* where the block is mapped now */
	size_t next, count;
};

/* Zeroed, contiguous; NULL: fewer are left. */
void *frames_take(struct frames *frames, size_t pages);

struct paging {
	struct frames *frames;
	uint64_t root_hpa;
	unsigned largest_level; /* of a page: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB */
};

/* Takes the root table. False: no frame is left. */
bool paging_init(struct paging *paging, struct frames *frames, unsigned largest_level);

/* Maps whole pages with the largest pages that fit; all must be unmapped yet. flags: PTE_WRITE, PTE_NX,
 * caching. False: no frame is left. */
bool paging_map(struct paging *paging, uint64_t virtual, uint64_t hpa, uint64_t bytes, uint64_t flags);

/* The entry that maps the address, and the level it is at; 0: not mapped. */
uint64_t paging_entry(const struct paging *paging, uint64_t virtual, unsigned *level);
