/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a test build of Foliot (make build/foliot-test.elf) has more than Foliot: a guest can change the rate by itself, and clocks can be made
 * wrong, so that the tests which hold the clocks against each other can be seen to fail. tests/image/test_hooks.c is all of it; in Foliot
 * itself nothing of it is left. docs/testing.md describes both. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct settings;

/* The clocks that can be made wrong, by the numbers that guests use. */
enum test_clock {
	TEST_CLOCK_TSC,
	TEST_CLOCK_PVCLOCK,
	TEST_CLOCK_HYPERV_PAGE,
	TEST_CLOCK_HYPERV_MSR,
	TEST_CLOCK_PIT,
	TEST_CLOCK_RTC,
	TEST_CLOCK_PMTIMER,
	TEST_CLOCK_HPET,
	TEST_CLOCK_LAPIC,
	TEST_CLOCK_COUNT,
};

#ifdef FOLIOT_TEST_BUILD

/* spoil=<clock>,<n>ppm or spoil=<clock>,<n>ns of the command line. False: it is neither. */
bool test_hooks_set_spoil(struct settings *settings, const char *value);

/* The machine is built and its time has started. */
void test_hooks_start(struct machine *machine);

/* What a clock shows that is not read by a chip's ports or registers, where it ought to show tsc, or to be read at now_ns. */
uint64_t test_hooks_tsc(const struct machine *machine, uint64_t tsc);
uint64_t test_hooks_ns(enum test_clock clock, uint64_t now_ns);

/* The guest has written an MSR of Hyper-V's, and thereby perhaps its page. */
void test_hooks_hyperv_written(void);

#else

static inline void test_hooks_start(struct machine *machine)
{
	(void)machine;
}

static inline uint64_t test_hooks_tsc(const struct machine *machine, uint64_t tsc)
{
	(void)machine;
	return tsc;
}

static inline uint64_t test_hooks_ns(enum test_clock clock, uint64_t now_ns)
{
	(void)clock;
	return now_ns;
}

static inline void test_hooks_hyperv_written(void)
{
}

#endif
