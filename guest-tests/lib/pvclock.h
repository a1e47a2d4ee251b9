/* SPDX-License-Identifier: BSD-2-Clause
 *
 * KVM's paravirtual clock as a guest uses it (Linux Documentation/virt/kvm/x86/msr.rst). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MSR_KVM_WALL_CLOCK_OLD 0x11u
#define MSR_KVM_SYSTEM_TIME_OLD 0x12u
#define MSR_KVM_WALL_CLOCK 0x4B564D00u
#define MSR_KVM_SYSTEM_TIME 0x4B564D01u
#define PVCLOCK_TSC_STABLE 1
#define PVCLOCK_GUEST_STOPPED 2

struct pvclock_page {
	uint32_t version; /* odd: being written */
	uint32_t pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};

struct pvclock_wall {
	uint32_t version, seconds, ns;
};

/* CPUID 40000000h or 40000100h says "KVMKVMKVM", and the next leaf the clock. */
bool pvclock_present(void);

/* System time in ns by a page and the TSC now, by the version protocol. */
uint64_t pvclock_read(const volatile struct pvclock_page *page);
