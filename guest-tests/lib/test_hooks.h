/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hooks of a test build of Foliot, by which a guest changes the rate and spoils clocks (docs/testing.md, "The test build"). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The clocks that can be spoiled, by Foliot's numbers (vm/test_hooks.h). */
enum hook_clock { HOOK_TSC, HOOK_PVCLOCK, HOOK_HYPERV_PAGE, HOOK_HYPERV_MSR, HOOK_PIT, HOOK_RTC, HOOK_PMTIMER, HOOK_HPET, HOOK_LAPIC };

/* Whether this is such a build; without, the rest does nothing. */
bool hooks_present(void);

/* The rate is num/den: at once; or when after_ns of guest time are over. */
void hook_rate(uint32_t num, uint32_t den);
void hook_rate_after(uint32_t num, uint32_t den, uint32_t after_ns);

/* Starts a walk of so many random changes, each rate for 2^8 to 2^longest_bits ns of host time; 0: ends the walk. */
void hook_walk(uint32_t changes, uint32_t seed, uint32_t longest_bits);

/* How many changes of the rate there have been by these hooks. */
uint32_t hook_changes(void);

/* The bed's own clock, which the line does not go by, in ns. */
uint64_t hook_bed_ns(void);

/* The clock goes ppm too fast from now on; steps back by ns, once, when that shows. */
void hook_ppm(enum hook_clock clock, int32_t ppm);
void hook_step(enum hook_clock clock, uint32_t ns);
