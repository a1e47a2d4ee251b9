/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claim: exactly the rates 0 and 1/1000000 to 1000000 are accepted, and come back in lowest terms. */
#include "timekeeping/rate.h"

#include "tests/support.h"

static const struct {
	uint64_t num, den;
	bool accepted;
	uint64_t reduced_num, reduced_den;
} examples[] = {
	{ 1, 1, true, 1, 1 },
	{ 10, 4, true, 5, 2 },
	{ 0, 5, true, 0, 1 },
	{ 1440, 1, true, 1440, 1 },
	{ 1000000, 1, true, 1000000, 1 },
	{ 1, 1000000, true, 1, 1000000 },
	{ 1000001, 1, false, 0, 0 },
	{ 1, 1000001, false, 0, 0 },
	{ 1999999999999, 2000000, true, 1999999999999, 2000000 },
	{ 2000000000001, 2000000, false, 0, 0 },
	{ 2000000, 1999999999999, true, 2000000, 1999999999999 },
	{ 2000000, 2000000000001, false, 0, 0 },
	{ 1, 0, false, 0, 0 },
	{ 0, 0, false, 0, 0 },
	{ UINT64_MAX, UINT64_MAX, true, 1, 1 },
	{ UINT64_MAX, 1, false, 0, 0 },
	{ 1, UINT64_MAX, false, 0, 0 },
	{ 999999999999999, 1000000000000000, true, 999999999999999, 1000000000000000 },
	{ 1000000000000001, 1000000000000000, false, 0, 0 },
	{ 1000000000000000, 1000000000000001, false, 0, 0 },
	{ UINT64_MAX, UINT64_MAX - 1, false, 0, 0 },
};

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct rate rate = { examples[i].num, examples[i].den };
		bool accepted = rate_reduce(&rate);

		if (accepted != examples[i].accepted)
			fail_msg("%lu/%lu: %d", examples[i].num, examples[i].den, accepted);
		assert_true(rate.num == (accepted ? examples[i].reduced_num : examples[i].num));
		assert_true(rate.den == (accepted ? examples[i].reduced_den : examples[i].den));
	}
}

static void test_random_fractions_keep_their_value(void **state)
{
	uint64_t seed = 12;
	unsigned long accepted = 0, rounds = share(10000000);

	(void)state;
	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t num = random_next(&seed) >> random_next(&seed) % 64;
		uint64_t den = random_next(&seed) >> random_next(&seed) % 64;
		struct rate rate = { num, den };

		if (!rate_reduce(&rate))
			continue;
		accepted++;
		assert_true((unsigned __int128)rate.num * den == (unsigned __int128)num * rate.den);
		assert_true(rate.num <= 1000000000000000 && rate.den <= 1000000000000000);
		assert_true(!num || (unsigned __int128)num * 1000000 >= den);
		assert_true((unsigned __int128)den * 1000000 >= num);
	}
	assert_true(accepted > rounds / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_random_fractions_keep_their_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
