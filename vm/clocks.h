/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which clocks the guest has: clocks= and hv= of the command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum clock_bits {
	CLOCK_PIT = 1 << 0,
	CLOCK_RTC = 1 << 1,
	CLOCK_HPET = 1 << 2,
	CLOCK_PMTIMER = 1 << 3,
	CLOCK_TSC = 1 << 4,
	CLOCK_LAPIC = 1 << 5,
	CLOCK_TSC_DEADLINE = 1 << 6, /* of the local APIC's timer */
	CLOCK_PVCLOCK = 1 << 7,
	CLOCK_HYPERV = 1 << 8,
};

#define CLOCKS_ALL 0x1ffu

/* Whose interface the guest finds at CPUID 40000000h. */
enum hv_interface { HV_KVM, HV_HYPERV, HV_BOTH, HV_NONE };

#define CLOCKS_EXPECTED                                                                                \
	"pit, rtc, hpet, pmtimer, tsc, lapic, tsc-deadline, pvclock, hyperv; at least one of pit, rtc, hpet, lapic; " \
	"tsc with pvclock; tsc and lapic with tsc-deadline"

/* Reads a list of names with commas between them into a set of enum clock_bits. False: a name is not known, or there can be no such machine:
 * nothing in it interrupts, or a clock counts by one that is not there. *clocks is as it was then. */
bool clocks_parse(const char *text, uint32_t *clocks);

/* The interface that has just these of the two paravirtual clocks; KVM's where none is wanted. */
enum hv_interface clocks_interface(uint32_t clocks);

/* Whether the interface has the paravirtual clocks of the set. */
bool clocks_fit(uint32_t clocks, enum hv_interface hv);

static inline bool hv_is_kvm(enum hv_interface hv)
{
	return hv == HV_KVM || hv == HV_BOTH;
}

static inline bool hv_is_hyperv(enum hv_interface hv)
{
	return hv == HV_HYPERV || hv == HV_BOTH;
}
