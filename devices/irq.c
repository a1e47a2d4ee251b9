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

void irq_claim_replacing(struct irq_router *router, unsigned irq, void *device, void (*accepted)(void *device, uint64_t now_ns))
{
	ASSERT(irq < IRQ_LINES);
	router->others[irq] = (struct irq_source){ .device = device, .accepted = accepted };
}

void irq_attach_chip(struct irq_router *router, const struct irq_chip *chip)
{
	struct irq_chip *free = &router->chips[router->chips[0].lines ? 1 : 0];

	ASSERT(!free->lines && chip->set && chip->masked && chip->lines <= IRQ_LINES);
	*free = *chip;
}

static inline bool is_replaced(const struct irq_router *router, unsigned irq)
{
	return router->replaced >> irq & 1;
}

static inline void put(struct irq_router *router, unsigned irq, bool level)
{
	const struct irq_chip *first = &router->chips[0], *second = &router->chips[1];

	ASSERT(irq < IRQ_LINES);
	if (level)
		router->sources[irq].taker = NULL;
	if (irq < first->lines)
		first->set(first->chip, irq, level);
	if (irq < second->lines)
		second->set(second->chip, irq, level);
}

void irq_set(struct irq_router *router, unsigned irq, bool level)
{
	ASSERT(irq < IRQ_LINES);
	router->own_levels[irq] = level;
	if (!is_replaced(router, irq))
		put(router, irq, level);
}

static inline void pulse(const struct irq_chip *chip, unsigned irq)
{
	if (irq >= chip->lines)
		return;
	if (chip->pulse) {
		chip->pulse(chip->chip, irq);
		return;
	}
	chip->set(chip->chip, irq, false);
	chip->set(chip->chip, irq, true);
}

void irq_pulse(struct irq_router *router, unsigned irq)
{
	ASSERT(irq < IRQ_LINES);
	router->own_levels[irq] = true;
	if (is_replaced(router, irq))
		return;
	router->sources[irq].taker = NULL;
	pulse(&router->chips[0], irq);
	pulse(&router->chips[1], irq);
}

void irq_set_replacing(struct irq_router *router, unsigned irq, bool level)
{
	ASSERT(irq < IRQ_LINES);
	router->replacing_levels[irq] = level;
	if (is_replaced(router, irq))
		put(router, irq, level);
}

/* The line falls in between: no rise of the one's is taken for the other's. */
void irq_replace(struct irq_router *router, unsigned irq, bool replaced)
{
	struct irq_source source;

	ASSERT(irq < IRQ_LINES);
	if (is_replaced(router, irq) == replaced)
		return;
	source = router->sources[irq];
	put(router, irq, false);
	router->replaced ^= 1u << irq;
	router->sources[irq] = router->others[irq];
	router->others[irq] = source;
	put(router, irq, replaced ? router->replacing_levels[irq] : router->own_levels[irq]);
}

static inline bool is_masked(const struct irq_router *router, unsigned irq)
{
	const struct irq_chip *first = &router->chips[0], *second = &router->chips[1];

	ASSERT(irq < IRQ_LINES);
	if (irq < first->lines && !first->masked(first->chip, irq))
		return false;
	return irq >= second->lines || second->masked(second->chip, irq);
}

bool irq_masked(const struct irq_router *router, unsigned irq)
{
	return is_replaced(router, irq) || is_masked(router, irq);
}

bool irq_masked_replacing(const struct irq_router *router, unsigned irq)
{
	return !is_replaced(router, irq) || is_masked(router, irq);
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
