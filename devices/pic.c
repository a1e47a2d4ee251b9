/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The 8259A pair. Section names in the comments are those of the Intel 8259A data sheet (order 231468). An input
 * is one bit of IRR: in edge mode set by a rise and cleared by a fall or by INTA, in level mode equal to the line. */
#include "devices/pic.h"

#include "base/assert.h"

#define MASTER_PORT 0x20
#define SLAVE_PORT 0xa0
#define ELCR_PORT 0x4d0

#define CASCADE_IR 2
#define DEFAULT_IR 7
#define NO_IR 8
#define NO_IRQ IRQ_LINES
#define FLOATING_BUS 0xff

#define ICW1_IC4 0x01  /* ICW4 will follow */
#define ICW1_SNGL 0x02
#define ICW1_ADI 0x04  /* MCS-80 call interval 4, else 8 */
#define ICW1_LTIM 0x08
#define ICW1 0x10
#define ICW4_X86 0x01
#define ICW4_AEOI 0x02
#define ICW4_SFNM 0x10

#define OCW2_LEVEL 0x07
#define OCW3 0x08
#define OCW3_RIS 0x01
#define OCW3_RR 0x02
#define OCW3_POLL 0x04
#define OCW3_SMM 0x20
#define OCW3_ESMM 0x40

enum ocw2_command { /* bits R, SL, EOI */
	OCW2_ROTATE_IN_AUTO_EOI_CLEAR,
	OCW2_EOI,
	OCW2_NO_OPERATION,
	OCW2_SPECIFIC_EOI,
	OCW2_ROTATE_IN_AUTO_EOI_SET,
	OCW2_ROTATE_ON_EOI,
	OCW2_SET_PRIORITY,
	OCW2_ROTATE_ON_SPECIFIC_EOI,
};

static uint8_t bit(unsigned ir)
{
	return (uint8_t)(1u << ir);
}

/* The priority, 0 (highest) to 7, of the most urgent of these inputs; 8 for none. */
static unsigned urgency(const struct pic_chip *chip, uint8_t inputs)
{
	unsigned highest = (chip->lowest + 1u) & 7;
	unsigned rotated = (inputs * 0x101u >> highest) & 0xff;

	return rotated ? (unsigned)__builtin_ctz(rotated) : NO_IR;
}

static unsigned ir_of(const struct pic_chip *chip, unsigned priority)
{
	return (priority + chip->lowest + 1u) & 7;
}

/* The bits of ISR that hold others back, and that an EOI without a level looks at: "Special Mask Mode". */
static uint8_t nested_isr(const struct pic_chip *chip)
{
	return chip->special_mask ? (uint8_t)(chip->isr & ~chip->imr) : chip->isr;
}

/* "Special Fully Nested Mode": a slave in service does not lock out its own higher requests. */
static bool renests(const struct pic_chip *chip, unsigned ir)
{
	return chip->special_fully_nested && (chip->slaves & bit(ir));
}

/* The input that the chip requests an interrupt for; NO_IR where its INT is low. */
static unsigned request(const struct pic_chip *chip)
{
	uint8_t inputs = (uint8_t)(chip->irr & ~chip->imr);
	unsigned wanted, served;

	if (!inputs || chip->awaits != PIC_AWAITS_OCW1)
		return NO_IR;
	wanted = urgency(chip, inputs);
	served = urgency(chip, nested_isr(chip));
	if (wanted < served || (wanted == served && renests(chip, ir_of(chip, wanted))))
		return ir_of(chip, wanted);
	return NO_IR;
}

static void drive(struct pic_chip *chip, unsigned ir, bool level)
{
	if (level && !(chip->lines & bit(ir))) {
		chip->lines |= bit(ir);
		chip->irr |= bit(ir);
	} else if (!level) {
		chip->lines &= (uint8_t)~bit(ir);
		chip->irr &= (uint8_t)~bit(ir);
	}
}

static __attribute__((noinline)) void change_int(struct pic *pic, bool level)
{
	pic->pending = level;
	if (pic->output.drive)
		pic->output.drive(pic->output.context, level);
}

/* Brings INT up to date after a change in this chip. */
static void update(struct pic *pic, const struct pic_chip *changed)
{
	bool level;

	if (changed->is_slave)
		drive(&pic->chips[0], CASCADE_IR, request(changed) != NO_IR);
	level = request(&pic->chips[0]) != NO_IR;
	if (level != pic->pending)
		change_int(pic, level);
}

static void set_triggering(struct pic_chip *chip)
{
	chip->level = chip->icw1 & ICW1_LTIM ? 0xff : chip->elcr;
	chip->irr = (uint8_t)((chip->irr & ~chip->level) | (chip->lines & chip->level));
}

static void pic_set(void *context, unsigned irq, bool level)
{
	struct pic *pic = context;
	struct pic_chip *chip = &pic->chips[irq / 8];

	ASSERT(irq != CASCADE_IR);
	drive(chip, irq % 8, level);
	update(pic, chip);
}

static void pic_pulse(void *context, unsigned irq)
{
	struct pic *pic = context;
	struct pic_chip *chip = &pic->chips[irq / 8];

	ASSERT(irq != CASCADE_IR);
	drive(chip, irq % 8, false);
	drive(chip, irq % 8, true);
	update(pic, chip);
}

static bool chip_masked(const struct pic_chip *chip, unsigned ir)
{
	return (chip->imr & bit(ir)) || chip->awaits != PIC_AWAITS_OCW1;
}

static bool pic_masked(const void *context, unsigned irq)
{
	const struct pic *pic = context;

	if (pic->output.reaches && !pic->output.reaches(pic->output.context))
		return true;
	if (irq < 8)
		return chip_masked(&pic->chips[0], irq);
	return chip_masked(&pic->chips[1], irq % 8) || chip_masked(&pic->chips[0], CASCADE_IR);
}

/* What the acknowledge of a request does inside one chip ("Interrupt Sequence"). The slave's INT falls with it, so
 * that its next request is an edge for the master again. */
static void take(struct pic *pic, struct pic_chip *chip, unsigned ir)
{
	if (!(chip->level & bit(ir)))
		chip->irr &= (uint8_t)~bit(ir);
	if (!chip->auto_eoi)
		chip->isr |= bit(ir);
	else if (chip->rotate_in_auto_eoi)
		chip->lowest = (uint8_t)ir;
	if (chip->is_slave)
		drive(&pic->chips[0], CASCADE_IR, false);
}

/* The byte that a chip puts on the bus: of the MCS-80 call address (ICW1 and ICW2, "Initialization Command Words")
 * it is the low one that a PC's processor would take for the vector. */
static uint8_t vector(const struct pic_chip *chip, unsigned ir)
{
	if (chip->x86_mode)
		return (uint8_t)((chip->icw2 & 0xf8) | ir);
	if (chip->icw1 & ICW1_ADI)
		return (uint8_t)((chip->icw1 & 0xe0) | ir << 2);
	return (uint8_t)((chip->icw1 & 0xc0) | ir << 3);
}

/* One INTA for one chip. *irq becomes the line that was accepted; NO_IRQ where none was. */
static uint8_t acknowledge(struct pic *pic, unsigned index, unsigned *irq)
{
	struct pic_chip *chip = &pic->chips[index];
	unsigned ir = request(chip);

	*irq = NO_IRQ;
	if (ir == NO_IR) {
		pic->spurious++;
		return vector(chip, DEFAULT_IR);
	}
	take(pic, chip, ir);
	if (!(chip->slaves & bit(ir))) {
		*irq = 8 * index + ir;
		return vector(chip, ir);
	}
	if (pic->chips[1].slave_id != ir)
		return FLOATING_BUS;
	return acknowledge(pic, 1, irq);
}

static void tell_accepted(struct pic *pic, unsigned irq, uint64_t now_ns)
{
	if (irq != NO_IRQ && irq != CASCADE_IR)
		irq_taken(pic->router, pic, irq, now_ns);
}

uint8_t pic_acknowledge(struct pic *pic, uint64_t now_ns)
{
	unsigned irq;
	uint8_t answer = acknowledge(pic, 0, &irq);

	update(pic, &pic->chips[irq >= 8]);
	tell_accepted(pic, irq, now_ns);
	return answer;
}

/* "Poll Command": the read is the acknowledge, for this chip alone. The low bits without a request are those of
 * the default IR7. */
static uint8_t poll(struct pic *pic, struct pic_chip *chip, uint64_t now_ns)
{
	unsigned ir = request(chip);

	chip->poll = false;
	if (ir == NO_IR)
		return DEFAULT_IR;
	take(pic, chip, ir);
	update(pic, chip);
	tell_accepted(pic, chip->is_slave ? 8 + ir : ir, now_ns);
	return (uint8_t)(0x80 | ir);
}

/* The effects a. to f. of ICW1. ISR is not in that list, but a chip that begins anew serves nothing. */
static void write_icw1(struct pic_chip *chip, uint8_t value)
{
	chip->icw1 = value;
	chip->irr = 0;
	chip->isr = 0;
	chip->imr = 0;
	chip->lowest = 7;
	chip->slaves = 0;
	chip->slave_id = 7;
	chip->special_mask = false;
	chip->read_isr = false;
	chip->poll = false;
	chip->rotate_in_auto_eoi = false;
	chip->x86_mode = false;
	chip->auto_eoi = false;
	chip->special_fully_nested = false;
	chip->awaits = PIC_AWAITS_ICW2;
	set_triggering(chip);
}

static enum pic_awaits after_icw3(const struct pic_chip *chip)
{
	return chip->icw1 & ICW1_IC4 ? PIC_AWAITS_ICW4 : PIC_AWAITS_OCW1;
}

static void write_icw2(struct pic_chip *chip, uint8_t value)
{
	chip->icw2 = value;
	chip->awaits = chip->icw1 & ICW1_SNGL ? after_icw3(chip) : PIC_AWAITS_ICW3;
}

static void write_icw3(struct pic_chip *chip, uint8_t value)
{
	if (chip->is_slave)
		chip->slave_id = value & 7;
	else
		chip->slaves = value;
	chip->awaits = after_icw3(chip);
}

static void write_icw4(struct pic_chip *chip, uint8_t value)
{
	chip->x86_mode = value & ICW4_X86;
	chip->auto_eoi = value & ICW4_AEOI;
	chip->special_fully_nested = value & ICW4_SFNM;
	chip->awaits = PIC_AWAITS_OCW1;
}

/* Ends the service of this level, or of the highest where it is NO_IR; returns which it was, NO_IR for none. */
static unsigned end_of_interrupt(struct pic_chip *chip, unsigned ir)
{
	if (ir == NO_IR) {
		unsigned served = urgency(chip, nested_isr(chip));

		if (served == NO_IR)
			return NO_IR;
		ir = ir_of(chip, served);
	}
	chip->isr &= (uint8_t)~bit(ir);
	return ir;
}

static void rotate_to(struct pic_chip *chip, unsigned ir)
{
	if (ir != NO_IR)
		chip->lowest = (uint8_t)ir;
}

static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
	unsigned ir = value & OCW2_LEVEL;

	switch ((enum ocw2_command)(value >> 5)) {
	case OCW2_ROTATE_IN_AUTO_EOI_CLEAR:
		chip->rotate_in_auto_eoi = false;
		break;
	case OCW2_EOI:
		end_of_interrupt(chip, NO_IR);
		break;
	case OCW2_NO_OPERATION:
		break;
	case OCW2_SPECIFIC_EOI:
		end_of_interrupt(chip, ir);
		break;
	case OCW2_ROTATE_IN_AUTO_EOI_SET:
		chip->rotate_in_auto_eoi = true;
		break;
	case OCW2_ROTATE_ON_EOI:
		rotate_to(chip, end_of_interrupt(chip, NO_IR));
		break;
	case OCW2_SET_PRIORITY:
		rotate_to(chip, ir);
		break;
	case OCW2_ROTATE_ON_SPECIFIC_EOI:
		rotate_to(chip, end_of_interrupt(chip, ir));
		break;
	}
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
	if (value & OCW3_ESMM)
		chip->special_mask = value & OCW3_SMM;
	if (value & OCW3_RR)
		chip->read_isr = value & OCW3_RIS;
	chip->poll = value & OCW3_POLL;
}

static void write_a0_low(struct pic_chip *chip, uint8_t value)
{
	if (value & ICW1)
		write_icw1(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

static void write_a0_high(struct pic_chip *chip, uint8_t value)
{
	switch (chip->awaits) {
	case PIC_AWAITS_ICW2:
		write_icw2(chip, value);
		break;
	case PIC_AWAITS_ICW3:
		write_icw3(chip, value);
		break;
	case PIC_AWAITS_ICW4:
		write_icw4(chip, value);
		break;
	case PIC_AWAITS_OCW1:
		chip->imr = value;
		break;
	}
}

static struct pic_chip *chip_at(struct pic *pic, uint16_t port)
{
	return &pic->chips[port >= SLAVE_PORT];
}

static uint32_t pic_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct pic *pic = device;
	struct pic_chip *chip = chip_at(pic, port);

	(void)bytes;
	if (chip->poll)
		return poll(pic, chip, now_ns);
	if (port & 1)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

static void pic_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pic *pic = device;
	struct pic_chip *chip = chip_at(pic, port);

	(void)bytes;
	(void)now_ns;
	if (port & 1)
		write_a0_high(chip, (uint8_t)value);
	else
		write_a0_low(chip, (uint8_t)value);
	update(pic, chip);
}

static uint32_t elcr_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct pic *pic = device;

	(void)bytes;
	(void)now_ns;
	return pic->chips[port & 1].elcr;
}

static void elcr_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pic *pic = device;
	struct pic_chip *chip = &pic->chips[port & 1];

	(void)bytes;
	(void)now_ns;
	chip->elcr = (uint8_t)(value & chip->elcr_writable);
	set_triggering(chip);
	update(pic, chip);
}

static void chip_reset(struct pic_chip *chip, uint8_t icw2, uint8_t icw3)
{
	chip->elcr = 0;
	write_icw1(chip, ICW1 | ICW1_IC4);
	write_icw2(chip, icw2);
	write_icw3(chip, icw3);
	write_icw4(chip, ICW4_X86);
	chip->imr = 0xff;
}

void pic_reset(struct pic *pic)
{
	chip_reset(&pic->chips[0], 0x08, 1 << CASCADE_IR);
	chip_reset(&pic->chips[1], 0x70, CASCADE_IR);
	update(pic, &pic->chips[1]);
}

void pic_init(struct pic *pic, struct bus *bus, struct irq_router *router)
{
	struct port_range range = { .first = MASTER_PORT, .last = MASTER_PORT + 1, .widest = 1, .device = pic,
				    .read = pic_read, .write = pic_write };

	*pic = (struct pic){ .router = router };
	/* PIIX: IRQ 0, 1, 2, 8 and 13 are always edge triggered. */
	pic->chips[0].elcr_writable = 0xf8;
	pic->chips[1].elcr_writable = 0xde;
	pic->chips[1].is_slave = true;
	bus_add_ports(bus, &range);
	range.first = SLAVE_PORT;
	range.last = SLAVE_PORT + 1;
	bus_add_ports(bus, &range);
	range = (struct port_range){ .first = ELCR_PORT, .last = ELCR_PORT + 1, .widest = 1, .device = pic,
				     .read = elcr_read, .write = elcr_write };
	bus_add_ports(bus, &range);
	irq_attach_chip(router, &(struct irq_chip){ .chip = pic, .lines = IRQ_ISA_LINES, .set = pic_set, .pulse = pic_pulse,
							 .masked = pic_masked });
	pic_reset(pic);
}

void pic_connect(struct pic *pic, const struct pic_output *output)
{
	pic->output = *output;
}
