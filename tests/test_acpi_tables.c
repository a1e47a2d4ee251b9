/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's ACPI tables: sums, pointers and the fields that guests act on, for every set of chips; and iasl, ACPI's own
 * compiler, disassembles each table and compiles it again without an error or a warning. */
#include "vm/acpi_tables.h"

#include "tests/support.h"
#include "vm/bytes.h"

#include <unistd.h>

static uint8_t page[ACPI_TABLES_BYTES];

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	assert_int_equal(gpa, ACPI_TABLES_RSDP_GPA);
	assert_true(bytes <= sizeof page);
	return page;
}

#define CHIP_SETS 128
#define NO_HPET 95
#define APIC 64

/* Bit by bit, in the order of the struct. */
static struct acpi_chips chips_of(unsigned set)
{
	return (struct acpi_chips){ set & 1, set >> 1 & 1, set >> 2 & 1, set >> 3 & 1, set >> 4 & 1, set >> 5 & 1,
				     set >> 6 & 1, 0x8086a201 };
}

static void build(unsigned set)
{
	struct guest_ram ram = { NULL, span };
	struct acpi_chips chips = chips_of(set);

	memset(page, 0xee, sizeof page);
	acpi_tables_build(&ram, &chips);
}

static uint8_t sum(const uint8_t *at, size_t bytes)
{
	uint8_t total = 0;

	while (bytes--)
		total = (uint8_t)(total + *at++);
	return total;
}

static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
	const uint8_t *table = page + (gpa - ACPI_TABLES_RSDP_GPA);

	assert_in_range(gpa, ACPI_TABLES_RSDP_GPA, ACPI_TABLES_RSDP_GPA + sizeof page - 64);
	assert_memory_equal(table, signature, 4);
	assert_in_range(get32(table + 4), 36, ACPI_TABLES_RSDP_GPA + sizeof page - gpa);
	if (strcmp(signature, "FACS"))
		assert_int_equal(sum(table, get32(table + 4)), 0);
	return table;
}

static const uint8_t *xsdt(void)
{
	return table_at(get64(page + 24), "XSDT");
}

static unsigned listed_count(void)
{
	return (get32(xsdt() + 4) - 36) / 8;
}

static const uint8_t *fadt(void)
{
	return table_at(get64(xsdt() + 36), "FACP");
}

static const uint8_t *dsdt(void)
{
	return table_at(get64(fadt() + 140), "DSDT");
}

/* Claim: every table is found from the RSDP by both roots, lies in the page beside the others, and sums to zero. */
static void all_tables_are_found_and_sum_to_zero(void **state)
{
	(void)state;
	for (unsigned set = 0; set < CHIP_SETS; set++) {
		const uint8_t *rsdt;
		uint64_t end = 0;

		build(set);
		assert_memory_equal(page, "RSD PTR ", 8);
		assert_int_equal(page[15], 2);
		assert_int_equal(sum(page, 20), 0);
		assert_int_equal(sum(page, 36), 0);
		rsdt = table_at(get32(page + 16), "RSDT");
		assert_int_equal((get32(rsdt + 4) - 36) / 4, listed_count());
		for (unsigned i = 0; i < listed_count(); i++) {
			uint64_t gpa = get64(xsdt() + 36 + 8 * i);

			assert_int_equal(get32(rsdt + 36 + 4 * i), gpa);
			table_at(gpa, (const char[]){ (char)page[gpa & 0xfff], (char)page[(gpa & 0xfff) + 1],
						      (char)page[(gpa & 0xfff) + 2], (char)page[(gpa & 0xfff) + 3], 0 });
			assert_true(gpa >= end);
			end = gpa + get32(page + (gpa & 0xfff) + 4);
		}
		assert_int_equal(get32(fadt() + 40), get64(fadt() + 140));
		assert_true(get64(fadt() + 140) + get32(dsdt() + 4) <= get64(xsdt() + 36));
		assert_true(xsdt() + get32(xsdt() + 4) <= table_at(get32(fadt() + 36), "FACS"));
		assert_true(rsdt + get32(rsdt + 4) <= xsdt());
		assert_int_equal(get32(fadt() + 36) % 64, 0);
	}
}

static void the_fadt_says_what_the_machine_is(void **state)
{
	static const uint8_t reset[] = { 1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6 };
	static const uint8_t timer[] = { 1, 32, 0, 3, 0x08, 0x06, 0, 0, 0, 0, 0, 0 };
	static const uint8_t event[] = { 1, 32, 0, 2, 0x00, 0x06, 0, 0, 0, 0, 0, 0 };
	static const uint8_t control[] = { 1, 16, 0, 2, 0x04, 0x06, 0, 0, 0, 0, 0, 0 };

	(void)state;
	build(NO_HPET);
	assert_int_equal(get32(fadt() + 48), 0);          /* SMI_CMD: always in ACPI mode */
	assert_int_equal(get16(fadt() + 46), 9);
	assert_int_equal(get32(fadt() + 56), 0x600);
	assert_int_equal(get32(fadt() + 64), 0x604);
	assert_int_equal(get32(fadt() + 76), 0x608);
	assert_memory_equal(fadt() + 88, "\4\2\0\4\0\0\0", 7); /* no PM2, no GPEs */
	assert_int_equal(fadt()[108], 0x32);
	assert_int_equal(get16(fadt() + 109), 0x1d);      /* ISA devices; no 8042, VGA, MSI, ASPM */
	assert_int_equal(get32(fadt() + 112), 0x565);
	assert_memory_equal(fadt() + 116, reset, sizeof reset);
	assert_memory_equal(fadt() + 148, event, sizeof event);
	assert_memory_equal(fadt() + 172, control, sizeof control);
	assert_memory_equal(fadt() + 208, timer, sizeof timer);
}

/* Claim: without its chip a field of the FADT says so: no PM timer, no century byte, no CMOS, no legacy devices. */
static void the_fadt_agrees_with_the_chips(void **state)
{
	static const uint8_t nothing[12];

	(void)state;
	for (unsigned set = 0; set < CHIP_SETS; set++) {
		struct acpi_chips chips = chips_of(set);
		bool legacy = chips.pic || chips.pit || chips.rtc || chips.uart;

		build(set);
		assert_int_equal(get32(fadt() + 76), chips.pmtimer ? 0x608 : 0);
		assert_int_equal(fadt()[91], chips.pmtimer ? 4 : 0);
		assert_int_equal(!memcmp(fadt() + 208, nothing, sizeof nothing), !chips.pmtimer);
		assert_int_equal(get32(fadt() + 112), chips.pmtimer ? 0x565 : 0x465);
		assert_int_equal(fadt()[108], chips.rtc ? 0x32 : 0);
		assert_int_equal(get16(fadt() + 109), 0x1c | (legacy ? 1 : 0) | (chips.rtc ? 0 : 0x20));
	}
}

/* Claim: the MADT is there with the APICs, and says how they are wired: pin 2 has IRQ 0, the SCI is level-triggered, LINT1 has the NMI. */
static void the_madt_says_how_the_apics_are_wired(void **state)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,
		1, 12, 1, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0,
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,
		2, 10, 0, 9, 9, 0, 0, 0, 0xd, 0,
		4, 6, 0xff, 0, 0, 1,
	};

	(void)state;
	for (unsigned set = 0; set < CHIP_SETS; set++) {
		const uint8_t *madt = NULL;

		build(set);
		for (unsigned i = 0; i < listed_count(); i++) {
			const uint8_t *table = page + (get64(xsdt() + 36 + 8 * i) & 0xfff);

			if (!memcmp(table, "APIC", 4))
				madt = table;
		}
		assert_int_equal(madt != NULL, chips_of(set).apic);
		if (!madt)
			continue;
		assert_int_equal(get32(madt + 36), 0xfee00000);
		assert_int_equal(get32(madt + 40), chips_of(set).pic);
		assert_int_equal(get32(madt + 4), 44 + sizeof entries);
		assert_memory_equal(madt + 44, entries, sizeof entries);
	}
}

/* Claim: the HPET table is there with the HPET, and has its block id, address and least tick at the places of IA-PC HPET 1.0a 3.2.4. */
static void the_hpet_table_says_where_it_is(void **state)
{
	(void)state;
	for (unsigned set = 0; set < CHIP_SETS; set++) {
		const uint8_t *table = NULL;

		build(set);
		for (unsigned i = 0; i < listed_count(); i++) {
			const uint8_t *listed = page + (get64(xsdt() + 36 + 8 * i) & 0xfff);

			if (!memcmp(listed, "HPET", 4))
				table = listed;
		}
		assert_int_equal(table != NULL, chips_of(set).hpet);
		if (!table)
			continue;
		assert_int_equal(get32(table + 4), 56);
		assert_int_equal(table[8], 1);
		assert_int_equal(get32(table + 36), 0x8086a201);
		assert_int_equal(get32(table + 40), 0); /* system memory */
		assert_int_equal(get64(table + 44), 0xfed00000);
		assert_int_equal(table[52], 0);
		assert_int_equal(get16(table + 53), 128);
		assert_int_equal(table[55], 0);
	}
}

static size_t count_in_dsdt(const char *what, size_t bytes)
{
	size_t found = 0;

	for (size_t at = 36; at + bytes <= get32(dsdt() + 4); at++)
		found += !memcmp(dsdt() + at, what, bytes);
	return found;
}

/* Claim: each chip has one device with its PNP id and resources where the machine has it, and none where it has not. */
static void the_dsdt_has_a_device_for_each_chip(void **state)
{
	static const struct {
		const char *name, *hid, *crs;
		size_t crs_bytes;
	} rows[] = { /* in the order of the struct; the PM timer is no device */
		{ "PIC_", "\x0c\x41\xd0\x00\x00", "\x47\x01\x20\x00\x20\x00\x01\x02\x47\x01\xa0\x00\xa0\x00\x01\x02\x22\x04\x00\x79", 20 },
		{ "TIMR", "\x0c\x41\xd0\x01\x00", "\x47\x01\x40\x00\x40\x00\x01\x04\x22\x01\x00\x79", 12 },
		{ "RTC_", "\x0c\x41\xd0\x0b\x00", "\x47\x01\x70\x00\x70\x00\x01\x02\x22\x00\x01\x79", 12 },
		{ NULL, NULL, NULL, 0 },
		{ "COM1", "\x0c\x41\xd0\x05\x01", "\x47\x01\xf8\x03\xf8\x03\x01\x08\x22\x10\x00\x79", 12 },
		{ "HPET", "\x0c\x41\xd0\x01\x03", "\x86\x09\x00\x01\x00\x00\xd0\xfe\x00\x04\x00\x00\x79", 13 },
	};

	(void)state;
	for (unsigned set = 0; set < CHIP_SETS; set++) {
		build(set);
		for (unsigned chip = 0; chip < sizeof rows / sizeof *rows; chip++) {
			if (!rows[chip].name)
				continue;
			assert_int_equal(count_in_dsdt(rows[chip].name, 4), set >> chip & 1);
			assert_int_equal(count_in_dsdt(rows[chip].hid, 5), set >> chip & 1);
			assert_int_equal(count_in_dsdt(rows[chip].crs, rows[chip].crs_bytes), set >> chip & 1);
		}
		assert_int_equal(count_in_dsdt("_S5_", 4), 1);
	}
}

static void write_file(const char *directory, const char *name, const uint8_t *table)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(table, 1, get32(table + 4), file), get32(table + 4));
	fclose(file);
}

/* Each table disassembled and compiled again; what iasl says of it is in a log beside it. iasl puts its own creator into the
 * header, and shorter forms into the DSDT. */
static const char check_all[] =
	"cd %s && for f in *.aml; do t=${f%%.aml}; "
	"iasl -d $f >$t.log 2>&1 && cp $f $t.first && iasl $t.dsl >>$t.log 2>&1 && "
	"{ [ $t = dsdt ] || cmp -i 36 $t.first $f >>$t.log; } && "
	"! grep -iE 'error|warn|invalid|remark' $t.log | grep -v ' 0 Errors, 0 Warnings, 0 Remarks' || "
	"{ cat $t.log; exit 1; }; done";

static int run(const char *format, const char *directory)
{
	char command[600];

	assert_in_range(snprintf(command, sizeof command, format, directory), 1, sizeof command - 1);
	return system(command);
}

/* iasl's verdict on the tables in the page: 0 where it finds no fault. */
static int ask_iasl(const char *then)
{
	char directory[] = "/tmp/foliot-acpi-XXXXXX", name[32];
	int verdict;

	assert_non_null(mkdtemp(directory));
	write_file(directory, "xsdt.aml", xsdt());
	write_file(directory, "facs.aml", table_at(get32(fadt() + 36), "FACS"));
	write_file(directory, "dsdt.aml", dsdt());
	for (unsigned i = 0; i < listed_count(); i++) {
		snprintf(name, sizeof name, "listed%u.aml", i);
		write_file(directory, name, page + (get64(xsdt() + 36 + 8 * i) & 0xfff));
	}
	verdict = run(check_all, directory);
	if (!verdict && then)
		verdict = run(then, directory);
	assert_int_equal(run("rm -r %s", directory), 0);
	return verdict;
}

static void need_iasl(void)
{
	if (!system("command -v iasl >/dev/null"))
		return;
	print_message("SKIP: iasl is missing (package acpica-tools)\n");
	skip();
}

/* Claim: iasl finds neither error nor warning nor remark, and what it disassembles is what was meant. */
static void iasl_finds_no_fault(void **state)
{
	static const unsigned sets[] = { CHIP_SETS - 1, NO_HPET, 0, 16, 32, APIC };

	(void)state;
	need_iasl();
	for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
		build(sets[i]);
		assert_int_equal(ask_iasl(NULL), 0);
	}
	build(CHIP_SETS - 1);
	assert_int_equal(ask_iasl("cd %s && grep -q '_S5' dsdt.dsl && for id in PNP0000 PNP0100 PNP0B00 PNP0103 PNP0501; do "
				  "grep -q \"EisaId (\\\"$id\\\")\" dsdt.dsl || exit 1; done && grep -q 0xFED00000 dsdt.dsl"), 0);
}

/* The control: a spoiled table is found out. ask_iasl asserts its sum itself, so the sum is made right again. */
static void iasl_finds_a_fault(void **state)
{
	uint8_t *table;

	(void)state;
	need_iasl();
	build(NO_HPET);
	table = page + (get64(fadt() + 140) & 0xfff);
	table[37] = '5'; /* the name _S5_ begins with a digit */
	table[9] = (uint8_t)(table[9] + '_' - '5');
	assert_int_not_equal(ask_iasl(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_tables_are_found_and_sum_to_zero),
		cmocka_unit_test(the_fadt_says_what_the_machine_is),
		cmocka_unit_test(the_fadt_agrees_with_the_chips),
		cmocka_unit_test(the_madt_says_how_the_apics_are_wired),
		cmocka_unit_test(the_hpet_table_says_where_it_is),
		cmocka_unit_test(the_dsdt_has_a_device_for_each_chip),
		cmocka_unit_test(iasl_finds_no_fault),
		cmocka_unit_test(iasl_finds_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
