/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's interrupt controllers: the local APIC is enabled in the mode that firmware left it in (APM 2 16.3,
 * 16.9), the legacy PICs and the I/O APICs are masked, as Foliot uses no device's interrupt. */
#pragma once

#include "host/acpi.h"
#include "host/cpu.h"

#include <stdint.h>

enum lapic_register {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

/* The registers in memory; NULL: x2APIC mode, they are MSRs. */
extern volatile uint8_t *lapic_registers;

static inline uint32_t lapic_read(enum lapic_register reg)
{
	if (lapic_registers)
		return *(volatile uint32_t *)(lapic_registers + reg);
	return (uint32_t)rdmsr(0x800u + (reg >> 4));
}

static inline void lapic_write(enum lapic_register reg, uint32_t value)
{
	if (lapic_registers)
		*(volatile uint32_t *)(lapic_registers + reg) = value;
	else
		wrmsr(0x800u + (reg >> 4), value);
}

/* Enables the local APIC, masks everything else. Stops with message 131 where there is no local APIC. */
void apic_init(const struct acpi_machine *acpi);

/* Acknowledges an interrupt that nobody asked for, if it came from the local APIC. */
void lapic_end_unexpected(uint8_t vector);
