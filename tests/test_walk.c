/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's page walk: the three formats, every right at every level against the rules as the manuals word
 * them, reserved bits, large pages, tables that are not there, and copies across pages. */
#include "vm/walk.h"

#include "tests/support.h"

#define RAM_BYTES 0x40000u
#define PRESENT 1ull
#define WRITE 2ull
#define USER 4ull
#define LARGE 0x80ull
#define NX (1ull << 63)
#define RIGHTS (PRESENT | WRITE | USER)

#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

static uint8_t ram[RAM_BYTES];

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	return gpa <= RAM_BYTES && bytes <= RAM_BYTES - gpa ? ram + gpa : NULL;
}

static const struct guest_ram guest_ram = { NULL, span };

/* The tables of each format are pages 1, 2, ... from the root down; entries[0] is the root's that the test
 * address uses. */
struct format {
	const char *name;
	unsigned levels, entry_bytes;
	uint64_t cr4, efer;
	uint64_t gva;
	unsigned index[4]; /* of gva, from the root down */
};

static const struct format formats[] = {
	{ "32-bit", 2, 4, CR4_PSE, 0, 0xc0123456, { 0x300, 0x123 } },
	{ "PAE", 3, 8, CR4_PAE, EFER_NXE, 0xc0123456, { 3, 0, 0x123 } },
	{ "4-level", 4, 8, CR4_PAE, EFER_LMA | EFER_NXE, 0xffff9234c0123456, { 0x124, 0xd3, 0, 0x123 } },
};

#define PAGE_GPA 0x9000ull
#define TABLE_GPA(level) (0x1000ull * ((level) + 1))

static bool is_pdpte(const struct format *f, unsigned level)
{
	return f->levels == 3 && level == 0;
}

static void set_entry(const struct format *f, unsigned level, uint64_t value)
{
	memcpy(ram + TABLE_GPA(level) + f->index[level] * f->entry_bytes, &value, f->entry_bytes);
}

/* Maps the format's address to PAGE_GPA with all rights. */
static struct walk_state map_page(const struct format *f)
{
	memset(ram, 0, sizeof ram);
	for (unsigned level = 0; level < f->levels; level++)
		set_entry(f, level, (level + 1 < f->levels ? TABLE_GPA(level + 1) : PAGE_GPA) |
					    (is_pdpte(f, level) ? PRESENT : RIGHTS));
	return (struct walk_state){ .cr0 = CR0_PG | CR0_WP, .cr3 = TABLE_GPA(0), .cr4 = f->cr4, .efer = f->efer };
}

static void without_paging_addresses_are_physical(void **state)
{
	struct walk_state off = { 0 };
	uint64_t gpa = 0;
	uint32_t error = 0;

	(void)state;
	assert_int_equal(walk(&off, &guest_ram, 0x1234, WALK_WRITE | WALK_USER, &gpa, &error), WALK_OK);
	assert_int_equal(gpa, 0x1234);
	assert_int_equal(walk(&off, &guest_ram, 0x1fffffff0, 0, &gpa, &error), WALK_OK);
	assert_int_equal(gpa, 0xfffffff0);
}

/* What the manuals say of an access to a page with these rights (APM 2 5.6.1 to 5.6.6). */
static bool manual_allows(const struct walk_state *s, bool user_page, bool writable, bool nx, unsigned access)
{
	bool user = access & WALK_USER, write = access & WALK_WRITE, fetch = access & WALK_FETCH;

	if (user && !user_page)
		return false;
	if (user && write && !writable)
		return false;
	if (!user && write && !writable && s->cr0 & CR0_WP)
		return false;
	if (fetch && nx)
		return false;
	if (!user && user_page && fetch && s->cr4 & CR4_SMEP)
		return false;
	if (!user && user_page && !fetch && s->cr4 & CR4_SMAP && !s->ac)
		return false;
	return true;
}

static void check_rights(const struct format *f, unsigned level, unsigned taken, unsigned modes)
{
	static const unsigned accesses[] = { 0, WALK_WRITE, WALK_FETCH, WALK_USER, WALK_USER | WALK_WRITE,
					     WALK_USER | WALK_FETCH };
	struct walk_state s = map_page(f);
	uint64_t entry = (level + 1 < f->levels ? TABLE_GPA(level + 1) : PAGE_GPA) | PRESENT;

	entry |= (taken & 1 ? 0 : USER) | (taken & 2 ? 0 : WRITE) | (taken & 4 && f->entry_bytes == 8 ? NX : 0);
	set_entry(f, level, entry);
	s.cr0 &= modes & 1 ? ~0ull : ~CR0_WP;
	s.cr4 |= (modes & 2 ? CR4_SMEP : 0) | (modes & 4 ? CR4_SMAP : 0);
	s.ac = modes & 8;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t gpa = 0;
		uint32_t error = 0, expected = WALK_ERROR_PRESENT | (accesses[i] & WALK_WRITE ? 2 : 0) |
					       (accesses[i] & WALK_USER ? 4 : 0);
		enum walk_result result = walk(&s, &guest_ram, f->gva, accesses[i], &gpa, &error);

		if (manual_allows(&s, !(taken & 1), !(taken & 2), taken & 4 && f->entry_bytes == 8, accesses[i])) {
			assert_int_equal(result, WALK_OK);
			assert_int_equal(gpa, PAGE_GPA + 0x456);
			continue;
		}
		if (result != WALK_FAULT)
			fail_msg("%s, level %u, rights %u, modes %u, access %u: allowed", f->name, level, taken, modes,
				 accesses[i]);
		if (accesses[i] & WALK_FETCH && (f->entry_bytes == 8 || modes & 2))
			expected |= WALK_ERROR_FETCH;
		assert_int_equal(error, expected);
	}
}

static void every_right_at_every_level_is_as_the_manual_says(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 3; f++)
		for (unsigned level = 0; level < formats[f].levels; level++)
			for (unsigned taken = 0; taken < 8; taken++)
				for (unsigned modes = 0; modes < 16 && !is_pdpte(&formats[f], level); modes++)
					check_rights(&formats[f], level, taken, modes);
}

static void an_absent_entry_is_a_fault_without_the_present_bit(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 3; f++)
		for (unsigned level = 0; level < formats[f].levels; level++) {
			struct walk_state s = map_page(&formats[f]);
			uint64_t gpa = 77;
			uint32_t error = 77;

			set_entry(&formats[f], level, ~PRESENT);
			assert_int_equal(walk(&s, &guest_ram, formats[f].gva, WALK_USER | WALK_WRITE, &gpa, &error),
					 WALK_FAULT);
			assert_int_equal(error, WALK_ERROR_USER | WALK_ERROR_WRITE);
			assert_int_equal(gpa, 77);
		}
}

static void check_reserved(const struct format *f, unsigned level, uint64_t bits, struct walk_state s, bool reserved)
{
	uint64_t gpa;
	uint32_t error = 0;
	enum walk_result result;

	set_entry(f, level, (level + 1 < f->levels ? TABLE_GPA(level + 1) : PAGE_GPA) |
				    (is_pdpte(f, level) ? PRESENT : RIGHTS) | bits);
	result = walk(&s, &guest_ram, f->gva, 0, &gpa, &error);
	if ((result == WALK_FAULT && error == (WALK_ERROR_PRESENT | WALK_ERROR_RESERVED)) != reserved)
		fail_msg("%s, level %u, bits %lx: %s", f->name, level, bits, reserved ? "not reserved" : "reserved");
}

static void reserved_bits_are_told_in_the_error_code(void **state)
{
	(void)state;
	for (unsigned f = 1; f < 3; f++)
		for (unsigned level = 0; level < formats[f].levels; level++) {
			struct walk_state s = map_page(&formats[f]);
			bool pae = f == 1;

			s.address_bits = 40;
			check_reserved(&formats[f], level, 1ull << 40, s, true);
			check_reserved(&formats[f], level, 1ull << 51, s, true);
			check_reserved(&formats[f], level, 1ull << 52, s, pae);
			check_reserved(&formats[f], level, 1ull << 62, s, pae);
			check_reserved(&formats[f], level, 1ull << 9, s, false);
			check_reserved(&formats[f], level, NX, s, is_pdpte(&formats[f], level));
			s.efer &= ~EFER_NXE;
			check_reserved(&formats[f], level, NX, s, true);
			if (level == 0)
				check_reserved(&formats[f], level, LARGE, s, true);
			if (is_pdpte(&formats[f], level))
				check_reserved(&formats[f], level, WRITE, s, true);
		}
}

/* The registers that PAE's first level becomes: a present entry with a reserved bit is refused, in whichever of the four; nothing is in other modes. */
static void bad_pdptes_are_refused(void **state)
{
	static const uint64_t bad[] = { 1ull << 1, 1ull << 2, 1ull << 5, 1ull << 8, 1ull << 40, 1ull << 51, 1ull << 52, NX };
	struct walk_state s = map_page(&formats[1]);
	uint64_t *table = guest_ram.span(guest_ram.context, s.cr3 & 0xffffffe0, 4 * sizeof *table);

	(void)state;
	s.address_bits = 40;
	assert_true(walk_pdptes_are_legal(&s, &guest_ram));
	for (unsigned i = 0; i < 4; i++)
		for (unsigned b = 0; b < sizeof bad / sizeof bad[0]; b++) {
			uint64_t good = table[i];

			table[i] = PAGE_GPA | PRESENT | bad[b];
			assert_false(walk_pdptes_are_legal(&s, &guest_ram));
			s.cr0 &= ~CR0_PG;
			assert_true(walk_pdptes_are_legal(&s, &guest_ram));
			s.cr0 |= CR0_PG;
			table[i] &= ~(uint64_t)PRESENT;
			assert_true(walk_pdptes_are_legal(&s, &guest_ram));
			table[i] = good;
		}
	s.cr3 = 0xf0000000; /* no RAM */
	assert_false(walk_pdptes_are_legal(&s, &guest_ram));
}

static const struct {
	unsigned format, level;
	uint64_t entry, gpa;
	bool reserved;
} large_pages[] = {
	{ 0, 0, 0x00c00000 | LARGE, 0x00d23456, false },
	{ 0, 0, 0x00c02000 | LARGE, 0x100d23456, false }, /* bit 32 by PSE-36 */
	{ 0, 0, 0x00dfe000 | LARGE, 0xff00d23456, false },
	{ 0, 0, 0x00e00000 | LARGE, 0, true },
	{ 1, 1, 0x123400000 | LARGE, 0x123523456, false },
	{ 1, 1, 0x123401000 | LARGE, 0x123523456, false }, /* PAT */
	{ 1, 1, 0x123402000 | LARGE, 0, true },
	{ 2, 2, 0x123400000 | LARGE, 0x123523456, false },
	{ 2, 2, 0x123500000 | LARGE, 0, true },
	{ 2, 1, 0x1c0000000 | LARGE, 0x1c0123456, false },
	{ 2, 1, 0x1c0002000 | LARGE, 0, true },
	{ 2, 1, 0x1e0000000 | LARGE, 0, true },
};

static void large_pages_have_their_sizes_and_reserved_bits(void **state)
{
	struct walk_state s;
	uint64_t gpa;
	uint32_t error;

	(void)state;
	for (size_t i = 0; i < sizeof large_pages / sizeof *large_pages; i++) {
		const struct format *f = &formats[large_pages[i].format];

		s = map_page(f);
		error = 0;
		set_entry(f, large_pages[i].level, large_pages[i].entry | RIGHTS);
		if (large_pages[i].reserved) {
			assert_int_equal(walk(&s, &guest_ram, f->gva, 0, &gpa, &error), WALK_FAULT);
			assert_int_equal(error, WALK_ERROR_PRESENT | WALK_ERROR_RESERVED);
		} else {
			assert_int_equal(walk(&s, &guest_ram, f->gva, 0, &gpa, &error), WALK_OK);
			assert_int_equal(gpa, large_pages[i].gpa);
		}
	}
	s = map_page(&formats[0]);
	s.cr4 = 0; /* without PSE the bit means nothing */
	set_entry(&formats[0], 0, TABLE_GPA(1) | LARGE | RIGHTS);
	assert_int_equal(walk(&s, &guest_ram, formats[0].gva, 0, &gpa, &error), WALK_OK);
	assert_int_equal(gpa, PAGE_GPA + 0x456);
}

static void addresses_beyond_the_tables_are_told(void **state)
{
	const struct format *f = &formats[2];
	struct walk_state s = map_page(f);
	uint64_t gpa;
	uint32_t error;

	(void)state;
	assert_int_equal(walk(&s, &guest_ram, 0x0000800000000000, 0, &gpa, &error), WALK_NOT_CANONICAL);
	assert_int_equal(walk(&s, &guest_ram, 0xffff7fffffffffff, 0, &gpa, &error), WALK_NOT_CANONICAL);
	assert_int_equal(walk(&s, &guest_ram, 0x00007fffffffffff, 0, &gpa, &error), WALK_FAULT);
	set_entry(f, 1, RAM_BYTES | RIGHTS);
	assert_int_equal(walk(&s, &guest_ram, f->gva, 0, &gpa, &error), WALK_NOT_RAM);
	s.cr3 = 0xfffffffffffff000;
	assert_int_equal(walk(&s, &guest_ram, f->gva, 0, &gpa, &error), WALK_NOT_RAM);
}

/* In 4-level tables the two pages behind gva are neighbours in linear, not in physical memory. */
static void copies_cross_pages_and_stop_at_faults(void **state)
{
	const struct format *f = &formats[2];
	struct walk_state s = map_page(f);
	uint64_t entry = 0x5000 | RIGHTS, done = 77, start = (f->gva & ~0xfffull) + 0xffe;
	uint32_t error = 0;
	char text[8] = "";
	uint8_t *at;

	(void)state;
	memcpy(ram + TABLE_GPA(3) + (f->index[3] + 1) * 8, &entry, 8);
	assert_int_equal(guest_write_virtual(&s, &guest_ram, start, 0, "abcdef", 6, &done, &error), WALK_OK);
	assert_int_equal(done, 6);
	assert_memory_equal(ram + PAGE_GPA + 0xffe, "ab", 2);
	assert_memory_equal(ram + 0x5000, "cdef", 4);
	assert_int_equal(guest_read_virtual(&s, &guest_ram, start, WALK_USER, text, 6, NULL, &error), WALK_OK);
	assert_string_equal(text, "abcdef");
	assert_int_equal(guest_span_virtual(&s, &guest_ram, start, 0, &at, &done, &error), WALK_OK);
	assert_ptr_equal(at, ram + PAGE_GPA + 0xffe);
	assert_int_equal(done, 2);
	entry = 0x5000 | PRESENT | USER;
	memcpy(ram + TABLE_GPA(3) + (f->index[3] + 1) * 8, &entry, 8);
	assert_int_equal(guest_write_virtual(&s, &guest_ram, start, 0, "ABCDEF", 6, &done, &error), WALK_FAULT);
	assert_int_equal(done, 2);
	assert_int_equal(error, WALK_ERROR_PRESENT | WALK_ERROR_WRITE);
	assert_memory_equal(ram + PAGE_GPA + 0xffe, "AB", 2);
	assert_memory_equal(ram + 0x5000, "cdef", 4);
	entry = 0x7000000 | RIGHTS;
	memcpy(ram + TABLE_GPA(3) + (f->index[3] + 1) * 8, &entry, 8);
	assert_int_equal(guest_read_virtual(&s, &guest_ram, start, 0, text, 6, &done, &error), WALK_NOT_RAM);
	assert_int_equal(done, 2);
}

static void outside_of_long_mode_addresses_wrap(void **state)
{
	struct walk_state off = { 0 };
	uint64_t done;
	uint32_t error;
	char text[4];

	(void)state;
	ram[0] = 'x';
	assert_int_equal(guest_read_virtual(&off, &guest_ram, 0xffffffff, 0, text, 2, &done, &error), WALK_NOT_RAM);
	assert_int_equal(done, 0);
	assert_int_equal(guest_read_virtual(&off, &guest_ram, 0x100000000, 0, text, 1, &done, &error), WALK_OK);
	assert_int_equal(text[0], 'x');
}

/* Tables of random entries, many pointing at one another: every walk ends, and what it finds was allowed by the
 * entries. */
static void random_tables_are_walked_within_ram(void **state)
{
	unsigned long count = share(50000000), found = 0;
	uint64_t seed = 31;

	(void)state;
	for (unsigned i = 0; i < RAM_BYTES; i += 8) {
		uint64_t entry = random_next(&seed);

		entry = (entry & 0xfff) | (random_next(&seed) % 70 << 12) | (entry % 16 ? PRESENT : 0);
		if (random_next(&seed) % 4)
			entry &= ~(LARGE | 0x1e0);
		memcpy(ram + i, &entry, 8);
	}
	for (unsigned long i = 0; i < count; i++) {
		const struct format *f = &formats[i % 3];
		struct walk_state s = { CR0_PG | (random_next(&seed) & CR0_WP), random_next(&seed) % RAM_BYTES,
					f->cr4 | (random_next(&seed) & (CR4_SMEP | CR4_SMAP)), f->efer,
					random_next(&seed) & 1, random_next(&seed) % 53 };
		uint64_t gpa = 0, gva = (uint64_t)((int64_t)(random_next(&seed) << 16) >> 16);
		uint32_t error = 0;
		enum walk_result result;

		result = walk(&s, &guest_ram, gva, (unsigned)random_next(&seed) % 8, &gpa, &error);
		assert_int_not_equal(result, WALK_NOT_CANONICAL);
		if (result == WALK_OK) {
			assert_int_equal(gpa & 0xfff, gva & 0xfff);
			found++;
		}
	}
	assert_true(found > count / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_addresses_are_physical),
		cmocka_unit_test(every_right_at_every_level_is_as_the_manual_says),
		cmocka_unit_test(an_absent_entry_is_a_fault_without_the_present_bit),
		cmocka_unit_test(reserved_bits_are_told_in_the_error_code),
		cmocka_unit_test(bad_pdptes_are_refused),
		cmocka_unit_test(large_pages_have_their_sizes_and_reserved_bits),
		cmocka_unit_test(addresses_beyond_the_tables_are_told),
		cmocka_unit_test(copies_cross_pages_and_stop_at_faults),
		cmocka_unit_test(outside_of_long_mode_addresses_wrap),
		cmocka_unit_test(random_tables_are_walked_within_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
