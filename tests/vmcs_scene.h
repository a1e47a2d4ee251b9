/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A VMCS in an array, with a state that the processor takes for each mode of a guest, and what vmx_check says of it. */
#pragma once

#include "vmx/check_rules.h"
#include "vmx/vmcs.h"

#include "tests/support.h"

#define FIELDS 0x7000
#define LINES 64
#define NOTHING "no field breaks a rule of VM entry that Foliot knows"
#define PAT_AT_RESET 0x0007040600070406ull
#define CPUID_7_EBX_INVPCID (1u << 10)
#define HIGH 0x100000000ull
#define BAD_ADDRESS 0x800000000000ull
#define BEYOND 0x10000000000ull /* of 40 bits */

enum mode { REAL, FLAT, PAE_PAGED, LONG_64, COMPATIBLE, V8086, MODES };

static uint64_t vmcs[FIELDS];
static char lines[LINES][200];
static unsigned line_count;
static struct vmx_limits limits;

static const struct vmx_limits haswell = {
	.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3767ff,
	.controls = { 0x7f00000016, 0xfff9fffe04006172, 0x020fffff00000000, 0x7fffff00036dfb, 0x3ffff000011fb },
	.misc = 4 << 16 | 7 << 6, .physical_bits = 40, .linear_bits = 48,
};

static uint64_t read_fake(void *context, uint32_t field)
{
	assert_ptr_equal(context, vmcs);
	assert_true(field < FIELDS);
	return vmcs[field];
}

static void keep(const char *line)
{
	assert_true(strlen(line) < 120);
	assert_true(line_count < LINES);
	strcpy(lines[line_count++], line);
}

static unsigned check(void)
{
	line_count = 0;
	return vmx_check(&limits, read_fake, vmcs, keep);
}

static void set_segment(enum segment s, uint64_t selector, uint64_t base, uint64_t limit, uint64_t rights)
{
	vmcs[VMCS_GUEST_ES_SELECTOR + 2 * s] = selector;
	vmcs[VMCS_GUEST_ES_BASE + 2 * s] = base;
	vmcs[VMCS_GUEST_ES_LIMIT + 2 * s] = limit;
	vmcs[VMCS_GUEST_ES_RIGHTS + 2 * s] = rights;
}

static void set_six(uint64_t selector, uint64_t base, uint64_t limit, uint64_t rights)
{
	for (enum segment s = ES; s <= GS; s++)
		set_segment(s, selector, base, limit, rights);
}

static void set_controls(void)
{
	struct vmx_controls controls;
	struct refusal why;

	assert_true(vmx_choose_controls(limits.controls, CPUID_7_EBX_INVPCID, &controls, &why));
	vmcs[VMCS_PIN_CONTROLS] = controls.words[WORD_PIN];
	vmcs[VMCS_PRIMARY_CONTROLS] = controls.words[WORD_PRIMARY];
	vmcs[VMCS_SECONDARY_CONTROLS] = controls.words[WORD_SECONDARY];
	vmcs[VMCS_EXIT_CONTROLS] = controls.words[WORD_EXIT];
	vmcs[VMCS_ENTRY_CONTROLS] = controls.words[WORD_ENTRY];
	vmcs[VMCS_VPID] = 1;
	vmcs[VMCS_IO_BITMAP_A] = 0x3f000000;
	vmcs[VMCS_IO_BITMAP_B] = 0x3f001000;
	vmcs[VMCS_MSR_BITMAP] = 0x3f002000;
	vmcs[VMCS_VIRTUAL_APIC_PAGE] = 0xfffffff000;
	vmcs[VMCS_EPT_POINTER] = 0x3f00401e;
	vmcs[VMCS_TSC_MULTIPLIER] = 1ull << 48;
	vmcs[VMCS_LINK_POINTER] = UINT64_MAX;
}

static void set_host(void)
{
	vmcs[VMCS_HOST_CR0] = 0x80010033;
	vmcs[VMCS_HOST_CR3] = 0x3f100000;
	vmcs[VMCS_HOST_CR4] = 0x20a0;
	vmcs[VMCS_HOST_CS_SELECTOR] = 8;
	vmcs[VMCS_HOST_SS_SELECTOR] = 0x10;
	vmcs[VMCS_HOST_TR_SELECTOR] = 0x18;
	vmcs[VMCS_HOST_TR_BASE] = vmcs[VMCS_HOST_GDTR_BASE] = vmcs[VMCS_HOST_IDTR_BASE] = 0xffffffff80020000;
	vmcs[VMCS_HOST_PAT] = PAT_AT_RESET;
	vmcs[VMCS_HOST_EFER] = 0xd01;
	vmcs[VMCS_HOST_RIP] = 0xffffffff80001000;
}

static void set_reset(void)
{
	vmcs[VMCS_GUEST_CR0] = 0x60000030;
	vmcs[VMCS_GUEST_CR4] = 0x2000;
	vmcs[VMCS_GUEST_DR7] = 0x400;
	vmcs[VMCS_GUEST_PAT] = PAT_AT_RESET;
	vmcs[VMCS_GUEST_RFLAGS] = 2;
	vmcs[VMCS_GUEST_RIP] = 0xfff0;
	set_six(0, 0, 0xffff, 0x93);
	set_segment(CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
	set_segment(LDTR, 0, 0, 0xffff, 0x82);
	set_segment(TR, 0, 0, 0xffff, 0x8b);
	vmcs[VMCS_GUEST_GDTR_LIMIT] = vmcs[VMCS_GUEST_IDTR_LIMIT] = 0xffff;
}

static void set_flat(void)
{
	set_six(0x18, 0, UINT32_MAX, 0xc093);
	set_segment(CS, 0x10, 0, UINT32_MAX, 0xc09b);
	vmcs[VMCS_GUEST_CR0] = 0x31;
}

/* The first entry is of a page directory at the end of memory; the second, not present, is full of other bits. */
static void set_pae(void)
{
	vmcs[VMCS_GUEST_CR0] = 0x80000031;
	vmcs[VMCS_GUEST_CR3] = 0x7020;
	vmcs[VMCS_GUEST_CR4] = 0x2020;
	vmcs[VMCS_GUEST_EFER] = 0x800;
	vmcs[VMCS_GUEST_PDPTE(0)] = 0xfffffff001;
	vmcs[VMCS_GUEST_PDPTE(1)] = ~1ull;
	vmcs[VMCS_GUEST_PDPTE(2)] = 0x3e19;
	vmcs[VMCS_GUEST_PDPTE(3)] = 0;
}

static void set_long(void)
{
	set_pae();
	vmcs[VMCS_ENTRY_CONTROLS] |= VMX_ENTRY_LONG;
	vmcs[VMCS_GUEST_CR4] = 0x22020;
	vmcs[VMCS_GUEST_CR3] = 0xfffffff001;
	vmcs[VMCS_GUEST_EFER] = 0xd01;
	vmcs[VMCS_GUEST_RIP] = 0xffffffff81000000;
	vmcs[VMCS_GUEST_SYSENTER_ESP] = vmcs[VMCS_GUEST_SYSENTER_EIP] = 0xffff800000000000;
	vmcs[VMCS_GUEST_GDTR_BASE] = vmcs[VMCS_GUEST_IDTR_BASE] = 0xfffffe0000000000;
	set_segment(CS, 0x10, 0, UINT32_MAX, 0xa09b);
	set_segment(DS, 0, BAD_ADDRESS, 0x1234567, 0x1001c); /* unusable: the rest counts for nothing */
	set_segment(ES, 0, BAD_ADDRESS, 0x1234567, 0xffffff1c);
	set_segment(GS, 0, 0xffff888000000000, 0, 0xf3);
	set_segment(LDTR, 4, BAD_ADDRESS, 0x1234567, 0x1001c);
	set_segment(TR, 0x40, 0xfffffe0000003000, 0x67, 0x8b);
}

static void set_mode(enum mode mode)
{
	memset(vmcs, 0, sizeof vmcs);
	limits = haswell;
	set_controls();
	set_host();
	set_reset();
	switch (mode) {
	case REAL: return;
	case MODES: return;
	case FLAT: set_flat(); return;
	case PAE_PAGED: set_flat(); set_pae(); return;
	case LONG_64: set_flat(); set_long(); return;
	case COMPATIBLE:
		set_flat();
		set_long();
		set_six(0x2b, 0, UINT32_MAX, 0xc0f3);
		set_segment(CS, 0x23, 0, UINT32_MAX, 0xc0fb);
		set_segment(LDTR, 4, BAD_ADDRESS, 0x1234567, 0xffffff1c);
		vmcs[VMCS_GUEST_RIP] = 0xfffffff0;
		return;
	case V8086:
		set_pae();
		set_six(0xabcd, 0xabcd0, 0xffff, 0xf3);
		vmcs[VMCS_GUEST_RFLAGS] = 0x20202;
		return;
	}
}

static void assert_lines(const char *const *expected, unsigned count)
{
	unsigned broken = check();

	if (broken == count && line_count == count) {
		unsigned i = 0;

		while (i < count && !strcmp(lines[i], expected[i]))
			i++;
		if (i == count)
			return;
	}
	for (unsigned i = 0; i < count; i++)
		print_error("expected %s\n", expected[i]);
	for (unsigned i = 0; i < line_count; i++)
		print_error("     got %s\n", lines[i]);
	fail();
}

static void assert_valid(void)
{
	if (check())
		print_error("%s\n", lines[0]);
	assert_int_equal(line_count, 1);
	assert_string_equal(lines[0], NOTHING);
}
