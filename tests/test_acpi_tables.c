/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's ACPI tables: sums, pointers and the fields that guests act on; and iasl, ACPI's own compiler,
 * disassembles each table and compiles it again without an error or a warning. */
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

static int build(void **state)
{
	struct guest_ram ram = { NULL, span };

	(void)state;
	memset(page, 0xee, sizeof page);
	acpi_tables_build(&ram);
	return 0;
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

static const uint8_t *fadt(void)
{
	return table_at(get64(table_at(get64(page + 24), "XSDT") + 36), "FACP");
}

static void all_tables_are_found_and_sum_to_zero(void **state)
{
	(void)state;
	assert_memory_equal(page, "RSD PTR ", 8);
	assert_int_equal(page[15], 2);
	assert_int_equal(sum(page, 20), 0);
	assert_int_equal(sum(page, 36), 0);
	assert_int_equal(get32(table_at(get32(page + 16), "RSDT") + 36),
			 get64(table_at(get64(page + 24), "XSDT") + 36));
	assert_int_equal(get32(fadt() + 40), get64(fadt() + 140));
	table_at(get64(fadt() + 140), "DSDT");
	table_at(get32(fadt() + 36), "FACS");
	assert_int_equal(get32(fadt() + 36) % 64, 0);
}

static void the_fadt_says_what_the_machine_is(void **state)
{
	static const uint8_t reset[] = { 1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6 };
	static const uint8_t timer[] = { 1, 32, 0, 3, 0x08, 0x06, 0, 0, 0, 0, 0, 0 };
	static const uint8_t event[] = { 1, 32, 0, 2, 0x00, 0x06, 0, 0, 0, 0, 0, 0 };
	static const uint8_t control[] = { 1, 16, 0, 2, 0x04, 0x06, 0, 0, 0, 0, 0, 0 };

	(void)state;
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

static void iasl_finds_no_fault(void **state)
{
	char directory[] = "/tmp/foliot-acpi-XXXXXX", command[400];

	(void)state;
	if (system("command -v iasl >/dev/null")) {
		print_message("SKIP: iasl is missing (package acpica-tools)\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	write_file(directory, "xsdt.aml", table_at(get64(page + 24), "XSDT"));
	write_file(directory, "facp.aml", fadt());
	write_file(directory, "facs.aml", table_at(get32(fadt() + 36), "FACS"));
	write_file(directory, "dsdt.aml", table_at(get64(fadt() + 140), "DSDT"));
	/* iasl puts its own creator into the header, and shorter forms into the DSDT */
	snprintf(command, sizeof command,
		 "cd %s && for t in xsdt facp facs dsdt; do "
		 "iasl -d $t.aml >$t.log 2>&1 && cp $t.aml $t.first && iasl $t.dsl >>$t.log 2>&1 && "
		 "{ [ $t = dsdt ] || cmp -i 36 $t.first $t.aml; } && "
		 "! grep -iE 'error|warn|invalid|remark' $t.log | grep -v ' 0 Errors, 0 Warnings, 0 Remarks' || "
		 "{ cat $t.log; exit 1; }; done", directory);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "cd %s && grep -q '_S5' dsdt.dsl && grep -q 'PNP0B00' dsdt.dsl", directory);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_tables_are_found_and_sum_to_zero),
		cmocka_unit_test(the_fadt_says_what_the_machine_is),
		cmocka_unit_test(iasl_finds_no_fault),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
