/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of VM entry as tables: a rule says what one field must hold while up to four facts about the fields are
 * true. For vmx/check.c, check_rules.c and check_segments.c only. */
#pragma once

#include "vm/vcpu.h"
#include "vmx/check.h"

/* What a rule may depend on; each is one comparison of a field (vmx_fact_holds). */
enum vmx_fact {
	ALWAYS,
	/* controls */
	USES_IO_BITMAPS, USES_MSR_BITMAPS, USES_TPR_SHADOW, USES_EPT, USES_UNRESTRICTED, USES_VPID, USES_SCALING,
	LOADS_HOST_PAT, LOADS_HOST_EFER, LOADS_DEBUG, LOADS_PAT, LOADS_EFER, LONG_MODE,
	NO_MSR_STORES, NO_MSR_LOADS, NO_ENTRY_MSR_LOADS,
	/* the event of the entry */
	EVENT, EVENT_INTERRUPT, EVENT_RESERVED, EVENT_NMI, EVENT_EXCEPTION, EVENT_SOFTWARE, EVENT_OTHER,
	EVENT_DB, EVENT_MC, EVENT_WITH_ERROR,
	/* the guest's state */
	PROTECTED, PAGING, PAE, LMA_SET, VIRTUAL_8086, INTERRUPTS_ON, STEPS, STEPS_BRANCHES,
	CS_IS_64_BIT, CS_TYPE_IS_3, SS_DPL_IS_0,
	STI_BLOCKS, MOV_SS_BLOCKS, NO_SHADOW, ACTIVE, HALTED, SHUT_DOWN, WAITS_FOR_SIPI,
	/* the segment that is looked at */
	USABLE, IS_CODE, ENDS_A_PAGE, BELOW_1_MIB,
	FACT_COUNT,
};
#define NOT(fact) ((fact) | 0x80)

enum vmx_test {
	MASKED,    /* (value & mask) is .value */
	WITHIN,    /* the same, and no bit beyond the physical address width is set */
	PDPTE,     /* the same, where the entry is present */
	CANONICAL, /* bits from the linear address width less 1 up are equal; .value more bits may differ */
	PAT_TYPES, /* each byte is a memory type */
	NOT_ZERO,
	NEVER,     /* the facts alone break the rule */
};

struct vmx_rule {
	const char *name; /* of the field; for a segment register, of its part */
	uint16_t field;
	uint8_t test;
	uint8_t when[4];
	uint64_t mask, value;
	const char *must;
};

/* A rule for the segment registers whose bits (1 << enum segment) are set; its field is ES's. */
struct vmx_segment_rule {
	uint16_t segments;
	struct vmx_rule rule;
};

struct vmx_check {
	const struct vmx_limits *limits;
	uint64_t (*read)(void *context, uint32_t field);
	void *context;
	void (*print)(const char *line);
	unsigned segment; /* the one that is looked at */
	unsigned broken;
};

extern const struct vmx_rule vmx_rules[];
extern const unsigned vmx_rules_count;

/* A field's value. */
uint64_t vmx_check_read(const struct vmx_check *check, uint32_t field);

/* fact may be NOT(one). */
bool vmx_fact_holds(const struct vmx_check *check, unsigned fact);

bool vmx_rule_holds(const struct vmx_check *check, const struct vmx_rule *rule, uint64_t value);
void vmx_check_report(struct vmx_check *check, const char *name, uint64_t value, const char *must);

/* vmx/check_segments.c */
void vmx_check_segments(struct vmx_check *check);
