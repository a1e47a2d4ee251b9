/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The interrupt controllers' wiring: the 8259A pair to LINT0 and to the IOAPIC's pin 0, the IOAPIC to the local APIC and back, the local
 * APIC's task priority to the processor's CR8, and which of them the processor takes its next interrupt from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct machine;

/* What comes from the APICs besides vectors. */
enum apic_signal { APIC_NMI, APIC_SMI, APIC_INIT };

/* Builds both APICs around the 8259A pair, which must be there, and leaves them as a PC's firmware does: the pair's interrupts pass through
 * LINT0 (virtual wire), the IOAPIC has its ID and masks all pins. */
void apic_build(struct machine *machine);

/* The priority class of the interrupt that the processor is to take next, or would if it did not hold it back by CR8, as want_window takes
 * it; 0: none. *ready: CR8 does not hold it back. */
unsigned apic_next_priority(struct machine *machine, bool *ready);

/* The processor takes the interrupt that was ready: its vector. */
uint8_t apic_acknowledge(struct machine *machine);

/* MSRs 1Bh and 6E0h. False: #GP. */
bool apic_read_msr(struct machine *machine, uint32_t msr, uint64_t *value);
bool apic_write_msr(struct machine *machine, uint32_t msr, uint64_t value);

/* The guest's IOAPIC has this ID: one that no local APIC has. */
#define APIC_IOAPIC_ID 1u
