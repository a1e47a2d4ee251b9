/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VT-x engine (SDM 3C chapters 24 to 28): probing, enabling, entering the guest. Its ops table is at the end.
 * Not used: APICv (it would hide the acceptance of interrupts), MSR lists, VMCS shadowing, the HLT activity state. */
#include "vmx/vmx.h"

#include "base/assert.h"
#include "base/format.h"
#include "host/cpu.h"
#include "host/memory.h"
#include "host/message.h"
#include "host/timer.h"
#include "vmx/check.h"
#include "vmx/control.h"
#include "vmx/state.h"
#include "vmx/vmcs.h"

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_VMX_BASIC 0x480u
#define BASIC_REVISION 0x7fffffffu
#define MSR_VMX_MISC 0x485u
#define MISC_TIMER_SHIFT 0x1full
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR4_FIXED0 0x488u
#define CR4_VMXE (1ull << 13)

#define TIMER_LONGEST (UINT32_MAX - 1)

#define TSC_FRAC_BITS 48
#define TSC_RATIO_LIMIT 65536

#define DR6_OF_QUALIFICATION 0x600full /* B0 to B3, BD, BS */
#define DR6_B0_TO_B3 0xfull
#define DR7_GD (1ull << 13)

_Static_assert(offsetof(struct vcpu_registers, gpr[RCX]) == 8 && offsetof(struct vcpu_registers, gpr[R15]) == 120,
	       "vmx/entry.asm knows these offsets");

static struct vmx_vcpu the_vcpu;
static struct vmx_controls controls;
static unsigned timer_shift;

static bool has(enum vmx_word word, uint32_t bit)
{
	return controls.words[word] & bit;
}

static bool vmx_probe(struct virt_features *features, struct refusal *why)
{
	uint64_t feature_control = 0;

	rdmsr_safe(MSR_FEATURE_CONTROL, &feature_control);
	if (!vmx_is_allowed(cpuid(1, 0).ecx, feature_control, why) || !vmx_read_capabilities(&controls, why))
		return false;
	features->next_rip = true;
	features->checks_pdptes = true;
	features->multiplier = (struct line_multiplier){ 0 };
	if (has(WORD_SECONDARY, VMX_SECONDARY_TSC_SCALING))
		features->multiplier = (struct line_multiplier){ TSC_FRAC_BITS, TSC_RATIO_LIMIT };
	return true;
}

/* A page that begins with the revision of the processor's VMCS format (SDM 3C 25.2). */
static uint64_t take_region(void)
{
	uint32_t *region = frames_alloc(1);

	*region = (uint32_t)rdmsr(MSR_VMX_BASIC) & BASIC_REVISION;
	return host_hpa_of(region);
}

static void vmx_enable(void)
{
	uint64_t feature_control = 0, vmxon_hpa = take_region(), vmcs_hpa = take_region();

	if (rdmsr_safe(MSR_FEATURE_CONTROL, &feature_control) && !(feature_control & FEATURE_CONTROL_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, feature_control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCKED);
	write_cr0(read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | rdmsr(MSR_VMX_CR4_FIXED0) | CR4_VMXE);
	if (!vmxon(vmxon_hpa) || !vmclear(vmcs_hpa) || !vmptrld(vmcs_hpa))
		message_fatal(225, "VMXON or the first VMCS was refused by the processor (IA32_FEATURE_CONTROL = %lxh): report it with the "
			      "machine's name", feature_control);
	timer_shift = rdmsr(MSR_VMX_MISC) & MISC_TIMER_SHIFT;
	if (!has(WORD_PIN, VMX_PIN_PREEMPTION_TIMER))
		message(226, "this processor has no VMX-preemption timer: the host's timer interrupts the guest instead");
	ept_init();
	if (vmx_ept_has(EPT_INVEPT | EPT_INVEPT_ALL)) /* whoever used VT-x before may have left something */
		invept_all();
}

static void vmx_vcpu_init(struct vcpu *vcpu, const struct vcpu_start *start)
{
	struct vmx_vcpu *vmx = &the_vcpu;

	*vmx = (struct vmx_vcpu){ .launched = vmx->launched };
	vcpu->engine = vmx;
	vcpu->registers = (struct vcpu_registers){ .rip = 0xfff0, .rflags = 2 };
	vmx->primary = controls.words[WORD_PRIMARY];
	state_init_controls(vmx, &controls);
	state_init_host();
	state_init_reset();
	if (start->flat) {
		state_init_flat();
		vcpu->registers.rip = start->eip;
		vcpu->registers.gpr[RAX] = start->eax;
		vcpu->registers.gpr[RBX] = start->ebx;
		vcpu->registers.gpr[RSI] = start->esi;
	}
	vmwrite(VMCS_GUEST_RSP, vmx->rsp_written = 0);
	vmwrite(VMCS_GUEST_RFLAGS, vmx->rflags_written = 2);
	state_flush();
}

/* The guest's DR6 and DR7 as an exception of Foliot's making leaves them. */
static void change_debug(struct vmx_vcpu *vmx)
{
	write_dr6(read_dr6() | vmx->dr6_sets);
	if (vmx->clears_gd)
		vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	vmx->dr6_sets = 0;
	vmx->clears_gd = false;
}

static __attribute__((noinline)) void write_changed(struct vmx_vcpu *vmx)
{
	vmwrite(VMCS_PRIMARY_CONTROLS, vmx->primary);
	if (vmx->interruptibility != vmread(VMCS_GUEST_INTERRUPTIBILITY)) { /* a shadow ended: what it held back did too */
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmx->interruptibility);
		vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	}
	vmwrite(VMCS_TPR_THRESHOLD, vmx->tpr_threshold);
	vmwrite(VMCS_ENTRY_EVENT, vmx->event);
	if (vmx->event & VMX_EVENT_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR_CODE, vmx->event_error);
	if (vmx->dr6_sets || vmx->clears_gd)
		change_debug(vmx);
	vmx->event = 0; /* the processor takes it out of the VMCS with the next exit */
	vmx->changed = false;
}

static void write_state(struct vmx_vcpu *vmx, const struct vcpu_registers *registers)
{
	vmwrite(VMCS_GUEST_RIP, registers->rip);
	if (registers->gpr[RSP] != vmx->rsp_written)
		vmwrite(VMCS_GUEST_RSP, registers->gpr[RSP]);
	if (registers->rflags != vmx->rflags_written)
		vmwrite(VMCS_GUEST_RFLAGS, registers->rflags);
	if (vmx->changed)
		write_changed(vmx);
	if (has(WORD_PIN, VMX_PIN_PREEMPTION_TIMER))
		vmwrite(VMCS_PREEMPTION_TIMER, vmx_timer_count(rdtsc(), vmx->deadline_host_tsc, timer_shift));
}

static void read_state(struct vmx_vcpu *vmx, struct vcpu_registers *registers)
{
	registers->rip = vmread(VMCS_GUEST_RIP);
	registers->gpr[RSP] = vmx->rsp_written = vmread(VMCS_GUEST_RSP);
	registers->rflags = vmx->rflags_written = vmread(VMCS_GUEST_RFLAGS);
	vmx->interruptibility = (uint32_t)vmread(VMCS_GUEST_INTERRUPTIBILITY);
}

/* An NMI that ended the run was taken with it, and is the host's; a #DB that did has left DR6 as it was (SDM 3C 28.1). */
static void finish_exception(const struct vcpu_exit *exit)
{
	if (exit->kind == EXIT_HOST_NMI)
		__asm__ volatile("int $2");
	else if (exit->exception.vector == VECTOR_DB)
		write_dr6((read_dr6() & ~DR6_B0_TO_B3) | (vmread(VMCS_EXIT_QUALIFICATION) & DR6_OF_QUALIFICATION));
}

static void fail_at_once(struct vmx_vcpu *vmx, struct vcpu_exit *exit)
{
	vmx->instruction_error = (uint32_t)vmread(VMCS_INSTRUCTION_ERROR);
	exit->kind = EXIT_INVALID_STATE;
	exit->length = 0;
	exit->code = vmx->instruction_error;
	exit->host_tsc = rdtsc();
}

static void vmx_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	struct vmx_vcpu *vmx = &the_vcpu;
	uint32_t reason, idt_vectoring;

	write_state(vmx, &vcpu->registers);
	exit->host_tsc = vmx_enter(&vcpu->registers, vmx->launched);
	if (!exit->host_tsc) {
		fail_at_once(vmx, exit);
		return;
	}
	vmx->launched = true;
	read_state(vmx, &vcpu->registers);
	reason = (uint32_t)vmread(VMCS_EXIT_REASON);
	idt_vectoring = (uint32_t)vmread(VMCS_IDT_VECTORING);
	if (idt_vectoring & VMX_EVENT_VALID)
		vmx_requeue_event(vmx, idt_vectoring);
	vmx_decode_exit(reason, idt_vectoring, exit);
	if (reason == VMX_REASON_EXCEPTION)
		finish_exception(exit);
}

/* Beyond what the timer can count the guest leaves early, and is given a deadline again. */
static void vmx_set_deadline(struct vcpu *vcpu, uint64_t host_tsc)
{
	uint64_t longest_tsc = (uint64_t)TIMER_LONGEST << timer_shift, now_tsc = rdtsc();

	if ((int64_t)(host_tsc - now_tsc) > (int64_t)longest_tsc)
		host_tsc = now_tsc + longest_tsc;
	vmx_of(vcpu)->deadline_host_tsc = vmx_timer_moment(host_tsc, timer_shift);
	if (!has(WORD_PIN, VMX_PIN_PREEMPTION_TIMER))
		timer_arm(host_tsc);
}

static void vmx_set_tsc(struct vcpu *vcpu, const struct vcpu_tsc *tsc)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx->changed = true;
	vmwrite(VMCS_TSC_OFFSET, tsc->offset);
	if (tsc->exits) {
		vmx->primary |= VMX_PRIMARY_RDTSC;
		return;
	}
	vmx->primary &= ~VMX_PRIMARY_RDTSC;
	if (has(WORD_SECONDARY, VMX_SECONDARY_TSC_SCALING))
		vmwrite(VMCS_TSC_MULTIPLIER, tsc->mult);
}

static uint64_t read_field(void *context, uint32_t field)
{
	(void)context;
	return vmread(field);
}

static void dump_failure(const struct vmx_vcpu *vmx, void (*print)(const char *line))
{
	struct vmx_limits limits;
	char line[120];

	if (vmx->instruction_error) {
		format(line, sizeof line, "VM-instruction error %u: %s", vmx->instruction_error, vmx_instruction_error(vmx->instruction_error));
		print(line);
	}
	vmx_read_limits(&limits);
	vmx_check(&limits, read_field, NULL, print);
}

static void vmx_dump(const struct vcpu *vcpu, void (*print)(const char *line))
{
	const struct vmx_vcpu *vmx = vmx_of(vcpu);
	uint64_t reason = vmread(VMCS_EXIT_REASON);
	char line[120];

	format(line, sizeof line, "exit reason %x qualification %lx gpa %lx event %x idt-vectoring %x", (uint32_t)reason,
	       vmread(VMCS_EXIT_QUALIFICATION), vmread(VMCS_GUEST_PHYSICAL_ADDRESS), (uint32_t)vmread(VMCS_EXIT_EVENT),
	       (uint32_t)vmread(VMCS_IDT_VECTORING));
	print(line);
	format(line, sizeof line, "entry event %x shadow %x tsc_offset %lx primary %08x secondary %08x", (uint32_t)vmread(VMCS_ENTRY_EVENT), vmx->interruptibility,
	       vmread(VMCS_TSC_OFFSET), vmx->primary, controls.words[WORD_SECONDARY]);
	print(line);
	format(line, sizeof line, "cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx dr6 %lx dr7 %lx", state_get(vcpu, CR0), state_get(vcpu, CR2),
	       state_get(vcpu, CR3), state_get(vcpu, CR4), state_get(vcpu, EFER), state_get(vcpu, DR6), state_get(vcpu, DR7));
	print(line);
	if (vmx->instruction_error || reason & VMX_REASON_ENTRY_FAILED)
		dump_failure(vmx, print);
}

const struct virt_ops vmx_ops = {
	.name = "VT-x",
	.probe = vmx_probe,
	.enable = vmx_enable,
	.vcpu_init = vmx_vcpu_init,
	.map = ept_map,
	.set_deadline = vmx_set_deadline,
	.run = vmx_run,
	.get = state_get,
	.set = state_set,
	.get_segment = state_get_segment,
	.get_mode = state_get_mode,
	.set_tsc = vmx_set_tsc,
	.can_inject = vmx_can_inject,
	.want_window = vmx_want_window,
	.inject = vmx_inject,
	.raise = vmx_raise,
	.advance = vmx_advance,
	.dump = vmx_dump,
};
