/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The UART against the PC16550D data sheet, and against drivers that trust it: Linux's way of telling its type,
 * and interrupt handlers behind an edge-triggered controller. */
#include "devices/uart.h"

#include "tests/board.h"

#define BASE 0x3f8
#define IRQ 4

static struct board board;
static struct uart uart;

static void power_on(void)
{
	board_init(&board);
	uart_init(&uart, &board.bus, &board.router, BASE, IRQ);
}

static uint8_t in(enum uart_register which)
{
	return board_in(&board, (uint16_t)(BASE + which), 0);
}

static void out(enum uart_register which, uint8_t value)
{
	board_out(&board, (uint16_t)(BASE + which), value, 0);
}

static void put(const char *text)
{
	while (*text)
		uart_put_input(&uart, (uint8_t)*text++);
}

/* FIFOs with a trigger level (1, 4, 8, 14 by 0 to 3), interrupts through OUT2. */
static void set_up(uint8_t ier, unsigned trigger)
{
	power_on();
	out(UART_FCR, (uint8_t)(UART_FCR_ENABLE | trigger << 6));
	out(UART_MCR, UART_MCR_OUT2);
	out(UART_IER, ier);
}

/* Claim: after a reset the registers are those of table III. */
static void starts_as_after_master_reset(void **state)
{
	(void)state;
	power_on();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(in(UART_IER), 0);
		assert_int_equal(in(UART_IIR), UART_IIR_NONE);
		assert_int_equal(in(UART_LCR), 0);
		assert_int_equal(in(UART_MCR), 0);
		assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		assert_int_equal(in(UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
		out(UART_FCR, 0xc1);
		put("lost by the reset, and overrun");
		out(UART_LCR, 0x1b);
		out(UART_MCR, 0x1f);
		out(UART_MCR, UART_MCR_OUT2);
		out(UART_IER, 0x0f);
		assert_true(board.level[IRQ]);
		uart_reset(&uart);
		assert_false(board.level[IRQ]);
	}
}

/* Claim: the steps by which Linux's 8250 driver tells a type (autoconfig in drivers/tty/serial/8250/8250_port.c)
 * find a 16550A and nothing newer. */
static void linux_finds_a_16550a(void **state)
{
	(void)state;
	power_on();
	out(UART_IER, 0);
	assert_int_equal(in(UART_IER), 0);
	out(UART_IER, 0x0f);
	assert_int_equal(in(UART_IER) & 0x0f, 0x0f);
	out(UART_IER, 0);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, 0);
	out(UART_LCR, 0xbf);
	out(UART_IIR, 0); /* EFR of newer chips */
	out(UART_LCR, 0);
	out(UART_FCR, UART_FCR_ENABLE);
	assert_int_equal(in(UART_IIR) >> 6, 3); /* "PORT_16550A" */
	out(UART_LCR, UART_LCR_DLAB);
	assert_int_not_equal(in(UART_IIR), 0); /* no EFR of the 16C650 */
	out(UART_LCR, 0xbf);
	assert_int_not_equal(in(UART_IIR), 0); /* nor of the 16C850 */
	out(UART_LCR, 0);
	out(UART_FCR, UART_FCR_ENABLE | 0x20);
	assert_int_equal(in(UART_IIR) >> 5, 6); /* no 64-byte FIFO without DLAB */
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_FCR, UART_FCR_ENABLE | 0x20);
	assert_int_equal(in(UART_IIR) >> 5, 6); /* nor with it: no 16750 */
	out(UART_LCR, 0);
	out(UART_IER, 0x40);
	assert_int_equal(in(UART_IER) & 0x40, 0); /* no UUE: no XScale */
}

/* Claim: the two tests of serial8250_do_startup pass: the THRE interrupt comes, and comes again, whenever it is
 * enabled. */
static void linux_finds_no_bug_of_thre(void **state)
{
	(void)state;
	set_up(0, 0);
	out(UART_IER, UART_IER_THRE);
	assert_true(board.level[IRQ]);
	assert_int_equal(in(UART_IIR), UART_IIR_FIFO | UART_IIR_THRE);
	assert_false(board.level[IRQ]);
	assert_int_equal(in(UART_IIR), UART_IIR_FIFO | UART_IIR_NONE);
	out(UART_IER, UART_IER_THRE); /* no change: no new cause */
	assert_int_equal(in(UART_IIR), UART_IIR_FIFO | UART_IIR_NONE);
	out(UART_IER, 0);
	out(UART_IER, UART_IER_THRE);
	assert_int_equal(in(UART_IIR), UART_IIR_FIFO | UART_IIR_THRE);
	assert_int_equal(board.rises[IRQ], 2);
}

/* Claim: the scratch register, LCR and the divisor latch are memory; a divisor of 0 changes nothing; DLAB hides
 * data and IER, whose bits above 3 do not exist. */
static void registers_keep_what_they_should(void **state)
{
	(void)state;
	power_on();
	for (unsigned value = 0; value < 256; value++) {
		out(UART_SCR, (uint8_t)value);
		out(UART_LCR, (uint8_t)(value | UART_LCR_DLAB));
		out(UART_DATA, (uint8_t)(value + 1));
		out(UART_IER, (uint8_t)(value + 2));
		assert_int_equal(in(UART_SCR), value);
		assert_int_equal(in(UART_LCR), value | UART_LCR_DLAB);
		assert_int_equal(in(UART_DATA), (uint8_t)(value + 1));
		assert_int_equal(in(UART_IER), (uint8_t)(value + 2));
		out(UART_LCR, 3);
		out(UART_IER, (uint8_t)value);
		assert_int_equal(in(UART_IER), value & 15);
		out(UART_MCR, (uint8_t)value);
		assert_int_equal(in(UART_MCR), value & 31);
		out(UART_LSR, (uint8_t)value);
		out(UART_MSR, (uint8_t)value);
	}
	assert_int_equal(uart.ring_count, 0);
	out(UART_MCR, 0);
	assert_int_equal(in(UART_LSR) & UART_LSR_DR, 0);
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_DATA, 0);
	out(UART_IER, 0);
	out(UART_LCR, 3);
	out(UART_DATA, 'x');
	assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

/* Claim: at each trigger level the cause is the timeout below it and data from it on, and both end with the last
 * byte. */
static void trigger_levels(void **state)
{
	static const unsigned levels[] = { 1, 4, 8, 14 };

	(void)state;
	for (unsigned trigger = 0; trigger < 4; trigger++) {
		set_up(UART_IER_DATA, trigger);
		for (unsigned count = 1; count <= UART_FIFO_BYTES; count++) {
			assert_true(uart_input_has_room(&uart));
			uart_put_input(&uart, (uint8_t)count);
			assert_true(board.level[IRQ]);
			assert_int_equal(in(UART_IIR) & 15,
					 count < levels[trigger] ? UART_IIR_TIMEOUT : UART_IIR_DATA);
		}
		assert_false(uart_input_has_room(&uart));
		for (unsigned count = 1; count <= UART_FIFO_BYTES; count++) {
			assert_int_equal(in(UART_LSR) & (UART_LSR_DR | UART_LSR_OE), UART_LSR_DR);
			assert_int_equal(in(UART_DATA), count);
		}
		assert_int_equal(in(UART_LSR) & UART_LSR_DR, 0);
		assert_int_equal(in(UART_IIR) & 15, UART_IIR_NONE);
		assert_false(board.level[IRQ]);
	}
}

/* Claim: the 17th byte sets OE once and is lost; without FIFOs the second byte takes the first one's place. */
static void overrun(void **state)
{
	(void)state;
	set_up(0, 3);
	put("0123456789abcdefg");
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_NONE);
	set_up(UART_IER_LINE, 3);
	put("0123456789abcdef");
	assert_false(board.level[IRQ]);
	put("XY");
	assert_true(board.level[IRQ]);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_LINE);
	assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DR | UART_LSR_OE);
	assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DR);
	assert_false(board.level[IRQ]);
	assert_int_equal(uart.lost_input, 2);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(UART_DATA), "0123456789abcdef"[i]);
	power_on();
	put("a");
	assert_false(uart_input_has_room(&uart));
	put("b");
	assert_int_equal(in(UART_LSR) & (UART_LSR_DR | UART_LSR_OE), UART_LSR_DR | UART_LSR_OE);
	assert_int_equal(in(UART_DATA), 'b');
	assert_int_equal(in(UART_LSR) & (UART_LSR_DR | UART_LSR_OE), 0);
	assert_int_equal(in(UART_DATA), 'b'); /* nothing new */
	assert_true(uart_input_has_room(&uart));
}

/* Claim: FCR bit 1 or a change of bit 0 empties the receiver, and the other bits count only together with bit 0;
 * the transmitter's ring is not touched. */
static void fifo_control(void **state)
{
	static const struct {
		uint8_t before, written, left, iir;
	} cases[] = {
		{ 0x01, 0x01, 3, 0xcc - 8 }, { 0x01, 0xc1, 3, 0xcc }, { 0xc1, 0xc3, 0, 0xc1 }, { 0x01, 0x07, 0, 0xc1 },
		{ 0x01, 0x05, 3, 0xc4 }, { 0x01, 0x00, 0, 0x01 }, { 0x01, 0x02, 0, 0x01 }, { 0x00, 0x02, 1, 0x04 },
		{ 0x00, 0x01, 0, 0xc1 }, { 0x00, 0xc6, 1, 0x04 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char byte;

		set_up(UART_IER_DATA, 0);
		out(UART_FCR, cases[i].before);
		out(UART_DATA, '!');
		put("abc");
		in(UART_LSR);
		out(UART_FCR, cases[i].written);
		assert_int_equal(in(UART_IIR), cases[i].iir);
		for (unsigned left = 0; left < cases[i].left; left++) {
			assert_int_equal(in(UART_LSR) & UART_LSR_DR, 1);
			in(UART_DATA);
		}
		assert_int_equal(in(UART_LSR) & UART_LSR_DR, 0);
		assert_int_equal(uart_take_output(&uart, &byte, 1), 1);
	}
}

/* Claim: table IV's priorities: line status, data, THRE, modem; each is taken away by its own read. */
static void priorities(void **state)
{
	(void)state;
	set_up(UART_IER_LINE | UART_IER_DATA | UART_IER_THRE | UART_IER_MODEM, 0);
	in(UART_IIR); /* THRE, from enabling */
	out(UART_DATA, 'x');
	put("0123456789abcdefg");
	out(UART_MCR, UART_MCR_OUT2 | UART_MCR_LOOP);
	out(UART_MCR, UART_MCR_OUT2);
	assert_true(board.level[IRQ]);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_LINE);
	in(UART_LSR);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(in(UART_IIR) & 15, UART_IIR_DATA);
		in(UART_DATA);
	}
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_THRE);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_MODEM);
	assert_true(board.level[IRQ]);
	assert_int_equal(in(UART_MSR) & UART_MSR_DELTAS, 0x03);
	assert_int_equal(in(UART_MSR) & UART_MSR_DELTAS, 0);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_NONE);
	assert_false(board.level[IRQ]);
}

/* Claim: in loopback what is sent is received and does not get out, nothing from outside gets in, the modem
 * outputs are the inputs, and no interrupt leaves. */
static void loopback(void **state)
{
	char byte;

	(void)state;
	for (unsigned mcr = 0; mcr < 16; mcr++) {
		set_up(0x0f, 0);
		out(UART_MCR, (uint8_t)(mcr | UART_MCR_LOOP));
		assert_int_equal(in(UART_MSR) & 0xf0,
				 (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 4) << 4 | (mcr & 8) << 4);
		for (unsigned value = 0; value < 256; value++) {
			assert_false(uart_input_has_room(&uart));
			uart_put_input(&uart, 0x77);
			out(UART_DATA, (uint8_t)value);
			assert_int_equal(in(UART_LSR) & UART_LSR_DR, 1);
			assert_int_equal(in(UART_IIR) & 15, UART_IIR_DATA);
			assert_false(board.level[IRQ]);
			assert_int_equal(in(UART_DATA), value);
		}
		assert_int_equal(in(UART_LSR) & UART_LSR_DR, 0);
		assert_int_equal(uart.lost_input, 256);
		assert_int_equal(uart_take_output(&uart, &byte, 1), 0);
		out(UART_MCR, 0);
		in(UART_MSR);
		assert_int_equal(in(UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	}
	set_up(0, 0);
	out(UART_MCR, UART_MCR_LOOP);
	for (unsigned i = 0; i < 17; i++)
		out(UART_DATA, (uint8_t)i);
	assert_int_equal(in(UART_LSR) & UART_LSR_OE, UART_LSR_OE);
}

/* Claim: DCTS, DDSR and DDCD are set by any change, TERI only when RI ends, and all last until MSR is read. */
static void modem_deltas(void **state)
{
	(void)state;
	power_on();
	out(UART_MCR, UART_MCR_LOOP | 0x0b);
	assert_int_equal(in(UART_MSR), 0xb0);
	out(UART_MCR, UART_MCR_LOOP | 0x0f);
	assert_int_equal(in(UART_MSR), 0xf0);
	out(UART_MCR, UART_MCR_LOOP | 0x0b);
	assert_int_equal(in(UART_MSR), 0xb0 | UART_MSR_TERI);
	out(UART_MCR, UART_MCR_LOOP | 0x09);
	out(UART_MCR, UART_MCR_LOOP | 0x0b);
	out(UART_MCR, UART_MCR_LOOP | 0x0a);
	assert_int_equal(in(UART_MSR), 0x93);
	out(UART_MCR, UART_MCR_LOOP);
	assert_int_equal(in(UART_MSR), 0x09);
	assert_int_equal(in(UART_MSR), 0x00);
}

/* Claim: no interrupt leaves while OUT2 is 0; raising OUT2 lets a pending one out. */
static void out2_is_the_gate(void **state)
{
	(void)state;
	power_on();
	out(UART_IER, UART_IER_DATA);
	put("a");
	assert_false(board.level[IRQ]);
	assert_int_equal(in(UART_IIR), UART_IIR_DATA);
	out(UART_MCR, UART_MCR_OUT2);
	assert_true(board.level[IRQ]);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	assert_false(board.level[IRQ]);
}

/* Claim: THRE and TEMT stand while a whole FIFO still fits, so a driver that looks once per 16 bytes loses none;
 * what is written without looking is lost and counted; room that comes back interrupts. */
static void full_ring(void **state)
{
	static char taken[UART_RING_BYTES];
	unsigned long written = 0;

	(void)state;
	set_up(UART_IER_THRE, 0);
	while (in(UART_LSR) & UART_LSR_THRE)
		for (unsigned i = 0; i < UART_FIFO_BYTES; i++)
			out(UART_DATA, (uint8_t)(written++ % 251));
	assert_int_equal(in(UART_LSR), 0);
	assert_int_equal(written, UART_RING_BYTES);
	assert_int_equal(uart.lost_output, 0);
	assert_false(board.level[IRQ]);
	out(UART_DATA, 'x');
	assert_int_equal(uart.lost_output, 1);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_NONE);
	assert_int_equal(uart_take_output(&uart, taken, 15), 15);
	assert_false(board.level[IRQ]);
	assert_int_equal(in(UART_LSR) & UART_LSR_THRE, 0);
	assert_int_equal(uart_take_output(&uart, taken + 15, 1), 1);
	assert_true(board.level[IRQ]);
	assert_int_equal(in(UART_IIR) & 15, UART_IIR_THRE);
	assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(uart_take_output(&uart, taken + 16, sizeof(taken)), sizeof(taken) - 16);
	for (unsigned i = 0; i < sizeof(taken); i++)
		assert_int_equal((uint8_t)taken[i], i % 251);
	assert_int_equal(uart_take_output(&uart, taken, sizeof(taken)), 0);
}

/* Claim: a driver that runs only on edges of the line and feeds one FIFO for each THRE gets every byte out, in
 * order, however the other side takes them. */
static void transmits_by_interrupt_alone(void **state)
{
	unsigned long sent = 0, received = 0, seen = 0, total = share(100000000);
	uint64_t seed = 5;
	static char chunk[5000];

	(void)state;
	set_up(0, 0);
	out(UART_IER, UART_IER_THRE);
	while (received < total) {
		while (seen != board.rises[IRQ]) {
			seen = board.rises[IRQ];
			while (!(in(UART_IIR) & UART_IIR_NONE))
				for (unsigned i = 0; i < UART_FIFO_BYTES && sent < total; i++)
					out(UART_DATA, (uint8_t)(sent++ % 253));
		}
		size_t count = uart_take_output(&uart, chunk, random_next(&seed) % sizeof(chunk) + 1);

		for (size_t i = 0; i < count; i++)
			assert_int_equal((uint8_t)chunk[i], received++ % 253);
		assert_true(count > 0 || received == total);
	}
	assert_int_equal(uart.lost_output, 0);
}

/* Claim: a handler that does no more than write one byte for each edge, and never reads IIR, is not left waiting. */
static void each_byte_written_gives_an_edge(void **state)
{
	(void)state;
	set_up(UART_IER_THRE, 0);
	for (unsigned i = 1; i < 100; i++) {
		assert_int_equal(board.rises[IRQ], i);
		out(UART_DATA, 'x');
	}
}

/* Claim: a handler that for each edge reads on only while the trigger level is reached, and one byte at a timeout,
 * gets all that has come without further input, at every trigger level and without FIFOs. */
static void receives_by_interrupt_alone(void **state)
{
	uint64_t seed = 6;

	(void)state;
	for (unsigned trigger = 0; trigger < 5; trigger++) {
		unsigned long sent = 0, received = 0, seen = 0;

		set_up(UART_IER_DATA, trigger % 4);
		if (trigger == 4)
			out(UART_FCR, 0);
		while (received < 10000) {
			for (uint64_t burst = random_next(&seed) % 20; burst && uart_input_has_room(&uart); burst--)
				uart_put_input(&uart, (uint8_t)(sent++ % 255));
			while (seen != board.rises[IRQ]) {
				seen = board.rises[IRQ];
				do {
					assert_int_equal(in(UART_DATA), received++ % 255);
				} while ((in(UART_IIR) & 15) == UART_IIR_DATA);
			}
			assert_int_equal(received, sent);
		}
	}
}

/* Claim: whatever is accessed in whatever order: the line is the gate and IIR's verdict, and all that was sent
 * came out or is counted. */
static void survives_anything(void **state)
{
	uint64_t seed = 7, sent = 0, received = 0;
	char chunk[64];

	(void)state;
	power_on();
	for (; sent < 65450; sent++)
		out(UART_DATA, 'x');
	for (unsigned long i = 0; i < share(50000000); i++) {
		uint64_t dice = random_next(&seed);
		enum uart_register which = dice >> 8 & 7;
		bool loop = uart.mcr & UART_MCR_LOOP, dlab = uart.lcr & UART_LCR_DLAB;

		if (dice % 16 < 7) {
			sent += which == UART_DATA && !loop && !dlab;
			out(which, (uint8_t)(dice >> 16));
		} else if (dice % 16 < 14) {
			in(which);
		} else if (dice % 16 == 14) {
			uart_put_input(&uart, (uint8_t)(dice >> 16));
		} else if (uart.ring_count > 65500) {
			received += uart_take_output(&uart, chunk, dice >> 32 & 0x3f);
		}
		bool gate = (uart.mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2, level = board.level[IRQ];

		assert_int_equal(level, gate && !(in(UART_IIR) & UART_IIR_NONE));
		assert_int_equal(sent, received + uart.ring_count + uart.lost_output);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_as_after_master_reset),
		cmocka_unit_test(linux_finds_a_16550a),
		cmocka_unit_test(linux_finds_no_bug_of_thre),
		cmocka_unit_test(registers_keep_what_they_should),
		cmocka_unit_test(trigger_levels),
		cmocka_unit_test(overrun),
		cmocka_unit_test(fifo_control),
		cmocka_unit_test(priorities),
		cmocka_unit_test(loopback),
		cmocka_unit_test(modem_deltas),
		cmocka_unit_test(out2_is_the_gate),
		cmocka_unit_test(full_ring),
		cmocka_unit_test(transmits_by_interrupt_alone),
		cmocka_unit_test(each_byte_written_gives_an_edge),
		cmocka_unit_test(receives_by_interrupt_alone),
		cmocka_unit_test(survives_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
