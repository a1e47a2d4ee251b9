/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bed's own clock: a counter of the host that guest time is not made from, read raw. Whoever doubts the calibration compares the two. */
#pragma once

#include "host/acpi.h"

#include <stdint.h>

/* Takes the HPET (IA-PC HPET 1.0a 2.3), else the PM timer (ACPI 6.4 4.8.3.3). At boot, after the calibration has used them. */
void bed_clock_init(const struct acpi_machine *acpi);

/* Counts from 0 again. */
void bed_clock_restart(void);

/* Nanoseconds since bed_clock_restart, rounded down; and which counter it is: "hpet", "pm-timer", or "none" with 0. */
const char *bed_clock_read(uint64_t *ns);

/* To be called at least once a second: the PM timer wraps within five. */
void bed_clock_keep(void);
