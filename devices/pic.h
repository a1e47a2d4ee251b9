/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The pair of 8259A interrupt controllers of a PC (Intel 8259A data sheet, order 231468), with the edge/level
 * control registers of the PIIX at ports 4D0h and 4D1h. The slave's INT is wired to IR2 of the master. Buffered
 * mode has no visible effect here. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"

#include <stdbool.h>
#include <stdint.h>

enum pic_awaits { /* what the next write with A0 = 1 is taken for */
	PIC_AWAITS_ICW2,
	PIC_AWAITS_ICW3,
	PIC_AWAITS_ICW4,
	PIC_AWAITS_OCW1, /* initialised: the only state in which requests go out */
};

struct pic_chip {
	uint8_t lines;     /* levels of the inputs IR0 to IR7 */
	uint8_t irr, isr, imr;
	uint8_t level;     /* inputs that are level triggered now: all with LTIM, else those of elcr */
	uint8_t elcr, elcr_writable;
	uint8_t lowest;    /* the input with the lowest priority; 7 unless rotated */
	uint8_t icw1;
	uint8_t icw2;
	uint8_t slaves;    /* ICW3 of the master: inputs with a slave; 0 in single mode, and in the slave */
	uint8_t slave_id;  /* ICW3 of the slave */
	enum pic_awaits awaits;
	bool is_slave;
	bool x86_mode;     /* ICW4 uPM; without it the vector is the low byte of an MCS-80 call */
	bool auto_eoi, rotate_in_auto_eoi;
	bool special_fully_nested, special_mask;
	bool read_isr;
	bool poll;         /* the next read is an interrupt acknowledge */
};

/* Where INT goes: to a processor's LINT0 and to an IOAPIC. */
struct pic_output {
	void *context;
	void (*drive)(void *context, bool level);    /* its level has changed */
	bool (*reaches)(const void *context);        /* whether it interrupts a processor now, as far as they are concerned */
};

struct pic {
	struct pic_chip chips[2]; /* master, slave */
	bool pending;
	uint64_t spurious;
	struct irq_router *router;
	struct pic_output output;
};

/* Claims the ports, becomes the router's chip, and resets. */
void pic_init(struct pic *pic, struct bus *bus, struct irq_router *router);

/* Without it INT goes straight to the processor. */
void pic_connect(struct pic *pic, const struct pic_output *output);

/* The state in which a PC's firmware leaves the chips: cascaded, vectors 08h and 70h, edge triggered, everything
 * masked. The lines keep the levels at which the devices drive them. */
void pic_reset(struct pic *pic);

/* The master's INT output. */
static inline bool pic_pending(const struct pic *pic)
{
	return pic->pending;
}

/* The processor's interrupt acknowledge at now_ns (guest ns): returns the vector and tells the device whose
 * interrupt it was. With no request left it is the vector of IR7, with nothing in service ("default IR7", data
 * sheet, edge and level triggered modes); FFh where the chips are programmed such that neither of them answers. */
uint8_t pic_acknowledge(struct pic *pic, uint64_t now_ns);
