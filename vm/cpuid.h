/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What CPUID tells the guest: a table of what may pass from the host, and the leaves that are Foliot's own. */
#pragma once

#include "vm/vcpu.h"

#include <stdint.h>

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

/* The guest's answer to CPUID(leaf, subleaf). host is what the processor answers to the same question; guest_cr4 decides OSXSAVE (SDM 2A
 * "CPUID"; APM 3 appendix E). Pure. */
struct cpuid_regs cpuid_for_guest(uint32_t leaf, uint32_t subleaf, const struct cpuid_regs *host, uint64_t guest_cr4);

/* The highest leaf of the leaf's range that the guest may ask for; a higher one reads as zeros. */
uint32_t cpuid_limit(uint32_t leaf);

/* The CR4 bits that the guest may set, when CPUID tells it these words (APM 2 3.1.3). Pure. */
uint64_t cpuid_cr4_allowed(uint32_t leaf_1_ecx, uint32_t leaf_7_ebx, uint32_t leaf_7_ecx);

/* XCR0 bits that the guest may set: x87, SSE, AVX, AVX-512. */
#define CPUID_XCR0_ALLOWED 0xe7u
