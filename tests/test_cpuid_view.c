/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about what the options make of CPUID (vm/cpuid_view.c): without an option no answer changes; each option takes away just the bits that it
 * names; each interface has its leaves at its place and nothing else of 40000000h to 4FFFFFFFh, and Hyper-V's privileges are those of the clocks
 * that the guest has. */
#include "vm/cpuid_view.h"

#include "tests/support.h"

#define BIT(n) (1u << (n))

static const struct cpuid_regs everything = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
static const struct cpuid_regs nothing;

static void ignore(void *context, const char *line)
{
	fail_msg("%s%s", context ? "" : "", line);
}

static struct cpuid_view view_of(const char *text, bool is_intel)
{
	struct settings settings;

	cmdline_parse(text, &settings, ignore, NULL);
	return cpuid_view_of(&settings, is_intel);
}

/* The guest's answer where the table said host. */
static struct cpuid_regs seen(const char *options, uint32_t leaf, struct cpuid_regs host)
{
	struct cpuid_view view = view_of(options, true);

	return cpuid_view_apply(&view, leaf, 0, host, false);
}

static bool same(struct cpuid_regs a, struct cpuid_regs b)
{
	return a.eax == b.eax && a.ebx == b.ebx && a.ecx == b.ecx && a.edx == b.edx;
}

static const uint32_t starts[] = { 0, 0x40000000, 0x40000100, 0x80000000 };

/* Off by MSR 1Bh the local APIC goes out of CPUID, and on again it is back; nothing else changes. */
static void the_apic_follows_its_switch(void **state)
{
	struct cpuid_view view = view_of("", true);

	(void)state;
	assert_true(cpuid_view_has_apic(&view) && cpuid_view_has_x2apic(&view) && cpuid_view_has_tsc_deadline(&view));
	for (int turn = 0; turn < 4; turn++) {
		bool on = turn & 1;

		cpuid_view_switch_apic(&view, on);
		assert_true(on || view.alters);
		for (uint32_t leaf = 0; leaf < 0x40; leaf++)
			for (unsigned high = 0; high < 2; high++) {
				struct cpuid_regs expected = everything;
				uint32_t number = leaf | (high ? 0x80000000 : 0);

				if (leaf == 1 && !on)
					expected.edx &= ~BIT(9);
				assert_true(same(cpuid_view_apply(&view, number, 0, everything, false), expected));
			}
	}
	view = view_of("clocks=pit,tsc,pvclock", true);
	assert_false(cpuid_view_has_apic(&view) || cpuid_view_has_x2apic(&view) || cpuid_view_has_tsc_deadline(&view));
	view = view_of("x2apic=hide", true);
	assert_true(cpuid_view_has_apic(&view) && !cpuid_view_has_x2apic(&view) && cpuid_view_has_tsc_deadline(&view));
}

static void without_options_nothing_changes(void **state)
{
	struct cpuid_view view = view_of("", true);

	(void)state;
	assert_false(view.alters);
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		for (uint32_t leaf = starts[i]; leaf < starts[i] + 0x40; leaf++)
			for (uint32_t subleaf = 0; subleaf < 3; subleaf++) {
				bool own = i == 1 || i == 2;
				struct cpuid_regs answer = own ? cpuid_for_guest(leaf, subleaf, &nothing, 0) : everything;

				assert_true(same(cpuid_view_apply(&view, leaf, subleaf, answer, false), answer));
			}
}

/* Option; leaf; bits that go. All others of leaves 0 to 3Fh and 80000000h to 8000003Fh stay. */
static const struct {
	const char *options;
	struct { uint32_t leaf; struct cpuid_regs gone; } leaves[5];
} hiding[] = {
	{ "rdrand=hide", { { 1, { 0, 0, BIT(30), 0 } }, { 7, { 0, BIT(18), 0, 0 } } } },
	{ "tsc-invariant=hide", { { 0x80000007, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } } } },
	{ "tsc-frequency=hide", { { 0x15, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } } } },
	{ "tsc-adjust=hide", { { 7, { 0, BIT(1), 0, 0 } } } },
	{ "tsc-deadline=hide", { { 1, { 0, 0, BIT(24), 0 } } } },
	{ "x2apic=hide", { { 1, { 0, 0, BIT(21), 0 } } } },
	{ "tsc=native", { { 1, { 0, 0, BIT(24), 0 } }, { 0x15, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
			  { 0x80000007, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } } } },
	{ "clocks=pit,rtc,hpet,pmtimer,lapic", { { 1, { 0, 0, BIT(24), BIT(4) } }, { 7, { 0, BIT(1), 0, 0 } },
						 { 0x15, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } },
						 { 0x80000001, { 0, 0, 0, BIT(4) | BIT(27) } },
						 { 0x80000007, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } } } },
	{ "clocks=pit,tsc,pvclock", { { 1, { 0, 0, BIT(24) | BIT(21), BIT(9) } }, { 6, { BIT(2), 0, 0, 0 } },
				      { 0x80000001, { 0, 0, 0, BIT(9) } } } },
	{ "hv=none", { { 0 } } },
	{ "hv=both", { { 0 } } },
};

static struct cpuid_regs expected(size_t row, uint32_t leaf)
{
	struct cpuid_regs answer = everything;

	for (size_t i = 0; i < 5; i++)
		if (hiding[row].leaves[i].leaf == leaf && leaf) {
			answer.eax &= ~hiding[row].leaves[i].gone.eax;
			answer.ebx &= ~hiding[row].leaves[i].gone.ebx;
			answer.ecx &= ~hiding[row].leaves[i].gone.ecx;
			answer.edx &= ~hiding[row].leaves[i].gone.edx;
		}
	return answer;
}

static void each_option_takes_its_bits(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof hiding / sizeof *hiding; row++) {
		assert_true(view_of(hiding[row].options, true).alters);
		for (uint32_t i = 0; i < 0x80; i++) {
			uint32_t leaf = i < 0x40 ? i : 0x80000000 + i - 0x40;

			if (!same(seen(hiding[row].options, leaf, everything), expected(row, leaf)))
				fail_msg("%s: leaf %xh", hiding[row].options, leaf);
		}
		assert_true(same(cpuid_view_apply(&(struct cpuid_view){ .hidden_7_ebx = UINT32_MAX }, 7, 1, everything, false), everything));
	}
}

/* Intel's family 6 from model 0Eh and family 15 from model 3 have a TSC that keeps its rate (Linux early_init_intel; SDM 3B 18.17). */
static void the_model_tells_nothing_of_the_tsc(void **state)
{
	static const uint32_t models[] = { 0x306c3, 0x50654, 0x206a7, 0x906e9 };

	(void)state;
	for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
		struct cpuid_regs host = { models[i], 1, 2, 3 }, told = seen("tsc-constant=hide", 1, host);

		assert_int_equal(told.eax, 0xf20 | (models[i] & 0xf));
		assert_true(told.ebx == 1 && told.ecx == 2 && told.edx == 3);
	}
	assert_false(view_of("tsc-constant=hide", false).alters); /* other processors tell it by 80000007h */
}

static void kvm_is_the_table(void **state)
{
	(void)state;
	for (uint32_t leaf = 0x40000000; leaf < 0x40000200; leaf++)
		assert_true(same(seen("rdrand=hide", leaf, nothing), cpuid_for_guest(leaf, 0, &nothing, 0)));
	assert_int_equal(seen("tsc=native", 0x40000010, nothing).eax, 0);
	assert_int_equal(seen("tsc-frequency=hide", 0x40000010, nothing).eax, 0);
	assert_int_equal(seen("tsc=native", 0x40000001, nothing).eax, BIT(0) | BIT(1) | BIT(3) | BIT(24));
	assert_int_equal(seen("clocks=pit", 0x40000001, nothing).eax, BIT(1));
	assert_int_equal(view_of("clocks=pit", true).kvm_features & (BIT(0) | BIT(3) | BIT(24)), 0);
}

static void none_has_no_leaf(void **state)
{
	(void)state;
	for (uint32_t leaf = 0x40000000; leaf < 0x40000200; leaf++)
		assert_true(same(seen("hv=none", leaf, nothing), nothing));
	assert_true(same(seen("hv=none", 1, everything), everything)); /* the hypervisor's bit stays */
	assert_int_equal(view_of("hv=none", true).kvm_features | view_of("hv=none", true).hyperv_features, 0);
}

/* TLFS 6.0b 2.4. */
static void hyperv_has_its_leaves(void **state)
{
	static const char *const options[] = { "hv=hyperv", "hv=both" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cpuid_regs first = seen(options[i], 0x40000000, nothing);

		assert_int_equal(first.eax, 0x40000005);
		assert_memory_equal(&first.ebx, "Microsoft Hv", 12);
		assert_int_equal(seen(options[i], 0x40000001, nothing).eax, 0x31237648);
		assert_true(same(seen(options[i], 0x40000003, nothing), (struct cpuid_regs){ 0x8a62, 0, 0, 0x100 }));
		assert_true(same(seen(options[i], 0x40000004, nothing), (struct cpuid_regs){ 0, UINT32_MAX, 0, 0 }));
		assert_true(same(seen(options[i], 0x40000005, nothing), (struct cpuid_regs){ 1, 1, 0, 0 }));
		for (uint32_t leaf = 0x40000006; leaf < 0x40000100; leaf++)
			assert_true(same(seen(options[i], leaf, nothing), nothing));
	}
	for (uint32_t leaf = 0x40000100; leaf < 0x40000200; leaf++)
		assert_true(same(seen("hv=hyperv", leaf, nothing), nothing));
}

static void both_have_kvm_behind(void **state)
{
	struct cpuid_regs first = seen("hv=both", 0x40000100, nothing);

	(void)state;
	assert_int_equal(first.eax, 0x40000101);
	assert_memory_equal(&first.ebx, "KVMKVMKVM\0\0\0", 12);
	assert_int_equal(seen("hv=both", 0x40000101, nothing).eax, BIT(0) | BIT(1) | BIT(3) | BIT(24));
	for (uint32_t leaf = 0x40000102; leaf < 0x40000300; leaf++)
		assert_true(same(seen("hv=both", leaf, nothing), nothing));
}

/* What Hyper-V announces follows the clocks: bits 1 the counter, 5 hypercalls, 6 VP index, 9 the page, 11 frequencies, 15 the TSC's control. */
static void privileges_follow_the_clocks(void **state)
{
	static const struct { const char *options; uint32_t features; } rows[] = {
		{ "hv=hyperv", 0x8a62 },
		{ "hv=hyperv tsc=native", 0x62 },
		{ "hv=hyperv tsc-invariant=hide", 0x0a62 },
		{ "hv=hyperv tsc-frequency=hide", 0x8262 },
		{ "clocks=pit,hyperv", 0x62 },
		{ "clocks=pit,tsc,hyperv", 0x8a62 },
		{ "clocks=pit,tsc hv=hyperv", 0x8060 },
		{ "hv=kvm", 0 },
		{ "hv=none", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cpuid_regs leaf = seen(rows[i].options, 0x40000003, nothing);

		assert_int_equal(view_of(rows[i].options, true).hyperv_features, rows[i].features);
		assert_int_equal(leaf.eax, rows[i].features);
		assert_int_equal(leaf.edx, rows[i].features & BIT(11) ? BIT(8) : 0);
	}
}

/* TLFS 12.7.3: the guest of Hyper-V alone sees the invariant TSC when it has asked. */
static void the_invariant_tsc_waits_for_its_control(void **state)
{
	struct cpuid_view view = view_of("hv=hyperv", true), both = view_of("hv=both", true);
	struct cpuid_regs invariant = { 0, 0, 0, BIT(8) };

	(void)state;
	assert_true(same(cpuid_view_apply(&view, 0x80000007, 0, invariant, false), nothing));
	assert_true(same(cpuid_view_apply(&view, 0x80000007, 0, invariant, true), invariant));
	assert_true(same(cpuid_view_apply(&both, 0x80000007, 0, invariant, false), invariant));
	view = view_of("hv=hyperv tsc-invariant=hide", true);
	assert_true(same(cpuid_view_apply(&view, 0x80000007, 0, invariant, true), nothing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_nothing_changes),
		cmocka_unit_test(the_apic_follows_its_switch),
		cmocka_unit_test(each_option_takes_its_bits),
		cmocka_unit_test(the_model_tells_nothing_of_the_tsc),
		cmocka_unit_test(kvm_is_the_table),
		cmocka_unit_test(none_has_no_leaf),
		cmocka_unit_test(hyperv_has_its_leaves),
		cmocka_unit_test(both_have_kvm_behind),
		cmocka_unit_test(privileges_follow_the_clocks),
		cmocka_unit_test(the_invariant_tsc_waits_for_its_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
