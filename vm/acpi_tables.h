/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's ACPI tables (ACPI 6.4): RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, and a DSDT with S5 and the legacy devices.
 * No MCFG: the machine has no such chip. Nothing of the host's tables is in them. */
#pragma once

#include "devices/guest_ram.h"

#include <stdbool.h>
#include <stdint.h>

/* All tables lie in the F-segment, where systems without another hint look for the RSDP (5.2.5.1). */
#define ACPI_TABLES_RSDP_GPA 0xf0000ull
#define ACPI_TABLES_BYTES 0x1000ull

/* What the machine has. A chip that it has not leaves no trace in the tables. */
struct acpi_chips {
	bool pic, pit, rtc, pmtimer, uart, hpet;
	bool apic; /* both APICs */
	uint32_t hpet_block_id; /* the low half of its capabilities register */
};

/* Writes the tables at ACPI_TABLES_RSDP_GPA. */
void acpi_tables_build(const struct guest_ram *ram, const struct acpi_chips *chips);
