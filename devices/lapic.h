/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC of the one processor, whose APIC ID is 0 (SDM 3A 11): xAPIC by its page, x2APIC by MSRs. Six LVT entries
 * (version 14h) of which thermal sensor and performance counters have nothing to tell; no CMCI, no suppression of EOI broadcasts,
 * no SMI. ExtINT does not pass through here: who asks for an interrupt looks whether LINT0 lets the 8259A's through. */
#pragma once

#include "devices/bus.h"
#include "devices/lapic_timer.h"

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_PAGE_GPA 0xfee00000ull
#define LAPIC_PAGE_BYTES 0x1000

#define LAPIC_BASE_BSP (1ull << 8)
#define LAPIC_BASE_X2APIC (1ull << 10)
#define LAPIC_BASE_ENABLE (1ull << 11)

enum lapic_lvt { LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERFORMANCE, LAPIC_LVT_LINT0, LAPIC_LVT_LINT1, LAPIC_LVT_ERROR,
		 LAPIC_LVT_COUNT };

/* What goes to the processor besides vectors. */
enum lapic_signal { LAPIC_NMI, LAPIC_INIT };

/* Whom the APIC tells. All are called from within its own functions, with its state complete; the first four may not be NULL. */
struct lapic_hooks {
	void *context;
	void (*accepted)(void *context, uint8_t vector, uint64_t now_ns); /* the processor took it, of whichever source */
	void (*eoi)(void *context, uint8_t vector, uint64_t now_ns); /* broadcast: the end of a level-triggered one */
	void (*signal)(void *context, enum lapic_signal signal);
	void (*tpr_changed)(void *context, uint8_t tpr); /* by the guest's write to the register, or by reset: not by lapic_set_tpr */
	void (*follow_tpr)(void *context); /* before the TPR or what hangs on it is read: the processor may have another one, see lapic_set_tpr */
	void (*enabled)(void *context);    /* interrupts that it did not take before it takes now */
};

/* 256 bits, and which of their words are not 0. */
struct lapic_vectors {
	uint32_t words[8];
	uint32_t used;
};

struct lapic {
	int deliverable;   /* the vector that the processor is to take next, or -1 */
	bool takes_extint; /* the 8259A's INT reaches the processor now: LINT0 is ExtINT and not masked, or the APIC is off */
	uint8_t tpr, ppr;
	int highest_irr, highest_isr; /* -1: none */
	struct lapic_vectors irr, isr, tmr;
	uint64_t base;     /* MSR 1Bh */
	uint32_t ldr, dfr, svr, icr_low, icr_high;
	uint32_t lvt[LAPIC_LVT_COUNT];
	uint32_t errors;   /* since the last write to the ESR */
	uint32_t esr;      /* what that write made visible */
	bool error_told;   /* one error interrupt for all errors between two such writes */
	bool lint[2];      /* levels of the pins */
	uint8_t timer_vector; /* of the timer's interrupt that was sent last */
	bool has_deadline; /* CPUID.1:ECX bit 24: set after lapic_init where the guest is told otherwise */
	uint64_t spurious;
	struct lapic_timer timer;
	struct lapic_hooks hooks;
};

/* Claims the page and resets. The page is there
 * in every mode; where the registers are not in it, it reads as all ones and ignores writes. */
void lapic_init(struct lapic *lapic, struct bus *bus, struct event_queue *queue, const struct lapic_hooks *hooks);

/* The state after a reset (SDM 3A 11.4.7.1): in xAPIC mode, disabled by software. */
void lapic_reset(struct lapic *lapic);

/* As a PC's firmware leaves it: enabled, ExtINT on LINT0, NMI on LINT1 (MP Specification 1.4, 3.6.2.2). */
void lapic_virtual_wire(struct lapic *lapic);

/* The MSRs of x2APIC, 800h to 83Fh (SDM 3A table 11-6), others must not be asked. False: #GP, nothing has changed. */
bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now_ns);
bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now_ns);

/* MSR 1Bh. False: #GP, for a transition that SDM 3A 11.12.5 does not know, for reserved bits, and for another place of the page:
 * it stays at FEE00000h. What is written to the BSP flag is ignored. */
bool lapic_write_base(struct lapic *lapic, uint64_t value);

/* MSR 6E0h, where the guest's TSC shows tsc; reads 0 while nothing is armed. */
uint64_t lapic_read_deadline(struct lapic *lapic, uint64_t now_ns);
void lapic_write_deadline(struct lapic *lapic, uint64_t deadline_tsc, uint64_t tsc, uint64_t now_ns);

/* The guest has set its TSC, to tsc: an armed deadline is nearer or farther now. */
void lapic_tsc_moved(struct lapic *lapic, uint64_t tsc, uint64_t now_ns);

/* A message from the bus. Whether a destination of 8 bits is this processor; and the interrupt, fixed or lowest-priority. False: it
 * was not taken (the APIC is off, or the vector is below 16: an error). level: its EOI is to be broadcast. */
bool lapic_is_destination(const struct lapic *lapic, uint8_t destination, bool logical);
bool lapic_deliver(struct lapic *lapic, uint8_t vector, bool level);

/* The pins LINT0 (the 8259A's INT) and LINT1. As ExtINT a pin does nothing here: see takes_extint. */
void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level);

/* The same for LINT0, which mostly is an ExtINT. */
static inline void lapic_set_int(struct lapic *lapic, bool level)
{
	if (lapic->takes_extint)
		lapic->lint[0] = level;
	else
		lapic_set_lint(lapic, 0, level);
}

/* The vector that the processor is to take next, or -1. */
static inline int lapic_pending(const struct lapic *lapic)
{
	return lapic->deliverable;
}

/* Whether it may have one when it is told the processor's TPR. */
static inline bool lapic_may_interrupt(const struct lapic *lapic)
{
	return lapic->highest_irr > lapic->highest_isr;
}

static inline bool lapic_takes_extint(const struct lapic *lapic)
{
	return lapic->takes_extint;
}

/* The processor takes lapic_pending: returns it, in service now. With nothing to take it is the spurious vector, not in service. */
uint8_t lapic_acknowledge(struct lapic *lapic, uint64_t now_ns);

/* The processor's own task priority: CR8 << 4. */
void lapic_set_tpr(struct lapic *lapic, uint8_t tpr);

/* For each exit of an engine whose processor keeps the TPR. */
static inline void lapic_follow_tpr(struct lapic *lapic, uint8_t tpr)
{
	if (tpr != lapic->tpr)
		lapic_set_tpr(lapic, tpr);
}

/* The CR8 below which a waiting interrupt would be taken that only the TPR holds back now (VMX: the TPR threshold); 0: none is. */
static inline unsigned lapic_tpr_threshold(const struct lapic *lapic)
{
	int waiting = lapic->highest_irr >> 4, serving = lapic->highest_isr >> 4;

	return waiting > serving && waiting <= lapic->tpr >> 4 ? (unsigned)waiting : 0;
}

/* Whether the APIC takes fixed interrupts: enabled by MSR 1Bh and by the SVR. */
bool lapic_is_enabled(const struct lapic *lapic);

/* For the monitor: the timer's interrupts, of all modes. */
static inline void lapic_count_interrupts(const struct lapic *lapic, struct tick_counters *counters)
{
	lapic_timer_count(&lapic->timer, counters);
}
