/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about vmx/mtrr.c: each page has the type that the rules of SDM 3A 12.11 give it, which are told here once more
 * page by page; a run has one type and ends where the type changes or the bytes do; what firmware really sets comes out
 * right. */
#include "vmx/mtrr.h"

#include "tests/support.h"

#define PAGE 4096ull
#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SPAN (8 * MIB)
#define PHYSICAL ((1ull << 40) - 1)
#define ENABLED (1u << 11)
#define FIXED (1u << 10)
#define VALID (1ull << 11)
#define WC 1u
#define WP 5u

/* Table 12-9: eleven registers, eight fields each. */
static const struct { uint64_t base, field_bytes; } fixed_ranges[MTRR_FIXED] = {
	{ 0, 64 * KIB }, { 0x80000, 16 * KIB }, { 0xa0000, 16 * KIB },
	{ 0xc0000, PAGE }, { 0xc8000, PAGE }, { 0xd0000, PAGE }, { 0xd8000, PAGE },
	{ 0xe0000, PAGE }, { 0xe8000, PAGE }, { 0xf0000, PAGE }, { 0xf8000, PAGE },
};

static unsigned fixed_type(const struct mtrrs *m, uint64_t hpa)
{
	for (unsigned i = 0; i < MTRR_FIXED; i++)
		for (unsigned field = 0; field < 8; field++) {
			uint64_t base = fixed_ranges[i].base + field * fixed_ranges[i].field_bytes;

			if (hpa >= base && hpa - base < fixed_ranges[i].field_bytes)
				return ((const uint8_t *)&m->fixed[i])[field];
		}
	fail();
	return 0;
}

static unsigned brute_type(const struct mtrrs *m, uint64_t hpa)
{
	bool found[256] = { false };
	unsigned kinds = 0, last = 0;

	if (!(m->def_type & ENABLED))
		return MEMORY_TYPE_UC;
	if (m->has_fixed && m->def_type & FIXED && hpa < MIB)
		return fixed_type(m, hpa);
	for (unsigned i = 0; i < m->variable_count; i++) {
		uint64_t differs = (hpa ^ m->base[i]) & m->mask[i] & PHYSICAL & ~(PAGE - 1);

		if (m->mask[i] & VALID && !differs)
			found[m->base[i] & 0xff] = true;
	}
	for (unsigned type = 0; type < 256; type++)
		if (found[type]) {
			kinds++;
			last = type;
		}
	if (kinds == 0)
		return m->def_type & 0xff;
	if (kinds == 1)
		return last;
	return kinds == 2 && found[MEMORY_TYPE_WT] && found[MEMORY_TYPE_WB] ? MEMORY_TYPE_WT : MEMORY_TYPE_UC;
}

static uint64_t random_type(uint64_t *random)
{
	static const uint8_t types[] = { MEMORY_TYPE_UC, WC, MEMORY_TYPE_WT, WP, MEMORY_TYPE_WB, MEMORY_TYPE_WB };

	return types[random_next(random) % sizeof types];
}

/* Ranges within the span, some of them with masks that have gaps, some not valid. */
static struct mtrrs random_mtrrs(uint64_t *random)
{
	struct mtrrs m = {
		.variable_count = (unsigned)(random_next(random) % 8),
		.has_fixed = random_next(random) % 4,
	};

	m.def_type = random_type(random);
	m.def_type |= random_next(random) % 16 ? ENABLED : 0;
	m.def_type |= random_next(random) % 4 ? FIXED : 0;
	for (unsigned i = 0; i < MTRR_FIXED; i++)
		for (unsigned field = 0; field < 64; field += 8)
			m.fixed[i] |= random_type(random) << field;
	for (unsigned i = 0; i < m.variable_count; i++) {
		uint64_t bytes = PAGE << random_next(random) % 12;
		uint64_t gaps = random_next(random) % 4 ? 0 : PAGE << random_next(random) % 12;

		m.base[i] = (random_next(random) % SPAN & ~(bytes - 1)) | random_type(random);
		m.mask[i] = (PHYSICAL & ~(bytes - 1) & ~gaps) | (random_next(random) % 8 ? VALID : 0);
	}
	return m;
}

static void test_types(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (unsigned long i = share(10000); i; i--) {
		struct mtrrs m = random_mtrrs(&random);

		for (uint64_t hpa = 0; hpa < SPAN; hpa += PAGE)
			assert_int_equal(mtrr_type(&m, hpa), brute_type(&m, hpa));
		for (unsigned j = 0; j < 100; j++) {
			uint64_t hpa = random_next(&random) & PHYSICAL & ~(PAGE - 1);

			assert_int_equal(mtrr_type(&m, hpa), brute_type(&m, hpa));
			assert_int_equal(mtrr_type(&m, hpa + random_next(&random) % PAGE), brute_type(&m, hpa));
		}
	}
}

static void check_runs(const struct mtrrs *m, uint64_t hpa, uint64_t bytes)
{
	while (bytes) {
		uint64_t run = mtrr_run(m, hpa, bytes);

		assert_true(run && run <= bytes && run % PAGE == 0);
		for (uint64_t at = 0; at < run; at += PAGE)
			assert_int_equal(brute_type(m, hpa + at), brute_type(m, hpa));
		assert_true(run == bytes || brute_type(m, hpa + run) != brute_type(m, hpa));
		hpa += run;
		bytes -= run;
	}
}

static void test_runs(void **state)
{
	uint64_t random = 2;

	(void)state;
	for (unsigned long i = share(10000); i; i--) {
		struct mtrrs m = random_mtrrs(&random);
		uint64_t hpa = random_next(&random) % SPAN & ~(PAGE - 1);

		check_runs(&m, 0, SPAN);
		check_runs(&m, hpa, PAGE + (random_next(&random) % SPAN & ~(PAGE - 1)));
	}
}

static void set(struct mtrrs *m, uint64_t base, uint64_t bytes, unsigned type)
{
	m->base[m->variable_count] = base | type;
	m->mask[m->variable_count++] = (PHYSICAL & ~(bytes - 1)) | VALID;
}

/* As SeaBIOS and OVMF have it with 6 GiB: all is write-back but the hole below 4 GiB and the VGA's memory. */
static void test_firmware_write_back(void **state)
{
	struct mtrrs m = { .def_type = ENABLED | FIXED | MEMORY_TYPE_WB, .has_fixed = true };

	(void)state;
	for (unsigned i = 0; i < MTRR_FIXED; i++)
		m.fixed[i] = i == 2 ? 0 : 0x0606060606060606;
	set(&m, 3 * GIB, GIB, MEMORY_TYPE_UC);
	assert_int_equal(mtrr_run(&m, 0, 6 * GIB), 640 * KIB);
	assert_int_equal(mtrr_run(&m, 640 * KIB, 6 * GIB), 128 * KIB);
	assert_int_equal(mtrr_type(&m, 640 * KIB), MEMORY_TYPE_UC);
	assert_int_equal(mtrr_run(&m, MIB, 8 * GIB), 3 * GIB - MIB);
	assert_int_equal(mtrr_type(&m, MIB), MEMORY_TYPE_WB);
	assert_int_equal(mtrr_run(&m, 3 * GIB, 3 * GIB), GIB);
	assert_int_equal(mtrr_type(&m, 3 * GIB), MEMORY_TYPE_UC);
	assert_int_equal(mtrr_run(&m, 4 * GIB, 512 * GIB), 512 * GIB);
}

/* As many boards have it: only what a range names is cached, and a range of no caching is cut out of a larger one. */
static void test_firmware_ranges(void **state)
{
	struct mtrrs m = { .def_type = ENABLED | MEMORY_TYPE_UC };

	(void)state;
	set(&m, 0, 2 * GIB, MEMORY_TYPE_WB);
	set(&m, 2 * GIB, GIB, MEMORY_TYPE_WB);
	set(&m, 3 * GIB - 16 * MIB, 16 * MIB, MEMORY_TYPE_UC);
	set(&m, 0xd0000000, 64 * MIB, WC);
	assert_int_equal(mtrr_run(&m, 0, 4 * GIB), 3 * GIB - 16 * MIB);
	assert_int_equal(mtrr_type(&m, 3 * GIB - 16 * MIB - PAGE), MEMORY_TYPE_WB);
	assert_int_equal(mtrr_type(&m, 3 * GIB - PAGE), MEMORY_TYPE_UC);
	assert_int_equal(mtrr_run(&m, 3 * GIB - 16 * MIB, GIB), 16 * MIB + 0x10000000);
	assert_int_equal(mtrr_type(&m, 0xd3fff000), WC);
	assert_int_equal(mtrr_run(&m, 0xd0000000, GIB), 64 * MIB);
}

/* With the MTRRs off nothing is cached (12.11.2.1), as far as one can see. */
static void test_off(void **state)
{
	struct mtrrs m = { .def_type = FIXED | MEMORY_TYPE_WB, .has_fixed = true, .fixed = { 0x0606060606060606 } };

	(void)state;
	set(&m, 0, GIB, MEMORY_TYPE_WB);
	assert_int_equal(mtrr_type(&m, 0), MEMORY_TYPE_UC);
	assert_int_equal(mtrr_type(&m, 2 * GIB), MEMORY_TYPE_UC);
	assert_int_equal(mtrr_run(&m, 0, 8 * GIB), 8 * GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_firmware_write_back),
		cmocka_unit_test(test_firmware_ranges),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
