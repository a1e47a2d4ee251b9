/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timer of the local APIC (SDM 3A 11.5.4), whose registers are in the page or MSRs: one-shot, periodic, by a deadline of the TSC. The count is
 * that of the TSC, and no interrupt is early, lost or one too many; whatever is written, the guest goes on. */
#include "guest-tests/lib/lapic.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define TIMER_VECTOR 0xD1u
#define LONGEST 0xFFFFFFFFu
#define PERIODS 20u
#define STORM 1000u

const char test_name[] = "lapic-timer";

static uint64_t early_by_ns; /* the control: as if it had been started that much later */

static volatile uint32_t fired;
static volatile uint64_t fired_tsc;

/* Where it was started, between two TSC reads, and the time of a period; early: interrupts that came before they were due. */
static volatile uint64_t start_tsc, started_tsc, period_ns;
static volatile uint32_t early, stop_at;

static void on_timer(void)
{
	fired_tsc = rdtsc();
	fired++;
	early += fired_tsc - start_tsc < fired * period_ns + early_by_ns;
	if (fired == stop_at)
		lapic_write(LAPIC_INITIAL, 0);
	lapic_write(LAPIC_EOI, 0);
}

/* Starts counting in the given mode with each count lasting so many ns. */
static void start_timer(uint32_t mode, uint32_t divide, uint32_t count)
{
	lapic_write(LAPIC_LVT_TIMER, mode | TIMER_VECTOR);
	lapic_write(LAPIC_DIVIDE, divide);
	fired = early = 0;
	start_tsc = rdtsc();
	lapic_write(LAPIC_INITIAL, count);
	started_tsc = rdtsc();
}

static void stop_timer(void)
{
	lapic_write(LAPIC_INITIAL, 0);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED | TIMER_VECTOR);
	stop_at = 0;
}

/* A time that is long against an exit, at any rate. */
static uint32_t some_ns(void)
{
	uint64_t ns = 40 * port_cost_ns();

	return ns < 200000 ? 200000 : ns > 400000000 ? 400000000 : (uint32_t)ns;
}

static void counts(uint32_t divide, uint32_t by)
{
	unsigned wrong = 0, rising = 0;
	uint32_t last = LONGEST;

	start_timer(LAPIC_MASKED, divide, LONGEST);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t before = rdtsc();
		uint32_t count = lapic_read(LAPIC_CURRENT), counted = LONGEST - count;
		uint64_t after = rdtsc();

		wrong += counted < (before - started_tsc) / by || counted > (after - start_tsc) / by;
		rising += count > last;
		last = count;
	}
	report(!wrong && !rising, "%s: divided by %u, it counts as the TSC does: %u of 200 are not in step, %u rise", lapic_mode(), by, wrong, rising);
	stop_timer();
	report(lapic_read(LAPIC_CURRENT) == 0, "%s: a count of 0 stops it: %u", lapic_mode(), lapic_read(LAPIC_CURRENT));
}

static void one_shot(uint32_t divide, uint32_t by)
{
	uint32_t count = some_ns() / by + 1;

	period_ns = (uint64_t)count * by;
	start_timer(0, divide, count);
	sleep_until_changed(&fired, 0, (uint32_t)(8 * period_ns / 1000));
	report(fired == 1 && !early, "%s: one-shot of %u * %u ns: %u interrupts, %u early, %u us late", lapic_mode(), count, by, fired, early,
	       (uint32_t)((fired_tsc - start_tsc - period_ns) / 1000));
	sleep_us((uint32_t)(2 * period_ns / 1000));
	report(fired == 1 && lapic_read(LAPIC_CURRENT) == 0, "%s: it fires once, and stands at 0: %u, %u", lapic_mode(), fired, lapic_read(LAPIC_CURRENT));
	stop_timer();
}

/* As many interrupts as periods, but for the one that is on its way when it is stopped. */
static void periodic(uint32_t divide, uint32_t by)
{
	uint32_t count = some_ns() / by + 1, least;
	uint64_t stopped_tsc;

	period_ns = (uint64_t)count * by;
	start_timer(LAPIC_PERIODIC, divide, count);
	while (fired < PERIODS && sleep_until_changed(&fired, fired, (uint32_t)(8 * period_ns / 1000)))
		continue;
	stopped_tsc = rdtsc();
	stop_timer();
	least = (uint32_t)((stopped_tsc - started_tsc) / period_ns);
	report(fired >= PERIODS && fired + 1 >= least && !early, "%s: periodic, %u * %u ns: %u interrupts in %u periods, %u early", lapic_mode(), count,
	       by, fired, least, early);
	sleep_us((uint32_t)(2 * period_ns / 1000));
	report(fired <= least + 1, "%s: stopped it is quiet: %u", lapic_mode(), fired);
}

static void masked_timer(void)
{
	uint32_t ns = some_ns();

	period_ns = ns;
	start_timer(LAPIC_MASKED, LAPIC_DIVIDE_BY_1, ns);
	sleep_us(2 * ns / 1000);
	lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
	sti_nop_cli();
	report(!fired && !lapic_read(LAPIC_CURRENT), "%s: a masked interrupt is lost: %u", lapic_mode(), fired);
	start_timer(0, LAPIC_DIVIDE_BY_1, ns);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_PERIODIC | TIMER_VECTOR);
	sleep_us(3 * ns / 1000);
	report_but_qemu(!fired && !lapic_read(LAPIC_CURRENT), "%s: a change of the mode disarms it: %u, %u", lapic_mode(), fired, lapic_read(LAPIC_CURRENT));
	stop_timer();
}

/* A new divider while it runs: the count goes on from where it was. */
static void divider_changes(void)
{
	uint32_t before, after;

	start_timer(LAPIC_MASKED, LAPIC_DIVIDE_BY_1, LONGEST);
	sleep_us(1000);
	before = lapic_read(LAPIC_CURRENT);
	lapic_write(LAPIC_DIVIDE, 0xA); /* by 128 */
	after = lapic_read(LAPIC_CURRENT);
	sleep_us(1000);
	report_but_qemu(after <= before && lapic_read(LAPIC_CURRENT) <= after, "%s: a new divider goes on from the count: %u, %u, %u", lapic_mode(), before, after,
	       lapic_read(LAPIC_CURRENT));
	stop_timer();
}

static void deadline_fires(uint64_t ahead_ns)
{
	uint64_t deadline, shown;

	fired = early = 0;
	period_ns = 0;
	start_tsc = 0;
	deadline = rdtsc() + ahead_ns;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	shown = rdmsr(MSR_TSC_DEADLINE);
	sleep_until_changed(&fired, 0, (uint32_t)(8 * ahead_ns / 1000) + 1000);
	report(fired == 1 && fired_tsc >= deadline + early_by_ns, "%s: a deadline in %u us: %u interrupts, %d us late", lapic_mode(),
	       (uint32_t)(ahead_ns / 1000), fired, (int)((fired_tsc - deadline) / 1000));
	report((shown == deadline || rdtsc() - deadline < ahead_ns * 8) && rdmsr(MSR_TSC_DEADLINE) == 0, "%s: its MSR shows it until then",
	       lapic_mode());
	sleep_us(100);
	report(fired == 1, "%s: it fires once", lapic_mode());
}

static void deadlines(void)
{
	static const uint64_t past[] = { 1, 1000 };
	static const uint64_t far[] = { UINT64_MAX, 1ull << 63, UINT64_MAX - 1 };

	if (!(cpuid(1, 0).ecx & 1u << 24)) {
		report_skip("%s: TSC deadlines, which this processor has not", lapic_mode());
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, LAPIC_DEADLINE | TIMER_VECTOR);
	deadline_fires(some_ns());
	deadline_fires(10 * some_ns());
	for (unsigned i = 0; i < sizeof past / sizeof *past; i++) {
		fired = 0;
		wrmsr(MSR_TSC_DEADLINE, i ? rdtsc() - past[i] : past[i]);
		sti_nop_cli();
		sleep_us(10);
		report(fired == 1 && rdmsr(MSR_TSC_DEADLINE) == 0, "%s: a deadline in the past fires at once, once: %u", lapic_mode(), fired);
	}
	fired = 0;
	for (unsigned i = 0; i < sizeof far / sizeof *far; i++) {
		wrmsr(MSR_TSC_DEADLINE, far[i]);
		sleep_us(1000);
		report(!fired && rdmsr(MSR_TSC_DEADLINE) == far[i], "%s: a deadline of %llx waits", lapic_mode(), far[i]);
	}
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000000);
	wrmsr(MSR_TSC_DEADLINE, 0);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000000);
	lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
	report(rdmsr(MSR_TSC_DEADLINE) == 0, "%s: another mode disarms it", lapic_mode());
	wrmsr(MSR_TSC_DEADLINE, 1);
	sti_nop_cli();
	report(!fired && rdmsr(MSR_TSC_DEADLINE) == 0, "%s: and ignores deadlines: %u", lapic_mode(), fired);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_DEADLINE | TIMER_VECTOR);
	lapic_write(LAPIC_INITIAL, 1000);
	report(!lapic_read(LAPIC_CURRENT), "%s: the deadline mode ignores counts: %u", lapic_mode(), lapic_read(LAPIC_CURRENT));
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED | TIMER_VECTOR);
}

/* 1 ns: as many interrupts as the processor can take, and the guest goes on where it stops them. */
static void storm(void)
{
	if (on_plain_qemu()) {
		report_skip("a period of 1 ns, which QEMU does not survive");
		return;
	}
	period_ns = 0;
	stop_at = STORM;
	start_timer(LAPIC_PERIODIC, LAPIC_DIVIDE_BY_1, 1);
	sti();
	while (fired < STORM)
		__asm__ volatile("pause" : : : "memory");
	cli();
	stop_timer();
	report(fired >= STORM, "%s: %u interrupts of a period of 1 ns, and on", lapic_mode(), fired);
	lapic_end_all();
}

static void timer(void)
{
	static const struct {
		uint32_t divide, by;
	} dividers[] = { { 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 }, { 0x8, 32 }, { 0x9, 64 }, { 0xA, 128 }, { 0xB, 1 } };

	vector_handlers[TIMER_VECTOR] = on_timer;
	for (unsigned i = 0; i < sizeof dividers / sizeof *dividers; i++)
		counts(dividers[i].divide, dividers[i].by);
	for (unsigned i = 6; i < sizeof dividers / sizeof *dividers; i++) {
		one_shot(dividers[i].divide, dividers[i].by);
		periodic(dividers[i].divide, dividers[i].by);
	}
	masked_timer();
	divider_changes();
	deadlines();
	storm();
}

void test_main(void)
{
	early_by_ns = option_number("control", 0) ? NS_PER_SECOND : 0;
	lapic_enable();
	timer();
	if (!(cpuid(1, 0).ecx & 1u << 21)) {
		report_skip("x2APIC, which this processor has not");
		return;
	}
	lapic_set_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	timer();
}
