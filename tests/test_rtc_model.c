/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The whole of the RTC against a second, simple model of it, which was written from the MC146818A data sheet alone: it steps
 * each second in the bytes themselves, digit by digit, and compares alarms byte by byte. Nothing of the chip's arithmetic is
 * in it. Jumps of the calendar are among what is done to both. */
#include "tests/rtc_board.h"
#include "timekeeping/date.h"

/* The model. */

struct model {
	uint8_t bytes[128];
	uint64_t edge_ns;  /* when the next update ends, while the chain runs */
	uint64_t chain_ns; /* when the chain was released */
	uint64_t periods;  /* periodic edges that have passed */
};

static struct model model;

static bool runs(void)
{
	return (model.bytes[RTC_A] & 0x70) == 0x20;
}

static bool in_bcd(void)
{
	return !(model.bytes[RTC_B] & RTC_B_DM);
}

/* One more, as a counter chip does it. */
static uint8_t count_up(uint8_t byte)
{
	return in_bcd() && (byte & 15) == 9 ? (uint8_t)(byte + 7) : (uint8_t)(byte + 1);
}

static uint8_t code(int value)
{
	return in_bcd() ? (uint8_t)(value / 10 << 4 | value % 10) : (uint8_t)value;
}

static int number(uint8_t byte)
{
	return in_bcd() ? (byte >> 4) * 10 + (byte & 15) : byte;
}

/* Counts the byte up; true: it has gone round, from last to first. */
static bool roll(unsigned index, uint8_t last, uint8_t first)
{
	bool round = model.bytes[index] == last;

	model.bytes[index] = round ? first : count_up(model.bytes[index]);
	return round;
}

static bool leap(void)
{
	int year = number(model.bytes[RTC_YEAR]), century = number(model.bytes[RTC_CENTURY]);

	return year ? year % 4 == 0 : century % 4 == 0;
}

static uint8_t last_day(void)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int month = number(model.bytes[RTC_MONTH]);

	return code(days[month - 1] + (month == 2 && leap()));
}

static bool roll_hour(void)
{
	uint8_t *hour = &model.bytes[RTC_HOURS];
	bool pm = *hour & 0x80;
	uint8_t twelve = code(12), count = *hour & 0x7f;

	if (model.bytes[RTC_B] & RTC_B_24H)
		return roll(RTC_HOURS, code(23), 0);
	if (count == code(11)) { /* 11 AM to 12 PM, 11 PM to 12 AM */
		*hour = (uint8_t)(twelve | (pm ? 0 : 0x80));
		return pm;
	}
	*hour = (uint8_t)((count == twelve ? 1 : count_up(count)) | (pm ? 0x80 : 0));
	return false;
}

/* Where the calendar ends it stands: that is ours, and on no data sheet. */
static bool at_end(void)
{
	uint8_t hour = model.bytes[RTC_B] & RTC_B_24H ? code(23) : (uint8_t)(0x80 | code(11));

	return model.bytes[RTC_CENTURY] == code(99) && model.bytes[RTC_YEAR] == code(99) && model.bytes[RTC_MONTH] == code(12) &&
	       model.bytes[RTC_DAY] == code(31) && model.bytes[RTC_HOURS] == hour && model.bytes[RTC_MINUTES] == code(59) &&
	       model.bytes[RTC_SECONDS] == code(59);
}

static void update_time(void)
{
	if (!roll(RTC_SECONDS, code(59), 0) || !roll(RTC_MINUTES, code(59), 0) || !roll_hour())
		return;
	roll(RTC_WEEKDAY, 7, 1);
	if (!roll(RTC_DAY, last_day(), 1) || !roll(RTC_MONTH, code(12), 1) || !roll(RTC_YEAR, code(99), 0))
		return;
	roll(RTC_CENTURY, code(99), 0);
}

static bool alarm_byte_matches(unsigned time, unsigned alarm)
{
	return (model.bytes[alarm] & 0xc0) == 0xc0 || model.bytes[alarm] == model.bytes[time];
}

static uint64_t edges_by(uint64_t now_ns)
{
	static const unsigned hz[] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	return (uint64_t)((unsigned __int128)(now_ns - model.chain_ns) * hz[model.bytes[RTC_A] & 15] / SECOND);
}

static void model_advance(uint64_t now_ns)
{
	for (; runs() && model.edge_ns <= now_ns; model.edge_ns += SECOND) {
		if (model.bytes[RTC_B] & RTC_B_SET)
			continue;
		model.bytes[RTC_C] |= RTC_C_UF;
		if (at_end())
			continue;
		update_time();
		if (alarm_byte_matches(RTC_SECONDS, RTC_SECONDS_ALARM) && alarm_byte_matches(RTC_MINUTES, RTC_MINUTES_ALARM) &&
		    alarm_byte_matches(RTC_HOURS, RTC_HOURS_ALARM))
			model.bytes[RTC_C] |= RTC_C_AF;
	}
	if (runs() && edges_by(now_ns) != model.periods) {
		model.periods = edges_by(now_ns);
		model.bytes[RTC_C] |= RTC_C_PF;
	}
}

static bool model_line(void)
{
	return model.bytes[RTC_C] & model.bytes[RTC_B] & 0x70;
}

static uint8_t model_read(unsigned index, uint64_t now_ns)
{
	uint8_t value = model.bytes[index];
	bool updating = runs() && !(model.bytes[RTC_B] & RTC_B_SET) && model.edge_ns - now_ns <= 244000 + 1984000;

	if (index == RTC_A)
		return (uint8_t)(value | (updating ? 0x80 : 0));
	if (index == RTC_C) {
		value = (uint8_t)(value | (model_line() ? 0x80 : 0));
		model.bytes[RTC_C] = 0;
	}
	return value;
}

static void model_write(unsigned index, uint8_t value, uint64_t now_ns)
{
	bool ran = runs();

	if (index == RTC_C || index == RTC_D)
		return;
	if (index == RTC_B && (value & RTC_B_SET) && !(model.bytes[RTC_B] & RTC_B_SET))
		value &= (uint8_t)~RTC_B_UIE;
	model.bytes[index] = index == RTC_A ? value & 0x7f : value;
	if (index == RTC_A && !ran && runs()) {
		model.chain_ns = now_ns;
		model.edge_ns = now_ns + SECOND / 2;
	}
	if (index == RTC_A)
		model.periods = runs() ? edges_by(now_ns) : 0;
}

/* The driver: each thing is done to both. */

static uint64_t now_ns, seed;

static unsigned roll_dice(unsigned sides)
{
	return (unsigned)(random_next(&seed) >> 20) % sides;
}

static void both_write(unsigned index, uint8_t value)
{
	put((uint8_t)index, value, now_ns);
	model_write(index, value, now_ns);
}

static void both_write_time(int64_t unix_seconds)
{
	static const uint8_t indices[] = { 0, 2, 4, 6, 7, 8, 9, RTC_CENTURY };

	write_time(unix_seconds, now_ns);
	for (unsigned i = 0; i < sizeof indices; i++) /* write_time is the C library's; the chip has just stored its bytes */
		model.bytes[indices[i]] = rtc.cmos[indices[i]];
}

static int64_t some_date(void)
{
	static const int64_t corners[] = { 68169599, 951782399, 2147483647, 4102444799, 4107542399, 4294967295, 32503679999, DATE_LAST_UNIX };

	if (roll_dice(2))
		return (int64_t)(random_next(&seed) % 253402214400);
	return corners[roll_dice(8)] - (int64_t)(roll_dice(2) ? 0 : roll_dice(5));
}

/* Mostly at an edge, or beside one: of an update, of UIP, of the periodic interrupt. */
static void let_time_pass(void)
{
	static const unsigned hz[] = { 1, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };
	uint64_t rate = hz[model.bytes[RTC_A] & 15], wanted = now_ns;

	switch (roll_dice(5)) {
	case 0: wanted = model.edge_ns; break;
	case 1: wanted = model.edge_ns - 2228000; break;
	case 2: wanted = model.chain_ns + ((edges_by(now_ns) + 1) * SECOND + rate - 1) / rate; break;
	case 3: wanted = now_ns + (random_next(&seed) >> (roll_dice(50) ? 28 + roll_dice(30) : 18)); break;
	}
	if (wanted > now_ns)
		now_ns = wanted - roll_dice(2);
	event_run(&board.queue, now_ns);
	model_advance(now_ns);
}

/* Sets the time as a guest does, perhaps in another format. The mode bits flip first: no byte is converted by that. */
static void set_clock(void)
{
	uint8_t b = (uint8_t)((model.bytes[RTC_B] & 0x78) | RTC_B_SET | formats[roll_dice(4)]);

	both_write(RTC_B, b);
	for (unsigned index = 0; index < 10; index++)
		assert_int_equal(get((uint8_t)index, now_ns), model.bytes[index]);
	both_write_time(some_date());
	if (roll_dice(3) == 0)
		both_write(RTC_A, 0x70 | (model.bytes[RTC_A] & 15));
	let_time_pass();
	both_write(RTC_A, 0x20 | (model.bytes[RTC_A] & 15));
	both_write(RTC_B, b & 0x7f);
}

static uint8_t some_alarm_byte(unsigned index)
{
	static const uint8_t lasts[] = { 60, 60, 24 };
	int value = (int)roll_dice(lasts[index / 2]);

	switch (roll_dice(5)) {
	case 0: return (uint8_t)(0xc0 + roll_dice(64));
	case 1: return model.bytes[index - 1];
	}
	return index == RTC_HOURS_ALARM ? to_hour(value, model.bytes[RTC_B]) : code(value);
}

static void jump(void)
{
	int64_t to = some_date();
	bool held = !runs() || (model.bytes[RTC_B] & RTC_B_SET);

	assert_int_equal(rtc_set_unix(&rtc, to, now_ns), !held);
	if (held)
		return;
	struct rtc kept = rtc;

	/* the chip's own bytes are judged by the C library: read_time takes nothing else */
	assert_int_equal(read_time(now_ns), to);
	assert_int_equal(rtc.cmos[RTC_WEEKDAY], (to / 86400 + 4) % 7 + 1);
	assert_memory_equal(&kept.cmos[RTC_C], &rtc.cmos[RTC_C], 1);
	for (unsigned index = 0; index <= RTC_YEAR; index++)
		if (index != RTC_SECONDS_ALARM && index != RTC_MINUTES_ALARM && index != RTC_HOURS_ALARM)
			model.bytes[index] = rtc.cmos[index];
	model.bytes[RTC_CENTURY] = rtc.cmos[RTC_CENTURY];
}

static void act(void)
{
	unsigned alarm = 1 + 2 * roll_dice(3);

	switch (roll_dice(12)) {
	case 0: set_clock(); break;
	case 1: both_write(RTC_A, 0x20 | (uint8_t)roll_dice(16)); break;
	case 2: both_write(RTC_A, (uint8_t)roll_dice(256)); break; /* perhaps another time base: it stands */
	case 3: both_write(RTC_B, (uint8_t)((model.bytes[RTC_B] & 6) | (roll_dice(32) << 3 & 0x78) | (roll_dice(8) ? 0 : RTC_B_SET) | roll_dice(2))); break;
	case 4: both_write(alarm, some_alarm_byte(alarm)); break;
	case 5: both_write(RTC_C + roll_dice(2), (uint8_t)roll_dice(256)); break;
	case 6: both_write(0x0e + roll_dice(0x24), (uint8_t)roll_dice(256)); break;
	case 7: jump(); break;
	}
}

static void compare(void)
{
	assert_int_equal(board.level[RTC_IRQ], model_line());
	for (unsigned index = 0; index < 0x33; index++)
		if (index != RTC_C || roll_dice(3) == 0)
			assert_int_equal(get((uint8_t)index, now_ns), model_read(index, now_ns));
	assert_int_equal(board.level[RTC_IRQ], model_line());
}

static void power_on_both(void)
{
	power_on(some_date());
	tick_set_policy(&rtc.tick, TICK_DISCARD); /* a poller's PF: nothing is given back */
	memset(&model, 0, sizeof model);
	memcpy(model.bytes, rtc.cmos, sizeof model.bytes);
	model.edge_ns = SECOND;
	now_ns = 0;
}

/* Claim: every register reads the same as the model's at any time, through any sequence of settings, formats, rates, alarms,
 * divider resets and jumps; and so does the interrupt line. */
static void agrees_with_the_model(void **state)
{
	(void)state;
	for (unsigned long round = 0; round < share(4000); round++) {
		seed = round + 1;
		power_on_both();
		for (unsigned i = 0; i < 200; i++) {
			let_time_pass();
			compare();
			act();
			compare();
		}
	}
}

/* The control: each of these mistakes of a model is seen. */
static void a_wrong_model_is_seen(void **state)
{
	(void)state;
	power_on_both();
	now_ns = 5 * SECOND;
	model_advance(now_ns);
	assert_int_equal(get(RTC_SECONDS, now_ns), model_read(RTC_SECONDS, now_ns));
	model.edge_ns -= 1; /* a second that ends 1 ns early */
	now_ns = 6 * SECOND - 1;
	model_advance(now_ns);
	assert_int_not_equal(get(RTC_SECONDS, now_ns), model_read(RTC_SECONDS, now_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(a_wrong_model_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
