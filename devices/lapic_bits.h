/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the two halves of the local APIC share: the bits of its registers (SDM 3A 11), and what a write to a register sets off. */
#pragma once

#include "devices/lapic.h"

#define LAPIC_ID 0u
#define LAPIC_X2APIC_LDR 1u /* cluster 0, its first processor: of APIC ID 0 (SDM 3A 11.12.10.2) */
#define LAPIC_FIRST_VECTOR 16u
#define LAPIC_VECTOR 0xffu

#define LAPIC_LVT_PENDING (1u << 12) /* never seen here: what is sent has arrived */
#define LAPIC_LVT_ACTIVE_LOW (1u << 13)
#define LAPIC_LVT_REMOTE_IRR (1u << 14)
#define LAPIC_LVT_LEVEL (1u << 15)
#define LAPIC_LVT_MASKED (1u << 16)

#define LAPIC_MODE_FIXED 0u
#define LAPIC_MODE_LOWEST 1u
#define LAPIC_MODE_NMI 4u
#define LAPIC_MODE_INIT 5u
#define LAPIC_MODE_EXTINT 7u

#define LAPIC_ICR_LOGICAL (1u << 11)
#define LAPIC_ICR_ASSERT (1u << 14)
#define LAPIC_ICR_LEVEL (1u << 15)

#define LAPIC_DFR_FLAT 0xfu
#define LAPIC_DFR_CLUSTER 0u

#define LAPIC_SVR_ENABLE (1u << 8)

#define LAPIC_ERROR_SENT_VECTOR (1u << 5)
#define LAPIC_ERROR_RECEIVED_VECTOR (1u << 6)
#define LAPIC_ERROR_REGISTER (1u << 7)

/* devices/lapic.c. The error is noted, and its interrupt sent unless one was since the last write to the ESR. */
void lapic_error(struct lapic *lapic, uint32_t error);

/* The LVT of a pin, or MSR 1Bh, has changed. */
void lapic_pins_changed(struct lapic *lapic);

/* MSR 1Bh or the SVR was written: whoever waits for the APIC is told where it is enabled. */
void lapic_tell_enabled(const struct lapic *lapic);

/* Sends what the ICR says. */
void lapic_send(struct lapic *lapic);
void lapic_send_self(struct lapic *lapic, uint8_t vector);

/* EOI: the end of the highest vector in service. */
void lapic_end(struct lapic *lapic, uint64_t now_ns);

/* devices/lapic_registers.c. */
void lapic_claim_page(struct lapic *lapic, struct bus *bus);
