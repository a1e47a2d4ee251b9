/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's ACPI tables (ACPI 6.4): RSDP, RSDT, XSDT, FADT, FACS, and a DSDT with S5 and the ISA devices. No
 * MADT, HPET or MCFG: the machine has no such chips. Nothing of the host's tables is in them. */
#pragma once

#include "devices/guest_ram.h"

/* All tables lie in the F-segment, where systems without another hint look for the RSDP (5.2.5.1). */
#define ACPI_TABLES_RSDP_GPA 0xf0000ull
#define ACPI_TABLES_BYTES 0x1000ull

/* Writes the tables at ACPI_TABLES_RSDP_GPA. */
void acpi_tables_build(const struct guest_ram *ram);
