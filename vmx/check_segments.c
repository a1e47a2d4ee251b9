/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of VM entry for the segment registers and descriptor tables of an unrestricted guest (SDM 3C 27.3.1.2,
 * 27.3.1.3). */
#include "base/format.h"
#include "vmx/check_rules.h"
#include "vmx/vmcs.h"

#define HIGH 0xffffffff00000000ull

#define TYPE 0xfull
#define TYPE_ACCESSED (1ull << 0)
#define TYPE_READABLE (1ull << 1)
#define TYPE_CONFORMING (1ull << 2)
#define TYPE_CODE (1ull << 3)
#define S (1ull << 4)
#define DPL (3ull << 5)
#define PRESENT (1ull << 7)
#define LONG_CODE (1ull << 13)
#define BIG (1ull << 14)
#define GRANULAR (1ull << 15)
#define RESERVED 0xfffe0f00ull

#define IN(segment) (1u << (segment))
#define DATA (IN(ES) | IN(DS) | IN(FS) | IN(GS))
#define SIX (DATA | IN(CS) | IN(SS))
#define SYSTEM (IN(LDTR) | IN(TR))

#define SELECTOR "selector", VMCS_GUEST_ES_SELECTOR
#define BASE "base", VMCS_GUEST_ES_BASE
#define LIMIT "limit", VMCS_GUEST_ES_LIMIT
#define RIGHTS "access rights", VMCS_GUEST_ES_RIGHTS
#define NOT_8086 NOT(VIRTUAL_8086)
#define SET(bits) (bits), (bits)

#define LIMIT_IN_BYTES "G (bit 15) must be 0, as the limit does not end a page"
#define LIMIT_IN_PAGES "G (bit 15) must be 1, as the limit is 1 MiB or more"

static const struct vmx_segment_rule rules[] = {
	{ IN(TR), { SELECTOR, MASKED, { ALWAYS }, 4, 0, "TI (bit 2) must be 0" } },
	{ IN(LDTR), { SELECTOR, MASKED, { USABLE }, 4, 0, "TI (bit 2) must be 0" } },

	{ IN(FS) | IN(GS) | IN(TR) | IN(GDTR) | IN(IDTR), { BASE, CANONICAL, { ALWAYS }, 0, 0, "must be canonical" } },
	{ IN(LDTR), { BASE, CANONICAL, { USABLE }, 0, 0, "must be canonical" } },
	{ IN(CS), { BASE, MASKED, { ALWAYS }, HIGH, 0, "bits 63-32 must be 0" } },
	{ IN(ES) | IN(SS) | IN(DS), { BASE, MASKED, { USABLE }, HIGH, 0, "bits 63-32 must be 0" } },

	{ SIX, { LIMIT, MASKED, { VIRTUAL_8086 }, UINT64_MAX, 0xffff, "must be ffffh in virtual-8086 mode" } },
	{ IN(GDTR) | IN(IDTR), { LIMIT, MASKED, { ALWAYS }, ~0xffffull, 0, "must be at most ffffh" } },

	{ SIX, { RIGHTS, MASKED, { VIRTUAL_8086 }, UINT64_MAX, 0xf3, "must be f3h in virtual-8086 mode" } },
	{ IN(CS), { RIGHTS, MASKED, { NOT_8086, NOT(CS_TYPE_IS_3) }, SET(TYPE_CODE | TYPE_ACCESSED),
	    "type (bits 3-0) must be 3, 9, 11, 13 or 15" } },
	{ IN(SS), { RIGHTS, MASKED, { NOT_8086, USABLE }, TYPE & ~TYPE_CONFORMING, 3,
	    "type (bits 3-0) must be 3 or 7" } },
	{ DATA, { RIGHTS, MASKED, { NOT_8086, USABLE }, SET(TYPE_ACCESSED), "type must be accessed (bit 0)" } },
	{ DATA, { RIGHTS, MASKED, { NOT_8086, USABLE, IS_CODE }, SET(TYPE_READABLE),
	    "code must be readable (bit 1)" } },
	{ SIX, { RIGHTS, MASKED, { NOT_8086, USABLE }, SET(S), "S (bit 4) must be 1" } },
	{ IN(CS), { RIGHTS, MASKED, { NOT_8086, CS_TYPE_IS_3 }, DPL, 0, "DPL (bits 6-5) must be 0 for type 3" } },
	{ IN(SS), { RIGHTS, MASKED, { NOT_8086, CS_TYPE_IS_3 }, DPL, 0,
	    "DPL (bits 6-5) must be 0 where CS has type 3" } },
	{ IN(SS), { RIGHTS, MASKED, { NOT(PROTECTED), NOT(CS_TYPE_IS_3) }, DPL, 0,
	    "DPL (bits 6-5) must be 0 in real mode" } },
	{ SIX, { RIGHTS, MASKED, { NOT_8086, USABLE }, SET(PRESENT), "P (bit 7) must be 1" } },
	{ SIX, { RIGHTS, MASKED, { NOT_8086, USABLE }, RESERVED, 0, "bits 31-17 and 11-8 must be 0" } },
	{ IN(CS), { RIGHTS, MASKED, { NOT_8086, LONG_MODE, CS_IS_64_BIT }, BIG, 0,
	    "D (bit 14) must be 0 in 64-bit code" } },
	{ SIX, { RIGHTS, MASKED, { NOT_8086, USABLE, NOT(ENDS_A_PAGE) }, GRANULAR, 0, LIMIT_IN_BYTES } },
	{ SIX, { RIGHTS, MASKED, { NOT_8086, USABLE, NOT(BELOW_1_MIB) }, SET(GRANULAR), LIMIT_IN_PAGES } },

	{ IN(TR), { RIGHTS, MASKED, { NOT(LONG_MODE) }, TYPE & ~TYPE_CODE, 3, "type (bits 3-0) must be 3 or 11" } },
	{ IN(TR), { RIGHTS, MASKED, { LONG_MODE }, TYPE, 11, "type (bits 3-0) must be 11 in IA-32e mode" } },
	{ IN(TR), { RIGHTS, MASKED, { ALWAYS }, VMX_RIGHTS_UNUSABLE, 0, "must be usable (bit 16)" } },
	{ IN(LDTR), { RIGHTS, MASKED, { USABLE }, TYPE, 2, "type (bits 3-0) must be 2" } },
	{ SYSTEM, { RIGHTS, MASKED, { USABLE }, S, 0, "S (bit 4) must be 0" } },
	{ SYSTEM, { RIGHTS, MASKED, { USABLE }, SET(PRESENT), "P (bit 7) must be 1" } },
	{ SYSTEM, { RIGHTS, MASKED, { USABLE }, RESERVED, 0, "bits 31-17 and 11-8 must be 0" } },
	{ SYSTEM, { RIGHTS, MASKED, { USABLE, NOT(ENDS_A_PAGE) }, GRANULAR, 0, LIMIT_IN_BYTES } },
	{ SYSTEM, { RIGHTS, MASKED, { USABLE, NOT(BELOW_1_MIB) }, SET(GRANULAR), LIMIT_IN_PAGES } },
};

static void report(struct vmx_check *check, const char *part, uint64_t value, const char *must)
{
	static const char names[SEGMENT_COUNT][5] = {
		"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR", "GDTR", "IDTR",
	};
	char name[40];

	format(name, sizeof name, "guest %s %s", names[check->segment], part);
	vmx_check_report(check, name, value, must);
}

/* Of the six: the base is 16 times the selector. */
static void check_virtual_8086(struct vmx_check *check)
{
	uint64_t base = vmx_check_read(check, VMCS_GUEST_ES_BASE + 2 * check->segment);
	uint64_t selector = vmx_check_read(check, VMCS_GUEST_ES_SELECTOR + 2 * check->segment);

	if (vmx_fact_holds(check, VIRTUAL_8086) && base != selector << 4)
		report(check, "base", base, "must be the selector times 16 in virtual-8086 mode");
}

/* CS's DPL against SS's, which is the privilege level. */
static void check_cs_dpl(struct vmx_check *check)
{
	uint64_t cs = vmx_check_read(check, VMCS_GUEST_CS_RIGHTS);
	uint64_t ss_dpl = vmx_check_read(check, VMCS_GUEST_SS_RIGHTS) & DPL;

	if (vmx_fact_holds(check, VIRTUAL_8086) || !(cs & TYPE_CODE))
		return;
	if (!(cs & TYPE_CONFORMING) && (cs & DPL) != ss_dpl)
		report(check, "access rights", cs, "DPL (bits 6-5) must be SS's in code that is not conforming");
	else if (cs & TYPE_CONFORMING && (cs & DPL) > ss_dpl)
		report(check, "access rights", cs, "DPL (bits 6-5) must not be above SS's in conforming code");
}

void vmx_check_segments(struct vmx_check *check)
{
	for (check->segment = ES; check->segment < SEGMENT_COUNT; check->segment++) {
		for (const struct vmx_segment_rule *r = rules; r < rules + sizeof rules / sizeof *rules; r++) {
			uint64_t value;

			if (!(r->segments & IN(check->segment)))
				continue;
			value = vmx_check_read(check, r->rule.field + 2 * check->segment);
			if (!vmx_rule_holds(check, &r->rule, value))
				report(check, r->rule.name, value, r->rule.must);
		}
		if (check->segment <= GS)
			check_virtual_8086(check);
		if (check->segment == CS)
			check_cs_dpl(check);
	}
}
