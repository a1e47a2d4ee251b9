/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The AMD-V engine (APM 2 chapter 15): probing, enabling, the VMCB's initial state, entering the guest. Its ops table is at the end.
 * Not used: decode assists, VMCB clean bits, AVIC (it would hide the acceptance of interrupts), virtual GIF. */
#include "svm/svm.h"

#include "base/assert.h"
#include "base/format.h"
#include "base/mem.h"
#include "host/cpu.h"
#include "host/memory.h"
#include "host/timer.h"

#define CPUID_8000_0001_ECX_SVM (1u << 2)
#define CPUID_8000_000A_EDX_NPT (1u << 0)
#define CPUID_8000_000A_EDX_NRIPS (1u << 3)
#define CPUID_8000_000A_EDX_TSC_RATIO (1u << 4)

#define EFER_SVME (1ull << 12)
#define MSR_TSC_RATIO 0xc0000104
#define MSR_VM_CR 0xc0010114
#define VM_CR_SVMDIS (1ull << 4)
#define MSR_VM_HSAVE_PA 0xc0010117

#define TSC_RATIO_FRAC_BITS 32
#define TSC_RATIO_LIMIT 256

#define INTERCEPT_MISC1                                                                                       \
	(VMCB_INTERCEPT_INTR | VMCB_INTERCEPT_NMI | VMCB_INTERCEPT_INIT | VMCB_INTERCEPT_CR0_SELECTIVE |       \
	 VMCB_INTERCEPT_RDPMC |                                                                               \
	 VMCB_INTERCEPT_CPUID | VMCB_INTERCEPT_INVD | VMCB_INTERCEPT_HLT | VMCB_INTERCEPT_INVLPGA |           \
	 VMCB_INTERCEPT_IOIO | VMCB_INTERCEPT_MSR | VMCB_INTERCEPT_SHUTDOWN)
#define INTERCEPT_MISC2                                                                                       \
	(VMCB_INTERCEPT_VMRUN | VMCB_INTERCEPT_VMMCALL | VMCB_INTERCEPT_VMLOAD | VMCB_INTERCEPT_VMSAVE |      \
	 VMCB_INTERCEPT_STGI | VMCB_INTERCEPT_CLGI | VMCB_INTERCEPT_SKINIT |                                  \
	 VMCB_INTERCEPT_WBINVD | VMCB_INTERCEPT_MONITOR | VMCB_INTERCEPT_MWAIT | VMCB_INTERCEPT_MWAIT_ARMED | \
	 VMCB_INTERCEPT_XSETBV | VMCB_INTERCEPT_RDPRU)
/* #DB and #AC would let a guest loop inside the processor for ever; #MC is the host's. */
#define INTERCEPT_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

_Static_assert(offsetof(struct vcpu_registers, gpr[RCX]) == 8 && offsetof(struct vcpu_registers, gpr[R15]) == 120,
	       "svm/entry.asm knows these offsets");

static struct svm_vcpu the_vcpu;
static bool has_tsc_ratio;

static bool svm_probe(struct virt_features *features, struct refusal *why)
{
	uint64_t vm_cr = 0;
	uint32_t edx;

	if (cpuid(0x80000000, 0).eax < 0x8000000a || !(cpuid(0x80000001, 0).ecx & CPUID_8000_0001_ECX_SVM))
		return refuse(why, 201, "this processor has no AMD-V (CPUID 80000001h ECX bit 2 is 0, ECX = %08xh): "
			      "use another machine, or an emulator that offers SVM (QEMU: -cpu max)",
			      cpuid(0x80000001, 0).ecx);
	if (rdmsr_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS)
		return refuse(why, 202, "AMD-V is disabled by the firmware (VM_CR.SVMDIS is 1, VM_CR = %lxh): "
			      "enable SVM in the firmware's set-up", vm_cr);
	edx = cpuid(0x8000000a, 0).edx;
	if (!(edx & CPUID_8000_000A_EDX_NPT))
		return refuse(why, 203, "this processor has no nested paging (CPUID 8000000Ah EDX bit 0 is 0, "
			      "EDX = %08xh): use a processor that has it (QEMU: -cpu max)", edx);
	has_tsc_ratio = edx & CPUID_8000_000A_EDX_TSC_RATIO;
	features->next_rip = edx & CPUID_8000_000A_EDX_NRIPS;
	features->multiplier = (struct line_multiplier){ 0 };
	if (has_tsc_ratio)
		features->multiplier = (struct line_multiplier){ TSC_RATIO_FRAC_BITS, TSC_RATIO_LIMIT };
	return true;
}

/* QEMU without KVM: CPUID 40000000h shows "TCGTCGTCGTCG". */
static bool is_tcg(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	return c.ebx == 0x54474354 && c.ecx == 0x43544743 && c.edx == 0x47435447;
}

static void svm_enable(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, host_hpa_of(frames_alloc(1)));
	the_vcpu.vmcb = frames_alloc(1);
	the_vcpu.vmcb_hpa = host_hpa_of(the_vcpu.vmcb);
	the_vcpu.virtual_interrupts = the_vcpu.equal_priority_opens = is_tcg();
	the_vcpu.host_vmcb_hpa = host_hpa_of(frames_alloc(1));
	__asm__ volatile("vmsave" : : "a"(the_vcpu.host_vmcb_hpa) : "memory");
	npt_init();
}

static void init_control(struct vmcb *vmcb)
{
	vmcb->intercept_cr = VMCB_INTERCEPT_CR_WRITE(4);
	vmcb->intercept_exceptions = INTERCEPT_EXCEPTIONS;
	vmcb->intercept_misc1 = INTERCEPT_MISC1;
	vmcb->intercept_misc2 = INTERCEPT_MISC2;
	vmcb->iopm_hpa = svm_iopm_hpa();
	vmcb->msrpm_hpa = svm_msrpm_hpa();
	vmcb->asid = 1;
	vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	vmcb->virtual_interrupt = VMCB_V_INTR_MASKING;
	vmcb->nested_control = VMCB_NESTED_PAGING;
	vmcb->nested_cr3 = npt_root_hpa();
}

/* The state after reset (APM 2 table 14-1). */
static void init_reset_state(struct vmcb *vmcb)
{
	struct vmcb_segment data = { .attributes = 0x93, .limit = 0xffff };

	vmcb->es = vmcb->ss = vmcb->ds = vmcb->fs = vmcb->gs = data;
	vmcb->cs = (struct vmcb_segment){ .selector = 0xf000, .attributes = 0x9b, .limit = 0xffff, .base = 0xffff0000 };
	vmcb->gdtr = vmcb->idtr = (struct vmcb_segment){ .limit = 0xffff };
	vmcb->ldtr = (struct vmcb_segment){ .attributes = 0x82, .limit = 0xffff };
	vmcb->tr = (struct vmcb_segment){ .attributes = 0x8b, .limit = 0xffff };
	vmcb->efer = EFER_SVME;
	vmcb->cr0 = 0x60000010;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->dr7 = 0x400;
	vmcb->guest_pat = 0x0007040600070406ull;
}

static void init_flat_state(struct vmcb *vmcb)
{
	struct vmcb_segment data = { .selector = 0x18, .attributes = 0xc93, .limit = 0xffffffff };

	vmcb->es = vmcb->ss = vmcb->ds = vmcb->fs = vmcb->gs = data;
	vmcb->cs = (struct vmcb_segment){ .selector = 0x10, .attributes = 0xc9b, .limit = 0xffffffff };
	vmcb->cr0 = 0x11;
}

static void svm_vcpu_init(struct vcpu *vcpu, const struct vcpu_start *start)
{
	struct vmcb *vmcb = the_vcpu.vmcb;

	memset(vmcb, 0, sizeof *vmcb);
	memset(&vcpu->registers, 0, sizeof vcpu->registers);
	vcpu->engine = &the_vcpu;
	the_vcpu.stepping = false;
	the_vcpu.queued = false;
	init_control(vmcb);
	init_reset_state(vmcb);
	vcpu->registers.rflags = 2;
	vcpu->registers.rip = 0xfff0;
	if (!start->flat)
		return;
	init_flat_state(vmcb);
	vcpu->registers.rip = start->eip;
	vcpu->registers.gpr[RAX] = start->eax;
	vcpu->registers.gpr[RBX] = start->ebx;
	vcpu->registers.gpr[RSI] = start->esi;
}

static void load_registers(const struct vcpu_registers *registers, struct vmcb *vmcb)
{
	vmcb->rax = registers->gpr[RAX];
	vmcb->rsp = registers->gpr[RSP];
	vmcb->rip = registers->rip;
	vmcb->rflags = registers->rflags;
}

static void save_registers(struct vcpu_registers *registers, const struct vmcb *vmcb)
{
	registers->gpr[RAX] = vmcb->rax;
	registers->gpr[RSP] = vmcb->rsp;
	registers->rip = vmcb->rip;
	registers->rflags = vmcb->rflags;
}

static void svm_set_deadline(struct vcpu *vcpu, uint64_t host_tsc)
{
	(void)vcpu;
	timer_arm(host_tsc);
}

static void svm_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	struct svm_vcpu *svm = &the_vcpu;
	struct vmcb *vmcb = svm->vmcb;

	load_registers(&vcpu->registers, vmcb);
	exit->host_tsc = svm_enter(&vcpu->registers, svm->vmcb_hpa, svm->host_vmcb_hpa);
	save_registers(&vcpu->registers, vmcb);
	vmcb->tlb_control = VMCB_TLB_NOTHING;
	svm_requeue(vcpu);
	svm_decode_exit(vmcb, exit);
	if (svm->stepping && svm_end_step(vcpu, exit))
		exit->kind = EXIT_WINDOW;
}

static uint64_t svm_get(const struct vcpu *vcpu, enum control_register which)
{
	const struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	switch (which) {
	case CR0: return vmcb->cr0;
	case CR2: return vmcb->cr2;
	case CR3: return vmcb->cr3;
	case CR4: return vmcb->cr4;
	case CR8: return svm_cr8(svm_of(vcpu));
	case EFER: return vmcb->efer & ~EFER_SVME;
	case DR6: return vmcb->dr6;
	case DR7: return vmcb->dr7;
	case PAT: return vmcb->guest_pat;
	case CONTROL_REGISTER_COUNT: break;
	}
	ASSERT(which < CONTROL_REGISTER_COUNT);
	return 0;
}

static void svm_set(struct vcpu *vcpu, enum control_register which, uint64_t value)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	/* CR0.PG, CR4, EFER and the PAT change what the TLB may hold (APM 2 5.5.1). */
	if (which != CR2 && which != CR8 && which != DR6 && which != DR7)
		vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	switch (which) {
	case CR0: vmcb->cr0 = value; return;
	case CR2: vmcb->cr2 = value; return;
	case CR3: vmcb->cr3 = value; return;
	case CR4: vmcb->cr4 = value; return;
	case CR8: vmcb->virtual_interrupt = (vmcb->virtual_interrupt & ~VMCB_V_TPR) | (value & VMCB_V_TPR); return;
	case EFER: vmcb->efer = value | EFER_SVME; return;
	case DR6: vmcb->dr6 = value; return;
	case DR7: vmcb->dr7 = value; return;
	case PAT: vmcb->guest_pat = value; return;
	case CONTROL_REGISTER_COUNT: break;
	}
	ASSERT(which < CONTROL_REGISTER_COUNT);
}

static void svm_get_segment(const struct vcpu *vcpu, enum segment which, struct segment_register *out)
{
	static const uint16_t offsets[SEGMENT_COUNT] = {
		[ES] = offsetof(struct vmcb, es), [CS] = offsetof(struct vmcb, cs), [SS] = offsetof(struct vmcb, ss),
		[DS] = offsetof(struct vmcb, ds), [FS] = offsetof(struct vmcb, fs), [GS] = offsetof(struct vmcb, gs),
		[LDTR] = offsetof(struct vmcb, ldtr), [TR] = offsetof(struct vmcb, tr),
		[GDTR] = offsetof(struct vmcb, gdtr), [IDTR] = offsetof(struct vmcb, idtr),
	};
	const struct vmcb_segment *s = (const void *)((const uint8_t *)svm_of(vcpu)->vmcb + offsets[which]);

	*out = (struct segment_register){ s->base, s->limit, s->selector, s->attributes };
}

static void svm_get_mode(const struct vcpu *vcpu, struct vcpu_mode *mode)
{
	const struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	mode->cr0 = vmcb->cr0;
	mode->cr3 = vmcb->cr3;
	mode->cr4 = vmcb->cr4;
	mode->efer = vmcb->efer;
	mode->cs_base = vmcb->cs.base;
	mode->cs_attributes = vmcb->cs.attributes;
	mode->cpl = vmcb->cpl;
}

static void svm_set_tsc(struct vcpu *vcpu, const struct vcpu_tsc *tsc)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	vmcb->tsc_offset = tsc->offset;
	if (tsc->exits) {
		vmcb->intercept_misc1 |= VMCB_INTERCEPT_RDTSC;
		vmcb->intercept_misc2 |= VMCB_INTERCEPT_RDTSCP;
		return;
	}
	vmcb->intercept_misc1 &= ~VMCB_INTERCEPT_RDTSC;
	vmcb->intercept_misc2 &= ~VMCB_INTERCEPT_RDTSCP;
	if (has_tsc_ratio)
		wrmsr(MSR_TSC_RATIO, tsc->mult);
}

static void svm_dump(const struct vcpu *vcpu, void (*print)(const char *line))
{
	const struct vmcb *vmcb = svm_of(vcpu)->vmcb;
	char line[120];

	format(line, sizeof line, "exit code %lx info1 %lx info2 %lx intinfo %lx", vmcb->exit_code, vmcb->exit_info1,
	       vmcb->exit_info2, vmcb->exit_interrupt_info);
	print(line);
	format(line, sizeof line, "eventinj %lx vintr %lx shadow %lx tsc_offset %lx misc1 %08x", vmcb->event_injection,
	       vmcb->virtual_interrupt, vmcb->interrupt_shadow, vmcb->tsc_offset, vmcb->intercept_misc1);
	print(line);
	format(line, sizeof line, "cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx dr6 %lx dr7 %lx cpl %u", vmcb->cr0,
	       vmcb->cr2, vmcb->cr3, vmcb->cr4, vmcb->efer, vmcb->dr6, vmcb->dr7, vmcb->cpl);
	print(line);
}

const struct virt_ops svm_ops = {
	.name = "AMD-V",
	.probe = svm_probe,
	.enable = svm_enable,
	.vcpu_init = svm_vcpu_init,
	.map = npt_map,
	.set_deadline = svm_set_deadline,
	.run = svm_run,
	.get = svm_get,
	.set = svm_set,
	.get_segment = svm_get_segment,
	.get_mode = svm_get_mode,
	.set_tsc = svm_set_tsc,
	.can_inject = svm_can_inject,
	.want_window = svm_want_window,
	.inject = svm_inject,
	.raise = svm_raise,
	.advance = svm_advance,
	.dump = svm_dump,
};
