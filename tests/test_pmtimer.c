/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The PM timer and the PM1a registers against ACPI 6.5, 4.8.3, with 128-bit division as the oracle. */
#include "devices/pmtimer.h"

#include "tests/board.h"

#define SECOND 1000000000ull

static struct board board;
static struct pmtimer pmtimer;

static void power_on(void)
{
	struct machine_requests requests = board_requests(&board);

	board_init(&board);
	pmtimer_init(&pmtimer, &board.bus, &board.router, &board.queue, &requests);
}

static uint32_t in(uint16_t port, unsigned bytes, uint64_t now_ns)
{
	return bus_read_port(&board.bus, port, bytes, now_ns) & UINT32_MAX >> (32 - 8 * bytes);
}

static void out(uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	bus_write_port(&board.bus, port, value, bytes, now_ns);
}

static uint32_t oracle(uint64_t now_ns)
{
	return (uint32_t)((unsigned __int128)now_ns * PM_TMR_HZ / SECOND);
}

/* When the counter, unwrapped, reaches count. */
static uint64_t reached_ns(uint64_t count)
{
	return (uint64_t)(((unsigned __int128)count * SECOND + PM_TMR_HZ - 1) / PM_TMR_HZ);
}

/* Claim: the counter is floor(now * 3579545 / 10^9) modulo 2^32 up to the end of guest time, in every width and
 * place. */
static void counter_is_exact(void **state)
{
	uint64_t seed = 1;

	(void)state;
	power_on();
	for (unsigned long i = 0; i < share(20000000); i++) {
		uint64_t now_ns = random_next(&seed) >> (1 + random_next(&seed) % 63);
		unsigned place = i % 4;

		assert_int_equal(in(PM_TMR_PORT, 4, now_ns), oracle(now_ns));
		assert_int_equal(in((uint16_t)(PM_TMR_PORT + place), 1, now_ns), oracle(now_ns) >> 8 * place & 0xff);
		if (place < 3)
			assert_int_equal(in((uint16_t)(PM_TMR_PORT + place), 2, now_ns),
					 oracle(now_ns) >> 8 * place & 0xffff);
	}
	for (uint64_t second = 1; second < 10000; second *= 7)
		assert_int_equal(in(PM_TMR_PORT, 4, second * SECOND), (uint32_t)(second * PM_TMR_HZ));
}

/* Claim: the counter cannot be written. */
static void counter_is_read_only(void **state)
{
	(void)state;
	power_on();
	for (uint16_t port = PM_TMR_PORT; port < PM_TMR_PORT + 4; port++)
		out(port, 0xff, 1, 0);
	out(PM_TMR_PORT, 0x12345678, 4, 0);
	assert_int_equal(in(PM_TMR_PORT, 4, SECOND), PM_TMR_HZ);
}

/* Claim: TMR_STS is set exactly when bit 31 changes, either way, for a guest that polls; and nothing is queued for
 * that. */
static void carry_is_seen_by_polling(void **state)
{
	(void)state;
	power_on();
	for (uint64_t carry = 1; carry < 200; carry += 1 + carry / 5) {
		uint64_t at_ns = reached_ns(carry << 31);

		assert_int_equal(in(PM_TMR_PORT, 4, at_ns - 1) >> 31, (carry - 1) & 1);
		out(PM1A_EVT_PORT, PM1_TMR, 2, at_ns - 1);
		assert_int_equal(in(PM1A_EVT_PORT, 2, at_ns - 1), 0);
		assert_int_equal(in(PM_TMR_PORT, 4, at_ns) >> 31, carry & 1);
		assert_int_equal(in(PM1A_EVT_PORT, 2, at_ns), PM1_TMR);
		assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	}
	assert_int_equal(board.rises[PM_SCI_IRQ], 0);
}

/* Claim: with TMR_EN the SCI comes exactly at the carry and stays until TMR_STS is cleared by writing 1. */
static void carry_interrupts(void **state)
{
	(void)state;
	power_on();
	out(PM1A_EVT_PORT + 2, PM1_TMR, 2, 5);
	for (uint64_t carry = 1; carry < 1000; carry++) {
		uint64_t at_ns = reached_ns(carry << 31);

		assert_true(event_next_ns(&board.queue) == at_ns);
		board_run(&board, at_ns - 1);
		assert_false(board.level[PM_SCI_IRQ]);
		board_run(&board, at_ns);
		assert_true(board.level[PM_SCI_IRQ]);
		assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
		out(PM1A_EVT_PORT, 0, 2, at_ns);
		out(PM1A_EVT_PORT, PM1_GBL, 2, at_ns);
		assert_true(board.level[PM_SCI_IRQ]);
		out(PM1A_EVT_PORT, PM1_TMR, 1, at_ns);
		assert_false(board.level[PM_SCI_IRQ]);
	}
	out(PM1A_EVT_PORT + 2, 0, 2, reached_ns(999ull << 31));
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
}

/* Claim: the power button sets its status bit; the SCI follows its enable bit. */
static void power_button(void **state)
{
	(void)state;
	power_on();
	pmtimer_press_power_button(&pmtimer);
	assert_false(board.level[PM_SCI_IRQ]);
	assert_int_equal(in(PM1A_EVT_PORT, 4, 0), PM1_PWRBTN);
	out(PM1A_EVT_PORT + 2, PM1_PWRBTN, 2, 0);
	assert_true(board.level[PM_SCI_IRQ]);
	assert_int_equal(in(PM1A_EVT_PORT, 4, 0), PM1_PWRBTN | PM1_PWRBTN << 16);
	out(PM1A_EVT_PORT + 1, PM1_PWRBTN >> 8, 1, 0);
	assert_false(board.level[PM_SCI_IRQ]);
	assert_int_equal(in(PM1A_EVT_PORT, 2, 0), 0);
	pmtimer_press_power_button(&pmtimer);
	assert_true(board.level[PM_SCI_IRQ]);
	pmtimer_reset(&pmtimer, 0);
	assert_false(board.level[PM_SCI_IRQ]);
	assert_int_equal(in(PM1A_EVT_PORT, 4, 0), 0);
}

/* Claim: only the enable bits that exist can be set, byte by byte as well as at once, and a byte leaves its
 * neighbours alone. */
static void enable_bits(void **state)
{
	(void)state;
	power_on();
	out(PM1A_EVT_PORT, 0xffffffff, 4, 0);
	assert_int_equal(in(PM1A_EVT_PORT, 4, 0), 0x0721u << 16);
	out(PM1A_EVT_PORT + 3, 0, 1, 0);
	assert_int_equal(in(PM1A_EVT_PORT + 2, 2, 0), 0x0021);
	out(PM1A_EVT_PORT + 2, 0, 1, 0);
	out(PM1A_EVT_PORT + 3, 0xff, 1, 0);
	assert_int_equal(in(PM1A_EVT_PORT + 2, 2, 0), 0x0700);
	out(PM1A_EVT_PORT + 1, 0x20ff, 2, 0);
	assert_int_equal(in(PM1A_EVT_PORT + 2, 2, 0), 0x0720);
}

/* Claim: SCI_EN always reads 1, SLP_EN 0; SLP_TYP and BM_RLD are kept; S5 and nothing else powers the machine off,
 * by word or by byte. */
static void control_register(void **state)
{
	(void)state;
	power_on();
	assert_int_equal(in(PM1A_CNT_PORT, 2, 0), PM1_CNT_SCI_EN);
	for (unsigned type = 0; type < 8; type++) {
		uint32_t value = type << PM1_CNT_SLP_TYP_SHIFT;

		board.requests = 0;
		out(PM1A_CNT_PORT, value | (0xffff & ~(PM1_CNT_SLP_TYP | PM1_CNT_SLP_EN)), 2, 0);
		assert_int_equal(in(PM1A_CNT_PORT, 2, 0), value | PM1_CNT_BM_RLD | PM1_CNT_SCI_EN);
		assert_int_equal(board.requests, 0);
		out(PM1A_CNT_PORT, value | PM1_CNT_SLP_EN, 2, 0);
		assert_int_equal(in(PM1A_CNT_PORT, 2, 0), value | PM1_CNT_SCI_EN);
		assert_int_equal(board.requests, type == PM_SLP_TYP_S5);
		out(PM1A_CNT_PORT, 0, 1, 0);
		assert_int_equal(in(PM1A_CNT_PORT, 2, 0), value | PM1_CNT_SCI_EN);
		out(PM1A_CNT_PORT + 1, (value | PM1_CNT_SLP_EN) >> 8, 1, 0);
		assert_int_equal(board.requests, 2 * (type == PM_SLP_TYP_S5));
		assert_int_equal(in(PM1A_CNT_PORT + 1, 1, 0), value >> 8);
	}
	assert_int_equal(board.what, MACHINE_POWER_OFF);
}

/* Claim: after a reset the old carries are not told again, and the counter has gone on. */
static void reset_forgets_carries(void **state)
{
	uint64_t now_ns = reached_ns(5ull << 31) + 10;

	(void)state;
	power_on();
	out(PM1A_EVT_PORT + 2, PM1_TMR, 2, 0);
	pmtimer_reset(&pmtimer, now_ns);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	assert_int_equal(in(PM1A_EVT_PORT, 4, now_ns), 0);
	assert_int_equal(in(PM_TMR_PORT, 4, now_ns), oracle(now_ns));
}

/* Claim: whatever is written: the SCI is status and enable, and an event is queued exactly while TMR_EN waits for
 * a carry. */
static void survives_anything(void **state)
{
	uint64_t seed = 2, now_ns = 0;

	(void)state;
	power_on();
	for (unsigned long i = 0; i < share(20000000); i++) {
		uint64_t dice = random_next(&seed);
		unsigned bytes = 1u << dice % 3;
		uint16_t port = (uint16_t)(PM1A_EVT_PORT - 2 + (dice >> 8) % 20);

		now_ns += random_next(&seed) >> (25 + random_next(&seed) % 39);
		if (now_ns >> 62) {
			now_ns = 0;
			power_on();
		}
		event_run(&board.queue, now_ns);
		if (dice >> 16 & 1)
			in(port, bytes, now_ns);
		else
			out(port, (uint32_t)(dice >> 32), bytes, now_ns);
		if ((dice >> 17) % 64 == 0)
			pmtimer_press_power_button(&pmtimer);
		assert_int_equal(board.level[PM_SCI_IRQ], (pmtimer.status & pmtimer.enable) != 0);
		assert_true(pmtimer.event.queued == ((pmtimer.enable & ~pmtimer.status & PM1_TMR) != 0));
		assert_true(event_next_ns(&board.queue) > now_ns);
	}
}

/* Claim: where there is no timer, neither its counter nor its carry is there; the power button is. */
static void without_timer(void **state)
{
	(void)state;
	power_on();
	pmtimer_remove_timer(&pmtimer, &board.bus);
	assert_int_equal(in(PM_TMR_PORT, 4, SECOND), UINT32_MAX);
	out(PM1A_EVT_PORT + 2, PM1_TMR | PM1_PWRBTN, 2, 0);
	assert_int_equal(in(PM1A_EVT_PORT + 2, 2, 0), PM1_PWRBTN);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	assert_int_equal(in(PM1A_EVT_PORT, 2, reached_ns(1ull << 33)), 0);
	pmtimer_press_power_button(&pmtimer);
	assert_int_equal(in(PM1A_EVT_PORT, 2, reached_ns(1ull << 33)), PM1_PWRBTN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counter_is_exact),
		cmocka_unit_test(counter_is_read_only),
		cmocka_unit_test(carry_is_seen_by_polling),
		cmocka_unit_test(carry_interrupts),
		cmocka_unit_test(power_button),
		cmocka_unit_test(enable_bits),
		cmocka_unit_test(control_register),
		cmocka_unit_test(reset_forgets_carries),
		cmocka_unit_test(without_timer),
		cmocka_unit_test(survives_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
