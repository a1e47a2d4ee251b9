/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding the FADT and \_S5. Offsets are those of ACPI 6.4 table 5.9 (FADT) and 20.2 (AML). */
#include "guest-tests/lib/acpi.h"

#include "base/mem.h"

#define BIOS_AREA 0xE0000u
#define BIOS_AREA_END 0x100000u
#define FADT_FLAG_TMR_VAL_EXT (1u << 8)
#define FADT_FLAG_RESET_REG (1u << 10)

#define AML_BYTE 0x0A
#define AML_PACKAGE 0x12

static uint32_t dword(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return value;
}

static bool sums_to_zero(const uint8_t *at, uint32_t bytes)
{
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *at++);
	return !sum;
}

static const uint8_t *find_rsdp(void)
{
	for (uint32_t at = BIOS_AREA; at < BIOS_AREA_END; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8) && sums_to_zero((const uint8_t *)at, 20))
			return (const uint8_t *)at;
	return NULL;
}

/* The table with this signature, by way of the XSDT (8-byte entries) or the RSDT (4-byte ones). */
static const uint8_t *find_table(const uint8_t *rsdp, const char *signature)
{
	bool extended = rsdp[15] >= 2 && dword(rsdp + 24) && !dword(rsdp + 28);
	const uint8_t *root = (const uint8_t *)dword(rsdp + (extended ? 24 : 16));

	if (!sums_to_zero(root, dword(root + 4)))
		return NULL;
	for (uint32_t at = 36; at < dword(root + 4); at += extended ? 8 : 4) {
		const uint8_t *table = (const uint8_t *)dword(root + at);

		if (!memcmp(table, signature, 4))
			return sums_to_zero(table, dword(table + 4)) ? table : NULL;
	}
	return NULL;
}

/* Name(_S5_, Package(){type, ...}): NameString, PackageOp, PkgLength (its first byte's bits 7-6 say how many bytes
 * follow), NumElements, then an integer: ZeroOp, OneOp, or BytePrefix and a byte. */
static void find_s5(const uint8_t *dsdt, struct acpi_facts *facts)
{
	uint32_t bytes = dword(dsdt + 4);

	for (uint32_t at = 36; at + 12 < bytes; at++) {
		const uint8_t *aml = dsdt + at, *element;

		if (memcmp(aml, "_S5_", 4) || aml[4] != AML_PACKAGE)
			continue;
		element = aml + 5 + 1 + (aml[5] >> 6) + 1;
		facts->s5_known = true;
		facts->s5_type = *element == AML_BYTE ? element[1] : *element;
		return;
	}
}

const uint8_t *acpi_table(const char *signature)
{
	const uint8_t *rsdp = find_rsdp();

	return rsdp ? find_table(rsdp, signature) : NULL;
}

bool acpi_find(struct acpi_facts *facts)
{
	const uint8_t *fadt = acpi_table("FACP");
	uint32_t flags;

	memset(facts, 0, sizeof *facts);
	if (!fadt)
		return false;
	flags = dword(fadt + 112);
	facts->pm1_event_port = (uint16_t)dword(fadt + 56);
	facts->pm1_control_port = (uint16_t)dword(fadt + 64);
	facts->pm_timer_port = (uint16_t)dword(fadt + 76);
	facts->pm_timer_32bit = flags & FADT_FLAG_TMR_VAL_EXT;
	if (flags & FADT_FLAG_RESET_REG && fadt[116] == 1) { /* address space 1: ports */
		facts->reset_port = (uint16_t)dword(fadt + 120);
		facts->reset_value = fadt[128];
	}
	find_s5((const uint8_t *)dword(fadt + 40), facts);
	return true;
}
