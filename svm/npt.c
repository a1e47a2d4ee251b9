/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested page tables (APM 2 15.25), in 1 GiB and 2 MiB pages where they fit and 4 KiB pages at the edges. What is not mapped does not
 * exist for the guest. Built at boot, never changed. */
#include "svm/svm.h"

#include "host/cpu.h"
#include "host/memory.h"

#define CPUID_8000_0001_EDX_1GIB (1u << 26)

static struct paging nested;

void npt_init(void)
{
	nested_init(&nested, cpuid(0x80000001, 0).edx & CPUID_8000_0001_EDX_1GIB ? 3 : 2);
}

uint64_t npt_root_hpa(void)
{
	return nested.root_hpa;
}

void npt_map(uint64_t gpa, uint64_t hpa, uint64_t bytes)
{
	nested_map(&nested, gpa, hpa, bytes, PTE_WRITE | PTE_USER);
}
