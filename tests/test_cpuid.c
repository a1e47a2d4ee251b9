/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about the CPUID policy (vm/cpuid.c): on a processor that has everything, what the guest must not have is 0 in every leaf; on one that
 * has nothing, only what Foliot gives itself is there; each bit that passes is the host's; a leaf that the table does not name, or beyond the
 * limits, is all zeros; OSXSAVE follows CR4 alone; and CR4 takes just what CPUID offers. */
#include "vm/cpuid.h"

#include "tests/support.h"

#define BIT(n) (1u << (n))
#define CR4_OSXSAVE (1ull << 18)

static const struct cpuid_regs everything = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
static const struct cpuid_regs nothing;

static uint32_t word(const struct cpuid_regs *regs, char name)
{
	return name == 'a' ? regs->eax : name == 'b' ? regs->ebx : name == 'c' ? regs->ecx : regs->edx;
}

static bool is_zero(const struct cpuid_regs *regs)
{
	return !(regs->eax | regs->ebx | regs->ecx | regs->edx);
}

/* SDM 2A "CPUID", APM 3 appendix E. */
static const struct {
	uint32_t leaf, subleaf;
	char name;
	uint32_t bits;
	const char *what;
} hidden[] = {
	{ 1, 0, 'c', BIT(3), "MONITOR" },
	{ 1, 0, 'c', BIT(5) | BIT(6), "VMX, SMX" },
	{ 1, 0, 'c', BIT(15), "PDCM" },
	{ 1, 0, 'd', BIT(7) | BIT(14), "MCE, MCA" },
	{ 6, 0, 'a', ~BIT(2), "thermal sensor, HWP, turbo" },
	{ 1, 0, 'd', BIT(21) | BIT(22) | BIT(28), "DS, ACPI clock control, HTT" },
	{ 1, 0, 'b', 0xff000000, "the host's APIC identifier" },
	{ 4, 0, 'a', 0xffffc000, "other processors that share a cache" },
	{ 7, 0, 'b', BIT(2) | BIT(4) | BIT(11), "SGX, HLE, RTM" },
	{ 7, 0, 'b', BIT(12) | BIT(15) | BIT(25), "resource directors, Processor Trace" },
	{ 7, 0, 'b', BIT(14), "MPX" },
	{ 7, 0, 'c', BIT(3) | BIT(4) | BIT(31), "PKU, OSPKE, PKS" },
	{ 7, 0, 'c', BIT(5) | BIT(7) | BIT(16), "WAITPKG, CET, LA57" },
	{ 7, 0, 'd', BIT(11) | BIT(13) | BIT(20), "RTM's aborts, CET" },
	{ 7, 0, 'd', BIT(18) | BIT(19), "PCONFIG, architectural LBR" },
	{ 7, 0, 'd', BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(30) | BIT(31), "SPEC_CTRL, STIBP, flush, ARCH_CAPABILITIES, SSBD" },
	{ 0xd, 0, 'a', ~CPUID_XCR0_ALLOWED, "XCR0 bits" },
	{ 0xd, 1, 'a', BIT(3) | BIT(4), "XSAVES, XFD" },
	{ 0xd, 1, 'c', UINT32_MAX, "XSS" },
	{ 0x80000001, 0, 'c', BIT(1) | BIT(2) | BIT(3), "CmpLegacy, SVM, the extended APIC" },
	{ 0x80000001, 0, 'c', BIT(9) | BIT(10) | BIT(12) | BIT(13) | BIT(15), "OSVW, IBS, SKINIT, WDT, LWP" },
	{ 0x80000001, 0, 'c', BIT(19) | BIT(22) | BIT(23) | BIT(24) | BIT(28) | BIT(29), "NODEID, TOPOEXT, counters, MONITORX" },
	{ 0x80000007, 0, 'd', ~BIT(8), "power management" },
	{ 0x80000008, 0, 'b', BIT(4) | BIT(12) | BIT(14) | BIT(15) | BIT(24), "RDPRU, IBPB, IBRS, STIBP, SSBD" },
	{ 0x80000008, 0, 'c', UINT32_MAX, "the number of cores" },
};

static void test_hidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		struct cpuid_regs seen = cpuid_for_guest(hidden[i].leaf, hidden[i].subleaf, &everything, 0);

		if (word(&seen, hidden[i].name) & hidden[i].bits)
			fail_msg("%s: leaf %xh shows e%cx = %08x", hidden[i].what, hidden[i].leaf, hidden[i].name, word(&seen, hidden[i].name));
	}
}

/* What Foliot gives does not depend on the host. */
static void test_given(void **state)
{
	const struct cpuid_regs *hosts[] = { &everything, &nothing };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cpuid_regs seen = cpuid_for_guest(1, 0, hosts[i], 0);

		assert_true(seen.ecx & BIT(31));
		assert_true(seen.ecx & BIT(21) && seen.ecx & BIT(24) && seen.edx & BIT(9)); /* x2APIC, TSC-deadline, APIC */
		assert_int_equal(cpuid_for_guest(6, 0, hosts[i], 0).eax, BIT(2)); /* ARAT */
		assert_int_equal(seen.ebx & 0xff0000, 0x10000);
		assert_true(cpuid_for_guest(7, 0, hosts[i], 0).ebx & BIT(1));
		seen = cpuid_for_guest(0x15, 0, hosts[i], 0);
		assert_true(seen.eax == 1 && seen.ebx == 1 && seen.ecx == 1000000000 && !seen.edx);
		seen = cpuid_for_guest(0x40000000, 0, hosts[i], 0);
		assert_memory_equal(&seen.ebx, "KVMKVMKVM\0\0\0", 12);
		seen = cpuid_for_guest(0x40000001, 0, hosts[i], 0);
		assert_int_equal(seen.eax, BIT(0) | BIT(1) | BIT(3) | BIT(24)); /* Linux asm/kvm_para.h */
		assert_int_equal(cpuid_for_guest(0x40000010, 0, hosts[i], 0).eax, 1000000);
		assert_int_equal(cpuid_for_guest(0x80000007, 0, hosts[i], 0).edx, BIT(8));
		assert_int_equal(cpuid_for_guest(0xb, 0, hosts[i], 0).ebx, 1);
	}
}

/* A feature word shows no bit that the host has not, but for those that are given; and follows each bit of it alone. */
static void test_passed(void **state)
{
	static const struct { uint32_t leaf, subleaf; } leaves[] = { { 1, 0 }, { 7, 0 }, { 7, 1 }, { 0xd, 1 }, { 0x80000001, 0 }, { 0x80000008, 0 } };
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		struct cpuid_regs least = cpuid_for_guest(leaves[i].leaf, leaves[i].subleaf, &nothing, 0);
		struct cpuid_regs most = cpuid_for_guest(leaves[i].leaf, leaves[i].subleaf, &everything, 0);

		for (unsigned round = 0; round < 1000; round++) {
			struct cpuid_regs host = { (uint32_t)random_next(&seed), (uint32_t)random_next(&seed), (uint32_t)random_next(&seed),
						   (uint32_t)random_next(&seed) };
			struct cpuid_regs seen = cpuid_for_guest(leaves[i].leaf, leaves[i].subleaf, &host, 0);

			for (const char *name = "abcd"; *name; name++)
				assert_int_equal(word(&seen, *name), (word(&host, *name) & word(&most, *name)) | word(&least, *name));
		}
	}
}

static void test_unknown_leaves(void **state)
{
	static const uint32_t leaves[] = { 3, 5, 9, 0xa, 0xe, 0xf, 0x10, 0x12, 0x14, 0x16, 0x1f, 0x3fffffff, 0x40000002, 0x40000100, 0x4fffffff,
					   0x7fffffff, 0x80000009, 0x8000000a, 0x8000001e, 0x80000020, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		struct cpuid_regs seen = cpuid_for_guest(leaves[i], 0, &everything, UINT64_MAX);

		assert_true(is_zero(&seen));
	}
	for (uint32_t base = 0; base != 0xc0000000; base += 0x40000000) {
		struct cpuid_regs seen = cpuid_for_guest(base, 0, &everything, 0);

		assert_int_equal(seen.eax, cpuid_limit(base));
		seen = cpuid_for_guest(seen.eax + 1, 0, &everything, 0);
		assert_true(is_zero(&seen));
	}
	for (uint32_t subleaf = 8; subleaf < 64; subleaf++) {
		struct cpuid_regs seen = cpuid_for_guest(0xd, subleaf, &everything, 0);

		assert_true(is_zero(&seen));
	}
}

static void test_osxsave(void **state)
{
	(void)state;
	assert_false(cpuid_for_guest(1, 0, &everything, ~CR4_OSXSAVE).ecx & BIT(27));
	assert_true(cpuid_for_guest(1, 0, &nothing, CR4_OSXSAVE).ecx & BIT(27));
	assert_false(cpuid_for_guest(7, 0, &nothing, CR4_OSXSAVE).ecx & BIT(27));
}

/* APM 2 3.1.3: MCE, VMXE, SMXE, LA57, PKE, CET and the undefined bits never. */
static void test_cr4(void **state)
{
	const uint64_t never = ~0x3707bfull & ~(1ull << 11);

	(void)state;
	assert_int_equal(cpuid_cr4_allowed(0, 0, 0), 0x7bf);
	assert_int_equal(cpuid_cr4_allowed(UINT32_MAX, UINT32_MAX, UINT32_MAX) & never, 0);
	assert_int_equal(cpuid_cr4_allowed(BIT(26), 0, 0), 0x7bf | CR4_OSXSAVE);
	assert_int_equal(cpuid_cr4_allowed(BIT(17), 0, 0), 0x7bf | 1ull << 17);
	assert_int_equal(cpuid_cr4_allowed(0, BIT(0) | BIT(7) | BIT(20), 0), 0x7bf | 1ull << 16 | 1ull << 20 | 1ull << 21);
	assert_int_equal(cpuid_cr4_allowed(0, 0, BIT(2)), 0x7bf | 1ull << 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_unknown_leaves),
		cmocka_unit_test(test_osxsave),
		cmocka_unit_test(test_cr4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
