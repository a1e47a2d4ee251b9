/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The few ACPI Machine Language terms that the DSDT consists of (ACPI 6.4 chapter 20). The writer appends; the
 * caller gives it room. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *at;
};

/* A device: its name of four characters, PNP id (0x0501 for PNP0501) and resources. */
struct aml_device {
	char name[5];
	uint16_t pnp;
	struct {
		uint16_t first;
		uint8_t count; /* 0: none */
	} ports[2];
	uint16_t irqs;         /* bit n: ISA IRQ n */
	uint32_t memory_gpa, memory_bytes; /* 0 bytes: none */
};

/* Scope (\_SB), and other terms with a length: what is written between open and close belongs to it. */
uint8_t *aml_open_scope(struct aml *aml, const char *name);
void aml_close(struct aml *aml, uint8_t *opened);

/* Name (name, Package () { bytes... }) */
void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count);

/* Device (name) { _HID, _CRS } */
void aml_put_device(struct aml *aml, const struct aml_device *device);
