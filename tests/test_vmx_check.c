/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about vmx/check.c, check_rules.c and check_segments.c, over a VMCS in an array: a state that the processor
 * takes breaks no rule, in each mode; each rule, broken alone, is told in its own line and nothing else is; lines are
 * short whatever the fields hold; every VM-instruction error has its words. */
#include "tests/vmcs_scene.h"

static void test_valid(void **state)
{
	for (enum mode mode = REAL; mode < MODES; mode++) {
		set_mode(mode);
		assert_valid();
	}
}

/* Other states that are as good: each in its mode, with some fields changed. */
static const struct {
	enum mode mode;
	struct { uint32_t field; uint64_t value; } change[4];
} good[] = {
	{ REAL, { { VMCS_ENTRY_EVENT, 0x80000306 } } },
	{ REAL, { { VMCS_ENTRY_EVENT, 0x8000030d } } },
	{ REAL, { { VMCS_GUEST_CS_RIGHTS, 0x93 } } },
	{ REAL, { { VMCS_GUEST_TR_RIGHTS, 0x83 } } },
	{ REAL, { { VMCS_GUEST_CR0, 0x30 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000b0d }, { VMCS_ENTRY_ERROR_CODE, 0xffff } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000030 }, { VMCS_GUEST_RFLAGS, 0x202 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000202 }, { VMCS_GUEST_INTERRUPTIBILITY, 1 },
	          { VMCS_GUEST_RFLAGS, 0x202 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000603 }, { VMCS_ENTRY_LENGTH, 1 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000700 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x7fffffff } } }, /* is none */
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_RFLAGS, 0x102 },
	          { VMCS_GUEST_PENDING_DEBUG, 0x4000 } } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_RFLAGS, 0x102 }, { VMCS_GUEST_DEBUGCTL, 2 } } },
	{ FLAT, { { VMCS_GUEST_PENDING_DEBUG, 0x500f } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000301 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000020 }, { VMCS_GUEST_RFLAGS, 0x202 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 2 }, { VMCS_ENTRY_EVENT, 0x80000312 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 2 }, { VMCS_ENTRY_EVENT, 0x80000202 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 3 } } },
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xc09f } } },
	{ FLAT, { { VMCS_GUEST_SS_RIGHTS, 0xc0f7 }, { VMCS_GUEST_CS_RIGHTS, 0xc0bf } } },
	{ FLAT, { { VMCS_GUEST_EFER, 0x100 } } }, /* LME before paging */
	{ FLAT, { { VMCS_GUEST_ES_RIGHTS, 0x409b }, { VMCS_GUEST_ES_LIMIT, 0x12345 } } },
	{ LONG_64, { { VMCS_GUEST_RIP, 0x800000000000 } } }, /* the fetch faults, not the entry */
	{ LONG_64, { { VMCS_GUEST_DEBUGCTL, 0xdfc7 } } },
	{ LONG_64, { { VMCS_SECONDARY_CONTROLS, VMX_SECONDARY_EPT }, { VMCS_TSC_MULTIPLIER, 0 } } },
	{ LONG_64, { { VMCS_GUEST_SS_RIGHTS, VMX_RIGHTS_UNUSABLE },
	             { VMCS_GUEST_ES_RIGHTS + 2 * FS, VMX_RIGHTS_UNUSABLE } } },
	{ PAE_PAGED, { { VMCS_GUEST_CR0, 0x31 }, { VMCS_GUEST_PDPTE(0), UINT64_MAX } } },
	{ LONG_64, { { VMCS_GUEST_PDPTE(0), UINT64_MAX } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000312 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000700 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_RFLAGS, 0x102 }, { VMCS_GUEST_PENDING_DEBUG, 0x4000 } } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_RFLAGS, 0x102 }, { VMCS_GUEST_DEBUGCTL, 2 } } },
	{ FLAT, { { VMCS_GUEST_ES_RIGHTS, 0xc091 } } }, /* read-only */
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xe09b } } }, /* L is no more than a bit */
	{ FLAT, { { VMCS_GUEST_TR_RIGHTS, 0x808b }, { VMCS_GUEST_ES_LIMIT + 2 * TR, 0xfff } } },
	/* What the controls leave out is not looked at. */
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000306 }, { VMCS_ENTRY_ERROR_CODE, 0x10000 }, { VMCS_ENTRY_LENGTH, 16 } } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000700 }, { VMCS_ENTRY_LENGTH, 16 } } },
	{ REAL, { { VMCS_PRIMARY_CONTROLS, 0x84006172 }, { VMCS_IO_BITMAP_A, 1 }, { VMCS_IO_BITMAP_B, 1 },
	          { VMCS_MSR_BITMAP, 1 } } },
	{ REAL, { { VMCS_PRIMARY_CONTROLS, 0x84006172 }, { VMCS_VIRTUAL_APIC_PAGE, 1 },
	          { VMCS_TPR_THRESHOLD, 0x1f } } },
	{ REAL, { { VMCS_SECONDARY_CONTROLS, 0 }, { VMCS_EPT_POINTER, 0 } } },
	{ REAL, { { VMCS_EXIT_MSR_STORE_LIST, 1 }, { VMCS_EXIT_MSR_LOAD_LIST, 1 }, { VMCS_ENTRY_MSR_LOAD_LIST, 1 } } },
	{ REAL, { { VMCS_EXIT_CONTROLS, 0x36ffb }, { VMCS_HOST_PAT, 2 }, { VMCS_HOST_EFER, 0x1000 } } },
	{ REAL, { { VMCS_ENTRY_CONTROLS, 0x11fb }, { VMCS_GUEST_PAT, 2 }, { VMCS_GUEST_DR7, HIGH },
	          { VMCS_GUEST_DEBUGCTL, 8 } } },
	{ FLAT, { { VMCS_ENTRY_CONTROLS, 0x11fb }, { VMCS_GUEST_EFER, 0x1000 } } },
	{ LONG_64, { { VMCS_ENTRY_CONTROLS, 0x13fb }, { VMCS_GUEST_EFER, 0 } } },
	{ PAE_PAGED, { { VMCS_ENTRY_CONTROLS, 0x11fb }, { VMCS_GUEST_EFER, 0x100 } } },
	{ PAE_PAGED, { { VMCS_ENTRY_CONTROLS, 0x11fb }, { VMCS_GUEST_EFER, 0x400 } } },
};

static void test_other_valid(void **state)
{
	for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
		set_mode(good[i].mode);
		for (unsigned j = 0; j < 4; j++)
			if (good[i].change[j].field)
				vmcs[good[i].change[j].field] = good[i].change[j].value;
		assert_valid();
	}
}

#define NO_STEP "BS (bit 14) must be 0 in a shadow or HLT where the guest does not step"
#define STEP "BS (bit 14) must be 1 in a shadow or HLT where the guest steps"
#define PAGE "must be page-aligned, within the physical address width"
#define LIST "must be 16-byte aligned, within the physical address width"
#define WIDTH "must be within the physical address width"
#define CANONICAL_ONLY "must be canonical"
#define PAT_BYTES "each byte must be 0, 1, 4, 5, 6 or 7"
#define PDPTE_MUST "is present: reserved bits and those beyond the physical width must be 0"
#define RPL_TI "RPL and TI (bits 2-0) must be 0"

/* One rule broken, or one after the other. */
static const struct {
	enum mode mode;
	struct { uint32_t field; uint64_t value; } change[4];
	const char *lines[3];
} bad[] = {
	{ REAL, { { VMCS_PIN_CONTROLS, 0x9f } },
	  { "pin-based controls = 9fh: bits 80h must be 0" } },
	{ REAL, { { VMCS_PIN_CONTROLS, 0x4b } }, { "pin-based controls = 4bh: bits 14h must be 1" } },
	{ REAL, { { VMCS_PRIMARY_CONTROLS, 0x90000000 } },
	  { "primary controls = 90000000h: bits 4006172h must be 1" } },
	{ REAL, { { VMCS_SECONDARY_CONTROLS, 0x800000a2 } },
	  { "secondary controls = 800000a2h: bits 80000000h must be 0" } },
	{ REAL, { { VMCS_EXIT_CONTROLS, 0x803e6fff } }, { "exit controls = 803e6fffh: bits 10000h must be 1",
	  "exit controls = 803e6fffh: bits 80000000h must be 0" } },
	{ REAL, { { VMCS_ENTRY_CONTROLS, 0xd1ff | 1u << 20 } },
	  { "entry controls = 10d1ffh: bits 100000h must be 0" } },
	{ REAL, { { VMCS_HOST_CR0, 0x80010013 } }, { "host CR0 = 80010013h: bits 20h must be 1" } },
	{ REAL, { { VMCS_HOST_CR0, 0x180010033 } }, { "host CR0 = 180010033h: bits 100000000h must be 0" } },
	{ REAL, { { VMCS_HOST_CR4, 0xa0 } }, { "host CR4 = a0h: bits 2000h must be 1" } },
	{ REAL, { { VMCS_HOST_CR4, 0x4020a0 } }, { "host CR4 = 4020a0h: bits 400000h must be 0" } },
	{ REAL, { { VMCS_GUEST_CR0, 0x10 } }, { "guest CR0 = 10h: bits 20h must be 1" } },
	{ FLAT, { { VMCS_GUEST_CR0, 0x100000031 } }, { "guest CR0 = 100000031h: bits 100000000h must be 0" } },
	{ FLAT, { { VMCS_GUEST_CR4, 0 } }, { "guest CR4 = 0h: bits 2000h must be 1" } },
	{ FLAT, { { VMCS_GUEST_CR4, 0x802000 } }, { "guest CR4 = 802000h: bits 800000h must be 0" } },

	{ REAL, { { VMCS_IO_BITMAP_A, 0x3f000001 } }, { "I/O bitmap A = 3f000001h: " PAGE } },
	{ REAL, { { VMCS_IO_BITMAP_A, BEYOND } }, { "I/O bitmap A = 10000000000h: " PAGE } },
	{ REAL, { { VMCS_IO_BITMAP_B, 0x3f000800 } }, { "I/O bitmap B = 3f000800h: " PAGE } },
	{ REAL, { { VMCS_MSR_BITMAP, 1ull << 63 } }, { "MSR bitmap = 8000000000000000h: " PAGE } },
	{ REAL, { { VMCS_VIRTUAL_APIC_PAGE, 0x10 } }, { "virtual-APIC page = 10h: " PAGE } },
	{ REAL, { { VMCS_TPR_THRESHOLD, 0x1f } }, { "TPR threshold = 1fh: bits 31-4 must be 0" } },
	{ REAL, { { VMCS_EPT_POINTER, 0x3f004018 } },
	  { "EPT pointer = 3f004018h: must be write-back, of 4 levels, within the physical address width" } },
	{ REAL, { { VMCS_EPT_POINTER, 0x1003f00401e } },
	  { "EPT pointer = 1003f00401eh: must be write-back, of 4 levels, within the physical address width" } },
	{ REAL, { { VMCS_SECONDARY_CONTROLS, 0x80 } },
	  { "secondary controls = 80h: unrestricted guest (bit 7) needs EPT (bit 1)" } },
	{ REAL, { { VMCS_TSC_MULTIPLIER, 0 } }, { "TSC multiplier = 0h: must not be 0" } },
	{ REAL, { { VMCS_CR3_TARGET_COUNT, 5 } }, { "CR3-target count = 5h: must be no more than the processor has" } },
	{ REAL, { { VMCS_EXIT_MSR_STORE_COUNT, 1 }, { VMCS_EXIT_MSR_STORE_LIST, 8 } },
	  { "exit MSR-store list = 8h: " LIST } },
	{ REAL, { { VMCS_EXIT_MSR_LOAD_COUNT, 1 }, { VMCS_EXIT_MSR_LOAD_LIST, BEYOND } },
	  { "exit MSR-load list = 10000000000h: " LIST } },
	{ REAL, { { VMCS_ENTRY_MSR_LOAD_COUNT, 1 }, { VMCS_ENTRY_MSR_LOAD_LIST, 1 } },
	  { "entry MSR-load list = 1h: " LIST } },
	{ REAL, { { VMCS_ENTRY_CONTROLS, 0xd5ff } },
	  { "entry controls = d5ffh: bits 10 and 11 must be 0 outside SMM" } },

	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000130 } }, { "entry event = 80000130h: type 1 (bits 10-8) is reserved" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000203 } }, { "entry event = 80000203h: an NMI must have vector 2" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000320 } },
	  { "entry event = 80000320h: an exception's vector must be below 32" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000701 } },
	  { "entry event = 80000701h: type 7 (bits 10-8) must have vector 0" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000a02 } },
	  { "entry event = 80000a02h: only an exception may have an error code (bit 11)" } },
	{ REAL, { { VMCS_ENTRY_EVENT, 0x80000a02 } },
	  { "entry event = 80000a02h: only an exception may have an error code (bit 11)" } },
	{ REAL, { { VMCS_ENTRY_EVENT, 0x80000b0d } },
	  { "entry event = 80000b0dh: must have no error code (bit 11) in real mode" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x8000030d } },
	  { "entry event = 8000030dh: this exception must have an error code (bit 11)" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000b06 } },
	  { "entry event = 80000b06h: this exception must have no error code (bit 11)" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0xc0000306 } }, { "entry event = c0000306h: bits 30-12 must be 0" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80001306 } }, { "entry event = 80001306h: bits 30-12 must be 0" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000b0d }, { VMCS_ENTRY_ERROR_CODE, 0x10000 } },
	  { "entry error code = 10000h: bits 31-16 must be 0" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000480 }, { VMCS_ENTRY_LENGTH, 16 } },
	  { "entry instruction length = 10h: must be at most 15" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000501 } }, { "entry instruction length = 0h: must not be 0" } },

	{ REAL, { { VMCS_HOST_CR3, BEYOND } }, { "host CR3 = 10000000000h: " WIDTH } },
	{ REAL, { { VMCS_HOST_SYSENTER_ESP, BAD_ADDRESS } }, { "host SYSENTER_ESP = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_SYSENTER_EIP, 0xffff7fffffffffff } },
	  { "host SYSENTER_EIP = ffff7fffffffffffh: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_PAT, 2 } }, { "host PAT = 2h: " PAT_BYTES } },
	{ REAL, { { VMCS_HOST_EFER, 0x40000000d01 } }, { "host EFER = 40000000d01h: reserved bits must be 0" } },
	{ REAL, { { VMCS_HOST_EFER, 0x901 } }, { "host EFER = 901h: LME and LMA (bits 8, 10) must be 1" } },
	{ REAL, { { VMCS_HOST_ES_SELECTOR, 1 } }, { "host ES selector = 1h: " RPL_TI } },
	{ REAL, { { VMCS_HOST_CS_SELECTOR, 12 } }, { "host CS selector = ch: " RPL_TI } },
	{ REAL, { { VMCS_HOST_SS_SELECTOR, 2 } }, { "host SS selector = 2h: " RPL_TI } },
	{ REAL, { { VMCS_HOST_DS_SELECTOR, 4 } }, { "host DS selector = 4h: " RPL_TI } },
	{ REAL, { { VMCS_HOST_FS_SELECTOR, 0x13 } }, { "host FS selector = 13h: " RPL_TI } },
	{ REAL, { { VMCS_HOST_GS_SELECTOR, 7 } }, { "host GS selector = 7h: " RPL_TI } },
	{ REAL, { { VMCS_HOST_TR_SELECTOR, 0x1c } }, { "host TR selector = 1ch: " RPL_TI } },
	{ REAL, { { VMCS_HOST_CS_SELECTOR, 0 } }, { "host CS selector = 0h: must not be 0" } },
	{ REAL, { { VMCS_HOST_TR_SELECTOR, 0 } }, { "host TR selector = 0h: must not be 0" } },
	{ REAL, { { VMCS_HOST_FS_BASE, BAD_ADDRESS } }, { "host FS base = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_GS_BASE, BAD_ADDRESS } }, { "host GS base = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_TR_BASE, BAD_ADDRESS } }, { "host TR base = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_GDTR_BASE, BAD_ADDRESS } }, { "host GDTR base = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_HOST_IDTR_BASE, BAD_ADDRESS } }, { "host IDTR base = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_EXIT_CONTROLS, 0x3f6dff & ~0x200u } },
	  { "exit controls = 3f6dffh: the host's mode (bit 9) must be 64-bit" } },
	{ REAL, { { VMCS_HOST_CR4, 0x2080 } }, { "host CR4 = 2080h: PAE (bit 5) must be 1" } },
	{ REAL, { { VMCS_HOST_RIP, 0xfffeffff80001000 } }, { "host RIP = fffeffff80001000h: " CANONICAL_ONLY } },

	{ REAL, { { VMCS_GUEST_CR0, 0x80000030 } }, { "guest CR0 = 80000030h: PE (bit 0) must be 1 with paging" } },
	{ LONG_64, { { VMCS_GUEST_CR0, 0x31 } }, { "guest CR0 = 31h: PG (bit 31) must be 1 in IA-32e mode" } },
	{ LONG_64, { { VMCS_GUEST_CR0, 0x31 }, { VMCS_GUEST_EFER, 0xc01 } },
	  { "guest CR0 = 31h: PG (bit 31) must be 1 in IA-32e mode" } },
	{ LONG_64, { { VMCS_GUEST_CR4, 0x2000 } }, { "guest CR4 = 2000h: PAE (bit 5) must be 1 in IA-32e mode" } },
	{ PAE_PAGED, { { VMCS_GUEST_CR4, 0x22020 } },
	  { "guest CR4 = 22020h: PCIDE (bit 17) must be 0 outside IA-32e mode" } },
	{ FLAT, { { VMCS_GUEST_DEBUGCTL, 8 } }, { "guest DEBUGCTL = 8h: reserved bits must be 0" } },
	{ FLAT, { { VMCS_GUEST_DEBUGCTL, 0x10000 } }, { "guest DEBUGCTL = 10000h: reserved bits must be 0" } },
	{ REAL, { { VMCS_GUEST_CR3, BEYOND } }, { "guest CR3 = 10000000000h: " WIDTH } },
	{ LONG_64, { { VMCS_GUEST_CR3, 1ull << 63 } }, { "guest CR3 = 8000000000000000h: " WIDTH } },
	{ REAL, { { VMCS_GUEST_DR7, HIGH | 0x400 } }, { "guest DR7 = 100000400h: bits 63-32 must be 0" } },
	{ REAL, { { VMCS_GUEST_SYSENTER_ESP, BAD_ADDRESS } },
	  { "guest SYSENTER_ESP = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_GUEST_SYSENTER_EIP, BAD_ADDRESS } },
	  { "guest SYSENTER_EIP = 800000000000h: " CANONICAL_ONLY } },
	{ REAL, { { VMCS_GUEST_PAT, 0x0307040600070406 } }, { "guest PAT = 307040600070406h: " PAT_BYTES } },
	{ REAL, { { VMCS_GUEST_PAT, 0x0007048600070406 } }, { "guest PAT = 7048600070406h: " PAT_BYTES } },
	{ REAL, { { VMCS_GUEST_EFER, 0x1000 } }, { "guest EFER = 1000h: reserved bits must be 0" } },
	{ LONG_64, { { VMCS_GUEST_EFER, 0x801 } }, { "guest EFER = 801h: LMA (bit 10) must be 1 in IA-32e mode" } },
	{ FLAT, { { VMCS_GUEST_EFER, 0x500 } }, { "guest EFER = 500h: LMA (bit 10) must be 0 outside IA-32e mode" } },
	{ LONG_64, { { VMCS_GUEST_EFER, 0xc01 } }, { "guest EFER = c01h: LME (bit 8) must be 1, as LMA is" } },
	{ PAE_PAGED, { { VMCS_GUEST_EFER, 0x100 } },
	  { "guest EFER = 100h: LME (bit 8) must be 0 with paging, as LMA is" } },

	{ FLAT, { { VMCS_GUEST_RIP, HIGH } }, { "guest RIP = 100000000h: bits 63-32 must be 0 outside IA-32e mode" } },
	{ COMPATIBLE, { { VMCS_GUEST_RIP, HIGH } },
	  { "guest RIP = 100000000h: bits 63-32 must be 0 outside 64-bit code" } },
	{ FLAT, { { VMCS_GUEST_RIP, 1ull << 50 }, { VMCS_GUEST_CS_RIGHTS, 0xa09b } },
	  { "guest RIP = 4000000000000h: bits 63-32 must be 0 outside IA-32e mode" } },
	{ COMPATIBLE, { { VMCS_GUEST_RIP, 1ull << 50 } },
	  { "guest RIP = 4000000000000h: bits 63-32 must be 0 outside 64-bit code" } },
	{ LONG_64, { { VMCS_GUEST_RIP, 0x1000000000000 } },
	  { "guest RIP = 1000000000000h: bits beyond the linear address width must be equal" } },
	{ FLAT, { { VMCS_GUEST_RFLAGS, 0 } },
	  { "guest RFLAGS = 0h: bits 63-22, 15, 5, 3 must be 0, bit 1 must be 1" } },
	{ FLAT, { { VMCS_GUEST_RFLAGS, 0x8002 } },
	  { "guest RFLAGS = 8002h: bits 63-22, 15, 5, 3 must be 0, bit 1 must be 1" } },
	{ FLAT, { { VMCS_GUEST_RFLAGS, 0x400002 } },
	  { "guest RFLAGS = 400002h: bits 63-22, 15, 5, 3 must be 0, bit 1 must be 1" } },
	{ FLAT, { { VMCS_ENTRY_EVENT, 0x80000030 } },
	  { "guest RFLAGS = 2h: IF (bit 9) must be 1 to take an interrupt" } },

	{ FLAT, { { VMCS_GUEST_ACTIVITY, 4 } }, { "guest activity state = 4h: must be 0 to 3" } },
	{ COMPATIBLE, { { VMCS_GUEST_ACTIVITY, 1 } }, { "guest activity state = 1h: HLT is for SS.DPL 0 only" } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 2 }, { VMCS_GUEST_INTERRUPTIBILITY, 2 } },
	  { "guest activity state = 2h: must be 0 (active) in a shadow" } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000306 } },
	  { "guest activity state = 1h: HLT does not take this event" } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000480 }, { VMCS_ENTRY_LENGTH, 2 } },
	  { "guest activity state = 1h: HLT does not take this event" } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 2 }, { VMCS_ENTRY_EVENT, 0x80000306 } },
	  { "guest activity state = 2h: shutdown takes NMI and #MC only" } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 3 }, { VMCS_ENTRY_EVENT, 0x80000202 } },
	  { "guest activity state = 3h: wait-for-SIPI takes no event" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 0x10 } }, { "guest interruptibility = 10h: bits 31-4 must be 0" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 3 }, { VMCS_GUEST_RFLAGS, 0x202 } },
	  { "guest interruptibility = 3h: STI and MOV SS (bits 0, 1) cannot block both" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 1 } },
	  { "guest interruptibility = 1h: STI (bit 0) blocks with RFLAGS.IF 1 only" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 1 }, { VMCS_ENTRY_EVENT, 0x80000030 }, { VMCS_GUEST_RFLAGS, 0x202 } },
	  { "guest interruptibility = 1h: bits 0 and 1 must be 0 to take an interrupt" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_ENTRY_EVENT, 0x80000202 } },
	  { "guest interruptibility = 2h: bit 1 must be 0 to take an NMI" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 4 } },
	  { "guest interruptibility = 4h: SMIs (bit 2) are not blocked outside SMM" } },
	{ FLAT, { { VMCS_GUEST_PENDING_DEBUG, 0x10 } }, { "guest pending debug = 10h: reserved bits must be 0" } },
	{ FLAT, { { VMCS_GUEST_PENDING_DEBUG, 0x20000 } },
	  { "guest pending debug = 20000h: reserved bits must be 0" } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_RFLAGS, 0x102 } },
	  { "guest pending debug = 0h: " STEP } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_PENDING_DEBUG, 0x4000 } },
	  { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 1 }, { VMCS_GUEST_RFLAGS, 0x302 }, { VMCS_GUEST_DEBUGCTL, 2 },
	          { VMCS_GUEST_PENDING_DEBUG, 0x4000 } }, { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_DEBUGCTL, 2 }, { VMCS_GUEST_PENDING_DEBUG, 0x4000 } },
	  { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_DEBUGCTL, 2 }, { VMCS_GUEST_PENDING_DEBUG, 0x4000 } },
	  { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_RFLAGS, 0x102 } }, { "guest pending debug = 0h: " STEP } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_PENDING_DEBUG, 0x4000 } },
	  { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_GUEST_ACTIVITY, 1 }, { VMCS_GUEST_RFLAGS, 0x102 }, { VMCS_GUEST_DEBUGCTL, 2 },
	          { VMCS_GUEST_PENDING_DEBUG, 0x4000 } }, { "guest pending debug = 4000h: " NO_STEP } },
	{ FLAT, { { VMCS_LINK_POINTER, 0x1000 } },
	  { "VMCS link pointer = 1000h: must be all ones without a shadow VMCS" } },
	{ PAE_PAGED, { { VMCS_GUEST_PDPTE(0), 0x1003 } }, { "guest PDPTE 0 = 1003h: " PDPTE_MUST } },
	{ PAE_PAGED, { { VMCS_GUEST_PDPTE(1), BEYOND | 1 } }, { "guest PDPTE 1 = 10000000001h: " PDPTE_MUST } },
	{ PAE_PAGED, { { VMCS_GUEST_PDPTE(2), 0x101 } }, { "guest PDPTE 2 = 101h: " PDPTE_MUST } },
	{ PAE_PAGED, { { VMCS_GUEST_PDPTE(3), 1ull << 63 | 1 } },
	  { "guest PDPTE 3 = 8000000000000001h: " PDPTE_MUST } },

	{ FLAT, { { VMCS_GUEST_GDTR_LIMIT, 0x10000 } }, { "guest GDTR limit = 10000h: must be at most ffffh" } },
	{ FLAT, { { VMCS_GUEST_IDTR_LIMIT, 0xfffff } }, { "guest IDTR limit = fffffh: must be at most ffffh" } },
	{ FLAT, { { VMCS_GUEST_GDTR_BASE, BAD_ADDRESS } }, { "guest GDTR base = 800000000000h: " CANONICAL_ONLY } },
	{ FLAT, { { VMCS_GUEST_IDTR_BASE, BAD_ADDRESS } }, { "guest IDTR base = 800000000000h: " CANONICAL_ONLY } },
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xc0fb } },
	  { "guest CS access rights = c0fbh: DPL (bits 6-5) must be SS's in code that is not conforming" } },
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xc0bf } },
	  { "guest CS access rights = c0bfh: DPL (bits 6-5) must not be above SS's in conforming code" } },
	{ COMPATIBLE, { { VMCS_GUEST_CS_RIGHTS, 0xc09b } },
	  { "guest CS access rights = c09bh: DPL (bits 6-5) must be SS's in code that is not conforming" } },
	{ REAL, { { VMCS_GUEST_CS_RIGHTS, 0xb3 } },
	  { "guest CS access rights = b3h: DPL (bits 6-5) must be 0 for type 3" } },
	{ REAL, { { VMCS_GUEST_CS_RIGHTS, 0x93 }, { VMCS_GUEST_SS_RIGHTS, 0xf3 } },
	  { "guest SS access rights = f3h: DPL (bits 6-5) must be 0 where CS has type 3" } },
	{ REAL, { { VMCS_GUEST_CS_RIGHTS, 0xfb }, { VMCS_GUEST_SS_RIGHTS, 0xf3 } },
	  { "guest SS access rights = f3h: DPL (bits 6-5) must be 0 in real mode" } },
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xc091 } },
	  { "guest CS access rights = c091h: type (bits 3-0) must be 3, 9, 11, 13 or 15" } },
	{ FLAT, { { VMCS_GUEST_CS_RIGHTS, 0xc09a } },
	  { "guest CS access rights = c09ah: type (bits 3-0) must be 3, 9, 11, 13 or 15" } },
	{ LONG_64, { { VMCS_GUEST_CS_RIGHTS, 0xe09b } },
	  { "guest CS access rights = e09bh: D (bit 14) must be 0 in 64-bit code" } },
	{ FLAT, { { VMCS_GUEST_SS_RIGHTS, 0xc091 } },
	  { "guest SS access rights = c091h: type (bits 3-0) must be 3 or 7" } },
	{ FLAT, { { VMCS_GUEST_SS_RIGHTS, 0xc09b } },
	  { "guest SS access rights = c09bh: type (bits 3-0) must be 3 or 7" } },
	{ LONG_64, { { VMCS_GUEST_TR_RIGHTS, 0x83 } },
	  { "guest TR access rights = 83h: type (bits 3-0) must be 11 in IA-32e mode" } },
	{ LONG_64, { { VMCS_GUEST_TR_RIGHTS, 0x89 } },
	  { "guest TR access rights = 89h: type (bits 3-0) must be 11 in IA-32e mode" } },
	{ V8086, { { VMCS_GUEST_ES_LIMIT, 0xf000 }, { VMCS_GUEST_ES_RIGHTS, 0x80f3 } },
	  { "guest ES limit = f000h: must be ffffh in virtual-8086 mode",
	    "guest ES access rights = 80f3h: must be f3h in virtual-8086 mode" } },
	{ V8086, { { VMCS_ENTRY_CONTROLS, 0xd3ff }, { VMCS_GUEST_EFER, 0x500 }, { VMCS_GUEST_CS_RIGHTS, 0x60f3 } },
	  { "guest RFLAGS = 20202h: VM (bit 17) must be 0 in IA-32e mode",
	    "guest CS access rights = 60f3h: must be f3h in virtual-8086 mode" } },
	{ FLAT, { { VMCS_GUEST_TR_RIGHTS, 0x89 } },
	  { "guest TR access rights = 89h: type (bits 3-0) must be 3 or 11" } },
	{ FLAT, { { VMCS_GUEST_TR_RIGHTS, 0x1008b } }, { "guest TR access rights = 1008bh: must be usable (bit 16)" } },
	{ FLAT, { { VMCS_GUEST_ES_RIGHTS + 2 * LDTR, 0x8b } },
	  { "guest LDTR access rights = 8bh: type (bits 3-0) must be 2" } },
	{ LONG_64, { { VMCS_GUEST_ES_RIGHTS + 2 * LDTR, 0x82 } },
	  { "guest LDTR selector = 4h: TI (bit 2) must be 0", "guest LDTR base = 800000000000h: must be canonical",
	    "guest LDTR access rights = 82h: G (bit 15) must be 1, as the limit is 1 MiB or more" } },
	{ V8086, { { VMCS_ENTRY_CONTROLS, 0xd3ff }, { VMCS_GUEST_EFER, 0x500 } },
	  { "guest RFLAGS = 20202h: VM (bit 17) must be 0 in IA-32e mode" } },
	{ V8086, { { VMCS_GUEST_CR0, 0x30 } }, { "guest RFLAGS = 20202h: VM (bit 17) must be 0 in real mode" } },
};

static bool seen[256];

static void note_rules(void)
{
	for (unsigned i = 0; i < vmx_rules_count; i++)
		for (unsigned j = 0; j < line_count; j++)
			seen[i] |= !strncmp(lines[j], vmx_rules[i].name, strlen(vmx_rules[i].name)) &&
				   strstr(lines[j], vmx_rules[i].must);
}

static void test_vpid(void **state)
{
	set_mode(REAL);
	vmcs[VMCS_VPID] = 0;
	assert_lines((const char *[]){ "VPID = 0h: must not be 0" }, 1);
	note_rules();
	vmcs[VMCS_SECONDARY_CONTROLS] &= ~(uint64_t)VMX_SECONDARY_VPID;
	assert_valid();
}

/* And no rule of the table is without a state that breaks it alone. */
static void test_broken(void **state)
{
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		unsigned count = 0;

		set_mode(bad[i].mode);
		for (unsigned j = 0; j < 4; j++)
			if (bad[i].change[j].field)
				vmcs[bad[i].change[j].field] = bad[i].change[j].value;
		while (count < 3 && bad[i].lines[count])
			count++;
		assert_lines(bad[i].lines, count);
		note_rules();
	}
	for (unsigned i = 0; i < vmx_rules_count; i++)
		if (!seen[i])
			fail_msg("nothing breaks \"%s: %s\"", vmx_rules[i].name, vmx_rules[i].must);
}

enum part { SELECTOR, BASE, LIMIT, RIGHTS };
static const char *const part_names[] = { "selector", "base", "limit", "access rights" };
static const uint32_t part_fields[] = {
	VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_ES_BASE, VMCS_GUEST_ES_LIMIT, VMCS_GUEST_ES_RIGHTS,
};
static const char *const segment_names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR", "GDTR", "IDTR" };

#define IN(segment) (1u << (segment))
#define DATA (IN(ES) | IN(DS) | IN(FS) | IN(GS))
#define SIX (DATA | IN(CS) | IN(SS))
#define SYSTEM (IN(LDTR) | IN(TR))
#define G_0 "G (bit 15) must be 0, as the limit does not end a page"
#define G_1 "G (bit 15) must be 1, as the limit is 1 MiB or more"

/* For each of the segments: some bits of one part cleared and set, and the part that is then wrong. */
static const struct {
	enum mode mode;
	unsigned segments;
	enum part part;
	uint64_t clear, set;
	enum part told;
	const char *must;
} segment_rows[] = {
	{ FLAT, SIX, RIGHTS, 0x10, 0, RIGHTS, "S (bit 4) must be 1" },
	{ FLAT, SIX, RIGHTS, 0x80, 0, RIGHTS, "P (bit 7) must be 1" },
	{ LONG_64, IN(CS), RIGHTS, 0x80, VMX_RIGHTS_UNUSABLE, RIGHTS, "P (bit 7) must be 1" },
	{ FLAT, SIX, RIGHTS, 0, 0x100, RIGHTS, "bits 31-17 and 11-8 must be 0" },
	{ FLAT, SIX, RIGHTS, 0, 0x800, RIGHTS, "bits 31-17 and 11-8 must be 0" },
	{ FLAT, SIX, RIGHTS, 0, 0x20000, RIGHTS, "bits 31-17 and 11-8 must be 0" },
	{ FLAT, SIX, RIGHTS, 0, 0x80000000, RIGHTS, "bits 31-17 and 11-8 must be 0" },
	{ FLAT, SIX, RIGHTS, 0x8000, 0, RIGHTS, G_1 },
	{ REAL, SIX, LIMIT, 0, 0x100000, RIGHTS, G_1 },
	{ FLAT, SIX, LIMIT, 0x800, 0, RIGHTS, G_0 },
	{ FLAT, DATA, RIGHTS, 1, 0, RIGHTS, "type must be accessed (bit 0)" },
	{ FLAT, DATA, RIGHTS, 2, 8, RIGHTS, "code must be readable (bit 1)" },
	{ FLAT, IN(ES) | IN(CS) | IN(SS) | IN(DS), BASE, 0, HIGH, BASE, "bits 63-32 must be 0" },
	{ FLAT, IN(FS) | IN(GS) | SYSTEM, BASE, 0, BAD_ADDRESS, BASE, "must be canonical" },
	{ LONG_64, IN(FS) | IN(GS) | IN(TR), BASE, 1ull << 63, 0x1000000000000, BASE, "must be canonical" },
	{ FLAT, SYSTEM, SELECTOR, 0, 4, SELECTOR, "TI (bit 2) must be 0" },
	{ FLAT, SYSTEM, RIGHTS, 0, 0x10, RIGHTS, "S (bit 4) must be 0" },
	{ FLAT, SYSTEM, RIGHTS, 0x80, 0, RIGHTS, "P (bit 7) must be 1" },
	{ FLAT, SYSTEM, RIGHTS, 0, 0x400, RIGHTS, "bits 31-17 and 11-8 must be 0" },
	{ FLAT, SYSTEM, LIMIT, 0, 0x100000, RIGHTS, G_1 },
	{ LONG_64, IN(TR), RIGHTS, 0, 0x8000, RIGHTS, G_0 },
	{ V8086, SIX, BASE, 0, 1, BASE, "must be the selector times 16 in virtual-8086 mode" },
	{ V8086, SIX, SELECTOR, 1, 0, BASE, "must be the selector times 16 in virtual-8086 mode" },
	{ V8086, SIX, LIMIT, 0, 0x10000, LIMIT, "must be ffffh in virtual-8086 mode" },
	{ V8086, SIX, LIMIT, 0, 0x100000, LIMIT, "must be ffffh in virtual-8086 mode" },
	{ V8086, SIX, LIMIT, 1, 0, LIMIT, "must be ffffh in virtual-8086 mode" },
	{ V8086, SIX, RIGHTS, 0xff, 0x20f68, RIGHTS, "must be f3h in virtual-8086 mode" },
	{ V8086, SIX, RIGHTS, 0x60, 0, RIGHTS, "must be f3h in virtual-8086 mode" },
	{ V8086, SIX, RIGHTS, 0, 0x10000, RIGHTS, "must be f3h in virtual-8086 mode" },
	{ V8086, SIX, RIGHTS, 0x80, 0, RIGHTS, "must be f3h in virtual-8086 mode" },
};

static void test_segments(void **state)
{
	for (unsigned i = 0; i < sizeof segment_rows / sizeof *segment_rows; i++)
		for (enum segment s = ES; s <= TR; s++) {
			const char *line;
			char text[120];

			if (!(segment_rows[i].segments & IN(s)))
				continue;
			set_mode(segment_rows[i].mode);
			vmcs[part_fields[segment_rows[i].part] + 2 * s] &= ~segment_rows[i].clear;
			vmcs[part_fields[segment_rows[i].part] + 2 * s] |= segment_rows[i].set;
			snprintf(text, sizeof text, "guest %s %s = %lxh: %s", segment_names[s],
				 part_names[segment_rows[i].told], vmcs[part_fields[segment_rows[i].told] + 2 * s],
				 segment_rows[i].must);
			line = text;
			assert_lines(&line, 1);
		}
}

/* What the processor is decides, too: five levels of paging, narrower memory, no HLT, free error codes. */
static void test_limits(void **state)
{
	set_mode(LONG_64);
	vmcs[VMCS_GUEST_GDTR_BASE] = 0x00ff000000000000;
	limits.linear_bits = 57;
	assert_valid();
	limits = haswell;
	limits.physical_bits = 36;
	assert_lines((const char *[]){ "virtual-APIC page = fffffff000h: " PAGE, "guest CR3 = fffffff001h: " WIDTH,
				       "guest GDTR base = ff000000000000h: must be canonical" }, 3);
	set_mode(FLAT);
	vmcs[VMCS_GUEST_ACTIVITY] = 1;
	limits.misc &= ~(1ull << 6);
	assert_lines((const char *[]){ "guest activity state = 1h: must be one that the processor has" }, 1);
	set_mode(FLAT);
	vmcs[VMCS_ENTRY_EVENT] = 0x8000030d;
	limits.any_error_code = true;
	assert_valid();
	vmcs[VMCS_ENTRY_EVENT] = 0x80000b06;
	assert_valid();
}

/* Two flaws are two lines, in the order of the manual. */
static void test_several(void **state)
{
	set_mode(LONG_64);
	vmcs[VMCS_GUEST_RFLAGS] = 0;
	vmcs[VMCS_GUEST_CR0] = 0x11;
	vmcs[VMCS_GUEST_TR_RIGHTS] = 0x8000008b;
	assert_lines((const char *[]){ "guest CR0 = 11h: bits 20h must be 1",
				       "guest CR0 = 11h: PG (bit 31) must be 1 in IA-32e mode",
				       "guest RFLAGS = 0h: bits 63-22, 15, 5, 3 must be 0, bit 1 must be 1",
				       "guest TR access rights = 8000008bh: bits 31-17 and 11-8 must be 0" }, 4);
}

static unsigned told;

static void count_line(const char *line)
{
	assert_true(strlen(line) < 120 && (strstr(line, "h: ") || !strcmp(line, NOTHING)));
	told++;
}

static void test_anything(void **state)
{
	uint64_t random = 1;

	for (unsigned long i = share(100000); i; i--) {
		unsigned broken;

		for (unsigned f = 0; f < FIELDS; f++)
			if (!(f & 1) && (f & 0x3ff) < 0x40)
				vmcs[f] = random_next(&random);
		told = 0;
		broken = vmx_check(&limits, read_fake, vmcs, count_line);
		assert_int_equal(told, broken ? broken : 1);
	}
}

static void test_instruction_errors(void **state)
{
	static const char unknown[] = "a number that the manual does not have";

	for (uint32_t n = 0; n < 40; n++) {
		bool known = n > 0 && n <= 28 && n != 14 && n != 21 && n != 27;

		assert_int_equal(strcmp(vmx_instruction_error(n), unknown) != 0, known);
		assert_in_range(strlen(vmx_instruction_error(n)), 1, 80);
	}
	assert_string_equal(vmx_instruction_error(UINT32_MAX), unknown);
	assert_string_equal(vmx_instruction_error(7), "VM entry with invalid control fields");
	assert_string_equal(vmx_instruction_error(28), "invalid operand of INVEPT or INVVPID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_other_valid),
		cmocka_unit_test(test_vpid),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_anything),
		cmocka_unit_test(test_instruction_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
