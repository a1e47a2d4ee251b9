/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The line of a guest that evaluates it itself, by pvclock. Claims: at every host tick the line is, bit for bit, what the
 * guest makes of its page and its TSC; through any sequence of rates and stamps it never goes backward, does not jump at
 * a bend, and stays within 2 ns and one counted tick of the straight line from its last bend, however often it is
 * stamped; no deadline is met early, nor a tick late. */
#include "timekeeping/line.h"

#include "tests/support.h"

#include <gmp.h>

#define NS 1000000000ul
#define E12 1000000000000ul

static const uint64_t host_starts[] = { 0, 1ull << 48, 1ull << 63, -(1ull << 40), -(1ull << 20) };
static const uint64_t host_frequencies[] = { 1000000, 25000000, 1000000000, 2399998311, 3000000000, 4999999937, 1ull << 37 };
static const struct rate rates[] = {
	{ 0, 1 }, { 1, 1 }, { 1, 1000000 }, { 1000000, 1 }, { 1, 3 }, { 5, 2 }, { 100, 1 }, { 1000, 1 },
	{ 999999999999999, 1000000000000000 }, { 999999999999989, 1000000007 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the guest has: its page, and how far its own TSC is from the host's. */
static struct {
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
} page;
static uint64_t tsc_adjust;

static struct line line;
static uint64_t seed, now_tsc, last_ns, bend_ns;
static mpz_t since_bend, num, den, exact, wide; /* host ticks since the bend, as the host TSC may wrap */

static int set_up(void **state)
{
	(void)state;
	seed = 20250601;
	mpz_inits(since_bend, num, den, exact, wide, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mpz_clears(since_bend, num, den, exact, wide, NULL);
	return 0;
}

static uint64_t random_bits(unsigned most)
{
	unsigned bits = 1 + (unsigned)(random_next(&seed) % most);

	return random_next(&seed) >> (64 - bits);
}

static struct rate random_rate(void)
{
	struct rate rate;

	if (random_next(&seed) % 3 == 0)
		return rates[random_next(&seed) % COUNT(rates)];
	do
		rate = (struct rate){ random_bits(50), random_bits(50) };
	while (!rate_reduce(&rate));
	return rate;
}

static void write_page(void)
{
	page.tsc_timestamp = line.origin_tsc + tsc_adjust;
	page.system_time = line.offset;
	page.mul = line.factors.mul;
	page.shift = line.factors.shift;
}

/* The ABI's words (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW), on numbers without bounds:
 *     time = (current_tsc - tsc_timestamp)
 *     if (tsc_shift >= 0) time <<= tsc_shift; else time >>= -tsc_shift;
 *     time = (time * tsc_to_system_mul) >> 32
 *     time = time + system_time */
static uint64_t guest_reads(uint64_t guest_tsc)
{
	mpz_set_ui(wide, guest_tsc - page.tsc_timestamp);
	if (page.shift >= 0)
		mpz_mul_2exp(wide, wide, (unsigned)page.shift);
	else
		mpz_fdiv_q_2exp(wide, wide, (unsigned)-page.shift);
	assert_true(mpz_sizeinbase(wide, 2) <= 64); /* a guest has no more bits than these */
	mpz_mul_ui(wide, wide, page.mul);
	mpz_fdiv_q_2exp(wide, wide, 32);
	mpz_add_ui(wide, wide, page.system_time);
	assert_true(mpz_sizeinbase(wide, 2) <= 64);
	return mpz_get_ui(wide);
}

/* exact = the straight line from the bend, in units of 2^-frac_bits ns. */
static void ask_straight_line(void)
{
	mpz_mul_ui(exact, since_bend, line.mult);
	mpz_set_ui(wide, bend_ns);
	mpz_mul_2exp(wide, wide, line.frac_bits);
	mpz_add(exact, exact, wide);
}

static void expect_no_drift(uint64_t guest_ns)
{
	uint64_t step_ticks = -line.tsc_mask;

	ask_straight_line();
	mpz_set_ui(wide, guest_ns);
	mpz_mul_2exp(wide, wide, line.frac_bits);
	mpz_sub(wide, exact, wide); /* how far the clock is behind */
	assert_true(mpz_sgn(wide) >= 0);
	mpz_set_ui(exact, 2);
	mpz_mul_2exp(exact, exact, line.frac_bits);
	mpz_set_ui(den, line.mult);
	mpz_mul_ui(den, den, step_ticks);
	mpz_add(exact, exact, den);
	assert_true(mpz_cmp(wide, exact) <= 0);
}

static void expect_now(void)
{
	uint64_t guest_ns = line_guest_ns(&line, now_tsc);

	assert_true(guest_ns == guest_reads(now_tsc + tsc_adjust));
	assert_true(guest_ns >= last_ns);
	expect_no_drift(guest_ns);
	last_ns = guest_ns;
}

/* The asked ratio is hit to half a unit of mul, which has 32 bits. */
static void expect_nearest_factors(void)
{
	int64_t error = line_error_e12(&line);

	if (!line.rate.num) {
		assert_true(line.mult == 0 && line.factors.mul == 0);
		return;
	}
	assert_true(line.factors.mul >= 1u << 31);
	assert_true(line.factors.shift >= -28 && line.factors.shift <= 30);
	assert_true(error >= -233 && error <= 233); /* 10^12 / 2^32, rounded away from 0 */
	/* 2 * |mul * 2^shift * den - num * 2^32| <= 2^shift * den, all times 2^28 */
	mpz_set_ui(num, line.rate.num);
	mpz_mul_ui(num, num, NS);
	mpz_mul_2exp(num, num, 32 + 28);
	mpz_set_ui(den, line.rate.den);
	mpz_mul_ui(den, den, line.host_hz);
	mpz_mul_2exp(den, den, (unsigned)(line.factors.shift + 28));
	mpz_mul_ui(wide, den, line.factors.mul);
	mpz_sub(wide, wide, num);
	mpz_abs(wide, wide);
	mpz_mul_2exp(wide, wide, 1);
	assert_true(mpz_cmp(wide, den) <= 0);
}

static void bend(struct rate rate)
{
	line_bend(&line, now_tsc, rate);
	assert_true(line_guest_ns(&line, now_tsc) == last_ns); /* no jump */
	bend_ns = last_ns;
	mpz_set_ui(since_bend, 0);
	write_page();
	expect_nearest_factors();
	expect_now();
}

static void start(uint64_t host_hz, uint64_t start_tsc, struct rate rate)
{
	line_init_stamped(&line, host_hz, start_tsc, rate);
	now_tsc = start_tsc;
	last_ns = bend_ns = 0;
	tsc_adjust = random_next(&seed);
	mpz_set_ui(since_bend, 0);
	write_page();
	expect_nearest_factors();
	expect_now();
	assert_true(last_ns == 0);
}

/* Never more than a whole ns, and only what earlier stamps cut off. */
static void stamp(void)
{
	line_stamp(&line, now_tsc);
	assert_true(line_guest_ns(&line, now_tsc) - last_ns <= 1);
	assert_true(now_tsc - line.origin_tsc < -line.tsc_mask);
	write_page();
	expect_now();
}

static void advance(uint64_t host_ticks)
{
	uint64_t before_tsc = now_tsc;

	now_tsc += host_ticks;
	mpz_add_ui(since_bend, since_bend, host_ticks);
	if (now_tsc < before_tsc)
		line_wrapped(&line);
	expect_now();
}

/* So many that the stamp stays young enough. */
static uint64_t random_ticks(void)
{
	uint64_t left = LINE_STAMP_TICKS - 1 - (now_tsc - line.origin_tsc);

	return random_bits(31) % (left + 1);
}

/* Also beyond the next stamp: as the line stands now. */
static void expect_inverse(void)
{
	uint64_t guest_ns = last_ns + 1 + random_bits(50), at;

	assert_true(line_host_tsc(&line, now_tsc, last_ns, &at) && at == now_tsc);
	assert_false(line_host_tsc(&line, now_tsc, UINT64_MAX, &at));
	if (!line_host_tsc(&line, now_tsc, guest_ns, &at)) {
		assert_true(line_guest_ns(&line, now_tsc + INT64_MAX) < guest_ns);
		return;
	}
	assert_true(at - now_tsc < 1ull << 63);
	assert_true(line_guest_ns(&line, at) >= guest_ns);
	assert_true(line_guest_ns(&line, at - 1) < guest_ns);
}

static void one_segment(void)
{
	for (uint64_t steps = random_next(&seed) % 6; steps; steps--) {
		expect_inverse();
		advance(random_ticks());
		if (random_next(&seed) % 2)
			stamp();
	}
	if (random_next(&seed) % 4 == 0) { /* the guest moves its TSC: the page is written, the line stays */
		tsc_adjust = random_next(&seed);
		write_page();
		expect_now();
	}
}

static void test_random_rates_and_stamps(void **state)
{
	unsigned long wraps = 0, shifted_out = 0, sequences = share(1000000);

	(void)state;
	for (unsigned long i = 0; i < sequences; i++) {
		uint64_t start_tsc = host_starts[random_next(&seed) % COUNT(host_starts)];

		start(host_frequencies[random_next(&seed) % COUNT(host_frequencies)], start_tsc, random_rate());
		for (uint64_t bends = random_next(&seed) % 8; bends; bends--) {
			one_segment();
			shifted_out += line.factors.shift < 0;
			bend(random_rate());
		}
		one_segment();
		wraps += now_tsc < start_tsc;
	}
	assert_true(wraps > sequences / 20);
	assert_true(shifted_out > sequences / 10);
}

/* At the slowest rates a stamp's life is worth a microsecond: what each one cut off would add up to hundreds of ppm. */
static void test_a_million_stamps_lose_nothing(void **state)
{
	static const struct rate slow[] = { { 1, 1000000 }, { 1, 999983 }, { 7, 100000 }, { 1, 3 }, { 3, 7 } };

	(void)state;
	for (size_t i = 0; i < COUNT(slow); i++) {
		start(3000000000, 12345, slow[i]);
		for (unsigned long n = share(1000000); n; n--) {
			advance(LINE_STAMP_TICKS / 2 + random_bits(20));
			stamp();
		}
	}
}

/* The control of the last one: without what was cut off, the clock falls behind. */
static void test_a_stamp_that_forgets_is_seen(void **state)
{
	unsigned long behind = 0;

	(void)state;
	start(3000000000, 12345, (struct rate){ 1, 999983 });
	for (unsigned i = 0; i < 1000; i++) {
		now_tsc += LINE_STAMP_TICKS / 2;
		mpz_add_ui(since_bend, since_bend, LINE_STAMP_TICKS / 2);
		line_stamp(&line, now_tsc);
		line.cut_off = 0;
	}
	ask_straight_line();
	mpz_fdiv_q_2exp(exact, exact, line.frac_bits);
	behind = mpz_get_ui(exact) - line_guest_ns(&line, now_tsc);
	assert_in_range(behind, 100, 1000);
}

/* The control of the bit-equality: the hardware's formula, which truncates once, is another clock. */
static void test_one_truncation_is_not_two(void **state)
{
	unsigned differ = 0;

	(void)state;
	start(3000000000, 0, (struct rate){ 1, 1 });
	assert_int_equal(line.factors.shift, -1);
	for (uint64_t tsc = 0; tsc < 1000; tsc++)
		differ += (uint64_t)((unsigned __int128)tsc * line.mult >> line.frac_bits) != guest_reads(tsc + tsc_adjust);
	assert_in_range(differ, 100, 900);
}

static const struct {
	uint64_t host_hz;
	struct rate rate;
	struct pvclock_factors factors;
} choices[] = {
	{ 1000000000, { 1, 1 }, { 0x80000000, 1 } },
	{ 1000000000, { 100, 1 }, { 0xc8000000, 7 } },
	{ 1000000000, { 1000, 1 }, { 0xfa000000, 10 } },
	{ 3000000000, { 1, 1 }, { 0xaaaaaaab, -1 } },
	{ 3000000000, { 3, 1 }, { 0x80000000, 1 } },
	{ 1000000, { 1000000, 1 }, { 0xee6b2800, 30 } }, /* the highest shift there is: 2^34 ticks could be scaled */
	{ 1ull << 37, { 1, 1000000 }, { 0xfa000000, -27 } }, /* and the lowest */
	{ 1000000000, { 0, 1 }, { 0, 0 } },
};

static void test_choice_of_factors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++) {
		line_init_stamped(&line, choices[i].host_hz, 0, choices[i].rate);
		if (line.factors.mul != choices[i].factors.mul || line.factors.shift != choices[i].factors.shift)
			fail_msg("choice %zu: mul %08x shift %d", i, line.factors.mul, line.factors.shift);
		assert_false(line.hardware);
		assert_true(line_untrapped_limit(&line) == 1000000);
	}
}

static void test_pause_keeps_guest_time(void **state)
{
	uint64_t paused_ns, at;

	(void)state;
	start(3000000000, 12345, (struct rate){ 100, 1 });
	advance(1000000000);
	paused_ns = last_ns;
	bend((struct rate){ 0, 1 });
	for (unsigned i = 0; i < 100; i++) {
		advance(LINE_STAMP_TICKS - 1);
		stamp();
		assert_true(last_ns == paused_ns);
	}
	assert_false(line_host_tsc(&line, now_tsc, paused_ns + 1, &at));
	assert_true(line_effective_e12(&line) == 0 && line_error_e12(&line) == 0);
	bend((struct rate){ 2, 1 });
	advance(1500000000);
	assert_in_range(last_ns - paused_ns, 1000000000 - 1, 1000000000);
}

/* Also further back than the last stamp, to within the ns that it cut off. */
static void test_take_out(void **state)
{
	(void)state;
	for (unsigned long i = share(100000); i; i--) {
		uint64_t host_ticks = random_bits(31), now_ns, before_ns;

		start(host_frequencies[i % COUNT(host_frequencies)], 1ull << 40, random_rate());
		advance(LINE_STAMP_TICKS - 1);
		stamp();
		now_ns = last_ns;
		if (host_ticks >= LINE_STAMP_TICKS - 1)
			continue;
		line_take_out(&line, now_tsc, host_ticks);
		before_ns = line_guest_ns(&line, now_tsc);
		mpz_set_ui(exact, host_ticks);
		mpz_mul_ui(exact, exact, line.mult);
		mpz_fdiv_q_2exp(exact, exact, line.frac_bits);
		/* a counted tick is worth less than 1 ns where the shift is negative */
		assert_true(now_ns - before_ns - mpz_get_ui(exact) + 2 <= 4);
	}
}

static void test_shown_rate(void **state)
{
	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		line_init_stamped(&line, host_frequencies[i % COUNT(host_frequencies)], 0, random_rate());
		mpz_set_ui(wide, line.mult);
		mpz_mul_ui(wide, wide, line.host_hz);
		mpz_mul_ui(wide, wide, 2000);
		mpz_fdiv_q_2exp(wide, wide, line.frac_bits);
		assert_true((mpz_get_ui(wide) + 1) / 2 == line_effective_e12(&line));
		if (!line.mult)
			continue;
		/* error = (mult / 2^frac_bits * host_hz * den / (num * 10^9) - 1) * 10^12, away from 0 */
		mpz_set_ui(den, line.rate.num);
		mpz_mul_ui(den, den, NS);
		mpz_mul_2exp(den, den, line.frac_bits);
		mpz_set_ui(num, line.mult);
		mpz_mul_ui(num, num, line.host_hz);
		mpz_mul_ui(num, num, line.rate.den);
		mpz_sub(num, num, den);
		mpz_mul_ui(num, num, E12);
		if (mpz_sgn(num) < 0)
			mpz_fdiv_q(num, num, den);
		else
			mpz_cdiv_q(num, num, den);
		assert_true(mpz_cmp_si(num, line_error_e12(&line)) == 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random_rates_and_stamps),
		TEST(test_a_million_stamps_lose_nothing),
		TEST(test_a_stamp_that_forgets_is_seen),
		TEST(test_one_truncation_is_not_two),
		TEST(test_choice_of_factors),
		TEST(test_pause_keeps_guest_time),
		TEST(test_take_out),
		TEST(test_shown_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
