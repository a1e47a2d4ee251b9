/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The HPET's registers against the tables of IA-PC HPET 1.0a (2.3): what is read-only or reserved, how a periodic comparator is set, levels and
 * edges, legacy replacement in front of PIT and RTC, halting, reset; and what Linux makes of the period register. */
#include "devices/hpet.h"

#include "tests/board.h"

#define NS 1000000000ull

enum { ENABLE = 1, LEGACY = 2 };
enum { LEVEL = 2, INTERRUPTS = 4, PERIODIC = 8, SET_VALUE = 64, NARROWED = 256 };
#define ROUTE(line) ((line) << 9)
#define ROUTE_CAP 0x00ff0c20u

static struct board board;
static struct hpet hpet;
static unsigned accepted_by_others;

static void count_others(void *device, uint64_t now_ns)
{
	(void)device, (void)now_ns;
	accepted_by_others++;
}

static void set_up(unsigned wide, unsigned narrow, uint64_t hz)
{
	struct hpet_shape shape = { (uint8_t)wide, (uint8_t)narrow, hz };

	board_init(&board);
	accepted_by_others = 0;
	irq_claim(&board.router, 0, &board, count_others);
	irq_claim(&board.router, 8, &board, count_others);
	hpet_init(&hpet, &board.bus, &board.router, &board.queue, &shape);
}

static uint64_t get(uint32_t at, uint64_t now_ns)
{
	return bus_read_mmio(&board.bus, HPET_BASE_GPA + at, 8, now_ns);
}

static uint32_t get32(uint32_t at, uint64_t now_ns)
{
	return (uint32_t)bus_read_mmio(&board.bus, HPET_BASE_GPA + at, 4, now_ns);
}

static void set(uint32_t at, uint64_t value, uint64_t now_ns)
{
	bus_write_mmio(&board.bus, HPET_BASE_GPA + at, value, 8, now_ns);
}

static void set32(uint32_t at, uint32_t value, uint64_t now_ns)
{
	bus_write_mmio(&board.bus, HPET_BASE_GPA + at, value, 4, now_ns);
}

/* Claim: the capabilities tell the shape, and what Linux works out of the period is the frequency that was asked for. */
static void the_capabilities_tell_the_shape(void **state)
{
	static const struct { unsigned wide, narrow; uint64_t hz; uint32_t low; } rows[] = {
		{ 3, 0, 100000000, 0x8086a201 }, { 0, 4, 14318180, 0x80868301 }, { 3, 29, 1000000000, 0x8086bf01 }, { 0, 32, 10000000, 0x80869f01 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		set_up(rows[i].wide, rows[i].narrow, rows[i].hz);
		assert_int_equal(get(0, 5) & UINT32_MAX, rows[i].low);
		assert_int_equal(get32(4, 5), 1000000000000000 / rows[i].hz);
		for (unsigned t = 0; t < rows[i].wide + rows[i].narrow; t++)
			assert_int_equal(get(0x100 + 0x20 * t, 5), (uint64_t)ROUTE_CAP << 32 | 0x10 | (t < rows[i].wide ? 0x20 : 0));
	}
	for (uint64_t hz = 10000000; hz < 31600000; hz += 9973) {
		set_up(3, 0, hz);
		assert_int_equal(1000000000000000 / get32(4, 0), hz); /* arch/x86: the clock source and the events */
		if (hz < 22000000)
			assert_int_equal((1000000000000000 + get32(4, 0) / 2) / get32(4, 0), hz); /* drivers/char/hpet.c */
	}
}

/* Claim: all ones written everywhere set only what can be written, read-only registers stay, and nothing is behind the last timer. */
static void only_what_is_writable_is_written(void **state)
{
	(void)state;
	set_up(1, 2, 100000000);
	for (uint32_t at = 0; at < 0x400; at += 8)
		if (at != 0x10)
			set(at, UINT64_MAX, 0);
	for (uint32_t at = 0x28; at < 0x400; at += 8) {
		uint64_t value = 0;

		if (at == 0xf0)
			value = UINT64_MAX;
		if (at >= 0x100 && at < 0x160 && at % 0x20 == 0)
			value = (uint64_t)ROUTE_CAP << 32 | 0x10 | 0x0e | (at == 0x100 ? 0x120 : 0);
		if (at >= 0x100 && at < 0x160 && at % 0x20 == 8)
			value = UINT32_MAX; /* the wide one has been narrowed */
		assert_int_equal(get(at, 0), value);
	}
	assert_int_equal(get(0x18, 0) | get(0x20, 0) | get(0x08, 0), 0);
	set(0x10, UINT64_MAX, 0);
	assert_int_equal(get(0x10, 0), ENABLE | LEGACY);
	assert_int_equal(bus_read_mmio(&board.bus, HPET_BASE_GPA + 0x400, 4, 0), UINT32_MAX);
	set_up(3, 29, 100000000);
	assert_int_equal(get(0x100 + 31 * 0x20, 0) & 0x30, 0x10);
	assert_int_equal(get(0x4f8, 0), 0);
}

/* Claim: a route that the timer has not is not taken, one that it has is (2.3.8, Tn_INT_ROUTE_CNF). */
static void routes_are_those_of_the_capability(void **state)
{
	unsigned kept = 0;

	(void)state;
	set_up(3, 0, 100000000);
	for (unsigned route = 0; route < 32; route++) {
		if (ROUTE_CAP >> route & 1)
			kept = route;
		set(0x120, ROUTE(route), 0);
		assert_int_equal(get(0x120, 0) & 0x3e00, ROUTE(kept));
	}
}

/* Claim: the ways of 2.3.9.2.2 to set a periodic comparator, with one write of 64 bits or two of 32, and to change its rate alone. */
static void a_periodic_comparator_is_set_as_the_specification_says(void **state)
{
	(void)state;
	set_up(3, 0, 100000000);
	set(0x100, PERIODIC | SET_VALUE, 0);
	assert_int_equal(get(0x100, 0) & SET_VALUE, 0);
	set(0x108, 1000, 0);
	set(0x108, 300, 0); /* the period alone */
	set(0x10, ENABLE, 0);
	assert_int_equal(get(0x108, 9999), 1000);
	assert_int_equal(get(0x108, 10000), 1300);
	assert_int_equal(get(0x108, 13000 + 2999), 1900 - 300);
	set32(0x100, PERIODIC | SET_VALUE, 16000);
	set32(0x108, 50, 16000);
	set32(0x100, PERIODIC | SET_VALUE, 16000);
	set32(0x10c, 2, 16000);
	assert_int_equal(get(0x108, 16000), 0x200000032);
	set32(0x10c, 0, 16000); /* the upper half of the period */
	assert_int_equal(get(0x108, 16000), 0x200000032);
	assert_int_equal(get(0x108, 10 * 0x200000032ull), 0x200000064);
}

/* Claim: a level is up while its status is set, is cleared by writing 1 to that bit alone, and waits for Tn_INT_ENB_CNF. */
static void levels_last_until_their_status_is_cleared(void **state)
{
	(void)state;
	set_up(3, 0, 100000000);
	set(0x100, LEVEL | INTERRUPTS | ROUTE(20), 0);
	set(0x108, 100, 0);
	set(0x120, LEVEL | ROUTE(20), 0);
	set(0x128, 100, 0);
	set(0x140, INTERRUPTS | ROUTE(21), 0);
	set(0x148, 100, 0);
	set(0x10, ENABLE, 0);
	assert_int_equal(get(0x20, 999), 0);
	assert_false(board.level[20]);
	assert_int_equal(get(0x20, 1000), 3); /* by the read: no event was run; the edge sets no status */
	assert_true(board.level[20]);
	board_run(&board, 1000);
	assert_int_equal(board.rises[21], 1);
	set(0x20, 2, 1000);
	assert_true(board.level[20]);
	set(0x20, 1, 1000);
	assert_false(board.level[20]);
	assert_int_equal(get(0x20, 1000), 0);
	set(0x128, 200, 1000);
	board_run(&board, 2000);
	assert_false(board.level[20]);
	set(0x120, LEVEL | INTERRUPTS | ROUTE(20), 3000);
	assert_true(board.level[20]);
	set(0x10, 0, 3000);
	assert_false(board.level[20]);
	assert_int_equal(get(0x20, 3000), 2);
	assert_int_equal(hpet.timers[0].one_shot.due, 1);
	assert_int_equal(hpet.timers[0].one_shot.accepted, 1);
	assert_int_equal(hpet.timers[1].one_shot.masked, 2);
}

/* Claim: in legacy replacement timers 0 and 1 have IRQ 0 and 8; what PIT and RTC drive goes nowhere, counts as masked, and comes back after it. */
static void legacy_replacement_takes_the_lines_of_pit_and_rtc(void **state)
{
	(void)state;
	set_up(3, 0, 100000000);
	irq_set(&board.router, 8, true);
	set(0x100, INTERRUPTS | PERIODIC | SET_VALUE | ROUTE(20), 0);
	set(0x108, 100, 0);
	set(0x120, INTERRUPTS | ROUTE(21), 0);
	set(0x128, 150, 0);
	set(0x10, LEGACY, 0);
	assert_false(irq_masked(&board.router, 0)); /* not while it stands */
	set(0x10, LEGACY | ENABLE, 0);
	assert_true(irq_masked(&board.router, 0) && irq_masked(&board.router, 8) && !irq_masked(&board.router, 4));
	assert_false(board.level[8]);
	irq_set(&board.router, 0, true);
	assert_false(board.level[0]);
	board_run(&board, 1500);
	assert_int_equal(board.rises[0], 1);
	assert_int_equal(board.rises[8], 2); /* the RTC's own, before, and timer 1's */
	assert_int_equal(board.rises[20] + board.rises[21], 0);
	irq_accepted(&board.router, 0, 1500);
	irq_accepted(&board.router, 8, 1500);
	assert_int_equal(hpet.timers[0].tick.counters.accepted, 1);
	assert_int_equal(hpet.timers[1].one_shot.accepted, 1);
	assert_int_equal(accepted_by_others, 0);
	assert_false(board.level[0] || board.level[8]);
	board.masked[0] = true;
	board_run(&board, 2000);
	assert_int_equal(hpet.timers[0].tick.counters.masked, 1);
	set(0x10, ENABLE, 2500);
	assert_true(board.level[0] && board.level[8]);
	board.masked[0] = false;
	assert_false(irq_masked(&board.router, 0));
	irq_accepted(&board.router, 0, 2500);
	assert_int_equal(accepted_by_others, 1);
	board_run(&board, 3000);
	assert_int_equal(board.rises[20], 1);
}

/* Claim: halted, the counter keeps its value, is written, and nothing falls due; running, it cannot be written. */
static void the_counter_halts_and_goes_on(void **state)
{
	(void)state;
	set_up(3, 0, 100000000);
	set(0xf0, 0xfffffff0, 0);
	set(0x100, INTERRUPTS | ROUTE(20), 0);
	set(0x108, 0x100000002, 0);
	set(0x10, ENABLE, 1000);
	assert_int_equal(get(0xf0, 1100), 0xfffffffa);
	set(0xf0, 7, 1100);
	set(0x10, 0, 1105);
	assert_int_equal(get(0xf0, 900000), 0xfffffffa);
	board_run(&board, 900000);
	assert_int_equal(board.rises[20], 0);
	set(0x10, ENABLE, 900000);
	assert_int_equal(get32(0xf4, 900060), 1);
	board_run(&board, 900079);
	assert_int_equal(board.rises[20], 0);
	board_run(&board, 900080);
	assert_int_equal(board.rises[20], 1);
	set(0x10, 0, 900100);
	set32(0xf4, 0x12345678, 900100);
	assert_int_equal(get(0xf0, 900100), 0x1234567800000004);
}

/* Claim: late ticks are treated as the policy says; an edge's is accepted by the controller, a level's by its status. */
static void late_ticks_follow_the_policy(void **state)
{
	static const struct { enum tick_policy policy; uint64_t accepted, merged, dropped; } rows[] = {
		{ TICK_DISCARD, 1, 0, 9 }, { TICK_MERGE, 1, 9, 0 }, { TICK_DELAY, 10, 0, 0 }, { TICK_SLEW, 10, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		bool level = i & 1;
		struct tick_counters counters;

		set_up(3, 0, 100000000);
		hpet_set_policy(&hpet, rows[i / 2].policy);
		set(0x140, INTERRUPTS | PERIODIC | SET_VALUE | ROUTE(20) | (level ? LEVEL : 0), 0);
		set(0x148, 100, 0);
		set(0x10, ENABLE, 0);
		event_run(&board.queue, 10999);
		for (unsigned n = 0; n < 20; n++) {
			if (level)
				set(0x20, 4, 10999);
			else if (board.level[20])
				irq_accepted(&board.router, 20, 10999);
		}
		hpet_count_interrupts(&hpet, &counters);
		assert_int_equal(counters.due, 10);
		assert_int_equal(counters.accepted, rows[i / 2].accepted);
		assert_int_equal(counters.merged, rows[i / 2].merged);
		assert_int_equal(counters.dropped, rows[i / 2].dropped);
		assert_int_equal(counters.backlog, 0);
		assert_false(board.level[20]);
	}
}

/* Claim: after a reset it is as it was at first, lines and all; only the counters of interrupts go on. */
static void reset_leaves_nothing_running(void **state)
{
	(void)state;
	set_up(1, 2, 100000000);
	irq_set(&board.router, 0, true);
	for (unsigned t = 0; t < 3; t++) {
		set(0x100 + 0x20 * t, INTERRUPTS | LEVEL | ROUTE(20) | (t ? PERIODIC | SET_VALUE : 0), 0);
		set(0x108 + 0x20 * t, 100, 0);
	}
	set(0x10, ENABLE | LEGACY, 0);
	board_run(&board, 1000);
	assert_true(board.level[20]);
	hpet_reset(&hpet);
	assert_false(board.level[20]);
	assert_true(board.level[0]);
	assert_int_equal(event_next_ns(&board.queue), EVENT_NEVER);
	assert_int_equal(get(0x10, 2000) | get(0x20, 2000) | get(0xf0, 2000), 0);
	assert_int_equal(get(0x108, 2000), UINT64_MAX);
	assert_int_equal(get(0x128, 2000), UINT32_MAX);
	assert_int_equal(get(0x120, 2000) & UINT32_MAX, 0x10);
	assert_int_equal(hpet.timers[2].tick.counters.due, 1);
}

/* Claim: bytes and words are read out of the registers; written, they are lost. */
static void odd_widths_do_what_the_bus_says(void **state)
{
	(void)state;
	set_up(3, 0, 100000000);
	assert_int_equal(bus_read_mmio(&board.bus, HPET_BASE_GPA + 2, 2, 0) & 0xffff, 0x8086);
	assert_int_equal(bus_read_mmio(&board.bus, HPET_BASE_GPA + 3, 8, 0) & UINT32_MAX, 0x98968080);
	bus_write_mmio(&board.bus, HPET_BASE_GPA + 0x10, 1, 1, 0);
	bus_write_mmio(&board.bus, HPET_BASE_GPA + 0x0e, 0x10000, 4, 0);
	assert_int_equal(get(0x10, 0), 0);
}

/* Claim: without comparators there is nothing at its place. */
static void no_shape_is_no_hpet(void **state)
{
	(void)state;
	set_up(0, 0, 100000000);
	assert_false(hpet_is_present(&hpet));
	assert_int_equal(get(0, 0), UINT64_MAX);
	hpet_set_policy(&hpet, TICK_MERGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_capabilities_tell_the_shape),
		cmocka_unit_test(only_what_is_writable_is_written),
		cmocka_unit_test(routes_are_those_of_the_capability),
		cmocka_unit_test(a_periodic_comparator_is_set_as_the_specification_says),
		cmocka_unit_test(levels_last_until_their_status_is_cleared),
		cmocka_unit_test(legacy_replacement_takes_the_lines_of_pit_and_rtc),
		cmocka_unit_test(the_counter_halts_and_goes_on),
		cmocka_unit_test(late_ticks_follow_the_policy),
		cmocka_unit_test(reset_leaves_nothing_running),
		cmocka_unit_test(odd_widths_do_what_the_bus_says),
		cmocka_unit_test(no_shape_is_no_hpet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
