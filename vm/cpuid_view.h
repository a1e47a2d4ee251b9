/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the command line's options make of CPUID's answers: features taken away, and another hypervisor's leaves. */
#pragma once

#include "vm/cmdline.h"
#include "vm/cpuid.h"

#include <stdbool.h>
#include <stdint.h>

struct cpuid_view {
	bool alters;             /* else every answer is the table's */
	enum hv_interface hv;
	uint32_t kvm_features;   /* KVM_FEATURE_ bits; 0: no clock of KVM's */
	uint32_t hyperv_features; /* HV_ACCESS_ bits */
	bool hides_rate;         /* nothing tells how fast the TSC is */
	bool hides_invariant;    /* nor that it keeps its rate */
	bool waits_for_control;  /* it tells that only when the guest has asked for it by HV_X64_MSR_TSC_INVARIANT_CONTROL */
	bool apic_is_off;        /* by MSR 1Bh: then CPUID shows none (SDM 3A 11.4.3) */
	bool hides_constant;     /* the processor's model is one from which nobody concludes it either */
	uint32_t hidden_1_ecx, hidden_1_edx, hidden_7_ebx, hidden_80000001_edx;
};

/* The view that the settings ask for. is_intel: the processor is Intel's, whose model has a meaning for the TSC (SDM 3B 18.17). Pure. */
struct cpuid_view cpuid_view_of(const struct settings *settings, bool is_intel);

/* The guest's local APIC was switched on or off. */
void cpuid_view_switch_apic(struct cpuid_view *view, bool on);

/* What the options leave of the local APIC: is there one; its MSRs; its timer's mode. */
bool cpuid_view_has_apic(const struct cpuid_view *view);
bool cpuid_view_has_x2apic(const struct cpuid_view *view);
bool cpuid_view_has_tsc_deadline(const struct cpuid_view *view);

/* What becomes of the table's answer to CPUID(leaf, subleaf). invariant_asked: the guest has set bit 0 of the control MSR. Pure. */
struct cpuid_regs cpuid_view_apply(const struct cpuid_view *view, uint32_t leaf, uint32_t subleaf, struct cpuid_regs answer, bool invariant_asked);
