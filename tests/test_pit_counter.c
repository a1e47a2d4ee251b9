/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: a counter of the 8254 that is computed from elapsed time shows, after any sequence of control words,
 * counts, gate edges, latches and reads, what one shows that is stepped pulse by pulse as the data sheet describes
 * each mode; and its written examples hold.
 *
 * The stepped model keeps the time of its next CLK pulse exactly, in units of 1 / (10^9 * PIT_HZ) s. */
#include "devices/pit_counter.h"

#include "tests/support.h"

#define NS 1000000000ull
#define UNITS_OF_PULSE NS /* 1 / PIT_HZ s */

struct model {
	unsigned mode, rw;
	bool bcd, gate, out;
	bool null_count;
	bool loaded, strobed;
	bool msb_next;
	uint8_t lsb;
	int cr;           /* the count register as a number below the modulus; -1: none since the control word */
	int ce;           /* the counting element */
	int loaded_count; /* what the element was loaded from */
	unsigned __int128 next_pulse;
	uint8_t control;
};

static struct pit_counter counter;
static struct model model;
static uint64_t now_ns;

static int values(void)
{
	return model.bcd ? 10000 : 65536;
}

static void count_down(int by)
{
	model.ce = (model.ce - by + values()) % values();
}

static void load_element(void)
{
	model.loaded_count = model.cr;
	model.ce = model.mode == 3 ? model.cr & ~1 : model.cr;
	model.loaded = true;
	model.strobed = false;
	model.null_count = false;
}

/* "the Counter will be loaded on the next CLK pulse": that pulse is now, the next one a whole period later. */
static void load_now(void)
{
	load_element();
	model.next_pulse = (unsigned __int128)now_ns * PIT_HZ + UNITS_OF_PULSE;
}

static void pulse_mode_2(void)
{
	if (!model.out) {
		load_element();
		model.out = true;
		return;
	}
	count_down(1);
	model.out = model.ce != 1;
}

static void pulse_mode_3(void)
{
	bool odd_high = (model.loaded_count & 1) && model.out;

	if (odd_high && model.ce == 0) {
		load_element();
		model.out = false;
		return;
	}
	count_down(2);
	if (model.ce == 0 && !odd_high) {
		load_element();
		model.out = !model.out;
	}
}

static void pulse_strobe(void)
{
	count_down(1);
	model.out = !(model.ce == 0 && !model.strobed);
	if (model.ce == 0)
		model.strobed = true;
}

static void pulse(void)
{
	bool enabled = model.gate || model.mode == 1 || model.mode == 5;

	if (!model.loaded || !enabled)
		return;
	switch (model.mode) {
	case 0:
	case 1:
		count_down(1);
		if (model.ce == 0)
			model.out = true;
		break;
	case 2:
		pulse_mode_2();
		break;
	case 3:
		pulse_mode_3();
		break;
	default:
		pulse_strobe();
		break;
	}
}

static void run_pulses(void)
{
	while (model.next_pulse <= (unsigned __int128)now_ns * PIT_HZ) {
		pulse();
		model.next_pulse += UNITS_OF_PULSE;
	}
}

/* Goes to the middle between two pulses, so many pulses on: the counter may be late by one ns for each count that
 * took over. */
static void pass(unsigned pulses)
{
	unsigned __int128 then = model.next_pulse - UNITS_OF_PULSE / 2 + (unsigned __int128)pulses * UNITS_OF_PULSE;

	if (then / PIT_HZ > now_ns)
		now_ns = (uint64_t)(then / PIT_HZ);
	run_pulses();
}

static void program(uint8_t control)
{
	unsigned mode = control >> 1 & 7;

	pit_counter_program(&counter, control, now_ns);
	model.control = control & 0x3f;
	model.mode = mode > 5 ? mode & 3 : mode;
	model.rw = control >> 4 & 3;
	model.bcd = control & 1;
	model.out = model.mode != 0;
	model.null_count = true;
	model.loaded = false;
	model.msb_next = false;
	model.cr = -1;
	model.ce %= values();
}

static int number(uint16_t raw)
{
	if (!model.bcd)
		return raw;
	return (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
}

static uint16_t shown(void)
{
	int n = model.ce;

	if (!model.bcd)
		return (uint16_t)n;
	return (uint16_t)(n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static void model_count_written(uint16_t raw)
{
	model.cr = number(raw);
	model.null_count = true;
	if (model.mode == 0 || model.mode == 4) {
		model.out = model.mode == 4; /* a strobe lasts one pulse, and the one that loads ends it */
		load_now();
	}
	if ((model.mode == 2 || model.mode == 3) && !model.loaded) {
		model.out = true;
		load_now();
	}
}

static void write_byte(uint8_t byte)
{
	pit_counter_write(&counter, byte, now_ns);
	if (model.rw == 1) {
		model_count_written(byte);
	} else if (model.rw == 2) {
		model_count_written((uint16_t)(byte << 8));
	} else if (model.msb_next) {
		model.msb_next = false;
		model_count_written((uint16_t)(byte << 8 | model.lsb));
	} else {
		model.msb_next = true;
		model.lsb = byte;
		if (model.mode == 0) {
			model.loaded = false;
			model.out = false;
			model.cr = -1;
		}
	}
}

static void set_gate(bool level)
{
	bool rises = level && !model.gate;

	pit_counter_set_gate(&counter, level, now_ns);
	if (model.gate == level)
		return;
	model.gate = level;
	if (!level && (model.mode == 2 || model.mode == 3))
		model.out = true;
	if (!rises || model.cr < 0)
		return;
	if (model.mode == 0 || model.mode == 4) {
		model.next_pulse = (unsigned __int128)now_ns * PIT_HZ + UNITS_OF_PULSE;
		return;
	}
	model.out = model.mode != 1;
	load_now();
}

static uint8_t model_status(void)
{
	return (uint8_t)(model.control | (model.out ? 0x80 : 0) | (model.null_count ? 0x40 : 0));
}

/* Read-back of status and count, whatever the access bits make of the two bytes. */
static void check(void)
{
	assert_int_equal(pit_counter_out(&counter, now_ns), model.out);
	pit_counter_latch_count(&counter, now_ns);
	pit_counter_latch_status(&counter, now_ns);
	assert_int_equal(pit_counter_read(&counter, now_ns), model_status());
	if (model.rw & 1)
		assert_int_equal(pit_counter_read(&counter, now_ns), shown() & 0xff);
	if (model.rw & 2)
		assert_int_equal(pit_counter_read(&counter, now_ns), shown() >> 8);
}

static int set_up(void **state)
{
	memset(&counter, 0, sizeof(counter));
	memset(&model, 0, sizeof(model));
	now_ns = 1000003;
	counter.gate = true;
	pit_counter_reset(&counter);
	model.gate = true;
	model.next_pulse = (unsigned __int128)now_ns * PIT_HZ + UNITS_OF_PULSE;
	program(0x36);
	pass(0);
	return 0;
}

static void write_count(uint16_t raw)
{
	if (model.rw & 1)
		write_byte((uint8_t)raw);
	if (model.rw & 2)
		write_byte((uint8_t)(raw >> 8));
}

static void unwritten_counters_rest(void **state)
{
	check();
	pass(1000);
	check();
	assert_int_equal(pit_counter_read(&counter, now_ns), 0);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0);
	for (unsigned mode = 0; mode < 8; mode++) {
		program((uint8_t)(0x30 | mode << 1));
		pass(7);
		check();
		set_gate(false);
		pass(7);
		set_gate(true);
		pass(7);
		check();
	}
}

/* OUT after each pulse, from the figures of the data sheet: H and L for one pulse each, after the load. */
static void expect_wave(uint8_t control, uint16_t raw, const char *wave)
{
	program(control);
	write_count(raw);
	if (model.mode == 1 || model.mode == 5) {
		set_gate(false);
		set_gate(true);
	}
	for (const char *level = wave; *level; level++) {
		assert_int_equal(pit_counter_out(&counter, now_ns), *level == 'H');
		check();
		pass(level == wave ? 0 : 1);
		pass(level == wave ? 1 : 0);
	}
}

static void the_modes_have_their_waves(void **state)
{
	expect_wave(0x10, 4, "LLLLHHHHHHH");
	expect_wave(0x12, 3, "LLLHHHHHHHH");
	expect_wave(0x14, 3, "HHLHHLHHLHHL");
	expect_wave(0x14, 2, "HLHLHLHL");
	expect_wave(0x16, 4, "HHLLHHLLHHLL");
	expect_wave(0x16, 5, "HHHLLHHHLLHHHLL");
	expect_wave(0x16, 2, "HLHLHL");
	expect_wave(0x16, 3, "HHLHHLHHL");
	expect_wave(0x18, 3, "HHHLHHHHH");
	expect_wave(0x1a, 3, "HHHLHHHHH");
	expect_wave(0x1c, 3, "HHLHHLHHL"); /* 6 is mode 2, */
	expect_wave(0x1e, 4, "HHLLHHLL");  /* and 7 mode 3 */
}

/* The longest counts, and what the shortest ones become. */
static void zero_is_the_largest_count_and_one_goes_round(void **state)
{
	static const uint16_t counts[] = { 0, 1, 2, 0x9999, 0xffff };

	for (unsigned mode = 0; mode < 6; mode++)
		for (unsigned bcd = 0; bcd < 2; bcd++)
			for (unsigned i = 0; i < 5; i++) {
				if ((mode == 3 && counts[i] == 1) || (bcd && counts[i] == 0xffff))
					continue; /* the first is tested below; the second is no BCD number */
				program((uint8_t)(0x30 | mode << 1 | bcd));
				write_count(counts[i]);
				set_gate(false);
				set_gate(true);
				for (unsigned k = 0; k < 140; k++) {
					check();
					pass(k < 4 || (k > 60 && k < 70) ? 1 : 1013);
				}
			}
}

static void illegal_counts_are_safe(void **state)
{
	program(0x36);
	write_count(1);
	for (unsigned k = 0; k < 200; k++) {
		pass(977);
		pit_counter_out(&counter, now_ns);
		pit_counter_read(&counter, now_ns);
	}
	assert_int_equal(counter.count, 65537);
	program(0x31);
	write_count(0xffff);
	assert_int_equal(counter.count, 16665);
	program(0x35);
	write_count(0xfa0b);
	pass(12345);
	pit_counter_latch_count(&counter, now_ns);
	for (int i = 0; i < 2; i++) {
		uint8_t byte = pit_counter_read(&counter, now_ns);

		assert_true((byte & 15) < 10 && byte >> 4 < 10);
	}
}

static void a_latch_holds_until_it_is_read(void **state)
{
	program(0x34);
	write_count(0x1234);
	pass(0x20);
	pit_counter_latch_count(&counter, now_ns);
	pass(0x100);
	pit_counter_latch_count(&counter, now_ns);
	pit_counter_latch_status(&counter, now_ns);
	pit_counter_latch_status(&counter, now_ns);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x80 | 0x34);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x14);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x12);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x14 & shown());
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x11);
	pit_counter_latch_count(&counter, now_ns);
	pit_counter_latch_status(&counter, now_ns);
	program(0x34); /* "until the counter is reprogrammed" */
	assert_false(counter.count_latched || counter.status_latched);
}

/* A new count in the middle of a period: modes 2 and 3 wait for its end, or for the end of the half. */
static void a_new_count_waits_for_the_end_of_the_period(void **state)
{
	program(0x14);
	write_count(8);
	pass(3);
	write_count(4);
	pit_counter_latch_status(&counter, now_ns);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0xc0 | 0x14);
	pass(4);
	assert_int_equal(pit_counter_read(&counter, now_ns), 1);
	pass(1);
	pit_counter_latch_status(&counter, now_ns);
	assert_int_equal(pit_counter_read(&counter, now_ns), 0x80 | 0x14);
	assert_int_equal(pit_counter_read(&counter, now_ns), 4);
	program(0x16);
	write_count(8);
	pass(1);
	write_count(6);
	pass(3);
	assert_false(pit_counter_out(&counter, now_ns));
	assert_int_equal(pit_counter_read(&counter, now_ns), 6);
	pass(3);
	assert_true(pit_counter_out(&counter, now_ns));
}

static void random_operation(uint64_t *seed)
{
	uint64_t dice = random_next(seed);
	uint8_t small = (uint8_t)(dice >> 8 & 15);

	switch (dice >> 20 & 15) {
	case 0:
		program((uint8_t)((1 + (dice >> 24) % 3) << 4 | (dice >> 32 & 7) << 1 | (dice >> 40 & 1)));
		break;
	case 1:
	case 2:
		if (model.rw & 1)
			write_byte(small);
		if (model.rw == 3 && (dice >> 24 & 3))
			write_byte(dice >> 32 & 15 ? 0 : 1);
		if (model.rw == 2)
			write_byte((uint8_t)(dice >> 32 & 1));
		break;
	case 3:
	case 4:
	case 5:
		set_gate(dice >> 24 & 3);
		break;
	case 6:
		set_gate(false);
		break;
	default:
		pass(dice >> 24 & 63 ? dice >> 32 & 15 : dice >> 32 & 0xfff);
		break;
	}
}

/* In mode 3 a count of 1 has no described course: such a run ends with the next control word. */
static bool is_undefined(void)
{
	return model.mode == 3 && model.cr == 1;
}

static void a_stepped_counter_shows_the_same(void **state)
{
	uint64_t seed = 0x8254;
	unsigned long checked = 0;

	for (unsigned long i = 0; i < share(50000000); i++) {
		random_operation(&seed);
		if (is_undefined() || i % 500 == 499) {
			program((uint8_t)(0x30 | (random_next(&seed) % 6) << 1));
			pass(1);
		}
		if (!model.msb_next) {
			check();
			checked++;
		}
	}
	assert_true(checked > share(50000000) / 4);
}

/* Ages of the line, up to its end: no overflow, and the same phase as at the start. */
static void ages_change_nothing(void **state)
{
	for (unsigned bits = 20; bits < 63; bits++) {
		uint64_t ages_ns = 1ull << bits;
		unsigned __int128 pulses = (unsigned __int128)ages_ns * PIT_HZ / NS;

		set_up(state);
		program(0x34);
		write_count(1193);
		now_ns += ages_ns;
		pit_counter_latch_count(&counter, now_ns);
		assert_int_equal(counter.latched_count, 1193 - (uint64_t)(pulses % 1193));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unwritten_counters_rest, set_up),
		cmocka_unit_test_setup(the_modes_have_their_waves, set_up),
		cmocka_unit_test_setup(zero_is_the_largest_count_and_one_goes_round, set_up),
		cmocka_unit_test_setup(illegal_counts_are_safe, set_up),
		cmocka_unit_test_setup(a_latch_holds_until_it_is_read, set_up),
		cmocka_unit_test_setup(a_new_count_waits_for_the_end_of_the_period, set_up),
		cmocka_unit_test_setup(a_stepped_counter_shows_the_same, set_up),
		cmocka_unit_test_setup(ages_change_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
