/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt lines: a table from devices to the controllers, and back for acceptance. */
#include "devices/irq.h"

#include "base/assert.h"

#include <stddef.h>

void irq_claim(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns))
{
	ASSERT(irq < IRQ_LINES);
	router->sources[irq] = (struct irq_source){ .device = device, .accepted = accepted };
}

void irq_attach_chip(struct irq_router *router, const struct irq_chip *chip)
{
	struct irq_chip *free = &router->chips[router->chips[0].lines ? 1 : 0];

	ASSERT(!free->lines && chip->set && chip->masked && chip->lines <= IRQ_LINES);
	*free = *chip;
}

void irq_set(struct irq_router *router, unsigned irq, bool level)
{
	const struct irq_chip *first = &router->chips[0], *second = &router->chips[1];

	ASSERT(irq < IRQ_LINES && first->lines);
	if (level)
		router->sources[irq].taker = NULL;
	if (irq < first->lines)
		first->set(first->chip, irq, level);
	if (irq < second->lines)
		second->set(second->chip, irq, level);
}

bool irq_masked(const struct irq_router *router, unsigned irq)
{
	const struct irq_chip *first = &router->chips[0], *second = &router->chips[1];

	ASSERT(irq < IRQ_LINES && first->lines);
	if (irq < first->lines && !first->masked(first->chip, irq))
		return false;
	return irq >= second->lines || second->masked(second->chip, irq);
}

void irq_accepted(struct irq_router *router, unsigned irq, uint64_t now_ns)
{
	const struct irq_source *source;

	ASSERT(irq < IRQ_LINES);
	source = &router->sources[irq];
	if (source->accepted)
		source->accepted(source->device, now_ns);
}

void irq_taken(struct irq_router *router, const void *chip, unsigned irq, uint64_t now_ns)
{
	struct irq_source *source = &router->sources[irq];

	ASSERT(irq < IRQ_LINES);
	if (!source->taker)
		source->taker = chip;
	if (source->taker == chip)
		irq_accepted(router, irq, now_ns);
}
