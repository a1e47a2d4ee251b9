/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Agreeing the controls with the processor. Required ones are refused by name; an optional one that is missing has its fall-back in the engine. */
#include "vmx/control.h"

#include "vmx/vmcs.h"

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_7_EBX_INVPCID (1u << 10)

struct control_row {
	enum vmx_word word;
	uint32_t bit;
	bool required;
	const char *name; /* as in SDM 3C 25.6 to 25.8 */
};

static const struct control_row rows[] = {
	{ WORD_PIN, VMX_PIN_EXTERNAL_INTERRUPT, true, "external-interrupt exiting" },
	{ WORD_PIN, VMX_PIN_NMI, true, "NMI exiting" },
	{ WORD_PIN, VMX_PIN_PREEMPTION_TIMER, false, "VMX-preemption timer" },
	{ WORD_PRIMARY, VMX_PRIMARY_TSC_OFFSET, true, "use TSC offsetting" },
	{ WORD_PRIMARY, VMX_PRIMARY_HLT, true, "HLT exiting" },
	{ WORD_PRIMARY, VMX_PRIMARY_MWAIT, true, "MWAIT exiting" },
	{ WORD_PRIMARY, VMX_PRIMARY_RDPMC, true, "RDPMC exiting" },
	{ WORD_PRIMARY, VMX_PRIMARY_TPR_SHADOW, true, "use TPR shadow" }, /* or the guest's CR8 would be the host's */
	{ WORD_PRIMARY, VMX_PRIMARY_IO_BITMAPS, true, "use I/O bitmaps" },
	{ WORD_PRIMARY, VMX_PRIMARY_MSR_BITMAPS, true, "use MSR bitmaps" },
	{ WORD_PRIMARY, VMX_PRIMARY_MONITOR, true, "MONITOR exiting" },
	{ WORD_PRIMARY, VMX_PRIMARY_SECONDARY, true, "activate secondary controls" },
	{ WORD_SECONDARY, VMX_SECONDARY_EPT, true, "enable EPT" },
	{ WORD_SECONDARY, VMX_SECONDARY_RDTSCP, true, "enable RDTSCP" },
	{ WORD_SECONDARY, VMX_SECONDARY_VPID, false, "enable VPID" },
	{ WORD_SECONDARY, VMX_SECONDARY_WBINVD, true, "WBINVD exiting" },
	{ WORD_SECONDARY, VMX_SECONDARY_UNRESTRICTED, true, "unrestricted guest" },
	{ WORD_SECONDARY, VMX_SECONDARY_INVPCID, true, "enable INVPCID" },
	{ WORD_SECONDARY, VMX_SECONDARY_TSC_SCALING, false, "use TSC scaling" },
	{ WORD_EXIT, VMX_EXIT_SAVE_DEBUG, true, "save debug controls" },
	{ WORD_EXIT, VMX_EXIT_HOST_LONG, true, "host address-space size" },
	{ WORD_EXIT, VMX_EXIT_SAVE_PAT, true, "save IA32_PAT" },
	{ WORD_EXIT, VMX_EXIT_LOAD_PAT, true, "load IA32_PAT (exit)" },
	{ WORD_EXIT, VMX_EXIT_SAVE_EFER, true, "save IA32_EFER" },
	{ WORD_EXIT, VMX_EXIT_LOAD_EFER, true, "load IA32_EFER (exit)" },
	{ WORD_ENTRY, VMX_ENTRY_LOAD_DEBUG, true, "load debug controls" },
	{ WORD_ENTRY, VMX_ENTRY_LOAD_PAT, true, "load IA32_PAT (entry)" },
	{ WORD_ENTRY, VMX_ENTRY_LOAD_EFER, true, "load IA32_EFER (entry)" },
};

#define ROWS (sizeof rows / sizeof *rows)

static const char *const word_names[WORD_COUNT] = {
	[WORD_PIN] = "pin-based", [WORD_PRIMARY] = "primary", [WORD_SECONDARY] = "secondary", [WORD_EXIT] = "exit", [WORD_ENTRY] = "entry",
};

bool vmx_is_allowed(uint32_t cpuid_1_ecx, uint64_t feature_control, struct refusal *why)
{
	if (!(cpuid_1_ecx & CPUID_1_ECX_VMX))
		return refuse(why, 221, "this processor has no VT-x (CPUID 1 ECX bit 5 is 0, ECX = %08xh): use another machine, or "
			      "enable it where an emulator or hypervisor below hides it (KVM: nested=1 and -cpu host)", cpuid_1_ecx);
	if (feature_control & FEATURE_CONTROL_LOCKED && !(feature_control & FEATURE_CONTROL_VMX))
		return refuse(why, 222, "VT-x is locked off by the firmware (IA32_FEATURE_CONTROL = %lxh, bit 2 is 0): "
			      "enable VT-x in the firmware's set-up", feature_control);
	return true;
}

uint32_t vmx_negotiate(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *value)
{
	uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);

	*value = (required | optional | must) & may;
	return required & ~*value;
}

static bool is_required(const struct control_row *row, uint32_t cpuid_7_ebx)
{
	return row->required && (row->bit != VMX_SECONDARY_INVPCID || row->word != WORD_SECONDARY || cpuid_7_ebx & CPUID_7_EBX_INVPCID);
}

static bool refuse_missing(enum vmx_word word, uint32_t missing, uint64_t capability, struct refusal *why)
{
	for (const struct control_row *row = rows; row < rows + ROWS; row++)
		if (row->word == word && row->bit & missing)
			return refuse(why, 223, "this processor's VT-x has no \"%s\" (%s controls bit %d; it allows %08xh): use a newer "
				      "processor (2010 or later), or an emulator's model of one", row->name, word_names[word],
				      __builtin_ctz(row->bit), (uint32_t)(capability >> 32));
	return false;
}

bool vmx_choose_controls(const uint64_t capabilities[WORD_COUNT], uint32_t cpuid_7_ebx, struct vmx_controls *controls,
			 struct refusal *why)
{
	for (enum vmx_word word = 0; word < WORD_COUNT; word++) {
		uint32_t required = 0, optional = 0, missing;

		for (const struct control_row *row = rows; row < rows + ROWS; row++)
			if (row->word == word)
				*(is_required(row, cpuid_7_ebx) ? &required : &optional) |= row->bit;
		missing = vmx_negotiate(capabilities[word], required, optional, &controls->words[word]);
		if (missing)
			return refuse_missing(word, missing, capabilities[word], why);
	}
	return true;
}
