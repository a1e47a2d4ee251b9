/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Timer storms: a PIT count of 2 or 1 and the RTC at 8192 Hz with interrupts on, more than any machine takes at
 * high rates. The guest gets its interrupts and, once it masks them, goes on as if nothing had been: afterwards a
 * 100 Hz tick is exact again. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define ENOUGH 2000u

const char test_name[] = "storm";

static volatile uint32_t left;

static void count_down(void)
{
	if (left)
		left--;
	if (!left)
		irq_mask(0, true);
}

static void storm(unsigned mode, uint16_t count)
{
	uint64_t start = rdtsc();

	left = ENOUGH;
	irq_handlers[0] = count_down;
	pit_program(0, PIT_BOTH, mode, false, count);
	irq_mask(0, false);
	sti();
	while (left && rdtsc() - start < 20 * NS_PER_SECOND)
		;
	cli();
	irq_mask(0, true);
	report(!left, "mode %u, count %u: %u interrupts came, and the guest goes on", mode, count, ENOUGH - left);
	irq_handlers[0] = 0;
}

/* Illegal counts (8254, modes 2 and 3: at least 2): interrupts or none, but the guest goes on. */
static void illegal(unsigned mode)
{
	uint64_t start = rdtsc();

	if (on_plain_qemu()) {
		report_skip("plain QEMU hangs at count 1 in mode %u", mode);
		return;
	}
	left = ENOUGH;
	irq_handlers[0] = count_down;
	pit_program(0, PIT_BOTH, mode, false, 1);
	irq_mask(0, false);
	sti();
	while (left && rdtsc() - start < 2 * NS_PER_MS)
		;
	cli();
	irq_mask(0, true);
	report(true, "mode %u, count 1: %u interrupts came, and the guest goes on", mode, ENOUGH - left);
	irq_handlers[0] = 0;
}

static void count_down_rtc(void)
{
	rtc_read(RTC_C);
	if (left)
		left--;
	if (!left)
		rtc_write(RTC_B, RTC_B_24H);
}

static void rtc_storm(void)
{
	left = ENOUGH;
	rtc_write(RTC_A, RTC_A_RUN | 3);
	rtc_listen(RTC_B_PIE);
	irq_handlers[8] = count_down_rtc;
	while (left)
		sti_hlt_cli();
	rtc_deafen();
	report(!left, "RTC at 8192 Hz: %u interrupts came, and the guest goes on", ENOUGH - left);
}

static void calm_again(void)
{
	struct sample s;
	uint32_t irqs = irq_counts[0];
	uint64_t least, most;

	s.before = rdtsc();
	pit_program(0, PIT_BOTH, 2, false, 11932);
	s.after = rdtsc();
	irq_mask(0, false);
	while (rdtsc() - s.after < 500 * NS_PER_MS)
		sti_hlt_cli();
	least = ticks_floor(rdtsc() - s.after, PIT_HZ) / 11932;
	sti_nop_cli();
	irq_mask(0, true);
	irqs = irq_counts[0] - irqs;
	most = ticks_ceil(rdtsc() - s.before, PIT_HZ) / 11932;
	report(irqs + 1 >= least && irqs <= most + 1, "then 100 Hz is exact again: %u interrupts, %llu to %llu due",
	       irqs, least, most);
}

void test_main(void)
{
	storm(2, 2);
	storm(3, 2);
	illegal(2);
	illegal(3);
	rtc_storm();
	calm_again();
}
