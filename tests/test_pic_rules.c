/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: whatever is written to the 8259A pair in whatever order, its requests follow the data sheet's priority
 * rules as a naive walk finds them, the slave's INT is IR2 of the master, and exactly the acknowledged device is
 * told. */
#include "devices/pic.h"

#include "tests/support.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define NONE (-1)

static struct bus bus;
static struct irq_router router;
static struct pic pic;
static int devices[IRQ_ISA_LINES];
static int last_accepted;

static void accept_of(void *device, uint64_t now_ns)
{
	last_accepted = (int)((int *)device - devices);
}

static void out(uint16_t port, uint8_t value)
{
	bus_write_port(&bus, port, value, 1, 5);
}

static void initialise(uint8_t icw4)
{
	out(MASTER, 0x11);
	out(MASTER + 1, 0x30);
	out(MASTER + 1, 0x04);
	out(MASTER + 1, icw4);
	out(SLAVE, 0x11);
	out(SLAVE + 1, 0x38);
	out(SLAVE + 1, 0x02);
	out(SLAVE + 1, icw4);
}

static int set_up(void **state)
{
	pic_init(&pic, &bus, &router);
	for (unsigned irq = 0; irq < IRQ_ISA_LINES; irq++)
		irq_claim(&router, irq, &devices[irq], accept_of);
	initialise(0x01);
	return 0;
}

/* The priority rules once more, as a walk from the highest level down. */
static int naive_request(const struct pic_chip *chip)
{
	if (chip->awaits != PIC_AWAITS_OCW1)
		return NONE;
	for (int step = 1; step <= 8; step++) {
		int ir = (chip->lowest + step) % 8, mask = 1 << ir;
		bool served = (chip->isr & mask) && !(chip->special_mask && (chip->imr & mask));
		bool wanted = (chip->irr & mask) && !(chip->imr & mask);

		if (wanted && (!served || (chip->special_fully_nested && !chip->is_slave && (chip->slaves & mask))))
			return ir;
		if (served)
			return NONE;
	}
	return NONE;
}

static void check_pair(void)
{
	assert_int_equal(pic_pending(&pic), naive_request(&pic.chips[0]) != NONE);
	assert_int_equal((pic.chips[0].lines & 4) != 0, naive_request(&pic.chips[1]) != NONE);
	for (int i = 0; i < 2; i++) {
		uint8_t level = pic.chips[i].level;

		assert_int_equal(pic.chips[i].irr & level, pic.chips[i].lines & level);
		assert_int_equal(pic.chips[i].irr & ~pic.chips[i].lines, 0);
	}
}

static void check_acknowledge(void)
{
	int ir = naive_request(&pic.chips[0]), expected = ir;

	if (ir != NONE && (pic.chips[0].slaves >> ir & 1)) {
		expected = pic.chips[1].slave_id == ir ? naive_request(&pic.chips[1]) : NONE;
		expected += expected == NONE ? 0 : 8;
	} else if (ir == 2) {
		expected = NONE;
	}
	last_accepted = NONE;
	pic_acknowledge(&pic, 3);
	assert_int_equal(last_accepted, expected);
}

static void random_step(uint64_t *seed)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	uint64_t dice = random_next(seed);
	unsigned irq = dice >> 8 & 15;
	uint16_t port = ports[(dice >> 16 & 0xffff) % 6];

	switch (dice & 7) {
	case 0:
	case 1:
		irq_set(&router, irq == 2 ? 3 : irq, dice >> 12 & 1);
		break;
	case 2:
	case 3:
		check_acknowledge();
		break;
	case 4:
		bus_read_port(&bus, port, 1, 5);
		break;
	case 5:
		out((uint16_t)(dice & 0x10000 ? MASTER : SLAVE), (uint8_t)(dice >> 32 & ~0x18)); /* OCW2 */
		break;
	case 6:
		out(port, (uint8_t)(dice >> 32 & (dice >> 40 & 3 ? ~0x10u : ~0u)));
		break;
	default:
		if (!(dice >> 40 & 31))
			initialise((uint8_t)(dice >> 32 & 0x12) | 1);
		break;
	}
}

static void requests_follow_the_rules_whatever_is_written(void **state)
{
	uint64_t seed = 0x8259;

	for (unsigned long i = 0; i < share(20000000); i++) {
		random_step(&seed);
		check_pair();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(requests_follow_the_rules_whatever_is_written, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
