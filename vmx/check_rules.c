/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of VM entry that a table can hold: for the controls (SDM 3C 27.2.1), the host's state (27.2.2 to 27.2.4)
 * and the guest's (27.3.1), in the manual's order. The segment registers are in vmx/check_segments.c, the processor's
 * fixed bits in vmx/check.c. */
#include "vmx/check_rules.h"

#include "vmx/vmcs.h"

#define ALL UINT64_MAX
#define HIGH 0xffffffff00000000ull
#define PAGE_OFFSET 0xfffull
#define BIT(n) (1ull << (n))

#define CR0_PE BIT(0)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define CR4_PCIDE BIT(17)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_RESERVED (~(BIT(0) | EFER_LME | EFER_LMA | BIT(11)))
#define DEBUGCTL_BTF BIT(1)
#define DEBUGCTL_RESERVED (~0xdfc7ull) /* SDM 3D table 2-2, MSR 1D9h */
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_VM BIT(17)
#define RFLAGS_FIXED (HIGH | 0xffc0802aull)
#define PENDING_BS BIT(14)
#define PENDING_RESERVED (~0x1500full) /* B0 to B3, enabled breakpoint, BS, RTM are known */
#define PDPTE_RESERVED 0x1e6ull
#define EPTP_OF_FOLIOT 0x1eull /* four levels, write-back, no accessed and dirty flags */

#define EVENT_TYPE(type) VMX_EVENT_VALID | 7u << 8, VMX_EVENT_VALID | (type)
#define EVENT_IS(type, vector) VMX_EVENT_VALID | 0x7ffu, VMX_EVENT_VALID | (type) | (vector)
#define SET(bit) (bit), (bit)
#define HAS_TYPE(type) 0xfu, (type)

/* A fact is true where (value & mask) is .value. */
struct fact {
	uint16_t field;
	bool of_segment;
	uint32_t mask, value;
};

static const struct fact facts[FACT_COUNT] = {
	[USES_IO_BITMAPS] = { VMCS_PRIMARY_CONTROLS, false, SET(VMX_PRIMARY_IO_BITMAPS) },
	[USES_MSR_BITMAPS] = { VMCS_PRIMARY_CONTROLS, false, SET(VMX_PRIMARY_MSR_BITMAPS) },
	[USES_TPR_SHADOW] = { VMCS_PRIMARY_CONTROLS, false, SET(VMX_PRIMARY_TPR_SHADOW) },
	[USES_EPT] = { VMCS_SECONDARY_CONTROLS, false, SET(VMX_SECONDARY_EPT) },
	[USES_UNRESTRICTED] = { VMCS_SECONDARY_CONTROLS, false, SET(VMX_SECONDARY_UNRESTRICTED) },
	[USES_VPID] = { VMCS_SECONDARY_CONTROLS, false, SET(VMX_SECONDARY_VPID) },
	[USES_SCALING] = { VMCS_SECONDARY_CONTROLS, false, SET(VMX_SECONDARY_TSC_SCALING) },
	[LOADS_HOST_PAT] = { VMCS_EXIT_CONTROLS, false, SET(VMX_EXIT_LOAD_PAT) },
	[LOADS_HOST_EFER] = { VMCS_EXIT_CONTROLS, false, SET(VMX_EXIT_LOAD_EFER) },
	[LOADS_DEBUG] = { VMCS_ENTRY_CONTROLS, false, SET(VMX_ENTRY_LOAD_DEBUG) },
	[LOADS_PAT] = { VMCS_ENTRY_CONTROLS, false, SET(VMX_ENTRY_LOAD_PAT) },
	[LOADS_EFER] = { VMCS_ENTRY_CONTROLS, false, SET(VMX_ENTRY_LOAD_EFER) },
	[LONG_MODE] = { VMCS_ENTRY_CONTROLS, false, SET(VMX_ENTRY_LONG) },
	[NO_MSR_STORES] = { VMCS_EXIT_MSR_STORE_COUNT, false, UINT32_MAX, 0 },
	[NO_MSR_LOADS] = { VMCS_EXIT_MSR_LOAD_COUNT, false, UINT32_MAX, 0 },
	[NO_ENTRY_MSR_LOADS] = { VMCS_ENTRY_MSR_LOAD_COUNT, false, UINT32_MAX, 0 },

	[EVENT] = { VMCS_ENTRY_EVENT, false, SET(VMX_EVENT_VALID) },
	[EVENT_INTERRUPT] = { VMCS_ENTRY_EVENT, false, EVENT_TYPE(VMX_EVENT_INTERRUPT) },
	[EVENT_RESERVED] = { VMCS_ENTRY_EVENT, false, EVENT_TYPE(1u << 8) },
	[EVENT_NMI] = { VMCS_ENTRY_EVENT, false, EVENT_TYPE(VMX_EVENT_TYPE_NMI << 8) },
	[EVENT_EXCEPTION] = { VMCS_ENTRY_EVENT, false, EVENT_TYPE(VMX_EVENT_EXCEPTION) },
	[EVENT_SOFTWARE] = { VMCS_ENTRY_EVENT, false, SET(VMX_EVENT_VALID | VMX_EVENT_TYPE_SOFTWARE << 8) },
	[EVENT_OTHER] = { VMCS_ENTRY_EVENT, false, EVENT_TYPE(7u << 8) },
	[EVENT_DB] = { VMCS_ENTRY_EVENT, false, EVENT_IS(VMX_EVENT_EXCEPTION, 1) },
	[EVENT_MC] = { VMCS_ENTRY_EVENT, false, EVENT_IS(VMX_EVENT_EXCEPTION, 18) },
	[EVENT_WITH_ERROR] = { VMCS_ENTRY_EVENT, false, SET(VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE) },

	[PROTECTED] = { VMCS_GUEST_CR0, false, SET(CR0_PE) },
	[PAGING] = { VMCS_GUEST_CR0, false, SET(CR0_PG) },
	[PAE] = { VMCS_GUEST_CR4, false, SET(CR4_PAE) },
	[LMA_SET] = { VMCS_GUEST_EFER, false, SET(EFER_LMA) },
	[VIRTUAL_8086] = { VMCS_GUEST_RFLAGS, false, SET(RFLAGS_VM) },
	[INTERRUPTS_ON] = { VMCS_GUEST_RFLAGS, false, SET(RFLAGS_IF) },
	[STEPS] = { VMCS_GUEST_RFLAGS, false, SET(RFLAGS_TF) },
	[STEPS_BRANCHES] = { VMCS_GUEST_DEBUGCTL, false, SET(DEBUGCTL_BTF) },
	[CS_IS_64_BIT] = { VMCS_GUEST_CS_RIGHTS, false, SET(VMX_RIGHTS_LONG) },
	[CS_TYPE_IS_3] = { VMCS_GUEST_CS_RIGHTS, false, HAS_TYPE(3) },
	[SS_DPL_IS_0] = { VMCS_GUEST_SS_RIGHTS, false, 3u << 5, 0 },
	[STI_BLOCKS] = { VMCS_GUEST_INTERRUPTIBILITY, false, SET(VMX_BLOCKED_BY_STI) },
	[MOV_SS_BLOCKS] = { VMCS_GUEST_INTERRUPTIBILITY, false, SET(VMX_BLOCKED_BY_MOV_SS) },
	[NO_SHADOW] = { VMCS_GUEST_INTERRUPTIBILITY, false, VMX_BLOCKED_BY_STI | VMX_BLOCKED_BY_MOV_SS, 0 },
	[ACTIVE] = { VMCS_GUEST_ACTIVITY, false, UINT32_MAX, 0 },
	[HALTED] = { VMCS_GUEST_ACTIVITY, false, UINT32_MAX, 1 },
	[SHUT_DOWN] = { VMCS_GUEST_ACTIVITY, false, UINT32_MAX, 2 },
	[WAITS_FOR_SIPI] = { VMCS_GUEST_ACTIVITY, false, UINT32_MAX, 3 },

	[USABLE] = { VMCS_GUEST_ES_RIGHTS, true, VMX_RIGHTS_UNUSABLE, 0 },
	[IS_CODE] = { VMCS_GUEST_ES_RIGHTS, true, SET(1u << 3) },
	[ENDS_A_PAGE] = { VMCS_GUEST_ES_LIMIT, true, SET(0xfffu) },
	[BELOW_1_MIB] = { VMCS_GUEST_ES_LIMIT, true, 0xfff00000u, 0 },
};

/* What the manual asks of a usable segment it asks of CS and TR always. */
bool vmx_fact_holds(const struct vmx_check *check, unsigned fact)
{
	const struct fact *f = &facts[fact & ~NOT(0u)];
	uint64_t value = vmx_check_read(check, f->field + (f->of_segment ? 2 * check->segment : 0));

	if (fact == USABLE && (check->segment == CS || check->segment == TR))
		return true;
	return ((value & f->mask) == f->value) == !(fact & NOT(0u));
}

/* What has several rules. */
#define ENTRY_EVENT "entry event", VMCS_ENTRY_EVENT
#define ENTRY_LENGTH "entry instruction length", VMCS_ENTRY_LENGTH
#define HOST_EFER "host EFER", VMCS_HOST_EFER
#define GUEST_CR0 "guest CR0", VMCS_GUEST_CR0
#define GUEST_CR4 "guest CR4", VMCS_GUEST_CR4
#define GUEST_EFER "guest EFER", VMCS_GUEST_EFER
#define GUEST_RIP "guest RIP", VMCS_GUEST_RIP
#define GUEST_RFLAGS "guest RFLAGS", VMCS_GUEST_RFLAGS
#define ACTIVITY "guest activity state", VMCS_GUEST_ACTIVITY
#define INTERRUPTIBILITY "guest interruptibility", VMCS_GUEST_INTERRUPTIBILITY
#define PENDING_DEBUG "guest pending debug", VMCS_GUEST_PENDING_DEBUG

#define PAGE_IN_MEMORY "must be page-aligned, within the physical address width"
#define LIST_IN_MEMORY "must be 16-byte aligned, within the physical address width"
#define IN_MEMORY "must be within the physical address width"
#define IS_CANONICAL "must be canonical"
#define MEMORY_TYPES "each byte must be 0, 1, 4, 5, 6 or 7"
#define NO_RESERVED "reserved bits must be 0"
#define NO_RING_OR_TABLE "RPL and TI (bits 2-0) must be 0"
#define NO_STEP_PENDING "BS (bit 14) must be 0 in a shadow or HLT where the guest does not step"
#define STEP_PENDING "BS (bit 14) must be 1 in a shadow or HLT where the guest steps"

#define HOST_SELECTOR(name) \
	{ "host " #name " selector", VMCS_HOST_##name##_SELECTOR, MASKED, { ALWAYS }, 7, 0, NO_RING_OR_TABLE }
#define HOST_ADDRESS(name, field) { "host " name, VMCS_HOST_##field, CANONICAL, { ALWAYS }, 0, 0, IS_CANONICAL }
#define GUEST_PDPTE(n) \
	{ "guest PDPTE " #n, VMCS_GUEST_PDPTE(n), PDPTE, { USES_EPT, PAGING, PAE, NOT(LONG_MODE) }, PDPTE_RESERVED, 0, \
	  "is present: reserved bits and those beyond the physical width must be 0" }

const struct vmx_rule vmx_rules[] = {
	/* 27.2.1.1 */
	{ "I/O bitmap A", VMCS_IO_BITMAP_A, WITHIN, { USES_IO_BITMAPS }, PAGE_OFFSET, 0, PAGE_IN_MEMORY },
	{ "I/O bitmap B", VMCS_IO_BITMAP_B, WITHIN, { USES_IO_BITMAPS }, PAGE_OFFSET, 0, PAGE_IN_MEMORY },
	{ "MSR bitmap", VMCS_MSR_BITMAP, WITHIN, { USES_MSR_BITMAPS }, PAGE_OFFSET, 0, PAGE_IN_MEMORY },
	{ "virtual-APIC page", VMCS_VIRTUAL_APIC_PAGE, WITHIN, { USES_TPR_SHADOW }, PAGE_OFFSET, 0, PAGE_IN_MEMORY },
	{ "TPR threshold", VMCS_TPR_THRESHOLD, MASKED, { USES_TPR_SHADOW }, ~15ull, 0, "bits 31-4 must be 0" },
	{ "VPID", VMCS_VPID, NOT_ZERO, { USES_VPID }, 0, 0, "must not be 0" },
	{ "EPT pointer", VMCS_EPT_POINTER, WITHIN, { USES_EPT }, PAGE_OFFSET, EPTP_OF_FOLIOT,
	  "must be write-back, of 4 levels, within the physical address width" },
	{ "secondary controls", VMCS_SECONDARY_CONTROLS, MASKED, { USES_UNRESTRICTED }, SET(VMX_SECONDARY_EPT),
	  "unrestricted guest (bit 7) needs EPT (bit 1)" },
	{ "TSC multiplier", VMCS_TSC_MULTIPLIER, NOT_ZERO, { USES_SCALING }, 0, 0, "must not be 0" },

	/* 27.2.1.2, 27.2.1.3 */
	{ "exit MSR-store list", VMCS_EXIT_MSR_STORE_LIST, WITHIN, { NOT(NO_MSR_STORES) }, 15, 0, LIST_IN_MEMORY },
	{ "exit MSR-load list", VMCS_EXIT_MSR_LOAD_LIST, WITHIN, { NOT(NO_MSR_LOADS) }, 15, 0, LIST_IN_MEMORY },
	{ "entry MSR-load list", VMCS_ENTRY_MSR_LOAD_LIST, WITHIN, { NOT(NO_ENTRY_MSR_LOADS) }, 15, 0, LIST_IN_MEMORY },
	{ "entry controls", VMCS_ENTRY_CONTROLS, MASKED, { ALWAYS }, 3u << 10, 0,
	  "bits 10 and 11 must be 0 outside SMM" },
	{ ENTRY_EVENT, NEVER, { EVENT_RESERVED }, 0, 0, "type 1 (bits 10-8) is reserved" },
	{ ENTRY_EVENT, MASKED, { EVENT_NMI }, 0xff, 2, "an NMI must have vector 2" },
	{ ENTRY_EVENT, MASKED, { EVENT_EXCEPTION }, 0xe0, 0, "an exception's vector must be below 32" },
	{ ENTRY_EVENT, MASKED, { EVENT_OTHER }, 0xff, 0, "type 7 (bits 10-8) must have vector 0" },
	{ ENTRY_EVENT, MASKED, { EVENT, NOT(EVENT_EXCEPTION) }, VMX_EVENT_ERROR_CODE, 0,
	  "only an exception may have an error code (bit 11)" },
	{ ENTRY_EVENT, MASKED, { EVENT_EXCEPTION, NOT(PROTECTED) }, VMX_EVENT_ERROR_CODE, 0,
	  "must have no error code (bit 11) in real mode" },
	{ ENTRY_EVENT, MASKED, { EVENT }, 0x7ffff000, 0, "bits 30-12 must be 0" },
	{ "entry error code", VMCS_ENTRY_ERROR_CODE, MASKED, { EVENT_WITH_ERROR }, ~0xffffull, 0,
	  "bits 31-16 must be 0" },
	{ ENTRY_LENGTH, MASKED, { EVENT_SOFTWARE, NOT(EVENT_OTHER) }, ~15ull, 0, "must be at most 15" },
	{ ENTRY_LENGTH, NOT_ZERO, { EVENT_SOFTWARE, NOT(EVENT_OTHER) }, 0, 0, "must not be 0" },

	/* 27.2.2 to 27.2.4 */
	{ "host CR3", VMCS_HOST_CR3, WITHIN, { ALWAYS }, 0, 0, IN_MEMORY },
	HOST_ADDRESS("SYSENTER_ESP", SYSENTER_ESP),
	HOST_ADDRESS("SYSENTER_EIP", SYSENTER_EIP),
	{ "host PAT", VMCS_HOST_PAT, PAT_TYPES, { LOADS_HOST_PAT }, 0, 0, MEMORY_TYPES },
	{ HOST_EFER, MASKED, { LOADS_HOST_EFER }, EFER_RESERVED, 0, NO_RESERVED },
	{ HOST_EFER, MASKED, { LOADS_HOST_EFER }, SET(EFER_LME | EFER_LMA), "LME and LMA (bits 8, 10) must be 1" },
	HOST_SELECTOR(ES), HOST_SELECTOR(CS), HOST_SELECTOR(SS), HOST_SELECTOR(DS),
	HOST_SELECTOR(FS), HOST_SELECTOR(GS), HOST_SELECTOR(TR),
	{ "host CS selector", VMCS_HOST_CS_SELECTOR, NOT_ZERO, { ALWAYS }, 0, 0, "must not be 0" },
	{ "host TR selector", VMCS_HOST_TR_SELECTOR, NOT_ZERO, { ALWAYS }, 0, 0, "must not be 0" },
	HOST_ADDRESS("FS base", FS_BASE),
	HOST_ADDRESS("GS base", GS_BASE),
	HOST_ADDRESS("TR base", TR_BASE),
	HOST_ADDRESS("GDTR base", GDTR_BASE),
	HOST_ADDRESS("IDTR base", IDTR_BASE),
	{ "exit controls", VMCS_EXIT_CONTROLS, MASKED, { ALWAYS }, SET(VMX_EXIT_HOST_LONG),
	  "the host's mode (bit 9) must be 64-bit" },
	{ "host CR4", VMCS_HOST_CR4, MASKED, { ALWAYS }, SET(CR4_PAE), "PAE (bit 5) must be 1" },
	HOST_ADDRESS("RIP", RIP),

	/* 27.3.1.1 */
	{ GUEST_CR0, MASKED, { PAGING }, SET(CR0_PE), "PE (bit 0) must be 1 with paging" },
	{ GUEST_CR0, MASKED, { LONG_MODE }, SET(CR0_PG), "PG (bit 31) must be 1 in IA-32e mode" },
	{ GUEST_CR4, MASKED, { LONG_MODE }, SET(CR4_PAE), "PAE (bit 5) must be 1 in IA-32e mode" },
	{ GUEST_CR4, MASKED, { NOT(LONG_MODE) }, CR4_PCIDE, 0, "PCIDE (bit 17) must be 0 outside IA-32e mode" },
	{ "guest DEBUGCTL", VMCS_GUEST_DEBUGCTL, MASKED, { LOADS_DEBUG }, DEBUGCTL_RESERVED, 0, NO_RESERVED },
	{ "guest CR3", VMCS_GUEST_CR3, WITHIN, { ALWAYS }, 0, 0, IN_MEMORY },
	{ "guest DR7", VMCS_GUEST_DR7, MASKED, { LOADS_DEBUG }, HIGH, 0, "bits 63-32 must be 0" },
	{ "guest SYSENTER_ESP", VMCS_GUEST_SYSENTER_ESP, CANONICAL, { ALWAYS }, 0, 0, IS_CANONICAL },
	{ "guest SYSENTER_EIP", VMCS_GUEST_SYSENTER_EIP, CANONICAL, { ALWAYS }, 0, 0, IS_CANONICAL },
	{ "guest PAT", VMCS_GUEST_PAT, PAT_TYPES, { LOADS_PAT }, 0, 0, MEMORY_TYPES },
	{ GUEST_EFER, MASKED, { LOADS_EFER }, EFER_RESERVED, 0, NO_RESERVED },
	{ GUEST_EFER, MASKED, { LOADS_EFER, LONG_MODE }, SET(EFER_LMA), "LMA (bit 10) must be 1 in IA-32e mode" },
	{ GUEST_EFER, MASKED, { LOADS_EFER, NOT(LONG_MODE) }, EFER_LMA, 0,
	  "LMA (bit 10) must be 0 outside IA-32e mode" },
	{ GUEST_EFER, MASKED, { LOADS_EFER, PAGING, LMA_SET }, SET(EFER_LME), "LME (bit 8) must be 1, as LMA is" },
	{ GUEST_EFER, MASKED, { LOADS_EFER, PAGING, NOT(LMA_SET) }, EFER_LME, 0,
	  "LME (bit 8) must be 0 with paging, as LMA is" },

	/* 27.3.1.4 */
	{ GUEST_RIP, MASKED, { NOT(LONG_MODE) }, HIGH, 0, "bits 63-32 must be 0 outside IA-32e mode" },
	{ GUEST_RIP, MASKED, { LONG_MODE, NOT(CS_IS_64_BIT) }, HIGH, 0, "bits 63-32 must be 0 outside 64-bit code" },
	{ GUEST_RIP, CANONICAL, { LONG_MODE, CS_IS_64_BIT }, 0, 1,
	  "bits beyond the linear address width must be equal" },
	{ GUEST_RFLAGS, MASKED, { ALWAYS }, RFLAGS_FIXED, 2, "bits 63-22, 15, 5, 3 must be 0, bit 1 must be 1" },
	{ GUEST_RFLAGS, MASKED, { LONG_MODE }, RFLAGS_VM, 0, "VM (bit 17) must be 0 in IA-32e mode" },
	{ GUEST_RFLAGS, MASKED, { NOT(PROTECTED) }, RFLAGS_VM, 0, "VM (bit 17) must be 0 in real mode" },
	{ GUEST_RFLAGS, MASKED, { EVENT_INTERRUPT }, SET(RFLAGS_IF), "IF (bit 9) must be 1 to take an interrupt" },

	/* 27.3.1.5 */
	{ ACTIVITY, MASKED, { ALWAYS }, ~3ull, 0, "must be 0 to 3" },
	{ ACTIVITY, NEVER, { HALTED, NOT(SS_DPL_IS_0) }, 0, 0, "HLT is for SS.DPL 0 only" },
	{ ACTIVITY, NEVER, { NOT(ACTIVE), NOT(NO_SHADOW) }, 0, 0, "must be 0 (active) in a shadow" },
	{ ACTIVITY, NEVER, { HALTED, EVENT_EXCEPTION, NOT(EVENT_DB), NOT(EVENT_MC) }, 0, 0,
	  "HLT does not take this event" },
	{ ACTIVITY, NEVER, { HALTED, EVENT_SOFTWARE, NOT(EVENT_OTHER) }, 0, 0,
	  "HLT does not take this event" },
	{ ACTIVITY, NEVER, { SHUT_DOWN, EVENT, NOT(EVENT_NMI), NOT(EVENT_MC) }, 0, 0,
	  "shutdown takes NMI and #MC only" },
	{ ACTIVITY, NEVER, { WAITS_FOR_SIPI, EVENT }, 0, 0, "wait-for-SIPI takes no event" },
	{ INTERRUPTIBILITY, MASKED, { ALWAYS }, ~15ull, 0, "bits 31-4 must be 0" },
	{ INTERRUPTIBILITY, NEVER, { STI_BLOCKS, MOV_SS_BLOCKS }, 0, 0,
	  "STI and MOV SS (bits 0, 1) cannot block both" },
	{ INTERRUPTIBILITY, NEVER, { STI_BLOCKS, NOT(INTERRUPTS_ON) }, 0, 0,
	  "STI (bit 0) blocks with RFLAGS.IF 1 only" },
	{ INTERRUPTIBILITY, MASKED, { EVENT_INTERRUPT }, 3, 0,
	  "bits 0 and 1 must be 0 to take an interrupt" },
	{ INTERRUPTIBILITY, MASKED, { EVENT_NMI }, 2, 0, "bit 1 must be 0 to take an NMI" },
	{ INTERRUPTIBILITY, MASKED, { ALWAYS }, 4, 0, "SMIs (bit 2) are not blocked outside SMM" },
	{ PENDING_DEBUG, MASKED, { ALWAYS }, PENDING_RESERVED, 0, NO_RESERVED },
	{ PENDING_DEBUG, MASKED, { NOT(NO_SHADOW), STEPS, NOT(STEPS_BRANCHES) }, SET(PENDING_BS), STEP_PENDING },
	{ PENDING_DEBUG, MASKED, { NOT(NO_SHADOW), STEPS, STEPS_BRANCHES }, PENDING_BS, 0, NO_STEP_PENDING },
	{ PENDING_DEBUG, MASKED, { NOT(NO_SHADOW), NOT(STEPS) }, PENDING_BS, 0, NO_STEP_PENDING },
	{ PENDING_DEBUG, MASKED, { HALTED, STEPS, NOT(STEPS_BRANCHES) }, SET(PENDING_BS), STEP_PENDING },
	{ PENDING_DEBUG, MASKED, { HALTED, STEPS, STEPS_BRANCHES }, PENDING_BS, 0, NO_STEP_PENDING },
	{ PENDING_DEBUG, MASKED, { HALTED, NOT(STEPS) }, PENDING_BS, 0, NO_STEP_PENDING },
	{ "VMCS link pointer", VMCS_LINK_POINTER, MASKED, { ALWAYS }, SET(ALL),
	  "must be all ones without a shadow VMCS" },

	/* 27.3.1.6 */
	GUEST_PDPTE(0), GUEST_PDPTE(1), GUEST_PDPTE(2), GUEST_PDPTE(3),
};

const unsigned vmx_rules_count = sizeof vmx_rules / sizeof *vmx_rules;
