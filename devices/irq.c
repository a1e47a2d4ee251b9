/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt lines: a table from devices to the controller, and back for acceptance. */
#include "devices/irq.h"

#include "base/assert.h"

void irq_claim(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns))
{
	ASSERT(irq < IRQ_LINES);
	router->sources[irq] = (struct irq_source){ .device = device, .accepted = accepted };
}

void irq_attach_chip(struct irq_router *router, const struct irq_chip *chip)
{
	ASSERT(chip->set && chip->masked);
	router->chip = *chip;
}

void irq_set(struct irq_router *router, unsigned irq, bool level)
{
	ASSERT(irq < IRQ_LINES && router->chip.set);
	router->chip.set(router->chip.chip, irq, level);
}

bool irq_masked(const struct irq_router *router, unsigned irq)
{
	ASSERT(irq < IRQ_LINES && router->chip.masked);
	return router->chip.masked(router->chip.chip, irq);
}

void irq_accepted(struct irq_router *router, unsigned irq, uint64_t now_ns)
{
	const struct irq_source *source;

	ASSERT(irq < IRQ_LINES);
	source = &router->sources[irq];
	if (source->accepted)
		source->accepted(source->device, now_ns);
}
