/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The few ACPI facts that test guests need, found as an operating system finds them (ACPI 6.4 5.2): RSDP in the
 * BIOS area, XSDT or RSDT, FADT, and \_S5 in the DSDT. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct acpi_facts {
	uint16_t pm_timer_port; /* 0: there is none */
	bool pm_timer_32bit;    /* FADT flag TMR_VAL_EXT */
	uint16_t pm1_event_port, pm1_control_port;
	uint16_t reset_port;    /* 0: no reset register in port space */
	uint8_t reset_value;
	bool s5_known;
	uint8_t s5_type;
};

/* The table with that signature, by the XSDT or the RSDT; NULL: there is none, or a checksum is wrong. */
const uint8_t *acpi_table(const char *signature);

/* False: no FADT was found, or a checksum is wrong. */
bool acpi_find(struct acpi_facts *facts);
