/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Giving the guest interrupts and exceptions (APM 2 15.20, 15.21). Interrupts go in by EVENTINJ; V_IRQ only opens the window. An interrupt
 * shadow is waited out by one single step, since not every processor keeps a shadow that it finds in the VMCB. */
#include "svm/svm.h"

#include "base/assert.h"

#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_RF (1ull << 16)
#define VECTOR_DB 1
#define DR6_BS (1ull << 14)
#define DR6_BREAKPOINTS 0x200full /* B0 to B3, BD */
#define DR7_GD (1ull << 13)

bool svm_can_inject(const struct vcpu *vcpu)
{
	const struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	return vcpu->registers.rflags & RFLAGS_IF && !(vmcb->interrupt_shadow & VMCB_INTERRUPT_SHADOW) &&
	       !(vmcb->event_injection & VMCB_EVENT_VALID);
}

static void begin_step(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);

	svm->stepping = true;
	svm->step_had_trap_flag = vcpu->registers.rflags & RFLAGS_TF;
	svm->step_rip = vcpu->registers.rip;
	svm->step_dr6 = svm->vmcb->dr6;
	svm->vmcb->dr6 &= ~DR6_BREAKPOINTS;
	vcpu->registers.rflags |= RFLAGS_TF;
}

bool svm_end_step(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	uint64_t breakpoints = vmcb->dr6 & DR6_BREAKPOINTS; /* the guest's own, met by the same instruction */
	bool own = exit->kind == EXIT_EXCEPTION && exit->exception.vector == VECTOR_DB && !svm->step_had_trap_flag;

	svm->stepping = false;
	vmcb->dr6 |= svm->step_dr6 & DR6_BREAKPOINTS;
	if (vcpu->registers.rip == svm->step_rip && (exit->kind == EXIT_HOST_INTERRUPT || exit->kind == EXIT_HOST_NMI))
		vmcb->interrupt_shadow |= VMCB_INTERRUPT_SHADOW; /* not even begun */
	if (!svm->step_had_trap_flag)
		vcpu->registers.rflags &= ~RFLAGS_TF;
	if (own && !(svm->step_dr6 & DR6_BS))
		vmcb->dr6 &= ~DR6_BS;
	return own && !breakpoints;
}

void svm_want_window(struct vcpu *vcpu, bool want)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;
	bool shadow = vmcb->interrupt_shadow & VMCB_INTERRUPT_SHADOW;

	if (want && shadow && vcpu->registers.rflags & RFLAGS_IF && !svm_of(vcpu)->stepping) {
		begin_step(vcpu);
		want = false;
	}
	if (want) {
		vmcb->virtual_interrupt |= VMCB_V_IRQ | VMCB_V_IGN_TPR | VMCB_V_INTR_PRIO(15);
		vmcb->intercept_misc1 |= VMCB_INTERCEPT_VINTR;
	} else {
		vmcb->virtual_interrupt &= ~(VMCB_V_IRQ | VMCB_V_IGN_TPR | VMCB_V_INTR_PRIO(15));
		vmcb->intercept_misc1 &= ~VMCB_INTERCEPT_VINTR;
	}
}

void svm_inject(struct vcpu *vcpu, uint8_t vector)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	ASSERT(!(vmcb->event_injection & VMCB_EVENT_VALID));
	vmcb->event_injection = vector | VMCB_EVENT_INTERRUPT | VMCB_EVENT_VALID;
}

/* Takes the place of an event whose delivery met this exception, as on the bare processor: a fault comes again with its instruction, an
 * interrupt that was acknowledged is lost (APM 2 8.5). Its delivery ends an interrupt shadow and, for #DB, DR7.GD (APM 2 13.1.1.4), which
 * the processor does not do by itself for an event that is injected. */
void svm_raise(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	vmcb->event_injection = vector | VMCB_EVENT_EXCEPTION | VMCB_EVENT_VALID;
	if (error_code != NO_ERROR_CODE)
		vmcb->event_injection |= VMCB_EVENT_ERROR_CODE | (uint64_t)error_code << 32;
	vmcb->interrupt_shadow = 0;
	if (vector != VECTOR_DB)
		vcpu->registers.rflags |= RFLAGS_RF;
	else
		vmcb->dr7 &= ~DR7_GD;
}

void svm_advance(struct vcpu *vcpu, unsigned bytes)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	vcpu->registers.rip += bytes;
	vmcb->interrupt_shadow = 0;
	if (!(vmcb->cs.attributes & VMCB_SEGMENT_LONG))
		vcpu->registers.rip &= 0xffffffff;
	if (vcpu->registers.rflags & (RFLAGS_RF | RFLAGS_TF)) {
		vcpu->registers.rflags &= ~RFLAGS_RF;
		if (vcpu->registers.rflags & RFLAGS_TF) {
			vmcb->dr6 |= DR6_BS;
			svm_raise(vcpu, VECTOR_DB, NO_ERROR_CODE);
		}
	}
}
