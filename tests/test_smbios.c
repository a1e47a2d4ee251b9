/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The SMBIOS tables, read back by a parser of their own. */
#define _GNU_SOURCE /* memmem */
#include "vm/smbios.h"

#include "tests/support.h"

static uint8_t memory[0x1000];

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	assert_true(gpa >= SMBIOS_GPA && gpa + bytes <= SMBIOS_GPA + sizeof memory);
	return memory + (gpa - SMBIOS_GPA);
}

static const struct guest_ram ram = { NULL, span };

/* Claim: the entry point has its anchor, a sum of 0 and points at the table behind it. */
static void entry_point(void **state)
{
	uint8_t sum = 0;
	uint64_t gpa;

	smbios_build(&ram);
	assert_memory_equal(memory, "_SM3_", 5);
	for (unsigned i = 0; i < memory[6]; i++)
		sum = (uint8_t)(sum + memory[i]);
	assert_int_equal(sum, 0);
	memcpy(&gpa, memory + 0x10, sizeof gpa);
	assert_int_equal(gpa, SMBIOS_GPA + 0x20);
	assert_int_equal(SMBIOS_GPA % 16, 0);
}

/* Claim: three structures fill the table exactly, each with as many strings as it names, and the BIOS date is of this century. */
static void structures(void **state)
{
	static const uint8_t types[] = { 0, 1, 127 };
	static const unsigned counts[] = { 3, 2, 0 };
	uint32_t bytes;
	size_t at = 0x20, end;

	smbios_build(&ram);
	memcpy(&bytes, memory + 0x0c, sizeof bytes);
	end = at + bytes;
	for (unsigned i = 0; i < 3; i++) {
		unsigned strings = 0;

		assert_int_equal(memory[at], types[i]);
		at += memory[at + 1];
		for (; memory[at]; at += strlen((char *)memory + at) + 1)
			strings++;
		assert_int_equal(strings, counts[i]);
		at += strings ? 1 : 2;
	}
	assert_int_equal(at, end);
	assert_non_null(memmem(memory, end, "/2026", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(entry_point), cmocka_unit_test(structures) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
