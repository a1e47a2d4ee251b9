/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The reset ports and the empty PCI configuration mechanism, as kernels use them. */
#include "devices/reset.h"

#include "tests/board.h"

static struct board board;
static struct reset reset;

static void power_on(void)
{
	struct machine_requests requests = board_requests(&board);

	board_init(&board);
	reset_init(&reset, &board.bus, &requests);
}

static uint32_t in(uint16_t port, unsigned bytes)
{
	return bus_read_port(&board.bus, port, bytes, 0) & UINT32_MAX >> (32 - 8 * bytes);
}

static void out(uint16_t port, uint32_t value, unsigned bytes)
{
	bus_write_port(&board.bus, port, value, bytes, 0);
}

static void assert_reset(unsigned requests, enum reset_kind kind)
{
	assert_int_equal(board.requests, requests);
	assert_int_equal(board.what, MACHINE_RESET);
	assert_int_equal(board.value, kind);
}

/* Claim: CF8h is a latch for accesses of four bytes only, and what lies behind it is all ones. */
static void configuration_space_is_empty(void **state)
{
	(void)state;
	power_on();
	out(0xcfb, 0x01, 1); /* Linux's pci_check_type1 */
	assert_int_equal(in(0xcf8, 4), 0);
	out(0xcf8, 0x80000000, 4);
	assert_int_equal(in(0xcf8, 4), 0x80000000);
	for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
		for (uint16_t port = 0xcfc; port + bytes <= 0xd00; port++) {
			out(port, 0x12345678, bytes);
			assert_int_equal(in(port, bytes), UINT32_MAX >> (32 - 8 * bytes));
		}
	}
	out(0xcf8, 0x11, 1);
	out(0xcfa, 0x1111, 2);
	assert_int_equal(in(0xcf8, 4), 0x80000000);
	assert_int_equal(in(0xcf8, 1), 0xff);
	assert_int_equal(in(0xcfa, 2), 0xffff);
	out(0xcf8, 0xffff0604, 4);
	assert_int_equal(in(0xcf8, 4), 0xffff0604);
	assert_int_equal(board.requests, 0);
	assert_int_equal(board.bus.unclaimed, 0);
	reset_reset(&reset);
	assert_int_equal(in(0xcf8, 4), 0);
}

/* Claim: CF9h resets when bit 2 rises, hard if bit 1 is set; it stays apart from the latch whose second byte it
 * is. */
static void cf9(void **state)
{
	(void)state;
	power_on();
	out(0xcf8, 0x06060606, 4);
	assert_int_equal(board.requests, 0);
	assert_int_equal(in(0xcf9, 1), 0);
	out(0xcf9, 0x02, 1); /* Linux: cf9 | 2, then the reset code */
	out(0xcf8, 0x06, 1);
	out(0xcfa, 0x0606, 2);
	assert_int_equal(in(0xcf9, 1), 2);
	assert_int_equal(board.requests, 0);
	out(0xcf9, 0x06, 1);
	assert_reset(1, RESET_CF9_HARD);
	out(0xcf9, 0x0e, 1);
	assert_int_equal(board.requests, 1); /* no edge */
	out(0xcf9, 0x00, 1);
	out(0xcf9, 0x04, 1);
	assert_reset(2, RESET_CF9_SOFT);
	reset_reset(&reset);
	assert_int_equal(in(0xcf9, 1), 0);
	out(0xcf9, RESET_CF9_VALUE, 1); /* ACPI's reset register */
	assert_reset(3, RESET_CF9_HARD);
	reset_reset(&reset);
	out(0xcf8, 0x0600, 2); /* a word reaches CF9h with its second byte */
	assert_reset(4, RESET_CF9_HARD);
	assert_int_equal(in(0xcf8, 2), 0x06ff);
	assert_int_equal(in(0xcf9, 2), 0xff06);
	assert_int_equal(in(0xcf8, 4), 0);
}

/* Claim: a kernel that waits for the keyboard controller to be ready does so for no time; the commands that pulse
 * the reset line reset, no others do. */
static void keyboard_controller(void **state)
{
	(void)state;
	power_on();
	assert_int_equal(in(0x64, 1) & 0x02, 0);    /* Linux's kb_wait */
	assert_int_equal(in(0x64, 1) & 0x01, 0x01); /* i8042_flush gives up after 16 bytes */
	assert_int_not_equal(in(0x64, 1), 0xff);
	for (unsigned command = 0; command < 256; command++) {
		board.requests = 0;
		out(0x64, command, 1);
		assert_int_equal(board.requests, command >= 0xf0 && !(command & 1));
	}
	out(0x64, 0xfe, 1);
	assert_reset(1, RESET_KEYBOARD);
}

/* Claim: port 92h resets when bit 0 rises and keeps the A20 bit, which starts as 1. */
static void port_92(void **state)
{
	(void)state;
	power_on();
	assert_int_equal(in(0x92, 1), 2);
	out(0x92, 0xfc, 1);
	assert_int_equal(in(0x92, 1), 0);
	out(0x92, in(0x92, 1) | 2, 1);
	assert_int_equal(in(0x92, 1), 2);
	assert_int_equal(board.requests, 0);
	out(0x92, 3, 1);
	assert_reset(1, RESET_FAST);
	out(0x92, 1, 1);
	assert_int_equal(board.requests, 1);
	reset_reset(&reset);
	assert_int_equal(in(0x92, 1), 2);
}

/* Claim: the low byte of what is written to F4h, in any width, is the verdict. */
static void report(void **state)
{
	(void)state;
	power_on();
	assert_int_equal(in(0xf4, 1), 0xff);
	for (unsigned i = 0; i < 3 * 256; i++) {
		out(0xf4, 0xa5a5a500 | (i & 0xff), 1u << i / 256);
		assert_int_equal(board.requests, i + 1);
		assert_int_equal(board.what, MACHINE_REPORT);
		assert_int_equal(board.value, i & 0xff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_space_is_empty),
		cmocka_unit_test(cf9),
		cmocka_unit_test(keyboard_controller),
		cmocka_unit_test(port_92),
		cmocka_unit_test(report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
