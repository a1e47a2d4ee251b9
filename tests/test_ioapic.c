/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the IOAPIC has the registers of the 82093AA data sheet (3.1, 3.2) and no others; each pin sends what its entry says, to whom it says:
 * an edge once, or never where it is masked; a level until its EOI, and again while it stays active; whatever is written and driven in whatever
 * order, as a naive walk over the pins has it; no mode but fixed and lowest priority makes a vector; the device of a pin is told when the processor
 * takes the vector, and by one controller only where the 8259A pair has the line, too. */
#include "devices/ioapic.h"
#include "devices/pic.h"

#include "tests/support.h"

#define MASKED (1u << 16)
#define LEVEL (1u << 15)
#define REMOTE_IRR (1u << 14)
#define LOW (1u << 13)
#define PENDING (1u << 12)
#define LOGICAL (1u << 11)
#define MODE(m) ((uint32_t)(m) << 8)

/* In place of the local APIC: takes what is for physical destination 0 or logical destination 1. */
struct sink {
	bool closed;
	unsigned delivered, signals[3];
	int vector;
	bool level;
	uint8_t logical_id;
};

static struct bus bus;
static struct irq_router router;
static struct ioapic ioapic;
static struct sink sink;
static unsigned told[IRQ_LINES];

static bool is_destination(const void *context, uint8_t destination, bool logical)
{
	assert_ptr_equal(context, &sink);
	return destination == 0xff || (logical ? destination & sink.logical_id : destination == 0);
}

static bool is_open(const void *context)
{
	assert_ptr_equal(context, &sink);
	return !sink.closed;
}

static bool deliver(void *context, uint8_t vector, bool level)
{
	assert_ptr_equal(context, &sink);
	if (sink.closed || vector < 16)
		return false;
	sink.delivered++;
	sink.vector = vector;
	sink.level = level;
	return true;
}

static void signal_sink(void *context, enum ioapic_signal signal)
{
	assert_ptr_equal(context, &sink);
	sink.signals[signal]++;
}

static void accept_of(void *device, uint64_t now_ns)
{
	assert_int_equal(now_ns, 77);
	++*(unsigned *)device;
}

static int set_up(void **state)
{
	struct ioapic_sink to = { &sink, is_destination, is_open, deliver, signal_sink };

	memset(&bus, 0, sizeof bus);
	memset(&router, 0, sizeof router);
	sink = (struct sink){ .logical_id = 1 };
	memset(told, 0, sizeof told);
	ioapic_init(&ioapic, &bus, &router, &to);
	for (unsigned irq = 0; irq < IRQ_LINES; irq++)
		irq_claim(&router, irq, &told[irq], accept_of);
	return 0;
}

static uint32_t rd(unsigned index)
{
	bus_write_mmio(&bus, IOAPIC_GPA, index, 4, 5);
	return (uint32_t)bus_read_mmio(&bus, IOAPIC_GPA + 0x10, 4, 5);
}

static void wr(unsigned index, uint32_t value)
{
	bus_write_mmio(&bus, IOAPIC_GPA, index, 4, 5);
	bus_write_mmio(&bus, IOAPIC_GPA + 0x10, value, 4, 5);
}

static uint32_t low(unsigned pin)
{
	return rd(0x10 + 2 * pin);
}

/* Masked while it changes, as systems do it. */
static void program(unsigned pin, uint32_t value, uint8_t destination)
{
	wr(0x10 + 2 * pin, MASKED);
	wr(0x11 + 2 * pin, (uint32_t)destination << 24);
	wr(0x10 + 2 * pin, value);
}

static void pulse(unsigned irq)
{
	irq_set(&router, irq, true);
	irq_set(&router, irq, false);
}

static void the_registers_are_those_of_the_data_sheet(void **state)
{
	assert_int_equal(rd(0), 0);
	assert_int_equal(rd(1), 0x00170011);
	wr(0, 0xffffffff);
	wr(1, 0xffffffff);
	assert_int_equal(rd(0), 0x0f000000);
	assert_int_equal(rd(1), 0x00170011);
	assert_int_equal(rd(2), 0x0f000000); /* the arbitration ID is loaded with the ID */
	wr(2, 0);
	assert_int_equal(rd(2), 0x0f000000);
	for (unsigned index = 3; index < 256; index++) {
		bool in_table = index >= 0x10 && index < 0x40;

		assert_int_equal(rd(index), in_table && !(index & 1) ? MASKED : 0);
		wr(index, 0xffffffff);
		assert_int_equal(rd(index), !in_table ? 0 : index & 1 ? 0xff000000 : 0x1afff);
		wr(index, index & 1 ? 0 : MASKED);
	}
	assert_int_equal(bus_read_mmio(&bus, IOAPIC_GPA, 4, 5), 255); /* the index is read back, */
	bus_write_mmio(&bus, IOAPIC_GPA, 0x12345601, 4, 5);
	assert_int_equal(bus_read_mmio(&bus, IOAPIC_GPA, 4, 5), 1);    /* 8 bits of it */
	for (uint32_t offset = 4; offset < IOAPIC_BYTES; offset += 4)
		if (offset != 0x10)
			assert_int_equal(bus_read_mmio(&bus, IOAPIC_GPA + offset, 4, 5), 0);
	assert_int_equal(sink.delivered, 0);
}

/* An EOI register came with version 20h: this one has none. */
static void there_is_no_eoi_register(void **state)
{
	program(9, 0x51 | LEVEL, 0);
	irq_set(&router, 9, true);
	bus_write_mmio(&bus, IOAPIC_GPA + 0x40, 0x51, 4, 5);
	assert_true(low(9) & REMOTE_IRR);
}

static void isa_irqs_are_where_the_overrides_say(void **state)
{
	for (unsigned irq = 0; irq < IRQ_LINES; irq++) {
		unsigned pin = irq == 0 ? 2 : irq;

		if (irq == 2)
			continue;
		set_up(state);
		program(pin, 0x40 + pin, 0);
		pulse(irq);
		assert_int_equal(sink.delivered, 1);
		assert_int_equal(sink.vector, 0x40 + pin);
		assert_false(sink.level);
		ioapic_accepted(&ioapic, (uint8_t)(0x40 + pin), 77);
		for (unsigned other = 0; other < IRQ_LINES; other++)
			assert_int_equal(told[other], other == irq);
	}
}

static void an_edge_is_sent_once_and_a_masked_one_is_lost(void **state)
{
	pulse(4);
	assert_int_equal(sink.delivered, 0);
	irq_set(&router, 4, true);
	program(4, 0x61, 0); /* high already */
	assert_int_equal(sink.delivered, 0);
	irq_set(&router, 4, true);
	assert_int_equal(sink.delivered, 0);
	irq_set(&router, 4, false);
	irq_set(&router, 4, true);
	assert_int_equal(sink.delivered, 1);
	program(4, 0x61 | LOW, 0);
	irq_set(&router, 4, false);
	assert_int_equal(sink.delivered, 2);
	irq_set(&router, 4, true);
	assert_int_equal(sink.delivered, 2);
}

static void a_level_is_sent_again_after_its_eoi_while_it_lasts(void **state)
{
	irq_set(&router, 9, true);
	program(9, 0x51 | LEVEL, 0);
	assert_int_equal(sink.delivered, 1);
	assert_true(sink.level);
	assert_true(low(9) & REMOTE_IRR);
	irq_set(&router, 9, false);
	irq_set(&router, 9, true);
	assert_int_equal(sink.delivered, 1); /* not before the EOI */
	ioapic_eoi(&ioapic, 0x52);
	assert_int_equal(sink.delivered, 1);
	ioapic_eoi(&ioapic, 0x51);
	assert_int_equal(sink.delivered, 2);
	irq_set(&router, 9, false);
	assert_true(low(9) & REMOTE_IRR);
	ioapic_eoi(&ioapic, 0x51);
	assert_int_equal(sink.delivered, 2);
	assert_int_equal(low(9), 0x51 | LEVEL);
	wr(0x10 + 18, 0x51 | LEVEL | LOW);
	assert_int_equal(sink.delivered, 3);
}

/* How Linux ends a level-triggered interrupt where there is no EOI register: edge and masked, then level again. */
static void a_change_to_edge_ends_a_level(void **state)
{
	program(9, 0x51 | LEVEL, 0);
	irq_set(&router, 9, true);
	wr(0x10 + 18, 0x51 | MASKED);
	assert_int_equal(low(9), 0x51 | MASKED);
	wr(0x10 + 18, 0x51 | LEVEL);
	assert_int_equal(sink.delivered, 2);
	assert_true(low(9) & REMOTE_IRR);
}

static void what_nobody_takes_waits_where_it_is_a_level(void **state)
{
	sink.closed = true;
	program(9, 0x51 | LEVEL, 0);
	program(4, 0x61, 0);
	irq_set(&router, 9, true);
	pulse(4);
	assert_true(irq_masked(&router, 4) && irq_masked(&router, 9));
	assert_int_equal(low(9), 0x51 | LEVEL | PENDING);
	assert_int_equal(low(4), 0x61);
	sink.closed = false;
	ioapic_resend(&ioapic);
	assert_int_equal(sink.delivered, 1);
	assert_int_equal(low(9), 0x51 | LEVEL | REMOTE_IRR);
	assert_false(irq_masked(&router, 4) || irq_masked(&router, 9));
	sink.closed = true;
	program(10, 0x71 | LEVEL, 0);
	irq_set(&router, 10, true);
	irq_set(&router, 10, false); /* withdrawn */
	sink.closed = false;
	ioapic_resend(&ioapic);
	assert_int_equal(sink.delivered, 1);
}

static void a_foreign_destination_gets_nothing(void **state)
{
	static const struct { uint32_t bits; uint8_t destination; bool own; } rows[] = {
		{ 0, 0, true }, { 0, 1, false }, { 0, 0xfe, false }, { 0, 0xff, true },
		{ LOGICAL, 0, false }, { LOGICAL, 1, true }, { LOGICAL, 2, false }, { LOGICAL, 0xff, true },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		for (unsigned level = 0; level <= 1; level++) {
			set_up(state);
			program(5, 0x35 | rows[i].bits | (level ? LEVEL : 0), rows[i].destination);
			assert_int_equal(irq_masked(&router, 5), !rows[i].own);
			irq_set(&router, 5, true);
			assert_int_equal(sink.delivered, rows[i].own);
			assert_int_equal(!!(low(5) & REMOTE_IRR), level && rows[i].own);
		}
}

/* Modes 0 to 7: fixed, lowest priority, SMI, reserved, NMI, INIT, reserved, ExtINT. Level-triggered or not, those without a vector come once. */
static void each_mode_does_what_it_may(void **state)
{
	for (unsigned mode = 0; mode < 8; mode++)
		for (unsigned level = 0; level <= 1; level++)
			for (unsigned vector = 0; vector < 256; vector++) {
				bool sends = mode < 2 && vector >= 16;

				set_up(state);
				program(11, vector | MODE(mode) | (level ? LEVEL : 0), 0);
				assert_int_equal(irq_masked(&router, 11), !sends);
				irq_set(&router, 11, true);
				assert_int_equal(sink.delivered, sends);
				assert_int_equal(sink.signals[IOAPIC_SMI], mode == 2);
				assert_int_equal(sink.signals[IOAPIC_NMI], mode == 4);
				assert_int_equal(sink.signals[IOAPIC_INIT], mode == 5);
				assert_int_equal(!!(low(11) & REMOTE_IRR), sends && level);
				assert_false(ioapic_takes_extint(&ioapic));
			}
}

static void extint_passes_by_the_pin_of_the_8259a_pair(void **state)
{
	assert_false(ioapic_takes_extint(&ioapic));
	program(IOAPIC_PIN_INT, MODE(7) | MASKED, 0);
	assert_false(ioapic_takes_extint(&ioapic));
	program(IOAPIC_PIN_INT, MODE(7), 1);
	assert_false(ioapic_takes_extint(&ioapic));
	program(IOAPIC_PIN_INT, MODE(7), 0);
	assert_true(ioapic_takes_extint(&ioapic));
	ioapic_set_pin(&ioapic, IOAPIC_PIN_INT, true);
	assert_int_equal(sink.delivered, 0);
	program(IOAPIC_PIN_INT, 0x33, 0); /* as an ordinary interrupt it has a vector, and no device */
	assert_false(ioapic_takes_extint(&ioapic));
	ioapic_set_pin(&ioapic, IOAPIC_PIN_INT, false);
	ioapic_set_pin(&ioapic, IOAPIC_PIN_INT, true);
	assert_int_equal(sink.vector, 0x33);
	ioapic_accepted(&ioapic, 0x33, 77);
	for (unsigned irq = 0; irq < IRQ_LINES; irq++)
		assert_int_equal(told[irq], 0);
}

/* The vector is the one that was sent, whatever the entry says by then; edges that became one are accepted as one. */
static void acceptance_tells_those_who_wait(void **state)
{
	program(4, 0x61, 0);
	program(8, 0x61, 0);
	program(9, 0x62, 0);
	pulse(4);
	pulse(4);
	pulse(8);
	pulse(9);
	wr(0x10 + 8, 0x99);
	ioapic_accepted(&ioapic, 0x99, 77);
	assert_int_equal(told[4], 0);
	ioapic_accepted(&ioapic, 0x61, 77);
	assert_true(told[4] == 1 && told[8] == 1 && told[9] == 0);
	ioapic_accepted(&ioapic, 0x61, 77);
	assert_true(told[4] == 1 && told[8] == 1);
	ioapic_accepted(&ioapic, 0x62, 77);
	assert_int_equal(told[9], 1);
	ioapic_accepted(&ioapic, 0x62, 77);
	assert_int_equal(told[9], 1);
	assert_int_equal(ioapic.waiting, 0);
}

static void unmask_pic(void)
{
	static const uint8_t writes[][2] = { { 0x20, 0x11 }, { 0x21, 0x30 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0 } };

	for (unsigned i = 0; i < sizeof writes / sizeof *writes; i++)
		bus_write_port(&bus, writes[i][0], writes[i][1], 1, 5);
}

/* A line is masked when neither lets it through; lines above 15 are the IOAPIC's alone. */
static void two_controllers_tell_a_device_once(void **state)
{
	static struct pic pic;

	pic_init(&pic, &bus, &router);
	assert_true(irq_masked(&router, 0));
	unmask_pic();
	assert_false(irq_masked(&router, 0));
	program(2, 0x40, 0);
	irq_set(&router, 0, true);
	assert_int_equal(pic_acknowledge(&pic, 77), 0x30);
	assert_int_equal(told[0], 1);
	ioapic_accepted(&ioapic, 0x40, 77);
	assert_int_equal(told[0], 1);
	irq_set(&router, 0, false);
	irq_set(&router, 0, true); /* the next rise, and the other one is first */
	ioapic_accepted(&ioapic, 0x40, 77);
	assert_int_equal(told[0], 2);
	bus_write_port(&bus, 0x20, 0x20, 1, 5);
	assert_int_equal(pic_acknowledge(&pic, 77), 0x30);
	assert_int_equal(told[0], 2);
	bus_write_port(&bus, 0x21, 0xff, 1, 5);
	assert_false(irq_masked(&router, 0));
	program(2, 0x40 | MASKED, 0);
	assert_true(irq_masked(&router, 0));
	assert_true(irq_masked(&router, 20));
	program(20, 0x70, 0);
	assert_false(irq_masked(&router, 20));
	program(20, 0x0f, 0); /* a vector that no local APIC takes */
	assert_true(irq_masked(&router, 20));
	program(20, 0x70, 0);
	irq_set(&router, 20, true);
	assert_int_equal(sink.vector, 0x70);
}

/* The rules once more, pin by pin and after every step. */
struct model {
	uint64_t entry;
	bool line, active, remote_irr, pending;
};

static struct model models[IOAPIC_PINS];
static unsigned expected;

static bool model_sends_vectors(const struct model *m)
{
	return (m->entry >> 8 & 7) <= 1;
}

static bool model_reaches(const struct model *m)
{
	return is_destination(&sink, (uint8_t)(m->entry >> 56), m->entry & LOGICAL);
}

/* Lines above the ISA bus's say "asserted", whatever polarity the entry names. */
static bool model_is_active(const struct model *m)
{
	return m->line != (m - models < IRQ_ISA_LINES && m->entry & LOW);
}

static void model_step(struct model *m)
{
	bool was_active = m->active, level = m->entry & LEVEL && model_sends_vectors(m), wants;

	m->active = model_is_active(m);
	if (!level)
		m->remote_irr = false;
	wants = !(m->entry & MASKED) && m->active && (level ? !m->remote_irr : !was_active);
	m->pending = false;
	if (!wants || !model_sends_vectors(m))
		return;
	if (!model_reaches(m) || sink.closed || (m->entry & 0xff) < 16) {
		m->pending = level;
		return;
	}
	expected++;
	m->remote_irr = level;
}

static void model_write(unsigned index, uint32_t value)
{
	struct model *m = &models[(index - 0x10) / 2];
	uint64_t half = index & 1 ? (uint64_t)(value & 0xff000000) << 32 : value & 0x1afff;

	m->entry = (m->entry & (index & 1 ? 0xffffffffull : 0xff00000000000000ull)) | half;
	m->active = model_is_active(m); /* a change of polarity is no edge */
	model_step(m);
}

static void random_write(uint64_t dice)
{
	unsigned index = 0x10 + (unsigned)(dice >> 8) % 48;
	uint32_t value = (uint32_t)(dice >> 32);

	if (index & 1)
		value = dice & 3 ? 0 : value;
	else
		value = (value & 0x1a8ff) | (dice & 0x70 ? 0 : value & 0x700);
	if (dice & 0x80)
		value &= ~MASKED;
	wr(index, value);
	model_write(index, value);
}

static void random_step(uint64_t *seed)
{
	uint64_t dice = random_next(seed);
	unsigned irq = (unsigned)(dice >> 8) % IRQ_LINES;

	switch (dice % 11) {
	case 0: case 1: case 2: case 3: case 4:
		irq = irq == 2 ? 3 : irq;
		irq_set(&router, irq, dice >> 40 & 1);
		models[irq_gsi(irq)].line = dice >> 40 & 1;
		model_step(&models[irq_gsi(irq)]);
		break;
	case 5: case 6:
		ioapic_eoi(&ioapic, (uint8_t)(dice >> 40));
		for (struct model *m = models; m < models + IOAPIC_PINS; m++)
			if (m->remote_irr && (m->entry & 0xff) == (dice >> 40 & 0xff)) {
				m->remote_irr = false;
				model_step(m);
			}
		break;
	case 7:
		sink.closed = !(dice >> 8 & 3);
		if (sink.closed)
			break;
		ioapic_resend(&ioapic);
		for (struct model *m = models; m < models + IOAPIC_PINS; m++)
			if (m->pending)
				model_step(m);
		break;
	default:
		random_write(dice >> 4);
	}
}

static void whatever_is_written_and_driven_the_pins_follow_the_rules(void **state)
{
	uint64_t seed = 0x82093aa;

	memset(models, 0, sizeof models);
	expected = 0;
	for (struct model *m = models; m < models + IOAPIC_PINS; m++)
		m->entry = MASKED;
	for (unsigned long i = 0; i < share(20000000); i++) {
		random_step(&seed);
		assert_int_equal(sink.delivered, expected);
		for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
			const struct model *m = &models[pin];
			uint64_t shown = m->entry | (m->remote_irr ? REMOTE_IRR : 0);

			assert_true(ioapic.entries[pin] == shown);
			assert_int_equal(ioapic.unsent >> pin & 1, m->pending);
		}
	}
	assert_true(expected > share(20000000) / 100);
}

static void a_level_is_sent_when_its_destination_is_there(void **state)
{
	sink.logical_id = 0;
	program(9, 0x51 | LEVEL | LOGICAL, 1);
	irq_set(&router, 9, true);
	assert_int_equal(sink.delivered, 0);
	sink.logical_id = 1;
	ioapic_resend(&ioapic);
	assert_int_equal(sink.delivered, 1);
	assert_int_equal(sink.vector, 0x51);
}

/* Guests program PCI's lines active low, the HPET's among them. */
static void above_the_isa_bus_asserted_is_asserted(void **state)
{
	program(16, 0x61 | LEVEL | LOW, 0);
	assert_int_equal(sink.delivered, 0);
	irq_set(&router, 16, true);
	assert_int_equal(sink.delivered, 1);
	irq_set(&router, 16, false);
	ioapic_eoi(&ioapic, 0x61);
	assert_int_equal(sink.delivered, 1);
}

static void a_reset_masks_all_pins(void **state)
{
	wr(0, 0x05000000);
	program(9, 0x51 | LEVEL, 0);
	irq_set(&router, 9, true);
	ioapic_reset(&ioapic);
	assert_int_equal(rd(0), 0);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		assert_int_equal(low(pin), MASKED);
	program(9, 0x52 | LEVEL, 0); /* the line is still high */
	assert_int_equal(sink.vector, 0x52);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_registers_are_those_of_the_data_sheet, set_up),
		cmocka_unit_test_setup(there_is_no_eoi_register, set_up),
		cmocka_unit_test_setup(isa_irqs_are_where_the_overrides_say, set_up),
		cmocka_unit_test_setup(an_edge_is_sent_once_and_a_masked_one_is_lost, set_up),
		cmocka_unit_test_setup(a_level_is_sent_again_after_its_eoi_while_it_lasts, set_up),
		cmocka_unit_test_setup(a_change_to_edge_ends_a_level, set_up),
		cmocka_unit_test_setup(what_nobody_takes_waits_where_it_is_a_level, set_up),
		cmocka_unit_test_setup(a_foreign_destination_gets_nothing, set_up),
		cmocka_unit_test_setup(each_mode_does_what_it_may, set_up),
		cmocka_unit_test_setup(extint_passes_by_the_pin_of_the_8259a_pair, set_up),
		cmocka_unit_test_setup(acceptance_tells_those_who_wait, set_up),
		cmocka_unit_test_setup(two_controllers_tell_a_device_once, set_up),
		cmocka_unit_test_setup(whatever_is_written_and_driven_the_pins_follow_the_rules, set_up),
		cmocka_unit_test_setup(a_level_is_sent_when_its_destination_is_there, set_up),
		cmocka_unit_test_setup(above_the_isa_bus_asserted_is_asserted, set_up),
		cmocka_unit_test_setup(a_reset_masks_all_pins, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
