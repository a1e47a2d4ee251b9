/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The one timer of the host: the local APIC's, one-shot (APM 2 16.4.1; SDM 3A 11.5.4). In TSC-deadline mode
 * where the processor has it, else as a count from the calibrated ratio. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Puts the timer's vector in place: its interrupt is acknowledged and does nothing else, as it has ended the guest's run or
 * the halt. After apic_init and calibration. */
void timer_init(uint64_t tsc_hz, uint64_t lapic_hz);

/* The interrupt comes when the host TSC has reached the deadline or as soon as can be after it; at once if it
 * has. Never early, except that a deadline beyond the counter's range fires at the end of the range, to be
 * armed again. Replaces what was armed. */
void timer_arm(uint64_t deadline_host_tsc);

void timer_stop(void);

/* Whether the hardware compares the TSC itself. */
bool timer_has_deadline_mode(void);
