/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The AMD-V engine. boot/ takes svm_ops; the rest is shared by the files of svm/ only. */
#pragma once

#include "svm/vmcb.h"
#include "vm/vcpu.h"

extern const struct virt_ops svm_ops;

/* The engine's own part of a vCPU. */
struct svm_vcpu {
	struct vmcb *vmcb;
	uint64_t vmcb_hpa;
	uint64_t host_vmcb_hpa; /* where VMSAVE put the host's TR, FS and GS */
	bool stepping;          /* the guest runs one instruction, to let its interrupt shadow pass */
	bool step_had_trap_flag; /* what TF was before */
	uint64_t step_rip, step_dr6; /* and where it was, and DR6 */
	bool virtual_interrupts; /* external interrupts go in by V_IRQ: see svm/inject.c */
	bool equal_priority_opens; /* the window is open where V_INTR_PRIO is V_TPR, too: see there */
	bool queued;             /* one has, and the guest has not taken it yet */
};

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu)
{
	return vcpu->engine;
}

static inline unsigned svm_cr8(const struct svm_vcpu *svm)
{
	return svm->vmcb->virtual_interrupt & VMCB_V_TPR;
}

/* svm/entry.asm. Returns the host TSC right after the exit. */
uint64_t svm_enter(struct vcpu_registers *registers, uint64_t guest_vmcb_hpa, uint64_t host_vmcb_hpa);

/* svm/npt.c: the nested page tables (APM 2 15.25). */
void npt_init(void);
uint64_t npt_root_hpa(void);
void npt_map(uint64_t gpa, uint64_t hpa, uint64_t bytes);

/* svm/permissions.c: the I/O and MSR permission maps (APM 2 15.10.1, 15.11). */
uint64_t svm_iopm_hpa(void);
uint64_t svm_msrpm_hpa(void);

/* svm/exit.c: fills exit from the VMCB. */
void svm_decode_exit(const struct vmcb *vmcb, struct vcpu_exit *exit);

/* svm/inject.c */
bool svm_can_inject(const struct vcpu *vcpu);
void svm_want_window(struct vcpu *vcpu, unsigned priority);
void svm_inject(struct vcpu *vcpu, uint8_t vector);
void svm_raise(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);
void svm_advance(struct vcpu *vcpu, unsigned bytes);

void svm_requeue_event(struct vcpu *vcpu);

/* After an exit, whose registers are saved: an event that went in, or met the exit in its delivery, and is still owed to the guest goes in
 * with the next run. */
static inline void svm_requeue(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);

	svm->vmcb->event_injection = 0;
	if (svm->queued || svm->vmcb->exit_interrupt_info & VMCB_EVENT_VALID)
		svm_requeue_event(vcpu);
}

/* Ends a single step, if one was on. True: the exit was the step's own #DB and nothing else is to be done. */
bool svm_end_step(struct vcpu *vcpu, const struct vcpu_exit *exit);
