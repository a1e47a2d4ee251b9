/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest has the clocks of have= (names as Foliot's clocks= has them) and no other: where one is not, its ports and registers read all ones, its
 * MSRs are #GP, and neither CPUID nor the ACPI tables (ACPI 6.5 5.2.9, 5.2.12, 9.18) tell of it. Where one is, all of these have it. */
#include "guest-tests/lib/acpi.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyperv.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"
#include "base/mem.h"

#define LAPIC_VERSION 0xFEE00030u
#define IOAPIC_INDEX 0xFEC00000u
#define HPET_CAPABILITIES 0xFED00000u
#define ALL_ONES 0xFFFFFFFFu
#define FADT_NO_RTC (1u << 5) /* of IAPC_BOOT_ARCH */

const char test_name[] = "absent";

/* What two witnesses of the same thing say. */
enum seen { NEITHER = 0, FIRST = 1, SECOND = 2, BOTH = 3 };

static enum seen seen(bool first, bool second)
{
	return (first ? FIRST : 0) | (second ? SECOND : 0);
}

/* Whether the four bytes are anywhere in the DSDT. */
static bool dsdt_has(const char id[4])
{
	const uint8_t *fadt = acpi_table("FACP"), *dsdt = fadt ? (const uint8_t *)*(const uint32_t *)(fadt + 40) : NULL;

	for (uint32_t at = 36; dsdt && at + 4 <= *(const uint32_t *)(dsdt + 4); at++)
		if (!memcmp(dsdt + at, id, 4))
			return true;
	return false;
}

static enum seen pit(void)
{
	bool ports = false;

	outb(0x43, 0xB4);
	outb(0x42, 0x34);
	outb(0x42, 0x12);
	for (uint16_t port = 0x40; port < 0x44; port++)
		ports |= port != 0x43 && inb(port) != 0xFF;
	return seen(ports && inb(0x61) != 0xFF, dsdt_has("\x41\xD0\x01\x00"));
}

static enum seen rtc(void)
{
	const uint8_t *fadt = acpi_table("FACP");

	outb(0x70, 0x0D);
	return seen(inb(0x71) == 0x80, dsdt_has("\x41\xD0\x0B\x00") && fadt && !(fadt[109] & FADT_NO_RTC) && fadt[108]);
}

static enum seen hpet(void)
{
	return seen(peek(HPET_CAPABILITIES) != ALL_ONES, acpi_table("HPET") || dsdt_has("\x41\xD0\x01\x03"));
}

/* Its block in the FADT, by both of its addresses and the length; its port. */
static enum seen pmtimer(void)
{
	const uint8_t *fadt = acpi_table("FACP");
	bool told = fadt && (fadt[76] | fadt[77] | fadt[91] | fadt[212] | fadt[213]);

	return seen(inl(0x608) != ALL_ONES, told);
}

static bool has_msr(uint32_t msr)
{
	uint64_t value;

	return rdmsr_safe(msr, &value);
}

static enum seen tsc(void)
{
	bool told = cpuid(1, 0).edx & 1u << 4 || cpuid(7, 0).ebx & 1u << 1 || cpuid(0x15, 0).eax || cpuid(0x80000001, 0).edx & 1u << 27 ||
		    cpuid(0x80000007, 0).edx;

	return seen(has_msr(MSR_TSC) && has_msr(MSR_TSC_ADJUST), told);
}

static enum seen lapic(void)
{
	bool told = cpuid(1, 0).edx & 1u << 9 || cpuid(1, 0).ecx & 1u << 21 || cpuid(6, 0).eax & 1u << 2 || acpi_table("APIC");

	return seen(has_msr(0x1B) && peek(LAPIC_VERSION) != ALL_ONES && peek(IOAPIC_INDEX) != ALL_ONES, told);
}

/* No half of it is left: neither registers without the MSR, nor one APIC without the other. */
static bool lapic_is_whole(bool there)
{
	return has_msr(0x1B) == there && (peek(LAPIC_VERSION) != ALL_ONES) == there && (peek(IOAPIC_INDEX) != ALL_ONES) == there &&
	       (cpuid(1, 0).edx >> 9 & 1) == there && (acpi_table("APIC") != NULL) == there;
}

static enum seen tsc_deadline(void)
{
	return seen(has_msr(0x6E0), cpuid(1, 0).ecx & 1u << 24);
}

static enum seen pvclock(void)
{
	return seen(has_msr(MSR_KVM_SYSTEM_TIME) && has_msr(MSR_KVM_WALL_CLOCK_OLD), pvclock_present());
}

static enum seen hyperv(void)
{
	return seen(has_msr(HV_TIME_REF_COUNT), cpuid(0x40000000, 0).ebx == 0x7263694D && cpuid(0x40000003, 0).eax & 2);
}

static const struct {
	const char *name;
	enum seen (*look)(void);
} clocks[] = {
	{ "pit", pit }, { "rtc", rtc }, { "hpet", hpet }, { "pmtimer", pmtimer }, { "tsc", tsc }, { "lapic", lapic },
	{ "tsc-deadline", tsc_deadline }, { "pvclock", pvclock }, { "hyperv", hyperv },
};

void test_main(void)
{
	for (unsigned i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		bool wanted = option_lists("have", clocks[i].name);
		enum seen found = clocks[i].look();

		if (option_number("control", 0) && !i)
			found ^= BOTH; /* the control: what is there must be seen */
		report(found == (wanted ? BOTH : NEITHER), "%s is %s: by itself %u, by the tables %u", clocks[i].name, wanted ? "there" : "not there",
		       found & FIRST, found >> 1);
	}
	report(lapic_is_whole(option_lists("have", "lapic")), "the APICs are there or not there as a whole");
	report(acpi_table("FACP") && acpi_table("FACP")[88] == 4, "the PM1 registers are there, for the power-off");
}
