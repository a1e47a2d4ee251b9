/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that a guest must not have, or has wrong: each ends in the exception that the manual names (APM 3;
 * APM 2 15 for SVM's), none reaches the host, and afterwards the guest goes on. Also hypercalls, bad control
 * register values, and ring 3. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define KVM_ENOSYS 1000
#define UD_OR_GP 0xFFu /* either: processors differ */

const char test_name[] = "exceptions";

#define INSTRUCTION(name, ...)                                                                         \
	static void do_##name(void *argument)                                                         \
	{                                                                                             \
		(void)argument;                                                                       \
		__asm__ volatile(__VA_ARGS__ : : : "eax", "ebx", "ecx", "edx", "memory", "cc");       \
	}

INSTRUCTION(vmrun, "xor %%eax, %%eax\n\tvmrun")
INSTRUCTION(vmload, "xor %%eax, %%eax\n\tvmload")
INSTRUCTION(vmsave, "xor %%eax, %%eax\n\tvmsave")
INSTRUCTION(stgi, "stgi")
INSTRUCTION(clgi, "clgi")
INSTRUCTION(skinit, "xor %%eax, %%eax\n\tskinit")
INSTRUCTION(invlpga, "xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tinvlpga")
INSTRUCTION(vmxoff, "vmxoff")
INSTRUCTION(vmlaunch, "vmlaunch")
INSTRUCTION(vmxon, "vmxon (%%esp)")
INSTRUCTION(monitor, "mov %%esp, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\tmonitor")
INSTRUCTION(mwait, "xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tmwait")
INSTRUCTION(rsm, "rsm")
INSTRUCTION(ud2, "ud2")
INSTRUCTION(int3, "int3")
INSTRUCTION(icebp, ".byte 0xf1")
INSTRUCTION(divide, "xor %%ecx, %%ecx\n\tdiv %%ecx")
INSTRUCTION(rdpmc, "mov $1000, %%ecx\n\trdpmc")
INSTRUCTION(xgetbv, "xor %%ecx, %%ecx\n\txgetbv")
INSTRUCTION(xsetbv_0, "xor %%ecx, %%ecx\n\txor %%eax, %%eax\n\txor %%edx, %%edx\n\txsetbv")
INSTRUCTION(xsetbv_avx_only, "xor %%ecx, %%ecx\n\tmov $5, %%eax\n\txor %%edx, %%edx\n\txsetbv")
INSTRUCTION(xsetbv_high, "xor %%ecx, %%ecx\n\tmov $3, %%eax\n\tmov $0x40000000, %%edx\n\txsetbv")
INSTRUCTION(xsetbv_1, "mov $1, %%ecx\n\tmov $1, %%eax\n\txor %%edx, %%edx\n\txsetbv")
INSTRUCTION(xsetbv_good, "xor %%ecx, %%ecx\n\tmov $3, %%eax\n\txor %%edx, %%edx\n\txsetbv")
INSTRUCTION(invd, "invd")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(too_long, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")
INSTRUCTION(long_cpuid,
	    "xor %%eax, %%eax\n\t.byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x0f,0xa2")
INSTRUCTION(lock_nop, ".byte 0xf0,0x90")
INSTRUCTION(cr0_pg, "mov %%cr0, %%eax\n\tor $0x80000000, %%eax\n\tand $0xfffffffe, %%eax\n\tmov %%eax, %%cr0")
INSTRUCTION(cr0_nw, "mov %%cr0, %%eax\n\tor $0x20000000, %%eax\n\tand $0xbfffffff, %%eax\n\tmov %%eax, %%cr0")
INSTRUCTION(cr4_vmxe, "mov %%cr4, %%eax\n\tor $0x2000, %%eax\n\tmov %%eax, %%cr4")
INSTRUCTION(cr4_reserved, "mov %%cr4, %%eax\n\tor $0x80000000, %%eax\n\tmov %%eax, %%cr4")
INSTRUCTION(cr1, ".byte 0x0f,0x20,0xc8")
INSTRUCTION(dr7_reserved, "mov $0x400, %%eax\n\tmov %%eax, %%dr7\n\tmov %%dr7, %%eax")
INSTRUCTION(null_ss, "xor %%eax, %%eax\n\tmov %%eax, %%ss")
INSTRUCTION(far_selector, "ljmp $0xfff8, $0")
INSTRUCTION(task_gate, "mov $0x28, %%ax\n\tltr %%ax") /* busy already */
INSTRUCTION(bad_interrupt_return, "push $0x20000\n\tpush $0xfff0\n\tpush $0\n\tiretl")

/* Where QEMU's processor does not check, or has what it should not: natively, or under Foliot, too, which leaves
 * it to the processor. */
enum lacks { LACKS_NOTHING, LACKS_PLAIN, LACKS_BED };

static const struct {
	const char *name;
	void (*action)(void *);
	uint32_t vector;
	enum lacks lacks;
} cases[] = {
	{ "VMRUN", do_vmrun, X_UD, LACKS_NOTHING },
	{ "VMLOAD", do_vmload, X_UD, LACKS_NOTHING },
	{ "VMSAVE", do_vmsave, X_UD, LACKS_NOTHING },
	{ "STGI", do_stgi, X_UD, LACKS_NOTHING },
	{ "CLGI", do_clgi, X_UD, LACKS_NOTHING },
	{ "SKINIT", do_skinit, X_UD, LACKS_NOTHING },
	{ "INVLPGA", do_invlpga, X_UD, LACKS_NOTHING },
	{ "VMXOFF", do_vmxoff, X_UD, LACKS_NOTHING },
	{ "VMLAUNCH", do_vmlaunch, X_UD, LACKS_NOTHING },
	{ "VMXON", do_vmxon, X_UD, LACKS_NOTHING },
	{ "MONITOR", do_monitor, X_UD, LACKS_PLAIN },
	{ "MWAIT", do_mwait, X_UD, LACKS_PLAIN },
	{ "RSM", do_rsm, X_UD, LACKS_NOTHING },
	{ "UD2", do_ud2, X_UD, LACKS_NOTHING },
	{ "INT3", do_int3, X_BP, LACKS_NOTHING },
	{ "ICEBP", do_icebp, X_DB, LACKS_BED },
	{ "a division by 0", do_divide, X_DE, LACKS_NOTHING },
	{ "RDPMC of no counter", do_rdpmc, UD_OR_GP, LACKS_NOTHING },
	{ "XGETBV without CR4.OSXSAVE", do_xgetbv, X_UD, LACKS_NOTHING },
	{ "XSETBV without CR4.OSXSAVE", do_xsetbv_good, X_UD, LACKS_NOTHING },
	{ "INVD", do_invd, NO_FAULT, LACKS_NOTHING },
	{ "WBINVD", do_wbinvd, NO_FAULT, LACKS_NOTHING },
	{ "16 bytes of instruction", do_too_long, X_GP, LACKS_NOTHING },
	{ "CPUID of 15 bytes", do_long_cpuid, NO_FAULT, LACKS_NOTHING },
	{ "LOCK NOP", do_lock_nop, X_UD, LACKS_NOTHING },
	{ "CR0.PG without PE", do_cr0_pg, X_GP, LACKS_BED },
	{ "CR0.NW without CD", do_cr0_nw, X_GP, LACKS_BED },
	{ "CR4.VMXE", do_cr4_vmxe, X_GP, LACKS_PLAIN },
	{ "a reserved bit of CR4", do_cr4_reserved, X_GP, LACKS_PLAIN },
	{ "CR1", do_cr1, X_UD, LACKS_NOTHING },
	{ "DR7", do_dr7_reserved, NO_FAULT, LACKS_NOTHING },
	{ "a null SS", do_null_ss, X_GP, LACKS_NOTHING },
	{ "a far jump beyond the GDT", do_far_selector, X_GP, LACKS_NOTHING },
	{ "LTR of a busy TSS", do_task_gate, X_GP, LACKS_NOTHING },
	{ "IRET to no selector", do_bad_interrupt_return, X_GP, LACKS_NOTHING },
};

static void faults(void)
{
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool either = cases[i].vector == UD_OR_GP;
		uint32_t vector;

		if (cases[i].lacks && (on_plain_qemu() || (cases[i].lacks == LACKS_BED && bed_is_qemu()))) {
			report_skip("%s: QEMU's processor deviates", cases[i].name);
			continue;
		}
		vector = guarded_call(cases[i].action, 0);
		if (cases[i].vector == NO_FAULT)
			report(vector == NO_FAULT, "%s runs: %x", cases[i].name, vector);
		else
			report(vector == cases[i].vector || (either && (vector == X_UD || vector == X_GP)),
			       "%s ends in vector %x: %x", cases[i].name, cases[i].vector, vector);
	}
}

/* APM 3 "XSETBV": x87 must stay, AVX needs SSE, only register 0 exists. */
static void xsetbv(void)
{
	if (!(cpuid(1, 0).ecx >> 26 & 1)) {
		report_skip("no XSAVE");
		return;
	}
	write_cr4(read_cr4() | 0x40000);
	report(guarded_call(do_xsetbv_good, 0) == NO_FAULT, "XSETBV of x87 and SSE runs");
	report(guarded_call(do_xsetbv_0, 0) == X_GP, "XSETBV without x87 is #GP");
	report(guarded_call(do_xsetbv_avx_only, 0) == X_GP, "XSETBV of AVX without SSE is #GP");
	report(guarded_call(do_xsetbv_high, 0) == X_GP, "XSETBV of bit 62 is #GP");
	report(guarded_call(do_xsetbv_1, 0) == X_GP, "XSETBV of register 1 is #GP");
	write_cr4(read_cr4() & ~0x40000u);
}

struct hypercall {
	uint32_t number, result;
};

#define HYPERCALL(name, instruction)                                                                      \
	static void do_##name(void *argument)                                                             \
	{                                                                                                 \
		struct hypercall *h = argument;                                                           \
		__asm__ volatile(instruction : "=a"(h->result) : "0"(h->number), "b"(0xFFFFFFFF),         \
				 "c"(0xFFFFFFFF), "d"(0xFFFFFFFF) : "memory");                            \
	}

HYPERCALL(vmmcall, "vmmcall")
HYPERCALL(vmcall, "vmcall")

/* Each vendor's processors know their own instruction only. */
static bool is_intel(void)
{
	return cpuid(0, 0).ebx == 0x756E6547; /* "Genu" */
}

/* Unknown hypercalls return -KVM_ENOSYS (Linux include/uapi/linux/kvm_para.h); from ring 3 they are refused. */
static void hypercalls(void)
{
	static const uint32_t numbers[] = { 0, 1, 3, 5, 11, 0x7FFFFFFF, 0xFFFFFFFF };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct hypercall h = { numbers[i], 0 };
		uint32_t vector = guarded_call(is_intel() ? do_vmcall : do_vmmcall, &h);

		wrong += vector != NO_FAULT || h.result != (uint32_t)-KVM_ENOSYS;
	}
	if (on_plain_qemu())
		report_skip("no hypervisor for hypercalls");
	else
		report(!wrong, "unknown hypercalls return -1000: %u wrong", wrong);
}

#define USER(name, text)                                                              \
	static void user_##name(void)                                                 \
	{                                                                             \
		__asm__ volatile(text "\n\tint $0x80" : : : "eax", "ebx", "ecx", "edx"); \
	}

USER(hlt, "hlt")
USER(cli, "cli")
USER(in, "in $0x40, %%al")
USER(cpuid, "xor %%eax, %%eax\n\tcpuid")
USER(rdmsr, "mov $0xc0000080, %%ecx\n\trdmsr")
USER(wbinvd, "wbinvd")
USER(invd, "invd")
USER(vmmcall, "mov $5, %%eax\n\tvmmcall")
USER(vmcall, "mov $5, %%eax\n\tvmcall")
USER(vmrun, "xor %%eax, %%eax\n\tvmrun")
USER(xsetbv, "xor %%ecx, %%ecx\n\tmov $3, %%eax\n\txor %%edx, %%edx\n\txsetbv")

static void ring3(void)
{
	uint32_t vector;

	report(user_call(user_hlt) == X_GP, "HLT in ring 3 is #GP");
	report(user_call(user_cli) == X_GP, "CLI in ring 3 is #GP");
	report(user_call(user_in) == X_GP, "IN in ring 3 is #GP");
	report(user_call(user_cpuid) == NO_FAULT, "CPUID in ring 3 runs");
	report(user_call(user_rdmsr) == X_GP, "RDMSR in ring 3 is #GP");
	report(user_call(user_wbinvd) == X_GP, "WBINVD in ring 3 is #GP");
	report(user_call(user_invd) == X_GP, "INVD in ring 3 is #GP");
	vector = user_call(user_vmrun); /* the processor checks the ring before EFER.SVME is hidden from the guest */
	report(vector == X_UD || vector == X_GP, "VMRUN in ring 3 is refused: %x", vector);
	vector = user_call(is_intel() ? user_vmcall : user_vmmcall);
	report(vector == NO_FAULT || vector == X_UD || vector == X_GP, "a hypercall in ring 3 does no harm: %x", vector);
	write_cr4(read_cr4() | 0x40000);
	report(user_call(user_xsetbv) == X_GP, "XSETBV in ring 3 is #GP");
	write_cr4(read_cr4() & ~0x40000u);
}

INSTRUCTION(trap_flag, "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop\n\tnop")
INSTRUCTION(trap_over_cpuid, "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tcpuid\n\tnop")
INSTRUCTION(shadow_icebp, "mov %%ss, %%eax\n\tmov %%eax, %%ss\n\t.byte 0xf1")
INSTRUCTION(sti_trap, "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tsti\n\tnop\n\tcli")

static uint8_t bytes_before(uint32_t eip, uint32_t distance)
{
	return *(const uint8_t *)(eip - distance);
}

/* Single steps end at the next instruction, also over one that the hypervisor carries out. */
static void single_steps(void)
{
	uint32_t vector;

	report(guarded_call(do_trap_flag, 0) == X_DB, "TF gives #DB");
	report(guarded_call(do_trap_over_cpuid, 0) == X_DB && bytes_before(fault_eip, 2) == 0x0F &&
	       bytes_before(fault_eip, 1) == 0xA2,
	       "TF over CPUID gives #DB right after it");
	vector = guarded_call(do_shadow_icebp, 0);
	report(vector == X_DB || (bed_is_qemu() && vector == X_UD), "ICEBP in the shadow of MOV SS is #DB: %x", vector);
	report(guarded_call(do_sti_trap, 0) == X_DB, "STI with TF is #DB");
}

/* Many exits with known register contents: none may change (C2's guest half). */
static void registers_survive(void)
{
	uint32_t rounds = share(100000), wrong = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t si = 0x51515151 ^ i, di = 0xD1D1D1D1 ^ i, port_value = 0;

		__asm__ volatile("inb $0x61, %%al" : "+a"(port_value), "+S"(si), "+D"(di));
		wrong += si != (0x51515151 ^ i) || di != (0xD1D1D1D1 ^ i) || port_value >> 8;
	}
	report(!wrong, "%u exits leave the other registers as they were: %u wrong", rounds, wrong);
}

void test_main(void)
{
	faults();
	xsetbv();
	hypercalls();
	ring3();
	single_steps();
	registers_survive();
}
