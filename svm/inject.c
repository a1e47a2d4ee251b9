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

#define V_IRQ_ANY_TPR (VMCB_V_IRQ | VMCB_V_IGN_TPR | VMCB_V_INTR_PRIO(15))

bool svm_can_inject(const struct vcpu *vcpu)
{
	const struct svm_vcpu *svm = svm_of(vcpu);
	const struct vmcb *vmcb = svm->vmcb;

	return vcpu->registers.rflags & RFLAGS_IF && !(vmcb->interrupt_shadow & VMCB_INTERRUPT_SHADOW) &&
	       !(vmcb->event_injection & VMCB_EVENT_VALID) && !svm->queued;
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

/* V_IRQ that is let through by that V_TPR's being lower than the priority (APM 2 15.21.2). QEMU without KVM compares by >= instead. */
static uint64_t window_bits(const struct svm_vcpu *svm, unsigned priority)
{
	if (priority >= PRIORITY_ANY_CR8)
		return V_IRQ_ANY_TPR;
	return VMCB_V_IRQ | VMCB_V_INTR_PRIO(svm->equal_priority_opens ? priority - 1 : priority);
}

void svm_want_window(struct vcpu *vcpu, unsigned priority)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	if (svm->queued)
		return;
	if (priority > svm_cr8(svm) && vmcb->interrupt_shadow & VMCB_INTERRUPT_SHADOW && vcpu->registers.rflags & RFLAGS_IF &&
	    !svm->stepping) {
		begin_step(vcpu);
		priority = 0;
	}
	vmcb->virtual_interrupt &= ~V_IRQ_ANY_TPR;
	vmcb->intercept_misc1 &= ~VMCB_INTERCEPT_VINTR;
	if (priority) {
		vmcb->virtual_interrupt |= window_bits(svm, priority);
		vmcb->intercept_misc1 |= VMCB_INTERCEPT_VINTR;
	}
}

/* QEMU without KVM delivers an EVENTINJ interrupt but leaves its vector in exception_index (helper_vmrun). Where its loop ends before the next
 * interrupt or #VMEXIT, as it does when its host is busy, cpu_handle_exception delivers it again, in the handler, though IF is 0. There an
 * interrupt goes in by V_IRQ, which the guest takes at once; its exceptions are right. A host interrupt may come first: V_IRQ is then still set
 * after the exit and goes in with the next run; a window that is asked for meanwhile opens after one exit more, at the latest a poll's. */
void svm_inject(struct vcpu *vcpu, uint8_t vector)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	ASSERT(!(vmcb->event_injection & VMCB_EVENT_VALID) && !svm->queued);
	if (svm->virtual_interrupts) {
		vmcb->virtual_interrupt &= ~VMCB_V_INTR_VECTOR(0xff);
		vmcb->virtual_interrupt |= V_IRQ_ANY_TPR | VMCB_V_INTR_VECTOR(vector);
		vmcb->intercept_misc1 &= ~VMCB_INTERCEPT_VINTR;
		svm->queued = true;
	} else {
		vmcb->event_injection = vector | VMCB_EVENT_INTERRUPT | VMCB_EVENT_VALID;
	}
}

/* INT n, INT3 and INTO happen again by themselves, with their instruction. */
static bool is_of_instruction(uint64_t event)
{
	return VMCB_EVENT_TYPE(event) == VMCB_EVENT_TYPE_SOFTWARE ||
	       (VMCB_EVENT_TYPE(event) == VMCB_EVENT_TYPE_EXCEPTION && ((event & 0xff) == 3 || (event & 0xff) == 4));
}

/* TCG calls the queued interrupt an exception where a nested page fault meets its delivery. With IF 1 it can be nothing else: the interrupt
 * goes before any instruction that could fault. */
static bool is_the_queued(const struct vcpu *vcpu, uint64_t event)
{
	const struct svm_vcpu *svm = svm_of(vcpu);
	uint64_t vector = svm->vmcb->virtual_interrupt >> 32 & 0xff;

	return svm->queued && vcpu->registers.rflags & RFLAGS_IF &&
	       (event & VMCB_EVENT_VECTOR_AND_TYPE) == (VMCB_EVENT_EXCEPTION | vector);
}

void svm_requeue_event(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	uint64_t event = vmcb->exit_interrupt_info;

	if (svm->queued)
		svm->queued = vmcb->virtual_interrupt & VMCB_V_IRQ;
	if (event & VMCB_EVENT_VALID && !is_of_instruction(event) && !is_the_queued(vcpu, event))
		vmcb->event_injection = event;
}

/* Takes the place of an event whose delivery met this exception, as on the bare processor: a fault comes again with its instruction, an
 * interrupt that was acknowledged is lost (APM 2 8.5), but not one in V_IRQ, which waits. Its delivery ends an interrupt shadow and, for #DB,
 * DR7.GD (APM 2 13.1.1.4), which the processor does not do by itself for an event that is injected. */
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
