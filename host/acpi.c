/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading the host's ACPI tables. AML is not interpreted: the S5 package is found by its name, as firmware
 * writes it as constants. */
#include "host/acpi.h"

#include "base/mem.h"

#define TABLE_HEADER_BYTES 36u
#define TABLE_BYTES_MAX (1u << 20)
#define TABLES_MAX 256u
#define RSDP_OLD_BYTES 20u
#define RSDP_BYTES 36u

/* ACPI 6.4 table 5.9: offsets in the FADT. */
enum {
	FADT_DSDT = 40,
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_PM_TIMER = 76,
	FADT_CENTURY = 108,
	FADT_FLAGS = 112,
	FADT_RESET_REGISTER = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CONTROL = 172,
	FADT_X_PM1B_CONTROL = 184,
	FADT_X_PM_TIMER = 208,
};

#define FADT_TMR_VAL_EXT (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)
#define GAS_MEMORY 0u
#define GAS_PORT 1u

struct table {
	const uint8_t *bytes; /* NULL: none */
	size_t size;
};

/* The little-endian field of 1 to 8 bytes; 0 beyond the table's end, as older tables are shorter. */
static uint64_t field(const struct table *t, size_t at, size_t bytes)
{
	uint64_t value = 0;

	if (at > t->size || bytes > t->size - at)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)t->bytes[at + i] << 8 * i;
	return value;
}

static bool sums_to_zero(const uint8_t *bytes, size_t count)
{
	uint8_t sum = 0;

	while (count--)
		sum = (uint8_t)(sum + *bytes++);
	return !sum;
}

/* The table at hpa, if it is whole. */
static struct table open_table(struct acpi_reader r, uint64_t hpa, unsigned *bad)
{
	struct table header = { hpa ? r.read(r.context, hpa, TABLE_HEADER_BYTES) : NULL, TABLE_HEADER_BYTES };
	struct table whole = { NULL, 0 };
	size_t size;

	if (!header.bytes)
		return whole;
	size = field(&header, 4, 4);
	if (size >= TABLE_HEADER_BYTES && size <= TABLE_BYTES_MAX)
		whole = (struct table){ r.read(r.context, hpa, size), size };
	if (!whole.bytes || !sums_to_zero(whole.bytes, size)) {
		++*bad;
		return (struct table){ NULL, 0 };
	}
	return whole;
}

static bool is_called(const struct table *t, const char *signature)
{
	return t->bytes && !memcmp(t->bytes, signature, 4);
}

/* The old 32-bit field, or the generic address that replaces it, where that is an I/O port. */
static uint16_t port_field(const struct table *fadt, size_t old, size_t generic)
{
	uint64_t port = field(fadt, old, 4);

	if (!port && field(fadt, generic, 1) == GAS_PORT)
		port = field(fadt, generic + 4, 8);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* An AML constant that fits a byte (ACPI 6.4 20.2.3); moves *at behind it. */
static bool read_constant(const struct table *t, size_t *at, uint8_t *value)
{
	uint8_t op = (uint8_t)field(t, (*at)++, 1);

	if (op <= 1) {
		*value = op;
		return true;
	}
	*value = (uint8_t)field(t, *at, 1);
	*at += op == 0x0b ? 2 : 1;
	return op == 0x0a || op == 0x0b;
}

/* Name (_S5, Package (n) { a, b, ... }): 08 "_S5_" 12 length count elements (ACPI 6.4 20.2.4, 20.2.5.1). */
static bool read_s5(const struct table *dsdt, struct acpi_machine *m)
{
	for (size_t i = TABLE_HEADER_BYTES + 1; i + 8 < dsdt->size; i++) {
		size_t at = i + 5;

		if (memcmp(dsdt->bytes + i, "_S5_", 4) || dsdt->bytes[i + 4] != 0x12)
			continue;
		if (dsdt->bytes[i - 1] != 0x08 && dsdt->bytes[i - 1] != '\\')
			continue;
		at += 1u + (dsdt->bytes[at] >> 6) + 1u;
		return read_constant(dsdt, &at, &m->s5_type_a) && read_constant(dsdt, &at, &m->s5_type_b);
	}
	return false;
}

static void read_reset(const struct table *fadt, struct acpi_machine *m)
{
	uint64_t space = field(fadt, FADT_RESET_REGISTER, 1);

	m->reset_address = field(fadt, FADT_RESET_REGISTER + 4, 8);
	m->reset_value = (uint8_t)field(fadt, FADT_RESET_VALUE, 1);
	m->reset_is_port = space == GAS_PORT;
	m->has_reset = field(fadt, FADT_FLAGS, 4) & FADT_RESET_REG_SUP && m->reset_address && space <= GAS_PORT &&
	               (space == GAS_MEMORY || m->reset_address <= UINT16_MAX);
}

static void read_fadt(const struct table *fadt, struct acpi_machine *m, struct acpi_reader r)
{
	uint64_t dsdt_hpa = field(fadt, FADT_X_DSDT, 8);
	struct table dsdt = open_table(r, dsdt_hpa ? dsdt_hpa : field(fadt, FADT_DSDT, 4), &m->bad_tables);

	m->pm_timer_port = port_field(fadt, FADT_PM_TIMER, FADT_X_PM_TIMER);
	m->pm_timer_is_32_bit = field(fadt, FADT_FLAGS, 4) & FADT_TMR_VAL_EXT;
	m->pm1a_control_port = port_field(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
	m->pm1b_control_port = port_field(fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
	m->century_register = (uint8_t)field(fadt, FADT_CENTURY, 1);
	read_reset(fadt, m);
	m->has_s5 = dsdt.bytes && m->pm1a_control_port && read_s5(&dsdt, m);
}

/* IA-PC HPET 1.0a 3.2.4: a generic address at 40. */
static void read_hpet(const struct table *hpet, struct acpi_machine *m)
{
	if (field(hpet, 40, 1) == GAS_MEMORY)
		m->hpet_hpa = field(hpet, 44, 8);
}

/* ACPI 6.4 5.2.12. */
static void read_madt(const struct table *madt, struct acpi_machine *m)
{
	m->lapic_hpa = (uint32_t)field(madt, 36, 4);
	for (size_t at = 44; at + 2 <= madt->size;) {
		size_t bytes = madt->bytes[at + 1];

		if (bytes < 2 || bytes > madt->size - at)
			return;
		if (madt->bytes[at] == 0)
			m->processors += (unsigned)field(madt, at + 4, 4) & 1;
		else if (madt->bytes[at] == 9)
			m->processors += (unsigned)field(madt, at + 8, 4) & 1;
		else if (madt->bytes[at] == 1 && m->ioapic_count < ACPI_IOAPICS_MAX) {
			m->ioapics[m->ioapic_count].hpa = (uint32_t)field(madt, at + 4, 4);
			m->ioapics[m->ioapic_count++].gsi_base = (uint32_t)field(madt, at + 8, 4);
		}
		at += bytes;
	}
}

/* The first table of a kind counts. */
static void read_table(const struct table *t, struct acpi_machine *m, struct acpi_reader r)
{
	if (is_called(t, "FACP") && !m->pm1a_control_port && !m->pm_timer_port)
		read_fadt(t, m, r);
	else if (is_called(t, "HPET") && !m->hpet_hpa)
		read_hpet(t, m);
	else if (is_called(t, "APIC") && !m->lapic_hpa)
		read_madt(t, m);
}

static bool read_root(const char *signature, uint64_t hpa, size_t entry_bytes, struct acpi_machine *m,
                      struct acpi_reader r)
{
	struct table root = open_table(r, hpa, &m->bad_tables);
	size_t at = TABLE_HEADER_BYTES;

	if (!is_called(&root, signature))
		return false;
	for (unsigned i = 0; i < TABLES_MAX && at + entry_bytes <= root.size; i++, at += entry_bytes) {
		struct table t = open_table(r, field(&root, at, entry_bytes), &m->bad_tables);

		read_table(&t, m, r);
	}
	return true;
}

static bool is_rsdp(const uint8_t *bytes)
{
	return !memcmp(bytes, "RSD PTR ", 8) && sums_to_zero(bytes, RSDP_OLD_BYTES);
}

static const uint8_t *search(struct acpi_reader r, uint64_t hpa, size_t bytes)
{
	const uint8_t *area = r.read(r.context, hpa, bytes);

	for (size_t at = 0; area && at + RSDP_BYTES <= bytes; at += 16)
		if (is_rsdp(area + at))
			return area + at;
	return NULL;
}

/* ACPI 6.4 5.2.5.1: the first KiB of the extended BIOS data area, then the BIOS. */
static const uint8_t *search_bios(struct acpi_reader r)
{
	struct table bda = { r.read(r.context, 0x400, 0x100), 0x100 };
	const uint8_t *found = NULL;
	uint64_t ebda;

	if (bda.bytes) {
		ebda = field(&bda, 0x0e, 2) << 4;
		if (ebda >= 0x80000 && ebda < 0xa0000)
			found = search(r, ebda, 1024);
	}
	return found ? found : search(r, 0xe0000, 0x20000);
}

void acpi_read(struct acpi_machine *machine, const uint8_t *rsdp, size_t rsdp_bytes, struct acpi_reader reader)
{
	struct table pointer = { rsdp, rsdp_bytes };

	memset(machine, 0, sizeof *machine);
	if (rsdp_bytes < RSDP_OLD_BYTES || !is_rsdp(rsdp))
		pointer = (struct table){ search_bios(reader), RSDP_BYTES };
	if (!pointer.bytes)
		return;
	if (pointer.size >= RSDP_BYTES && pointer.bytes[15] >= 2 && sums_to_zero(pointer.bytes, RSDP_BYTES))
		machine->present = read_root("XSDT", field(&pointer, 24, 8), 8, machine, reader);
	if (!machine->present)
		machine->present = read_root("RSDT", field(&pointer, 16, 4), 4, machine, reader);
}
