/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: through any sequence of rates guest time is, bit for bit, what GMP makes of the same quantised lines; it
 * never goes backward and does not jump at a bend; no deadline is met early, nor a host tick late; against the
 * asked fraction it is within the error that the line shows, and 1 ns a bend. */
#include "timekeeping/line.h"

#include "tests/support.h"

#include <gmp.h>

#define E12 1000000000000ul
#define NS 1000000000ul

static const uint64_t host_starts[] = { 0, 1ull << 48, 1ull << 63, -(1ull << 40) };
static const uint64_t host_frequencies[] = { 1000000, 1000000000, 2399998311, 3000000000, 4999999937, 1ull << 37 };
static const struct line_multiplier multipliers[] = { { 0, 0 }, { 48, 65536 }, { 32, 256 } };
static const struct rate rates[] = {
	{ 0, 1 }, { 1, 1 }, { 1, 1000000 }, { 1000000, 1 }, { 1, 3 }, { 5, 2 }, { 1440, 1 }, { 767, 1 },
	{ 999999999999999, 1000000000000000 }, { 1000000000, 2399998311 }, { 999999999999989, 1000000007 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The line in GMP: host TSC values are not bounded there. */
struct oracle {
	mpz_t mult, bend_tsc, bend_ns;
	unsigned frac_bits;
	bool hardware;
};

static struct line line;
static struct oracle oracle;
static mpz_t now_tsc, now_ns, num, den, error, wide, narrow, ticks;
static uint64_t seed, last_ns;

static int set_up(void **state)
{
	(void)state;
	seed = 20250101;
	mpz_inits(oracle.mult, oracle.bend_tsc, oracle.bend_ns, NULL);
	mpz_inits(now_tsc, now_ns, num, den, error, wide, narrow, ticks, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mpz_clears(oracle.mult, oracle.bend_tsc, oracle.bend_ns, NULL);
	mpz_clears(now_tsc, now_ns, num, den, error, wide, narrow, ticks, NULL);
	return 0;
}

/* Between 0 and 2^most - 1, of every length alike. */
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

/* The asked ratio, guest ns a host tick, as num / den in units of 2^-frac_bits. */
static void ask_oracle(struct rate rate, unsigned frac_bits)
{
	mpz_set_ui(num, rate.num);
	mpz_mul_ui(num, num, NS);
	mpz_mul_2exp(num, num, frac_bits);
	mpz_set_ui(den, rate.den);
	mpz_mul_ui(den, den, line.host_hz);
}

/* oracle.mult = num / den to the nearest; error = |mult * den - num|. */
static void quantise_oracle(struct rate rate, unsigned frac_bits)
{
	ask_oracle(rate, frac_bits);
	mpz_mul_2exp(wide, num, 1);
	mpz_add(wide, wide, den);
	mpz_mul_2exp(narrow, den, 1);
	mpz_fdiv_q(oracle.mult, wide, narrow);
	mpz_mul(error, oracle.mult, den);
	mpz_sub(error, error, num);
	mpz_abs(error, error);
	oracle.frac_bits = frac_bits;
}

static bool oracle_fits_hardware(void)
{
	mpz_fdiv_q_2exp(wide, oracle.mult, oracle.frac_bits);
	mpz_mul_ui(narrow, error, 1000000);
	return mpz_cmp_ui(wide, line.multiplier.ratio_limit) < 0 && mpz_cmp(narrow, num) <= 0;
}

static bool oracle_is_offset_only(void)
{
	return mpz_scan1(oracle.mult, 0) == oracle.frac_bits && mpz_sizeinbase(oracle.mult, 2) == oracle.frac_bits + 1;
}

static void choose_oracle(struct rate rate)
{
	oracle.hardware = false;
	if (!rate.num) {
		mpz_set_ui(oracle.mult, 0);
		return;
	}
	if (line.multiplier.frac_bits) {
		quantise_oracle(rate, line.multiplier.frac_bits);
		oracle.hardware = oracle_fits_hardware();
		if (oracle.hardware)
			return;
	}
	for (unsigned frac_bits = 48; frac_bits >= 32; frac_bits -= 8) {
		quantise_oracle(rate, frac_bits);
		if (mpz_sizeinbase(oracle.mult, 2) <= 64)
			break;
	}
	oracle.hardware = oracle_is_offset_only();
}

/* result = guest ns at host_tsc, which may be any number; result is none of the oracle's own. */
static void oracle_guest_ns(mpz_t result, const mpz_t host_tsc)
{
	mpz_mul(wide, host_tsc, oracle.mult);
	mpz_fdiv_q_2exp(wide, wide, oracle.frac_bits);
	mpz_mul(narrow, oracle.bend_tsc, oracle.mult);
	mpz_fdiv_q_2exp(narrow, narrow, oracle.frac_bits);
	mpz_sub(result, wide, narrow);
	mpz_add(result, result, oracle.bend_ns);
}

static void expect_the_same_line(void)
{
	assert_true(line.mult == mpz_get_ui(oracle.mult));
	assert_true(mpz_sizeinbase(oracle.mult, 2) <= 64);
	assert_true(!line.mult || line.frac_bits == oracle.frac_bits);
	assert_true(line.hardware == oracle.hardware);
	if (line.hardware && !line_is_offset_only(&line))
		assert_true(line.frac_bits == line.multiplier.frac_bits);
}

/* Bit-equal, and never backward. */
static void expect_now(void)
{
	uint64_t guest_ns = line_guest_ns(&line, mpz_get_ui(now_tsc));

	oracle_guest_ns(now_ns, now_tsc);
	assert_true(mpz_sizeinbase(now_ns, 2) <= 64 && mpz_sgn(now_ns) >= 0);
	assert_true(guest_ns == mpz_get_ui(now_ns));
	assert_true(guest_ns >= last_ns);
	last_ns = guest_ns;
}

static void bend_both_at_now(struct rate rate)
{
	line_bend(&line, mpz_get_ui(now_tsc), rate);
	mpz_set(oracle.bend_ns, now_ns);
	mpz_set(oracle.bend_tsc, now_tsc);
	choose_oracle(rate);
	expect_the_same_line();
	assert_true(line_guest_ns(&line, mpz_get_ui(now_tsc)) == last_ns); /* no jump */
	expect_now();
}

static void start_both(uint64_t host_hz, struct line_multiplier multiplier, uint64_t start_tsc, struct rate rate)
{
	line_init(&line, host_hz, multiplier, start_tsc, rate);
	mpz_set_ui(now_tsc, start_tsc);
	mpz_set(oracle.bend_tsc, now_tsc);
	mpz_set_ui(oracle.bend_ns, 0);
	oracle.frac_bits = 48;
	choose_oracle(rate);
	expect_the_same_line();
	last_ns = 0;
	expect_now();
	assert_true(last_ns == 0);
}

/* Goes on by that many host ticks, over the wrap of the host's TSC too. */
static void advance(uint64_t host_ticks)
{
	uint64_t before_tsc = mpz_get_ui(now_tsc);

	mpz_add_ui(now_tsc, now_tsc, host_ticks);
	if (mpz_get_ui(now_tsc) < before_tsc)
		line_wrapped(&line);
	expect_now();
}

/* How many ticks may still go by until guest time is 2^64 - 1 ns, 584 years; at most 2^63. */
static uint64_t ticks_to_the_end(void)
{
	if (!line.mult)
		return 1ull << 63;
	mpz_set_ui(ticks, UINT64_MAX - last_ns);
	mpz_mul_2exp(ticks, ticks, oracle.frac_bits);
	mpz_fdiv_q(ticks, ticks, oracle.mult);
	return mpz_sizeinbase(ticks, 2) > 63 ? 1ull << 63 : mpz_get_ui(ticks);
}

static uint64_t random_ticks(void)
{
	uint64_t end = ticks_to_the_end(), host_ticks = random_bits(63);

	return host_ticks < end ? host_ticks : random_next(&seed) % (end + 1);
}

/* Whether guest_ns is reached host_ticks after now, and not one tick sooner. */
static bool first_reached_after(uint64_t host_ticks, uint64_t guest_ns)
{
	bool reached;

	mpz_add_ui(ticks, now_tsc, host_ticks);
	oracle_guest_ns(error, ticks);
	reached = mpz_cmp_ui(error, guest_ns) >= 0;
	mpz_sub_ui(ticks, ticks, 1);
	oracle_guest_ns(error, ticks);
	return reached && mpz_cmp_ui(error, guest_ns) < 0;
}

static void expect_inverse(void)
{
	uint64_t host_tsc = mpz_get_ui(now_tsc), at, left_ns = 1 + random_bits(63);
	uint64_t guest_ns = last_ns + left_ns;

	assert_true(line_host_tsc(&line, host_tsc, last_ns, &at) && at == host_tsc);
	assert_true(line_host_tsc(&line, host_tsc, last_ns - last_ns / 2, &at) && at == host_tsc);
	assert_false(line_host_tsc(&line, host_tsc, UINT64_MAX, &at));
	if (guest_ns < last_ns || guest_ns == UINT64_MAX)
		return;
	if (line_host_tsc(&line, host_tsc, guest_ns, &at)) {
		assert_true(at - host_tsc < 1ull << 63);
		assert_true(first_reached_after(at - host_tsc, guest_ns));
		assert_true(at < host_tsc || line_guest_ns(&line, at) - last_ns >= left_ns);
		/* The check can fail: a rounding in either direction is seen. */
		assert_false(first_reached_after(at - host_tsc - 1, guest_ns));
		assert_false(first_reached_after(at - host_tsc + 1, guest_ns));
	} else {
		mpz_add_ui(ticks, now_tsc, INT64_MAX);
		oracle_guest_ns(error, ticks);
		assert_true(mpz_cmp_ui(error, guest_ns) < 0);
	}
}

/* |ns * den - ticks * num| / (ticks * num) <= the shown error, and 1 ns. */
static void expect_within_shown_error(const mpz_t from_tsc, const mpz_t from_ns)
{
	int64_t shown_e12 = line_error_e12(&line);

	ask_oracle(line.rate, 0);
	mpz_sub(ticks, now_tsc, from_tsc);
	mpz_mul(ticks, ticks, num);
	mpz_sub(error, now_ns, from_ns);
	mpz_mul(error, error, den);
	mpz_sub(error, error, ticks);
	mpz_abs(error, error);
	mpz_mul_ui(error, error, E12);
	mpz_mul_ui(ticks, ticks, (uint64_t)(shown_e12 < 0 ? -shown_e12 : shown_e12));
	mpz_addmul_ui(ticks, den, E12);
	assert_true(mpz_cmp(error, ticks) <= 0);
}

static void take_out_of_both(uint64_t host_ticks)
{
	uint64_t host_tsc = mpz_get_ui(now_tsc);

	line_take_out(&line, host_tsc, host_ticks);
	mpz_sub_ui(ticks, now_tsc, host_ticks);
	oracle_guest_ns(error, ticks);
	mpz_set(oracle.bend_ns, error);
	mpz_set(oracle.bend_tsc, now_tsc);
	last_ns = mpz_get_ui(oracle.bend_ns);
	expect_now();
	assert_true(last_ns == mpz_get_ui(oracle.bend_ns));
}

static void one_segment(void)
{
	for (uint64_t reads = 1 + random_next(&seed) % 4; reads; reads--) {
		expect_inverse();
		advance(random_ticks());
		expect_within_shown_error(oracle.bend_tsc, oracle.bend_ns);
	}
	if (random_next(&seed) % 4)
		return;
	mpz_sub(ticks, now_tsc, oracle.bend_tsc);
	take_out_of_both(mpz_sizeinbase(ticks, 2) <= 64 ? mpz_get_ui(ticks) / 3 : random_bits(64));
}

static void test_random_rate_sequences(void **state)
{
	unsigned long wraps = 0, old_age = 0, sequences = share(1000000);

	(void)state;
	for (unsigned long i = 0; i < sequences; i++) {
		start_both(host_frequencies[random_next(&seed) % COUNT(host_frequencies)],
			   multipliers[random_next(&seed) % COUNT(multipliers)],
			   host_starts[random_next(&seed) % COUNT(host_starts)], random_rate());
		for (uint64_t bends = random_next(&seed) % 8; bends; bends--) {
			one_segment();
			bend_both_at_now(random_rate());
		}
		one_segment();
		wraps += mpz_sizeinbase(now_tsc, 2) > 64;
		old_age += last_ns >> 63;
	}
	assert_true(wraps > sequences / 10);
	assert_true(old_age > sequences / 10);
}

/* A machine whose rate changes all the time: many bends on one line, as a hostile operator would. */
static void test_many_bends_on_one_line(void **state)
{
	unsigned long bends = share(1000000);

	(void)state;
	start_both(2399998311, multipliers[1], 1ull << 63, (struct rate){ 1, 1 });
	while (bends--) {
		advance(random_bits(20));
		bend_both_at_now(random_rate());
	}
}

/* The control of "never backward" and "no jump": a bend that forgets the offset is seen. */
static void test_a_bend_without_its_offset_would_jump(void **state)
{
	uint64_t offset, before_ns;

	(void)state;
	for (size_t i = 0; i < COUNT(host_starts); i++) {
		start_both(3000000000, multipliers[1], host_starts[i], (struct rate){ 2, 1 });
		advance(1ull << 33);
		before_ns = last_ns;
		offset = line.offset;
		line_bend(&line, mpz_get_ui(now_tsc), (struct rate){ 1, 1 });
		assert_true(line_guest_ns(&line, mpz_get_ui(now_tsc)) == before_ns);
		line.offset = offset;
		assert_true(line_guest_ns(&line, mpz_get_ui(now_tsc)) != before_ns);
	}
}

static void test_pause_keeps_guest_time(void **state)
{
	(void)state;
	start_both(3000000000, multipliers[2], 12345, (struct rate){ 1, 1 });
	advance(3000000000);
	assert_true(last_ns == 1000000000 - 1 || last_ns == 1000000000);

	uint64_t paused_ns = last_ns, at;

	bend_both_at_now((struct rate){ 0, 1 });
	advance(1ull << 62);
	assert_true(last_ns == paused_ns);
	assert_false(line.hardware);
	assert_false(line_host_tsc(&line, mpz_get_ui(now_tsc), paused_ns + 1, &at));
	assert_true(line_host_tsc(&line, mpz_get_ui(now_tsc), paused_ns, &at));
	assert_true(line_effective_e12(&line) == 0 && line_error_e12(&line) == 0);
	bend_both_at_now((struct rate){ 2, 1 });
	advance(3000000000);
	assert_true(last_ns - paused_ns >= 2000000000 - 1 && last_ns - paused_ns <= 2000000000);
}

static void test_the_end_of_time_can_be_awaited(void **state)
{
	uint64_t at;

	(void)state;
	start_both(1000000000, multipliers[0], 77, (struct rate){ 2, 1 });
	assert_true(line_host_tsc(&line, 77, GUEST_TIME_END, &at));
	assert_true(at == 77 + GUEST_TIME_END / 2);
}

/* At a millionth of 1 GHz guest time t is mult / 2^48 * T: the furthest deadline is less than 2^63 ticks away. */
static void test_the_furthest_deadline(void **state)
{
	uint64_t at, limit_ns;

	(void)state;
	start_both(1000000000, multipliers[0], 0, (struct rate){ 1, 1000000 });
	limit_ns = line.mult << 16; /* reached after exactly 2^64 ticks */
	assert_false(line_host_tsc(&line, 0, limit_ns, &at));
	assert_false(line_host_tsc(&line, 0, limit_ns - 1, &at));
	limit_ns = line.mult << 15;
	assert_false(line_host_tsc(&line, 0, limit_ns, &at));
	assert_true(line_host_tsc(&line, 0, limit_ns - 1, &at));
	assert_true(first_reached_after(at, limit_ns - 1));
}

static const struct {
	uint64_t host_hz;
	struct line_multiplier multiplier;
	struct rate rate;
	uint64_t mult;
	unsigned frac_bits;
	bool hardware;
} choices[] = {
	/* A ratio of 1 needs no multiplier. */
	{ 1000000000, { 0, 0 }, { 1, 1 }, 1ull << 48, 48, true },
	{ 1000000000, { 32, 256 }, { 1, 1 }, 1ull << 32, 32, true },
	{ 3000000000, { 0, 0 }, { 3, 1 }, 1ull << 48, 48, true },
	{ 1000000000, { 0, 0 }, { 2, 1 }, 2ull << 48, 48, false },
	/* AMD's multiplier carries 767x on 3 GHz. */
	{ 3000000000, { 32, 256 }, { 767, 1 }, 1098079972011, 32, true },
	{ 3000000000, { 32, 256 }, { 768, 1 }, 256ull << 48, 48, false },
	/* 1 ppm: 32 bits are too coarse for small ratios. */
	{ 1000000000, { 32, 256 }, { 1, 1000000 }, 281474977, 48, false },
	{ 1000000000, { 32, 256 }, { 1, 1ull << 20 }, 4096, 32, true },
	{ 1000000000, { 48, 65536 }, { 1, 1000000 }, 281474977, 48, true },
	/* The highest ratios leave fewer bits for the fraction. */
	{ 1000000000, { 48, 65536 }, { 65535, 1 }, 65535ull << 48, 48, true },
	{ 1000000000, { 48, 65536 }, { 65536, 1 }, 65536ull << 40, 40, false },
	{ 1000000, { 48, 65536 }, { 1000000, 1 }, 1000000000ull << 32, 32, false },
};

static void test_choice_of_multiplier(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++) {
		line_init(&line, choices[i].host_hz, choices[i].multiplier, 0, choices[i].rate);
		if (line.mult != choices[i].mult)
			fail_msg("choice %zu: mult %lu", i, line.mult);
		assert_int_equal(line.frac_bits, choices[i].frac_bits);
		assert_int_equal(line.hardware, choices[i].hardware);
	}
}

/* The shown error is the true one, rounded away from 0; the shown rate is the true one, rounded to the nearest. */
static void test_shown_rate_and_error(void **state)
{
	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		line_init(&line, host_frequencies[i % COUNT(host_frequencies)], multipliers[i % COUNT(multipliers)], 0,
			  random_rate());
		if (!line.mult)
			continue;
		ask_oracle(line.rate, line.frac_bits);
		mpz_mul_ui(error, den, line.mult);
		mpz_sub(error, error, num);
		mpz_mul_ui(error, error, E12);
		if (mpz_sgn(error) < 0)
			mpz_fdiv_q(error, error, num);
		else
			mpz_cdiv_q(error, error, num);
		assert_true(mpz_cmp_si(error, line_error_e12(&line)) == 0);

		mpz_set_ui(wide, line.mult);
		mpz_mul_ui(wide, wide, line.host_hz);
		mpz_mul_ui(wide, wide, 2000);
		mpz_fdiv_q_2exp(wide, wide, line.frac_bits);
		assert_true((mpz_get_ui(wide) + 1) / 2 == line_effective_e12(&line));
	}
}

static void test_untrapped_limit(void **state)
{
	(void)state;
	for (size_t hz = 0; hz < COUNT(host_frequencies); hz++) {
		line_init(&line, host_frequencies[hz], multipliers[0], 0, (struct rate){ 1, 1 });
		assert_true(line_untrapped_limit(&line) == 0);
		for (size_t i = 1; i < COUNT(multipliers); i++) {
			line_init(&line, host_frequencies[hz], multipliers[i], 0, (struct rate){ 1, 1 });

			uint64_t limit = line_untrapped_limit(&line);

			line_bend(&line, 0, (struct rate){ limit, 1 });
			assert_true(limit == 0 || line.hardware);
			line_bend(&line, 0, (struct rate){ limit + 1, 1 });
			assert_true(limit == 1000000 || !line.hardware || line_is_offset_only(&line));
		}
	}
	line_init(&line, 3000000000, multipliers[2], 0, (struct rate){ 1, 1 });
	assert_true(line_untrapped_limit(&line) == 767);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_rate_sequences, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_bends_on_one_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_bend_without_its_offset_would_jump, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pause_keeps_guest_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_end_of_time_can_be_awaited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_furthest_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_choice_of_multiplier, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shown_rate_and_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_untrapped_limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
