/* SPDX-License-Identifier: BSD-2-Clause
 *
 * HLT: an interrupt ends it, none that is masked does, time passes in it, and STI; HLT loses nothing (APM 3 "HLT",
 * "STI"). */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

const char test_name[] = "halt";

static volatile uint64_t woken_tsc;

static void note_time(void)
{
	woken_tsc = rdtsc();
}

static void wakes_in_time(void)
{
	unsigned early = 0, late = 0;
	uint64_t cost = 20 * port_cost_ns() + 100 * NS_PER_US;

	irq_handlers[0] = note_time;
	irq_mask(0, false);
	for (uint16_t count = 60; count < 60000; count = (uint16_t)(count * 2)) {
		uint64_t start = rdtsc(), wanted = count * NS_PER_SECOND / PIT_HZ;

		pit_program(0, PIT_BOTH, 0, false, count);
		sti_hlt_cli();
		early += woken_tsc - start < wanted;
		late += woken_tsc - start > wanted + cost;
	}
	irq_mask(0, true);
	report(!early, "HLT never ends early: %u of 10 did", early);
	report(!late, "HLT ends when the PIT's count does: %u of 10 were late by more than %llu ns", late, cost);
}

/* The request is there before HLT: STI's shadow lets HLT begin, and the interrupt ends it. */
static void pending_before(void)
{
	uint32_t before = irq_counts[0];
	uint64_t start;

	pit_program(0, PIT_BOTH, 0, false, 2);
	start = rdtsc();
	while (rdtsc() - start < NS_PER_MS)
		;
	irq_mask(0, false);
	start = rdtsc();
	sti_hlt_cli();
	irq_mask(0, true);
	report(irq_counts[0] == before + 1 && rdtsc() - start < NS_PER_SECOND,
	       "an interrupt that waits before STI; HLT ends it at once");
}

/* IRQ 0 is masked and comes first: HLT goes on until the RTC's interrupt. */
static void masked_does_not_wake(void)
{
	uint64_t start = rdtsc();

	irq_handlers[0] = note_time;
	pit_program(0, PIT_BOTH, 2, false, 11932); /* 10 ms, masked */
	outb(0x70, 0x0A);
	outb(0x71, 0x2F); /* 2 Hz */
	outb(0x70, 0x0C);
	inb(0x71);
	irq_mask(8, false);
	outb(0x70, 0x0B);
	outb(0x71, 0x42);
	sti_hlt_cli();
	outb(0x70, 0x0B);
	outb(0x71, 0x02);
	irq_mask(8, true);
	report(irq_counts[8] == 1, "HLT ends by IRQ 8");
	outb(0x70, 0x0C);
	inb(0x71);
	report(rdtsc() - start < 2 * NS_PER_SECOND, "within its half second: %llu ns", rdtsc() - start);
}

static void many(void)
{
	uint32_t before = irq_counts[0], wakes = 0, n = 500;
	uint64_t start;

	irq_handlers[0] = 0;
	pit_program(0, PIT_BOTH, 2, false, 1193);
	irq_mask(0, false);
	start = rdtsc();
	for (; wakes < n && rdtsc() - start < 10 * NS_PER_SECOND; wakes++)
		sti_hlt_cli();
	irq_mask(0, true);
	report(irq_counts[0] - before >= wakes, "%u halts, %u interrupts: no halt ended without one", wakes,
	       irq_counts[0] - before);
}

void test_main(void)
{
	wakes_in_time();
	pending_before();
	masked_does_not_wake();
	many();
	if (option_is("how", "forever")) {
		report(true, "now HLT with interrupts disabled: nothing more may come");
		print_drain();
		cli();
		__asm__ volatile("hlt");
		report(false, "HLT with interrupts disabled ended");
	}
}
