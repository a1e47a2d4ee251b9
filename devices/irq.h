/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt lines between devices and interrupt controllers. A device drives its line and is told when its
 * interrupt was accepted; it knows no controller. IRQ numbers are the ISA ones, 0 to 15 (GSIs later). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IRQ_LINES 16

struct irq_chip {
	void *chip;
	void (*set)(void *chip, unsigned irq, bool level);
	bool (*masked)(const void *chip, unsigned irq); /* can no interrupt of this line get through now? */
};

struct irq_source {
	void *device;
	void (*accepted)(void *device, uint64_t now_ns);
};

struct irq_router {
	struct irq_chip chip;
	struct irq_source sources[IRQ_LINES];
};

/* Called by a device at its initialisation: whom to tell of accepted interrupts. accepted may be NULL. */
void irq_claim(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns));

/* Called by the controller at its initialisation. */
void irq_attach_chip(struct irq_router *router, const struct irq_chip *chip);

/* A device drives its line. */
void irq_set(struct irq_router *router, unsigned irq, bool level);

bool irq_masked(const struct irq_router *router, unsigned irq);

/* The controller delivered the interrupt to the processor. */
void irq_accepted(struct irq_router *router, unsigned irq, uint64_t now_ns);
