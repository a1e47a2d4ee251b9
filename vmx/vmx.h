/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VT-x engine. boot/ takes vmx_ops; the rest is shared by the files of vmx/ only. */
#pragma once

#include "vm/vcpu.h"

#include <stdbool.h>
#include <stdint.h>

extern const struct virt_ops vmx_ops;

/* The engine's own part of a vCPU. Between exits these copies of VMCS fields count; the entry writes those that changed. */
struct vmx_vcpu {
	bool launched;
	bool changed;                 /* one of the next six was, or an event waits */
	uint32_t primary;
	uint32_t interruptibility;
	uint64_t dr6_sets;            /* bits that the next entry sets in DR6 */
	bool clears_gd;               /* and whether it clears DR7.GD */
	uint32_t tpr_threshold;       /* an exit when the guest lowers CR8 below */
	uint32_t event, event_error;  /* to be delivered by the next entry, where VMX_EVENT_VALID is set */
	uint32_t secondary;
	uint64_t rsp_written, rflags_written;
	uint64_t deadline_host_tsc;   /* for the preemption timer, a whole number of its ticks */
	uint8_t *virtual_apic;        /* the virtual-APIC page: the guest's CR8 is in it */
	uint32_t instruction_error;   /* of an entry that failed at once (SDM 3C 31.4); 0: none */
};

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
	return vcpu->engine;
}

/* CR8 is bits 7 to 4 of VTPR (SDM 3C 30.1.1). */
#define VIRTUAL_APIC_TPR 0x80

static inline unsigned vmx_cr8(const struct vmx_vcpu *vmx)
{
	return vmx->virtual_apic[VIRTUAL_APIC_TPR] >> 4;
}

/* vmx/entry.asm. Returns the host TSC right after the exit. 0: VMLAUNCH or VMRESUME failed at once. */
uint64_t vmx_enter(struct vcpu_registers *registers, bool launched);
void vmx_exit_entry(void);

/* vmx/ept.c: the extended page tables (SDM 3C 29.3). */
void ept_init(void);
uint64_t ept_pointer(void);
void ept_map(uint64_t gpa, uint64_t hpa, uint64_t bytes);

/* What the guest's memory holds at gpa, which must be aligned; 0 where nothing is mapped. */
uint64_t ept_read64(uint64_t gpa);

/* vmx/permissions.c: the I/O and MSR bitmaps (25.6.4, 25.6.9). */
uint64_t vmx_io_bitmaps_hpa(void);
uint64_t vmx_msr_bitmap_hpa(void);

/* vmx/exit.c: from what the VMCS says to the exits that vm/ knows. It is given the fields that every exit needs. */
void vmx_decode_exit(uint32_t reason, uint32_t idt_vectoring, struct vcpu_exit *exit);

/* vmx/inject.c */
bool vmx_can_inject(const struct vcpu *vcpu);
void vmx_want_window(struct vcpu *vcpu, unsigned priority);
void vmx_inject(struct vcpu *vcpu, uint8_t vector);
void vmx_raise(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);
void vmx_advance(struct vcpu *vcpu, unsigned bytes);

/* The event whose delivery the exit interrupted is to be delivered again, where it does not happen by itself. */
void vmx_requeue_event(struct vmx_vcpu *vmx, uint32_t idt_vectoring);

/* The preemption timer counts each change of the TSC's bit number shift (SDM 3C 26.5.1): the first moment at or after host_tsc that it can tell. */
static inline uint64_t vmx_timer_moment(uint64_t host_tsc, unsigned shift)
{
	return ((host_tsc - 1) | ((1ull << shift) - 1)) + 1;
}

/* What it has to count from now on to end at that moment, 0 where it is past. The moment must be less than 2^32 of its ticks away. */
static inline uint32_t vmx_timer_count(uint64_t now_host_tsc, uint64_t moment, unsigned shift)
{
	int64_t left = (int64_t)(moment - (now_host_tsc & -(1ull << shift)));

	return left > 0 ? (uint32_t)((uint64_t)left >> shift) : 0;
}
