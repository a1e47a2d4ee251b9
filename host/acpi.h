/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the host's ACPI tables say that Foliot needs (ACPI 6.4 chapter 5). Pure, bounded, and every table's
 * checksum is checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_IOAPICS_MAX 8u

/* Returns bytes of physical memory at hpa for reading, or NULL where there is none. */
typedef const void *acpi_read_fn(void *context, uint64_t hpa, size_t bytes);

struct acpi_reader {
	acpi_read_fn *read;
	void *context;
};

struct acpi_machine {
	bool present;            /* a valid RSDP and root table were found; else everything is 0 */
	uint16_t pm_timer_port;  /* 0: none */
	bool pm_timer_is_32_bit;
	uint16_t pm1a_control_port, pm1b_control_port;
	bool has_s5;
	uint8_t s5_type_a, s5_type_b;
	bool has_reset;
	bool reset_is_port;      /* else it is in memory */
	uint64_t reset_address;
	uint8_t reset_value;
	uint64_t hpet_hpa;       /* 0: none */
	uint32_t lapic_hpa;      /* 0: no MADT */
	struct {
		uint32_t hpa, gsi_base;
	} ioapics[ACPI_IOAPICS_MAX];
	size_t ioapic_count;
	unsigned processors;     /* usable ones; 0: not known */
	uint8_t century_register; /* of the CMOS; 0: none */
	unsigned bad_tables;     /* left out because of a wrong checksum or size */
};

/* Reads what it finds. rsdp: a copy of the root pointer (bytes may be 0: then the BIOS areas are searched, ACPI
 * 6.4 5.2.5.1). */
void acpi_read(struct acpi_machine *machine, const uint8_t *rsdp, size_t rsdp_bytes, struct acpi_reader reader);
