/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual machine control structure (SDM 3C appendix B): its fields, the bits of its controls (25.6 to 25.8) and the exit reasons
 * (appendix C) that Foliot uses, and the two instructions that reach it. */
#pragma once

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

/* 16-bit fields */
#define VMCS_VPID 0x0000u
#define VMCS_GUEST_ES_SELECTOR 0x0800u /* then CS, SS, DS, FS, GS, LDTR, TR, two apart */
#define VMCS_GUEST_TR_SELECTOR 0x080eu
#define VMCS_HOST_ES_SELECTOR 0x0c00u
#define VMCS_HOST_CS_SELECTOR 0x0c02u
#define VMCS_HOST_SS_SELECTOR 0x0c04u
#define VMCS_HOST_DS_SELECTOR 0x0c06u
#define VMCS_HOST_FS_SELECTOR 0x0c08u
#define VMCS_HOST_GS_SELECTOR 0x0c0au
#define VMCS_HOST_TR_SELECTOR 0x0c0cu

/* 64-bit fields */
#define VMCS_IO_BITMAP_A 0x2000u
#define VMCS_IO_BITMAP_B 0x2002u
#define VMCS_MSR_BITMAP 0x2004u
#define VMCS_EXIT_MSR_STORE_LIST 0x2006u
#define VMCS_EXIT_MSR_LOAD_LIST 0x2008u
#define VMCS_ENTRY_MSR_LOAD_LIST 0x200au
#define VMCS_TSC_OFFSET 0x2010u
#define VMCS_VIRTUAL_APIC_PAGE 0x2012u
#define VMCS_EPT_POINTER 0x201au
#define VMCS_TSC_MULTIPLIER 0x2032u
#define VMCS_GUEST_PHYSICAL_ADDRESS 0x2400u
#define VMCS_LINK_POINTER 0x2800u
#define VMCS_GUEST_DEBUGCTL 0x2802u
#define VMCS_GUEST_PAT 0x2804u
#define VMCS_GUEST_EFER 0x2806u
#define VMCS_GUEST_PDPTE(n) (0x280au + 2u * (n))
#define VMCS_HOST_PAT 0x2c00u
#define VMCS_HOST_EFER 0x2c02u

/* 32-bit fields */
#define VMCS_PIN_CONTROLS 0x4000u
#define VMCS_PRIMARY_CONTROLS 0x4002u
#define VMCS_EXCEPTION_BITMAP 0x4004u
#define VMCS_PAGE_FAULT_MASK 0x4006u
#define VMCS_PAGE_FAULT_MATCH 0x4008u
#define VMCS_CR3_TARGET_COUNT 0x400au
#define VMCS_EXIT_CONTROLS 0x400cu
#define VMCS_EXIT_MSR_STORE_COUNT 0x400eu
#define VMCS_EXIT_MSR_LOAD_COUNT 0x4010u
#define VMCS_ENTRY_CONTROLS 0x4012u
#define VMCS_ENTRY_MSR_LOAD_COUNT 0x4014u
#define VMCS_ENTRY_EVENT 0x4016u
#define VMCS_ENTRY_ERROR_CODE 0x4018u
#define VMCS_ENTRY_LENGTH 0x401au
#define VMCS_TPR_THRESHOLD 0x401cu
#define VMCS_SECONDARY_CONTROLS 0x401eu
#define VMCS_INSTRUCTION_ERROR 0x4400u
#define VMCS_EXIT_REASON 0x4402u
#define VMCS_EXIT_EVENT 0x4404u
#define VMCS_EXIT_ERROR_CODE 0x4406u
#define VMCS_IDT_VECTORING 0x4408u
#define VMCS_IDT_VECTORING_ERROR 0x440au
#define VMCS_EXIT_LENGTH 0x440cu
#define VMCS_GUEST_ES_LIMIT 0x4800u /* then CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR */
#define VMCS_GUEST_GDTR_LIMIT 0x4810u
#define VMCS_GUEST_IDTR_LIMIT 0x4812u
#define VMCS_GUEST_ES_RIGHTS 0x4814u /* then CS, SS, DS, FS, GS, LDTR, TR */
#define VMCS_GUEST_CS_RIGHTS 0x4816u
#define VMCS_GUEST_SS_RIGHTS 0x4818u
#define VMCS_GUEST_TR_RIGHTS 0x4822u
#define VMCS_GUEST_INTERRUPTIBILITY 0x4824u
#define VMCS_GUEST_ACTIVITY 0x4826u
#define VMCS_GUEST_SYSENTER_CS 0x482au
#define VMCS_PREEMPTION_TIMER 0x482eu
#define VMCS_HOST_SYSENTER_CS 0x4c00u

/* fields of the processor's natural width */
#define VMCS_CR0_MASK 0x6000u
#define VMCS_CR4_MASK 0x6002u
#define VMCS_CR0_SHADOW 0x6004u
#define VMCS_CR4_SHADOW 0x6006u
#define VMCS_EXIT_QUALIFICATION 0x6400u
#define VMCS_GUEST_CR0 0x6800u
#define VMCS_GUEST_CR3 0x6802u
#define VMCS_GUEST_CR4 0x6804u
#define VMCS_GUEST_ES_BASE 0x6806u /* then CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR */
#define VMCS_GUEST_CS_BASE 0x6808u
#define VMCS_GUEST_TR_BASE 0x6814u
#define VMCS_GUEST_GDTR_BASE 0x6816u
#define VMCS_GUEST_IDTR_BASE 0x6818u
#define VMCS_GUEST_DR7 0x681au
#define VMCS_GUEST_RSP 0x681cu
#define VMCS_GUEST_RIP 0x681eu
#define VMCS_GUEST_RFLAGS 0x6820u
#define VMCS_GUEST_PENDING_DEBUG 0x6822u
#define VMCS_GUEST_SYSENTER_ESP 0x6824u
#define VMCS_GUEST_SYSENTER_EIP 0x6826u
#define VMCS_HOST_CR0 0x6c00u
#define VMCS_HOST_CR3 0x6c02u
#define VMCS_HOST_CR4 0x6c04u
#define VMCS_HOST_FS_BASE 0x6c06u
#define VMCS_HOST_GS_BASE 0x6c08u
#define VMCS_HOST_TR_BASE 0x6c0au
#define VMCS_HOST_GDTR_BASE 0x6c0cu
#define VMCS_HOST_IDTR_BASE 0x6c0eu
#define VMCS_HOST_SYSENTER_ESP 0x6c10u
#define VMCS_HOST_SYSENTER_EIP 0x6c12u
#define VMCS_HOST_RSP 0x6c14u
#define VMCS_HOST_RIP 0x6c16u

/* pin-based controls (SDM 3C 25.6.1) */
#define VMX_PIN_EXTERNAL_INTERRUPT (1u << 0)
#define VMX_PIN_NMI (1u << 3)
#define VMX_PIN_PREEMPTION_TIMER (1u << 6)

/* primary processor-based controls (25.6.2) */
#define VMX_PRIMARY_WINDOW (1u << 2)
#define VMX_PRIMARY_TSC_OFFSET (1u << 3)
#define VMX_PRIMARY_HLT (1u << 7)
#define VMX_PRIMARY_MWAIT (1u << 10)
#define VMX_PRIMARY_RDPMC (1u << 11)
#define VMX_PRIMARY_RDTSC (1u << 12)
#define VMX_PRIMARY_TPR_SHADOW (1u << 21)
#define VMX_PRIMARY_IO_BITMAPS (1u << 25)
#define VMX_PRIMARY_MSR_BITMAPS (1u << 28)
#define VMX_PRIMARY_MONITOR (1u << 29)
#define VMX_PRIMARY_SECONDARY (1u << 31)

/* secondary processor-based controls */
#define VMX_SECONDARY_EPT (1u << 1)
#define VMX_SECONDARY_RDTSCP (1u << 3)
#define VMX_SECONDARY_VPID (1u << 5)
#define VMX_SECONDARY_WBINVD (1u << 6)
#define VMX_SECONDARY_UNRESTRICTED (1u << 7)
#define VMX_SECONDARY_INVPCID (1u << 12)
#define VMX_SECONDARY_TSC_SCALING (1u << 25)

/* exit controls (25.7.1) */
#define VMX_EXIT_SAVE_DEBUG (1u << 2)
#define VMX_EXIT_HOST_LONG (1u << 9)
#define VMX_EXIT_SAVE_PAT (1u << 18)
#define VMX_EXIT_LOAD_PAT (1u << 19)
#define VMX_EXIT_SAVE_EFER (1u << 20)
#define VMX_EXIT_LOAD_EFER (1u << 21)

/* entry controls (25.8.1) */
#define VMX_ENTRY_LOAD_DEBUG (1u << 2)
#define VMX_ENTRY_LONG (1u << 9)
#define VMX_ENTRY_LOAD_PAT (1u << 14)
#define VMX_ENTRY_LOAD_EFER (1u << 15)

/* events: of entry (25.8.3), of exit (25.9.2), and those whose delivery an exit interrupted (25.9.3) */
#define VMX_EVENT_VALID (1u << 31)
#define VMX_EVENT_ERROR_CODE (1u << 11)
#define VMX_EVENT_TYPE(event) (((event) >> 8) & 7)
#define VMX_EVENT_INTERRUPT (0u << 8)
#define VMX_EVENT_EXCEPTION (3u << 8)
#define VMX_EVENT_TYPE_NMI 2u
#define VMX_EVENT_TYPE_SOFTWARE 4u           /* INT n */
#define VMX_EVENT_TYPE_PRIVILEGED_SOFTWARE 5u /* INT1 */
#define VMX_EVENT_TYPE_SOFTWARE_EXCEPTION 6u /* INT3, INTO */

/* interruptibility (25.4.2) */
#define VMX_BLOCKED_BY_STI (1u << 0)
#define VMX_BLOCKED_BY_MOV_SS (1u << 1)

/* exit reasons (appendix C) */
#define VMX_REASON_ENTRY_FAILED (1u << 31)
#define VMX_REASON_EXCEPTION 0u
#define VMX_REASON_EXTERNAL_INTERRUPT 1u
#define VMX_REASON_TRIPLE_FAULT 2u
#define VMX_REASON_INIT 3u
#define VMX_REASON_WINDOW 7u
#define VMX_REASON_TASK_SWITCH 9u
#define VMX_REASON_CPUID 10u
#define VMX_REASON_GETSEC 11u
#define VMX_REASON_HLT 12u
#define VMX_REASON_INVD 13u
#define VMX_REASON_RDPMC 15u
#define VMX_REASON_RDTSC 16u
#define VMX_REASON_RSM 17u
#define VMX_REASON_VMCALL 18u
#define VMX_REASON_VMCLEAR 19u
#define VMX_REASON_VMXON 27u
#define VMX_REASON_CR 28u
#define VMX_REASON_IO 30u
#define VMX_REASON_RDMSR 31u
#define VMX_REASON_WRMSR 32u
#define VMX_REASON_GUEST_STATE 33u
#define VMX_REASON_MWAIT 36u
#define VMX_REASON_MONITOR 39u
#define VMX_REASON_MACHINE_CHECK 41u
#define VMX_REASON_TPR 43u
#define VMX_REASON_EPT_VIOLATION 48u
#define VMX_REASON_INVEPT 50u
#define VMX_REASON_RDTSCP 51u
#define VMX_REASON_PREEMPTION_TIMER 52u
#define VMX_REASON_INVVPID 53u
#define VMX_REASON_WBINVD 54u
#define VMX_REASON_XSETBV 55u
#define VMX_REASON_VMFUNC 59u
#define VMX_REASON_XSAVES 63u
#define VMX_REASON_XRSTORS 64u

/* exit qualifications: of a port access (table 28-5), of an EPT violation (28-7), of a control register access (28-3) */
#define VMX_IO_BYTES(q) ((unsigned)((q) & 7) + 1)
#define VMX_IO_IN (1ull << 3)
#define VMX_IO_STRING (1ull << 4)
#define VMX_IO_REP (1ull << 5)
#define VMX_EPT_WRITE (1ull << 1)
#define VMX_EPT_FETCH (1ull << 2)
#define VMX_EPT_MAPPED (7ull << 3) /* what the entry would have allowed */
#define VMX_EPT_LINEAR (1ull << 7)
#define VMX_EPT_FINAL (1ull << 8) /* the access itself, not the walk to it */
#define VMX_CR_NUMBER(q) ((unsigned)(q) & 15)
#define VMX_CR_TYPE(q) ((unsigned)((q) >> 4) & 3)
#define VMX_CR_MOV_TO 0u
#define VMX_CR_LMSW 3u

/* access rights (25.4.1): as in a descriptor, and */
#define VMX_RIGHTS_LONG (1u << 13)
#define VMX_RIGHTS_UNUSABLE (1u << 16)

#if __STDC_HOSTED__
/* The host tests' own VMCS. */
uint64_t vmread(uint32_t field);
void vmwrite(uint32_t field, uint64_t value);
#else
static inline uint64_t vmread(uint32_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc", "memory");
	return value;
}

/* A field that the processor does not have, or that is read-only, is our own mistake. */
static inline void vmwrite(uint32_t field, uint64_t value)
{
	__asm__ goto("vmwrite %1, %0; jbe %l[failed]" : : "r"((uint64_t)field), "r"(value) : "cc", "memory" : failed);
	return;
failed:
	assert_failed("vmwrite", __FILE__, (int)field);
}
#endif

/* The other instructions of VT-x. False: refused (SDM 3C 31.2). */
#define VMX_INSTRUCTION_ON(name) \
	static inline bool name(uint64_t hpa) \
	{ \
		bool failed; \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(hpa) : "memory"); \
		return !failed; \
	}

VMX_INSTRUCTION_ON(vmxon)
VMX_INSTRUCTION_ON(vmclear)
VMX_INSTRUCTION_ON(vmptrld)
#undef VMX_INSTRUCTION_ON

#define INVVPID_SINGLE 1ull
#define INVVPID_ALL 2ull

static inline void invept_all(void)
{
	static const struct { uint64_t pointer, reserved; } what;

	__asm__ volatile("invept %1, %0" : : "r"(2ull), "m"(what) : "cc", "memory");
}

static inline void invvpid(uint64_t type, uint64_t vpid)
{
	struct { uint64_t vpid, linear; } what = { vpid, 0 };

	__asm__ volatile("invvpid %1, %0" : : "r"(type), "m"(what) : "cc", "memory");
}
