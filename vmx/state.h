/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What stands in the VMCS: the controls, the host's state, and the guest's registers as vm/ knows them. */
#pragma once

#include "vmx/control.h"
#include "vmx/vmx.h"

/* Writes the parts of a new VMCS, or of a guest that starts anew. */
void state_init_controls(struct vmx_vcpu *vmx, const struct vmx_controls *controls);
void state_init_host(void);
void state_init_reset(void);
void state_init_flat(void);

/* Forgets what the TLB holds of the guest. */
void state_flush(void);

/* As in struct virt_ops. */
uint64_t state_get(const struct vcpu *vcpu, enum control_register which);
void state_set(struct vcpu *vcpu, enum control_register which, uint64_t value);
void state_get_segment(const struct vcpu *vcpu, enum segment which, struct segment_register *segment);
void state_get_mode(const struct vcpu *vcpu, struct vcpu_mode *mode);
