/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One loop for all three formats of page tables; what differs is how many levels there are, how wide an entry
 * is, and which bits of it are reserved. */
#include "vm/walk.h"

#include "base/mem.h"

#include <stddef.h>

#define PAGE_BITS 12
#define PAGE_BYTES (1ull << PAGE_BITS)
#define LOW_HALF 0xffffffffull

#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_LARGE (1ull << 7)
#define ENTRY_NX (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* PAE's first level (APM 2 5.2.3): bits 1, 2 and 5 to 8 are reserved, and it has no rights. */
#define PDPTE_RESERVED 0x1e6ull
#define PDPTE_ACCESSED (1ull << 5) /* QEMU's AMD-V sets it all the same; no other processor gets so far with it */
/* A 4 MiB page: address bits 32 to 39 in bits 13 to 20, bit 21 reserved (APM 2 5.2.2). */
#define PDE_4M_HIGH(entry) (((entry) >> 13 & 0xff) << 32)
#define PDE_4M_RESERVED (1ull << 21)

#define PDPTES 4u

enum format { FORMAT_32, FORMAT_PAE, FORMAT_LONG };

struct tables {
	enum format format;
	unsigned levels, index_bits, entry_bytes;
	uint64_t root_gpa;
	uint64_t reserved; /* in every entry */
};

static struct tables tables_of(const struct walk_state *state)
{
	uint64_t beyond = state->address_bits ? ~0ull << state->address_bits & ENTRY_ADDRESS : 0;

	if (!(state->efer & EFER_NXE))
		beyond |= ENTRY_NX;
	if (state->efer & EFER_LMA)
		return (struct tables){ FORMAT_LONG, 4, 9, 8, state->cr3 & ENTRY_ADDRESS, beyond };
	if (state->cr4 & CR4_PAE) /* bits 52 to 62 are reserved here, in long mode they are not */
		return (struct tables){ FORMAT_PAE, 3, 9, 8, state->cr3 & 0xffffffe0, beyond | 0x7ffull << 52 };
	return (struct tables){ FORMAT_32, 2, 10, 4, state->cr3 & 0xfffff000, 0 };
}

static bool is_pdpte(const struct tables *tables, unsigned level)
{
	return tables->format == FORMAT_PAE && level == 2;
}

/* Whether the entry maps a page of its level's whole size. */
static bool is_large(const struct walk_state *state, const struct tables *tables, unsigned level, uint64_t entry)
{
	if (!level || !(entry & ENTRY_LARGE))
		return false;
	switch (tables->format) {
	case FORMAT_32:
		return state->cr4 & CR4_PSE;
	case FORMAT_PAE:
		return level == 1;
	case FORMAT_LONG:
		return level <= 2;
	}
	return false;
}

static uint64_t reserved_bits(const struct tables *tables, unsigned level, bool large)
{
	uint64_t page_bytes = 1ull << (PAGE_BITS + level * tables->index_bits);

	if (tables->format == FORMAT_32)
		return large ? PDE_4M_RESERVED : 0;
	if (is_pdpte(tables, level))
		return tables->reserved | PDPTE_RESERVED | ENTRY_NX;
	if (tables->format == FORMAT_LONG && level == 3)
		return tables->reserved | ENTRY_LARGE;
	return tables->reserved | (large ? (page_bytes - 1) & ~((PAGE_BYTES << 1) - 1) : 0); /* bit 12 is PAT */
}

bool walk_pdptes_are_legal(const struct walk_state *state, const struct guest_ram *ram)
{
	struct tables tables = tables_of(state);
	const uint8_t *table;

	if (!(state->cr0 & CR0_PG) || tables.format != FORMAT_PAE)
		return true;
	table = ram->span(ram->context, tables.root_gpa, PDPTES * sizeof(uint64_t));
	for (unsigned i = 0; table && i < PDPTES; i++) {
		uint64_t entry;

		memcpy(&entry, table + i * sizeof entry, sizeof entry);
		if (entry & ENTRY_PRESENT && entry & reserved_bits(&tables, 2, false))
			return false;
	}
	return table;
}

static uint64_t page_address(const struct tables *tables, unsigned level, uint64_t entry, uint64_t gva)
{
	uint64_t page_bytes = 1ull << (PAGE_BITS + level * tables->index_bits);
	uint64_t base = entry & ENTRY_ADDRESS & ~(page_bytes - 1);

	if (tables->format == FORMAT_32)
		base = (base & LOW_HALF) | (level ? PDE_4M_HIGH(entry) : 0);
	return base | (gva & (page_bytes - 1));
}

/* Whether the collected rights (USER and WRITE in all entries, NX in any) allow the access (APM 2 5.6). */
static bool allowed(const struct walk_state *state, uint64_t rights, unsigned access)
{
	bool user_page = rights & ENTRY_USER;

	if (access & WALK_FETCH && rights & ENTRY_NX)
		return false;
	if (access & WALK_USER)
		return user_page && (rights & ENTRY_WRITE || !(access & WALK_WRITE));
	if (user_page && access & WALK_FETCH && state->cr4 & CR4_SMEP)
		return false;
	if (user_page && !(access & WALK_FETCH) && state->cr4 & CR4_SMAP && !state->ac)
		return false;
	return rights & ENTRY_WRITE || !(access & WALK_WRITE) || !(state->cr0 & CR0_WP);
}

static enum walk_result fault(const struct walk_state *state, unsigned access, uint32_t bits, uint32_t *error)
{
	bool tells_fetch = (state->efer & EFER_NXE && state->cr4 & CR4_PAE) || state->cr4 & CR4_SMEP;

	*error = bits;
	if (access & WALK_WRITE)
		*error |= WALK_ERROR_WRITE;
	if (access & WALK_USER)
		*error |= WALK_ERROR_USER;
	if (access & WALK_FETCH && tells_fetch)
		*error |= WALK_ERROR_FETCH;
	return WALK_FAULT;
}

static enum walk_result walk_tables(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				    unsigned access, uint64_t *gpa, uint32_t *error)
{
	struct tables tables = tables_of(state);
	uint64_t table_gpa = tables.root_gpa, rights = ENTRY_USER | ENTRY_WRITE;

	for (unsigned level = tables.levels; level-- > 0;) {
		uint64_t index = gva >> (PAGE_BITS + level * tables.index_bits) & ((1u << tables.index_bits) - 1);
		const void *at = ram->span(ram->context, table_gpa + index * tables.entry_bytes, tables.entry_bytes);
		uint64_t entry = 0;
		bool large;

		if (!at)
			return WALK_NOT_RAM;
		memcpy(&entry, at, tables.entry_bytes);
		if (!(entry & ENTRY_PRESENT))
			return fault(state, access, 0, error);
		large = is_large(state, &tables, level, entry);
		if (entry & reserved_bits(&tables, level, large) & ~(is_pdpte(&tables, level) ? PDPTE_ACCESSED : 0))
			return fault(state, access, WALK_ERROR_PRESENT | WALK_ERROR_RESERVED, error);
		if (!is_pdpte(&tables, level))
			rights = (rights & (entry | ENTRY_NX)) | (entry & ENTRY_NX);
		if (large || !level) {
			*gpa = page_address(&tables, level, entry, gva);
			return allowed(state, rights, access) ? WALK_OK
							      : fault(state, access, WALK_ERROR_PRESENT, error);
		}
		table_gpa = entry & ENTRY_ADDRESS;
	}
	return WALK_NOT_RAM;
}

enum walk_result walk(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva, unsigned access,
		      uint64_t *gpa, uint32_t *error)
{
	if (!(state->efer & EFER_LMA))
		gva &= LOW_HALF;
	else if ((int64_t)(gva << 16) >> 16 != (int64_t)gva)
		return WALK_NOT_CANONICAL;
	if (state->cr0 & CR0_PG)
		return walk_tables(state, ram, gva, access, gpa, error);
	*gpa = gva;
	return WALK_OK;
}

enum walk_result guest_span_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				    unsigned access, uint8_t **at, uint64_t *bytes, uint32_t *error)
{
	uint64_t left_bytes = PAGE_BYTES - (gva & (PAGE_BYTES - 1)), gpa;
	enum walk_result result = walk(state, ram, gva, access, &gpa, error);
	uint8_t *found;

	if (result != WALK_OK)
		return result;
	found = ram->span(ram->context, gpa, left_bytes);
	if (!found)
		return WALK_NOT_RAM;
	*at = found;
	*bytes = left_bytes;
	return WALK_OK;
}

enum walk_result guest_read_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				    unsigned access, void *to, uint64_t bytes, uint64_t *done, uint32_t *error)
{
	enum walk_result result = WALK_OK;
	uint64_t copied = 0, part;
	uint8_t *at;

	for (; copied < bytes; copied += part) {
		result = guest_span_virtual(state, ram, gva + copied, access, &at, &part, error);
		if (result != WALK_OK)
			break;
		part = part < bytes - copied ? part : bytes - copied;
		memcpy((uint8_t *)to + copied, at, part);
	}
	if (done)
		*done = copied;
	return result;
}

enum walk_result guest_write_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				     unsigned access, const void *from, uint64_t bytes, uint64_t *done,
				     uint32_t *error)
{
	enum walk_result result = WALK_OK;
	uint64_t copied = 0, part;
	uint8_t *at;

	for (; copied < bytes; copied += part) {
		result = guest_span_virtual(state, ram, gva + copied, access | WALK_WRITE, &at, &part, error);
		if (result != WALK_OK)
			break;
		part = part < bytes - copied ? part : bytes - copied;
		memcpy(at, (const uint8_t *)from + copied, part);
	}
	if (done)
		*done = copied;
	return result;
}
