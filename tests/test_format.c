/* SPDX-License-Identifier: BSD-2-Clause
 *
 * base/format against the C library's snprintf: the same text for every conversion that it knows, and never a byte too many. */
#include "base/format.h"

#include "tests/support.h"

#define ROOM 64

/* Claim: what fits is what snprintf writes; what does not is cut, ends in a NUL, and the length says what is there. */
#define check(...)                                                                       \
	do {                                                                             \
		char expected[ROOM * 4], got[ROOM * 4], cut[8];                          \
		size_t length = (size_t)snprintf(expected, sizeof expected, __VA_ARGS__); \
                                                                                         \
		assert_int_equal(format(got, sizeof got, __VA_ARGS__), length);          \
		assert_string_equal(got, expected);                                      \
		memset(cut, 'x', sizeof cut);                                            \
		length = length < 4 ? length : 4;                                        \
		assert_int_equal(format(cut, 5, __VA_ARGS__), length);                   \
		assert_memory_equal(cut, expected, length);                              \
		assert_int_equal(cut[length], 0);                                        \
		assert_int_equal(cut[5], 'x');                                           \
	} while (0)

static void numbers(void **state)
{
	check("%d %i %u", -1, 0, 4294967295u);
	check("%ld %lu %lx", INT64_MIN, UINT64_MAX, UINT64_MAX);
	check("%lld %llX %zu", -5ll, 0xABCDEFull, (size_t)77);
	check("%08x|%-8x|%8x|", 0xbeefu, 0xbeefu, 0xbeefu);
	check("%05d|%-5d|%5d|%*d", -42, -42, -42, 7, 9);
}

static void texts(void **state)
{
	check("%s|%10s|%-10s|", "abc", "abc", "abc");
	check("%.2s|%.*s|%c%%", "abc", 1, "xyz", '!');
	check("%s", "");
	check("no conversion at all");
}

/* Claim: random numbers in random widths. */
static void random_numbers(void **state)
{
	uint64_t seed = 1;

	for (unsigned long i = 0; i < share(2000000); i++) {
		uint64_t value = random_next(&seed) >> (random_next(&seed) % 64);
		int width = (int)(random_next(&seed) % 30);

		check("%*lu %0*lx", width, value, 12, value);
		check("%-*ld|", width, (int64_t)value);
	}
}

/* Claim: a buffer of one byte takes the NUL and nothing else. */
static void one_byte(void **state)
{
	char byte[2] = { 'x', 'x' };

	assert_int_equal(format(byte, 1, "%d", 12345), 0);
	assert_int_equal(byte[0], 0);
	assert_int_equal(byte[1], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(texts),
		cmocka_unit_test(random_numbers),
		cmocka_unit_test(one_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
