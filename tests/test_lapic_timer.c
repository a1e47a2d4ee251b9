/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the local APIC's timer counts, fires and reloads exactly as a chip that is stepped one ns after the other, in each mode and with each
 * divider, also when they change meanwhile; over long spans it is exact against big numbers; no interrupt is early; each one that is due is
 * accepted, dropped or still raised, and a masked one is counted as such; no value of any register makes a storm, a loop or a recursion. */
#include "tests/lapic_board.h"

#include <gmp.h>

#define NEVER UINT64_MAX
#define VECTOR 0x41

/* ---- the chip, stepped ---- */

enum { ONE_SHOT, PERIODIC_MODE, DEADLINE_MODE, RESERVED_MODE };

struct chip {
	unsigned mode, divisor, prescaler;
	uint32_t initial, count;
	uint64_t deadline_tsc, tsc_adjust;
	bool masked, waiting; /* in the IRR */
	unsigned long fired;  /* not masked */
};

static struct chip chip;

static uint64_t guest_tsc(void)
{
	return board.now_ns + chip.tsc_adjust;
}

static void chip_fire(void)
{
	if (chip.masked)
		return;
	chip.waiting = true;
	chip.fired++;
}

static void chip_step(void)
{
	if (chip.mode == DEADLINE_MODE && chip.deadline_tsc && guest_tsc() >= chip.deadline_tsc) {
		chip.deadline_tsc = 0;
		chip_fire();
	}
	if (!chip.count || ++chip.prescaler < chip.divisor)
		return;
	chip.prescaler = 0;
	if (--chip.count)
		return;
	chip_fire();
	if (chip.mode == PERIODIC_MODE)
		chip.count = chip.initial;
}

static void chip_load(uint32_t count)
{
	if (chip.mode == DEADLINE_MODE)
		return;
	chip.initial = count;
	chip.count = chip.mode == RESERVED_MODE ? 0 : count;
	chip.prescaler = 0;
}

static void chip_set_lvt(uint32_t lvt)
{
	chip.masked = lvt & MASKED;
	if ((lvt >> 17 & 3) == chip.mode)
		return;
	chip.mode = lvt >> 17 & 3;
	chip.count = 0;
	chip.deadline_tsc = 0;
}

/* SDM 3A figure 11-10. */
static const unsigned divisors[16] = { 2, 4, 8, 16, 2, 4, 8, 16, 32, 64, 128, 1, 32, 64, 128, 1 };

static void chip_set_divide(unsigned value)
{
	if (divisors[value & 15] == chip.divisor)
		return;
	chip.divisor = divisors[value & 15];
	chip.prescaler = 0;
}

static void chip_set_deadline(uint64_t deadline_tsc)
{
	if (chip.mode != DEADLINE_MODE)
		return;
	chip.deadline_tsc = deadline_tsc;
	if (deadline_tsc && guest_tsc() >= deadline_tsc) {
		chip.deadline_tsc = 0;
		chip_fire();
	}
}

static void chip_move_tsc(uint64_t tsc_adjust)
{
	chip.tsc_adjust = tsc_adjust;
	if (chip.deadline_tsc)
		chip_set_deadline(chip.deadline_tsc);
}

static bool conserved(void)
{
	const struct lapic_one_shot *one = &board.lapic.timer.one_shot;
	struct tick_counters all;

	lapic_count_interrupts(&board.lapic, &all);
	return all.due == all.accepted + all.merged + all.dropped + all.backlog && one->due == one->accepted + one->dropped + one->raised && tick_conserved(&board.lapic.timer.tick);
}

static uint64_t some_deadline(uint64_t random)
{
	switch (random % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return 1ull << 63;
	case 3:
		return guest_tsc() - (random >> 8) % 100;
	default:
		return guest_tsc() + (random >> 8) % 100;
	}
}

static void program(uint64_t random)
{
	uint32_t value = (uint32_t)(random >> 20);

	switch (random % 8) {
	case 0:
		value = (value & 3) << 17 | (value & 0x30 ? 0 : MASKED) | VECTOR;
		wr(R_LVT_TIMER, value);
		chip_set_lvt(value);
		break;
	case 1:
	case 2:
		value = value & 0xf00 ? value % 12 : 0;
		wr(R_INITIAL, value);
		chip_load(value);
		break;
	case 3:
		value = value & 0x300 ? value & 0xf : 0xb;
		wr(R_DIVIDE, value);
		chip_set_divide(value);
		break;
	case 4:
	case 5:
		random = some_deadline(random >> 8);
		lapic_write_deadline(&board.lapic, random, guest_tsc(), board.now_ns);
		chip_set_deadline(random);
		break;
	case 6:
		random = random >> 40 & 1 ? chip.tsc_adjust + (random >> 8) % 64 - 32 : -board.now_ns - 20;
		chip_move_tsc(random);
		lapic_tsc_moved(&board.lapic, guest_tsc(), board.now_ns);
		break;
	}
	event_run(&board.queue, board.now_ns); /* what is due at once comes at once */
}

static void expect_the_same(void)
{
	assert_int_equal(rd(R_CURRENT), chip.count);
	assert_int_equal(rd(R_INITIAL), chip.initial);
	assert_int_equal(in_irr(VECTOR), chip.waiting);
	assert_true(lapic_read_deadline(&board.lapic, board.now_ns) == chip.deadline_tsc);
	assert_true(conserved());
}

/* Ticks that could not be delivered in time are the tick engine's business: here they are dropped. */
static void it_is_the_chip_ns_by_ns(void **state)
{
	uint64_t random = 0xc0ffee;
	unsigned long rounds = share(20000000), interrupts = 0;

	memset(&chip, 0, sizeof chip);
	chip.divisor = 2;
	chip.masked = true;
	tick_set_policy(&board.lapic.timer.tick, TICK_DISCARD);
	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t next = random_next(&random);

		run_to(board.now_ns + 1);
		chip_step();
		expect_the_same();
		if (next % 16 == 0) {
			program(next >> 8);
			expect_the_same();
		}
		if (chip.waiting && next >> 32 & 1) {
			assert_int_equal(take(), VECTOR);
			chip.waiting = false;
			interrupts++;
		}
	}
	assert_int_equal(board.accepted, interrupts);
	assert_true(interrupts > rounds / 200);
	assert_int_equal(chip.fired, board.lapic.timer.one_shot.due + board.lapic.timer.tick.counters.due);
}

/* ---- long spans, by big numbers ---- */

/* What the count shows that many ns after initial was loaded. */
static uint32_t count_by_gmp(uint64_t after_ns, uint32_t initial, unsigned divisor, bool periodic)
{
	mpz_t counted;
	uint32_t count;

	mpz_init_set_ui(counted, after_ns);
	mpz_fdiv_q_ui(counted, counted, divisor);
	if (!periodic && mpz_cmp_ui(counted, initial) >= 0)
		count = 0;
	else
		count = initial - (uint32_t)mpz_fdiv_ui(counted, initial);
	mpz_clear(counted);
	return count;
}

static void counts_are_exact_at_any_distance(void **state)
{
	uint64_t random = 77;

	for (unsigned long i = 0, rounds = share(10000000); i < rounds; i++) {
		uint64_t a = random_next(&random), b = random_next(&random);
		uint32_t initial = (uint32_t)(a >> (a & 31)) | 1;
		unsigned divide = (unsigned)(a >> 40) & 0xb;
		bool periodic = a >> 50 & 1;

		set_up(state);
		board.now_ns = b >> 1 >> (b & 15);
		wr(R_DIVIDE, divide);
		wr(R_LVT_TIMER, MASKED | (periodic ? PERIODIC : 0) | VECTOR);
		wr(R_INITIAL, initial);
		uint64_t start_ns = board.now_ns, after_ns = random_next(&random) >> 1 >> (a >> 56 & 63);

		if (after_ns > (1ull << 63) - start_ns)
			after_ns = (1ull << 63) - start_ns;
		board.now_ns += after_ns;
		assert_int_equal(rd(R_CURRENT), count_by_gmp(after_ns, initial, divisors[divide], periodic));
	}
}

/* The n-th interrupt of each mode, when n periods have passed and not 1 ns before. */
static void interrupts_are_due_to_the_ns(void **state)
{
	static const uint32_t initials[] = { 1, 2, 3, 1000, 0x7fffffff, 0x80000000, 0xffffffff };

	for (unsigned divide = 0; divide < 16; divide++) {
		for (size_t i = 0; i < sizeof initials / sizeof *initials; i++) {
			uint64_t period_ns = (uint64_t)initials[i] * divisors[divide];

			for (unsigned periodic = 0; periodic < 2; periodic++) {
				set_up(state);
				wr(R_DIVIDE, divide);
				wr(R_LVT_TIMER, (periodic ? PERIODIC : 0) | VECTOR);
				wr(R_INITIAL, initials[i]);
				for (uint64_t n = 1, start_ns = board.now_ns; n <= (periodic ? 5 : 1); n++) {
					run_to(start_ns + n * period_ns - 1);
					assert_int_equal(take(), -1);
					assert_int_equal(rd(R_CURRENT), 1);
					run_to(start_ns + n * period_ns);
					assert_int_equal(take(), VECTOR);
					assert_int_equal(rd(R_CURRENT), periodic ? initials[i] : 0);
				}
			}
		}
	}
}

/* ---- what a guest may try ---- */

static void deadlines_of_every_kind(void **state)
{
	static const uint64_t adjusts[] = { 0, 1000, -1000ull, 1ull << 63, -12345678901ull, -12345678902ull };

	wr(R_LVT_TIMER, DEADLINE | VECTOR);
	for (size_t i = 0; i < sizeof adjusts / sizeof *adjusts; i++) {
		uint64_t tsc = board.now_ns + adjusts[i];

		lapic_write_deadline(&board.lapic, 0, tsc, board.now_ns);
		assert_true(event_next_ns(&board.queue) == NEVER);
		lapic_write_deadline(&board.lapic, UINT64_MAX, tsc, board.now_ns);
		uint64_t far_ns = event_next_ns(&board.queue);

		assert_true(UINT64_MAX - tsc > (1ull << 63) - board.now_ns ? far_ns == NEVER : far_ns == board.now_ns + (UINT64_MAX - tsc));
		assert_true(lapic_read_deadline(&board.lapic, board.now_ns) == (tsc == UINT64_MAX ? 0 : UINT64_MAX));
		for (uint64_t ago = 0; ago < 3 && tsc - ago - 1 < tsc; ago++) {
			unsigned long due = board.lapic.timer.one_shot.due;

			while (take() >= 0)
				continue;
			lapic_write_deadline(&board.lapic, tsc - ago, tsc, board.now_ns);
			event_run(&board.queue, board.now_ns);
			event_run(&board.queue, board.now_ns);
			assert_int_equal(take(), VECTOR);
			assert_int_equal(take(), -1);
			assert_int_equal(board.lapic.timer.one_shot.due - due, 1);
			assert_true(lapic_read_deadline(&board.lapic, board.now_ns) == 0);
		}
		lapic_write_deadline(&board.lapic, 0, tsc, board.now_ns);
	}
}

static void a_tsc_that_is_moved_moves_the_deadline(void **state)
{
	uint64_t tsc = 5000;

	wr(R_LVT_TIMER, DEADLINE | VECTOR);
	lapic_write_deadline(&board.lapic, tsc + 1000, tsc, board.now_ns);
	assert_true(event_next_ns(&board.queue) == board.now_ns + 1000);
	lapic_tsc_moved(&board.lapic, tsc - 500, board.now_ns);
	assert_true(event_next_ns(&board.queue) == board.now_ns + 1500);
	lapic_tsc_moved(&board.lapic, tsc + 999, board.now_ns);
	assert_true(event_next_ns(&board.queue) == board.now_ns + 1);
	lapic_tsc_moved(&board.lapic, tsc + 1000, board.now_ns);
	assert_true(event_next_ns(&board.queue) == board.now_ns);
	run_to(board.now_ns);
	assert_int_equal(take(), VECTOR);
	lapic_tsc_moved(&board.lapic, 0, board.now_ns);
	run_to(board.now_ns + 100000);
	assert_int_equal(take(), -1);
}

static void other_modes_know_no_deadline(void **state)
{
	for (unsigned mode = 0; mode < 4; mode++) {
		if (mode == DEADLINE_MODE)
			continue;
		wr(R_LVT_TIMER, mode << 17 | VECTOR);
		lapic_write_deadline(&board.lapic, 1, 100, board.now_ns);
		assert_true(lapic_read_deadline(&board.lapic, board.now_ns) == 0);
		assert_true(event_next_ns(&board.queue) == NEVER);
	}
	wr(R_LVT_TIMER, DEADLINE | VECTOR);
	wr(R_INITIAL, 1000);
	assert_int_equal(rd(R_INITIAL), 0);
	assert_int_equal(rd(R_CURRENT), 0);
	assert_true(event_next_ns(&board.queue) == NEVER);
}

static void another_mode_disarms(void **state)
{
	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; to < 4; to++) {
			set_up(state);
			wr(R_LVT_TIMER, from << 17 | VECTOR);
			wr(R_INITIAL, 1000);
			lapic_write_deadline(&board.lapic, 1000, 0, board.now_ns);
			uint64_t due_ns = event_next_ns(&board.queue);

			assert_true(from == RESERVED_MODE ? due_ns == NEVER : due_ns != NEVER);
			wr(R_LVT_TIMER, to << 17 | VECTOR | 1);
			assert_true(event_next_ns(&board.queue) == (from == to ? due_ns : NEVER));
		}
	}
}

static void a_masked_interrupt_is_lost_and_counted(void **state)
{
	wr(R_LVT_TIMER, MASKED | VECTOR);
	wr(R_DIVIDE, 0xb);
	wr(R_INITIAL, 100);
	run_to(board.now_ns + 100);
	wr(R_LVT_TIMER, VECTOR);
	assert_int_equal(take(), -1);
	assert_int_equal(board.lapic.timer.one_shot.masked, 1);
	wr(R_LVT_TIMER, MASKED | PERIODIC | VECTOR);
	wr(R_INITIAL, 100);
	run_to(board.now_ns + 1000);
	assert_int_equal(board.lapic.timer.tick.counters.masked, 10);
	assert_int_equal(board.lapic.timer.tick.counters.due, 0);
	wr(R_LVT_TIMER, PERIODIC | VECTOR);
	run_to(board.now_ns + 99);
	assert_int_equal(take(), -1);
	run_to(board.now_ns + 1);
	assert_int_equal(take(), VECTOR);
	wr(R_SVR, 0xff);
	run_to(board.now_ns + 1000);
	assert_int_equal(board.lapic.timer.tick.counters.masked, 20);
	assert_true(conserved());
}

/* An interrupt that was due before the write that masks it, or takes its vector away, still comes. */
static void what_was_due_comes_before_a_write(void **state)
{
	static const uint32_t writes[][2] = {
		{ R_LVT_TIMER, MASKED | VECTOR }, { R_LVT_TIMER, 0x99 }, { R_LVT_TIMER, PERIODIC | VECTOR }, { R_INITIAL, 0 }, { R_INITIAL, 5 },
		{ R_DIVIDE, 3 }, { R_SVR, 0xff }, { R_ESR, 0 },
	};

	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		set_up(state);
		wr(R_DIVIDE, 0xb);
		wr(R_LVT_TIMER, VECTOR);
		wr(R_INITIAL, 100);
		board.now_ns += 100; /* the event has not run yet */
		wr(writes[i][0], writes[i][1]);
		assert_int_equal(take(), VECTOR);
		assert_int_equal(board.lapic.timer.one_shot.accepted, 1);
	}
	set_up(state);
	wr(R_LVT_TIMER, VECTOR);
	wr(R_INITIAL, 100);
	board.now_ns += 200;
	assert_true(in_irr(VECTOR));
}

static void a_new_divider_goes_on_from_the_count(void **state)
{
	wr(R_DIVIDE, 0xb);
	wr(R_LVT_TIMER, PERIODIC | VECTOR);
	wr(R_INITIAL, 1000);
	run_to(board.now_ns + 400);
	wr(R_DIVIDE, 0x3);
	assert_int_equal(rd(R_CURRENT), 600);
	run_to(board.now_ns + 600 * 16 - 1);
	assert_int_equal(rd(R_CURRENT), 1);
	assert_int_equal(take(), -1);
	run_to(board.now_ns + 1);
	assert_int_equal(rd(R_CURRENT), 1000);
	assert_int_equal(take(), VECTOR);
	run_to(board.now_ns + 16000 - 1);
	assert_int_equal(take(), -1);
	run_to(board.now_ns + 1);
	assert_int_equal(take(), VECTOR);
	assert_int_equal(board.lapic.timer.tick.counters.accepted, 2);
}

/* 1 ns, and an hour in which nobody came: one step. */
static void a_storm_is_arithmetic(void **state)
{
	wr(R_DIVIDE, 0xb);
	wr(R_LVT_TIMER, PERIODIC | VECTOR);
	tick_set_policy(&board.lapic.timer.tick, TICK_MERGE);
	wr(R_INITIAL, 1);
	board.now_ns += 3600000000000;
	event_run(&board.queue, board.now_ns);
	assert_int_equal(board.lapic.timer.tick.counters.due, 3600000000000);
	assert_true(event_next_ns(&board.queue) == board.now_ns + 1);
	assert_int_equal(take(), VECTOR);
	assert_int_equal(take(), -1);
	assert_true(conserved());
}

static void an_illegal_vector_is_an_error_and_no_tick(void **state)
{
	wr(R_DIVIDE, 0xb);
	wr(R_LVT_TIMER, PERIODIC | 15);
	wr(R_LVT_ERROR, 14);
	wr(R_INITIAL, 10);
	run_to(board.now_ns + 100);
	assert_int_equal(take(), -1);
	assert_int_equal(board.lapic.timer.tick.counters.masked, 10);
	assert_int_equal(board.lapic.timer.tick.counters.due, 0);
	wr(R_ESR, 0);
	assert_int_equal(rd(R_ESR), 0x40);
}

/* Delay delivers all of a backlog, one after another, each accepted by an acknowledge of its own. */
static void a_backlog_is_delivered_as_fast_as_it_is_taken(void **state)
{
	wr(R_DIVIDE, 0xb);
	wr(R_LVT_TIMER, PERIODIC | VECTOR);
	tick_set_policy(&board.lapic.timer.tick, TICK_DELAY);
	wr(R_INITIAL, 1000);
	board.now_ns += 5500;
	event_run(&board.queue, board.now_ns);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(take(), VECTOR);
	assert_int_equal(take(), -1);
	assert_int_equal(board.lapic.timer.tick.counters.accepted, 5);
}

/* Any register, any value, any time: what the events do stays bounded, and each interrupt is accounted for. */
static void random_programs_keep_the_books(void **state)
{
	static const uint32_t offsets[] = { R_LVT_TIMER, R_INITIAL, R_DIVIDE, R_SVR, R_LVT_ERROR, R_ICR, R_EOI, R_TPR, R_ESR, R_SELF_IPI };
	uint64_t random = 99;

	for (unsigned long i = 0, rounds = share(10000000); i < rounds; i++) {
		uint64_t a = random_next(&random), b = random_next(&random);
		uint64_t tsc = board.now_ns + (b & 3 ? 0 : b);

		if (a % 8 == 0)
			lapic_write_deadline(&board.lapic, b & 4 ? b : tsc + (b >> 40), tsc, board.now_ns);
		else if (a % 64 == 1)
			lapic_tsc_moved(&board.lapic, tsc, board.now_ns);
		else
			wr(offsets[a % (sizeof offsets / sizeof *offsets)], (uint32_t)(b >> (b & 31)));
		if (a >> 32 & 1)
			board.now_ns += a >> 40 >> (a >> 34 & 15);
		for (unsigned run = 0; run < 4; run++)
			event_run(&board.queue, board.now_ns);
		assert_true(event_next_ns(&board.queue) > board.now_ns);
		if (lapic_pending(&board.lapic) >= 0 && a >> 33 & 1)
			lapic_acknowledge(&board.lapic, board.now_ns);
		assert_true(conserved());
		if (board.now_ns > 1ull << 62)
			set_up(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_the_chip_ns_by_ns, set_up),
		cmocka_unit_test_setup(counts_are_exact_at_any_distance, set_up),
		cmocka_unit_test_setup(interrupts_are_due_to_the_ns, set_up),
		cmocka_unit_test_setup(deadlines_of_every_kind, set_up),
		cmocka_unit_test_setup(a_tsc_that_is_moved_moves_the_deadline, set_up),
		cmocka_unit_test_setup(other_modes_know_no_deadline, set_up),
		cmocka_unit_test_setup(another_mode_disarms, set_up),
		cmocka_unit_test_setup(a_masked_interrupt_is_lost_and_counted, set_up),
		cmocka_unit_test_setup(what_was_due_comes_before_a_write, set_up),
		cmocka_unit_test_setup(a_new_divider_goes_on_from_the_count, set_up),
		cmocka_unit_test_setup(a_storm_is_arithmetic, set_up),
		cmocka_unit_test_setup(an_illegal_vector_is_an_error_and_no_tick, set_up),
		cmocka_unit_test_setup(a_backlog_is_delivered_as_fast_as_it_is_taken, set_up),
		cmocka_unit_test_setup(random_programs_keep_the_books, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
