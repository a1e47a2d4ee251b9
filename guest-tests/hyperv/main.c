/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hyper-V's interface for time (Hypervisor Top Level Functional Specification 6.0b, 2.4, 3.7 to 3.13, 12.4, 12.7): its leaves announce just what is
 * there; the hypercall page; the reference counter, by page and by MSR, against the TSC and the PM timer, never backward, through moves of the
 * TSC; the TSC's invariance; and MSRs that must be refused.
 *
 * mode=hyperv (the default), both (KVM's leaves behind), or none: no interface at all. */
#include "guest-tests/lib/hyperv.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"

#define PAGE_BYTES 4096u
#define GUARD 0xA5u
#define OS_ID 0x8100000000000000ull /* open source, no name */
#define STATUS_INVALID_CODE 2u

const char test_name[] = "hyperv";

/* Two pages for the interface with one before and one after. */
static volatile uint8_t pages[4][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
#define TSC_PAGE ((uint32_t)pages[1])
#define HYPERCALL_PAGE ((uint32_t)pages[2])

static const volatile struct hyperv_page *page = (const volatile struct hyperv_page *)pages[1];

static void leaves(bool both)
{
	struct cpuid first = cpuid(0x40000000, 0), features = cpuid(0x40000003, 0), limits = cpuid(0x40000005, 0), hints = cpuid(0x40000004, 0);
	unsigned wrong = 0;

	report(cpuid(1, 0).ecx >> 31, "the hypervisor bit is set");
	report(first.eax == 0x40000005, "the highest leaf is 40000005h: %x", first.eax);
	report(features.eax == 0x8A62 && !features.ebx && !(features.edx & ~0x100u) && features.edx,
	       "privileges: counter, hypercalls, VP index, reference TSC, frequencies, invariant TSC: %x %x %x", features.eax, features.ebx,
	       features.edx);
	report(!hints.eax, "nothing is recommended: %x", hints.eax);
	report(limits.eax == 1 && limits.ebx == 1, "one processor: %u %u", limits.eax, limits.ebx);
	for (uint32_t leaf = 0x40000006; leaf < 0x40000200; leaf++) {
		struct cpuid c = cpuid(leaf, 0);

		wrong += (c.eax | c.ebx | c.ecx | c.edx) && !(both && (leaf == 0x40000100 || leaf == 0x40000101));
	}
	report(!wrong, "other leaves from 40000006h on are 0: %u are not", wrong);
	report(pvclock_present() == both, both ? "KVM's are at 40000100h" : "there are none of KVM's");
}

static void refused(bool both)
{
	static const uint32_t msrs[] = { 0x40000003, 0x40000010, 0x40000024, 0x40000070, 0x40000071, 0x40000072, 0x40000080, 0x40000084,
					 0x40000090, 0x400000B0, 0x400000F0, 0x40000100, 0x40000106, 0x40000117, 0x40000119 };
	static const uint32_t read_only[] = { HV_VP_INDEX, HV_TIME_REF_COUNT, HV_TSC_FREQUENCY, HV_APIC_FREQUENCY };
	unsigned wrong = 0;
	uint64_t value;

	for (unsigned i = 0; i < sizeof msrs / sizeof msrs[0]; i++)
		wrong += rdmsr_safe(msrs[i], &value) || wrmsr_safe(msrs[i], 0);
	report(!wrong, "MSRs that are not announced are #GP: %u are not", wrong);
	for (unsigned i = 0; i < sizeof read_only / sizeof read_only[0]; i++)
		wrong += !rdmsr_safe(read_only[i], &value) || wrmsr_safe(read_only[i], value);
	report(!wrong, "VP index, counter and frequencies can only be read: %u can be written, or not read", wrong);
	report(!wrmsr_safe(HV_TSC_INVARIANT_CONTROL, 2), "a reserved bit of 40000118h is #GP");
	report(rdmsr_safe(MSR_KVM_SYSTEM_TIME, &value) == both && rdmsr_safe(MSR_KVM_SYSTEM_TIME_OLD, &value) == both,
	       both ? "KVM's MSRs are there" : "KVM's MSRs are #GP");
}

struct call {
	uint32_t address, eax, edx;
};

static void do_call(void *argument)
{
	struct call *c = argument;

	__asm__ volatile("call *%2" : "=a"(c->eax), "=d"(c->edx) : "r"(c->address), "0"(0x12345678), "1"(0xFFFFFFFF) : "memory", "cc");
}

#define HYPERCALL(instruction)                                                                                       \
	static void do_##instruction(void *argument)                                                                 \
	{                                                                                                            \
		struct call *c = argument;                                                                           \
		__asm__ volatile(#instruction : "=a"(c->eax), "=d"(c->edx) : "0"(0x12345678), "1"(0xFFFFFFFF) : "memory"); \
	}

HYPERCALL(vmmcall)
HYPERCALL(vmcall)

static void user_page(void)
{
	__asm__ volatile("call *%0\n\tint $0x80" : : "r"((uint32_t)pages[2]) : "eax", "edx", "memory", "cc");
}

/* The hypercall instruction of this processor. */
static uint32_t call_by_instruction(struct call *c)
{
	return guarded_call(cpu_is_amd() ? do_vmmcall : do_vmcall, c);
}

static void hypercalls(bool both)
{
	struct call c = { HYPERCALL_PAGE, 0, 0 };
	uint32_t vector;

	wrmsr(HV_HYPERCALL, HYPERCALL_PAGE | 1);
	report(rdmsr(HV_HYPERCALL) == HYPERCALL_PAGE, "the hypercall page cannot be enabled by a guest without a name");
	report(pages[2][0] == GUARD, "and is not written");
	vector = call_by_instruction(&c);
	report(both ? vector == NO_FAULT : vector == X_UD, both ? "a hypercall is KVM's then" : "a hypercall is #UD then: %x", vector);
	wrmsr(HV_GUEST_OS_ID, OS_ID);
	report(rdmsr(HV_GUEST_OS_ID) == OS_ID, "the name reads back");
	wrmsr(HV_HYPERCALL, HYPERCALL_PAGE | 1);
	report(rdmsr(HV_HYPERCALL) == (HYPERCALL_PAGE | 1), "now it can be enabled");
	vector = guarded_call(do_call, &c);
	report(vector == NO_FAULT && c.eax == STATUS_INVALID_CODE && !c.edx, "a call of the page answers \"invalid code\" in EDX:EAX: %x, %x:%x",
	       vector, c.edx, c.eax);
	c.eax = c.edx = 0xFFFFFFFF;
	vector = call_by_instruction(&c);
	report(vector == NO_FAULT && c.eax == STATUS_INVALID_CODE && !c.edx, "so does the hypercall instruction: %x, %x:%x", vector, c.edx, c.eax);
	vector = user_call(user_page);
	report(vector == X_UD, "a call of the page in ring 3 is #UD: %x", vector);
	report(!wrmsr_safe(HV_HYPERCALL, 0xFFFFFFFFFFFFF001ull) && !wrmsr_safe(HV_HYPERCALL, 0xA0001), "a hypercall page outside of RAM is #GP");
	report(rdmsr(HV_HYPERCALL) == (HYPERCALL_PAGE | 1), "and changes nothing");
}

/* Last: nothing but a reset takes it back. */
static void lock(void)
{
	wrmsr(HV_GUEST_OS_ID, 0);
	report(rdmsr(HV_HYPERCALL) == HYPERCALL_PAGE, "a guest that takes its name back has no hypercall page any more");
	wrmsr(HV_GUEST_OS_ID, OS_ID);
	wrmsr(HV_HYPERCALL, HYPERCALL_PAGE | 3);
	wrmsr(HV_HYPERCALL, 0);
	report(rdmsr(HV_HYPERCALL) == (HYPERCALL_PAGE | 3), "a locked hypercall page stays");
}

static bool guards_hold(void)
{
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		if (pages[0][i] != GUARD || pages[3][i] != GUARD)
			return false;
	return true;
}

static void enable_page(void)
{
	uint64_t tsc;

	wrmsr(HV_REFERENCE_TSC, TSC_PAGE);
	report(pages[1][0] == GUARD, "a page that is not enabled is not written");
	wrmsr(HV_REFERENCE_TSC, TSC_PAGE | 1);
	report(rdmsr(HV_REFERENCE_TSC) == (TSC_PAGE | 1), "the MSR of the reference TSC reads back");
	report(page->sequence && page->sequence != 0xFFFFFFFF && !page->reserved, "the page is in use: sequence %u", page->sequence);
	report(page->scale == 184467440737095517ull, "the scale is 2^64 / 100, rounded up: %llu", page->scale);
	report(!page->offset, "the TSC and the reference time began together: %lld", page->offset);
	tsc = rdtsc();
	report(hyperv_page_time(page, tsc) == tsc / HV_UNIT_NS, "the formula gives the TSC / 100");
	report(rdmsr(HV_TSC_FREQUENCY) == NS_PER_SECOND && rdmsr(HV_APIC_FREQUENCY) == NS_PER_SECOND, "TSC and APIC have 1 GHz");
}

/* What was seen of page and MSR, which are one clock. */
static struct {
	uint64_t last;
	uint32_t reads, backward, apart, apart_pm, spoil_at;
} seen;

static void forget(void)
{
	seen.reads = seen.backward = seen.apart = seen.apart_pm = 0;
}

static uint64_t next(uint64_t time)
{
	if (++seen.reads == seen.spoil_at)
		time -= 10000000; /* the control: a clock that does go back must be seen */
	seen.backward += time < seen.last;
	seen.last = time;
	return time;
}

/* Page, MSR, page: bracketed, and to the bit where the TSC is known: the MSR's value is that of a TSC between the two. */
static void compare_with_msr(void)
{
	uint64_t tsc1 = rdtsc(), by_msr = rdmsr(HV_TIME_REF_COUNT), tsc2 = rdtsc();

	next(hyperv_page_time(page, tsc1));
	next(by_msr);
	next(hyperv_page_time(page, tsc2));
	seen.apart += by_msr < hyperv_page_time(page, tsc1) || by_msr > hyperv_page_time(page, tsc2);
}

/* The PM timer's value lies between those of the counter before and after it, to within units units: both count guest time from its 0. */
static void compare_with_pm_timer(unsigned units)
{
	uint64_t before = next(hyperv_read(page)), after;
	uint32_t ticks = pm_timer_read(), mask = acpi.pm_timer_32bit ? 0xFFFFFFFFu : 0xFFFFFFu;
	uint32_t least, most;

	after = next(hyperv_read(page));
	least = (uint32_t)ticks_floor((before < units ? 0 : before - units) * HV_UNIT_NS, PM_TIMER_HZ);
	most = (uint32_t)ticks_floor((after + 1 + units) * HV_UNIT_NS, PM_TIMER_HZ);
	seen.apart_pm += ((ticks - least) & mask) > ((most - least) & mask);
}

static void report_clock(const char *when)
{
	report(!seen.backward, "%u reads %s, %u of them backward", seen.reads, when, seen.backward);
	report(!seen.apart, "page and MSR agree %s: %u do not", when, seen.apart);
	report(!seen.apart_pm, "the PM timer agrees %s: %u readings do not", when, seen.apart_pm);
}

static void agreement(void)
{
	uint32_t reads = share(1000000);

	seen.spoil_at = option_number("control", 0) ? reads / 2 : 0;
	for (uint32_t i = 0; i < reads; i++)
		next(hyperv_page_time(page, rdtsc()));
	for (uint32_t i = share(100000); i; i--) {
		compare_with_msr();
		compare_with_pm_timer(0);
	}
	report_clock("one after the other");
}

/* For 2 s of guest time, asleep in between: changes of the rate fall into it where the runner has some. */
static void long_agreement(void)
{
	uint32_t ms = option_number("span_ms", 2000);

	forget();
	for (uint32_t i = 0; i < 50; i++) {
		compare_with_msr();
		compare_with_pm_timer(0);
		sleep_us(ms * 20);
	}
	report_clock("over the whole span");
}

/* A guest that moves its TSC moves no clock but that. Each move may round by a unit. */
static void moves_of_the_tsc(void)
{
	static const uint64_t values[] = { 0, 1, 99, 1ull << 40, (1ull << 62) + 77, 12345678901ull };
	unsigned n = sizeof values / sizeof values[0], same = 0;

	forget();
	for (unsigned i = 0; i < n; i++) {
		uint32_t sequence = page->sequence;

		wrmsr(MSR_TSC, values[i]);
		same += page->sequence == sequence || !page->sequence;
		compare_with_msr();
		compare_with_pm_timer(i + 2);
	}
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + (1ull << 41));
	compare_with_msr();
	compare_with_pm_timer(n + 2);
	report(!same, "each move of the TSC writes the page anew: %u did not", same);
	report_clock("while the TSC is moved");
	forget();
	wrmsr(MSR_TSC, 0xFFFFFFFFFFFF0000ull); /* the product of a TSC that wraps does, too */
	report(!page->sequence, "near the TSC's end the page is not to be used: sequence %u", page->sequence);
	for (unsigned i = 0; i < 1000; i++)
		compare_with_pm_timer(n + 3);
	report(!seen.backward && !seen.apart_pm, "and the MSR goes on past it: %u backward, %u apart", seen.backward, seen.apart_pm);
	wrmsr(MSR_TSC_ADJUST, 0);
	report(page->sequence, "with the TSC back at its place the page is in use again");
	compare_with_msr();
	compare_with_pm_timer(n + 4);
	report_clock("after all moves");
}

static void bad_addresses(void)
{
	static const uint64_t bad[] = { 0xA0000, 0xFEE00000, 0xFFFFFFFFFFFFF000, 1ull << 52, 0xFED00000 };

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		wrmsr_safe(HV_REFERENCE_TSC, bad[i] | 1);
	report(true, "addresses outside RAM are survived");
	wrmsr(HV_REFERENCE_TSC, TSC_PAGE | 1);
	report(guards_hold(), "nothing is written outside the pages");
	wrmsr(HV_REFERENCE_TSC, 0);
	pages[1][0] = GUARD;
	wrmsr(MSR_TSC, rdtsc() + 1000);
	report(pages[1][0] == GUARD, "disabled, the page is not written any more");
}

/* 12.7.3: CPUID tells of the invariant TSC when the guest has asked for it; in company of KVM's, whose guests do not ask, always. */
static void invariance(bool both)
{
	report(!rdmsr(HV_TSC_INVARIANT_CONTROL), "40000118h is 0 at first");
	report((cpuid(0x80000007, 0).edx >> 8 & 1) == both, "the invariant TSC is %s then", both ? "shown" : "hidden");
	wrmsr(HV_TSC_INVARIANT_CONTROL, 1);
	report(rdmsr(HV_TSC_INVARIANT_CONTROL) == 1 && cpuid(0x80000007, 0).edx >> 8 & 1, "it is shown to the guest that asks for it");
}

static void no_interface(void)
{
	static const uint32_t msrs[] = { HV_GUEST_OS_ID, HV_HYPERCALL, HV_VP_INDEX, HV_TIME_REF_COUNT, HV_REFERENCE_TSC, HV_TSC_FREQUENCY,
					 HV_APIC_FREQUENCY, HV_TSC_INVARIANT_CONTROL, MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME,
					 MSR_KVM_WALL_CLOCK_OLD, MSR_KVM_SYSTEM_TIME_OLD };
	unsigned wrong = 0;
	struct call c;
	uint64_t value;

	report(cpuid(1, 0).ecx >> 31, "the hypervisor bit is set");
	for (uint32_t leaf = 0x40000000; leaf < 0x40000200; leaf++) {
		struct cpuid answer = cpuid(leaf, 0);

		wrong += (answer.eax | answer.ebx | answer.ecx | answer.edx) != 0;
	}
	report(!wrong, "no hypervisor's leaf is there: %u are", wrong);
	for (unsigned i = 0; i < sizeof msrs / sizeof msrs[0]; i++)
		wrong += rdmsr_safe(msrs[i], &value) || wrmsr_safe(msrs[i], 0);
	report(!wrong, "no hypervisor's MSR either: %u are", wrong);
	report(call_by_instruction(&c) == X_UD, "a hypercall is #UD");
	report(cpuid(0x80000007, 0).edx >> 8 & 1, "the invariant TSC is shown");
}

void test_main(void)
{
	bool both = option_is("mode", "both");

	if (option_is("mode", "none")) {
		no_interface();
		return;
	}
	if (!report(hyperv_present(), "Hyper-V's interface is there"))
		return;
	for (unsigned i = 0; i < sizeof pages; i++)
		(&pages[0][0])[i] = GUARD;
	leaves(both);
	refused(both);
	hypercalls(both);
	invariance(both);
	enable_page();
	agreement();
	long_agreement();
	moves_of_the_tsc();
	bad_addresses();
	lock();
}
