/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The time-stamp counter never goes back, counts 1 GHz by the PIT and the PM timer, goes on in HLT, takes writes
 * (APM 2 13.2.4; MSR 10h, 3Bh), and obeys CR4.TSD in ring 3. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define CR4_TSD 0x4u
#define RUN_US 200000u

const char test_name[] = "tsc";

static void never_back(void)
{
	uint32_t reads = share(1000000), backward = 0;
	uint64_t last = rdtsc();
	bool spoil = option_number("control", 0);

	for (uint32_t i = 0; i < reads; i++) {
		uint64_t now = rdtsc();

		if (spoil && i == reads / 2)
			now -= 1000000000; /* the control: a clock that does go back must be seen */
		backward += now < last;
		last = now;
	}
	report(!backward, "%u reads, %u of them backward", reads, backward);
}

/* Channel 2 wraps after 55 ms, so it is read again every 20 ms or so. */
static void rate_by_pit(void)
{
	struct sample first, last;
	uint64_t ticks = 0;

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 0);
	sleep_us(10);
	first = last = pit_sample(2);
	while (last.before - first.before < RUN_US * NS_PER_US) {
		struct sample s;

		sleep_us(20000);
		s = pit_sample(2);
		ticks += (uint16_t)(last.value - s.value);
		last = s;
	}
	report(ticks_agree(&first, &last, ticks, PIT_HZ, 1), "1 GHz by the PIT: %llu PIT ticks in %llu ns",
	       ticks, last.before - first.before);
}

static struct sample pm_sample(void)
{
	struct sample s;

	s.before = rdtsc();
	s.value = pm_timer_read();
	s.after = rdtsc();
	return s;
}

static void rate_by_pm_timer(void)
{
	struct sample first, last;
	uint32_t ticks;

	if (!acpi.pm_timer_port) {
		report_skip("no PM timer");
		return;
	}
	first = pm_sample();
	sleep_us(RUN_US);
	last = pm_sample();
	ticks = pm_timer_ticks((uint32_t)first.value, (uint32_t)last.value);
	report(ticks_agree(&first, &last, ticks, PM_TIMER_HZ, 1), "1 GHz by the PM timer: %u of its ticks in %llu ns",
	       ticks, last.before - first.before);
}

/* A write moves the TSC and nothing else: a sleep by the PIT afterwards still takes its time. */
static void write_moves(void)
{
	const uint64_t bases[] = { 0, 1ull << 63, 0xFFFFFFFF00000000ull };
	uint64_t kept = rdtsc();

	for (unsigned i = 0; i < 3; i++) {
		uint64_t now;

		wrmsr(MSR_TSC, bases[i]);
		now = rdtsc() - bases[i];
		/* QEMU TCG ignores a write of MSR 10h. */
		report_but_qemu(now < NS_PER_SECOND / 10, "a write of %llx takes: %llu ns later", bases[i], now);
	}
	wrmsr(MSR_TSC, kept);
	kept = rdtsc();
	sleep_us(1000);
	report(rdtsc() - kept >= 1000 * NS_PER_US, "the TSC goes on from where it was put");
}

/* IA32_TSC_ADJUST (CPUID 7 EBX bit 1): adding to it adds the same to the TSC, and a write to the TSC shows in it. */
static void adjust_moves(void)
{
	uint64_t old = 0, shown = 0, before;

	if (!(cpuid(7, 0).ebx & 2)) {
		report_skip("no TSC_ADJUST");
		return;
	}
	if (!rdmsr_safe(MSR_TSC_ADJUST, &old) || on_plain_qemu()) {
		report_but_qemu(false, "TSC_ADJUST can be read");
		return;
	}
	before = rdtsc();
	wrmsr(MSR_TSC_ADJUST, old + (1ull << 40));
	report(rdtsc() - before >= 1ull << 40 && rdtsc() - before < (1ull << 40) + NS_PER_SECOND,
	       "adding 2^40 to TSC_ADJUST adds as much to the TSC");
	wrmsr(MSR_TSC_ADJUST, old);
	before = rdtsc();
	wrmsr(MSR_TSC, before + (1ull << 40));
	rdmsr_safe(MSR_TSC_ADJUST, &shown);
	report(shown - old >= (1ull << 40) - NS_PER_SECOND && shown - old <= 1ull << 40,
	       "a write to the TSC shows in TSC_ADJUST: %llx", shown - old);
	wrmsr(MSR_TSC_ADJUST, old);
}

static void user_rdtsc(void)
{
	__asm__ volatile("rdtsc\n\tint $0x80" : : : "eax", "edx");
}

static void do_rdtscp(void *unused)
{
	(void)unused;
	__asm__ volatile("rdtscp" : : : "eax", "ecx", "edx");
}

static void ring3(void)
{
	report(user_call(user_rdtsc) == NO_FAULT, "RDTSC runs in ring 3");
	write_cr4(read_cr4() | CR4_TSD);
	report(user_call(user_rdtsc) == X_GP, "RDTSC in ring 3 with CR4.TSD set is #GP");
	rdtsc();
	report(true, "RDTSC in ring 0 with CR4.TSD set runs");
	write_cr4(read_cr4() & ~CR4_TSD);
}

static void rdtscp(void)
{
	bool there = cpuid(0x80000001, 0).edx >> 27 & 1;
	uint32_t vector = guarded_call(do_rdtscp, 0);

	/* QEMU ignores the intercept of RDTSCP where RDTSC has none. */
	if (!there && vector == NO_FAULT && bed_is_qemu())
		report_skip("the bed's processor runs a hidden RDTSCP");
	else
		report(vector == (there ? NO_FAULT : X_UD), "RDTSCP is as CPUID says: %s", there ? "there" : "#UD");
}

/* Three bytes are not yet RDTSCP, which alone writes ECX. */
static void prefixed(void)
{
	uint32_t low, high, ecx = 0x12345678;
	uint64_t before = rdtsc(), between, after;

	__asm__ volatile(".byte 0x2E, 0x0F, 0x31" : "=a"(low), "=d"(high), "+c"(ecx));
	between = (uint64_t)high << 32 | low;
	after = rdtsc();
	report(ecx == 0x12345678 && before <= between && between <= after, "RDTSC behind a prefix shows the TSC and leaves ECX: %x", ecx);
}

void test_main(void)
{
	never_back();
	rate_by_pit();
	rate_by_pm_timer();
	write_moves();
	adjust_moves();
	ring3();
	rdtscp();
	prefixed();
}
