/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building the SMBIOS tables. */
#include "vm/smbios.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stddef.h>

#define ENTRY_BYTES 0x18
#define TABLE_OFFSET 0x20
#define TABLE_LIMIT 0x200

/* 64-bit entry point (DSP0134 5.2.2). */
struct smbios_entry {
	char anchor[5]; /* "_SM3_" */
	uint8_t checksum, bytes, major, minor, docrev, revision, reserved;
	uint32_t table_bytes;
	uint64_t table_gpa;
} __attribute__((packed));

_Static_assert(sizeof(struct smbios_entry) == ENTRY_BYTES, "DSP0134 5.2.2");

struct smbios_header {
	uint8_t type, bytes;
	uint16_t handle;
} __attribute__((packed));

/* Type 0 (7.1); the numbers 1, 2, 3 are strings. */
struct smbios_bios {
	struct smbios_header header;
	uint8_t vendor, version;
	uint16_t start_segment;
	uint8_t date, rom_size;
	uint64_t characteristics;
	uint8_t extension[2];
	uint8_t bios_major, bios_minor, ec_major, ec_minor;
} __attribute__((packed));

#define BIOS_CHARACTERISTICS_UNKNOWN (1ull << 3)
#define BIOS_EXTENSION_ACPI 0x01
#define BIOS_EXTENSION_VIRTUAL_MACHINE 0x10

/* Type 1 (7.2). */
struct smbios_system {
	struct smbios_header header;
	uint8_t manufacturer, product, version, serial;
	uint8_t uuid[16];
	uint8_t wake_up, sku, family;
} __attribute__((packed));

#define WAKE_UP_POWER_SWITCH 6

struct table {
	uint8_t *at;
	size_t bytes;
};

/* A structure and its strings; strings are separated by NULs and end with two. */
static void append(struct table *table, const void *structure, size_t bytes, const char *strings, size_t string_bytes)
{
	ASSERT(table->bytes + bytes + string_bytes <= TABLE_LIMIT);
	memcpy(table->at + table->bytes, structure, bytes);
	memcpy(table->at + table->bytes + bytes, strings, string_bytes);
	table->bytes += bytes + string_bytes;
}

static void append_structures(struct table *table)
{
	static const struct smbios_bios bios = {
		.header = { 0, sizeof bios, 0 },
		.vendor = 1, .version = 2, .date = 3,
		.start_segment = 0xf000,
		.characteristics = BIOS_CHARACTERISTICS_UNKNOWN,
		.extension = { BIOS_EXTENSION_ACPI, BIOS_EXTENSION_VIRTUAL_MACHINE },
		.ec_major = 0xff, .ec_minor = 0xff,
	};
	static const char bios_strings[] = "Foliot\0" "1\0" "01/01/2026\0";
	static const struct smbios_system system = {
		.header = { 1, sizeof system, 1 },
		.manufacturer = 1, .product = 2,
		.wake_up = WAKE_UP_POWER_SWITCH,
	};
	static const char system_strings[] = "Foliot\0" "Virtual machine\0";
	static const struct smbios_header end = { 127, sizeof end, 2 };

	append(table, &bios, sizeof bios, bios_strings, sizeof bios_strings);
	append(table, &system, sizeof system, system_strings, sizeof system_strings);
	append(table, &end, sizeof end, "\0", 2);
}

void smbios_build(const struct guest_ram *ram)
{
	uint8_t *page = ram->span(ram->context, SMBIOS_GPA, TABLE_OFFSET + TABLE_LIMIT);
	struct smbios_entry entry = { .anchor = { '_', 'S', 'M', '3', '_' }, .bytes = ENTRY_BYTES, .major = 3, .minor = 2, .revision = 1 };
	struct table table = { page + TABLE_OFFSET, 0 };
	const uint8_t *byte = (const uint8_t *)&entry;
	uint8_t sum = 0;

	ASSERT(page);
	append_structures(&table);
	entry.table_bytes = (uint32_t)table.bytes;
	entry.table_gpa = SMBIOS_GPA + TABLE_OFFSET;
	for (size_t i = 0; i < ENTRY_BYTES; i++)
		sum = (uint8_t)(sum + byte[i]);
	entry.checksum = (uint8_t)-sum;
	memcpy(page, &entry, sizeof entry);
}
