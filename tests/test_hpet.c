/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The HPET against a model that steps its counter tick by tick and compares every comparator at each, through random programs of register
 * accesses: every value read, every match, every level. The times of the ticks are big numbers' ceilings. Then storms and long absences, in
 * which the work must not grow with the time. */
#include "devices/hpet.h"

#include "tests/board.h"

#include <gmp.h>

#define TIMERS 4u /* one of them wide in the mixed shape, all or none in the others */
#define NS 1000000000ull

enum { ENABLE = 1, LEGACY = 2 };
enum { LEVEL = 2, INTERRUPTS = 4, PERIODIC = 8, SET_VALUE = 64, NARROWED = 256 };

/* What the specification says, tick by tick. */
struct model_timer {
	bool wide;
	uint32_t config;
	uint64_t value, period;
	bool set_value, spent;
	uint64_t matches; /* that send an edge */
	uint64_t levels;  /* that set the status */
};

struct model {
	struct hpet_shape shape;
	uint32_t config, status;
	uint64_t counter, origin_ns, ticks;
	struct model_timer timers[TIMERS];
};

static struct board board;
static struct hpet hpet;
static struct model model;

static uint64_t width(const struct model_timer *timer)
{
	return timer->wide && !(timer->config & NARROWED) ? UINT64_MAX : UINT32_MAX;
}

static uint64_t counter_width(void)
{
	return model.shape.wide ? UINT64_MAX : UINT32_MAX;
}

static void model_compare(unsigned i)
{
	struct model_timer *timer = &model.timers[i];

	if (!(model.config & ENABLE) || timer->spent || (timer->value ^ model.counter) & width(timer))
		return;
	timer->spent = true;
	if (timer->config & PERIODIC)
		timer->value = (timer->value + timer->period) & width(timer);
	if (timer->config & LEVEL)
		model.status |= 1u << i;
	else if (timer->config & INTERRUPTS)
		timer->matches++;
}

/* When tick n of the counter comes, in guest ns. */
static uint64_t tick_ns(uint64_t n)
{
	uint64_t ns;
	mpz_t exact;

	mpz_init_set_ui(exact, n);
	mpz_mul_ui(exact, exact, NS);
	mpz_cdiv_q_ui(exact, exact, model.shape.hz);
	ns = mpz_get_ui(exact) + model.origin_ns;
	mpz_clear(exact);
	return ns;
}

static void model_run(uint64_t now_ns)
{
	while (model.config & ENABLE && tick_ns(model.ticks + 1) <= now_ns) {
		model.ticks++;
		model.counter = (model.counter + 1) & counter_width();
		for (unsigned i = 0; i < TIMERS; i++) {
			model.timers[i].spent = false;
			model_compare(i);
		}
	}
}

static void model_write_config(unsigned i, uint32_t value)
{
	struct model_timer *timer = &model.timers[i];
	uint32_t writable = LEVEL | INTERRUPTS | PERIODIC | (timer->wide ? NARROWED : 0);

	timer->set_value = value & SET_VALUE && value & PERIODIC;
	if ((timer->config ^ value) & LEVEL)
		model.status &= ~(1u << i);
	timer->config = value & writable;
	timer->value &= width(timer);
	timer->period &= width(timer);
	model_compare(i);
}

static void model_write_comparator(unsigned i, uint64_t value, uint64_t mask)
{
	struct model_timer *timer = &model.timers[i];

	timer->period = ((timer->period & ~mask) | (value & mask)) & width(timer);
	if (timer->set_value || !(timer->config & PERIODIC)) {
		timer->value = ((timer->value & ~mask) | (value & mask)) & width(timer);
		timer->spent = false;
	}
	timer->set_value = false;
	model_compare(i);
}

static void model_write(uint32_t at, uint64_t value, uint64_t mask, uint64_t now_ns)
{
	if (at == 0x10 && mask & 1) {
		bool starts = value & ENABLE && !(model.config & ENABLE);

		model.config = value & ENABLE;
		if (starts) {
			model.origin_ns = now_ns;
			model.ticks = 0;
			for (unsigned i = 0; i < TIMERS; i++)
				model_compare(i);
		}
	} else if (at == 0x20) {
		model.status &= ~(uint32_t)(value & mask);
	} else if (at == 0xf0 && !(model.config & ENABLE)) {
		model.counter = ((model.counter & ~mask) | (value & mask)) & counter_width();
		for (unsigned i = 0; i < TIMERS; i++)
			model.timers[i].spent = false;
	} else if (at >= 0x100 && at % 0x20 == 0 && mask & 1) {
		model_write_config((at - 0x100) / 0x20, (uint32_t)value);
	} else if (at >= 0x100 && at % 0x20 == 8) {
		model_write_comparator((at - 0x100) / 0x20, value, mask);
	}
}

static uint64_t read_at(uint32_t at, uint64_t now_ns)
{
	return bus_read_mmio(&board.bus, HPET_BASE_GPA + at, 8, now_ns);
}

static void write_at(uint32_t at, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	bus_write_mmio(&board.bus, HPET_BASE_GPA + at, value, bytes, now_ns);
	board_run(&board, now_ns);
}

static void set_up(unsigned wide, unsigned narrow, uint64_t hz)
{
	struct hpet_shape shape = { (uint8_t)wide, (uint8_t)narrow, hz };

	board_init(&board);
	hpet_init(&hpet, &board.bus, &board.router, &board.queue, &shape);
	hpet_set_policy(&hpet, TICK_DISCARD);
}

static void set_up_model(unsigned wide, uint64_t hz)
{
	set_up(wide, TIMERS - wide, hz);
	model = (struct model){ .shape = hpet.shape };
	for (unsigned i = 0; i < TIMERS; i++) {
		model.timers[i].wide = i < wide;
		model.timers[i].value = model.timers[i].period = width(&model.timers[i]);
	}
}

static uint64_t edges_of(unsigned i)
{
	const struct tick_counters *tick = &hpet.timers[i].tick.counters, *one_shot = &hpet.timers[i].one_shot;

	return tick->due + one_shot->due;
}

static void compare(uint64_t now_ns)
{
	assert_int_equal(read_at(0xf0, now_ns), model.counter);
	assert_int_equal(read_at(0x20, now_ns), model.status);
	for (unsigned i = 0; i < TIMERS; i++) {
		const struct model_timer *timer = &model.timers[i];

		assert_int_equal(read_at(0x108 + 0x20 * i, now_ns), timer->value);
		assert_int_equal(read_at(0x100 + 0x20 * i, now_ns) & 0x14e, timer->config);
		if (!(timer->config & LEVEL))
			assert_int_equal(edges_of(i), timer->matches + timer->levels);
		assert_true(tick_conserved(&hpet.timers[i].tick));
	}
}

/* A value that the counter comes to soon, has just left, or any; and now and then the ends of the range. */
static uint64_t some_value(uint64_t *seed)
{
	uint64_t choice = random_next(seed) % 16;

	if (choice < 8)
		return model.counter + random_next(seed) % 40;
	if (choice < 10)
		return model.counter - random_next(seed) % 4;
	if (choice < 12)
		return random_next(seed) % 30;
	if (choice < 13)
		return 1ull << (random_next(seed) % 64);
	return choice < 15 ? 0 - random_next(seed) % 60 : random_next(seed);
}

static uint64_t some_counter(uint64_t *seed)
{
	static const uint64_t bases[] = { 0, 1ull << 31, 1ull << 32, 1ull << 63, 0x500000000ull };

	return bases[random_next(seed) % 5] - random_next(seed) % 60;
}

static void random_write(uint64_t *seed, uint64_t now_ns)
{
	uint64_t choice = random_next(seed) % 16, value = random_next(seed);
	unsigned i = (unsigned)(random_next(seed) % TIMERS), half = (unsigned)(random_next(seed) % 2) * 4;
	uint32_t at = choice < 6 ? 0x108 + 0x20 * i : choice < 11 ? 0x100 + 0x20 * i : choice < 12 ? 0x20 : choice < 14 ? 0xf0 : 0x10;
	unsigned bytes = random_next(seed) % 3 ? 8 : 4;
	uint64_t mask = bytes == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << 8 * half;

	if (at >= 0x100 && at % 0x20 == 0)
		value = (value & ~(31ull << 9)) | 20 << 9;
	if (at >= 0x100 && at % 0x20 == 8)
		value = some_value(seed);
	if (at == 0xf0)
		value = some_counter(seed);
	if (at == 0x10)
		value = random_next(seed) % 4 ? ENABLE : 0;
	write_at(at + (bytes == 4 ? half : 0), bytes == 4 ? value >> 8 * half & UINT32_MAX : value, bytes, now_ns);
	model_write(at, value, mask, now_ns);
}

/* Level-triggered matches that send count as due too: leave them out of the comparison by noting what was counted when the mode changed. */
static void note_levels(void)
{
	for (unsigned i = 0; i < TIMERS; i++)
		if (model.timers[i].config & LEVEL)
			model.timers[i].levels = edges_of(i) - model.timers[i].matches;
}

static void random_programs_do_what_the_stepped_model_does(void **state)
{
	static const struct { unsigned wide; uint64_t hz; } shapes[] = {
		{ 4, 100000000 }, { 0, 14318180 }, { 1, 10000000 }, { 2, 999999937 }, { 0, 1000000000 }, { 3, 24000001 },
	};
	unsigned long programs = share(60000);
	uint64_t seed = 7;

	(void)state;
	for (unsigned long n = 0; n < programs; n++) {
		uint64_t now_ns = n % 2 ? random_next(&seed) >> 2 : 0, tick = NS / shapes[n % 6].hz + 1;

		set_up_model(shapes[n % 6].wide, shapes[n % 6].hz);
		for (unsigned step = 0; step < 120; step++) {
			now_ns += random_next(&seed) % 3 ? random_next(&seed) % (20 * tick) : 0;
			model_run(now_ns);
			board_run(&board, now_ns);
			note_levels();
			compare(now_ns);
			random_write(&seed, now_ns);
			note_levels();
			compare(now_ns);
		}
	}
}

/* Interrupts come at the very tick: never before it, for periodic and one-shot ones, near and far. */
static void matches_are_due_at_the_first_nanosecond_of_their_tick(void **state)
{
	unsigned long count = share(100000);
	uint64_t seed = 9;

	(void)state;
	for (unsigned long n = 0; n < count; n++) {
		uint64_t hz = HPET_HZ_LEAST + random_next(&seed) % (HPET_HZ_MOST - HPET_HZ_LEAST + 1), enabled_ns = random_next(&seed) >> 2;
		uint64_t period = 1 + (random_next(&seed) >> (random_next(&seed) % 56 + 8)), due_ns;
		bool periodic = n & 1;

		set_up(3, 0, hz);
		model.shape.hz = hz;
		model.origin_ns = enabled_ns;
		write_at(0x100, INTERRUPTS | 20 << 9 | (periodic ? PERIODIC | SET_VALUE : 0), 8, enabled_ns);
		write_at(0x108, period, 8, enabled_ns);
		write_at(0x10, ENABLE, 4, enabled_ns);
		for (unsigned tick = 1; tick < (periodic ? 4 : 2); tick++) {
			if (period > (1ull << 61) / tick)
				break;
			due_ns = tick_ns(tick * period);
			if (due_ns >= 1ull << 63)
				break;
			assert_int_equal(event_next_ns(&board.queue), due_ns);
			assert_true(read_at(0xf0, due_ns - 1) < tick * period);
			assert_int_equal(read_at(0xf0, due_ns), tick * period);
			event_run(&board.queue, due_ns);
			assert_int_equal(board.rises[20], tick);
		}
	}
}

/* Every timer with a period of one tick, or one of the odd ones, and an hour in which nobody looked. */
static void work_does_not_grow_with_time(void **state)
{
	static const uint64_t periods[] = { 0, 1, (1ull << 31) - 1, 1ull << 31, (1ull << 31) + 1, 1ull << 63, UINT64_MAX };

	(void)state;
	for (unsigned p = 0; p < sizeof periods / sizeof *periods; p++) {
		for (unsigned mode = 0; mode < 8; mode++) {
			uint32_t config = INTERRUPTS | 21u << 9 | (mode & 1 ? LEVEL : 0) | (mode & 2 ? NARROWED : 0) |
					  (mode & 4 ? 0 : PERIODIC | SET_VALUE);
			uint64_t now_ns = 1000;
			struct tick_counters counters;

			set_up(3, 29, NS);
			for (unsigned i = 0; i < 32; i++) {
				write_at(0x100 + 0x20 * i, config, 8, now_ns);
				write_at(0x108 + 0x20 * i, periods[p], 8, now_ns);
			}
			write_at(0x10, ENABLE, 4, now_ns);
			for (unsigned hour = 0; hour < 50; hour++) {
				now_ns += 3600 * NS;
				event_run(&board.queue, now_ns); /* one turn of the run loop: at most one event a timer */
				assert_true(event_next_ns(&board.queue) > now_ns);
				for (unsigned i = 0; i < 32; i++)
					assert_true(tick_conserved(&hpet.timers[i].tick));
				write_at(0x20, UINT32_MAX, 4, now_ns);
			}
			hpet_count_interrupts(&hpet, &counters);
			assert_int_equal(counters.due, counters.accepted + counters.merged + counters.dropped + counters.backlog);
			if (periods[p] == 1 && mode == 0)
				assert_int_equal(counters.due, 32 * 50 * 3600 * NS);
		}
	}
}

/* 500 guest-years of a counter, and of a periodic comparator on it. */
static void counter_and_comparator_are_exact_for_ever(void **state)
{
	const uint64_t end_ns = 500ull * 31556952 * NS / 2; /* 250 years are the most that 63 bits hold before it all ends at 292 */
	unsigned long count = share(1000000);
	uint64_t seed = 3;
	mpz_t exact;

	(void)state;
	mpz_init(exact);
	for (unsigned shape = 0; shape < 3; shape++) {
		static const uint64_t frequencies[] = { 100000000, 14318180, 999999937 };
		uint64_t hz = frequencies[shape], period = 1 + random_next(&seed) % 100000;

		set_up(3, 0, hz);
		write_at(0x100, PERIODIC | SET_VALUE, 8, 0);
		write_at(0x108, period, 8, 0);
		write_at(0x10, ENABLE, 4, 0);
		for (unsigned long n = 0; n < count / 3; n++) {
			uint64_t now_ns = random_next(&seed) % end_ns, ticks;

			mpz_set_ui(exact, now_ns);
			mpz_mul_ui(exact, exact, hz);
			mpz_fdiv_q_ui(exact, exact, NS);
			ticks = mpz_get_ui(exact);
			assert_int_equal(bus_read_mmio(&board.bus, HPET_BASE_GPA + 0xf0, 8, now_ns), ticks);
			assert_int_equal(read_at(0x108, now_ns), (ticks / period + 1) * period);
		}
	}
	mpz_clear(exact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs_do_what_the_stepped_model_does),
		cmocka_unit_test(matches_are_due_at_the_first_nanosecond_of_their_tick),
		cmocka_unit_test(work_does_not_grow_with_time),
		cmocka_unit_test(counter_and_comparator_are_exact_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
