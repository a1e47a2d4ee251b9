/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPUID shows what Foliot carries and nothing else (APM 3 appendix E; SDM 2A "CPUID"): hidden features, one
 * processor, the hypervisor's leaves, the TSC's frequency, OSXSAVE as the guest sets it, nothing beyond the
 * limits. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define CR4_OSXSAVE 0x40000u

const char test_name[] = "cpuid";

enum reg { EAX, EBX, ECX, EDX };

struct bit {
	const char *name;
	uint32_t leaf, subleaf;
	enum reg reg;
	unsigned bit;
};

static const struct bit hidden[] = {
	{ "MONITOR", 1, 0, ECX, 3 },
	{ "VMX", 1, 0, ECX, 5 },
	{ "SMX", 1, 0, ECX, 6 },
	{ "PDCM", 1, 0, ECX, 15 },
	{ "MCE", 1, 0, EDX, 7 },
	{ "MCA", 1, 0, EDX, 14 },
	{ "DS", 1, 0, EDX, 21 },
	{ "ACPI thermal", 1, 0, EDX, 22 },
	{ "HTT", 1, 0, EDX, 28 },
	{ "SGX", 7, 0, EBX, 2 },
	{ "HLE", 7, 0, EBX, 4 },
	{ "RTM", 7, 0, EBX, 11 },
	{ "PKU", 7, 0, ECX, 3 },
	{ "OSPKE", 7, 0, ECX, 4 },
	{ "WAITPKG", 7, 0, ECX, 5 },
	{ "CET shadow stacks", 7, 0, ECX, 7 },
	{ "LA57", 7, 0, ECX, 16 },
	{ "RDPID", 7, 0, ECX, 22 },
	{ "PKS", 7, 0, ECX, 31 },
	{ "CET branch tracking", 7, 0, EDX, 20 },
	{ "SPEC_CTRL", 7, 0, EDX, 26 },
	{ "STIBP", 7, 0, EDX, 27 },
	{ "ARCH_CAPABILITIES", 7, 0, EDX, 29 },
	{ "SSBD", 7, 0, EDX, 31 },
	{ "XSAVES", 13, 1, EAX, 3 },
	{ "SVM", 0x80000001, 0, ECX, 2 },
	{ "extended APIC space", 0x80000001, 0, ECX, 3 },
	{ "IBS", 0x80000001, 0, ECX, 10 },
	{ "SKINIT", 0x80000001, 0, ECX, 12 },
	{ "LWP", 0x80000001, 0, ECX, 15 },
	{ "performance counters", 0x80000001, 0, ECX, 23 },
	{ "MWAITX", 0x80000001, 0, ECX, 29 },
	{ "IBPB", 0x80000008, 0, EBX, 12 },
	{ "AMD's SPEC_CTRL", 0x80000008, 0, EBX, 14 },
	{ "AMD's SSBD", 0x80000008, 0, EBX, 24 },
};

static const struct bit shown[] = {
	{ "hypervisor", 1, 0, ECX, 31 },
	{ "TSC", 1, 0, EDX, 4 },
	{ "MSR", 1, 0, EDX, 5 },
	{ "APIC", 1, 0, EDX, 9 },
	{ "x2APIC", 1, 0, ECX, 21 },
	{ "TSC deadline", 1, 0, ECX, 24 },
	{ "ARAT", 6, 0, EAX, 2 },
	{ "CX8", 1, 0, EDX, 8 },
	{ "MTRR", 1, 0, EDX, 12 },
	{ "PAT", 1, 0, EDX, 16 },
	{ "SSE2", 1, 0, EDX, 26 },
	{ "TSC_ADJUST", 7, 0, EBX, 1 },
	{ "NX", 0x80000001, 0, EDX, 20 },
	{ "long mode", 0x80000001, 0, EDX, 29 },
	{ "invariant TSC", 0x80000007, 0, EDX, 8 },
};

static bool is_set(const struct bit *b)
{
	struct cpuid c = cpuid(b->leaf, b->subleaf);
	uint32_t value = b->reg == EAX ? c.eax : b->reg == EBX ? c.ebx : b->reg == ECX ? c.ecx : c.edx;

	return value >> b->bit & 1;
}

static void features(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (is_set(&hidden[i])) {
			report(false, "%s is hidden", hidden[i].name);
			wrong++;
		}
	report(!wrong, "%u features are hidden", (unsigned)(sizeof hidden / sizeof hidden[0]) - wrong);
	for (unsigned i = 0; i < sizeof shown / sizeof shown[0]; i++)
		report(is_set(&shown[i]), "%s is shown", shown[i].name);
	if (option_number("control", 0)) /* the control: a bit that is shown must be seen */
		report(!is_set(&shown[0]), "control: %s is hidden", shown[0].name);
}

static void one_processor(void)
{
	struct cpuid one = cpuid(1, 0), topology = cpuid(11, 0);

	report((one.ebx >> 16 & 0xFF) <= 1 && one.ebx >> 24 == 0, "leaf 1: one processor, APIC ID 0: %x", one.ebx);
	report(cpuid(0, 0).eax < 11 || (topology.ebx & 0xFFFF) <= 1, "leaf 0Bh: one processor: %x", topology.ebx);
	report(cpuid(0x80000000, 0).eax < 0x80000008 || !(cpuid(0x80000008, 0).ecx & 0xFF), "leaf 80000008h: one core");
}

static void tsc_frequency(void)
{
	struct cpuid c = cpuid(0x15, 0);

	report(cpuid(0, 0).eax >= 0x15, "leaf 15h is within the limit");
	report(c.eax == 1 && c.ebx == 1 && c.ecx == 1000000000, "leaf 15h: 1/1 of 10^9 Hz: %u %u %u", c.eax, c.ebx,
	       c.ecx);
}

/* Nothing else tells of a rate, nor of how fast the processor really is (SDM 2A leaves 6, 80000007h; APM 3 E.4.6). */
static void no_other_rate(void)
{
	struct cpuid power = cpuid(6, 0), amd = cpuid(0x80000007, 0);

	report(!(power.eax & ~4u) && !power.ebx && !power.ecx, "leaf 6: no turbo, thermal sensor, HWP, APERF and MPERF: %x %x %x", power.eax,
	       power.ebx, power.ecx);
	report(!amd.eax && !amd.ebx && !amd.ecx && amd.edx == 0x100, "leaf 80000007h: the invariant TSC alone: %x %x %x %x", amd.eax, amd.ebx,
	       amd.ecx, amd.edx);
	report(!(cpuid(0x80000008, 0).ebx >> 4 & 1), "no RDPRU");
	report(!(cpuid(1, 0).ecx >> 15 & 1) && !(cpuid(0x80000001, 0).ecx & (1u << 23 | 1u << 24 | 1u << 27 | 1u << 28)),
	       "no PDCM, no counters of AMD's");
}

static void osxsave(void)
{
	if (!(cpuid(1, 0).ecx >> 26 & 1)) {
		report_skip("no XSAVE");
		return;
	}
	report(!(cpuid(1, 0).ecx >> 27 & 1), "OSXSAVE is clear at first");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	report(cpuid(1, 0).ecx >> 27 & 1, "OSXSAVE follows CR4");
	report(cpuid(13, 0).ebx >= 512 + 64, "leaf 0Dh gives a size for XCR0 as it is: %u", cpuid(13, 0).ebx);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	report(!(cpuid(1, 0).ecx >> 27 & 1), "and follows it back");
}

static void limits(void)
{
	static const uint32_t leaves[] = { 5, 10, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1C, 0x8000000A, 0x80000019, 0x8000001B, 0x8000001E, 0x8000001F,
					  0x80000021, 0x80000022, 0x80000025, 0x40000002, 0x40000100, 0x12345678 };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		struct cpuid c = cpuid(leaves[i], 0);

		if (leaves[i] == 0x8000001E ? c.eax | c.edx : c.eax | c.ebx | c.ecx | c.edx) {
			report(false, "leaf %x shows nothing of the host: %x %x %x %x", leaves[i], c.eax, c.ebx, c.ecx,
			       c.edx);
			wrong++;
		}
	}
	report(!wrong, "performance counters, trace, SVM, SEV and unknown leaves are 0");
}

void test_main(void)
{
	features();
	one_processor();
	tsc_frequency();
	no_other_rate();
	osxsave();
	limits();
}
