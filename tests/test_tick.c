/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the n-th tick is due at origin + ceil(n * count * 10^9 / hz), for every n and for ever; each due tick is
 * accounted for exactly once, after every step; each policy delivers the exact number of interrupts; catching up takes
 * one step, however long the guest was away, and no period is short enough to hold the caller. */
#include "timekeeping/tick.h"

#include "tests/support.h"
#include "timekeeping/line.h"

#include <gmp.h>

#define HOUR_NS 3600000000000ull

struct device {
	struct event_queue queue;
	struct tick tick;
	bool masked;
	bool latched; /* the interrupt controller's edge latch */
	uint64_t raises, interrupts;
};

static struct device device;

static void raise_edge(void *owner, uint64_t now_ns)
{
	struct device *d = owner;

	(void)now_ns;
	d->latched = true;
	d->raises++;
}

static bool is_masked(void *owner)
{
	return ((struct device *)owner)->masked;
}

static const struct tick_ops ops = { raise_edge, is_masked };

static int set_up(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	tick_init(&device.tick, &device.queue, &ops, &device, TICK_DELAY);
	return 0;
}

static void start_with(enum tick_policy policy, uint64_t count, uint64_t hz)
{
	tick_set_policy(&device.tick, policy);
	tick_start(&device.tick, 0, count, hz, 0);
}

/* The guest takes an interrupt where there is one. */
static bool take_interrupt(uint64_t now_ns)
{
	if (!device.latched || device.masked)
		return false;
	device.latched = false;
	device.interrupts++;
	tick_accepted(&device.tick, now_ns);
	return true;
}

static void expect_counters(struct tick_counters expected)
{
	const struct tick_counters *counters = &device.tick.counters;

	assert_true(counters->due == expected.due);
	assert_true(counters->accepted == expected.accepted);
	assert_true(counters->merged == expected.merged);
	assert_true(counters->dropped == expected.dropped);
	assert_true(counters->masked == expected.masked);
	assert_true(counters->backlog == expected.backlog);
	assert_true(tick_conserved(&device.tick));
}

static uint64_t due_by_gmp(uint64_t origin_ns, uint64_t n, uint64_t count, uint64_t hz)
{
	static mpz_t due; /* kept: allocating it anew each time costs more than the arithmetic */

	if (!due->_mp_d)
		mpz_init(due);
	mpz_set_ui(due, n);
	mpz_mul_ui(due, due, count);
	mpz_mul_ui(due, due, 1000000000);
	mpz_cdiv_q_ui(due, due, hz);
	mpz_add_ui(due, due, origin_ns);
	return mpz_cmp_ui(due, GUEST_TIME_END) > 0 ? EVENT_NEVER : mpz_get_ui(due);
}

static uint64_t random_bits(uint64_t *seed, unsigned most)
{
	return random_next(seed) >> (64 - 1 - random_next(seed) % most);
}

static void test_nth_tick_is_exact(void **state)
{
	uint64_t seed = 42;
	unsigned long rounds = share(10000000), finite = 0;

	(void)state;
	for (unsigned long i = 0; i < rounds; i++) {
		struct tick tick = { .origin_ns = random_bits(&seed, 63), .count = 1 + random_bits(&seed, 40),
				     .hz = 1 + random_bits(&seed, 30) };
		uint64_t n = random_bits(&seed, 64);
		uint64_t due_ns = due_by_gmp(tick.origin_ns, n, tick.count, tick.hz);

		assert_true(tick_due_ns(&tick, n) == due_ns);
		if (due_ns == EVENT_NEVER)
			continue;
		finite++;
		/* The other way round: with periods below 1 ns later ticks may be due at the same time. */
		assert_true(tick_index(&tick, due_ns) >= n);
		assert_true(n == 0 || due_ns == tick.origin_ns || tick_index(&tick, due_ns - 1) < n);
	}
	assert_true(finite > rounds / 20);
}

static void test_no_drift_in_a_century(void **state)
{
	uint64_t century_ns = 100ull * 365 * 24 * HOUR_NS;

	(void)state;
	start_with(TICK_MERGE, 4772, 1193182);

	uint64_t n = tick_index(&device.tick, century_ns);

	/* 250.0381... Hz, as an exact fraction */
	assert_true(n == (uint64_t)((unsigned __int128)century_ns * 1193182 / (4772ull * 1000000000)));
	event_run(&device.queue, century_ns);
	assert_true(event_next_ns(&device.queue) == due_by_gmp(0, n + 1, 4772, 1193182));
}

static void test_past_ticks_are_not_counted(void **state)
{
	(void)state;
	tick_start(&device.tick, 1000, 1, 1000000, 3500); /* due at 2000, 3000, 4000 */
	expect_counters((struct tick_counters){ 0 });
	assert_true(event_next_ns(&device.queue) == 4000);
	tick_start(&device.tick, 5000, 1, 1000000, 100); /* starts in the future */
	assert_true(event_next_ns(&device.queue) == 6000);
	event_run(&device.queue, 5999);
	expect_counters((struct tick_counters){ 0 });
	event_run(&device.queue, 6000);
	expect_counters((struct tick_counters){ .due = 1, .backlog = 1 });
}

static void test_a_sequence_may_begin_with_its_tick_0(void **state)
{
	(void)state;
	tick_start_first(&device.tick, 5000, 1, 1000000);
	assert_true(event_next_ns(&device.queue) == 5000);
	event_run(&device.queue, 5000);
	expect_counters((struct tick_counters){ .due = 1, .backlog = 1 });
	assert_true(event_next_ns(&device.queue) == 6000);
	tick_start_first(&device.tick, 7000, 1, 1000000);
	event_run(&device.queue, 9500); /* 7000, 8000, 9000 */
	expect_counters((struct tick_counters){ .due = 4, .backlog = 4 });
	assert_true(event_next_ns(&device.queue) == 10000);
}

static void test_in_time_is_accepted_one_by_one(void **state)
{
	(void)state;
	start_with(TICK_DISCARD, 1, 1000);
	for (uint64_t n = 1; n <= 1000; n++) {
		event_run(&device.queue, event_next_ns(&device.queue));
		assert_true(take_interrupt(n * 1000000));
		expect_counters((struct tick_counters){ .due = n, .accepted = n });
	}
	assert_false(take_interrupt(2000000000));
}

/* The guest is away for 10 ticks, once by not being run, once with interrupts off; then takes all that it is given. */
static void stall_for_ten(enum tick_policy policy, bool run_meanwhile)
{
	set_up(NULL);
	start_with(policy, 1, 1000);
	if (run_meanwhile) {
		for (uint64_t n = 1; n <= 10; n++)
			event_run(&device.queue, n * 1000000);
	}
	event_run(&device.queue, 10500000);
	while (take_interrupt(10500000))
		;
	assert_true(event_next_ns(&device.queue) == 11000000);
}

static void test_policies_after_a_stall(void **state)
{
	(void)state;
	for (int run_meanwhile = 0; run_meanwhile < 2; run_meanwhile++) {
		stall_for_ten(TICK_DELAY, run_meanwhile);
		assert_true(device.interrupts == 10);
		expect_counters((struct tick_counters){ .due = 10, .accepted = 10 });
		assert_true(device.tick.counters.largest_backlog == 10);
		stall_for_ten(TICK_SLEW, run_meanwhile);
		expect_counters((struct tick_counters){ .due = 10, .accepted = 10 });
		stall_for_ten(TICK_MERGE, run_meanwhile);
		assert_true(device.interrupts == 1);
		expect_counters((struct tick_counters){ .due = 10, .accepted = 1, .merged = 9 });
		stall_for_ten(TICK_DISCARD, run_meanwhile);
		assert_true(device.interrupts == 1);
		expect_counters((struct tick_counters){ .due = 10, .accepted = 1, .dropped = 9 });
		assert_true(device.tick.counters.largest_backlog == 1);
	}
}

static void test_catching_up_is_one_step(void **state)
{
	uint64_t ticks = 8192ull * 3600 * 1000;

	(void)state;
	start_with(TICK_DELAY, 1, 8192);
	event_run(&device.queue, 1000 * HOUR_NS);
	assert_true(device.raises == 1);
	expect_counters((struct tick_counters){ .due = ticks, .backlog = ticks });
	assert_true(event_next_ns(&device.queue) == 1000 * HOUR_NS + 122071); /* 10^9 / 8192, rounded up */
}

static void test_a_storm_does_not_hold_the_caller(void **state)
{
	uint64_t periods[][2] = { { 1, 1000000000 }, { 1, 1 << 30 }, { 2, 1193182 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		set_up(NULL);
		start_with(TICK_MERGE, periods[i][0], periods[i][1]);
		for (uint64_t now_ns = 1000; now_ns <= 100000; now_ns += 1000) {
			event_run(&device.queue, now_ns);
			assert_true(event_next_ns(&device.queue) > now_ns);
		}
		assert_true(device.raises <= 100);
		assert_true(device.tick.counters.due == 100000 * periods[i][1] / periods[i][0] / 1000000000);
	}
}

static void test_time_ends(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000000000);
	event_run(&device.queue, GUEST_TIME_END - 1);
	assert_true(event_next_ns(&device.queue) == GUEST_TIME_END);
	event_run(&device.queue, UINT64_MAX - 1);
	assert_true(event_next_ns(&device.queue) == EVENT_NEVER);
	expect_counters((struct tick_counters){ .due = GUEST_TIME_END, .backlog = GUEST_TIME_END });
	tick_start(&device.tick, GUEST_TIME_END, 1, 1, GUEST_TIME_END);
	assert_true(event_next_ns(&device.queue) == EVENT_NEVER);
}

static void test_masked_ticks_count_nowhere_else(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	device.masked = true;
	event_run(&device.queue, 5000000);
	expect_counters((struct tick_counters){ .masked = 5 });
	/* The controller's latch saw an edge, and gives it to the guest; it is no counted tick. */
	assert_true(device.raises == 1);
	device.masked = false;
	assert_true(take_interrupt(5100000));
	expect_counters((struct tick_counters){ .masked = 5 });
	event_run(&device.queue, 6000000);
	assert_true(take_interrupt(6000000));
	expect_counters((struct tick_counters){ .due = 1, .accepted = 1, .masked = 5 });
}

static void test_a_long_mask_empties_the_backlog(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	event_run(&device.queue, 10000000);
	device.masked = true;
	event_run(&device.queue, 11000000);
	expect_counters((struct tick_counters){ .due = 10, .masked = 1, .backlog = 10 });
	event_run(&device.queue, 12000000);
	expect_counters((struct tick_counters){ .due = 10, .masked = 2, .dropped = 10 });
	device.masked = false;
	event_run(&device.queue, 13000000);
	expect_counters((struct tick_counters){ .due = 11, .masked = 2, .dropped = 10, .backlog = 1 });
}

/* As Linux does it with an 8259: the line is masked while each interrupt is handled. */
static void test_a_backlog_outlives_masks_in_the_handler(void **state)
{
	uint64_t now_ns = 10500000, taken = 0;

	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	event_run(&device.queue, now_ns);
	for (; device.tick.counters.backlog; taken++) {
		assert_true(take_interrupt(now_ns));
		device.masked = true;
		now_ns += 400000;
		event_run(&device.queue, now_ns);
		device.masked = false;
	}
	assert_true(taken == 10);
	expect_counters((struct tick_counters){ .due = 10, .accepted = 10, .masked = 4 });
}

static void test_stopping_drops_the_backlog(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	event_run(&device.queue, 5000000);
	tick_stop(&device.tick);
	expect_counters((struct tick_counters){ .due = 5, .dropped = 5 });
	assert_true(event_next_ns(&device.queue) == EVENT_NEVER);
	assert_true(take_interrupt(5000000)); /* the latch still holds the edge */
	expect_counters((struct tick_counters){ .due = 5, .dropped = 5 });
}

static void test_another_period_owes_only_the_raised_tick(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	event_run(&device.queue, 5000000);
	tick_start(&device.tick, 5000000, 1, 1000, 5000000);
	expect_counters((struct tick_counters){ .due = 5, .backlog = 5 });
	tick_start(&device.tick, 5000000, 1, 100, 5000000);
	expect_counters((struct tick_counters){ .due = 5, .dropped = 4, .backlog = 1 });
	assert_true(take_interrupt(5000000));
	expect_counters((struct tick_counters){ .due = 5, .dropped = 4, .accepted = 1 });
}

static void test_policy_changes_while_late(void **state)
{
	(void)state;
	start_with(TICK_DELAY, 1, 1000);
	event_run(&device.queue, 5000000);
	tick_set_policy(&device.tick, TICK_SLEW);
	expect_counters((struct tick_counters){ .due = 5, .backlog = 5 });
	tick_set_policy(&device.tick, TICK_MERGE);
	expect_counters((struct tick_counters){ .due = 5, .merged = 4, .backlog = 1 });
	tick_set_policy(&device.tick, TICK_DELAY);
	event_run(&device.queue, 9000000);
	tick_set_policy(&device.tick, TICK_DISCARD);
	expect_counters((struct tick_counters){ .due = 9, .merged = 4, .dropped = 4, .backlog = 1 });
}

/* An 8259 that is initialised anew forgets its latch: the next edge must reach it all the same. */
static void test_a_lost_edge_does_not_end_the_ticks(void **state)
{
	(void)state;
	start_with(TICK_MERGE, 1, 1000);
	event_run(&device.queue, 1000000);
	device.latched = false;
	event_run(&device.queue, 2000000);
	assert_true(take_interrupt(2000000));
	expect_counters((struct tick_counters){ .due = 2, .accepted = 1, .merged = 1 });
}

static void test_conservation_can_fail(void **state)
{
	struct tick_counters *all = &device.tick.counters;
	uint64_t *counters[] = { &all->due, &all->accepted, &all->merged, &all->dropped, &all->backlog };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_true(tick_conserved(&device.tick));
		(*counters[i])++;
		assert_false(tick_conserved(&device.tick));
		(*counters[i])--;
	}
	device.tick.raised = true;
	assert_false(tick_conserved(&device.tick));
}

/* The same rules once more, one tick at a time, for the random test to compare with. */
struct model {
	struct tick_counters counters;
	enum tick_policy policy;
	bool running, was_masked;
	uint64_t origin_ns, count, hz, seen_ns;
};

static void model_late(struct model *model)
{
	if (model->policy == TICK_DISCARD)
		model->counters.dropped++;
	else if (model->policy == TICK_MERGE)
		model->counters.merged++;
	else
		model->counters.backlog++;
}

static uint64_t model_index(const struct model *model, uint64_t now_ns)
{
	uint64_t end_ns = now_ns < GUEST_TIME_END ? now_ns : GUEST_TIME_END;

	if (end_ns < model->origin_ns)
		return 0;
	return (uint64_t)((unsigned __int128)(end_ns - model->origin_ns) * model->hz /
			  ((unsigned __int128)model->count * 1000000000));
}

static void model_advance(struct model *model, uint64_t now_ns)
{
	uint64_t fallen = model->running ? model_index(model, now_ns) - model_index(model, model->seen_ns) : 0;

	model->seen_ns = now_ns;
	if (fallen && device.masked) {
		model->counters.masked += fallen;
		if (model->was_masked) {
			model->counters.dropped += model->counters.backlog;
			model->counters.backlog = 0;
		}
		model->was_masked = true;
		return;
	}
	model->was_masked = model->was_masked && !fallen;
	model->counters.due += fallen;
	for (; fallen; fallen--) {
		if (model->counters.backlog)
			model_late(model);
		else
			model->counters.backlog = 1;
	}
}

static void model_accept(struct model *model)
{
	model->was_masked = false;
	if (!model->counters.backlog)
		return;
	model->counters.backlog--;
	model->counters.accepted++;
}

static void model_shed_late(struct model *model, enum tick_policy policy)
{
	uint64_t late = model->counters.backlog ? model->counters.backlog - 1 : 0;

	model->counters.backlog -= late;
	model->policy = policy;
	while (late--)
		model_late(model);
}

static void start_both(struct model *model, uint64_t *seed, uint64_t now_ns)
{
	uint64_t count = 1 + random_next(seed) % 8, hz = (1 + random_next(seed) % 3) * 1000000;
	uint64_t origin_ns = now_ns + random_next(seed) % 8000;
	enum tick_policy policy = model->policy;

	origin_ns -= origin_ns < 4000 ? origin_ns : 4000;
	if (count != model->count || hz != model->hz) {
		model_shed_late(model, TICK_DISCARD);
		model->policy = policy;
	}
	model->count = count;
	model->hz = hz;
	model->origin_ns = origin_ns;
	model->seen_ns = now_ns;
	model->running = true;
	model->was_masked = false;
	tick_start(&device.tick, origin_ns, count, hz, now_ns);
}

static void stop_both(struct model *model)
{
	model->running = false;
	model->counters.dropped += model->counters.backlog;
	model->counters.backlog = 0;
	tick_stop(&device.tick);
}

static void random_step(struct model *model, uint64_t *seed, uint64_t *now_ns)
{
	uint64_t choice = random_next(seed) % 64;
	enum tick_policy policy = random_next(seed) % 4;

	if (choice < 24) {
		*now_ns += random_next(seed) % (choice == 0 ? 200000 : 2000);
		model_advance(model, *now_ns);
		event_run(&device.queue, *now_ns);
	} else if (choice < 52) {
		if (take_interrupt(*now_ns))
			model_accept(model);
	} else if (choice < 60) {
		device.masked = !device.masked;
	} else if (choice < 61) {
		start_both(model, seed, *now_ns);
	} else if (choice < 62 && policy == TICK_MERGE) {
		stop_both(model);
	} else if (choice < 63) {
		tick_set_policy(&device.tick, policy);
		model_shed_late(model, policy);
	}
}

static void test_random_steps_are_conserved(void **state)
{
	struct model model = { .policy = TICK_DELAY, .count = 1, .hz = 1 };
	uint64_t seed = 8254, now_ns = 0, past_deadlines = 0;
	unsigned long steps = share(10000000);

	(void)state;
	for (unsigned long i = 0; i < steps; i++) {
		random_step(&model, &seed, &now_ns);
		model.counters.largest_backlog = device.tick.counters.largest_backlog;
		expect_counters(model.counters);
		assert_true(device.tick.counters.backlog <= device.tick.counters.largest_backlog);
		past_deadlines += event_next_ns(&device.queue) <= now_ns;
	}
	assert_true(past_deadlines == 0);
	assert_true(device.tick.counters.accepted && device.tick.counters.merged && device.tick.counters.dropped &&
		    device.tick.counters.masked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nth_tick_is_exact, set_up),
		cmocka_unit_test_setup(test_no_drift_in_a_century, set_up),
		cmocka_unit_test_setup(test_past_ticks_are_not_counted, set_up),
		cmocka_unit_test_setup(test_a_sequence_may_begin_with_its_tick_0, set_up),
		cmocka_unit_test_setup(test_in_time_is_accepted_one_by_one, set_up),
		cmocka_unit_test_setup(test_policies_after_a_stall, set_up),
		cmocka_unit_test_setup(test_catching_up_is_one_step, set_up),
		cmocka_unit_test_setup(test_a_storm_does_not_hold_the_caller, set_up),
		cmocka_unit_test_setup(test_time_ends, set_up),
		cmocka_unit_test_setup(test_masked_ticks_count_nowhere_else, set_up),
		cmocka_unit_test_setup(test_a_long_mask_empties_the_backlog, set_up),
		cmocka_unit_test_setup(test_a_backlog_outlives_masks_in_the_handler, set_up),
		cmocka_unit_test_setup(test_stopping_drops_the_backlog, set_up),
		cmocka_unit_test_setup(test_another_period_owes_only_the_raised_tick, set_up),
		cmocka_unit_test_setup(test_policy_changes_while_late, set_up),
		cmocka_unit_test_setup(test_a_lost_edge_does_not_end_the_ticks, set_up),
		cmocka_unit_test_setup(test_conservation_can_fail, set_up),
		cmocka_unit_test_setup(test_random_steps_are_conserved, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
