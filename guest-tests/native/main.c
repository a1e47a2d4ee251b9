/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tsc=native: the TSC counts the host's ticks, CPUID gives no rate for it, and KVM's paravirtual clock alone carries guest
 * time (Linux Documentation/virt/kvm/x86/msr.rst). The page agrees with the PM timer (ACPI 6.4 4.8.3.3) at every
 * moment, through stamps, moves of the TSC and changes of the rate, and never goes back.
 *
 * how=reads (the default): nothing but reads from guest time from_ms to to_ms, at which moments Foliot prints its counts of
 * exits (do=): the runner compares them. how=changes: until the page has shown changes= other rates. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"

#define STAMP_TICKS (1ull << 31)
#define PIT_LONGEST 65536u

const char test_name[] = "native";

static volatile struct pvclock_page page __attribute__((aligned(64)));

/* What has been seen of the clock so far. */
static struct {
	uint64_t last_ns, oldest_ticks;
	uint32_t reads, backward, brackets, apart, stamps, changes;
	uint32_t version, mul;
	int8_t shift;
	uint32_t spoil_at;
} seen;

static uint64_t read_clock(void)
{
	uint64_t now = pvclock_read(&page);

	if (++seen.reads == seen.spoil_at)
		now -= NS_PER_SECOND; /* the control: a clock that does go back must be seen */
	seen.backward += now < seen.last_ns;
	seen.last_ns = now;
	return now;
}

/* The PM timer's value lies between those of the clock before and after it: both count guest time from its 0. Where so much time has
 * passed between them that the timer came round, as on a bed that is held up at a rate of 65000, any value would be right. */
static void compare_with_pm_timer(void)
{
	uint64_t before = read_clock(), least, most;
	uint32_t ticks = pm_timer_read(), mask = acpi.pm_timer_32bit ? 0xFFFFFFFFu : 0xFFFFFFu;

	least = ticks_floor(before, PM_TIMER_HZ);
	most = ticks_floor(read_clock(), PM_TIMER_HZ);
	if (most - least >= mask)
		return;
	seen.brackets++;
	seen.apart += ((ticks - (uint32_t)least) & mask) > most - least;
}

/* Notes whether the page was written anew since, and how old it was. */
static void look_at_page(void)
{
	uint64_t age_ticks = rdtsc() - page.tsc_timestamp;
	uint32_t version = page.version;

	if (age_ticks > seen.oldest_ticks)
		seen.oldest_ticks = age_ticks;
	seen.stamps += version != seen.version;
	seen.changes += page.mul != seen.mul || page.shift != seen.shift;
	seen.version = version;
	seen.mul = page.mul;
	seen.shift = page.shift;
}

static void forget(void)
{
	seen.reads = seen.backward = seen.brackets = seen.apart = 0;
	seen.oldest_ticks = 0;
	look_at_page();
	seen.stamps = seen.changes = 0;
}

static void report_clock(const char *when)
{
	report(!seen.backward, "%u reads %s, %u of them backward", seen.reads, when, seen.backward);
	report(seen.brackets && !seen.apart, "%u readings of the PM timer %s, %u of them not where the clock is", seen.brackets, when,
	       seen.apart);
	report(seen.oldest_ticks < STAMP_TICKS, "no stamp is older than 2^31 ticks %s", when);
}

static void leaves(void)
{
	struct cpuid rate = cpuid(0x15, 0), khz = cpuid(0x40000010, 0), power = cpuid(0x80000007, 0);

	report(!(power.edx & 0x100), "the TSC is not called invariant: %x", power.edx);
	report(!(rate.eax | rate.ebx | rate.ecx), "leaf 15h gives no frequency");
	report(!(khz.eax | khz.ebx), "leaf 40000010h gives no frequency");
	report(!(cpuid(1, 0).ecx >> 24 & 1), "there is no TSC-deadline timer");
}

static void enable(void)
{
	uint64_t before, by_msr, after;

	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
	report(page.version && !(page.version & 1) && page.flags & PVCLOCK_TSC_STABLE, "the page is written: version %u, flags %x",
	       page.version, page.flags);
	report(page.mul >> 31, "mul %x has all of its 32 bits, shift is %d", page.mul, page.shift);
	before = rdtsc();
	by_msr = rdmsr(MSR_TSC);
	after = rdtsc();
	report(before <= by_msr && by_msr <= after, "RDMSR 10h shows what RDTSC does");
	forget();
}

/* Foliot counts the exits at both ends; here is nothing but reads, and no exit of the guest's own making. */
static void only_reads(void)
{
	uint64_t from = option_number("from_ms", 0) * NS_PER_MS, to = option_number("to_ms", 0) * NS_PER_MS;
	uint32_t wanted = share(1000000), reads;

	while (read_clock() < from)
		;
	forget();
	while (read_clock() < to)
		;
	reads = seen.reads;
	report(reads >= wanted, "%u reads between two counts of exits, at least %u wanted", reads, wanted);
	report(!seen.backward, "%u of them backward", seen.backward);
}

static void moves_of_the_tsc(void)
{
	static const uint64_t values[] = { 0, 1ull << 63, 0xFFFFFFFFFFFF0000ull, 1ull << 40 };

	forget();
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
		wrmsr(MSR_TSC, values[i]);
		compare_with_pm_timer();
		look_at_page();
	}
	report(rdtsc() - values[3] < NS_PER_SECOND, "a write of MSR 10h moves the TSC");
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + (1ull << 41));
	report(rdtsc() >= 3ull << 40, "so does one of MSR 3Bh");
	compare_with_pm_timer();
	report(seen.stamps >= 4, "each has written the page anew");
	report_clock("while the TSC is moved");
}

static void agreement(void)
{
	forget();
	for (uint32_t i = share(100000); i; i--)
		compare_with_pm_timer();
	look_at_page();
	report_clock("one after the other");
}

static void nothing(void)
{
}

/* Halted for more than 2^32 host ticks, woken by the PIT at 18.2 Hz: stamps come and go, and each tick is at its place. */
static void long_halt(void)
{
	uint64_t start_tsc = rdtsc(), start_ns = read_clock(), passed_ns;
	uint32_t ticks, least, most;

	forget();
	irq_handlers[0] = nothing;
	irq_counts[0] = 0;
	pit_program(0, PIT_BOTH, 2, false, 0);
	irq_mask(0, false);
	while (rdtsc() - start_tsc < 2 * STAMP_TICKS) {
		sti_hlt_cli();
		compare_with_pm_timer();
		look_at_page();
	}
	passed_ns = read_clock() - start_ns;
	irq_mask(0, true);
	ticks = irq_counts[0];
	least = (uint32_t)(ticks_floor(passed_ns, PIT_HZ) / PIT_LONGEST);
	most = least + 1;
	report(ticks + 1 >= least && ticks <= most, "%u ticks of the PIT in %llu ns by the clock", ticks, passed_ns);
	report(seen.stamps >= 3, "%u stamps in 2^32 ticks of the host", seen.stamps);
	report_clock("through a long halt");
}

static void until_changed(void)
{
	uint32_t wanted = option_number("changes", 1000);

	print("native: ready for %u changes\n", wanted);
	print_drain();
	forget();
	while (seen.changes < wanted) {
		for (int i = 0; i < 256; i++)
			read_clock();
		compare_with_pm_timer();
		look_at_page();
	}
	report(true, "%u changes of the rate, %u stamps", seen.changes, seen.stamps);
	report_clock("through every change of the rate");
}

void test_main(void)
{
	if (!pvclock_present() || cpuid(0x80000007, 0).edx & 0x100) {
		report(false, "KVM's clock is there, and Foliot has tsc=native");
		return;
	}
	if (option_number("control", 0))
		seen.spoil_at = 1000;
	leaves();
	enable();
	if (option_is("how", "changes")) {
		until_changed();
		return;
	}
	only_reads();
	agreement();
	moves_of_the_tsc();
	long_halt();
}
