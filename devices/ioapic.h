/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The I/O APIC of a PC (Intel 82093AA data sheet, order 290566): 24 pins, version 11h, so without an EOI register. Pin 0 has the 8259A
 * pair's INT, the others the interrupt lines. A message is delivered at once: the delivery status shows only what no local APIC takes. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"

#include <stdbool.h>
#include <stdint.h>

#define IOAPIC_GPA 0xfec00000ull
#define IOAPIC_BYTES 0x1000u
#define IOAPIC_PINS 24u
#define IOAPIC_PIN_INT 0u

enum ioapic_signal { IOAPIC_SMI, IOAPIC_NMI, IOAPIC_INIT };

/* Where the messages go. */
struct ioapic_sink {
	void *context;
	bool (*is_destination)(const void *context, uint8_t destination, bool logical);
	bool (*is_open)(const void *context); /* whether it takes interrupts with a vector now */
	bool (*deliver)(void *context, uint8_t vector, bool level); /* fixed or lowest priority. False: it was not taken */
	void (*signal)(void *context, enum ioapic_signal signal);
};

struct ioapic {
	uint64_t entries[IOAPIC_PINS]; /* the redirection table */
	uint32_t id;
	uint8_t index;     /* IOREGSEL */
	uint32_t inputs;   /* levels of the pins */
	uint32_t unsent;   /* level-triggered pins whose message nobody took yet */
	uint32_t waiting;  /* pins whose interrupt the processor has not accepted yet, */
	uint8_t vectors[IOAPIC_PINS]; /* and by which vector it will */
	uint64_t sent, not_taken;
	struct irq_router *router;
	struct ioapic_sink sink;
};

/* Claims the registers, becomes the router's chip, and resets. */
void ioapic_init(struct ioapic *ioapic, struct bus *bus, struct irq_router *router, const struct ioapic_sink *sink);

/* All pins masked, ID 0; the pins keep their levels. */
void ioapic_reset(struct ioapic *ioapic);

#define IOAPIC_ENTRY_MASKED (1ull << 16)

/* A pin that is not masked changes its level. */
void ioapic_change_pin(struct ioapic *ioapic, unsigned pin, bool level);

/* The level of a pin: the 8259A pair's INT at IOAPIC_PIN_INT. The other pins are driven by the router. What happens at a masked pin has no
 * effects. */
static inline void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level)
{
	if (!(ioapic->entries[pin] & IOAPIC_ENTRY_MASKED))
		ioapic_change_pin(ioapic, pin, level);
	else
		ioapic->inputs = (ioapic->inputs & ~(1u << pin)) | (uint32_t)level << pin;
}

/* Whether a pin in ExtINT mode asks the processor to take its vector from the 8259A pair now, or would if it were active. */
bool ioapic_takes_extint(const struct ioapic *ioapic);

/* The processor accepted an interrupt with this vector, of whichever source: the devices whose it was are told. */
void ioapic_accepted(struct ioapic *ioapic, uint8_t vector, uint64_t now_ns);

/* The end of a level-triggered interrupt, as the local APIC broadcasts it. A pin that is still active sends anew. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

/* The local APIC may take more than it did: what is unsent is tried again. */
void ioapic_resend(struct ioapic *ioapic);
