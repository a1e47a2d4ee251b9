/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: pvclock's factors are exact for the guest's TSC of 1 GHz and the best there are for every other; our
 * evaluation of them is the guest's, truncation by truncation. */
#include "timekeeping/pvclock_factors.h"

#include "tests/support.h"

#include <gmp.h>

/* The formula as the ABI gives it, on numbers without bounds; result modulo 2^64. */
static uint64_t ns_by_gmp(struct pvclock_factors factors, uint64_t ticks)
{
	mpz_t ns;
	uint64_t result;

	mpz_init_set_ui(ns, ticks);
	if (factors.shift < 0)
		mpz_fdiv_q_2exp(ns, ns, (unsigned)-factors.shift);
	else
		mpz_mul_2exp(ns, ns, (unsigned)factors.shift);
	mpz_fdiv_r_2exp(ns, ns, 64);
	mpz_mul_ui(ns, ns, factors.mul);
	mpz_fdiv_q_2exp(ns, ns, 32);
	result = mpz_get_ui(ns);
	mpz_clear(ns);
	return result;
}

static void test_one_ghz_is_exact(void **state)
{
	struct pvclock_factors factors = pvclock_factors(1000000000);
	uint64_t seed = 1;

	(void)state;
	assert_true(factors.mul == 0x80000000 && factors.shift == 1);
	for (unsigned long i = share(10000000); i; i--) {
		uint64_t ticks = random_next(&seed) >> (1 + random_next(&seed) % 63);

		assert_true(pvclock_ns(factors, ticks) == ticks);
	}
	assert_true(pvclock_ns(factors, INT64_MAX) == INT64_MAX);
}

static const struct {
	uint64_t hz;
	uint32_t mul;
	int8_t shift;
} examples[] = {
	{ 1, 0xee6b2800, 30 },
	{ 500000000, 0x80000000, 2 },
	{ 2000000000, 0x80000000, 0 },
	{ 3000000000, 0xaaaaaaab, -1 },
	{ 4000000000, 0x80000000, -1 },
	{ 1000000001, 0xfffffffc, 0 },
	{ 999999999, 0x80000002, 1 },
	{ 250000000000, 0x83126e98, -7 },
	/* rounds up to 2^32, which does not fit */
	{ 1000000000ull << 33 | 1, 0x80000000, -32 },
	{ 1ull << 63, 0xee6b2800, -33 },
};

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct pvclock_factors factors = pvclock_factors(examples[i].hz);

		if (factors.mul != examples[i].mul || factors.shift != examples[i].shift)
			fail_msg("%lu Hz: mul %08x shift %d", examples[i].hz, factors.mul, factors.shift);
	}
}

/* |mul * 2^shift / 2^32 - 10^9 / hz| is at most half a unit of mul; all times 2^40 * hz. */
static void expect_nearest(uint64_t hz, struct pvclock_factors factors)
{
	mpz_t error, unit;

	assert_true(factors.mul >= 0x80000000);
	mpz_init_set_ui(unit, hz);
	mpz_mul_2exp(unit, unit, (unsigned)(factors.shift + 40));
	mpz_init(error);
	mpz_mul_ui(error, unit, factors.mul);
	mpz_set_ui(unit, 1000000000);
	mpz_mul_2exp(unit, unit, 72);
	mpz_sub(error, error, unit);
	mpz_abs(error, error);
	mpz_set_ui(unit, hz);
	mpz_mul_2exp(unit, unit, (unsigned)(factors.shift + 39));
	assert_true(mpz_cmp(error, unit) <= 0);
	mpz_clears(error, unit, NULL);
}

static void test_every_frequency_has_its_nearest_factors(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		uint64_t hz = random_next(&seed) >> (1 + random_next(&seed) % 63);

		hz += !hz;
		expect_nearest(hz, pvclock_factors(hz));
	}
}

static void test_evaluation_truncates_as_the_guest(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		struct pvclock_factors factors = {
			.mul = (uint32_t)random_next(&seed),
			.shift = (int8_t)((int)(random_next(&seed) % 64) - 33),
		};
		uint64_t ticks = random_next(&seed) >> random_next(&seed) % 64;

		assert_true(pvclock_ns(factors, ticks) == ns_by_gmp(factors, ticks));
	}
	/* 3 ticks of 3 GHz: the lowest bit is shifted out before the multiplication. */
	assert_true(pvclock_ns((struct pvclock_factors){ 0xaaaaaaab, -1 }, 3) == 0);
	assert_true(pvclock_ns((struct pvclock_factors){ 0xaaaaaaab, -1 }, 4) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_ghz_is_exact),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_every_frequency_has_its_nearest_factors),
		cmocka_unit_test(test_evaluation_truncates_as_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
