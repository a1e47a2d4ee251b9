/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The checks of a VM entry, in words: the tables' interpreter, and the few rules that are no rows of a table. */
#include "vmx/check.h"

#include "base/format.h"
#include "vmx/check_rules.h"
#include "vmx/vmcs.h"

#define LINE_BYTES 120

#define CR0_PE_PG (1ull << 31 | 1) /* free in an unrestricted guest */
#define TYPES_OF_PAT 0xf3u         /* UC, UC-, WC, WT, WP, WB; here by number: 0, 1, 4 to 7 */
#define VECTORS_WITH_ERROR 0x27d00u /* #DF, #TS, #NP, #SS, #GP, #PF, #AC */
#define MISC_ACTIVITY_SHIFT 6
#define MISC_CR3_TARGETS(misc) ((misc) >> 16 & 0x1ff)

/* Numbers 14, 21 and 27 mean nothing (SDM 3C table 31-1). */
static const char *const errors[] = {
	[1] = "VMCALL in VMX root operation",
	[2] = "VMCLEAR with an invalid physical address",
	[3] = "VMCLEAR with the VMXON pointer",
	[4] = "VMLAUNCH with a VMCS that is not clear",
	[5] = "VMRESUME with a VMCS that was not launched",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control fields",
	[8] = "VM entry with invalid host-state fields",
	[9] = "VMPTRLD with an invalid physical address",
	[10] = "VMPTRLD with the VMXON pointer",
	[11] = "VMPTRLD with a wrong VMCS revision",
	[12] = "VMREAD or VMWRITE of a field that the processor does not have",
	[13] = "VMWRITE of a read-only field",
	[15] = "VMXON in VMX root operation",
	[16] = "VM entry with an invalid executive-VMCS pointer",
	[17] = "VM entry with an executive VMCS that was not launched",
	[18] = "VM entry with an executive-VMCS pointer that is not the VMXON pointer",
	[19] = "VMCALL with a VMCS that is not clear",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with a wrong MSEG revision",
	[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "VM entry with invalid execution control fields in the executive VMCS",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "invalid operand of INVEPT or INVVPID",
};

const char *vmx_instruction_error(uint32_t number)
{
	const char *text = number < sizeof errors / sizeof *errors ? errors[number] : NULL;

	return text ? text : "a number that the manual does not have";
}

uint64_t vmx_check_read(const struct vmx_check *check, uint32_t field)
{
	return check->read(check->context, field);
}

void vmx_check_report(struct vmx_check *check, const char *name, uint64_t value, const char *must)
{
	char line[LINE_BYTES];

	format(line, sizeof line, "%s = %lxh: %s", name, value, must);
	check->print(line);
	check->broken++;
}

static bool is_canonical(uint64_t value, unsigned bits)
{
	uint64_t high = value >> (bits - 1);

	return high == 0 || high == UINT64_MAX >> (bits - 1);
}

static bool has_pat_types(uint64_t value)
{
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = value >> i & 0xff;

		if (type > 7 || !(TYPES_OF_PAT >> type & 1))
			return false;
	}
	return true;
}

bool vmx_rule_holds(const struct vmx_check *check, const struct vmx_rule *rule, uint64_t value)
{
	uint64_t beyond = UINT64_MAX << check->limits->physical_bits;

	for (unsigned i = 0; i < sizeof rule->when && rule->when[i] != ALWAYS; i++)
		if (!vmx_fact_holds(check, rule->when[i]))
			return true;
	switch ((enum vmx_test)rule->test) {
	case MASKED: return (value & rule->mask) == rule->value;
	case WITHIN: return (value & (rule->mask | beyond)) == rule->value;
	case PDPTE: return !(value & 1) || !(value & (rule->mask | beyond));
	case CANONICAL: return is_canonical(value, check->limits->linear_bits + (unsigned)rule->value);
	case PAT_TYPES: return has_pat_types(value);
	case NOT_ZERO: return value != 0;
	case NEVER: break;
	}
	return false;
}

/* Bits that the processor wants to be 1, or 0. */
static void check_fixed(struct vmx_check *check, const char *name, uint32_t field, uint64_t ones, uint64_t may)
{
	uint64_t value = vmx_check_read(check, field);
	char must[40];

	if (ones & ~value) {
		format(must, sizeof must, "bits %lxh must be 1", ones & ~value);
		vmx_check_report(check, name, value, must);
	}
	if (value & ~may) {
		format(must, sizeof must, "bits %lxh must be 0", value & ~may);
		vmx_check_report(check, name, value, must);
	}
}

static void check_all_fixed(struct vmx_check *check)
{
	static const struct { const char *name; uint32_t field; } words[WORD_COUNT] = {
		[WORD_PIN] = { "pin-based controls", VMCS_PIN_CONTROLS },
		[WORD_PRIMARY] = { "primary controls", VMCS_PRIMARY_CONTROLS },
		[WORD_SECONDARY] = { "secondary controls", VMCS_SECONDARY_CONTROLS },
		[WORD_EXIT] = { "exit controls", VMCS_EXIT_CONTROLS },
		[WORD_ENTRY] = { "entry controls", VMCS_ENTRY_CONTROLS },
	};
	const struct vmx_limits *l = check->limits;

	for (enum vmx_word i = 0; i < WORD_COUNT; i++)
		check_fixed(check, words[i].name, words[i].field, (uint32_t)l->controls[i], l->controls[i] >> 32);
	check_fixed(check, "host CR0", VMCS_HOST_CR0, l->cr0_fixed0, l->cr0_fixed1);
	check_fixed(check, "host CR4", VMCS_HOST_CR4, l->cr4_fixed0, l->cr4_fixed1);
	check_fixed(check, "guest CR0", VMCS_GUEST_CR0, l->cr0_fixed0 & ~CR0_PE_PG, l->cr0_fixed1 | CR0_PE_PG);
	check_fixed(check, "guest CR4", VMCS_GUEST_CR4, l->cr4_fixed0, l->cr4_fixed1);
}

/* The processor wants an error code with some exceptions, and none with others. */
static void check_error_code(struct vmx_check *check)
{
	uint64_t event = vmx_check_read(check, VMCS_ENTRY_EVENT);
	bool has = event & VMX_EVENT_ERROR_CODE, wants = !(event & 0xe0) && VECTORS_WITH_ERROR >> (event & 31) & 1;

	if (check->limits->any_error_code ||
	    !vmx_fact_holds(check, EVENT_EXCEPTION) || !vmx_fact_holds(check, PROTECTED))
		return;
	if (wants && !has)
		vmx_check_report(check, "entry event", event, "this exception must have an error code (bit 11)");
	if (has && !wants)
		vmx_check_report(check, "entry event", event, "this exception must have no error code (bit 11)");
}

static void check_abilities(struct vmx_check *check)
{
	uint64_t misc = check->limits->misc, targets = vmx_check_read(check, VMCS_CR3_TARGET_COUNT);
	uint64_t activity = vmx_check_read(check, VMCS_GUEST_ACTIVITY);

	if (targets > MISC_CR3_TARGETS(misc))
		vmx_check_report(check, "CR3-target count", targets, "must be no more than the processor has");
	if (activity && activity < 4 && !(misc >> (MISC_ACTIVITY_SHIFT + activity - 1) & 1))
		vmx_check_report(check, "guest activity state", activity, "must be one that the processor has");
}

unsigned vmx_check(const struct vmx_limits *limits, uint64_t (*read)(void *context, uint32_t field), void *context,
		   void (*print)(const char *line))
{
	struct vmx_check check = { .limits = limits, .read = read, .context = context, .print = print };

	check_all_fixed(&check);
	check_abilities(&check);
	check_error_code(&check);
	for (const struct vmx_rule *rule = vmx_rules; rule < vmx_rules + vmx_rules_count; rule++) {
		uint64_t value = vmx_check_read(&check, rule->field);

		if (!vmx_rule_holds(&check, rule, value))
			vmx_check_report(&check, rule->name, value, rule->must);
	}
	vmx_check_segments(&check);
	if (!check.broken)
		print("no field breaks a rule of VM entry that Foliot knows");
	return check.broken;
}
