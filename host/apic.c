/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Quieting the host's interrupt controllers. */
#include "host/apic.h"

#include "host/interrupts.h"
#include "host/memory.h"
#include "host/message.h"

#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull
#define SVR_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)

#define IOAPIC_SELECT 0x00u
#define IOAPIC_DATA 0x10u
#define IOAPIC_VERSION 1u
#define IOAPIC_PIN 0x10u
#define IOAPIC_HPA 0xfec00000ull

volatile uint8_t *lapic_registers;

/* 8259A data sheet: initialised to vectors away from the exceptions, in case one is spurious, then masked. */
static void mask_pics(void)
{
	out8(0x20, 0x11);
	out8(0xa0, 0x11);
	out8(0x21, 0x30);
	out8(0xa1, 0x38);
	out8(0x21, 0x04);
	out8(0xa1, 0x02);
	out8(0x21, 0x01);
	out8(0xa1, 0x01);
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
}

/* 82093AA data sheet 3.2. */
static void mask_ioapic(uint64_t hpa)
{
	volatile uint8_t *registers = host_map_mmio(hpa, 32);
	volatile uint32_t *select = (volatile uint32_t *)(registers + IOAPIC_SELECT);
	volatile uint32_t *data = (volatile uint32_t *)(registers + IOAPIC_DATA);
	uint32_t pins;

	*select = IOAPIC_VERSION;
	if (*data == UINT32_MAX)
		return; /* nothing there */
	pins = (*data >> 16 & 0xff) + 1;
	for (uint32_t i = 0; i < pins; i++) {
		*select = IOAPIC_PIN + 2 * i;
		*data = LVT_MASKED;
	}
}

static void mask_ioapics(const struct acpi_machine *acpi)
{
	for (size_t i = 0; i < acpi->ioapic_count; i++)
		mask_ioapic(acpi->ioapics[i].hpa);
	if (!acpi->present)
		mask_ioapic(IOAPIC_HPA);
}

static void enable_lapic(void)
{
	uint64_t base = 0;

	if (!(cpuid(1, 0).edx & 1u << 9) || !rdmsr_safe(MSR_APIC_BASE, &base))
		message_fatal(131, "this processor has no local APIC (CPUID 1 EDX is %08xh, bit 9 is 0): Foliot needs its timer; "
		              "enable the APIC in the firmware's setup", cpuid(1, 0).edx);
	if (!(base & APIC_BASE_ENABLE)) {
		base |= APIC_BASE_ENABLE;
		wrmsr_safe(MSR_APIC_BASE, base);
	}
	if (!(base & APIC_BASE_X2APIC))
		lapic_registers = host_map_mmio(base & APIC_BASE_ADDRESS, PAGE_BYTES);
}

void apic_init(const struct acpi_machine *acpi)
{
	enable_lapic();
	mask_pics();
	mask_ioapics(acpi);
	lapic_write(APIC_LVT_TIMER, LVT_MASKED);
	lapic_write(APIC_LVT_LINT0, LVT_MASKED);
	lapic_write(APIC_TPR, 0);
	lapic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

void lapic_end_unexpected(uint8_t vector)
{
	enum lapic_register isr = (enum lapic_register)(APIC_ISR + (vector >> 5) * 0x10u);

	if (lapic_read(isr) & 1u << (vector & 31))
		lapic_write(APIC_EOI, 0);
}
