/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Extended page tables (SDM 3C 29.3), in 1 GiB and 2 MiB pages where they fit and 4 KiB pages at the edges, each with the memory type that the
 * host's MTRRs give it. What is not mapped does not exist for the guest. Built at boot, never changed. */
#include "vmx/vmx.h"

#include "host/cpu.h"
#include "host/memory.h"
#include "vmx/control.h"
#include "vmx/mtrr.h"

#define MSR_MTRR_CAP 0xfeu
#define MTRR_CAP_FIXED (1ull << 8)
#define MSR_MTRR_BASE(n) (0x200u + 2 * (n))
#define MSR_MTRR_DEF_TYPE 0x2ffu

#define EPT_TYPE_SHIFT 3
#define EPT_WALK_OF_4 (3ull << 3)
#define ADDRESS_BITS 0x000ffffffffff000ull

static struct paging nested;
static struct mtrrs mtrrs;

static void read_mtrrs(void)
{
	static const uint32_t fixed[MTRR_FIXED] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	uint64_t cap = rdmsr(MSR_MTRR_CAP);

	mtrrs.def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	mtrrs.has_fixed = cap & MTRR_CAP_FIXED;
	for (unsigned i = 0; mtrrs.has_fixed && i < MTRR_FIXED; i++)
		mtrrs.fixed[i] = rdmsr(fixed[i]);
	mtrrs.variable_count = cap & 0xff;
	if (mtrrs.variable_count > MTRR_VARIABLE_MAX)
		mtrrs.variable_count = MTRR_VARIABLE_MAX;
	for (unsigned i = 0; i < mtrrs.variable_count; i++) {
		mtrrs.base[i] = rdmsr(MSR_MTRR_BASE(i));
		mtrrs.mask[i] = rdmsr(MSR_MTRR_BASE(i) + 1);
	}
}

void ept_init(void)
{
	unsigned largest = vmx_ept_has(EPT_1GIB_PAGES) ? 3 : vmx_ept_has(EPT_2MIB_PAGES) ? 2 : 1;

	read_mtrrs();
	nested_init(&nested, largest);
}

uint64_t ept_pointer(void)
{
	return nested.root_hpa | EPT_WALK_OF_4 | MEMORY_TYPE_WB;
}

void ept_map(uint64_t gpa, uint64_t hpa, uint64_t bytes)
{
	while (bytes) {
		uint64_t run = mtrr_run(&mtrrs, hpa, bytes);

		nested_map(&nested, gpa, hpa, run, PTE_WRITE | PTE_USER | (uint64_t)mtrr_type(&mtrrs, hpa) << EPT_TYPE_SHIFT);
		gpa += run;
		hpa += run;
		bytes -= run;
	}
}

uint64_t ept_read64(uint64_t gpa)
{
	unsigned level;
	uint64_t entry = paging_entry(&nested, gpa, &level);
	uint64_t inside = (1ull << (12 + 9 * (level - 1))) - 1;
	const uint64_t *at = entry ? host_pointer((entry & ADDRESS_BITS & ~inside) | (gpa & inside), sizeof *at) : NULL;

	return at ? *at : 0;
}
