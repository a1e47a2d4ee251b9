/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: what a machine's ACPI tables say about timers, reset, S5 and processors is read exactly; a table with
 * a wrong checksum, a lying size or a wild address is left out and counted; nothing outside of the given memory
 * is read. */
#include "host/acpi.h"
#include "tests/support.h"

#define MEMORY_BYTES 0x100000u /* the first MiB of a small machine */
#define RSDT 0x20000u
#define XSDT 0x20100u
#define FADT 0x21000u
#define DSDT 0x22000u
#define HPET 0x23000u
#define MADT 0x24000u
#define BIOS_RSDP 0xf5a30u

static uint8_t memory[MEMORY_BYTES];
static uint8_t *last_copy;
static unsigned reads;
static uint64_t hole_hpa; /* reads of this page fail; 0: none does */

/* Hands out an exact copy, so that the sanitizer sees a read beyond the bytes asked for. */
static const void *read_memory(void *context, uint64_t hpa, size_t bytes)
{
	uint8_t **copies = context;

	reads++;
	if (hpa >= MEMORY_BYTES || bytes > MEMORY_BYTES - hpa || (hole_hpa && hpa >> 12 == hole_hpa >> 12))
		return NULL;
	last_copy = malloc(bytes + sizeof(uint8_t *));
	memcpy(last_copy, copies, sizeof *copies);
	*copies = last_copy;
	memmove(last_copy + sizeof(uint8_t *), memory + hpa, bytes);
	return last_copy + sizeof(uint8_t *);
}

static struct acpi_machine machine;

static void read_all(const uint8_t *rsdp, size_t bytes)
{
	uint8_t *copies = NULL;
	struct acpi_reader reader = { read_memory, &copies };

	reads = 0;
	acpi_read(&machine, rsdp, bytes, reader);
	while (copies) {
		uint8_t *next;

		memcpy(&next, copies, sizeof next);
		free(copies);
		copies = next;
	}
}

static void put(uint32_t at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		memory[at + i] = (uint8_t)(value >> 8 * i);
}

static void seal(uint32_t at, uint32_t bytes, uint32_t checksum_at)
{
	uint8_t sum = 0;

	memory[at + checksum_at] = 0;
	for (uint32_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + memory[at + i]);
	memory[at + checksum_at] = (uint8_t)-sum;
}

static void finish_table(uint32_t at, const char *signature, uint32_t bytes)
{
	memcpy(memory + at, signature, 4);
	put(at + 4, bytes, 4);
	seal(at, bytes, 9);
}

static void build_dsdt(const char *aml, size_t bytes)
{
	memset(memory + DSDT, 0, 0x1000);
	memcpy(memory + DSDT + 40, aml, bytes);
	finish_table(DSDT, "DSDT", 200);
}

static void build_fadt(uint32_t bytes)
{
	put(FADT + 40, DSDT, 4);
	put(FADT + 64, 0x604, 4);
	put(FADT + 76, 0x608, 4);
	put(FADT + 108, 0x32, 1);
	put(FADT + 112, 1u << 8 | 1u << 10, 4);
	put(FADT + 116, 1, 1);
	put(FADT + 120, 0xcf9, 8);
	put(FADT + 128, 0x0f, 1);
	finish_table(FADT, "FACP", bytes);
}

static void build_madt(void)
{
	uint32_t at = MADT + 44;

	put(MADT + 36, 0xfee00000, 4);
	for (unsigned i = 0; i < 3; i++, at += 8) { /* the third is disabled */
		put(at, 0x0800, 2);
		put(at + 4, i < 2, 4);
	}
	put(at, 0x1009, 2); /* x2APIC */
	put(at + 8, 1, 4);
	at += 16;
	put(at, 0x0c01, 2);
	put(at + 4, 0xfec00000, 4);
	put(at + 8, 24, 4);
	at += 12;
	finish_table(MADT, "APIC", at - MADT);
}

static void build_rsdp(uint32_t at, bool new)
{
	memcpy(memory + at, "RSD PTR ", 8);
	put(at + 15, new ? 2 : 0, 1);
	put(at + 16, RSDT, 4);
	put(at + 20, 36, 4);
	put(at + 24, new ? XSDT : 0, 8);
	seal(at, 20, 8);
	if (new)
		seal(at, 36, 32);
}

static const char s5_aml[] = "\x08_S5_\x12\x06\x04\x0a\x05\x0a\x07\x00\x00";

static int build(void **state)
{
	static const uint32_t tables[] = { FADT, HPET, MADT };

	memset(memory, 0, sizeof memory);
	hole_hpa = 0;
	build_dsdt(s5_aml, sizeof s5_aml - 1);
	build_fadt(244);
	put(HPET + 40, 0, 1);
	put(HPET + 44, 0xfed00000, 8);
	finish_table(HPET, "HPET", 56);
	build_madt();
	for (unsigned i = 0; i < 3; i++) {
		put(RSDT + 36 + 4 * i, tables[i], 4);
		put(XSDT + 36 + 8 * i, tables[i], 8);
	}
	finish_table(RSDT, "RSDT", 48);
	finish_table(XSDT, "XSDT", 60);
	build_rsdp(BIOS_RSDP, true);
	return 0;
}

static void expect_all(void)
{
	assert_true(machine.present);
	assert_int_equal(machine.pm_timer_port, 0x608);
	assert_true(machine.pm_timer_is_32_bit);
	assert_int_equal(machine.pm1a_control_port, 0x604);
	assert_true(machine.has_s5);
	assert_int_equal(machine.s5_type_a, 5);
	assert_int_equal(machine.s5_type_b, 7);
	assert_true(machine.has_reset && machine.reset_is_port);
	assert_int_equal(machine.reset_address, 0xcf9);
	assert_int_equal(machine.reset_value, 0x0f);
	assert_int_equal(machine.hpet_hpa, 0xfed00000);
	assert_int_equal(machine.lapic_hpa, 0xfee00000);
	assert_int_equal(machine.processors, 3);
	assert_int_equal(machine.ioapic_count, 1);
	assert_int_equal(machine.ioapics[0].hpa, 0xfec00000);
	assert_int_equal(machine.ioapics[0].gsi_base, 24);
	assert_int_equal(machine.century_register, 0x32);
	assert_int_equal(machine.bad_tables, 0);
}

static void reads_from_the_loaders_copy(void **state)
{
	uint8_t copy[36];

	memcpy(copy, memory + BIOS_RSDP, 36);
	memset(memory + BIOS_RSDP, 0, 36);
	read_all(copy, 36);
	expect_all();
	build_rsdp(BIOS_RSDP, false);
	memcpy(copy, memory + BIOS_RSDP, 20);
	memset(memory + BIOS_RSDP, 0, 36);
	read_all(copy, 20);
	expect_all();
}

static void searches_the_bios_areas(void **state)
{
	read_all(NULL, 0);
	expect_all();
	memset(memory + BIOS_RSDP, 0, 36);
	put(0x40e, 0x9fc0, 2);
	build_rsdp(0x9fc00 + 0x50, true);
	read_all(NULL, 0);
	expect_all();
	memset(memory + 0x9fc00, 0, 0x400);
	build_rsdp(0x9fc00 + 0x58, true); /* not on a border of 16 */
	read_all(NULL, 0);
	assert_false(machine.present);
}

static void an_old_table_is_enough(void **state)
{
	memory[XSDT + 40] ^= 1; /* the XSDT is damaged: the RSDT serves */
	read_all(NULL, 0);
	assert_int_equal(machine.bad_tables, 1);
	machine.bad_tables = 0;
	expect_all();
}

static void the_extended_fields_replace_empty_ones(void **state)
{
	put(FADT + 40, 0, 4);
	put(FADT + 64, 0, 4);
	put(FADT + 76, 0, 4);
	put(FADT + 140, DSDT, 8);
	put(FADT + 172, 1, 1);
	put(FADT + 176, 0x604, 8);
	put(FADT + 208, 1, 1);
	put(FADT + 212, 0x608, 8);
	finish_table(FADT, "FACP", 244);
	read_all(NULL, 0);
	expect_all();
}

static void a_short_fadt_has_no_reset_register(void **state)
{
	finish_table(FADT, "FACP", 116);
	read_all(NULL, 0);
	assert_int_equal(machine.pm_timer_port, 0x608);
	assert_false(machine.has_reset);
	assert_true(machine.has_s5);
}

static void damaged_tables_are_left_out(void **state)
{
	memory[HPET + 44] ^= 4;
	memory[MADT + 50] ^= 4;
	read_all(NULL, 0);
	assert_true(machine.present);
	assert_int_equal(machine.bad_tables, 2);
	assert_int_equal(machine.hpet_hpa, 0);
	assert_int_equal(machine.processors, 0);
	assert_int_equal(machine.pm_timer_port, 0x608);
}

static void s5_is_read_as_firmware_writes_it(void **state)
{
	static const struct {
		const char *aml;
		size_t bytes;
		bool found;
		uint8_t a, b;
	} rows[] = {
		{ "\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 12, true, 0, 0 },
		{ "\x08_S5_\x12\x07\x04\x01\x0a\x06\x00\x00", 13, true, 1, 6 },
		{ "\x08\\_S5_\x12\x06\x04\x0a\x05\x00\x00\x00", 14, true, 5, 0 },
		{ "\x08_S5_\x12\x40\x01\x04\x0b\x03\x00\x01", 14, true, 3, 1 },
		{ "\x08_S5_\x11\x06\x04\x00\x00", 10, false, 0, 0 },  /* no package */
		{ "\x10_S5_\x12\x06\x04\x00\x00", 10, false, 0, 0 },  /* no name */
		{ "\x08_S5_\x12\x06\x04\x0c\x00\x00", 11, false, 0, 0 }, /* no byte */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		build_dsdt(rows[i].aml, rows[i].bytes);
		read_all(NULL, 0);
		assert_int_equal(machine.has_s5, rows[i].found);
		if (rows[i].found) {
			assert_int_equal(machine.s5_type_a, rows[i].a);
			assert_int_equal(machine.s5_type_b, rows[i].b);
		}
	}
}

static void the_end_of_a_dsdt_is_not_passed(void **state)
{
	build_dsdt("", 0);
	for (uint32_t bytes = 36; bytes < 64; bytes++) {
		memset(memory + DSDT + 36, 0, 64);
		memcpy(memory + DSDT + bytes - 8, s5_aml, 8);
		finish_table(DSDT, "DSDT", bytes);
		read_all(NULL, 0);
		assert_true(machine.present);
	}
}

static void many_tables_are_not_read_for_ever(void **state)
{
	uint32_t at = 0x30000;

	for (uint32_t i = 0; i < 20000; i++)
		put(at + 36 + 4 * i, HPET, 4);
	finish_table(at, "RSDT", 36 + 4 * 20000);
	put(BIOS_RSDP + 16, at, 4);
	put(BIOS_RSDP + 15, 0, 1);
	seal(BIOS_RSDP, 20, 8);
	read_all(NULL, 0);
	assert_true(machine.present);
	assert_int_equal(machine.hpet_hpa, 0xfed00000);
	assert_true(reads < 600);
}

static void half_an_entry_is_none(void **state)
{
	memory[MADT + 4] -= 1; /* the I/O APIC's last byte is missing */
	seal(MADT, memory[MADT + 4], 9);
	read_all(NULL, 0);
	assert_int_equal(machine.processors, 3);
	assert_int_equal(machine.ioapic_count, 0);
}

static void unreadable_memory_is_no_table(void **state)
{
	hole_hpa = FADT;
	read_all(NULL, 0);
	assert_true(machine.present);
	assert_int_equal(machine.pm_timer_port, 0);
	assert_int_equal(machine.hpet_hpa, 0xfed00000);
}

/* Any bytes of any table changed, checksums mended half of the time. */
static void survives_garbage(void **state)
{
	static const uint32_t tables[] = { RSDT, XSDT, FADT, DSDT, HPET, MADT };
	static const uint32_t sizes[] = { 48, 60, 244, 200, 56, 96 };
	uint64_t random = 0x61637069;

	for (unsigned long n = share(200000); n; n--) {
		build(state);
		for (uint64_t changes = random_next(&random) % 6; changes; changes--) {
			unsigned which = (unsigned)(random_next(&random) % 6);
			uint32_t at = (uint32_t)(random_next(&random) % sizes[which]);

			memory[tables[which] + at] = (uint8_t)(random_next(&random) >> 40);
			if (random & 1)
				seal(tables[which], sizes[which], 9);
		}
		read_all(NULL, 0);
		assert_true(machine.ioapic_count <= ACPI_IOAPICS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_from_the_loaders_copy, build),
		cmocka_unit_test_setup(searches_the_bios_areas, build),
		cmocka_unit_test_setup(an_old_table_is_enough, build),
		cmocka_unit_test_setup(the_extended_fields_replace_empty_ones, build),
		cmocka_unit_test_setup(a_short_fadt_has_no_reset_register, build),
		cmocka_unit_test_setup(damaged_tables_are_left_out, build),
		cmocka_unit_test_setup(s5_is_read_as_firmware_writes_it, build),
		cmocka_unit_test_setup(the_end_of_a_dsdt_is_not_passed, build),
		cmocka_unit_test_setup(many_tables_are_not_read_for_ever, build),
		cmocka_unit_test_setup(half_an_entry_is_none, build),
		cmocka_unit_test_setup(unreadable_memory_is_no_table, build),
		cmocka_unit_test_setup(survives_garbage, build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
