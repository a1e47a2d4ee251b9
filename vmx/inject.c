/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Giving the guest interrupts and exceptions (SDM 3C 27.6). All go in with the next entry; the interrupt window tells when the guest can take
 * one, its interrupt shadow included. */
#include "vmx/vmx.h"

#include "base/assert.h"
#include "vmx/vmcs.h"

#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_RF (1ull << 16)
#define VECTOR_DB 1
#define DR6_BS (1ull << 14)

#define EVENT_BITS (VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE | 0x7ffu)
#define SHADOW (VMX_BLOCKED_BY_STI | VMX_BLOCKED_BY_MOV_SS)

bool vmx_can_inject(const struct vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = vmx_of(vcpu);

	return vcpu->registers.rflags & RFLAGS_IF && !(vmx->interruptibility & SHADOW) && !(vmx->event & VMX_EVENT_VALID);
}

/* The window does not look at CR8, so while that holds the interrupt back its threshold tells; it must not be above CR8 (SDM 3C 27.2.1.1). */
void vmx_want_window(struct vcpu *vcpu, unsigned priority)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	bool held = priority <= vmx_cr8(vmx);

	if (held)
		vmx->primary &= ~VMX_PRIMARY_WINDOW;
	else
		vmx->primary |= VMX_PRIMARY_WINDOW;
	vmx->tpr_threshold = held ? priority : 0;
	vmx->changed = true;
}

void vmx_inject(struct vcpu *vcpu, uint8_t vector)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	ASSERT(!(vmx->event & VMX_EVENT_VALID));
	vmx->event = vector | VMX_EVENT_INTERRUPT | VMX_EVENT_VALID;
	vmx->changed = true;
}

/* Takes the place of an event whose delivery met this exception, as on the bare processor: a fault comes again with its instruction, an
 * interrupt that was acknowledged is lost (SDM 3A 6.15 table 6-5). Its delivery ends an interrupt shadow and, for #DB, DR7.GD (SDM 3B 18.2.4),
 * which the processor does not do by itself for an event that is injected. */
void vmx_raise(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx->changed = true;
	vmx->event = vector | VMX_EVENT_EXCEPTION | VMX_EVENT_VALID;
	if (error_code != NO_ERROR_CODE) {
		vmx->event |= VMX_EVENT_ERROR_CODE;
		vmx->event_error = error_code;
	}
	vmx->interruptibility &= ~SHADOW;
	if (vector != VECTOR_DB)
		vcpu->registers.rflags |= RFLAGS_RF;
	else
		vmx->clears_gd = true;
}

/* Code that is not 64-bit goes on at 0 after 4 GiB. */
static bool is_64_bit(void)
{
	return vmread(VMCS_GUEST_CS_RIGHTS) & VMX_RIGHTS_LONG;
}

void vmx_advance(struct vcpu *vcpu, unsigned bytes)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	uint64_t next_rip = vcpu->registers.rip + bytes;

	if ((next_rip ^ vcpu->registers.rip) >> 32 && !is_64_bit())
		next_rip &= UINT32_MAX;
	vcpu->registers.rip = next_rip;
	if (vmx->interruptibility & SHADOW) {
		vmx->interruptibility &= ~SHADOW;
		vmx->changed = true;
	}
	if (vcpu->registers.rflags & (RFLAGS_RF | RFLAGS_TF)) {
		vcpu->registers.rflags &= ~RFLAGS_RF;
		if (vcpu->registers.rflags & RFLAGS_TF) {
			vmx->dr6_sets |= DR6_BS;
			vmx_raise(vcpu, VECTOR_DB, NO_ERROR_CODE);
		}
	}
}

/* INT n, INT1, INT3 and INTO happen again by themselves, with their instruction (SDM 3C 28.2.4). */
static bool is_of_instruction(uint32_t event)
{
	return VMX_EVENT_TYPE(event) == VMX_EVENT_TYPE_SOFTWARE || VMX_EVENT_TYPE(event) == VMX_EVENT_TYPE_PRIVILEGED_SOFTWARE ||
	       VMX_EVENT_TYPE(event) == VMX_EVENT_TYPE_SOFTWARE_EXCEPTION;
}

void vmx_requeue_event(struct vmx_vcpu *vmx, uint32_t idt_vectoring)
{
	if (is_of_instruction(idt_vectoring))
		return;
	vmx->event = idt_vectoring & EVENT_BITS;
	vmx->event_error = (uint32_t)vmread(VMCS_IDT_VECTORING_ERROR);
	vmx->changed = true;
}
