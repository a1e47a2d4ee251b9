/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The RTC's interrupts: update-ended, alarm, periodic; against the MC146818A data sheet and brute force. */
#include "tests/rtc_board.h"

/* Claim: no event is queued while no interrupt is enabled or the enabled one is pending already, so that an idle
 * RTC wakes nobody. */
static void is_quiet_unless_asked(void **state)
{
	(void)state;
	power_on(JULY_2025);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	put(RTC_B, RTC_B_24H | RTC_B_UIE, SECOND / 3);
	assert_true(event_next_ns(&board.queue) == SECOND);
	board_run(&board, SECOND);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	board_run(&board, 100 * SECOND);
	assert_int_equal(board.rises[RTC_IRQ], 1);
	get(RTC_C, 100 * SECOND + 5);
	assert_true(event_next_ns(&board.queue) == 101 * SECOND);
	put(RTC_B, RTC_B_24H | RTC_B_SET | RTC_B_UIE, 100 * SECOND + 6); /* SET going high clears UIE */
	assert_int_equal(get(RTC_B, 100 * SECOND + 6), RTC_B_24H | RTC_B_SET);
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
}

/* Claim: the update-ended interrupt comes at the whole second, register C tells of it once, and reading it lowers
 * the line. */
static void update_ended_interrupt(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_A, 0x20, 0);
	put(RTC_B, RTC_B_24H | RTC_B_UIE, 0);
	for (uint64_t second = 1; second < 50; second++) {
		board_run(&board, second * SECOND - 1);
		assert_false(board.level[RTC_IRQ]);
		board_run(&board, second * SECOND);
		assert_true(board.level[RTC_IRQ]);
		assert_int_equal(get(RTC_C, second * SECOND + 700), RTC_C_IRQF | RTC_C_UF);
		assert_false(board.level[RTC_IRQ]);
		assert_int_equal(get(RTC_C, second * SECOND + 701), 0);
	}
	assert_int_equal(board.rises[RTC_IRQ], 49);
}

/* Claim: with both enabled, an alarm that is far off does not keep the update-ended interrupt back. */
static void alarm_and_update_go_together(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_SECONDS_ALARM, 0x03, 0);
	put(RTC_MINUTES_ALARM, 0xff, 0);
	put(RTC_HOURS_ALARM, 0xff, 0);
	put(RTC_A, 0x20, 0);
	put(RTC_B, RTC_B_24H | RTC_B_AIE | RTC_B_UIE, 0);
	for (uint64_t second = 1; second < 200; second++) {
		assert_true(event_next_ns(&board.queue) == second * SECOND);
		board_run(&board, second * SECOND);
		assert_int_equal(get(RTC_C, second * SECOND),
				 RTC_C_IRQF | RTC_C_UF | (second % 60 == 3 ? RTC_C_AF : 0));
	}
}

/* Claim: an interrupt that is enabled while its flag is set already comes at once, and goes with its enable bit
 * (IRQF = PF PIE + AF AIE + UF UIE). */
static void enabling_a_pending_flag_interrupts(void **state)
{
	static const uint8_t enables[] = { RTC_B_PIE, RTC_B_AIE, RTC_B_UIE };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		power_on(JULY_2025);
		for (unsigned byte = 1; byte < 6; byte += 2)
			put((uint8_t)byte, 0xff, 0);
		put(RTC_B, RTC_B_24H | enables[i], 3 * SECOND);
		assert_true(board.level[RTC_IRQ]);
		put(RTC_B, RTC_B_24H, 3 * SECOND);
		assert_false(board.level[RTC_IRQ]);
		assert_int_equal(get(RTC_C, 3 * SECOND), RTC_C_PF | RTC_C_AF | RTC_C_UF);
	}
}

struct alarm_case {
	uint8_t second, minute, hour; /* as bytes */
	uint8_t format;
};

/* The first second after start at which all three bytes match, as the chip compares them; -1: none in a day. */
static int64_t oracle(const struct alarm_case *alarm, int64_t start)
{
	for (int64_t t = start + 1; t <= start + 86400; t++) {
		int day = (int)(t % 86400);

		if ((alarm->second >= 0xc0 || alarm->second == to_byte(day % 60, alarm->format)) &&
		    (alarm->minute >= 0xc0 || alarm->minute == to_byte(day / 60 % 60, alarm->format)) &&
		    (alarm->hour >= 0xc0 || alarm->hour == to_hour(day / 3600, alarm->format)))
			return t;
	}
	return -1;
}

static uint8_t pick_byte(uint64_t *seed, uint8_t good)
{
	switch (random_next(seed) % 8) {
	case 0: return (uint8_t)(0xc0 + random_next(seed) % 64);
	case 1: return (uint8_t)random_next(seed);
	case 2: return 0xff;
	}
	return good;
}

static struct alarm_case pick_alarm(uint64_t *seed)
{
	struct alarm_case alarm = { .format = formats[random_next(seed) % 4] };

	alarm.second = pick_byte(seed, to_byte((int)(random_next(seed) % 60), alarm.format));
	alarm.minute = pick_byte(seed, to_byte((int)(random_next(seed) % 60), alarm.format));
	alarm.hour = pick_byte(seed, to_hour((int)(random_next(seed) % 24), alarm.format));
	return alarm;
}

/* Claim: the alarm interrupt comes at the first second whose bytes match, C0h to FFh matching all, and never where
 * the bytes are none that a time has. */
static void alarm_comes_when_the_bytes_match(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned long i = 0; i < share(50000); i++) {
		struct alarm_case alarm = pick_alarm(&seed);
		int64_t start = JULY_2025 + (int64_t)(random_next(&seed) % 86400), expected = oracle(&alarm, start);
		uint64_t due_ns = expected < 0 ? EVENT_NEVER : (uint64_t)(expected - start) * SECOND;

		power_on(JULY_2025);
		put(RTC_A, 0x20, 0);
		set_format(alarm.format, start, 0);
		put(RTC_SECONDS_ALARM, alarm.second, 0);
		put(RTC_MINUTES_ALARM, alarm.minute, 0);
		put(RTC_B, alarm.format | RTC_B_AIE, 0);
		put(RTC_HOURS_ALARM, alarm.hour, 0); /* also found when it is written last */
		assert_true(event_next_ns(&board.queue) == due_ns);
		if (expected < 0)
			continue;
		board_run(&board, due_ns);
		assert_true(board.level[RTC_IRQ]);
		assert_int_equal(get(RTC_C, due_ns), RTC_C_IRQF | RTC_C_AF | RTC_C_UF);
	}
}

/* Claim: AF and UF are there for a guest that polls and has enabled nothing, no earlier and no later, over any
 * distance. */
static void flags_are_right_when_polled(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned long i = 0; i < share(20000); i++) {
		struct alarm_case alarm = pick_alarm(&seed);
		int64_t start = JULY_2025 + (int64_t)(random_next(&seed) % 86400), expected = oracle(&alarm, start);
		uint64_t later = random_next(&seed) % (random_next(&seed) % 200000 + 1);
		uint8_t flags = (uint8_t)(later ? RTC_C_UF : 0);

		if (expected >= 0 && (uint64_t)(expected - start) <= later)
			flags |= RTC_C_AF;
		power_on(JULY_2025);
		put(RTC_A, 0x20, 0);
		set_format(alarm.format, start, 0);
		put(RTC_SECONDS_ALARM, alarm.second, 0);
		put(RTC_MINUTES_ALARM, alarm.minute, 0);
		put(RTC_HOURS_ALARM, alarm.hour, 0);
		assert_int_equal(get(RTC_C, later * SECOND + 999999999), flags);
		assert_int_equal(get(RTC_C, later * SECOND + 999999999), 0);
	}
}

/* Claim: each of the fifteen rates has the data sheet's frequency; tick n comes at ceil(n * count * 10^9 / 32768);
 * for a poller PF is set from that moment on. */
static void periodic_interrupt_is_exact(void **state)
{
	static const unsigned hz[] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	(void)state;
	for (unsigned select = 1; select < 16; select++) {
		power_on(JULY_2025);
		put(RTC_A, (uint8_t)(0x20 | select), 0);
		put(RTC_B, RTC_B_24H | RTC_B_PIE, 0);
		for (uint64_t n = 1; n <= 3 * hz[select]; n++) {
			uint64_t due_ns = (n * SECOND + hz[select] - 1) / hz[select];

			assert_true(event_next_ns(&board.queue) == due_ns);
			assert_int_equal(get(RTC_C, due_ns - 1) & RTC_C_PF, 0);
			board_run(&board, due_ns);
			assert_int_equal(get(RTC_C, due_ns) & (RTC_C_IRQF | RTC_C_PF), RTC_C_IRQF | RTC_C_PF);
		}
		assert_int_equal(board.rises[RTC_IRQ], 3 * hz[select]);
		assert_int_equal(rtc_tick(&rtc)->counters.accepted, 3 * hz[select]);
		put(RTC_B, RTC_B_24H, 3 * SECOND);
		assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
		for (uint64_t n = 3 * hz[select] + 1; n <= 4 * hz[select]; n++) {
			uint64_t due_ns = (n * SECOND + hz[select] - 1) / hz[select];

			assert_int_equal(get(RTC_C, due_ns - 1) & RTC_C_PF, 0);
			assert_int_equal(get(RTC_C, due_ns) & (RTC_C_IRQF | RTC_C_PF), RTC_C_PF);
		}
	}
}

/* Claim: a tick is accepted by reading register C. Read late, each tick that came meanwhile is still delivered
 * (policy delay), with an edge of its own. */
static void late_ticks_are_delivered(void **state)
{
	const struct tick_counters *counters = &rtc.tick.counters;

	(void)state;
	power_on(JULY_2025);
	tick_set_policy(&rtc.tick, TICK_DELAY);
	put(RTC_A, 0x26, 0);
	put(RTC_B, RTC_B_24H | RTC_B_PIE, 0);
	board_run(&board, SECOND + 1);
	assert_int_equal(board.rises[RTC_IRQ], 1);
	assert_int_equal(counters->backlog, 1024);
	for (unsigned i = 1; i <= 1024; i++) {
		assert_true(board.level[RTC_IRQ]);
		assert_int_equal(get(RTC_C, SECOND + 2) & RTC_C_PF, RTC_C_PF);
	}
	assert_false(board.level[RTC_IRQ]);
	assert_int_equal(board.rises[RTC_IRQ], 1024);
	assert_int_equal(counters->accepted, 1024);
	assert_true(tick_conserved(rtc_tick(&rtc)));
	board.masked[RTC_IRQ] = true;
	board_run(&board, 2 * SECOND);
	assert_int_equal(counters->masked, 1024);
	assert_int_equal(get(RTC_C, 2 * SECOND) & RTC_C_PF, RTC_C_PF); /* polled behind the mask */
	assert_int_equal(counters->accepted, 1024);
}

/* Claim: a guest that polls between a tick's due time and its event gets the tick once, by the event. */
static void a_tick_comes_once(void **state)
{
	(void)state;
	power_on(JULY_2025);
	put(RTC_A, 0x2f, 0);
	put(RTC_B, RTC_B_24H | RTC_B_PIE, 0);
	assert_int_equal(get(RTC_C, SECOND / 2 + 10), 0);
	board_run(&board, SECOND / 2 + 20);
	assert_int_equal(get(RTC_C, SECOND / 2 + 20), RTC_C_IRQF | RTC_C_PF);
	assert_int_equal(get(RTC_C, SECOND / 2 + 30), 0);
}

/* Claim: another rate sets no flag by itself, nor does it lose one that was due. */
static void change_of_rate_sets_no_flag(void **state)
{
	(void)state;
	power_on(JULY_2025);
	get(RTC_C, SECOND / 3);
	for (uint8_t select = 0; select < 16; select++) {
		put(RTC_A, 0x20 | select, SECOND / 3);
		assert_int_equal(get(RTC_C, SECOND / 3), 0);
	}
	put(RTC_A, 0x20, SECOND / 2);
	assert_int_equal(get(RTC_C, SECOND / 2), RTC_C_PF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_quiet_unless_asked),
		cmocka_unit_test(update_ended_interrupt),
		cmocka_unit_test(alarm_and_update_go_together),
		cmocka_unit_test(enabling_a_pending_flag_interrupts),
		cmocka_unit_test(alarm_comes_when_the_bytes_match),
		cmocka_unit_test(flags_are_right_when_polled),
		cmocka_unit_test(periodic_interrupt_is_exact),
		cmocka_unit_test(late_ticks_are_delivered),
		cmocka_unit_test(a_tick_comes_once),
		cmocka_unit_test(change_of_rate_sets_no_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
