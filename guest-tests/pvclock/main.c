/* SPDX-License-Identifier: BSD-2-Clause
 *
 * KVM's paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst, cpuid.rst): leaves, both pairs of MSRs,
 * version protocol, never backward, the same as the TSC, wall clock as the RTC, re-stamping when the TSC is moved,
 * and addresses that must be refused. */
#include "guest-tests/lib/pvclock.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define GUARD 0xA5A5A5A5u

const char test_name[] = "pvclock";

/* The structure with a guard on each side. */
static volatile struct {
	uint32_t before[8];
	struct pvclock_page page;
	uint32_t after[8];
} area __attribute__((aligned(64)));
static volatile struct pvclock_wall wall __attribute__((aligned(64)));

static void leaves(void)
{
	struct cpuid base = cpuid(0x40000000, 0), features = cpuid(0x40000001, 0), hz = cpuid(0x40000010, 0);

	report(cpuid(1, 0).ecx >> 31, "the hypervisor bit is set");
	report(base.eax >= 0x40000001, "the highest leaf is named: %x", base.eax);
	/* CLOCKSOURCE, NOP_IO_DELAY, CLOCKSOURCE2, CLOCKSOURCE_STABLE_BIT */
	report((features.eax & 0x01000009) == 0x01000009 && !(features.eax & ~0x0100000Bu) && !features.edx,
	       "features: the clock and no others: %x", features.eax);
	report(base.eax < 0x40000010 || hz.eax == 1000000, "leaf 40000010h gives the TSC's kHz: %u", hz.eax);
}

static bool guards_hold(void)
{
	for (unsigned i = 0; i < 8; i++)
		if (area.before[i] != GUARD || area.after[i] != GUARD)
			return false;
	return true;
}

static void enable(void)
{
	uint64_t value = 0, now, tsc;

	for (unsigned i = 0; i < 8; i++)
		area.before[i] = area.after[i] = GUARD;
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&area.page | 1);
	report(rdmsr_safe(MSR_KVM_SYSTEM_TIME, &value) && value == ((uint32_t)&area.page | 1), "the MSR reads back");
	report(area.page.version && !(area.page.version & 1), "the version is even and not 0: %u", area.page.version);
	report(area.page.flags & PVCLOCK_TSC_STABLE, "TSC_STABLE is set: %x", area.page.flags);
	report(!area.page.pad0 && !area.page.pad[0] && !area.page.pad[1], "the pads are 0");
	report(guards_hold(), "nothing is written outside the structure");
	tsc = rdtsc();
	now = pvclock_read(&area.page);
	report(now - tsc < 10 * NS_PER_MS, "system time is the TSC's: %llu ns at %llu", now, tsc);
}

static void never_back(void)
{
	uint32_t reads = share(1000000), backward = 0;
	uint64_t last = pvclock_read(&area.page);
	bool spoil = option_number("control", 0);

	for (uint32_t i = 0; i < reads; i++) {
		uint64_t now = pvclock_read(&area.page);

		if (spoil && i == reads / 2)
			now -= 1000000000; /* the control: a clock that does go back must be seen */
		backward += now < last;
		last = now;
	}
	report(!backward, "%u reads, %u of them backward", reads, backward);
}

/* Each reading lies between the TSC before and after it, plus one constant: where it is not, the clocks drift apart. */
static void agrees_with_tsc(void)
{
	uint64_t low = 0, high = UINT64_MAX;
	bool agree = true;

	for (int i = 0; i < 100; i++) {
		uint64_t before = rdtsc(), now = pvclock_read(&area.page), after = rdtsc();

		/* now - offset in [before - 1, after + 1]; offset + 2^62 keeps it positive */
		if (now + (1ull << 62) - after - 1 > low)
			low = now + (1ull << 62) - after - 1;
		if (now + (1ull << 62) - before + 1 < high)
			high = now + (1ull << 62) - before + 1;
		agree = agree && low <= high;
		sleep_us(5000);
	}
	report(agree, "0.5 s: system time and TSC are never more than 1 ns and the time of a reading apart");
}

static void wall_clock(void)
{
	uint64_t at_edge;
	int64_t by_rtc, by_wall;
	bool seen;

	wrmsr(MSR_KVM_WALL_CLOCK, (uint32_t)&wall);
	report(wall.version && !(wall.version & 1) && wall.ns < NS_PER_SECOND, "the wall clock is written: version %u",
	       wall.version);
	rtc_listen(RTC_B_UIE);
	seen = rtc_wait_update();
	at_edge = pvclock_read(&area.page);
	by_rtc = rtc_unix();
	rtc_deafen();
	by_wall = (int64_t)(wall.seconds + (wall.ns + at_edge) / NS_PER_SECOND);
	report(seen && by_wall - by_rtc >= 0 && by_wall - by_rtc <= 1, "wall clock and RTC agree: %lld and %lld",
	       by_wall, by_rtc);
}

/* A guest that moves its TSC moves no clock but that. */
static void survives_tsc_write(void)
{
	uint64_t before = pvclock_read(&area.page), after;
	uint32_t version = area.page.version;

	wrmsr(MSR_TSC, rdtsc() + (1ull << 40));
	after = pvclock_read(&area.page);
	report(after >= before && after - before < NS_PER_SECOND, "after TSC += 2^40 system time is %llu ns further",
	       after - before);
	report(area.page.version != version && !(area.page.version & 1),
	       "the page was written anew: version %u, before %u",
	       area.page.version, version);
	wrmsr(MSR_TSC, rdtsc() - (1ull << 40));
	report(pvclock_read(&area.page) >= after && pvclock_read(&area.page) - after < NS_PER_SECOND, "and back again");
}

static void re_registers(void)
{
	uint64_t last = 0;
	unsigned backward = 0, n = share(20000);

	for (unsigned i = 0; i < n; i++) {
		uint64_t now;

		wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&area.page | 1);
		now = pvclock_read(&area.page);
		backward += now < last;
		last = now;
	}
	report(!backward && guards_hold(), "%u registrations: %u times backward", n, backward);
}

static void old_pair(void)
{
	static volatile struct pvclock_page page;
	uint64_t value = 0, now;

	wrmsr(MSR_KVM_SYSTEM_TIME_OLD, (uint32_t)&page | 1);
	now = pvclock_read(&page);
	report(page.version && now - rdtsc() + NS_PER_SECOND < 2 * NS_PER_SECOND,
	       "the old MSR 12h gives the same clock");
	wrmsr(MSR_KVM_WALL_CLOCK_OLD, (uint32_t)&wall);
	report(rdmsr_safe(MSR_KVM_WALL_CLOCK_OLD, &value) && wall.version, "and 11h the wall clock");
	wrmsr(MSR_KVM_SYSTEM_TIME_OLD, 0);
}

/* Addresses where nothing must be written: not RAM, wrapping, unaligned. It may be refused by #GP or ignored. */
static void bad_addresses(void)
{
	static const uint64_t bad[] = { 0xA0000, 0xFEE00000, 0xFFFFFFFFFFFFF000, 1ull << 52, 0xFFFFFFFC,
				       0x8000000000000000, 0xFED00000 };
	unsigned harmed = 0;

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		wrmsr_safe(MSR_KVM_SYSTEM_TIME, bad[i] | 1);
		wrmsr_safe(MSR_KVM_WALL_CLOCK, bad[i]);
	}
	for (const struct memory_range *r = memory_next(0); r; r = memory_next(r))
		if (r->type == 1)
			wrmsr_safe(MSR_KVM_SYSTEM_TIME, (r->base + r->bytes - 16) | 1); /* half in, half out */
	report(true, "addresses outside RAM are survived");
	wrmsr_safe(MSR_KVM_SYSTEM_TIME, ((uint32_t)&area.page + 2) | 1);
	harmed += !guards_hold();
	report(!harmed, "an unaligned address writes nothing outside the structure");
}

static void disable(void)
{
	uint32_t version;

	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&area.page | 1);
	wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	version = area.page.version;
	wrmsr(MSR_TSC, rdtsc() + 1000000);
	report(area.page.version == version, "disabled, the page is not written any more");
}

void test_main(void)
{
	if (!pvclock_present()) {
		report_skip("no KVM clock (CPUID 40000000h)");
		return;
	}
	leaves();
	enable();
	never_back();
	agrees_with_tsc();
	wall_clock();
	survives_tsc_write();
	re_registers();
	old_pair();
	bad_addresses();
	disable();
}
