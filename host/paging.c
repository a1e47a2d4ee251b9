/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building page tables. Levels count from 1, the page table, to 4, the root. */
#include "host/paging.h"

#include "base/assert.h"
#include "base/mem.h"

#define PAGE 4096ull
#define ADDRESS_MASK 0x000ffffffffff000ull

static unsigned shift_of(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static uint64_t *table_at(const struct paging *p, uint64_t entry)
{
	return (uint64_t *)(void *)(p->frames->pointer + ((entry & ADDRESS_MASK) - p->frames->base_hpa));
}

void *frames_take(struct frames *frames, size_t pages)
{
	uint8_t *taken = frames->pointer + frames->next * PAGE;

	if (pages > frames->count - frames->next)
		return NULL;
	frames->next += pages;
	return memset(taken, 0, pages * PAGE);
}

static uint64_t take_table(struct frames *frames)
{
	uint8_t *table = frames_take(frames, 1);

	return table ? frames->base_hpa + (uint64_t)(table - frames->pointer) : 0;
}

bool paging_init(struct paging *paging, struct frames *frames, unsigned largest_level)
{
	paging->frames = frames;
	paging->largest_level = largest_level;
	paging->root_hpa = take_table(frames);
	return paging->root_hpa;
}

/* The entry for the address in the table at `level`, with the tables above made as needed; NULL: no frame is left. */
static uint64_t *entry_for(struct paging *p, uint64_t virtual, unsigned level)
{
	uint64_t *entry;
	uint64_t table_hpa = p->root_hpa;

	for (unsigned at = 4;; at--) {
		entry = &table_at(p, table_hpa)[virtual >> shift_of(at) & 511];
		if (at == level)
			return entry;
		ASSERT(!(*entry & PTE_LARGE));
		if (!*entry) {
			table_hpa = take_table(p->frames);
			if (!table_hpa)
				return NULL;
			*entry = table_hpa | PTE_PRESENT | PTE_WRITE | PTE_USER; /* the leaf decides */
		}
		table_hpa = *entry & ADDRESS_MASK;
	}
}

/* The largest page that starts at both addresses and does not reach beyond bytes. */
static unsigned level_for(const struct paging *p, uint64_t virtual, uint64_t hpa, uint64_t bytes)
{
	unsigned level = p->largest_level;

	while (level > 1 && ((virtual | hpa) & ((1ull << shift_of(level)) - 1) || bytes >> shift_of(level) == 0))
		level--;
	return level;
}

bool paging_map(struct paging *paging, uint64_t virtual, uint64_t hpa, uint64_t bytes, uint64_t flags)
{
	ASSERT(!((virtual | hpa | bytes) & (PAGE - 1)));
	while (bytes) {
		unsigned level = level_for(paging, virtual, hpa, bytes);
		uint64_t page = 1ull << shift_of(level);
		uint64_t *entry = entry_for(paging, virtual, level);

		if (!entry)
			return false;
		ASSERT(!*entry);
		*entry = hpa | flags | PTE_PRESENT | (level > 1 ? PTE_LARGE : 0);
		virtual += page;
		hpa += page;
		bytes -= page;
	}
	return true;
}

uint64_t paging_entry(const struct paging *paging, uint64_t virtual, unsigned *level)
{
	uint64_t entry = paging->root_hpa;

	for (*level = 4;; --*level) {
		entry = table_at(paging, entry)[virtual >> shift_of(*level) & 511];
		if (!(entry & PTE_PRESENT))
			return 0;
		if (*level == 1 || entry & PTE_LARGE)
			return entry;
	}
}
