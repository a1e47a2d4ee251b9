/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the 8259A pair resolves, acknowledges and ends interrupts as the Intel data sheet says, in every mode
 * that a PC's processor can see, example by example. */
#include "devices/pic.h"

#include "tests/support.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define DATA 1
#define NONE (-1)

static struct bus bus;
static struct irq_router router;
static struct pic pic;
static int accepted[IRQ_ISA_LINES];
static int last_accepted;
static uint64_t accepted_ns;

static void accept_of(void *device, uint64_t now_ns)
{
	last_accepted = (int)((int *)device - accepted);
	accepted[last_accepted]++;
	accepted_ns = now_ns;
}

static void out(uint16_t port, uint8_t value)
{
	bus_write_port(&bus, port, value, 1, 5);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)bus_read_port(&bus, port, 1, 5);
}

static void initialise(uint8_t icw1, uint8_t icw4)
{
	out(MASTER, icw1);
	out(MASTER + DATA, 0x30);
	out(MASTER + DATA, 0x04);
	out(MASTER + DATA, icw4);
	out(SLAVE, icw1);
	out(SLAVE + DATA, 0x38);
	out(SLAVE + DATA, 0x02);
	out(SLAVE + DATA, icw4 & ~0x10);
}

static int set_up(void **state)
{
	memset(&bus, 0, sizeof(bus));
	memset(&router, 0, sizeof(router));
	memset(accepted, 0, sizeof(accepted));
	last_accepted = NONE;
	pic_init(&pic, &bus, &router);
	for (unsigned irq = 0; irq < IRQ_ISA_LINES; irq++)
		irq_claim(&router, irq, &accepted[irq], accept_of);
	initialise(0x11, 0x01);
	return 0;
}

static void raise(unsigned irq)
{
	irq_set(&router, irq, true);
}

static void lower(unsigned irq)
{
	irq_set(&router, irq, false);
}

static void pulse(unsigned irq)
{
	lower(irq);
	raise(irq);
}

static void expect_irq(int irq)
{
	assert_true(pic_pending(&pic));
	assert_int_equal(pic_acknowledge(&pic, 99), 0x30 + irq);
	assert_int_equal(last_accepted, irq);
	assert_int_equal(accepted_ns, 99);
	last_accepted = NONE;
}

static void expect_quiet(void)
{
	assert_false(pic_pending(&pic));
}

static uint8_t irr(uint16_t port)
{
	out(port, 0x0a);
	return in(port);
}

static uint8_t isr(uint16_t port)
{
	out(port, 0x0b);
	return in(port);
}

static void eoi(uint16_t port)
{
	out(port, 0x20);
}

static void firmware_leaves_everything_masked(void **state)
{
	pic_reset(&pic);
	raise(4);
	raise(9);
	expect_quiet();
	assert_int_equal(in(MASTER + DATA), 0xff);
	out(MASTER + DATA, 0);
	assert_int_equal(pic_acknowledge(&pic, 1), 0x0c);
	out(SLAVE + DATA, 0);
	assert_true(pic_pending(&pic));
	assert_int_equal(pic_acknowledge(&pic, 1), 0x71);
}

static void an_edge_is_requested_once(void **state)
{
	raise(3);
	assert_int_equal(irr(MASTER), 0x08);
	expect_irq(3);
	assert_int_equal(irr(MASTER), 0x00);
	assert_int_equal(isr(MASTER), 0x08);
	eoi(MASTER);
	assert_int_equal(isr(MASTER), 0x00);
	expect_quiet();
	raise(3);
	expect_quiet();
	pulse(3);
	expect_irq(3);
}

/* "the IR inputs must remain high until after the falling edge of the first INTA": else default IR7. */
static void a_request_that_goes_away_is_spurious(void **state)
{
	raise(5);
	lower(5);
	expect_quiet();
	assert_int_equal(pic_acknowledge(&pic, 1), 0x37);
	assert_int_equal(isr(MASTER), 0);
	assert_int_equal(last_accepted, NONE);
	assert_int_equal(pic.spurious, 1);
}

/* The master serves a slave that requests nothing: that slave answers with its own IR7. Between the chips the INT
 * wire is never late here, so the slave is told that it is the one at IR1, and IR1 of the master is raised by a
 * device. */
static void the_slave_has_its_own_spurious_interrupt(void **state)
{
	out(MASTER, 0x11);
	out(MASTER + DATA, 0x30);
	out(MASTER + DATA, 0x06);
	out(MASTER + DATA, 0x01);
	out(SLAVE, 0x11);
	out(SLAVE + DATA, 0x38);
	out(SLAVE + DATA, 0x01);
	out(SLAVE + DATA, 0x01);
	raise(1);
	assert_true(pic_pending(&pic));
	assert_int_equal(pic_acknowledge(&pic, 1), 0x3f);
	assert_int_equal(isr(MASTER), 0x02);
	assert_int_equal(isr(SLAVE), 0x00);
	assert_int_equal(last_accepted, NONE);
	assert_int_equal(pic.spurious, 1);
}

static void nobody_answers_for_a_slave_that_is_not_there(void **state)
{
	out(MASTER, 0x11);
	out(MASTER + DATA, 0x30);
	out(MASTER + DATA, 0x24); /* one more slave, at IR5 */
	out(MASTER + DATA, 0x01);
	raise(5);
	assert_int_equal(pic_acknowledge(&pic, 1), 0xff);
	assert_int_equal(isr(MASTER), 0x20);
}

/* Effect d. of ICW1: in single mode nothing sets the slave's number again. */
static void a_single_slave_does_not_answer(void **state)
{
	out(SLAVE, 0x13);
	out(SLAVE + DATA, 0x38);
	out(SLAVE + DATA, 0x01);
	raise(9);
	assert_int_equal(pic_acknowledge(&pic, 1), 0xff);
	assert_int_equal(isr(SLAVE), 0x00);
}

static void priorities_are_fully_nested(void **state)
{
	raise(6);
	raise(1);
	expect_irq(1);
	expect_quiet();
	raise(0);
	expect_irq(0);
	assert_int_equal(isr(MASTER), 0x03);
	eoi(MASTER);
	assert_int_equal(isr(MASTER), 0x02);
	expect_quiet();
	eoi(MASTER);
	expect_irq(6);
}

static void the_slave_comes_through_ir2(void **state)
{
	raise(12);
	raise(8);
	raise(3);
	assert_int_equal(irr(MASTER), 0x0c);
	expect_irq(8);
	assert_int_equal(isr(MASTER), 0x04);
	assert_int_equal(isr(SLAVE), 0x01);
	expect_quiet();
	eoi(SLAVE);
	expect_quiet(); /* IR2 of the master is in service still */
	eoi(MASTER);
	expect_irq(12);
	eoi(MASTER);
	expect_irq(3); /* lower than IR2, and IR2 is no more in service */
	eoi(MASTER);
	eoi(SLAVE);
	expect_quiet();
}

static void special_fully_nested_mode_lets_higher_slave_requests_in(void **state)
{
	initialise(0x11, 0x11);
	raise(12);
	expect_irq(12);
	raise(14);
	raise(3);
	expect_quiet(); /* the same level of the slave is higher than 14; of the master higher than 3 */
	raise(9);
	expect_irq(9);
	assert_int_equal(isr(SLAVE), 0x12);
	eoi(SLAVE);
	eoi(SLAVE);
	expect_irq(14);
}

static void masks_hold_back_but_do_not_forget(void **state)
{
	out(MASTER + DATA, 0x10);
	assert_true(irq_masked(&router, 4));
	assert_false(irq_masked(&router, 3));
	raise(4);
	expect_quiet();
	assert_int_equal(irr(MASTER), 0x10);
	out(MASTER + DATA, 0x00);
	expect_irq(4);
	out(MASTER + DATA, 0x04);
	assert_true(irq_masked(&router, 8));
	out(MASTER + DATA, 0x00);
	out(SLAVE + DATA, 0x01);
	assert_true(irq_masked(&router, 8));
	assert_false(irq_masked(&router, 9));
	assert_int_equal(in(SLAVE + DATA), 0x01);
}

static void special_mask_mode_lets_lower_levels_in(void **state)
{
	raise(2 + 8);
	raise(3);
	raise(6);
	expect_irq(10);
	eoi(MASTER);
	expect_irq(3);
	expect_quiet();
	out(MASTER + DATA, 0x08);
	expect_quiet();
	out(MASTER, 0x68); /* set special mask mode */
	expect_irq(6);
	assert_int_equal(isr(MASTER), 0x48);
	eoi(MASTER); /* "an ISR bit that is masked is not cleared by a non-specific EOI" */
	assert_int_equal(isr(MASTER), 0x08);
	eoi(MASTER);
	assert_int_equal(isr(MASTER), 0x08);
	out(MASTER, 0x63);
	assert_int_equal(isr(MASTER), 0x00);
	out(MASTER, 0x28); /* ESMM = 0: SMM is not looked at */
	assert_true(pic.chips[0].special_mask);
	out(MASTER, 0x48);
	assert_false(pic.chips[0].special_mask);
}

static void a_specific_eoi_ends_one_level(void **state)
{
	raise(7);
	expect_irq(7);
	raise(4);
	expect_irq(4);
	out(MASTER, 0x67);
	assert_int_equal(isr(MASTER), 0x10);
	out(MASTER, 0x40); /* no operation */
	assert_int_equal(isr(MASTER), 0x10);
	out(MASTER, 0x64);
	assert_int_equal(isr(MASTER), 0x00);
}

/* The example of "Automatic Rotation": IR4 was highest in service, and becomes the lowest. */
static void rotation_makes_the_served_level_the_lowest(void **state)
{
	raise(6);
	raise(4);
	expect_irq(4);
	out(MASTER, 0xa0);
	assert_int_equal(pic.chips[0].lowest, 4);
	raise(3);
	pulse(4);
	expect_irq(6);
	eoi(MASTER);
	expect_irq(3);
	out(MASTER, 0xe3); /* rotate on specific EOI */
	assert_int_equal(pic.chips[0].lowest, 3);
	expect_irq(4);
	eoi(MASTER);
	out(MASTER, 0xc5); /* set priority: IR6 is the highest */
	raise(0);
	pulse(6);
	expect_irq(6);
	out(MASTER, 0xa0);
	out(MASTER, 0xa0); /* nothing in service: nothing to rotate to */
	assert_int_equal(pic.chips[0].lowest, 6);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	initialise(0x11, 0x03);
	raise(5);
	raise(9);
	expect_irq(9);
	assert_int_equal(isr(MASTER), 0);
	assert_int_equal(isr(SLAVE), 0);
	expect_irq(5);
	expect_quiet();
	out(MASTER, 0x80); /* rotate in automatic EOI mode: set */
	raise(1);
	expect_irq(1);
	assert_int_equal(pic.chips[0].lowest, 1);
	out(MASTER, 0x00);
	raise(3);
	expect_irq(3);
	assert_int_equal(pic.chips[0].lowest, 1);
}

/* Two requests of a slave in automatic EOI mode: its INT must fall between them, or the master would see one edge. */
static void the_slave_makes_an_edge_for_each_request(void **state)
{
	initialise(0x11, 0x03);
	raise(9);
	raise(10);
	raise(15);
	expect_irq(9);
	expect_irq(10);
	expect_irq(15);
	expect_quiet();
}

static void level_triggered_inputs_ask_until_the_line_falls(void **state)
{
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(in(0x4d0), 0xf8);
	assert_int_equal(in(0x4d1), 0xde);
	raise(5);
	expect_irq(5);
	assert_int_equal(irr(MASTER), 0x20);
	expect_quiet();
	eoi(MASTER);
	expect_irq(5);
	lower(5);
	assert_int_equal(irr(MASTER), 0x00);
	eoi(MASTER);
	expect_quiet();
	raise(11);
	expect_irq(11);
	eoi(SLAVE);
	eoi(MASTER);
	expect_irq(11);
	raise(0); /* never level triggered */
	expect_irq(0);
	eoi(MASTER);
	expect_quiet();
}

static void a_line_that_becomes_level_triggered_asks_at_once(void **state)
{
	raise(5);
	expect_irq(5);
	eoi(MASTER);
	expect_quiet();
	out(0x4d0, 0x20);
	expect_irq(5);
}

static void ltim_makes_all_inputs_level_triggered(void **state)
{
	initialise(0x19, 0x01);
	raise(0);
	expect_irq(0);
	eoi(MASTER);
	expect_irq(0);
	eoi(MASTER);
	lower(0);
	expect_quiet();
	raise(8);
	expect_irq(8);
	eoi(SLAVE);
	eoi(MASTER);
	expect_irq(8);
}

/* Effects a. to f. of ICW1. */
static void icw1_starts_afresh(void **state)
{
	out(MASTER + DATA, 0x55);
	out(MASTER, 0xc2);
	out(MASTER, 0x68);
	out(MASTER, 0x0b);
	raise(3);
	raise(5);
	expect_irq(3);
	out(MASTER, 0x11);
	raise(4);
	assert_int_equal(in(MASTER), 0x10); /* IRR is selected; a new rise counts, the old ones do not */
	expect_quiet();                     /* not before the initialisation is complete */
	assert_true(irq_masked(&router, 4));
	out(MASTER + DATA, 0x30);
	out(MASTER + DATA, 0x04);
	expect_quiet();
	out(MASTER + DATA, 0x01);
	assert_int_equal(in(MASTER + DATA), 0x00);
	assert_int_equal(pic.chips[0].lowest, 7);
	assert_false(pic.chips[0].special_mask);
	expect_irq(4);
}

static void an_interrupted_initialisation_starts_again(void **state)
{
	out(MASTER, 0x11);
	out(MASTER + DATA, 0x50);
	out(MASTER, 0x13); /* now single: no ICW3 */
	out(MASTER, 0x20); /* an OCW2 in between does not end it */
	out(MASTER + DATA, 0x60);
	out(MASTER + DATA, 0x01);
	out(MASTER + DATA, 0xfd);
	assert_int_equal(in(MASTER + DATA), 0xfd);
	raise(1);
	assert_int_equal(pic_acknowledge(&pic, 1), 0x61);
	out(MASTER, 0x10); /* without ICW4 */
	out(MASTER + DATA, 0x60);
	out(MASTER + DATA, 0x04);
	out(MASTER + DATA, 0xfe);
	assert_int_equal(in(MASTER + DATA), 0xfe);
}

static void a_single_master_answers_for_ir2_itself(void **state)
{
	out(MASTER, 0x13);
	out(MASTER + DATA, 0x30);
	out(MASTER + DATA, 0x01);
	raise(9);
	assert_int_equal(pic_acknowledge(&pic, 1), 0x32);
	assert_int_equal(last_accepted, NONE);
	assert_int_equal(isr(SLAVE), 0);
}

/* MCS-80/85: the low address byte of the call, of interval 4 and 8 ("Initialization Command Words 1 and 2"). */
static void without_icw4_the_vector_is_half_a_call_address(void **state)
{
	out(MASTER, 0xb6);
	out(MASTER + DATA, 0x12);
	raise(3);
	assert_int_equal(pic_acknowledge(&pic, 1), 0xa0 + 4 * 3);
	out(MASTER, 0xf2);
	out(MASTER + DATA, 0x12);
	pulse(6);
	assert_int_equal(pic_acknowledge(&pic, 1), 0xc0 + 8 * 6);
}

static void a_poll_acknowledges(void **state)
{
	raise(6);
	raise(4);
	out(MASTER, 0x0c);
	assert_int_equal(in(MASTER), 0x84);
	assert_int_equal(last_accepted, 4);
	assert_int_equal(isr(MASTER), 0x10);
	out(MASTER, 0x0c);
	assert_int_equal(in(MASTER + DATA), 0x07); /* 6 is held back; any read polls */
	assert_int_equal(in(MASTER + DATA), 0x00);
	eoi(MASTER);
	out(MASTER, 0x0e); /* poll and read register: "the poll overrides" */
	assert_int_equal(in(MASTER), 0x86);
	assert_int_equal(in(MASTER), 0x00);
}

static void the_slave_is_polled_on_its_own(void **state)
{
	raise(9);
	raise(14);
	out(SLAVE, 0x0c);
	assert_int_equal(in(SLAVE), 0x81);
	assert_int_equal(last_accepted, 9);
	expect_quiet();
	eoi(SLAVE);
	expect_irq(14);
	eoi(SLAVE);
	eoi(MASTER);
	raise(13);
	last_accepted = NONE;
	out(MASTER, 0x0c);
	assert_int_equal(in(MASTER), 0x82);
	assert_int_equal(last_accepted, NONE);
	assert_int_equal(irr(SLAVE), 0x20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(firmware_leaves_everything_masked, set_up),
		cmocka_unit_test_setup(an_edge_is_requested_once, set_up),
		cmocka_unit_test_setup(a_request_that_goes_away_is_spurious, set_up),
		cmocka_unit_test_setup(the_slave_has_its_own_spurious_interrupt, set_up),
		cmocka_unit_test_setup(nobody_answers_for_a_slave_that_is_not_there, set_up),
		cmocka_unit_test_setup(a_single_slave_does_not_answer, set_up),
		cmocka_unit_test_setup(priorities_are_fully_nested, set_up),
		cmocka_unit_test_setup(the_slave_comes_through_ir2, set_up),
		cmocka_unit_test_setup(special_fully_nested_mode_lets_higher_slave_requests_in, set_up),
		cmocka_unit_test_setup(masks_hold_back_but_do_not_forget, set_up),
		cmocka_unit_test_setup(special_mask_mode_lets_lower_levels_in, set_up),
		cmocka_unit_test_setup(a_specific_eoi_ends_one_level, set_up),
		cmocka_unit_test_setup(rotation_makes_the_served_level_the_lowest, set_up),
		cmocka_unit_test_setup(automatic_eoi_leaves_nothing_in_service, set_up),
		cmocka_unit_test_setup(the_slave_makes_an_edge_for_each_request, set_up),
		cmocka_unit_test_setup(level_triggered_inputs_ask_until_the_line_falls, set_up),
		cmocka_unit_test_setup(a_line_that_becomes_level_triggered_asks_at_once, set_up),
		cmocka_unit_test_setup(ltim_makes_all_inputs_level_triggered, set_up),
		cmocka_unit_test_setup(icw1_starts_afresh, set_up),
		cmocka_unit_test_setup(an_interrupted_initialisation_starts_again, set_up),
		cmocka_unit_test_setup(a_single_master_answers_for_ir2_itself, set_up),
		cmocka_unit_test_setup(without_icw4_the_vector_is_half_a_call_address, set_up),
		cmocka_unit_test_setup(a_poll_acknowledges, set_up),
		cmocka_unit_test_setup(the_slave_is_polled_on_its_own, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
