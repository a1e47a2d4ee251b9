/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The clocks: TSC, pvclock, Hyper-V's page and counter (Hyper-V TLFS 12), HPET (IA-PC HPET 1.0a), local APIC timer (SDM 3A 11.5.4), PM timer, the
 * RTC's seconds, PIT channel 2. */
#include "guest-tests/lib/clock_set.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/rtc.h"

#define HPET 0xFED00000u
#define HPET_PERIOD (HPET + 0x04)
#define HPET_CONFIG (HPET + 0x10)
#define HPET_COUNTER (HPET + 0xF0)
#define FS_PER_SECOND 1000000000000000ull

#define LAPIC 0xFEE00000u
#define LAPIC_LVT_TIMER (LAPIC + 0x320)
#define LAPIC_INITIAL (LAPIC + 0x380)
#define LAPIC_CURRENT (LAPIC + 0x390)
#define LAPIC_DIVIDE (LAPIC + 0x3E0)
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define DIVIDE_BY_1 0xBu
#define LAPIC_LONGEST 0xFFFFFFFFu
#define CPUID_1_EDX_APIC (1u << 9)

#define HV_SIGNATURE 0x31237648u /* "Hv#1" */
#define HV_TIME_REF_COUNT 0x40000020u
#define HV_REFERENCE_TSC 0x40000021u
#define HV_HAS_COUNTER (1u << 1)
#define HV_HAS_PAGE (1u << 9)

#define RTC_DATA 0x71
#define MINUTE 60u

struct hv_page {
	uint32_t sequence, reserved;
	uint64_t scale, offset;
};

static volatile struct pvclock_page pvclock_page;
static volatile struct hv_page hv_page __attribute__((aligned(4096)));
static uint32_t rtc_base;
static bool reference_is_pvclock;

static uint64_t read_pvclock(void)
{
	return pvclock_read(&pvclock_page);
}

static bool start_pvclock(struct clock *clock)
{
	(void)clock;
	if (!pvclock_present())
		return false;
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&pvclock_page | 1);
	return true;
}

static bool start_tsc(struct clock *clock)
{
	(void)clock;
	return !reference_is_pvclock;
}

static uint32_t hv_features(void)
{
	return cpuid(0x40000000, 0).eax >= 0x40000003 && cpuid(0x40000001, 0).eax == HV_SIGNATURE ? cpuid(0x40000003, 0).eax : 0;
}

/* The high 64 bits of a product of 128. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
	uint64_t low = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF), one = (a >> 32) * (b & 0xFFFFFFFF), other = (a & 0xFFFFFFFF) * (b >> 32);
	uint64_t middle = (low >> 32) + (one & 0xFFFFFFFF) + (other & 0xFFFFFFFF);

	return (a >> 32) * (b >> 32) + (one >> 32) + (other >> 32) + (middle >> 32);
}

static uint64_t read_hv_page(void)
{
	uint32_t sequence;
	uint64_t time;

	do {
		sequence = hv_page.sequence;
		time = multiply_high(rdtsc(), hv_page.scale) + hv_page.offset;
	} while (hv_page.sequence != sequence);
	return time;
}

static bool start_hv_page(struct clock *clock)
{
	(void)clock;
	if (!(hv_features() & HV_HAS_PAGE))
		return false;
	wrmsr(HV_REFERENCE_TSC, (uint32_t)&hv_page | 1);
	return hv_page.sequence;
}

static uint64_t read_hv_msr(void)
{
	return rdmsr(HV_TIME_REF_COUNT);
}

static bool start_hv_msr(struct clock *clock)
{
	(void)clock;
	return hv_features() & HV_HAS_COUNTER;
}

static uint64_t read_hpet(void)
{
	return peek(HPET_COUNTER);
}

/* Where there is none the bus answers with all ones. */
static bool start_hpet(struct clock *clock)
{
	uint32_t period_fs = peek(HPET_PERIOD);

	if (!period_fs || period_fs == 0xFFFFFFFF)
		return false;
	clock->hz = (uint32_t)((FS_PER_SECOND + period_fs / 2) / period_fs);
	poke(HPET_CONFIG, peek(HPET_CONFIG) | 1);
	return true;
}

/* A period of n counts is n long: the count goes from n down to 1. */
static uint64_t read_lapic(void)
{
	return LAPIC_LONGEST - peek(LAPIC_CURRENT);
}

static bool start_lapic(struct clock *clock)
{
	(void)clock;
	if (!(cpuid(1, 0).edx & CPUID_1_EDX_APIC))
		return false;
	poke(LAPIC_DIVIDE, DIVIDE_BY_1);
	poke(LAPIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | 0x40);
	poke(LAPIC_INITIAL, LAPIC_LONGEST);
	return true;
}

static uint64_t read_pm_timer(void)
{
	return pm_timer_read() & (acpi.pm_timer_32bit ? 0xFFFFFFFFu : 0xFFFFFFu);
}

static bool start_pm_timer(struct clock *clock)
{
	clock->wrap = acpi.pm_timer_32bit ? 1ull << 32 : 1u << 24;
	return acpi.pm_timer_port;
}

/* The index stays where start_rtc has left it. */
static uint64_t read_rtc(void)
{
	uint8_t bcd = inb(RTC_DATA);
	uint32_t second = (bcd >> 4) * 10u + (bcd & 15u) + MINUTE - rtc_base;

	return second >= MINUTE ? second - MINUTE : second;
}

/* Which second of the minute was guest time 0 is its own affair; that it began there is not. */
static bool start_rtc(struct clock *clock)
{
	uint64_t before, second;

	(void)clock;
	rtc_read(RTC_SECONDS);
	do {
		before = clock_reference_ns() / NS_PER_SECOND;
		rtc_base = 0;
		second = read_rtc();
	} while (clock_reference_ns() / NS_PER_SECOND != before);
	rtc_base = (uint32_t)((second + MINUTE - before % MINUTE) % MINUTE);
	return true;
}

static void capture_pit(void)
{
	outb(0x43, 2 << 6 | PIT_LATCH);
}

static uint64_t read_pit(void)
{
	uint8_t low = inb(0x42);

	return (uint16_t)-(low | inb(0x42) << 8);
}

static bool start_pit(struct clock *clock)
{
	(void)clock;
	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 0);
	return true;
}

#define BITS_32 (1ull << 32)

struct clock clock_set[CLOCK_COUNT] = {
	[CLOCK_TSC] = { "TSC", HOOK_TSC, 1000000000, 0, true, start_tsc, 0, rdtsc, .there = false },
	[CLOCK_PVCLOCK] = { "pvclock", HOOK_PVCLOCK, 1000000000, 0, true, start_pvclock, 0, read_pvclock, .there = false },
	[CLOCK_HV_PAGE] = { "Hyper-V page", HOOK_HYPERV_PAGE, 10000000, 0, true, start_hv_page, 0, read_hv_page, .there = false },
	[CLOCK_HV_MSR] = { "Hyper-V MSR", HOOK_HYPERV_MSR, 10000000, 0, true, start_hv_msr, 0, read_hv_msr, .there = false },
	[CLOCK_HPET] = { "HPET", HOOK_HPET, 100000000, BITS_32, false, start_hpet, 0, read_hpet, .there = false },
	[CLOCK_LAPIC] = { "LAPIC", HOOK_LAPIC, 1000000000, LAPIC_LONGEST, false, start_lapic, 0, read_lapic, .there = false },
	[CLOCK_PM_TIMER] = { "PM timer", HOOK_PMTIMER, PM_TIMER_HZ, 1u << 24, true, start_pm_timer, 0, read_pm_timer, .there = false },
	[CLOCK_RTC] = { "RTC", HOOK_RTC, 1, MINUTE, true, start_rtc, 0, read_rtc, .there = false },
	[CLOCK_PIT] = { "PIT", HOOK_PIT, PIT_HZ, 1u << 16, false, start_pit, capture_pit, read_pit, .there = false },
};

uint64_t clock_reference_ns(void)
{
	return reference_is_pvclock ? read_pvclock() : rdtsc();
}

/* By how many counts it went on, where it has gone less than a quarter of a turn since: so a small step back shows as one. */
static uint64_t small_advance(const struct clock *clock, uint64_t raw)
{
	uint64_t forward = raw >= clock->raw ? raw - clock->raw : raw + clock->wrap - clock->raw;

	return forward > clock->wrap / 2 ? forward - clock->wrap : forward;
}

static uint64_t advance(const struct clock *clock, uint64_t raw, uint64_t ref_ns)
{
	uint64_t small, expected, turns;

	if (!clock->wrap)
		return raw - clock->raw;
	small = small_advance(clock, raw);
	if (ref_ns - clock->ref_ns < clock->quarter_ns)
		return small;
	expected = ticks_floor(ref_ns - clock->ref_ns, clock->hz);
	turns = (expected - small + clock->wrap / 2) / clock->wrap;
	return small + turns * clock->wrap;
}

void clock_note(struct clock *clock, uint64_t raw, uint64_t ref_ns)
{
	uint64_t step = advance(clock, raw, ref_ns);

	clock->backward += (int64_t)step < 0;
	clock->reads++;
	clock->count += step;
	clock->raw = raw;
	clock->ref_ns = ref_ns;
}

void clock_set_start(bool by_pvclock, bool from_zero)
{
	reference_is_pvclock = false;
	start_pvclock(&clock_set[CLOCK_PVCLOCK]);
	reference_is_pvclock = by_pvclock;
	for (unsigned i = 0; i < CLOCK_COUNT; i++) {
		struct clock *clock = &clock_set[i];

		clock->from_zero &= from_zero;
		clock->there = clock->start(clock);
		if (!clock->there)
			continue;
		clock->quarter_ns = clock->wrap ? clock->wrap / 4 * NS_PER_SECOND / clock->hz : UINT64_MAX;
		if (clock->capture)
			clock->capture();
		if (!clock->from_zero) {
			clock->raw = clock->count = clock->read();
			clock->ref_ns = clock_reference_ns();
		}
		clock_note(clock, clock->from_zero ? clock->read() : clock->raw, clock_reference_ns());
	}
}
