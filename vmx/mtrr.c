/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory types from MTRRs. */
#include "vmx/mtrr.h"

#define PAGE 4096ull
#define MIB 0x100000ull
#define ADDRESS_BITS 0x000ffffffffff000ull
#define DEF_TYPE_ENABLE (1ull << 11)
#define DEF_TYPE_FIXED_ENABLE (1ull << 10)
#define MASK_VALID (1ull << 11)
#define TYPE_BITS 0xffu

static bool uses_fixed(const struct mtrrs *m)
{
	return m->has_fixed && m->def_type & DEF_TYPE_FIXED_ENABLE;
}

/* One register for 512 KiB, two for 256 KiB, eight for the last 256 KiB; each has eight fields (SDM 3A table 12-9). */
static unsigned fixed_type(const struct mtrrs *m, uint64_t hpa)
{
	unsigned field;

	if (hpa < 0x80000)
		field = (unsigned)(hpa >> 16);
	else if (hpa < 0xc0000)
		field = 8 + (unsigned)((hpa - 0x80000) >> 14);
	else
		field = 24 + (unsigned)((hpa - 0xc0000) >> 12);
	return (unsigned)(m->fixed[field / 8] >> 8 * (field % 8)) & TYPE_BITS;
}

static bool matches(const struct mtrrs *m, unsigned i, uint64_t hpa)
{
	uint64_t mask = m->mask[i] & ADDRESS_BITS;

	return m->mask[i] & MASK_VALID && (hpa & mask) == (m->base[i] & mask);
}

static unsigned overlap(unsigned a, unsigned b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_TYPE_WT && b == MEMORY_TYPE_WB) || (a == MEMORY_TYPE_WB && b == MEMORY_TYPE_WT))
		return MEMORY_TYPE_WT;
	return MEMORY_TYPE_UC;
}

unsigned mtrr_type(const struct mtrrs *m, uint64_t hpa)
{
	unsigned type = m->def_type & TYPE_BITS;
	bool found = false;

	if (!(m->def_type & DEF_TYPE_ENABLE))
		return MEMORY_TYPE_UC;
	if (hpa < MIB && uses_fixed(m))
		return fixed_type(m, hpa);
	for (unsigned i = 0; i < m->variable_count; i++) {
		if (!matches(m, i, hpa))
			continue;
		type = found ? overlap(type, m->base[i] & TYPE_BITS) : m->base[i] & TYPE_BITS;
		found = true;
	}
	return type;
}

/* From hpa on no range begins or ends within such a block that is aligned to its size: the lowest bit of a mask is as far
 * as the mask can see. */
static uint64_t block_bytes(const struct mtrrs *m, uint64_t hpa)
{
	uint64_t bytes = 1ull << 40;

	if (hpa < MIB && uses_fixed(m))
		return PAGE;
	for (unsigned i = 0; i < m->variable_count; i++) {
		uint64_t mask = m->mask[i] & ADDRESS_BITS;

		if (m->mask[i] & MASK_VALID && mask && (mask & -mask) < bytes)
			bytes = mask & -mask;
	}
	return bytes;
}

uint64_t mtrr_run(const struct mtrrs *m, uint64_t hpa, uint64_t bytes)
{
	unsigned type = mtrr_type(m, hpa);
	uint64_t end = hpa + bytes, at = hpa;

	do {
		uint64_t block = block_bytes(m, at);

		at = (at & ~(block - 1)) + block;
	} while (at < end && mtrr_type(m, at) == type);
	return at < end ? at - hpa : bytes;
}
