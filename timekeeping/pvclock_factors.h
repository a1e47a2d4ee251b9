/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The factors with which pvclock turns TSC ticks into ns (Linux Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_SYSTEM_TIME_NEW):
 *
 *     ns = ((ticks << shift) * mul) >> 32        ticks >> -shift where shift is negative */
#pragma once

#include <stdint.h>

#define PVCLOCK_FRAC_BITS 32

struct pvclock_factors {
	uint32_t mul; /* at least 2^31 */
	int8_t shift;
};

/* The factors of num / den ns a tick, num below 2^95, den below 2^96 and the ratio between 2^-63 and 2^63: mul is
 * rounded to the nearest, so that the rate is right to 2^-32. */
struct pvclock_factors pvclock_factors_of(unsigned __int128 num, unsigned __int128 den);

/* The factors of a TSC of that many hz, from 1 to 2^63. At 1 GHz they are exact: mul 80000000h, shift 1. */
struct pvclock_factors pvclock_factors(uint64_t hz);

/* What a guest makes of ticks, with its own truncation: bits that the shift moves out at either end are lost, so ticks
 * times 2^shift should stay below 2^64, and the result is modulo 2^64. */
uint64_t pvclock_ns(struct pvclock_factors factors, uint64_t ticks);
