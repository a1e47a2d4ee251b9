/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rates and durations as operators write them: exact values, and a refusal without any effect for everything else. */
#include "vm/quantity.h"

#include "tests/support.h"

#include <gmp.h>

static const struct {
	const char *text;
	uint64_t num, den;
} good_rates[] = {
	{ "0", 0, 1 },
	{ "1", 1, 1 },
	{ "10", 10, 1 },
	{ "007", 7, 1 },
	{ "1/4", 1, 4 },
	{ "2/8", 1, 4 },
	{ "2.5", 5, 2 },
	{ "2.50000", 5, 2 },
	{ "0.000001", 1, 1000000 },
	{ "1/1000000", 1, 1000000 },
	{ "1000000", 1000000, 1 },
	{ "1d/1m", 1440, 1 },
	{ "1m/1d", 1, 1440 },
	{ "1000000d/1d", 1000000, 1 },
	{ "2.5h/1.25h", 2, 1 },
	{ "1s/1ms", 1000, 1 },
	{ "0.1/0.3", 1, 3 },
	{ "0/5", 0, 1 },
	{ "1.0000000000000", 1, 1 },
	{ "3000000000000000000/1000000000000000000", 3, 1 },
};

static const char *const bad_rates[] = {
	"", " ", "0/0", "1/0", "5/0.0", "1e99", "-1", "+1", "ten", "nan", "inf", "NaN", "1,5", "1 ", " 1", "1/", "/4",
	"1//4", "1/4/2",
	"1.", ".5", "1.5.2", "1d", "1d/1", "1/1m", "1d/1x", "1dd/1m", "0x10", "1000001", "0.0000009", "1/1000001",
	"18446744073709551616", "99999999999999999999999999999", "1/18446744073709551616", "0.00000000000000000000001",
	"1\n", "1%", "1x", "d/m", "1000000001d/1d", "1d/0s",
};

static void rates_are_read_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good_rates / sizeof *good_rates; i++) {
		struct rate rate = { 77, 78 };

		if (!parse_rate(good_rates[i].text, &rate))
			fail_msg("%s is refused", good_rates[i].text);
		assert_int_equal(rate.num, good_rates[i].num);
		assert_int_equal(rate.den, good_rates[i].den);
	}
}

static void what_is_no_rate_is_refused_without_effect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_rates / sizeof *bad_rates; i++) {
		struct rate rate = { 77, 78 };

		if (parse_rate(bad_rates[i], &rate))
			fail_msg("\"%s\" is taken as %lu/%lu", bad_rates[i], rate.num, rate.den);
		assert_int_equal(rate.num, 77);
		assert_int_equal(rate.den, 78);
	}
}

static const struct {
	const char *text;
	uint64_t ns;
} good_durations[] = {
	{ "0s", 0 },
	{ "5s", 5000000000 },
	{ "100ms", 100000000 },
	{ "2m", 120000000000 },
	{ "1h", 3600000000000 },
	{ "3d", 259200000000000 },
	{ "7us", 7000 },
	{ "9ns", 9 },
	{ "1.5s", 1500000000 },
	{ "0.000000001s", 1 },
	{ "1.000000000000s", 1000000000 },
	{ "9223372036854775807ns", INT64_MAX },
	{ "106751d", 106751 * 86400000000000ull },
};

static const char *const bad_durations[] = {
	"", "5", "s", "-5s", "+5s", "5 s", "5S", "5sec", "5s ", "1e3s", "0x5s", "1h30m", "0.5ns",
	"1.0000000001s", ".5s", "5.s", "5s/",
	"9223372036854775808ns", "106752d", "18446744073709551616ns", "99999999999999999999999s", "nan", "5min", "5/2s",
};

static void durations_are_read_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good_durations / sizeof *good_durations; i++) {
		uint64_t ns = 77;

		if (!parse_duration_ns(good_durations[i].text, &ns))
			fail_msg("%s is refused", good_durations[i].text);
		assert_int_equal(ns, good_durations[i].ns);
	}
}

static void what_is_no_duration_is_refused_without_effect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_durations / sizeof *bad_durations; i++) {
		uint64_t ns = 77;

		if (parse_duration_ns(bad_durations[i], &ns))
			fail_msg("\"%s\" is taken as %lu ns", bad_durations[i], ns);
		assert_int_equal(ns, 77);
	}
}

static void numbers_are_read_up_to_their_limit(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_true(parse_number("0", 0, &value));
	assert_int_equal(value, 0);
	assert_true(parse_number("0xF4", 0xffff, &value));
	assert_int_equal(value, 0xf4);
	assert_true(parse_number("18446744073709551615", UINT64_MAX, &value));
	assert_int_equal(value, UINT64_MAX);
	value = 77;
	assert_false(parse_number("18446744073709551616", UINT64_MAX, &value));
	assert_false(parse_number("65536", 65535, &value));
	assert_false(parse_number("", 9, &value));
	assert_false(parse_number("0x", 9, &value));
	assert_false(parse_number("1a", 99, &value));
	assert_false(parse_number("-1", 99, &value));
	assert_false(parse_number("0xg", 99, &value));
	assert_int_equal(value, 77);
}

/* The quotient that big numbers give for "a.b/c.d" is the one that the parser gives, or both are out of range. */
static void random_quotients_equal_a_big_number_evaluation(void **state)
{
	unsigned long count = share(20000000);
	uint64_t seed = 1;
	mpz_t num, den, gcd, million, limit, product;

	(void)state;
	mpz_inits(num, den, gcd, million, limit, product, NULL);
	mpz_set_ui(million, 1000000);
	mpz_set_ui(limit, 1000000000000000);
	for (unsigned long i = 0; i < count; i++) {
		uint64_t a = random_next(&seed) >> random_next(&seed) % 64, b = random_next(&seed) % 1000;
		uint64_t c = random_next(&seed) >> random_next(&seed) % 64, d = random_next(&seed) % 1000;
		struct rate rate = { 77, 78 };
		char text[100];
		bool valid;

		if (a > UINT64_MAX / 1000 - 1 || c > UINT64_MAX / 1000 - 1)
			continue;
		snprintf(text, sizeof text, "%lu.%03lu/%lu.%03lu", a, b, c, d);
		mpz_set_ui(num, a * 1000 + b);
		mpz_set_ui(den, c * 1000 + d);
		valid = mpz_sgn(den) > 0;
		if (valid) {
			mpz_gcd(gcd, num, den);
			mpz_divexact(num, num, gcd);
			mpz_divexact(den, den, gcd);
			mpz_mul(product, den, million);
			valid = mpz_cmp(num, product) <= 0 && mpz_cmp(num, limit) <= 0 && mpz_cmp(den, limit) <= 0;
			mpz_mul(product, num, million);
			valid = valid && (!mpz_sgn(num) || mpz_cmp(product, den) >= 0);
		}
		if (parse_rate(text, &rate) != valid)
			fail_msg("%s: expected %s", text, valid ? "a rate" : "a refusal");
		if (valid) {
			assert_int_equal(rate.num, mpz_get_ui(num));
			assert_int_equal(rate.den, mpz_get_ui(den));
		}
	}
	mpz_clears(num, den, gcd, million, limit, product, NULL);
}

/* Random text of the alphabet of the grammar neither crashes nor changes the result without success. */
static void random_text_is_refused_or_valid(void **state)
{
	static const char alphabet[] = "0123456789999./dhmsun -+exX\t\x80";
	unsigned long count = share(100000000);
	uint64_t seed = 2;

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		struct rate rate = { 77, 78 };
		uint64_t ns = 77, length = random_next(&seed) % 30;
		char *text = malloc(length + 1); /* exact, so that the address sanitizer sees a read past its end */

		for (uint64_t k = 0; k < length; k++)
			text[k] = alphabet[random_next(&seed) % (sizeof alphabet - 1)];
		text[length] = 0;
		if (parse_rate(text, &rate))
			assert_true(rate.den > 0 && rate_reduce(&rate));
		else
			assert_true(rate.num == 77 && rate.den == 78);
		if (!parse_duration_ns(text, &ns))
			assert_int_equal(ns, 77);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_read_exactly),
		cmocka_unit_test(what_is_no_rate_is_refused_without_effect),
		cmocka_unit_test(durations_are_read_exactly),
		cmocka_unit_test(what_is_no_duration_is_refused_without_effect),
		cmocka_unit_test(numbers_are_read_up_to_their_limit),
		cmocka_unit_test(random_quotients_equal_a_big_number_evaluation),
		cmocka_unit_test(random_text_is_refused_or_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
