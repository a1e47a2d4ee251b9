/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt lines between devices and interrupt controllers. A device drives its line and is told when its interrupt was accepted; it knows
 * no controller. Lines 0 to 15 are the ISA bus's IRQs, which both the 8259A pair and the IOAPIC have; 16 to 23 go to the IOAPIC alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IRQ_LINES 24
#define IRQ_ISA_LINES 16

struct irq_chip {
	void *chip;
	unsigned lines; /* the lines below this are wired to it */
	void (*set)(void *chip, unsigned irq, bool level);
	void (*pulse)(void *chip, unsigned irq); /* low and high again; NULL: as set twice */
	bool (*masked)(const void *chip, unsigned irq); /* can no interrupt of this line get through now? */
};

struct irq_source {
	void *device;
	void (*accepted)(void *device, uint64_t now_ns);
	const void *taker; /* the controller that delivered the interrupt since the line was raised last; NULL: none has yet */
};

struct irq_router {
	struct irq_chip chips[2]; /* lines 0: there is none */
	struct irq_source sources[IRQ_LINES]; /* whose the lines are now */

	uint32_t replaced; /* lines that another device has taken over for now */
	struct irq_source others[IRQ_LINES]; /* the devices whose the lines are not now */
	bool own_levels[IRQ_LINES], replacing_levels[IRQ_LINES]; /* as the one and the other drives them */
};

/* The global system interrupt (ACPI 6.5, 5.2.13), which is the IOAPIC's pin, of a line. IRQ 0 is at 2, where the 8259A pair has its cascade;
 * line 2 does not exist. */
static inline unsigned irq_gsi(unsigned irq)
{
	return irq == 0 ? 2 : irq;
}

/* Called by a device at its initialisation: whom to tell of accepted interrupts. accepted may be NULL. */
void irq_claim(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns));

/* Called by a controller at its initialisation; two are possible. */
void irq_attach_chip(struct irq_router *router, const struct irq_chip *chip);

/* A device drives its line. */
void irq_set(struct irq_router *router, unsigned irq, bool level);

/* It drives the line low, for a moment, and high. */
void irq_pulse(struct irq_router *router, unsigned irq);

/* Whether no controller would let an interrupt of the line through now. */
bool irq_masked(const struct irq_router *router, unsigned irq);

/* A controller, the context of its struct irq_chip, delivered an interrupt of the line to the processor. Where several controllers deliver the
 * same rise of a line, the device is told by the first of them alone. */
void irq_taken(struct irq_router *router, const void *chip, unsigned irq, uint64_t now_ns);

/* The device's interrupt was accepted. */
void irq_accepted(struct irq_router *router, unsigned irq, uint64_t now_ns);

/* A line can have a second device, which takes it over and gives it back: the HPET does so to the PIT's and the RTC's (IA-PC HPET 1.0a, 2.3.5).
 * Meanwhile what the first one drives reaches no controller and counts as masked, and the second one is told of accepted interrupts. */
void irq_claim_replacing(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns));
void irq_replace(struct irq_router *router, unsigned irq, bool replaced);

/* irq_set and irq_masked for the second one. */
void irq_set_replacing(struct irq_router *router, unsigned irq, bool level);
bool irq_masked_replacing(const struct irq_router *router, unsigned irq);
