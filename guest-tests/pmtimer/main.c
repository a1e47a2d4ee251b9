/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ACPI PM timer (ACPI 6.4 4.8.2.1, 4.8.3.3): found by the FADT, never goes back, counts 3.579545 MHz by the
 * PIT, wraps at the width that the FADT says, ignores writes, reads bytewise. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

const char test_name[] = "pmtimer";

static void never_back(void)
{
	uint32_t reads = share(200000), backward = 0, last = pm_timer_read();
	bool spoil = option_number("control", 0);

	for (uint32_t i = 0; i < reads; i++) {
		uint32_t now = pm_timer_read();

		if (spoil && i == reads / 2)
			now -= 1000; /* the control: a clock that does go back must be seen */
		backward += pm_timer_ticks(last, now) > 0x7FFFFF;
		last = now;
	}
	report(!backward, "%u reads, %u of them backward", reads, backward);
}

/* Both counters are read between two TSC reads, start and end; ticks of the one follow from those of the other. */
static void rate_by_pit(void)
{
	uint32_t pm_start, pm, pit_ticks = 0;
	uint16_t last, now;
	uint64_t slack, cost;

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 0);
	sleep_us(10);
	cost = rdtsc();
	last = pit_read(2);
	pm_start = pm_timer_read();
	cost = rdtsc() - cost;
	for (int i = 0; i < 10; i++, last = now) {
		sleep_us(20000);
		now = pit_read(2);
		pit_ticks += (uint16_t)(last - now);
	}
	pm = pm_timer_ticks(pm_start, pm_timer_read());
	/* The reads at start and end are each up to 1.5 of this time apart; 3 PM timer ticks are about one of the
	 * PIT. */
	slack = ticks_ceil(3 * cost, PM_TIMER_HZ) + 6;
	report(pm + slack >= (uint64_t)pit_ticks * PM_TIMER_HZ / PIT_HZ &&
	       pm <= (uint64_t)pit_ticks * PM_TIMER_HZ / PIT_HZ + slack,
	       "%u PM timer ticks in %u PIT ticks", pm, pit_ticks);
}

static void wraps(void)
{
	uint32_t last, over = 0, wrapped = 0;

	if (acpi.pm_timer_32bit) {
		report_skip("32 bits wrap after 20 minutes only");
		return;
	}
	last = pm_timer_read();
	for (int i = 0; i < 50; i++) { /* 5 s: 24 bits wrap every 4.69 s */
		uint32_t now;

		sleep_us(100000);
		now = pm_timer_read();
		over |= now >> 24;
		wrapped += now < last;
		last = now;
	}
	report(!over && (wrapped == 1 || wrapped == 2), "24 bits: wrapped %u times in 5 s, bits above are 0", wrapped);
}

static void bytes_and_writes(void)
{
	uint32_t before = pm_timer_read(), after;
	uint8_t high = inb((uint16_t)(acpi.pm_timer_port + 2));

	outl(acpi.pm_timer_port, 0);
	outb(acpi.pm_timer_port, 0xFF);
	after = pm_timer_read();
	/* QEMU takes 4-byte reads only. */
	report_but_qemu((uint8_t)(high - (uint8_t)(before >> 16)) <= (uint8_t)((after - before) >> 16) + 1,
			"a byte read in the middle gives that byte: %x in %x", high, before);
	report(pm_timer_ticks(before, after) < PM_TIMER_HZ / 10, "writes are ignored");
}

void test_main(void)
{
	if (!report(acpi.pm_timer_port, "the FADT names a PM timer port: %x", acpi.pm_timer_port))
		return;
	never_back();
	rate_by_pit();
	wraps();
	bytes_and_writes();
}
