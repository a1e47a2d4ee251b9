/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Measuring the TSC and the local APIC's timer against the machine's HPET (IA-PC HPET 1.0a), ACPI PM timer
 * (ACPI 6.4 4.8.3.3) and PIT (8254 data sheet): at boot, for some 20 to 160 ms. */
#pragma once

#include "host/acpi.h"
#include "host/clock_math.h"

#include <stdint.h>

struct calibration {
	uint64_t tsc_hz;
	uint64_t lapic_hz; /* of the timer's input, undivided */
	uint64_t width_ppb; /* of the interval that tsc_hz was picked from */
	struct calibrate_source sources[CALIBRATE_SOURCES_MAX];
	size_t source_count;
};

/* Stops with message 141 or 142 when the clocks disagree or are not there. After apic_init. */
void calibrate_machine(struct calibration *calibration, const struct acpi_machine *acpi);
