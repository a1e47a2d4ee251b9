/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The I/O APIC. Section numbers in the comments are those of the 82093AA data sheet. */
#include "devices/ioapic.h"

#include "base/assert.h"

#define REGISTER_INDEX 0x00 /* IOREGSEL, 3.1.1 */
#define REGISTER_DATA 0x10  /* IOWIN, 3.1.2 */

#define INDEX_ID 0x00
#define INDEX_VERSION 0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_TABLE 0x10
#define ID_BITS 0x0f000000u
#define VERSION 0x11u

/* 3.2.4 */
#define ENTRY_VECTOR 0xffull
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_SEND_PENDING (1ull << 12)
#define ENTRY_ACTIVE_LOW (1ull << 13)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_WRITABLE 0xff0000000001afffull
#define ENTRY_DESTINATION_SHIFT 56

#define LOW_HALF 0xffffffffull

#define ENTRY_LEAST_VECTOR 16 /* the local APIC refuses those below (SDM 3A 11.5.2) */

enum mode { MODE_FIXED, MODE_LOWEST_PRIORITY, MODE_SMI, MODE_RESERVED_3, MODE_NMI, MODE_INIT, MODE_RESERVED_6, MODE_EXTINT };

static enum mode mode_of(uint64_t entry)
{
	return (enum mode)(entry >> 8 & 7);
}

static bool has_vector(uint64_t entry)
{
	return mode_of(entry) == MODE_FIXED || mode_of(entry) == MODE_LOWEST_PRIORITY;
}

/* The other modes are treated as edges, even where the entry says level. */
static bool is_level(uint64_t entry)
{
	return entry & ENTRY_LEVEL && has_vector(entry);
}

/* The lines above the ISA bus's are PCI's in a PC, whose interrupts are active low; guests program them so for the HPET. Here they say
 * "asserted", whichever polarity the entry names. */
static bool is_active(const struct ioapic *ioapic, unsigned pin)
{
	bool high = ioapic->inputs >> pin & 1;

	return pin < IRQ_ISA_LINES && ioapic->entries[pin] & ENTRY_ACTIVE_LOW ? !high : high;
}

static bool reaches_processor(const struct ioapic *ioapic, uint64_t entry)
{
	return ioapic->sink.is_destination(ioapic->sink.context, (uint8_t)(entry >> ENTRY_DESTINATION_SHIFT), entry & ENTRY_LOGICAL);
}

static void send_vector(struct ioapic *ioapic, unsigned pin)
{
	uint64_t *entry = &ioapic->entries[pin];
	uint8_t vector = (uint8_t)(*entry & ENTRY_VECTOR);
	bool level = is_level(*entry);

	if (!ioapic->sink.deliver(ioapic->sink.context, vector, level)) {
		ioapic->not_taken++;
		ioapic->unsent |= (uint32_t)level << pin;
		return;
	}
	ioapic->sent++;
	ioapic->unsent &= ~(1u << pin);
	ioapic->waiting |= 1u << pin;
	ioapic->vectors[pin] = vector;
	if (level)
		*entry |= ENTRY_REMOTE_IRR;
}

/* One message, to whom the entry says. */
static void send(struct ioapic *ioapic, unsigned pin)
{
	const struct ioapic_sink *sink = &ioapic->sink;
	uint64_t entry = ioapic->entries[pin];

	if (!reaches_processor(ioapic, entry)) {
		ioapic->not_taken++;
		ioapic->unsent |= (uint32_t)is_level(entry) << pin;
		return;
	}
	switch (mode_of(entry)) {
	case MODE_FIXED:
	case MODE_LOWEST_PRIORITY:
		send_vector(ioapic, pin);
		break;
	case MODE_SMI:
		sink->signal(sink->context, IOAPIC_SMI);
		break;
	case MODE_NMI:
		sink->signal(sink->context, IOAPIC_NMI);
		break;
	case MODE_INIT:
		sink->signal(sink->context, IOAPIC_INIT);
		break;
	case MODE_EXTINT: /* its vector is asked for when the processor takes it */
	case MODE_RESERVED_3:
	case MODE_RESERVED_6:
		break;
	}
}

/* A level-triggered pin sends as long as it is active, one message until the EOI of the one before. */
static void send_level(struct ioapic *ioapic, unsigned pin)
{
	uint64_t entry = ioapic->entries[pin];

	ioapic->unsent &= ~(1u << pin);
	if (is_level(entry) && !(entry & (IOAPIC_ENTRY_MASKED | ENTRY_REMOTE_IRR)) && is_active(ioapic, pin))
		send(ioapic, pin);
}

/* An edge at a masked pin is lost (3.2.4, "Interrupt Mask"), and has not come here. */
void ioapic_change_pin(struct ioapic *ioapic, unsigned pin, bool level)
{
	bool was_active = is_active(ioapic, pin);
	uint64_t entry = ioapic->entries[pin];

	ioapic->inputs = (ioapic->inputs & ~(1u << pin)) | (uint32_t)level << pin;
	if (is_active(ioapic, pin) == was_active)
		return;
	if (is_level(entry))
		send_level(ioapic, pin);
	else if (!was_active)
		send(ioapic, pin);
}

static void set_line(void *context, unsigned irq, bool level)
{
	ioapic_set_pin(context, irq_gsi(irq), level);
}

static void pulse_line(void *context, unsigned irq)
{
	ioapic_set_pin(context, irq_gsi(irq), false);
	ioapic_set_pin(context, irq_gsi(irq), true);
}

static bool is_line_masked(const void *context, unsigned irq)
{
	const struct ioapic *ioapic = context;
	uint64_t entry = ioapic->entries[irq_gsi(irq)];

	return entry & IOAPIC_ENTRY_MASKED || !has_vector(entry) || (entry & ENTRY_VECTOR) < ENTRY_LEAST_VECTOR ||
	       !reaches_processor(ioapic, entry) || !ioapic->sink.is_open(ioapic->sink.context);
}

bool ioapic_takes_extint(const struct ioapic *ioapic)
{
	uint64_t entry = ioapic->entries[IOAPIC_PIN_INT];

	return !(entry & IOAPIC_ENTRY_MASKED) && mode_of(entry) == MODE_EXTINT && reaches_processor(ioapic, entry);
}

static unsigned irq_of(unsigned pin)
{
	return pin == irq_gsi(0) ? 0 : pin;
}

void ioapic_accepted(struct ioapic *ioapic, uint8_t vector, uint64_t now_ns)
{
	for (uint32_t left = ioapic->waiting; left; left &= left - 1) {
		unsigned pin = (unsigned)__builtin_ctz(left);

		if (ioapic->vectors[pin] != vector)
			continue;
		ioapic->waiting &= ~(1u << pin);
		if (pin != IOAPIC_PIN_INT)
			irq_taken(ioapic->router, ioapic, irq_of(pin), now_ns);
	}
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *entry = &ioapic->entries[pin];

		if (!(*entry & ENTRY_REMOTE_IRR) || (*entry & ENTRY_VECTOR) != vector)
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		send_level(ioapic, pin);
	}
}

void ioapic_resend(struct ioapic *ioapic)
{
	for (uint32_t left = ioapic->unsent; left; left &= left - 1)
		send_level(ioapic, (unsigned)__builtin_ctz(left));
}

static uint64_t entry_shown(const struct ioapic *ioapic, unsigned pin)
{
	return ioapic->entries[pin] | (ioapic->unsent >> pin & 1 ? ENTRY_SEND_PENDING : 0);
}

/* Remote IRR belongs to level-triggered interrupts: it does not outlive a change to edge. */
static void write_entry(struct ioapic *ioapic, unsigned pin, uint64_t value)
{
	uint64_t *entry = &ioapic->entries[pin];

	*entry = (value & ENTRY_WRITABLE) | (*entry & ENTRY_REMOTE_IRR);
	if (!is_level(*entry))
		*entry &= ~ENTRY_REMOTE_IRR;
	send_level(ioapic, pin);
}

static uint32_t read_data(const struct ioapic *ioapic)
{
	unsigned half = ioapic->index - INDEX_TABLE;

	if (half < 2 * IOAPIC_PINS)
		return (uint32_t)(entry_shown(ioapic, half / 2) >> 32 * (half & 1));
	switch (ioapic->index) {
	case INDEX_ID:
	case INDEX_ARBITRATION: /* is loaded by a write to the ID (3.2.3), and there is no APIC bus to arbitrate for */
		return ioapic->id;
	case INDEX_VERSION:
		return VERSION | (IOAPIC_PINS - 1) << 16;
	default:
		return 0;
	}
}

static void write_data(struct ioapic *ioapic, uint32_t value)
{
	unsigned half = ioapic->index - INDEX_TABLE, shift = 32 * (half & 1);

	if (half < 2 * IOAPIC_PINS)
		write_entry(ioapic, half / 2, (ioapic->entries[half / 2] & ~(LOW_HALF << shift)) | (uint64_t)value << shift);
	else if (ioapic->index == INDEX_ID)
		ioapic->id = value & ID_BITS;
}

static uint64_t ioapic_read(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns)
{
	const struct ioapic *ioapic = device;

	(void)bytes, (void)now_ns;
	if (offset == REGISTER_INDEX)
		return ioapic->index;
	return offset == REGISTER_DATA ? read_data(ioapic) : 0;
}

static void ioapic_write(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	struct ioapic *ioapic = device;

	(void)bytes, (void)now_ns;
	if (offset == REGISTER_INDEX)
		ioapic->index = (uint8_t)value;
	else if (offset == REGISTER_DATA)
		write_data(ioapic, (uint32_t)value);
}

void ioapic_reset(struct ioapic *ioapic)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->entries[pin] = IOAPIC_ENTRY_MASKED;
	ioapic->id = 0;
	ioapic->index = 0;
	ioapic->unsent = 0;
	ioapic->waiting = 0;
}

void ioapic_init(struct ioapic *ioapic, struct bus *bus, struct irq_router *router, const struct ioapic_sink *sink)
{
	struct mmio_range range = { .base_gpa = IOAPIC_GPA, .bytes = IOAPIC_BYTES, .widths = MMIO_4, .device = ioapic,
				    .read = ioapic_read, .write = ioapic_write };
	struct irq_chip chip = { .chip = ioapic, .lines = IRQ_LINES, .set = set_line, .pulse = pulse_line,
				 .masked = is_line_masked };

	*ioapic = (struct ioapic){ .router = router, .sink = *sink };
	ioapic_reset(ioapic);
	bus_add_mmio(bus, &range);
	irq_attach_chip(router, &chip);
}
