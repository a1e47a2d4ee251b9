/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A thousand ticks of each periodic timer from its first one on: of the PIT's channel 0 in modes 2 and 3 (Intel 8254), and of the RTC, whose
 * divider is started for it (Motorola MC146818A, "Divider stages"). None is early: tick n comes n periods after the timer was started, or
 * later. With a trace of the run (foliot-run --trace) the same ticks can be compared between beds. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define TICKS 1000u
#define LONGEST_S 20u
#define RTC_HZ 32768u
#define PIT_IRQ 0
#define RTC_IRQ 8
#define RTC_A_RESET 0x70

const char test_name[] = "ticks";

static volatile uint32_t taken, early;
static volatile bool ended;
static uint64_t started;
static uint32_t spoil; /* ticks that a control expects later than they come */
static uint32_t period, hz; /* ticks of the timer's own clock, and its frequency */

/* The last one masks the line: where ticks come faster than they are taken, nothing but the handler runs. */
static void judge(unsigned irq)
{
	uint64_t after = rdtsc() - started;

	taken++;
	early += after < (uint64_t)(taken + spoil) * period * NS_PER_SECOND / hz;
	ended = taken >= TICKS || after > LONGEST_S * NS_PER_SECOND;
	if (ended)
		irq_mask(irq, true);
}

static void judge_pit(void)
{
	judge(PIT_IRQ);
}

static void judge_rtc(void)
{
	rtc_read(RTC_C);
	judge(RTC_IRQ);
}

static void begin(uint32_t ticks, uint32_t frequency)
{
	period = ticks;
	hz = frequency;
	taken = early = 0;
	ended = false;
	started = rdtsc();
}

static void wait(void)
{
	while (!ended)
		sti_hlt_cli();
}

static void pit(unsigned mode, uint16_t count)
{
	outb(0x43, PIT_BOTH); /* mode 0 without a count: it stands */
	irq_handlers[PIT_IRQ] = judge_pit;
	irq_mask(PIT_IRQ, false);
	sti_nop_cli(); /* what was pending */
	begin(count, PIT_HZ);
	pit_program(0, PIT_BOTH, mode, false, count);
	wait();
	irq_mask(PIT_IRQ, true);
	irq_handlers[PIT_IRQ] = 0;
	report(taken >= TICKS && !early, "PIT, mode %u, count %u: %u ticks, %u of them early", mode, count, taken, early);
}

static void rtc(uint8_t select)
{
	uint8_t b = rtc_read(RTC_B);

	rtc_write(RTC_A, RTC_A_RESET | select);
	rtc_read(RTC_C);
	irq_handlers[RTC_IRQ] = judge_rtc;
	irq_mask(RTC_IRQ, false);
	rtc_write(RTC_B, b | RTC_B_PIE);
	begin(1u << (select - 1), RTC_HZ);
	rtc_write(RTC_A, RTC_A_RUN | select);
	wait();
	rtc_write(RTC_B, b);
	irq_mask(RTC_IRQ, true);
	irq_handlers[RTC_IRQ] = 0;
	report(taken >= TICKS && !early, "RTC, %u Hz: %u ticks, %u of them early", RTC_HZ >> (select - 1), taken, early);
}

void test_main(void)
{
	spoil = (uint32_t)option_number("control", 0) * 3;
	pit(2, 1193);
	pit(3, 2387);
	rtc(6);
	rtc(5);
}
