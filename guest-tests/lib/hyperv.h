/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hyper-V's interface as a guest uses it for time (Hypervisor Top Level Functional Specification 6.0b). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HV_GUEST_OS_ID 0x40000000u
#define HV_HYPERCALL 0x40000001u
#define HV_VP_INDEX 0x40000002u
#define HV_TIME_REF_COUNT 0x40000020u
#define HV_REFERENCE_TSC 0x40000021u
#define HV_TSC_FREQUENCY 0x40000022u
#define HV_APIC_FREQUENCY 0x40000023u
#define HV_TSC_INVARIANT_CONTROL 0x40000118u

#define HV_UNIT_NS 100u

struct hyperv_page {
	uint32_t sequence; /* 0: the page is not to be used */
	uint32_t reserved;
	uint64_t scale;
	int64_t offset;
};

/* CPUID 40000000h says "Microsoft Hv", 40000001h "Hv#1", and 40000003h has the page. */
bool hyperv_present(void);

/* The page's time for that TSC value, in units of 100 ns (12.7.1). */
uint64_t hyperv_page_time(const volatile struct hyperv_page *page, uint64_t tsc);

/* Reference time by the page and the TSC now; by the MSR where the page is not to be used. */
uint64_t hyperv_read(const volatile struct hyperv_page *page);
