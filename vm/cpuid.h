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

/* Whether the leaf says how fast the TSC is, or that it keeps its rate; it says nothing else. Where the guest's TSC does not go with guest time
 * (tsc=native) such a leaf reads as CPUID_NO_LEAF does, so that a guest that has kvm-clock takes that. */
bool cpuid_tells_tsc_rate(uint32_t leaf);

/* A leaf that the guest does not have: zeros. */
#define CPUID_NO_LEAF 0x3u

/* Takes RDRAND and RDSEED out of the answer to CPUID(leaf, subleaf). Pure. */
struct cpuid_regs cpuid_hide_random(uint32_t leaf, uint32_t subleaf, struct cpuid_regs answer);

/* The highest leaf of the leaf's range that the guest may ask for; a higher one reads as zeros. */
uint32_t cpuid_limit(uint32_t leaf);

/* The CR4 bits that the guest may set, when CPUID tells it these words (APM 2 3.1.3). Pure. */
uint64_t cpuid_cr4_allowed(uint32_t leaf_1_ecx, uint32_t leaf_7_ebx, uint32_t leaf_7_ecx);

/* XCR0 bits that the guest may set: x87, SSE, AVX, AVX-512. */
#define CPUID_XCR0_ALLOWED 0xe7u
