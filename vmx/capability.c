/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What this processor's VT-x can do, read from its capability MSRs (SDM 3D appendix A). */
#include "host/cpu.h"
#include "vmx/check.h"
#include "vmx/control.h"
#include "vmx/vmcs.h"

#define MSR_VMX_BASIC 0x480u
#define BASIC_TRUE_CONTROLS (1ull << 55)
#define BASIC_ANY_ERROR_CODE (1ull << 56)
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_SECONDARY 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu

static uint64_t ept_vpid;

bool vmx_ept_has(uint64_t bits)
{
	return (ept_vpid & bits) == bits;
}

static uint64_t read(uint32_t msr)
{
	uint64_t value = 0;

	rdmsr_safe(msr, &value);
	return value;
}

/* The "true" registers, where they are, allow bits to be 0 that once had to be 1 (A.2). */
static void read_words(uint64_t capabilities[WORD_COUNT])
{
	static const struct { uint32_t old, true_one; } msrs[WORD_COUNT] = {
		[WORD_PIN] = { 0x481, 0x48d }, [WORD_PRIMARY] = { 0x482, 0x48e }, [WORD_SECONDARY] = { MSR_VMX_SECONDARY, MSR_VMX_SECONDARY },
		[WORD_EXIT] = { 0x483, 0x48f }, [WORD_ENTRY] = { 0x484, 0x490 },
	};
	bool has_true = read(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS;

	for (enum vmx_word word = 0; word < WORD_COUNT; word++)
		capabilities[word] = read(has_true ? msrs[word].true_one : msrs[word].old);
	if (!(capabilities[WORD_PRIMARY] >> 32 & VMX_PRIMARY_SECONDARY))
		capabilities[WORD_SECONDARY] = 0;
}

bool vmx_read_capabilities(struct vmx_controls *controls, struct refusal *why)
{
	uint64_t capabilities[WORD_COUNT];

	read_words(capabilities);
	if (!vmx_choose_controls(capabilities, cpuid(7, 0).ebx, controls, why))
		return false;
	ept_vpid = read(MSR_VMX_EPT_VPID);
	if (!vmx_ept_has(EPT_WALK_4 | EPT_WB))
		return refuse(why, 224, "this processor's EPT has no four-level walk of write-back tables (IA32_VMX_EPT_VPID_CAP = "
			      "%lxh, bits 6 and 14): use a newer processor", ept_vpid);
	if (!vmx_ept_has(EPT_INVVPID | EPT_INVVPID_SINGLE) && !vmx_ept_has(EPT_INVVPID | EPT_INVVPID_ALL))
		controls->words[WORD_SECONDARY] &= ~VMX_SECONDARY_VPID; /* a tag that could not be flushed */
	return true;
}

void vmx_read_limits(struct vmx_limits *limits)
{
	uint32_t widths = cpuid(0x80000008, 0).eax;

	*limits = (struct vmx_limits){
		.cr0_fixed0 = read(MSR_VMX_CR0_FIXED0),
		.cr0_fixed1 = read(MSR_VMX_CR0_FIXED1),
		.cr4_fixed0 = read(MSR_VMX_CR4_FIXED0),
		.cr4_fixed1 = read(MSR_VMX_CR4_FIXED1),
		.misc = read(MSR_VMX_MISC),
		.any_error_code = read(MSR_VMX_BASIC) & BASIC_ANY_ERROR_CODE,
		.physical_bits = widths & 0xff,
		.linear_bits = widths >> 8 & 0xff,
	};
	read_words(limits->controls);
}
