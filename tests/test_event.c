/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: events fire in the order of their deadlines, equal ones in the order in which they were set, never before
 * their deadline, each at most once a run; whatever an event does to the queue while it fires. */
#include "timekeeping/event.h"

#include "tests/support.h"

#define EVENTS 8
#define LOG_MAX 64

struct bench {
	struct event_queue queue;
	struct event events[EVENTS];
	int fired[LOG_MAX];
	int count;
	uint64_t now_ns;
	void (*on_fire)(struct bench *bench, int index);
};

struct handle {
	struct bench *bench;
	int index;
};

static struct bench bench;
static struct handle handles[EVENTS];

static void fire(void *owner, uint64_t now_ns)
{
	struct handle *handle = owner;

	assert_true(now_ns == handle->bench->now_ns);
	assert_false(handle->bench->events[handle->index].queued);
	if (handle->bench->count < LOG_MAX)
		handle->bench->fired[handle->bench->count++] = handle->index;
	if (handle->bench->on_fire)
		handle->bench->on_fire(handle->bench, handle->index);
}

static int set_up(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	for (int i = 0; i < EVENTS; i++) {
		handles[i] = (struct handle){ &bench, i };
		event_init(&bench.events[i], fire, &handles[i]);
	}
	return 0;
}

static void set(int index, uint64_t due_ns)
{
	event_set(&bench.queue, &bench.events[index], due_ns);
}

static void run(uint64_t now_ns)
{
	bench.count = 0;
	bench.now_ns = now_ns;
	event_run(&bench.queue, now_ns);
}

static void expect_fired(const char *order)
{
	assert_int_equal(bench.count, strlen(order));
	for (int i = 0; i < bench.count; i++)
		assert_int_equal(bench.fired[i], order[i] - '0');
}

static void test_an_empty_queue_is_never_due(void **state)
{
	(void)state;
	assert_true(event_next_ns(&bench.queue) == EVENT_NEVER);
	run(UINT64_MAX);
	expect_fired("");
}

static void test_order_is_by_deadline_then_by_setting(void **state)
{
	(void)state;
	set(0, 50);
	set(1, 10);
	set(2, 50);
	set(3, 10);
	set(4, 51);
	set(0, 50); /* set again: now behind 2 */
	assert_true(event_next_ns(&bench.queue) == 10);
	run(50);
	expect_fired("1320");
	assert_true(event_next_ns(&bench.queue) == 51);
}

static void test_a_deadline_is_met_exactly(void **state)
{
	(void)state;
	set(0, 100);
	run(99);
	expect_fired("");
	run(100);
	expect_fired("0");
	run(101);
	expect_fired("");
}

static void test_moving_and_cancelling(void **state)
{
	(void)state;
	set(0, 10);
	set(1, 20);
	set(2, 30);
	set(0, 25);
	event_cancel(&bench.queue, &bench.events[1]);
	event_cancel(&bench.queue, &bench.events[1]);
	set(2, EVENT_NEVER);
	assert_true(event_next_ns(&bench.queue) == 25);
	run(1000);
	expect_fired("0");
}

static void set_myself_into_the_past(struct bench *b, int index)
{
	set(index, b->now_ns - 1);
}

static void test_a_storm_returns(void **state)
{
	(void)state;
	bench.on_fire = set_myself_into_the_past;
	set(0, 10);
	set(1, 11);
	run(20);
	expect_fired("01");
	run(21);
	expect_fired("01");
}

static void zero_upsets_the_others(struct bench *b, int index)
{
	if (index)
		return;
	set(1, b->now_ns);     /* was due, is set again: waits */
	set(2, b->now_ns + 1); /* was due, moves away */
	event_cancel(&b->queue, &b->events[3]);
	set(5, 1); /* was not queued */
}

static void test_one_that_fires_may_set_and_cancel_others(void **state)
{
	(void)state;
	bench.on_fire = zero_upsets_the_others;
	for (int i = 0; i < 5; i++)
		set(i, 10);
	run(10);
	expect_fired("04");
	bench.on_fire = NULL;
	run(10);
	expect_fired("51");
	run(11);
	expect_fired("2");
}

static void note_due(struct bench *b, int index)
{
	assert_true(b->events[index].due_ns == 77);
}

static void test_the_deadline_is_known_while_firing(void **state)
{
	(void)state;
	bench.on_fire = note_due;
	set(0, 77);
	run(1000);
	expect_fired("0");
	event_cancel(&bench.queue, &bench.events[0]);
	assert_true(bench.events[0].due_ns == EVENT_NEVER);
}

/* The same against a model that has no list: an array searched for the earliest (deadline, order of setting). */
struct model {
	uint64_t due_ns[EVENTS];
	uint64_t order[EVENTS];
	uint64_t orders;
};

static int model_next(const struct model *model)
{
	int best = 0;

	for (int i = 1; i < EVENTS; i++) {
		if (model->due_ns[i] < model->due_ns[best] ||
		    (model->due_ns[i] == model->due_ns[best] && model->order[i] < model->order[best]))
			best = i;
	}
	return best;
}

static void expect_model_run(struct model *model, uint64_t now_ns)
{
	int expected = 0;

	for (int next; model->due_ns[next = model_next(model)] <= now_ns; expected++) {
		assert_true(expected < bench.count);
		assert_int_equal(bench.fired[expected], next);
		model->due_ns[next] = EVENT_NEVER;
	}
	assert_int_equal(bench.count, expected);
}

static void test_random_against_a_model(void **state)
{
	struct model model = { 0 };
	uint64_t seed = 4711, now_ns = 0;
	unsigned long steps = share(10000000);

	(void)state;
	memset(model.due_ns, 0xff, sizeof(model.due_ns));
	while (steps--) {
		int index = (int)(random_next(&seed) % EVENTS);
		uint64_t choice = random_next(&seed) % 8;

		if (choice < 5) {
			model.due_ns[index] = now_ns + 1 + random_next(&seed) % 20;
			model.order[index] = model.orders++;
			set(index, model.due_ns[index]);
		} else if (choice < 6) {
			model.due_ns[index] = EVENT_NEVER;
			event_cancel(&bench.queue, &bench.events[index]);
		} else {
			now_ns += random_next(&seed) % 10;
			run(now_ns);
			expect_model_run(&model, now_ns);
		}
		assert_true(event_next_ns(&bench.queue) == model.due_ns[model_next(&model)]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_empty_queue_is_never_due, set_up),
		cmocka_unit_test_setup(test_order_is_by_deadline_then_by_setting, set_up),
		cmocka_unit_test_setup(test_a_deadline_is_met_exactly, set_up),
		cmocka_unit_test_setup(test_moving_and_cancelling, set_up),
		cmocka_unit_test_setup(test_a_storm_returns, set_up),
		cmocka_unit_test_setup(test_one_that_fires_may_set_and_cancel_others, set_up),
		cmocka_unit_test_setup(test_the_deadline_is_known_while_firing, set_up),
		cmocka_unit_test_setup(test_random_against_a_model, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
