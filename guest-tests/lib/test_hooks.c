/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hooks of a test build: four ports. */
#include "guest-tests/lib/test_hooks.h"

#include "guest-tests/lib/cpu.h"

#define PORT_A 0x5F0
#define PORT_B 0x5F4
#define PORT_C 0x5F8
#define PORT_COMMAND 0x5FC
#define MAGIC 0x54534554u

enum command { RATE = 1, RATE_AFTER, WALK, PPM, STEP };

static void command(enum command number, uint32_t a, uint32_t b, uint32_t c)
{
	outl(PORT_A, a);
	outl(PORT_B, b);
	outl(PORT_C, c);
	outl(PORT_COMMAND, number);
}

bool hooks_present(void)
{
	return inl(PORT_COMMAND) == MAGIC;
}

void hook_rate(uint32_t num, uint32_t den)
{
	command(RATE, num, den, 0);
}

void hook_rate_after(uint32_t num, uint32_t den, uint32_t after_ns)
{
	command(RATE_AFTER, num, den, after_ns);
}

void hook_walk(uint32_t changes, uint32_t seed, uint32_t longest_bits)
{
	command(WALK, changes, seed, longest_bits);
}

uint32_t hook_changes(void)
{
	return inl(PORT_A);
}

uint64_t hook_bed_ns(void)
{
	uint32_t low = inl(PORT_B);

	return (uint64_t)inl(PORT_C) << 32 | low;
}

void hook_ppm(enum hook_clock clock, int32_t ppm)
{
	command(PPM, clock, (uint32_t)ppm, 0);
}

void hook_step(enum hook_clock clock, uint32_t ns)
{
	command(STEP, clock, ns, 0);
}
