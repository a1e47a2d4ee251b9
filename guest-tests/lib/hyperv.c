/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading Hyper-V's reference time. */
#include "guest-tests/lib/hyperv.h"

#include "guest-tests/lib/cpu.h"

#define FEATURE_REFERENCE_TSC 0x200u

bool hyperv_present(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	if (c.ebx != 0x7263694D || c.ecx != 0x666F736F || c.edx != 0x76482074 || cpuid(0x40000001, 0).eax != 0x31237648)
		return false;
	return cpuid(0x40000003, 0).eax & FEATURE_REFERENCE_TSC;
}

/* The high 64 bits of a product of 128, from 32-bit halves. */
static uint64_t high_product(uint64_t a, uint64_t b)
{
	uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
	uint64_t middle = (a0 * b0 >> 32) + (uint32_t)(a1 * b0) + (uint32_t)(a0 * b1);

	return a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32) + (middle >> 32);
}

uint64_t hyperv_page_time(const volatile struct hyperv_page *page, uint64_t tsc)
{
	return high_product(tsc, page->scale) + (uint64_t)page->offset;
}

uint64_t hyperv_read(const volatile struct hyperv_page *page)
{
	uint32_t sequence;
	uint64_t time;

	do {
		sequence = page->sequence;
		if (!sequence)
			return rdmsr(HV_TIME_REF_COUNT);
		time = hyperv_page_time(page, rdtsc());
	} while (page->sequence != sequence);
	return time;
}
