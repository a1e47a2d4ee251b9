/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about vmx/control.c: a word of controls is (wanted | must-be-1) & may-be-1; the lack of a control that Foliot
 * needs is refused with its name, word and bit, and another is left out; VT-x that is absent or locked off is
 * refused; nothing is set but what is wanted or must be. */
#include "vmx/control.h"
#include "vmx/vmcs.h"

#include "tests/support.h"

#define INVPCID_IN_CPUID_7 (1u << 10)
#define MISSING_CONTROL 223

/* All that Foliot asks for (SDM 3C 25.6 to 25.8), with the manual's names. */
static const struct {
	enum vmx_word word;
	unsigned bit;
	bool required;
	const char *name;
} wanted[] = {
	{ WORD_PIN, 0, true, "external-interrupt exiting" },
	{ WORD_PIN, 3, true, "NMI exiting" },
	{ WORD_PIN, 6, false, "VMX-preemption timer" },
	{ WORD_PRIMARY, 3, true, "use TSC offsetting" },
	{ WORD_PRIMARY, 7, true, "HLT exiting" },
	{ WORD_PRIMARY, 10, true, "MWAIT exiting" },
	{ WORD_PRIMARY, 11, true, "RDPMC exiting" },
	{ WORD_PRIMARY, 21, true, "use TPR shadow" },
	{ WORD_PRIMARY, 25, true, "use I/O bitmaps" },
	{ WORD_PRIMARY, 28, true, "use MSR bitmaps" },
	{ WORD_PRIMARY, 29, true, "MONITOR exiting" },
	{ WORD_PRIMARY, 31, true, "activate secondary controls" },
	{ WORD_SECONDARY, 1, true, "enable EPT" },
	{ WORD_SECONDARY, 3, true, "enable RDTSCP" },
	{ WORD_SECONDARY, 5, false, "enable VPID" },
	{ WORD_SECONDARY, 6, true, "WBINVD exiting" },
	{ WORD_SECONDARY, 7, true, "unrestricted guest" },
	{ WORD_SECONDARY, 12, true, "enable INVPCID" },
	{ WORD_SECONDARY, 25, false, "use TSC scaling" },
	{ WORD_EXIT, 2, true, "save debug controls" },
	{ WORD_EXIT, 9, true, "host address-space size" },
	{ WORD_EXIT, 18, true, "save IA32_PAT" },
	{ WORD_EXIT, 19, true, "load IA32_PAT (exit)" },
	{ WORD_EXIT, 20, true, "save IA32_EFER" },
	{ WORD_EXIT, 21, true, "load IA32_EFER (exit)" },
	{ WORD_ENTRY, 2, true, "load debug controls" },
	{ WORD_ENTRY, 14, true, "load IA32_PAT (entry)" },
	{ WORD_ENTRY, 15, true, "load IA32_EFER (entry)" },
};

#define WANTED (sizeof wanted / sizeof *wanted)

static const char *const word_names[WORD_COUNT] = { "pin-based", "primary", "secondary", "exit", "entry" };

static void allow_all(uint64_t capabilities[WORD_COUNT])
{
	for (enum vmx_word word = 0; word < WORD_COUNT; word++)
		capabilities[word] = (uint64_t)UINT32_MAX << 32;
}

static uint32_t wanted_bits(enum vmx_word word)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < WANTED; i++)
		bits |= wanted[i].word == word ? 1u << wanted[i].bit : 0;
	return bits;
}

static void test_negotiate(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		uint32_t may = (uint32_t)random_next(&random), must = (uint32_t)random_next(&random) & may;
		uint32_t required = (uint32_t)random_next(&random), optional = (uint32_t)random_next(&random);
		uint32_t value, missing;

		if (i % 2)
			required &= may;
		missing = vmx_negotiate((uint64_t)may << 32 | must, required, optional, &value);
		for (uint32_t bit = 1; bit; bit <<= 1) {
			bool set = bit & must || (bit & may && bit & (required | optional));

			assert_int_equal(!!(value & bit), set);
			assert_int_equal(!!(missing & bit), bit & required && !(bit & may));
		}
	}
}

/* A processor that can do all gets what is wanted, and no more. */
static void test_all_allowed(void **state)
{
	uint64_t capabilities[WORD_COUNT];
	struct vmx_controls controls;
	struct refusal why;

	(void)state;
	allow_all(capabilities);
	assert_true(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why));
	for (enum vmx_word word = 0; word < WORD_COUNT; word++)
		assert_int_equal(controls.words[word], wanted_bits(word));
}

/* As Bochs' Haswell has them: what must be 1 is. */
static void test_must(void **state)
{
	static const uint64_t capabilities[WORD_COUNT] = {
		0x7f00000016, 0xfff9fffe04006172, 0x00001fff00000000, 0x7fffff00036dfb, 0x3ffff000011fb,
	};
	struct vmx_controls controls;
	struct refusal why;

	(void)state;
	assert_true(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why));
	for (enum vmx_word word = 0; word < WORD_COUNT; word++) {
		uint32_t must = (uint32_t)capabilities[word], may = (uint32_t)(capabilities[word] >> 32);

		assert_int_equal(controls.words[word], (wanted_bits(word) & may) | must);
	}
	assert_false(controls.words[WORD_SECONDARY] & VMX_SECONDARY_TSC_SCALING);
}

static void test_each_missing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WANTED; i++) {
		uint64_t capabilities[WORD_COUNT];
		struct vmx_controls controls;
		struct refusal why = { 0 };
		char text[120];

		allow_all(capabilities);
		capabilities[wanted[i].word] &= ~(1ull << 32 << wanted[i].bit);
		assert_int_equal(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why),
				 !wanted[i].required);
		if (!wanted[i].required) {
			assert_false(controls.words[wanted[i].word] & 1u << wanted[i].bit);
			continue;
		}
		snprintf(text, sizeof text, "no \"%s\" (%s controls bit %u;", wanted[i].name,
			 word_names[wanted[i].word], wanted[i].bit);
		assert_int_equal(why.number, MISSING_CONTROL);
		assert_non_null(strstr(why.text, text));
		snprintf(text, sizeof text, "it allows %08xh)", ~(1u << wanted[i].bit));
		assert_non_null(strstr(why.text, text));
		assert_true(strlen(why.text) < sizeof why.text - 1); /* not cut */
	}
}

/* INVPCID is asked for only where the processor has the instruction. */
static void test_invpcid(void **state)
{
	uint64_t capabilities[WORD_COUNT];
	struct vmx_controls controls;
	struct refusal why;

	(void)state;
	allow_all(capabilities);
	capabilities[WORD_SECONDARY] &= ~((uint64_t)VMX_SECONDARY_INVPCID << 32);
	assert_true(vmx_choose_controls(capabilities, ~INVPCID_IN_CPUID_7, &controls, &why));
	assert_int_equal(controls.words[WORD_SECONDARY], wanted_bits(WORD_SECONDARY) & ~VMX_SECONDARY_INVPCID);
	assert_false(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why));
}

/* A processor without secondary controls is refused for that, and one that can do nothing by the first of all. */
static void test_nothing_allowed(void **state)
{
	uint64_t capabilities[WORD_COUNT] = { 0 };
	struct vmx_controls controls;
	struct refusal why = { 0 };

	(void)state;
	assert_false(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why));
	assert_non_null(strstr(why.text, "\"external-interrupt exiting\" (pin-based controls bit 0; it allows 0"));
	allow_all(capabilities);
	capabilities[WORD_PRIMARY] &= ~((uint64_t)VMX_PRIMARY_SECONDARY << 32);
	capabilities[WORD_SECONDARY] = 0;
	assert_false(vmx_choose_controls(capabilities, INVPCID_IN_CPUID_7, &controls, &why));
	assert_non_null(strstr(why.text, "\"activate secondary controls\""));
}

static void test_allowed(void **state)
{
	static const uint64_t usable[] = { 0, 1, 4, 5, 0xff07 }; /* unlocked, or locked with bit 2; 0 is set and locked by Foliot */
	struct refusal why = { 0 };

	(void)state;
	assert_false(vmx_is_allowed(~(1u << 5), 5, &why));
	assert_int_equal(why.number, 221);
	assert_non_null(strstr(why.text, "ffffffdf"));
	for (unsigned i = 0; i < sizeof usable / sizeof usable[0]; i++) {
		bool locked_off = usable[i] == 1;

		assert_int_equal(vmx_is_allowed(1u << 5, usable[i], &why), !locked_off);
	}
	assert_false(vmx_is_allowed(1u << 5, 0xff03, &why)); /* locked with VT-x inside SMX only */
	assert_int_equal(why.number, 222);
	assert_non_null(strstr(why.text, "ff03h"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_all_allowed),
		cmocka_unit_test(test_must),
		cmocka_unit_test(test_each_missing),
		cmocka_unit_test(test_invpcid),
		cmocka_unit_test(test_nothing_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
