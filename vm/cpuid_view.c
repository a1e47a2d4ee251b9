/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPUID as the options have it. Hyper-V's leaves: Top Level Functional Specification 6.0b ("TLFS") 2.4; where both are shown KVM's begin 100h
 * higher, as its guests expect them. A feature that is hidden here is only not told of, where it is an instruction: that runs on. */
#include "vm/cpuid_view.h"

#include "devices/hyperv.h"
#include "devices/pvclock.h"

#define BIT(n) (1u << (n))

#define LEAF_1_ECX_X2APIC BIT(21)
#define LEAF_1_ECX_TSC_DEADLINE BIT(24)
#define LEAF_1_ECX_RDRAND BIT(30)
#define LEAF_1_EDX_TSC BIT(4)
#define LEAF_1_EDX_APIC BIT(9)
#define LEAF_6_EAX_ARAT BIT(2)
#define LEAF_7_EBX_TSC_ADJUST BIT(1)
#define LEAF_7_EBX_RDSEED BIT(18)
#define LEAF_80000001_EDX_RDTSCP BIT(27)

/* Family 15, model 2: the last Pentium 4 whose TSC did not keep its rate. */
#define MODEL_MASK 0x0fff3ff0u
#define MODEL_NOT_CONSTANT 0x00000f20u

#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_LAST 0x4fffffffu
#define KVM_MOVED_BY 0x100u

#define FREQUENCY_MSRS BIT(8) /* 40000003h EDX */
#define NEVER_NOTIFY UINT32_MAX /* 40000004h EBX: a spinning guest need not tell */
#define VERSION_10_0 (10u << 16)

/* The interface's own leaves (TLFS 2.4.1 to 2.4.6): its signature, "Hv#1", a version, privileges, no recommendation, one processor. */
static struct cpuid_regs hyperv_leaf(const struct cpuid_view *view, uint32_t leaf)
{
	switch (leaf - HYPERVISOR_FIRST) {
	case 0:
		return (struct cpuid_regs){ HYPERVISOR_FIRST + 5, 0x7263694d, 0x666f736f, 0x76482074 };
	case 1:
		return (struct cpuid_regs){ 0x31237648, 0, 0, 0 };
	case 2:
		return (struct cpuid_regs){ 0, VERSION_10_0, 0, 0 };
	case 3:
		return (struct cpuid_regs){ view->hyperv_features, 0, 0, view->hyperv_features & HV_ACCESS_FREQUENCIES ? FREQUENCY_MSRS : 0 };
	case 4:
		return (struct cpuid_regs){ 0, NEVER_NOTIFY, 0, 0 };
	case 5:
		return (struct cpuid_regs){ 1, 1, 0, 0 };
	}
	return (struct cpuid_regs){ 0 };
}

/* The table's leaf, which counts from 40000000h, less what the view has not. base: where the guest sees the first. */
static struct cpuid_regs kvm_leaf(const struct cpuid_view *view, uint32_t leaf, uint32_t base)
{
	static const struct cpuid_regs nothing;
	uint32_t own = HYPERVISOR_FIRST + (leaf - base);
	struct cpuid_regs answer = cpuid_for_guest(own, 0, &nothing, 0);

	if (own == HYPERVISOR_FIRST && base != HYPERVISOR_FIRST)
		answer.eax = base + 1; /* the leaf with the frequency, which is not KVM's own, is at its place or nowhere */
	else if (own == HYPERVISOR_FIRST + 1)
		answer.eax &= view->kvm_features;
	else if (own > HYPERVISOR_FIRST + 1 && (view->hides_rate || base != HYPERVISOR_FIRST))
		answer = nothing;
	return answer;
}

static struct cpuid_regs hypervisor_leaf(const struct cpuid_view *view, uint32_t leaf)
{
	bool moved = view->hv == HV_BOTH;

	if (hv_is_hyperv(view->hv) && leaf < HYPERVISOR_FIRST + KVM_MOVED_BY)
		return hyperv_leaf(view, leaf);
	if (hv_is_kvm(view->hv))
		return kvm_leaf(view, leaf, HYPERVISOR_FIRST + (moved ? KVM_MOVED_BY : 0));
	return (struct cpuid_regs){ 0 };
}

struct cpuid_regs cpuid_view_apply(const struct cpuid_view *view, uint32_t leaf, uint32_t subleaf, struct cpuid_regs answer, bool invariant_asked)
{
	if (leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST)
		return hypervisor_leaf(view, leaf);
	switch (leaf) {
	case 1:
		answer.ecx &= ~view->hidden_1_ecx;
		answer.edx &= ~(view->hidden_1_edx | (view->apic_is_off ? LEAF_1_EDX_APIC : 0));
		if (view->hides_constant)
			answer.eax = (answer.eax & ~MODEL_MASK) | MODEL_NOT_CONSTANT;
		break;
	case 6:
		if (view->hidden_1_edx & LEAF_1_EDX_APIC)
			answer.eax &= ~LEAF_6_EAX_ARAT;
		break;
	case 7:
		answer.ebx &= subleaf ? UINT32_MAX : ~view->hidden_7_ebx;
		break;
	case 0x15:
		return view->hides_rate ? (struct cpuid_regs){ 0 } : answer;
	case 0x80000001:
		answer.edx &= ~(view->hidden_80000001_edx | (view->apic_is_off ? LEAF_1_EDX_APIC : 0));
		break;
	case 0x80000007:
		return view->hides_invariant || (view->waits_for_control && !invariant_asked) ? (struct cpuid_regs){ 0 } : answer;
	}
	return answer;
}

void cpuid_view_switch_apic(struct cpuid_view *view, bool on)
{
	view->apic_is_off = !on;
	view->alters |= !on;
}

bool cpuid_view_has_apic(const struct cpuid_view *view)
{
	return !(view->hidden_1_edx & LEAF_1_EDX_APIC);
}

bool cpuid_view_has_x2apic(const struct cpuid_view *view)
{
	return !(view->hidden_1_ecx & LEAF_1_ECX_X2APIC);
}

bool cpuid_view_has_tsc_deadline(const struct cpuid_view *view)
{
	return !(view->hidden_1_ecx & LEAF_1_ECX_TSC_DEADLINE);
}

/* What goes with a clock that the guest has not. Leaf 80000001h of AMD's repeats bits of leaf 1 EDX. */
static void hide_clocks(struct cpuid_view *view, uint32_t clocks)
{
	if (!(clocks & CLOCK_TSC)) {
		view->hidden_1_edx |= LEAF_1_EDX_TSC;
		view->hidden_7_ebx |= LEAF_7_EBX_TSC_ADJUST;
		view->hidden_80000001_edx |= LEAF_1_EDX_TSC | LEAF_80000001_EDX_RDTSCP;
		view->hides_rate = view->hides_invariant = true;
	}
	if (!(clocks & CLOCK_LAPIC)) {
		view->hidden_1_edx |= LEAF_1_EDX_APIC;
		view->hidden_1_ecx |= LEAF_1_ECX_X2APIC;
		view->hidden_80000001_edx |= LEAF_1_EDX_APIC;
	}
	if (!(clocks & CLOCK_TSC_DEADLINE))
		view->hidden_1_ecx |= LEAF_1_ECX_TSC_DEADLINE;
	if (!(clocks & CLOCK_PVCLOCK))
		view->kvm_features &= ~(KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);
}

static void hide_features(struct cpuid_view *view, const struct settings *settings)
{
	if (settings->hide_random) {
		view->hidden_1_ecx |= LEAF_1_ECX_RDRAND;
		view->hidden_7_ebx |= LEAF_7_EBX_RDSEED;
	}
	if (settings->hide_tsc_adjust)
		view->hidden_7_ebx |= LEAF_7_EBX_TSC_ADJUST;
	if (settings->hide_tsc_deadline)
		view->hidden_1_ecx |= LEAF_1_ECX_TSC_DEADLINE;
	if (settings->hide_x2apic)
		view->hidden_1_ecx |= LEAF_1_ECX_X2APIC;
	view->hides_invariant |= settings->hide_invariant;
	view->hides_rate |= settings->hide_tsc_frequency;
}

/* Without a hypercall page and a processor's number no guest takes the clocks. The page counts by a TSC that goes with guest time. */
static uint32_t hyperv_features(const struct cpuid_view *view, const struct settings *settings)
{
	uint32_t features = HV_ACCESS_HYPERCALL | HV_ACCESS_VP_INDEX, clocks = settings->clocks;

	if (!hv_is_hyperv(view->hv))
		return 0;
	if (clocks & CLOCK_HYPERV)
		features |= HV_ACCESS_REFERENCE_COUNTER;
	if (clocks & CLOCK_HYPERV && clocks & CLOCK_TSC && settings->tsc != TSC_NATIVE)
		features |= HV_ACCESS_REFERENCE_TSC;
	if (clocks & CLOCK_HYPERV && !view->hides_rate)
		features |= HV_ACCESS_FREQUENCIES;
	if (!view->hides_invariant)
		features |= HV_ACCESS_TSC_INVARIANT;
	return features;
}

struct cpuid_view cpuid_view_of(const struct settings *settings, bool is_intel)
{
	struct cpuid_view view = { .hv = settings->hv, .kvm_features = UINT32_MAX };

	if (settings->tsc == TSC_NATIVE) { /* the guest's TSC goes with the host: it has to take kvm-clock */
		view.hides_rate = view.hides_invariant = true;
		view.hidden_1_ecx |= LEAF_1_ECX_TSC_DEADLINE;
	}
	hide_features(&view, settings);
	hide_clocks(&view, settings->clocks);
	if (!hv_is_kvm(view.hv))
		view.kvm_features = 0;
	view.hides_constant = settings->hide_constant && is_intel;
	view.hyperv_features = hyperv_features(&view, settings);
	view.waits_for_control = view.hv == HV_HYPERV && view.hyperv_features & HV_ACCESS_TSC_INVARIANT;
	view.alters = view.hv != HV_KVM || ~view.kvm_features || view.hides_rate || view.hides_invariant || view.hides_constant ||
		      view.hidden_1_ecx | view.hidden_1_edx | view.hidden_7_ebx;
	return view;
}
