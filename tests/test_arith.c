/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claim: the 128-bit arithmetic agrees with GMP, at random operands of every size and at the edges. */
#include "timekeeping/arith.h"

#include "tests/support.h"

#include <gmp.h>

#define wide unsigned __int128

/* Digits in base 2^32 at which the guesses of a long division are furthest from the truth. */
static uint64_t random_hard_digit(uint64_t *seed)
{
	static const uint32_t digits[] = {
		0, 1, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
	};

	return digits[random_next(seed) % 8];
}

/* Of every length alike, and often all ones, a power of two, or of hard digits. */
static uint64_t random_operand(uint64_t *seed)
{
	unsigned bits = 1 + (unsigned)(random_next(seed) % 64);
	uint64_t all_ones = UINT64_MAX >> (64 - bits);

	switch (random_next(seed) % 5) {
	case 0:
		return all_ones - random_next(seed) % 2;
	case 1:
		return all_ones / 2 + 1;
	case 2:
		return random_hard_digit(seed) << 32 | random_hard_digit(seed);
	default:
		return random_next(seed) & all_ones;
	}
}

static wide random_wide(uint64_t *seed)
{
	if (random_next(seed) % 2)
		return (wide)random_operand(seed) << 64 | random_operand(seed);
	return (wide)random_operand(seed) << random_next(seed) % 65 | random_operand(seed);
}

static void set_wide(mpz_t number, wide value)
{
	mpz_set_ui(number, (uint64_t)(value >> 64));
	mpz_mul_2exp(number, number, 64);
	mpz_add_ui(number, number, (uint64_t)value);
}

static uint64_t saturated(const mpz_t number)
{
	return mpz_sizeinbase(number, 2) > 64 ? UINT64_MAX : mpz_get_ui(number);
}

static void test_mul_div(void **state)
{
	uint64_t seed = 1;
	unsigned long saturations = 0;
	mpz_t product, quotient;

	(void)state;
	mpz_inits(product, quotient, NULL);
	for (unsigned long i = share(30000000); i; i--) {
		uint64_t a = random_operand(&seed), b = random_operand(&seed), c = random_operand(&seed);

		c += !c;
		mpz_set_ui(product, a);
		mpz_mul_ui(product, product, b);
		mpz_fdiv_q_ui(quotient, product, c);
		assert_true(mul_div_floor(a, b, c) == saturated(quotient));
		mpz_cdiv_q_ui(quotient, product, c);
		assert_true(mul_div_ceil(a, b, c) == saturated(quotient));
		saturations += mpz_sizeinbase(quotient, 2) > 64;
	}
	assert_true(saturations > 0);
	mpz_clears(product, quotient, NULL);
}

static void test_mul_div_edges(void **state)
{
	(void)state;
	assert_true(mul_div_floor(0, UINT64_MAX, 1) == 0);
	assert_true(mul_div_floor(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(mul_div_ceil(UINT64_MAX, 1, 1) == UINT64_MAX);
	assert_true(mul_div_floor(1ull << 63, 2, 1) == UINT64_MAX);
	assert_true(mul_div_floor(10, 1, 3) == 3);
	assert_true(mul_div_ceil(10, 1, 3) == 4);
	assert_true(mul_div_ceil(9, 1, 3) == 3);
	/* 7 * 15811494920322472813 = 6 * (2^64 - 1) + 1: rounded down it just fits, rounded up it does not */
	assert_true(mul_div_floor(7, 15811494920322472813ull, 6) == UINT64_MAX);
	assert_true(mul_div_ceil(7, 15811494920322472813ull, 6) == UINT64_MAX);
}

static void test_div_128_64(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned long i = share(30000000); i; i--) {
		uint64_t divisor = random_operand(&seed), remainder;

		divisor += !divisor;

		uint64_t high = random_operand(&seed) % divisor, low = random_operand(&seed);
		wide dividend = (wide)high << 64 | low;
		uint64_t quotient = div_128_64(high, low, divisor, &remainder);

		assert_true(remainder < divisor);
		assert_true((wide)quotient * divisor + remainder == dividend);
	}
}

static void test_div_128_128(void **state)
{
	uint64_t seed = 3;
	mpz_t a, b, quotient, remainder, ours;

	(void)state;
	mpz_inits(a, b, quotient, remainder, ours, NULL);
	for (unsigned long i = share(5000000); i; i--) {
		wide dividend = random_wide(&seed), divisor = random_wide(&seed), rest, result;

		divisor += !divisor;
		result = div_128_128(dividend, divisor, &rest);
		set_wide(a, dividend);
		set_wide(b, divisor);
		mpz_fdiv_qr(quotient, remainder, a, b);
		set_wide(ours, result);
		assert_true(mpz_cmp(ours, quotient) == 0);
		set_wide(ours, rest);
		assert_true(mpz_cmp(ours, remainder) == 0);
	}
	mpz_clears(a, b, quotient, remainder, ours, NULL);
}

static void test_gcd(void **state)
{
	uint64_t seed = 4;
	mpz_t a, b;

	(void)state;
	mpz_inits(a, b, NULL);
	for (unsigned long i = share(5000000); i; i--) {
		uint64_t common = random_operand(&seed) & UINT32_MAX;
		uint64_t x = common * (random_operand(&seed) & UINT32_MAX);
		uint64_t y = common * (random_operand(&seed) & UINT32_MAX);

		mpz_set_ui(a, x);
		mpz_set_ui(b, y);
		mpz_gcd(a, a, b);
		assert_true(gcd(x, y) == mpz_get_ui(a));
	}
	assert_true(gcd(7, 0) == 7 && gcd(0, 7) == 7 && gcd(0, 0) == 0);
	mpz_clears(a, b, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mul_div),
		cmocka_unit_test(test_mul_div_edges),
		cmocka_unit_test(test_div_128_64),
		cmocka_unit_test(test_div_128_128),
		cmocka_unit_test(test_gcd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
