/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The paravirtual clock of KVM's ABI (Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst): two structures in
 * guest memory, which the guest names by MSRs.
 *
 * Where the guest's TSC is exactly 1 GHz whatever the rate is, the factors never change and a page stays right for
 * ever: it is written when it is registered, when the guest moves its TSC, and to tell of a stop. Where the TSC is the
 * host's own, the page carries the rate, and is written anew with each stamp of the line (timekeeping/line.h). */
#pragma once

#include "devices/guest_ram.h"
#include "timekeeping/line.h"

#include <stdbool.h>
#include <stdint.h>

#define MSR_KVM_WALL_CLOCK 0x11       /* CLOCKSOURCE */
#define MSR_KVM_SYSTEM_TIME 0x12
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00 /* CLOCKSOURCE2 */
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01

#define MSR_KVM_SYSTEM_TIME_ENABLE 1

/* CPUID 40000001h EAX. */
#define KVM_FEATURE_CLOCKSOURCE (1u << 0)
#define KVM_FEATURE_NOP_IO_DELAY (1u << 1)
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_CLOCKSOURCE_STABLE_BIT (1u << 24)

#define PVCLOCK_TSC_STABLE 1
#define PVCLOCK_GUEST_STOPPED 2

/* ns = ((tsc - tsc_timestamp) << shift) * mul / 2^32 + system_time: with 1 GHz one tick is 1 ns exactly. */
#define PVCLOCK_ONE_GHZ ((struct pvclock_factors){ .mul = 0x80000000, .shift = 1 })

/* What the time structure says: guest time is ns where the guest's TSC is tsc, and goes on from there by factors. */
struct pvclock_stamp {
	uint64_t tsc, ns;
	struct pvclock_factors factors;
};

/* struct pvclock_vcpu_time_info and struct pvclock_wall_clock of the ABI. */
struct pvclock_time {
	uint32_t version; /* odd while the rest is being written */
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time_ns;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};

struct pvclock_wall {
	uint32_t version;
	uint32_t seconds; /* since 1970, when system_time was 0; modulo 2^32 */
	uint32_t ns;      /* of that second */
};

_Static_assert(sizeof(struct pvclock_time) == 32 && sizeof(struct pvclock_wall) == 12, "the ABI's sizes");

/* What a page has to say at host_tsc, where the guest's TSC is the line plus tsc_adjust; or, beside a stamped line, host_tsc
 * plus tsc_adjust. */
struct pvclock_stamp pvclock_stamp_of(const struct line *line, uint64_t host_tsc, uint64_t tsc_adjust);

struct pvclock {
	const struct guest_ram *ram;
	int64_t unix_at_zero; /* the wall clock at guest time 0, and the ns of that second; before 1970 after a jump that goes back far enough */
	uint32_t ns_at_zero;
	uint64_t system_time_msr, wall_clock_msr; /* as the guest wrote them */
	uint32_t version, wall_version;           /* of the last structure written; even */
	bool stopped;                             /* GUEST_STOPPED is to be told */
	void (*stamped)(void *context, const struct pvclock_time *time); /* for the trace: a time structure was written; NULL at first */
	void *stamped_context;
};

void pvclock_init(struct pvclock *pvclock, const struct guest_ram *ram, int64_t unix_at_zero);

/* The wall clock's date at now_ns: seconds since 1970, and the ns of that second. A jump is told to whoever registers the wall
 * structure from then on, as Linux does each time that it asks for the date; what was registered before is not written again: its
 * memory may serve something else by now. */
int64_t pvclock_unix(const struct pvclock *pvclock, uint64_t now_ns, uint32_t *ns);
void pvclock_set_unix(struct pvclock *pvclock, int64_t unix_seconds, uint32_t ns, uint64_t now_ns);

/* Nothing is registered any more. */
void pvclock_reset(struct pvclock *pvclock);

/* WRMSR of one of the four. False: #GP, because it is none of them or its address is not aligned to 4 bytes. An
 * address that is not guest RAM is taken and nothing is written there, as KVM does it. */
bool pvclock_write_msr(struct pvclock *pvclock, uint32_t msr, uint64_t value, const struct pvclock_stamp *stamp);

/* RDMSR: what was last written. False: it is none of the four. */
bool pvclock_read_msr(const struct pvclock *pvclock, uint32_t msr, uint64_t *value);

/* Writes the registered time structure anew; without one, nothing. To be called when the guest's TSC has moved
 * against guest time, when a stamped line was bent or stamped, and after pvclock_guest_stopped. */
void pvclock_update(struct pvclock *pvclock, const struct pvclock_stamp *stamp);

/* Guest time has jumped over a stall: the next update says so, that the guest's watchdogs forgive it. Linux clears
 * the flag in the page. */
void pvclock_guest_stopped(struct pvclock *pvclock);
