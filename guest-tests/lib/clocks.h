/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The clocks that a test guest reads and waits by. Whatever the rate of guest time and however slow an exit: a
 * test judges guest clocks by each other only, between a TSC read before and one after. The TSC's frequency is
 * taken as 1 GHz: 1 tick is 1 ns of guest time (tsc/ tests that). */
#pragma once

#include "guest-tests/lib/acpi.h"

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ 1193182u
#define PM_TIMER_HZ 3579545u
#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

extern struct acpi_facts acpi;

void clocks_init(void);

/* A value with the TSC right before and right after it was read. */
struct sample {
	uint64_t before, value, after;
};

/* ns to ticks of a clock of hz, rounded down and up; for at most 2^32 ticks. */
uint64_t ticks_floor(uint64_t ns, uint32_t hz);
uint64_t ticks_ceil(uint64_t ns, uint32_t hz);

/* Whether ticks, counted between the two samples, is what hz gives in the time between them, to within slack ticks. */
bool ticks_agree(const struct sample *start, const struct sample *end, uint64_t ticks, uint32_t hz, uint64_t slack);

/* How many guest ns one emulated port access costs here (reads of port 61h): the most of a few, and the least.
 * Depends on the rate. */
uint64_t port_cost_ns(void);
uint64_t port_cost_least_ns(void);

/* Waits by PIT channel 0 in mode 0, halted; owns IRQ 0 while it runs and leaves it masked. Interrupts that were
 * unmasked are taken meanwhile. Called with interrupts disabled. */
void sleep_us(uint32_t us);

/* Halts until *count differs from old, or us have passed (false). IRQ 0 as in sleep_us. */
bool sleep_until_changed(const volatile uint32_t *count, uint32_t old, uint32_t us);

/* PM timer: the raw counter; ticks between two raw values (at most one wrap). Only where acpi.pm_timer_port is not
 * 0. */
uint32_t pm_timer_read(void);
uint32_t pm_timer_ticks(uint32_t start, uint32_t end);

/* PIT control word (8254 "Control Word Format"). */
enum pit_access { PIT_LATCH = 0x00, PIT_LSB = 0x10, PIT_MSB = 0x20, PIT_BOTH = 0x30 };

/* Programs a channel: access, mode 0-5, BCD or not; then writes the count's bytes as the access wants them. */
void pit_program(unsigned channel, enum pit_access access, unsigned mode, bool bcd, uint16_t count);

/* Latches the channel's count (programmed with PIT_BOTH) and reads it. */
uint16_t pit_read(unsigned channel);
struct sample pit_sample(unsigned channel);

/* Port 61h: the gate of channel 2 (the speaker stays off); its OUT. */
void pit_gate2(bool high);
bool pit_out2(void);

/* A PIT value that was read as expected: in modes 2 and 3 a count from period down to 1. Ticks elapsed since the
 * load. */
uint32_t pit_elapsed(uint16_t value, uint32_t period);
