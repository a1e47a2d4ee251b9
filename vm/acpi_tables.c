/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building the tables in one page, one behind the other; the roots that list them come last. The FADT says that the machine
 * is always in ACPI mode (SMI_CMD is 0), has no 8042, VGA, MSI or ASPM, and is reset by port CF9h. */
#include "vm/acpi_tables.h"

#include "base/assert.h"
#include "base/mem.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/hpet.h"
#include "devices/pmtimer.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "vm/aml.h"
#include "vm/apic.h"
#include "vm/bytes.h"

/* Where in the page the roots and the FACS are, which wants 64 bytes' alignment (5.2.10), and where the other tables begin. */
enum { RSDP = 0x000, RSDT = 0x040, XSDT = 0x0a0, FACS = 0x140, FIRST_TABLE = 0x180 };

#define LISTED_TABLES 8 /* the roots have room for so many */

#define OEM_ID "FOLIOT"
#define OEM_TABLE_ID "FOLIOTVM"
#define CREATOR_ID "FOLI"

#define RSDP_OEM_ID 9
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_LENGTH 20
#define RSDP_XSDT 24
#define RSDP_CHECKSUM 8
#define RSDP_CHECKSUM_BYTES 20
#define RSDP_EXTENDED_CHECKSUM 32
#define RSDP_BYTES 36

/* The header of every table but RSDP and FACS (5.2.6). */
#define HEADER_LENGTH 4
#define HEADER_REVISION 8
#define HEADER_CHECKSUM 9
#define HEADER_OEM_ID 10
#define HEADER_OEM_TABLE_ID 16
#define HEADER_OEM_REVISION 24
#define HEADER_CREATOR_ID 28
#define HEADER_CREATOR_REVISION 32
#define HEADER_BYTES 36

#define FACS_VERSION 32
#define FACS_BYTES 64

/* Table 5.9 */
#define FADT_FIRMWARE_CTRL 36
#define FADT_DSDT 40
#define FADT_SCI_INT 46
#define FADT_PM1A_EVT_BLK 56
#define FADT_PM1A_CNT_BLK 64
#define FADT_PM_TMR_BLK 76
#define FADT_PM1_EVT_LEN 88
#define FADT_PM1_CNT_LEN 89
#define FADT_PM_TMR_LEN 91
#define FADT_P_LVL2_LAT 96
#define FADT_P_LVL3_LAT 98
#define FADT_CENTURY 108
#define FADT_IAPC_BOOT_ARCH 109
#define FADT_FLAGS 112
#define FADT_RESET_REG 116
#define FADT_RESET_VALUE 128
#define FADT_X_DSDT 140
#define FADT_X_PM1A_EVT_BLK 148
#define FADT_X_PM1A_CNT_BLK 172
#define FADT_X_PM_TMR_BLK 208
#define FADT_BYTES 276
#define FADT_REVISION 6

#define NO_C2_LATENCY_US 101 /* above 100: C2 is not supported; C3 likewise above 1000 */
#define NO_C3_LATENCY_US 1001

/* Table 5.10 */
#define FLAG_WBINVD (1u << 0)
#define FLAG_PROC_C1 (1u << 2)
#define FLAG_SLP_BUTTON (1u << 5) /* none as a fixed feature */
#define FLAG_FIX_RTC (1u << 6)    /* no wake-up by the RTC */
#define FLAG_TMR_VAL_EXT (1u << 8)
#define FLAG_RESET_REG_SUP (1u << 10)

/* Table 5.11 */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_MSI (1u << 3)
#define BOOT_NO_ASPM (1u << 4)
#define BOOT_NO_RTC (1u << 5)

/* Generic address structure (5.2.3.2). */
#define GAS_SYSTEM_IO 1
#define GAS_ACCESS_BYTE 1
#define GAS_ACCESS_WORD 2
#define GAS_ACCESS_DWORD 3

/* 5.2.12 */
#define MADT_LAPIC_ADDRESS 36
#define MADT_FLAGS 40
#define MADT_ENTRIES 44
#define MADT_REVISION 5
#define MADT_PCAT_COMPAT 1u /* there is an 8259A pair, too */
#define MADT_ENABLED 1u
#define MADT_ALL_PROCESSORS 0xff
#define MADT_BUS_ISA 0
#define MADT_AS_BUS 0         /* polarity and trigger mode as usual on the bus: of ISA, edges, active high */
#define MADT_HIGH_LEVEL 0xd   /* active high, level-triggered */
#define LINT1 1

#define HPET_BYTES 0x400u /* in the DSDT; timers 24 to 31 have their registers behind that */

/* IA-PC HPET 1.0a, 3.2.4. */
#define HPET_TABLE_BLOCK_ID 36
#define HPET_TABLE_ADDRESS 40
#define HPET_TABLE_MINIMUM_TICK 53
#define HPET_TABLE_BYTES 56
#define HPET_TABLE_REVISION 1
#define HPET_MINIMUM_TICK 128 /* the shortest period that loses no interrupt, in ticks: what chipsets say */

/* The tables in the making. */
struct tables {
	uint8_t *page;
	const struct acpi_chips *chips;
	unsigned next;                  /* where the next table goes */
	unsigned dsdt;
	unsigned listed[LISTED_TABLES]; /* the tables that RSDT and XSDT name */
	unsigned listed_count;
};

static uint32_t gpa_of(unsigned table)
{
	return (uint32_t)ACPI_TABLES_RSDP_GPA + table;
}

/* The byte that makes the sum of all bytes 0. */
static uint8_t checksum(const uint8_t *table, size_t bytes)
{
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *table++);
	return (uint8_t)-sum;
}

/* Fills the header of a table whose content is written. */
static void seal(uint8_t *table, const char *signature, uint8_t revision, size_t bytes)
{
	memcpy(table, signature, 4);
	put32(table + HEADER_LENGTH, (uint32_t)bytes);
	table[HEADER_REVISION] = revision;
	memcpy(table + HEADER_OEM_ID, OEM_ID, 6);
	memcpy(table + HEADER_OEM_TABLE_ID, OEM_TABLE_ID, 8);
	put32(table + HEADER_OEM_REVISION, 1);
	memcpy(table + HEADER_CREATOR_ID, CREATOR_ID, 4);
	put32(table + HEADER_CREATOR_REVISION, 1);
	table[HEADER_CHECKSUM] = checksum(table, bytes);
}

/* Takes the room of the table at tables->next, which is written and sealed, and returns where it is. */
static unsigned place(struct tables *tables)
{
	unsigned at = tables->next;

	tables->next = (at + get32(tables->page + at + HEADER_LENGTH) + 15) & ~15u;
	ASSERT(tables->next <= ACPI_TABLES_BYTES);
	return at;
}

/* The same for a table that the roots list. */
static void list(struct tables *tables)
{
	ASSERT(tables->listed_count < LISTED_TABLES);
	tables->listed[tables->listed_count++] = place(tables);
}

static void build_roots(const struct tables *tables)
{
	uint8_t *rsdp = tables->page + RSDP, *rsdt = tables->page + RSDT, *xsdt = tables->page + XSDT;

	for (unsigned i = 0; i < tables->listed_count; i++) {
		put32(rsdt + HEADER_BYTES + 4 * i, gpa_of(tables->listed[i]));
		put64(xsdt + HEADER_BYTES + 8 * i, gpa_of(tables->listed[i]));
	}
	seal(rsdt, "RSDT", 1, HEADER_BYTES + 4 * tables->listed_count);
	seal(xsdt, "XSDT", 1, HEADER_BYTES + 8 * tables->listed_count);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + RSDP_OEM_ID, OEM_ID, 6);
	rsdp[RSDP_REVISION] = 2;
	put32(rsdp + RSDP_RSDT, gpa_of(RSDT));
	put32(rsdp + RSDP_LENGTH, RSDP_BYTES);
	put64(rsdp + RSDP_XSDT, gpa_of(XSDT));
	rsdp[RSDP_CHECKSUM] = checksum(rsdp, RSDP_CHECKSUM_BYTES);
	rsdp[RSDP_EXTENDED_CHECKSUM] = checksum(rsdp, RSDP_BYTES);
}

static void put_register(uint8_t *at, uint16_t port, unsigned bytes, uint8_t access)
{
	at[0] = GAS_SYSTEM_IO;
	at[1] = (uint8_t)(bytes * 8);
	at[2] = 0;
	at[3] = access;
	put64(at + 4, port);
}

static void put_pm_timer(uint8_t *fadt)
{
	put32(fadt + FADT_PM_TMR_BLK, PM_TMR_PORT);
	fadt[FADT_PM_TMR_LEN] = PM_TMR_BYTES;
	put_register(fadt + FADT_X_PM_TMR_BLK, PM_TMR_PORT, PM_TMR_BYTES, GAS_ACCESS_DWORD);
}

static void put_pm1(uint8_t *fadt)
{
	put16(fadt + FADT_SCI_INT, PM_SCI_IRQ);
	put32(fadt + FADT_PM1A_EVT_BLK, PM1A_EVT_PORT);
	put32(fadt + FADT_PM1A_CNT_BLK, PM1A_CNT_PORT);
	fadt[FADT_PM1_EVT_LEN] = PM1A_EVT_BYTES;
	fadt[FADT_PM1_CNT_LEN] = PM1A_CNT_BYTES;
	put_register(fadt + FADT_X_PM1A_EVT_BLK, PM1A_EVT_PORT, PM1A_EVT_BYTES, GAS_ACCESS_WORD);
	put_register(fadt + FADT_X_PM1A_CNT_BLK, PM1A_CNT_PORT, PM1A_CNT_BYTES, GAS_ACCESS_WORD);
}

static uint16_t boot_flags(const struct acpi_chips *chips)
{
	bool legacy = chips->pic || chips->pit || chips->rtc || chips->uart;

	return BOOT_NO_VGA | BOOT_NO_MSI | BOOT_NO_ASPM | (legacy ? BOOT_LEGACY_DEVICES : 0) | (chips->rtc ? 0 : BOOT_NO_RTC);
}

/* X_FIRMWARE_CTRL stays 0: it or FIRMWARE_CTRL, not both. */
static void build_fadt(struct tables *tables)
{
	uint8_t *fadt = tables->page + tables->next;
	const struct acpi_chips *chips = tables->chips;

	put32(fadt + FADT_FIRMWARE_CTRL, gpa_of(FACS));
	put32(fadt + FADT_DSDT, gpa_of(tables->dsdt));
	put64(fadt + FADT_X_DSDT, gpa_of(tables->dsdt));
	put_pm1(fadt);
	if (chips->pmtimer)
		put_pm_timer(fadt);
	put16(fadt + FADT_P_LVL2_LAT, NO_C2_LATENCY_US);
	put16(fadt + FADT_P_LVL3_LAT, NO_C3_LATENCY_US);
	fadt[FADT_CENTURY] = chips->rtc ? RTC_CENTURY : 0;
	put16(fadt + FADT_IAPC_BOOT_ARCH, boot_flags(chips));
	put32(fadt + FADT_FLAGS, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_SLP_BUTTON | FLAG_FIX_RTC | FLAG_RESET_REG_SUP |
					 (chips->pmtimer ? FLAG_TMR_VAL_EXT : 0));
	put_register(fadt + FADT_RESET_REG, RESET_PORT_CF9, 1, GAS_ACCESS_BYTE);
	fadt[FADT_RESET_VALUE] = RESET_CF9_VALUE;
	seal(fadt, "FACP", FADT_REVISION, FADT_BYTES);
	list(tables);
}

static uint8_t *put_override(uint8_t *at, uint8_t irq, uint16_t flags)
{
	at[0] = 2;
	at[1] = 10;
	at[2] = MADT_BUS_ISA;
	at[3] = irq;
	put32(at + 4, irq_gsi(irq));
	put16(at + 8, flags);
	return at + at[1];
}

static uint8_t *put_processor(uint8_t *at)
{
	at[1] = 8; /* type 0, UID 0, APIC ID 0 */
	put32(at + 4, MADT_ENABLED);
	return at + at[1];
}

static uint8_t *put_ioapic(uint8_t *at)
{
	at[0] = 1;
	at[1] = 12;
	at[2] = APIC_IOAPIC_ID;
	put32(at + 4, (uint32_t)IOAPIC_GPA);
	return at + at[1];
}

/* The NMI of every processor: LINT1, as the bus has it. */
static uint8_t *put_nmi(uint8_t *at)
{
	at[0] = 4;
	at[1] = 6;
	at[2] = MADT_ALL_PROCESSORS;
	at[5] = LINT1;
	return at + at[1];
}

static void build_madt(struct tables *tables)
{
	uint8_t *madt = tables->page + tables->next, *at = madt + MADT_ENTRIES;

	put32(madt + MADT_LAPIC_ADDRESS, (uint32_t)LAPIC_PAGE_GPA);
	put32(madt + MADT_FLAGS, tables->chips->pic ? MADT_PCAT_COMPAT : 0);
	at = put_processor(at);
	at = put_ioapic(at);
	at = put_override(at, 0, MADT_AS_BUS);
	at = put_override(at, PM_SCI_IRQ, MADT_HIGH_LEVEL);
	at = put_nmi(at);
	seal(madt, "APIC", MADT_REVISION, (size_t)(at - madt));
	list(tables);
}

/* The address is in memory, which is kind 0 (5.2.3.2); its width does not count. */
static void build_hpet(struct tables *tables)
{
	uint8_t *table = tables->page + tables->next;

	put32(table + HPET_TABLE_BLOCK_ID, tables->chips->hpet_block_id);
	put64(table + HPET_TABLE_ADDRESS + 4, HPET_BASE_GPA);
	put16(table + HPET_TABLE_MINIMUM_TICK, HPET_MINIMUM_TICK);
	seal(table, "HPET", HPET_TABLE_REVISION, HPET_TABLE_BYTES);
	list(tables);
}

static void build_facs(uint8_t *facs)
{
	memcpy(facs, "FACS", 4);
	put32(facs + HEADER_LENGTH, FACS_BYTES);
	facs[FACS_VERSION] = 2;
}

/* The devices that no bus can enumerate, each where the machine has it. */
static void put_devices(struct aml *aml, const struct acpi_chips *chips)
{
	const struct {
		bool present;
		struct aml_device device;
	} rows[] = {
		{ chips->pic, { "PIC_", 0x0000, { { 0x20, 2 }, { 0xa0, 2 } }, .irqs = 1u << 2 } },
		{ chips->pit, { "TIMR", 0x0100, { { 0x40, 4 } }, .irqs = 1u << 0 } },
		{ chips->rtc, { "RTC_", 0x0b00, { { RTC_PORT_INDEX, 2 } }, .irqs = 1u << RTC_IRQ } },
		{ chips->hpet, { "HPET", 0x0103, .memory_gpa = HPET_BASE_GPA, .memory_bytes = HPET_BYTES } },
		{ chips->uart, { "COM1", 0x0501, { { 0x3f8, 8 } }, .irqs = 1u << 4 } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].present)
			aml_put_device(aml, &rows[i].device);
}

static void build_dsdt(struct tables *tables)
{
	static const uint8_t s5[] = { PM_SLP_TYP_S5, PM_SLP_TYP_S5, 0, 0 };
	uint8_t *dsdt = tables->page + tables->next;
	struct aml aml = { dsdt + HEADER_BYTES };
	uint8_t *scope;

	aml_name_package(&aml, "_S5_", s5, sizeof s5);
	scope = aml_open_scope(&aml, "_SB_");
	put_devices(&aml, tables->chips);
	aml_close(&aml, scope);
	ASSERT(aml.at <= tables->page + ACPI_TABLES_BYTES);
	seal(dsdt, "DSDT", 2, (size_t)(aml.at - dsdt));
	tables->dsdt = place(tables);
}

void acpi_tables_build(const struct guest_ram *ram, const struct acpi_chips *chips)
{
	struct tables tables = { .chips = chips, .next = FIRST_TABLE };

	tables.page = ram->span(ram->context, ACPI_TABLES_RSDP_GPA, ACPI_TABLES_BYTES);
	ASSERT(tables.page);
	memset(tables.page, 0, ACPI_TABLES_BYTES);
	build_facs(tables.page + FACS);
	build_dsdt(&tables);
	build_fadt(&tables);
	if (chips->apic)
		build_madt(&tables);
	if (chips->hpet)
		build_hpet(&tables);
	build_roots(&tables);
}
