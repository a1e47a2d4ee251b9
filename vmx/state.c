/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VMCS's contents (SDM 3C 25.4 to 25.8). CR0 and CR4 show the guest its own values, while the processor runs with the bits that VT-x wants set. */
#include "vmx/state.h"

#include "base/assert.h"
#include "host/cpu.h"
#include "host/interrupts.h"
#include "host/memory.h"
#include "vmx/vmcs.h"

#define MSR_PAT 0x277u
#define MSR_SYSENTER_CS 0x174u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR4_FIXED0 0x488u

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_TS (1ull << 3)
#define CR0_PG (1ull << 31)
#define CR0_GUEST_OWNED (CR0_MP | CR0_TS) /* the rest exits when it changes, as on AMD-V */
#define CR4_PAE (1ull << 5)
#define EFER_LMA (1ull << 10)

/* #DB and #AC would let a guest loop inside the processor for ever; #MC is the host's. */
#define INTERCEPT_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

#define VPID 1u
#define TR_TYPE_BUSY_16 0x3u
#define TR_TYPE_BUSY_32_OR_64 0xbu
#define TYPE_BITS 0xfu
#define PAT_AT_RESET 0x0007040600070406ull

static uint8_t virtual_apic_page[PAGE_BYTES] __attribute__((aligned(4096)));

void state_init_controls(struct vmx_vcpu *vmx, const struct vmx_controls *controls)
{
	uint64_t io_hpa = vmx_io_bitmaps_hpa();

	vmx->secondary = controls->words[WORD_SECONDARY];
	vmx->virtual_apic = virtual_apic_page;
	vmx->virtual_apic[VIRTUAL_APIC_TPR] = 0;
	vmwrite(VMCS_PIN_CONTROLS, controls->words[WORD_PIN]);
	vmwrite(VMCS_PRIMARY_CONTROLS, controls->words[WORD_PRIMARY]);
	vmwrite(VMCS_SECONDARY_CONTROLS, controls->words[WORD_SECONDARY]);
	vmwrite(VMCS_EXIT_CONTROLS, controls->words[WORD_EXIT]);
	vmwrite(VMCS_ENTRY_CONTROLS, controls->words[WORD_ENTRY]);
	vmwrite(VMCS_EXCEPTION_BITMAP, INTERCEPT_EXCEPTIONS);
	vmwrite(VMCS_PAGE_FAULT_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_MATCH, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_EVENT, 0);
	vmwrite(VMCS_TPR_THRESHOLD, 0);
	vmwrite(VMCS_IO_BITMAP_A, io_hpa);
	vmwrite(VMCS_IO_BITMAP_B, io_hpa + PAGE_BYTES);
	vmwrite(VMCS_MSR_BITMAP, vmx_msr_bitmap_hpa());
	vmwrite(VMCS_VIRTUAL_APIC_PAGE, host_hpa_of(virtual_apic_page));
	vmwrite(VMCS_EPT_POINTER, ept_pointer());
	vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
	vmwrite(VMCS_CR0_MASK, ~CR0_GUEST_OWNED);
	vmwrite(VMCS_CR4_MASK, UINT64_MAX);
	if (vmx->secondary & VMX_SECONDARY_TSC_SCALING)
		vmwrite(VMCS_TSC_MULTIPLIER, 1ull << 48);
	if (vmx->secondary & VMX_SECONDARY_VPID)
		vmwrite(VMCS_VPID, VPID);
}

/* An exit leaves the limits of GDTR and IDTR at FFFFh (SDM 3C 28.5.2): more than the tables have, but no vector and no selector of Foliot's lies beyond. */
void state_init_host(void)
{
	struct descriptor_bases bases = interrupts_bases();

	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_ES_SELECTOR, read_es());
	vmwrite(VMCS_HOST_CS_SELECTOR, read_cs());
	vmwrite(VMCS_HOST_SS_SELECTOR, read_ss());
	vmwrite(VMCS_HOST_DS_SELECTOR, read_ds());
	vmwrite(VMCS_HOST_FS_SELECTOR, read_fs());
	vmwrite(VMCS_HOST_GS_SELECTOR, read_gs());
	vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	vmwrite(VMCS_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	vmwrite(VMCS_HOST_TR_BASE, bases.tss);
	vmwrite(VMCS_HOST_GDTR_BASE, bases.gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, bases.idt);
	vmwrite(VMCS_HOST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	vmwrite(VMCS_HOST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_CS + 1));
	vmwrite(VMCS_HOST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_CS + 2));
	vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit_entry);
}

/* The fields of the segment registers follow each other in the order of enum segment. GDTR and IDTR have no selector and no rights. */
static void set_segment(enum segment which, struct segment_register s)
{
	uint32_t rights = (s.attributes & 0xffu) | (s.attributes & 0xf00u) << 4;

	vmwrite(VMCS_GUEST_ES_BASE + 2 * which, s.base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * which, s.limit);
	if (which > TR)
		return;
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * which, s.selector);
	vmwrite(VMCS_GUEST_ES_RIGHTS + 2 * which, rights);
}

/* The state after reset (SDM 3A table 10-1). */
void state_init_reset(void)
{
	for (enum segment s = ES; s <= GS; s++)
		set_segment(s, (struct segment_register){ .attributes = 0x93, .limit = 0xffff });
	set_segment(CS, (struct segment_register){ .selector = 0xf000, .attributes = 0x9b, .limit = 0xffff, .base = 0xffff0000 });
	set_segment(GDTR, (struct segment_register){ .limit = 0xffff });
	set_segment(IDTR, (struct segment_register){ .limit = 0xffff });
	set_segment(LDTR, (struct segment_register){ .attributes = 0x82, .limit = 0xffff });
	set_segment(TR, (struct segment_register){ .attributes = 0x8b, .limit = 0xffff });
	vmwrite(VMCS_GUEST_EFER, 0);
	state_set(NULL, CR0, 0x60000010);
	state_set(NULL, CR3, 0);
	state_set(NULL, CR4, 0);
	write_cr2(0);
	write_dr6(0xffff0ff0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_PAT, PAT_AT_RESET);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
}

void state_init_flat(void)
{
	for (enum segment s = ES; s <= GS; s++)
		set_segment(s, (struct segment_register){ .selector = 0x18, .attributes = 0xc93, .limit = UINT32_MAX });
	set_segment(CS, (struct segment_register){ .selector = 0x10, .attributes = 0xc9b, .limit = UINT32_MAX });
	state_set(NULL, CR0, 0x11);
}

void state_flush(void)
{
	if (vmread(VMCS_SECONDARY_CONTROLS) & VMX_SECONDARY_VPID)
		invvpid(vmx_ept_has(EPT_INVVPID_SINGLE) ? INVVPID_SINGLE : INVVPID_ALL, VPID);
}

static uint64_t get_cr0(void)
{
	return (vmread(VMCS_GUEST_CR0) & CR0_GUEST_OWNED) | (vmread(VMCS_CR0_SHADOW) & ~CR0_GUEST_OWNED);
}

uint64_t state_get(const struct vcpu *vcpu, enum control_register which)
{
	switch (which) {
	case CR0: return get_cr0();
	case CR2: return read_cr2();
	case CR3: return vmread(VMCS_GUEST_CR3);
	case CR4: return vmread(VMCS_CR4_SHADOW);
	case CR8: return vmx_cr8(vmx_of(vcpu));
	case EFER: return vmread(VMCS_GUEST_EFER);
	case DR6: return read_dr6() | vmx_of(vcpu)->dr6_sets;
	case DR7: return vmread(VMCS_GUEST_DR7);
	case PAT: return vmread(VMCS_GUEST_PAT);
	case CONTROL_REGISTER_COUNT: break;
	}
	ASSERT(which < CONTROL_REGISTER_COUNT);
	return 0;
}

/* With paging by PAE outside long mode the four entries that CR3 points to are registers of the processor, which it loads itself only when the guest
 * does without an exit (SDM 3C 27.3.2.4). */
static void load_pdptes(void)
{
	uint64_t table_gpa = vmread(VMCS_GUEST_CR3) & 0xffffffe0;

	if (!(vmread(VMCS_GUEST_CR0) & CR0_PG) || !(vmread(VMCS_GUEST_CR4) & CR4_PAE) || vmread(VMCS_GUEST_EFER) & EFER_LMA)
		return;
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE(i), ept_read64(table_gpa + 8 * i));
}

/* The entry wants long mode told twice, and a 16-bit task register cannot follow into it. */
static void set_efer(uint64_t value)
{
	uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)VMX_ENTRY_LONG;
	uint64_t tr = vmread(VMCS_GUEST_TR_RIGHTS);

	vmwrite(VMCS_GUEST_EFER, value);
	vmwrite(VMCS_ENTRY_CONTROLS, entry | (value & EFER_LMA ? VMX_ENTRY_LONG : 0));
	if (value & EFER_LMA && (tr & TYPE_BITS) == TR_TYPE_BUSY_16)
		vmwrite(VMCS_GUEST_TR_RIGHTS, (tr & ~(uint64_t)TYPE_BITS) | TR_TYPE_BUSY_32_OR_64);
}

static void set_cr0(uint64_t value)
{
	uint64_t fixed = rdmsr(MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG); /* an unrestricted guest may do without these two */

	vmwrite(VMCS_GUEST_CR0, value | fixed);
	vmwrite(VMCS_CR0_SHADOW, value);
	load_pdptes();
}

static void set_cr4(uint64_t value)
{
	vmwrite(VMCS_GUEST_CR4, value | rdmsr(MSR_VMX_CR4_FIXED0));
	vmwrite(VMCS_CR4_SHADOW, value);
	load_pdptes();
}

void state_set(struct vcpu *vcpu, enum control_register which, uint64_t value)
{
	(void)vcpu;
	switch (which) {
	case CR0: set_cr0(value); break;
	case CR2: write_cr2(value); return;
	case CR3: vmwrite(VMCS_GUEST_CR3, value); load_pdptes(); break;
	case CR4: set_cr4(value); break;
	case CR8: vmx_of(vcpu)->virtual_apic[VIRTUAL_APIC_TPR] = (uint8_t)(value << 4); return;
	case EFER: set_efer(value); break;
	case DR6: write_dr6(value); return;
	case DR7: vmwrite(VMCS_GUEST_DR7, value); return;
	case PAT: vmwrite(VMCS_GUEST_PAT, value); break;
	case CONTROL_REGISTER_COUNT: ASSERT(which < CONTROL_REGISTER_COUNT);
	}
	state_flush(); /* CR0.PG, CR4, EFER and the PAT change what the TLB may hold (SDM 3A 4.10.4) */
}

void state_get_segment(const struct vcpu *vcpu, enum segment which, struct segment_register *out)
{
	uint64_t rights = 0;

	(void)vcpu;
	*out = (struct segment_register){
		.base = vmread(VMCS_GUEST_ES_BASE + 2 * which),
		.limit = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * which),
	};
	if (which > TR)
		return;
	rights = vmread(VMCS_GUEST_ES_RIGHTS + 2 * which);
	out->selector = (uint16_t)vmread(VMCS_GUEST_ES_SELECTOR + 2 * which);
	if (!(rights & VMX_RIGHTS_UNUSABLE))
		out->attributes = (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00));
}

/* The privilege level is SS's, which real mode keeps at 0 and virtual-8086 mode at 3 (SDM 3C 25.4.1). */
void state_get_mode(const struct vcpu *vcpu, struct vcpu_mode *mode)
{
	uint64_t rights = vmread(VMCS_GUEST_CS_RIGHTS);

	(void)vcpu;
	mode->cr0 = get_cr0();
	mode->cr3 = vmread(VMCS_GUEST_CR3);
	mode->cr4 = vmread(VMCS_CR4_SHADOW);
	mode->efer = vmread(VMCS_GUEST_EFER);
	mode->cs_base = vmread(VMCS_GUEST_CS_BASE);
	mode->cs_attributes = (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00));
	mode->cpl = vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3;
}
