/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MSRs: what Foliot does not model is #GP (default deny), what it models behaves as the manual says (APM 2 3.1.7
 * EFER, 7.7 MTRRs, 7.8 PAT, appendix A), and bad values are refused. Sweeps are pseudo-random from a fixed seed. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define EFER_SVME (1u << 12)
#define EFER_NXE (1u << 11)
#define EFER_LMA (1u << 10)
#define HWCR 0xC0010015u
#define NON_CANONICAL 0x8000000000000000ull

const char test_name[] = "msr";

static const struct {
	const char *name;
	uint32_t msr;
} denied[] = {
	{ "P5_MC_ADDR", 0x00 },
	{ "FEATURE_CONTROL", 0x3A },
	{ "SPEC_CTRL", 0x48 },
	{ "PRED_CMD", 0x49 },
	{ "EBC_FREQUENCY_ID", 0x2C },
	{ "performance counter", 0xC1 },
	{ "the last performance counter", 0xC8 },
	{ "FSB_FREQ", 0xCD },
	{ "PLATFORM_INFO", 0xCE },
	{ "MPERF", 0xE7 },
	{ "APERF", 0xE8 },
	{ "ARCH_CAPABILITIES", 0x10A },
	{ "PERFEVTSEL", 0x186 },
	{ "PERF_STATUS", 0x198 },
	{ "PERF_CTL", 0x199 },
	{ "CLOCK_MODULATION", 0x19A },
	{ "THERM_STATUS", 0x19C },
	{ "TURBO_RATIO_LIMIT", 0x1AD },
	{ "fixed counter of instructions", 0x309 },
	{ "fixed counter of cycles", 0x30A },
	{ "fixed counter of reference cycles", 0x30B },
	{ "PERF_CAPABILITIES", 0x345 },
	{ "FIXED_CTR_CTRL", 0x38D },
	{ "PERF_GLOBAL_CTRL", 0x38F },
	{ "VMX_BASIC", 0x480 },
	{ "full-width performance counter", 0x4C1 },
	{ "RTIT_CTL", 0x570 },
	{ "RAPL_POWER_UNIT", 0x606 },
	{ "PKG_ENERGY_STATUS", 0x611 },
	{ "CORE_C3_RESIDENCY", 0x3FC },
	{ "PPERF", 0x64E },
	{ "HWP_CAPABILITIES", 0x771 },
	{ "x2APIC ID", 0x802 },
	{ "x2APIC EOI", 0x80B },
	{ "XSS", 0xDA0 },
	{ "read-only MPERF", 0xC00000E7 },
	{ "read-only APERF", 0xC00000E8 },
	{ "TSC_RATIO", 0xC0000104 },
	{ "PerfMonV2's control", 0xC0000301 },
	{ "AMD's performance counter", 0xC0010004 },
	{ "P-state limit", 0xC0010061 },
	{ "P-state control", 0xC0010062 },
	{ "P-state status", 0xC0010063 },
	{ "P-state 0", 0xC0010064 },
	{ "P-state 7", 0xC001006B },
	{ "core performance counter", 0xC0010201 },
	{ "AMD's RAPL unit", 0xC0010299 },
	{ "AMD's core energy", 0xC001029A },
	{ "CPPC capabilities", 0xC00102B0 },
	{ "IBS fetch control", 0xC0011030 },
	{ "VM_CR", 0xC0010114 },
	{ "VM_HSAVE_PA", 0xC0010117 },
	{ "SMM_BASE", 0xC0010111 },
	{ "SMM_ADDR", 0xC0010112 },
	{ "microcode loader", 0xC0010020 },
	{ "Hyper-V's", 0x40000000 },
	{ "unknown", 0x12345678 },
	{ "the last", 0xFFFFFFFF },
};

static void denies(void)
{
	unsigned wrong = 0, count = sizeof denied / sizeof denied[0];
	uint64_t value;

	for (unsigned i = 0; i < count; i++) {
		bool read = rdmsr_safe(denied[i].msr, &value), written = wrmsr_safe(denied[i].msr, 0);

		if (read || written) {
			report(false, "%s (%x) is #GP: read %u, written %u", denied[i].name, denied[i].msr, read,
			       written);
			wrong++;
		}
	}
	report(!wrong, "%u MSRs that are not modelled are #GP, read and written", count - wrong);
	if (option_number("control", 0)) /* the control: an MSR that exists must be seen */
		report(!rdmsr_safe(MSR_EFER, &value), "control: EFER is #GP");
}

/* Regions with no MSR at all on the processors that we model. */
static void sweep(void)
{
	uint32_t seed = 0x2545F491, count = share(100000), wrong = 0;
	uint64_t value;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t msr;

		seed ^= seed << 13;
		seed ^= seed >> 17;
		seed ^= seed << 5;
		msr = 0x10000000 + seed % 0x30000000;
		wrong += rdmsr_safe(msr, &value) || wrmsr_safe(msr, (uint64_t)seed << 32 | seed);
	}
	report(!wrong, "%u random MSRs that cannot exist: %u not #GP", count, wrong);
}

static void efer(void)
{
	uint64_t value = 0, after = 0;

	report(rdmsr_safe(MSR_EFER, &value), "EFER can be read: %llx", value);
	report(!(value & EFER_SVME), "SVME shows clear");
	report(!wrmsr_safe(MSR_EFER, value | EFER_SVME), "SVME cannot be set: #GP");
	report(!wrmsr_safe(MSR_EFER, value | 1ull << 63), "a reserved bit cannot be set: #GP");
	report(wrmsr_safe(MSR_EFER, value | EFER_NXE), "NXE can be set");
	rdmsr_safe(MSR_EFER, &after);
	report(after == (value | EFER_NXE), "and reads back: %llx", after);
	wrmsr_safe(MSR_EFER, value);
	wrmsr_safe(MSR_EFER, value | EFER_LMA);
	rdmsr_safe(MSR_EFER, &after);
	report(!(after & EFER_LMA), "LMA cannot be set by hand: %llx", after);
	wrmsr_safe(MSR_EFER, value);
}

static void pat_and_mtrr(void)
{
	uint64_t pat = 0, cap = 0, type = 0, after = 0;

	report(rdmsr_safe(0x277, &pat) && pat == 0x0007040600070406ull, "PAT is as after reset: %llx", pat);
	report(!wrmsr_safe(0x277, 0x0202020202020202ull), "a reserved memory type in PAT is #GP");
	report(wrmsr_safe(0x277, 0x0007010600070106ull), "a good one is taken");
	wrmsr_safe(0x277, pat);
	report(rdmsr_safe(0xFE, &cap), "MTRRCAP: %llx", cap);
	report(!wrmsr_safe(0xFE, 0), "which is read-only: #GP");
	report(rdmsr_safe(0x2FF, &type) && wrmsr_safe(0x2FF, 0xC06), "MTRRdefType is taken");
	rdmsr_safe(0x2FF, &after);
	report(after == 0xC06, "and reads back: %llx", after);
	report(!wrmsr_safe(0x2FF, 0x02), "a reserved type is #GP");
	wrmsr_safe(0x2FF, type);
	report(wrmsr_safe(0x250, 0x0606060606060606ull) && !wrmsr_safe(0x250, 0x0306060606060606ull),
	       "a fixed-range MTRR takes write-back and not a reserved type");
}

static void non_canonical(void)
{
	static const uint32_t msrs[] = { 0xC0000082, 0xC0000083, 0xC0000100, 0xC0000101, 0xC0000102, 0x175, 0x176 };
	unsigned wrong = 0;
	uint64_t old = 0;

	for (unsigned i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
		if (!rdmsr_safe(msrs[i], &old))
			continue;
		wrong += wrmsr_safe(msrs[i], NON_CANONICAL);
		wrmsr_safe(msrs[i], old);
	}
	/* These MSRs are the guest's own; QEMU's processors take any value there. */
	if (wrong && bed_is_qemu())
		report_skip("the bed's processor takes non-canonical addresses (%u of 7)", wrong);
	else
		report(!wrong, "non-canonical addresses are #GP: %u of 7 were taken", wrong);
	report(true, "and the machine lives on");
}

/* SDM 4 table 2-2: fast strings; no branch trace, no precise event sampling. Linux reads it before it can take a #GP. */
static void misc_enable(void)
{
	uint64_t value = 0, after = 0;

	report(rdmsr_safe(0x1A0, &value) && value == 0x1801, "MISC_ENABLE can be read: %llx", value);
	report(wrmsr_safe(0x1A0, value | 1u << 18) && rdmsr_safe(0x1A0, &after) && after == value,
	       "and MONITOR cannot be enabled there: %llx", after);
}

static void amd(void)
{
	uint64_t value = 0;

	if (!cpu_is_amd()) {
		report_skip("not AMD's");
		return;
	}
	report(rdmsr_safe(HWCR, &value) && value >> 24 & 1, "HWCR says that the TSC counts at P0's frequency: %llx",
	       value);
	value = 1;
	report(rdmsr_safe(0x8B, &value), "the microcode revision can be read: %llx", value);
}

static void do_rdpmc(void *argument)
{
	uint32_t low, high;

	__asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(*(const uint32_t *)argument));
}

/* General counters, fixed ones, their fast forms, AMD's of the north bridge and the cache (SDM 2B, APM 3 "RDPMC"). */
static void no_counters(void)
{
	static uint32_t counters[] = { 0, 1, 7, 1u << 30, (1u << 30) + 1, (1u << 30) + 2, 1u << 31, 6, 27, 0x20000000, 0xFFFFFFFF };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++)
		wrong += guarded_call(do_rdpmc, &counters[i]) != X_GP;
	report(!wrong, "RDPMC of any counter is #GP: %u are not", wrong);
}

void test_main(void)
{
	denies();
	no_counters();
	sweep();
	efer();
	pat_and_mtrr();
	non_canonical();
	misc_enable();
	amd();
}
