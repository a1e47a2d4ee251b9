/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC as a test guest uses it (SDM 3A 11), by its page or, in x2APIC mode, by MSRs: registers go by their offsets in the page. */
#pragma once

#include "guest-tests/lib/cpu.h"

#define MSR_APIC_BASE 0x1Bu
#define MSR_TSC_DEADLINE 0x6E0u
#define MSR_X2APIC 0x800u
#define APIC_BASE_BSP 0x100u
#define APIC_BASE_X2APIC 0x400u
#define APIC_BASE_ENABLE 0x800u
#define LAPIC_PAGE 0xFEE00000u

enum lapic_register {
	LAPIC_ID = 0x020,
	LAPIC_VERSION = 0x030,
	LAPIC_TPR = 0x080,
	LAPIC_PPR = 0x0A0,
	LAPIC_EOI = 0x0B0,
	LAPIC_LDR = 0x0D0,
	LAPIC_DFR = 0x0E0,
	LAPIC_SVR = 0x0F0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_INITIAL = 0x380,
	LAPIC_CURRENT = 0x390,
	LAPIC_DIVIDE = 0x3E0,
	LAPIC_SELF_IPI = 0x3F0,
};

#define LAPIC_ENABLE 0x100u /* in the SVR */
#define LAPIC_MASKED 0x10000u
#define LAPIC_PERIODIC 0x20000u
#define LAPIC_DEADLINE 0x40000u
#define LAPIC_EXTINT 0x700u
#define LAPIC_TO_SELF 0x40000u /* in the ICR */
#define LAPIC_DIVIDE_BY_1 0xBu

#define LAPIC_SPURIOUS 0xEFu /* the vector that these tests give it */

/* Whether the registers are reached by MSRs: lapic_set_base keeps it. */
extern bool lapic_x2apic;
const char *lapic_mode(void);

/* Writes MSR 1Bh: the page and the BSP flag as they are, and these bits. False: #GP. */
bool lapic_set_base(uint32_t bits);

static inline uint32_t lapic_page_read(uint32_t offset)
{
	return peek(LAPIC_PAGE + offset);
}

static inline void lapic_page_write(uint32_t offset, uint32_t value)
{
	poke(LAPIC_PAGE + offset, value);
}

static inline uint32_t lapic_read(uint32_t reg)
{
	return lapic_x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : lapic_page_read(reg);
}

static inline void lapic_write(uint32_t reg, uint32_t value)
{
	if (lapic_x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		lapic_page_write(reg, value);
}

/* Enabled, the 8259A pair's interrupts through LINT0. */
void lapic_enable(void);

/* Whether a vector is in ISR, TMR or IRR. */
bool lapic_has_vector(uint32_t reg, uint32_t vector);

void lapic_self_ipi(uint32_t vector);

/* Takes and ends all interrupts that wait or are served. Called with interrupts disabled; the TPR is 0 then. */
void lapic_end_all(void);
