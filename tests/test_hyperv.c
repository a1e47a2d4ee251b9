/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hyper-V's time against its specification, read as a guest reads it, with GMP for an oracle of the scaling: page and MSR agree bit for bit, with
 * the true quotient as long as a product of 64 bits can; never backward, whatever the guest does to its TSC; the hypercall page's bytes; locks,
 * enables and refusals of each MSR; nothing is written outside the pages that the guest named. */
#include "devices/hyperv.h"

#include "tests/support.h"

#include <gmp.h>
#include <sys/mman.h>

#define RAM_BASE 0x100000ull
#define RAM_BYTES 0x4000ull
#define GUARD 0xa5
#define ALL_FEATURES                                                                                                           \
	(HV_ACCESS_REFERENCE_COUNTER | HV_ACCESS_HYPERCALL | HV_ACCESS_VP_INDEX | HV_ACCESS_REFERENCE_TSC | HV_ACCESS_FREQUENCIES | \
	 HV_ACCESS_TSC_INVARIANT)

static uint8_t memory[RAM_BYTES];
static struct hyperv hyperv;

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	assert_true(gpa + bytes > gpa);
	return gpa < RAM_BASE || gpa + bytes > RAM_BASE + RAM_BYTES ? NULL : memory + (gpa - RAM_BASE);
}

static const struct guest_ram guest_ram = { .span = span };

static int power_on(void **state)
{
	(void)state;
	memset(memory, GUARD, sizeof memory);
	hyperv_init(&hyperv, &guest_ram, ALL_FEATURES);
	return 0;
}

static bool untouched_but(uint64_t gpa, uint64_t bytes)
{
	for (uint64_t i = 0; i < RAM_BYTES; i++)
		if ((RAM_BASE + i < gpa || RAM_BASE + i >= gpa + bytes) && memory[i] != GUARD)
			return false;
	return true;
}

static uint64_t read_msr(uint32_t msr, uint64_t now_ns)
{
	uint64_t value = 0;

	assert_true(hyperv_read_msr(&hyperv, msr, now_ns, &value));
	return value;
}

static struct hyperv_page page_at(uint64_t gpa)
{
	struct hyperv_page page;

	memcpy(&page, memory + (gpa - RAM_BASE), sizeof page);
	return page;
}

/* The specification's formula with GMP (12.7.1): ((tsc * scale) >> 64) + offset, modulo 2^64. */
static uint64_t page_time(const struct hyperv_page *page, uint64_t tsc)
{
	mpz_t product, scale;
	uint64_t high;

	mpz_init_set_ui(product, tsc);
	mpz_init_set_ui(scale, page->scale);
	mpz_mul(product, product, scale);
	mpz_fdiv_q_2exp(product, product, 64);
	high = mpz_get_ui(product);
	mpz_clears(product, scale, NULL);
	return high + (uint64_t)page->offset;
}

static void scale_is_the_quotient_rounded_up(void **state)
{
	mpz_t scale;

	(void)state;
	mpz_init(scale);
	mpz_ui_pow_ui(scale, 2, 64);
	mpz_cdiv_q_ui(scale, scale, 100);
	assert_int_equal(mpz_get_ui(scale), HYPERV_SCALE);
	mpz_clear(scale);
}

/* For 6.9 years a reading is the true quotient; then it may be one unit ahead, to the end of guest time. */
static void counter_counts_units_of_100_ns(void **state)
{
	uint64_t seed = 7, exact_end = (1ull << 63) / 84 * 2;

	(void)state;
	for (unsigned long i = share(10000000); i; i--) {
		uint64_t now = random_next(&seed) >> (1 + random_next(&seed) % 60), near = now / 100 * 100 - i % 2;
		uint64_t time = hyperv_time(&hyperv, near);

		assert_true(time == near / 100 || (near >= exact_end && time == near / 100 + 1));
	}
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, 0), 0);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, 99), 0);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, 100), 1);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, 3600000000000), 36000000000);
}

static void page_is_written_as_specified(void **state)
{
	uint64_t gpa = RAM_BASE + 0x1000;
	struct hyperv_page page;

	(void)state;
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa));
	assert_true(untouched_but(0, 0)); /* not enabled */
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa | 0xffe | HV_PAGE_ENABLE));
	assert_int_equal(read_msr(HV_X64_MSR_REFERENCE_TSC, 0), gpa | 0xfff);
	page = page_at(gpa);
	assert_int_equal(page.sequence, 1);
	assert_int_equal(page.reserved, 0);
	assert_int_equal(page.scale, HYPERV_SCALE);
	assert_int_equal(page.offset, 0);
	assert_true(untouched_but(gpa, sizeof page));
}

static void sequence_goes_on_without_0_and_all_ones(void **state)
{
	uint64_t gpa = RAM_BASE;

	(void)state;
	hyperv.sequence = UINT32_MAX - 3;
	hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa | 1);
	assert_int_equal(page_at(gpa).sequence, UINT32_MAX - 2);
	hyperv_move_tsc(&hyperv, 5, 0);
	assert_int_equal(page_at(gpa).sequence, UINT32_MAX - 1);
	hyperv_move_tsc(&hyperv, 5, 0);
	assert_int_equal(page_at(gpa).sequence, 1);
	hyperv_move_tsc(&hyperv, 5, 0);
	assert_int_equal(page_at(gpa).sequence, 2);
}

/* One move from an untouched TSC: page and MSR agree, no step backward, and within a unit of guest time. */
static void one_move_leaves_the_time(void **state)
{
	uint64_t seed = 99, gpa = RAM_BASE;

	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		uint64_t now = random_next(&seed) >> (2 + random_next(&seed) % 50), adjust = random_next(&seed) >> (random_next(&seed) % 64);
		uint64_t before, later = now + (random_next(&seed) >> (3 + random_next(&seed) % 50));
		struct hyperv_page page;

		power_on(NULL);
		hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa | 1);
		before = read_msr(HV_X64_MSR_TIME_REF_COUNT, now);
		if (i % 2)
			adjust = -adjust;
		hyperv_move_tsc(&hyperv, now, adjust);
		page = page_at(gpa);
		assert_true(read_msr(HV_X64_MSR_TIME_REF_COUNT, now) >= before);
		if (page.sequence) {
			assert_int_equal(page_time(&page, now + adjust), read_msr(HV_X64_MSR_TIME_REF_COUNT, now));
			assert_int_equal(page_time(&page, later + adjust), read_msr(HV_X64_MSR_TIME_REF_COUNT, later));
			assert_int_equal(page_time(&page, (1ull << 63) - 1 + adjust), read_msr(HV_X64_MSR_TIME_REF_COUNT, (1ull << 63) - 1));
		}
		assert_true(read_msr(HV_X64_MSR_TIME_REF_COUNT, later) + 1 >= later / 100);
		assert_true(read_msr(HV_X64_MSR_TIME_REF_COUNT, later) <= later / 100 + 2);
	}
}

/* Moves one after the other, as near as nothing: never backward, and what rounding adds stays small. */
static void many_moves_never_step_back(void **state)
{
	uint64_t seed = 5, now = 0, last = 0, gpa = RAM_BASE, moves = share(10000000), most = 0;

	(void)state;
	hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa | 1);
	for (uint64_t i = 0; i < moves; i++) {
		uint64_t time, ahead;
		struct hyperv_page page;

		now += random_next(&seed) % 300;
		time = read_msr(HV_X64_MSR_TIME_REF_COUNT, now);
		assert_true(time >= last);
		hyperv_move_tsc(&hyperv, now, random_next(&seed) >> (1 + random_next(&seed) % 63));
		page = page_at(gpa);
		last = read_msr(HV_X64_MSR_TIME_REF_COUNT, now);
		assert_true(last >= time);
		if (page.sequence && i % 16 == 0)
			assert_int_equal(page_time(&page, now + hyperv.adjust), last);
		ahead = last - now / 100 + 1;
		most = ahead > most ? ahead : most;
	}
	assert_true(most < 10000); /* of 100 ns, after any of the counts */
}

/* Where the TSC would wrap before guest time ends the page is not to be used, and the MSR goes on. */
static void a_tsc_that_will_wrap_has_no_page(void **state)
{
	uint64_t gpa = RAM_BASE, now = 5000, end = 1ull << 63;

	(void)state;
	hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, gpa | 1);
	hyperv_move_tsc(&hyperv, now, UINT64_MAX - now); /* the TSC is 2^64 - 1 */
	assert_int_equal(page_at(gpa).sequence, 0);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, now), 50);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, now + 200), 52);
	hyperv_move_tsc(&hyperv, now, end); /* the last that does not: at the end of guest time it is all ones */
	assert_int_equal(page_at(gpa).sequence, 0);
	hyperv_move_tsc(&hyperv, now, end - 1);
	assert_true(page_at(gpa).sequence);
	hyperv_move_tsc(&hyperv, now, -now); /* the TSC is 0 */
	assert_true(page_at(gpa).sequence);
	assert_int_equal(read_msr(HV_X64_MSR_TIME_REF_COUNT, now), 50);
}

static void addresses_that_are_no_memory(void **state)
{
	static const uint64_t bad[] = { 0, 0xa0000, RAM_BASE + RAM_BYTES, 1ull << 52, 0xfffffffffffff000 };

	(void)state;
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 1));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, bad[i] | 1));
		assert_int_equal(read_msr(HV_X64_MSR_REFERENCE_TSC, 0), bad[i] | 1);
		assert_false(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, bad[i] | 1));
		assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), 0);
		assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, bad[i])); /* not enabled: any address */
		hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, 0);
	}
	assert_true(untouched_but(0, 0));
}

static void hypercall_page_needs_a_name(void **state)
{
	uint64_t gpa = RAM_BASE + 0x2000;

	(void)state;
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, gpa | 1));
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), gpa);
	assert_false(hyperv_calls_enabled(&hyperv));
	assert_true(untouched_but(0, 0));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 0x8100000000000000));
	assert_true(hyperv_calls_enabled(&hyperv));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, gpa | 1));
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), gpa | 1);
	assert_memory_equal(memory + 0x2000, "\x8c\xc8\xa8\x03\x75\x10", 6);
	assert_memory_equal(memory + 0x2010, "\xb8\x02\0\0\0\xc3\x0f\x0b\0", 9);
	assert_true(untouched_but(gpa, 4096));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 0));
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), gpa);
	assert_int_equal(read_msr(HV_X64_MSR_GUEST_OS_ID, 0), 0);
}

/* The page's own code, run: 64-bit code gets 2 in RAX and keeps RDX. */
static void hypercall_page_can_be_called(void **state)
{
	static _Alignas(4096) uint8_t code[4096];

	(void)state;
	hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 1);
	hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, RAM_BASE | 1);
	memcpy(code, memory, sizeof code);
	assert_int_equal(code[4], 0x75);
	code[4] = code[5] = 0x90; /* this is not ring 0 */
	assert_int_equal(mprotect(code, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t rax = ~0ull, rdx = 0x123456789abcdef0 + i;

		__asm__ volatile("call *%2" : "+a"(rax), "+d"(rdx) : "r"(code) : "memory", "cc");
		assert_int_equal(rax, 2);
		assert_int_equal(rdx, 0x123456789abcdef0 + i);
	}
}

static void a_locked_msr_stays_until_a_reset(void **state)
{
	uint64_t gpa = RAM_BASE + 0x3000;

	(void)state;
	hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 1);
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, gpa | HV_HYPERCALL_LOCKED | 1));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, RAM_BASE | 1));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, 0));
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), gpa | 3);
	assert_true(untouched_but(gpa, 4096));
	hyperv_reset(&hyperv);
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), 0);
	hyperv_write_msr(&hyperv, HV_X64_MSR_GUEST_OS_ID, 1);
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_HYPERCALL, RAM_BASE | 1));
	assert_int_equal(read_msr(HV_X64_MSR_HYPERCALL, 0), RAM_BASE | 1);
}

static void what_can_only_be_read(void **state)
{
	static const struct { uint32_t msr; uint64_t value; } only[] = {
		{ HV_X64_MSR_VP_INDEX, 0 }, { HV_X64_MSR_TIME_REF_COUNT, 10 }, { HV_X64_MSR_TSC_FREQUENCY, 1000000000 },
		{ HV_X64_MSR_APIC_FREQUENCY, 1000000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof only / sizeof *only; i++) {
		assert_false(hyperv_write_msr(&hyperv, only[i].msr, only[i].value));
		assert_int_equal(read_msr(only[i].msr, 1000), only[i].value);
	}
	assert_int_equal(read_msr(HV_X64_MSR_TSC_INVARIANT_CONTROL, 0), 0);
	assert_false(hyperv_write_msr(&hyperv, HV_X64_MSR_TSC_INVARIANT_CONTROL, 2));
	assert_false(hyperv_write_msr(&hyperv, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1ull << 63));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1));
	assert_int_equal(read_msr(HV_X64_MSR_TSC_INVARIANT_CONTROL, 0), 1);
}

/* Linux registers it although it has not the privilege; nothing is ever written there. */
static void the_assist_page_stays_the_guests(void **state)
{
	(void)state;
	assert_int_equal(read_msr(HV_X64_MSR_VP_ASSIST_PAGE, 0), 0);
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_VP_ASSIST_PAGE, (RAM_BASE + 0x1000) | 1));
	assert_int_equal(read_msr(HV_X64_MSR_VP_ASSIST_PAGE, 0), (RAM_BASE + 0x1000) | 1);
	hyperv_move_tsc(&hyperv, 1000, 5);
	assert_true(untouched_but(RAM_BASE, 0));
	hyperv_reset(&hyperv);
	assert_int_equal(read_msr(HV_X64_MSR_VP_ASSIST_PAGE, 0), 0);
}

/* An MSR is there if and only if its privilege is; all other numbers never. */
static void msrs_are_those_announced(void **state)
{
	static const struct { uint32_t msr, privilege; } known[] = {
		{ 0x40000000, 1 << 5 }, { 0x40000001, 1 << 5 }, { 0x40000002, 1 << 6 }, { 0x40000020, 1 << 1 }, { 0x40000021, 1 << 9 },
		{ 0x40000022, 1 << 11 }, { 0x40000023, 1 << 11 }, { 0x40000073, 1 << 5 }, { 0x40000118, 1 << 15 },
	};
	uint64_t value;

	(void)state;
	for (unsigned bit = 0; bit < 32; bit++)
		for (uint32_t msr = 0x40000000; msr < 0x40000200; msr++) {
			bool there = false;

			hyperv_init(&hyperv, &guest_ram, 1u << bit);
			for (size_t i = 0; i < sizeof known / sizeof *known; i++)
				there |= known[i].msr == msr && known[i].privilege == 1u << bit;
			assert_int_equal(hyperv_read_msr(&hyperv, msr, 0, &value), there);
			if (!there)
				assert_false(hyperv_write_msr(&hyperv, msr, 0));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(scale_is_the_quotient_rounded_up, power_on),
		cmocka_unit_test_setup(counter_counts_units_of_100_ns, power_on),
		cmocka_unit_test_setup(page_is_written_as_specified, power_on),
		cmocka_unit_test_setup(sequence_goes_on_without_0_and_all_ones, power_on),
		cmocka_unit_test_setup(one_move_leaves_the_time, power_on),
		cmocka_unit_test_setup(many_moves_never_step_back, power_on),
		cmocka_unit_test_setup(a_tsc_that_will_wrap_has_no_page, power_on),
		cmocka_unit_test_setup(addresses_that_are_no_memory, power_on),
		cmocka_unit_test_setup(hypercall_page_needs_a_name, power_on),
		cmocka_unit_test_setup(hypercall_page_can_be_called, power_on),
		cmocka_unit_test_setup(a_locked_msr_stays_until_a_reset, power_on),
		cmocka_unit_test_setup(what_can_only_be_read, power_on),
		cmocka_unit_test_setup(the_assist_page_stays_the_guests, power_on),
		cmocka_unit_test_setup(msrs_are_those_announced, power_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
