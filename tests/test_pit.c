/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the PIT answers at its ports byte by byte; the interrupts of channel 0 come exactly where its OUT rises,
 * the n-th one at ceil(n * count * 10^9 / 1193182) ns, never early, also when the count is changed and when the
 * events run late; each is counted; no guest can make one run of events long. */
#include "devices/pic.h"
#include "devices/pit.h"

#include "tests/support.h"

#define NS 1000000000ull

static struct bus bus;
static struct irq_router router;
static struct event_queue queue;
static struct pit pit;
static struct pic pic;
static uint64_t now_ns;

/* A controller that takes every edge at once, if it is told to. */
static bool line, masked, accepts, requested;
static uint64_t edges;

static void fake_set(void *chip, unsigned irq, bool level)
{
	bool rises = level && !line;

	assert_int_equal(irq, 0);
	line = level;
	if (!rises)
		return;
	edges++;
	requested = true;
}

static void take_all(void)
{
	while (accepts && requested) {
		requested = false;
		irq_accepted(&router, 0, now_ns);
	}
}

static bool fake_masked(const void *chip, unsigned irq)
{
	return masked;
}

static int set_up(void **state)
{
	memset(&bus, 0, sizeof(bus));
	memset(&router, 0, sizeof(router));
	memset(&queue, 0, sizeof(queue));
	irq_attach_chip(&router, &(struct irq_chip){ .chip = NULL, .lines = IRQ_LINES, .set = fake_set, .masked = fake_masked });
	line = masked = requested = false;
	accepts = true;
	edges = 0;
	now_ns = 12345678901;
	pit_init(&pit, &bus, &router, &queue);
	return 0;
}

static int set_up_with_pic(void **state)
{
	set_up(state);
	memset(&bus, 0, sizeof(bus));
	memset(&router, 0, sizeof(router));
	pic_init(&pic, &bus, &router);
	pit_init(&pit, &bus, &router, &queue);
	bus_write_port(&bus, 0x21, 0, 1, now_ns);
	return 0;
}

static void out(uint16_t port, uint8_t value)
{
	bus_write_port(&bus, port, value, 1, now_ns);
	take_all();
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)bus_read_port(&bus, port, 1, now_ns);
}

static uint16_t in_twice(uint16_t port)
{
	uint8_t lsb = in(port);

	return (uint16_t)(in(port) << 8 | lsb);
}

static void program(unsigned channel, unsigned mode, uint16_t count)
{
	out(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out((uint16_t)(0x40 + channel), (uint8_t)count);
	out((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static void write_count(uint16_t count)
{
	out(0x40, (uint8_t)count);
	out(0x40, (uint8_t)(count >> 8));
}

static uint64_t ceil_ns(uint64_t pulses)
{
	return (uint64_t)(((unsigned __int128)pulses * NS + PIT_HZ - 1) / PIT_HZ);
}

static uint64_t whole_pulses(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * PIT_HZ / NS);
}

static void run_to(uint64_t then_ns)
{
	now_ns = then_ns;
	event_run(&queue, now_ns);
	take_all();
}

/* The next edge comes at due_ns and not a nanosecond before. */
static void expect_edge(uint64_t due_ns)
{
	uint64_t before = edges;

	run_to(due_ns - 1);
	assert_int_equal(edges, before);
	run_to(due_ns);
	assert_int_equal(edges, before + 1);
}

static void expect_no_edge_for(uint64_t ns)
{
	uint64_t before = edges;

	run_to(now_ns + ns);
	assert_int_equal(edges, before);
}

static void wide_accesses_are_split(void **state)
{
	assert_int_equal(bus_read_port(&bus, 0x40, 4, now_ns), 0xff000000);
	assert_int_equal(bus_read_port(&bus, 0x43, 1, now_ns), 0xff);
	assert_int_equal(bus_read_port(&bus, 0x43, 4, now_ns), 0xffffffff);
	bus_write_port(&bus, 0x42, 0x9407, 2, now_ns); /* the count's byte, then a control word for mode 2, LSB */
	bus_write_port(&bus, 0x3f, 0x07aabbcc, 4, now_ns);
	assert_int_equal(in(0x42), 0x07);
	bus_write_port(&bus, 0x43, 0x1234, 2, now_ns);
	assert_int_equal(pit.counters[0].mode, 2);
}

static void nothing_ticks_before_it_is_programmed(void **state)
{
	assert_int_equal(in(0x40), 0);
	assert_int_equal(in(0x40), 0);
	out(0x43, 0xe2);
	assert_int_equal(in(0x40), 0xf6);
	assert_true(event_next_ns(&queue) == EVENT_NEVER);
	expect_no_edge_for(10 * NS);
	program(0, 2, 100);
	pit_reset(&pit);
	assert_true(event_next_ns(&queue) == EVENT_NEVER);
}

static void latch_and_read_back_pick_their_channels(void **state)
{
	program(0, 2, 1000);
	program(1, 2, 2000);
	program(2, 4, 3000);
	out(0x61, 0x01);
	now_ns += ceil_ns(256);
	out(0x43, 0x40); /* latch channel 1 */
	out(0x43, 0xca); /* read back count and status of channels 0 and 2 */
	now_ns += ceil_ns(300);
	out(0x43, 0xce); /* ignored for 0 and 2, whose latches are not read; the status of 1 */
	assert_int_equal(in(0x40), 0x80 | 0x34);
	assert_int_equal(in_twice(0x40), 1000 - 256);
	assert_int_equal(in(0x41), 0x80 | 0x34);
	assert_int_equal(in_twice(0x41), 2000 - 256);
	assert_int_equal(in(0x42), 0x80 | 0x38);
	assert_int_equal(in_twice(0x42), 3000 - 256);
	assert_int_equal(in_twice(0x42), 3000 - 556);
}

static void port_61_has_the_gate_and_out_of_channel_2(void **state)
{
	program(2, 0, 1000);
	assert_int_equal(in(0x61) & 0x2f, 0x00);
	now_ns += ceil_ns(5000);
	assert_int_equal(in(0x61) & 0x2f, 0x00); /* the gate is low */
	out(0x61, 0xfd);
	assert_int_equal(in(0x61) & 0xcf, 0x0d);
	now_ns += ceil_ns(1000) - 1;
	assert_int_equal(in(0x61) & 0x20, 0x00);
	now_ns += 1;
	assert_int_equal(in(0x61) & 0x20, 0x20);
	out(0x61, 0x02);
	assert_int_equal(in(0x61) & 0x2f, 0x22);
}

static void the_refresh_bit_toggles_each_15_us(void **state)
{
	uint64_t toggles = 0;
	uint8_t last = in(0x61) & 0x10;

	for (uint64_t end = now_ns + NS / 10; now_ns < end; now_ns += 5000) {
		toggles += (in(0x61) & 0x10) != last;
		last = in(0x61) & 0x10;
	}
	assert_in_range(toggles, PIT_HZ / 180 - 1, PIT_HZ / 180 + 1);
}

static void the_nth_tick_is_exact(void **state)
{
	static const uint32_t counts[] = { 2, 3, 7, 1193, 1194, 11932, 65535, 65536 };

	tick_set_policy(&pit.tick, TICK_MERGE);
	for (unsigned mode = 2; mode < 4; mode++)
		for (unsigned i = 0; i < 8; i++) {
			uint64_t origin_ns;

			program(0, mode, (uint16_t)counts[i]);
			origin_ns = now_ns;
			for (uint64_t n = 1; n < 500; n++)
				expect_edge(origin_ns + ceil_ns(n * counts[i]));
			run_to(origin_ns + 1000 * NS);
			expect_edge(origin_ns + ceil_ns((whole_pulses(1000 * NS) / counts[i] + 1) * counts[i]));
			assert_true(tick_conserved(pit_tick(&pit)));
		}
	assert_true(pit_tick(&pit)->counters.due > 8 * 2 * 500);
}

static void a_one_shot_is_exact(void **state)
{
	for (uint32_t count = 1; count <= 65536; count += count < 20 ? 1 : 1361) {
		program(0, 0, (uint16_t)count);
		expect_edge(now_ns + ceil_ns(count));
		expect_no_edge_for(NS);
		program(0, 4, (uint16_t)count);
		expect_edge(now_ns + ceil_ns(count + 1ull)); /* where the strobe ends */
		expect_no_edge_for(NS);
	}
	program(0, 0, 0);
	expect_edge(now_ns + ceil_ns(65536));
	assert_int_equal(pit.one_shot.due, edges);
	assert_int_equal(pit.one_shot.accepted, edges);
}

static void without_a_trigger_modes_1_and_5_do_nothing(void **state)
{
	program(0, 1, 100);
	expect_no_edge_for(NS);
	program(0, 5, 100);
	expect_no_edge_for(NS);
	assert_true(event_next_ns(&queue) == EVENT_NEVER);
}

/* As Linux's one-shot clock events do it: mode 4, a new count each time, most of them before the old one ran out. */
static void a_new_count_replaces_the_one_shot(void **state)
{
	uint64_t seed = 4, loaded_ns = now_ns, count = 100;

	program(0, 4, 100);
	for (int i = 0; i < 1000; i++) {
		uint64_t before = edges, later = loaded_ns + random_next(&seed) % ceil_ns(2 * count);

		run_to(later);
		assert_int_equal(edges - before, later >= loaded_ns + ceil_ns(count + 1));
		count = random_next(&seed) % 65536 + 1;
		write_count((uint16_t)count);
		loaded_ns = now_ns;
	}
}

static void stopping_drops_what_is_owed(void **state)
{
	accepts = false;
	program(0, 0, 10);
	run_to(now_ns + NS);
	assert_true(line);
	out(0x43, 0x30);
	assert_false(line); /* OUT of mode 0 is low at once */
	assert_int_equal(pit.one_shot.dropped, 1);
	program(0, 2, 100);
	run_to(now_ns + ceil_ns(1000));
	assert_int_equal(pit_tick(&pit)->counters.due, 10);
	out(0x43, 0x30);
	assert_int_equal(pit_tick(&pit)->counters.dropped, 10);
	assert_false(line);
	irq_accepted(&router, 0, now_ns);
	assert_int_equal(pit_tick(&pit)->counters.accepted, 0);
	assert_int_equal(pit.one_shot.accepted, 0);
	write_count(50);
	out(0x40, 10); /* the first of two bytes stops mode 0 */
	expect_no_edge_for(NS);
	assert_int_equal(pit.one_shot.due, 1);
}

/* An exit's own time is later than that of the last run of events. */
static void what_was_due_comes_before_a_write(void **state)
{
	program(0, 0, 10);
	now_ns += ceil_ns(10);
	program(0, 2, 10);
	assert_int_equal(edges, 1);
	now_ns += ceil_ns(35);
	program(0, 3, 10);
	assert_int_equal(pit_tick(&pit)->counters.due, 3);
	assert_int_equal(edges, 2);
	assert_int_equal(pit_tick(&pit)->counters.dropped, 3); /* the control word ended what was owed */
}

/* Mode 2 goes over at the end of its period, mode 3 at the end of its half. */
static void a_new_period_begins_exactly_where_the_old_one_ends(void **state)
{
	uint64_t origin_ns = now_ns, end_ns;

	program(0, 2, 1000);
	expect_edge(origin_ns + ceil_ns(1000));
	now_ns += 5000;
	write_count(300);
	end_ns = origin_ns + ceil_ns(2000);
	expect_edge(end_ns);
	for (uint64_t n = 1; n < 50; n++)
		expect_edge(end_ns + ceil_ns(300 * n));

	program(0, 3, 1000);
	origin_ns = now_ns;
	now_ns += ceil_ns(400);
	write_count(301);
	end_ns = origin_ns + ceil_ns(500) + ceil_ns(150);
	for (uint64_t n = 0; n < 50; n++)
		expect_edge(end_ns + ceil_ns(301 * n));
	now_ns += ceil_ns(200);
	write_count(77);
	write_count(78);
	expect_edge(end_ns + ceil_ns(301 * 50));
	expect_edge(end_ns + ceil_ns(301 * 50) + ceil_ns(78));
}

/* The same when nothing ran meanwhile: all are counted, those of the old period and those of the new one. */
static void late_events_lose_no_tick_of_either_period(void **state)
{
	uint64_t start_ns = now_ns, due, reload_ns = start_ns + ceil_ns(1000);

	accepts = false;
	program(0, 2, 1000);
	now_ns += 100;
	write_count(300);
	run_to(start_ns + NS);
	due = 1 + whole_pulses(now_ns - reload_ns) / 300;
	assert_int_equal(pit_tick(&pit)->counters.due, due);
	assert_int_equal(pit_tick(&pit)->counters.backlog, due);
	assert_int_equal(edges, 1);
	accepts = true;
	take_all();
	assert_int_equal(edges, due);
	assert_int_equal(pit_tick(&pit)->counters.accepted, due);
	assert_int_equal(pit_tick(&pit)->counters.backlog, 0);
}

static void a_storm_is_arithmetic(void **state)
{
	static const uint16_t counts[] = { 2, 1, 3 };

	for (unsigned i = 0; i < 3; i++) {
		uint64_t due = pit_tick(&pit)->counters.due, length = counts[i] == 1 ? 65537 : counts[i];

		accepts = false;
		program(0, 2, counts[i]);
		edges = 0;
		for (int step = 0; step < 10; step++)
			run_to(now_ns + 3600 * NS);
		assert_int_equal(edges, 10);
		assert_int_equal(pit_tick(&pit)->counters.due - due, whole_pulses(36000 * NS) / length);
		assert_true(event_next_ns(&queue) > now_ns);
		assert_true(tick_conserved(pit_tick(&pit)));
	}
}

static bool shown_out(void)
{
	struct pit_counter copy = pit.counters[0]; /* as a look must not move anything */

	return pit_counter_out(&copy, now_ns);
}

static void random_write(uint64_t *seed)
{
	static const uint8_t modes[] = { 0, 2, 3, 3, 2, 4, 1, 5 };
	uint64_t dice = random_next(seed);
	uint16_t count = dice >> 32 & 7 ? (dice >> 16) % 40 : dice >> 16 & 0x3ff;

	if (dice & 3)
		write_count(count > 1 ? count : 2);
	else
		program(0, modes[dice >> 3 & 7], count > 1 ? count : 2);
}

/* Seen in steps of a third of a pulse, OUT rises as often as there are edges, and in the same steps. */
static void edges_are_the_rises_of_out(void **state)
{
	uint64_t seed = 0x61, seen = 0;

	program(0, 3, 9);
	for (unsigned long i = 0; i < share(20000000); i++) {
		bool before = shown_out();
		uint64_t edges_before = edges;

		run_to(now_ns + 1 + random_next(&seed) % 279);
		assert_int_equal(edges - edges_before, shown_out() && !before);
		seen += edges - edges_before;
		if (random_next(&seed) % 400 == 0)
			random_write(&seed);
	}
	assert_true(seen > share(20000000) / 200);
	/* An edge that a write itself brought can be withdrawn by that write. */
	assert_int_equal(pit.one_shot.accepted + pit.one_shot.dropped + pit_tick(&pit)->counters.accepted +
				 pit_tick(&pit)->counters.dropped, edges);
}

static void the_pic_and_the_pit_agree_on_what_was_accepted(void **state)
{
	uint64_t taken = 0;

	program(0, 2, 1193);
	for (int i = 0; i < 1000; i++) {
		run_to(now_ns + (i % 100 == 99 ? NS / 100 : NS / 3000));
		if (!pic_pending(&pic))
			continue;
		assert_int_equal(pic_acknowledge(&pic, now_ns), 0x08);
		taken++;
		out(0x20, 0x20);
	}
	assert_int_equal(pit_tick(&pit)->counters.accepted, taken);
	assert_true(tick_conserved(pit_tick(&pit)));
}

static void a_masked_tick_is_counted_as_such(void **state)
{
	out(0x21, 0x01);
	program(0, 2, 1000);
	for (int i = 1; i <= 100; i++)
		run_to(now_ns + ceil_ns(1000));
	assert_int_equal(pit_tick(&pit)->counters.masked, 100);
	assert_int_equal(pit_tick(&pit)->counters.due, 0);
	assert_false(pic_pending(&pic));
	out(0x20, 0x0a);
	assert_int_equal(in(0x20), 0x01); /* the 8259A holds one edge */
	out(0x21, 0x00);
	assert_int_equal(pic_acknowledge(&pic, now_ns), 0x08);
	assert_int_equal(pit_tick(&pit)->counters.accepted, 0);
	assert_false(pic_pending(&pic));
}

static void a_masked_one_shot_is_kept(void **state)
{
	out(0x21, 0x01);
	program(0, 4, 1000);
	run_to(now_ns + NS);
	assert_false(pic_pending(&pic));
	out(0x21, 0x00);
	assert_true(pic_pending(&pic));
	assert_int_equal(pic_acknowledge(&pic, now_ns), 0x08);
	assert_int_equal(pit.one_shot.accepted, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(wide_accesses_are_split, set_up),
		cmocka_unit_test_setup(nothing_ticks_before_it_is_programmed, set_up),
		cmocka_unit_test_setup(latch_and_read_back_pick_their_channels, set_up),
		cmocka_unit_test_setup(port_61_has_the_gate_and_out_of_channel_2, set_up),
		cmocka_unit_test_setup(the_refresh_bit_toggles_each_15_us, set_up),
		cmocka_unit_test_setup(the_nth_tick_is_exact, set_up),
		cmocka_unit_test_setup(a_one_shot_is_exact, set_up),
		cmocka_unit_test_setup(without_a_trigger_modes_1_and_5_do_nothing, set_up),
		cmocka_unit_test_setup(a_new_count_replaces_the_one_shot, set_up),
		cmocka_unit_test_setup(stopping_drops_what_is_owed, set_up),
		cmocka_unit_test_setup(what_was_due_comes_before_a_write, set_up),
		cmocka_unit_test_setup(a_new_period_begins_exactly_where_the_old_one_ends, set_up),
		cmocka_unit_test_setup(late_events_lose_no_tick_of_either_period, set_up),
		cmocka_unit_test_setup(a_storm_is_arithmetic, set_up),
		cmocka_unit_test_setup(edges_are_the_rises_of_out, set_up),
		cmocka_unit_test_setup(the_pic_and_the_pit_agree_on_what_was_accepted, set_up_with_pic),
		cmocka_unit_test_setup(a_masked_tick_is_counted_as_such, set_up_with_pic),
		cmocka_unit_test_setup(a_masked_one_shot_is_kept, set_up_with_pic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
