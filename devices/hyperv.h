/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What Hyper-V's interface has for time (Hypervisor Top Level Functional Specification 6.0b, "TLFS"): the reference counter of 100 ns, by MSR and by
 * a page in guest memory that scales the guest's TSC, the frequencies, and the hypercall page without which no guest takes them.
 *
 * MSR and page have one formula, ((tsc * HYPERV_SCALE) >> 64) + offset, and agree bit for bit. The guest's TSC is guest time plus what the guest
 * itself added, so the rate never enters into it: the page is written when it is registered and when the guest moves its TSC. Not here: hypercalls,
 * of which there are none, synthetic interrupts and timers; and the page is written into the guest's memory, it is no overlay on top of it. */
#pragma once

#include "devices/guest_ram.h"

#include <stdbool.h>
#include <stdint.h>

#define HV_X64_MSR_GUEST_OS_ID 0x40000000u
#define HV_X64_MSR_HYPERCALL 0x40000001u
#define HV_X64_MSR_VP_INDEX 0x40000002u
#define HV_X64_MSR_TIME_REF_COUNT 0x40000020u
#define HV_X64_MSR_REFERENCE_TSC 0x40000021u
#define HV_X64_MSR_TSC_FREQUENCY 0x40000022u
#define HV_X64_MSR_APIC_FREQUENCY 0x40000023u
#define HV_X64_MSR_VP_ASSIST_PAGE 0x40000073u
#define HV_X64_MSR_TSC_INVARIANT_CONTROL 0x40000118u

#define HV_PAGE_ENABLE (1ull << 0)      /* of HYPERCALL and REFERENCE_TSC */
#define HV_HYPERCALL_LOCKED (1ull << 1) /* the MSR stays as it is until a reset */
#define HV_EXPOSE_INVARIANT_TSC (1ull << 0)

/* CPUID 40000003h EAX: each privilege is an MSR or two (TLFS 4.2.2). */
#define HV_ACCESS_REFERENCE_COUNTER (1u << 1)
#define HV_ACCESS_HYPERCALL (1u << 5)
#define HV_ACCESS_VP_INDEX (1u << 6)
#define HV_ACCESS_REFERENCE_TSC (1u << 9)
#define HV_ACCESS_FREQUENCIES (1u << 11)
#define HV_ACCESS_TSC_INVARIANT (1u << 15)

#define HV_STATUS_INVALID_HYPERCALL_CODE 2

#define HYPERV_SCALE 184467440737095517ull /* 2^64 / 100, rounded up: ticks of 1 ns to units of 100 ns */
#define HYPERV_LAPIC_HZ 1000000000ull

/* The reference TSC page (TLFS 12.7.1); the rest of it is the guest's. */
struct hyperv_page {
	uint32_t sequence; /* 0: read the MSR instead */
	uint32_t reserved;
	uint64_t scale;
	int64_t offset;
};

_Static_assert(sizeof(struct hyperv_page) == 24, "the specification's size");

struct hyperv {
	const struct guest_ram *ram;
	uint32_t features; /* the privileges that the guest has */
	uint64_t guest_os_id, hypercall, reference_tsc, vp_assist_page, invariant_control; /* the MSRs as they read */
	uint64_t adjust;   /* the product is of guest time plus this: what the guest added to its TSC; 0 where the page may not be used */
	uint64_t offset;   /* what the product lacks of the reference time */
	bool page_usable;
	uint32_t sequence; /* of the page, 0 at first */
};

/* features: HV_ACCESS_ bits; guest time and the guest's TSC begin together. An MSR whose bit is not set is #GP. */
void hyperv_init(struct hyperv *hyperv, const struct guest_ram *ram, uint32_t features);

/* As after power-on (TLFS 3.13): nothing is registered and nothing is locked. Where the guest's TSC is stays known. */
void hyperv_reset(struct hyperv *hyperv);

/* Reference time at now_ns, in units of 100 ns. */
static inline uint64_t hyperv_time(const struct hyperv *hyperv, uint64_t now_ns)
{
	return (uint64_t)((unsigned __int128)(now_ns + hyperv->adjust) * HYPERV_SCALE >> 64) + hyperv->offset;
}

/* RDMSR and WRMSR of these at now_ns. False: #GP, because the guest has no such MSR, or may not write it, or not that. */
bool hyperv_read_msr(const struct hyperv *hyperv, uint32_t msr, uint64_t now_ns, uint64_t *value);
bool hyperv_write_msr(struct hyperv *hyperv, uint32_t msr, uint64_t value);

/* From now_ns on the guest's TSC is guest time plus tsc_adjust, modulo 2^64. Reference time goes on without a step backward; each move
 * may round by a unit. The page is written anew. Where that TSC would pass 2^64 - 1 before guest time ends (2^63 ns) the page's sequence is 0, as the
 * formula cannot follow. */
void hyperv_move_tsc(struct hyperv *hyperv, uint64_t now_ns, uint64_t tsc_adjust);

/* Whether the guest may make hypercalls: it has said who it is (TLFS 3.13). */
static inline bool hyperv_calls_enabled(const struct hyperv *hyperv)
{
	return hyperv->guest_os_id;
}
