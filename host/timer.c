/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Arming the local APIC's timer. It is done for every event of the guest, so it is short. */
#include "host/timer.h"

#include "host/apic.h"
#include "host/cpu.h"
#include "host/interrupts.h"
#include "host/message.h"

#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_INTERRUPT_PENDING 0xc0010055u
#define C1E_ON_CMP_HALT (3ull << 27)
#define LVT_TSC_DEADLINE (2u << 17)
#define RATIO_BITS 32
#define LAPIC_HZ_MIN 1000000u
#define LAPIC_HZ_MAX 4000000000u

void timer_entry_xapic(void);  /* host/interrupts.asm */
void timer_entry_x2apic(void);

static bool has_deadline;
static uint64_t ratio;          /* timer ticks per TSC tick, rounded up, RATIO_BITS fraction bits */
static uint64_t longest_tsc;    /* the most that the counter can hold */

bool timer_has_deadline_mode(void)
{
	return has_deadline;
}

/* AMD families 0Fh and 10h (BKDG 31116, MSRC001_0055; erratum 400): where the firmware enabled C1E, HLT stops the local APIC's timer. */
static void forbid_c1e(void)
{
	uint32_t family = cpuid(1, 0).eax;
	uint64_t control = 0;

	family = (family >> 8 & 0xf) + (family >> 20 & 0xff);
	if ((family == 0xf || family == 0x10) && rdmsr_safe(MSR_INTERRUPT_PENDING, &control) && control & C1E_ON_CMP_HALT)
		wrmsr_safe(MSR_INTERRUPT_PENDING, control & ~C1E_ON_CMP_HALT);
}

void timer_init(uint64_t tsc_hz, uint64_t lapic_hz)
{
	forbid_c1e();
	has_deadline = cpuid(1, 0).ecx & 1u << 24;
	if (has_deadline)
		lapic_hz = tsc_hz; /* it need not count at all */
	else if (lapic_hz < LAPIC_HZ_MIN || lapic_hz > LAPIC_HZ_MAX)
		message_fatal(143, "the local APIC's timer counts at %lu Hz, which cannot be: Foliot needs it", lapic_hz);
	ratio = ((lapic_hz << RATIO_BITS) + tsc_hz - 1) / tsc_hz;
	longest_tsc = ((uint64_t)UINT32_MAX << RATIO_BITS) / ratio;
	interrupts_set_fast(VECTOR_TIMER, lapic_registers ? timer_entry_xapic : timer_entry_x2apic);
	lapic_write(APIC_TIMER_DIVIDE, 0x0b);
	lapic_write(APIC_LVT_TIMER, VECTOR_TIMER | (has_deadline ? LVT_TSC_DEADLINE : 0));
	cpu_mfence(); /* SDM 3A 11.5.4.1: the mode must be set before the MSR is written */
	timer_stop();
}

static void arm_count(uint64_t deadline_host_tsc)
{
	uint64_t left = deadline_host_tsc - rdtsc();
	uint64_t count;

	if ((int64_t)left <= 0)
		count = 1;
	else if (left > longest_tsc)
		count = UINT32_MAX;
	else
		count = (left * ratio + ((1ull << RATIO_BITS) - 1)) >> RATIO_BITS;
	lapic_write(APIC_TIMER_INITIAL, (uint32_t)count);
}

void timer_arm(uint64_t deadline_host_tsc)
{
	if (has_deadline)
		wrmsr(MSR_TSC_DEADLINE, deadline_host_tsc ? deadline_host_tsc : 1);
	else
		arm_count(deadline_host_tsc);
}

void timer_stop(void)
{
	if (has_deadline)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		lapic_write(APIC_TIMER_INITIAL, 0);
}
