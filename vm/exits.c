/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One short handler for each kind of exit. What the guest did wrong gets what the hardware would do; what Foliot does not know stops the
 * guest with a dump. */
#include "vm/machine.h"

#include "host/cpu.h"
#include "host/memory.h"
#include "host/message.h"
#include "monitor/eventlog.h"
#include "vm/cpuid.h"
#include "vm/instruction.h"
#include "vm/mmio.h"
#include "vm/msr.h"
#include "vm/port_string.h"

#define LOW_HALF 0xffffffffull
#define MSR_TSC_AUX 0xc0000103
#define MSR_MCG_STATUS 0x17a
#define MCG_STATUS_MCIP (1ull << 2)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR0_RESERVED 0x1ffaffc0ull /* read as zero, whatever was written */
#define SEGMENT_LONG 0x200u

#define CR4_PAE (1ull << 5)
#define CR4_PCIDE (1ull << 17)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

/* KVM's own error number, not Linux's ENOSYS (Linux uapi/linux/kvm_para.h). */
#define KVM_ENOSYS 1000
#define KVM_EPERM 1

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u
#define XCR0_AVX512 0xe0u

const char *const machine_exit_names[EXIT_KIND_COUNT] = {
	[EXIT_HOST_INTERRUPT] = "host-interrupt",
	[EXIT_HOST_NMI] = "host-nmi",
	[EXIT_DEADLINE] = "deadline",
	[EXIT_WINDOW] = "interrupt-window",
	[EXIT_TPR] = "tpr-threshold",
	[EXIT_CPUID] = "cpuid",
	[EXIT_HLT] = "hlt",
	[EXIT_PORT] = "port",
	[EXIT_PORT_STRING] = "port-string",
	[EXIT_RDMSR] = "rdmsr",
	[EXIT_WRMSR] = "wrmsr",
	[EXIT_RDTSC] = "rdtsc",
	[EXIT_RDTSCP] = "rdtscp",
	[EXIT_MEMORY] = "memory",
	[EXIT_WRITE_CR] = "write-cr",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_CACHE] = "cache",
	[EXIT_FORBIDDEN] = "forbidden",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_SHUTDOWN] = "shutdown",
	[EXIT_INVALID_STATE] = "invalid-state",
	[EXIT_UNKNOWN] = "unknown",
};

static unsigned machine_cpl(const struct machine *machine)
{
	struct vcpu_mode mode;

	machine->ops->get_mode(&machine->vcpu, &mode);
	return mode.cpl;
}

/* Real mode has no error codes (SDM 3B 21.1.4); VT-x would refuse the entry, too. */
void machine_raise(struct machine *machine, uint8_t vector, uint32_t error_code)
{
	if (error_code != NO_ERROR_CODE && !(machine->ops->get(&machine->vcpu, CR0) & CR0_PE))
		error_code = NO_ERROR_CODE;
	eventlog_add(&machine_log, LOG_FAULT, machine->now_ns, machine->host_tsc, vector,
		     machine->vcpu.registers.rip);
	machine->ops->raise(&machine->vcpu, vector, error_code);
}

void machine_page_fault(struct machine *machine, uint64_t gva, uint32_t error_code)
{
	machine->ops->set(&machine->vcpu, CR2, gva);
	machine_raise(machine, VECTOR_PF, error_code);
}

/* The processor's length where it says one, else the instruction's own bytes decide. */
void machine_advance(struct machine *machine, const struct vcpu_exit *exit)
{
	unsigned length = exit->length ? exit->length : instruction_length(machine);

	if (!length) /* the bytes are gone or changed since: let the guest execute what is there now */
		return;
	machine->ops->advance(&machine->vcpu, length);
}

static void set_low(struct machine *machine, enum gpr gpr, uint64_t value)
{
	machine->vcpu.registers.gpr[gpr] = value & LOW_HALF;
}

static void on_host_event(struct machine *machine, const struct vcpu_exit *exit)
{
	(void)machine, (void)exit; /* an NMI is taken by the host's own vector as soon as the engine lets it; the run loop does the rest */
}

static void on_window(struct machine *machine, const struct vcpu_exit *exit)
{
	(void)exit;
	machine->window = false;
	machine->ops->want_window(&machine->vcpu, 0);
}

static inline __attribute__((always_inline)) struct cpuid_regs guest_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t guest_cr4)
{
	struct cpuid_regs host = { 0 };

	if (leaf < 0x40000000 || leaf >= 0x80000000) {
		struct cpuid c = cpuid(leaf, subleaf);

		host = (struct cpuid_regs){ c.eax, c.ebx, c.ecx, c.edx };
	}
	return cpuid_for_guest(leaf, subleaf, &host, guest_cr4);
}

/* Where the guest's options, or the state of its local APIC, change CPUID's answers. */
static __attribute__((noinline)) struct cpuid_regs altered_cpuid(const struct machine *machine, uint32_t leaf, uint32_t subleaf, uint64_t guest_cr4)
{
	bool invariant_asked = machine->hyperv.invariant_control & HV_EXPOSE_INVARIANT_TSC;

	return cpuid_view_apply(&machine->cpuid, leaf, subleaf, guest_cpuid(leaf, subleaf, guest_cr4), invariant_asked);
}

static void on_cpuid(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t *gpr = machine->vcpu.registers.gpr;
	uint32_t leaf = (uint32_t)gpr[RAX], subleaf = (uint32_t)gpr[RCX];
	uint64_t cr4 = leaf == 1 ? machine->ops->get(&machine->vcpu, CR4) : 0;
	struct cpuid_regs seen;

	if (machine->cpuid.alters)
		seen = altered_cpuid(machine, leaf, subleaf, cr4);
	else
		seen = guest_cpuid(leaf, subleaf, cr4);
	gpr[RAX] = seen.eax;
	gpr[RBX] = seen.ebx;
	gpr[RCX] = seen.ecx;
	gpr[RDX] = seen.edx;
	machine_advance(machine, exit);
}

static void on_hlt(struct machine *machine, const struct vcpu_exit *exit)
{
	machine_advance(machine, exit);
	if (machine->vcpu.registers.rflags & RFLAGS_TF) /* its trap is pending, and ends the halt at once */
		return;
	machine->halted = true;
	eventlog_add(&machine_log, LOG_HALT, machine->now_ns, machine->host_tsc, machine->vcpu.registers.rip, 0);
	if (machine->vcpu.registers.rflags & RFLAGS_IF || machine->dead_halt_told)
		return;
	machine->dead_halt_told = true;
	message(402, "the guest halted with interrupts off, at rip %lx: it stays so for ever (only a reset ends it)",
		machine->vcpu.registers.rip);
}

static void on_port(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t *rax = &machine->vcpu.registers.gpr[RAX];
	unsigned bytes = exit->port.bytes;
	uint32_t value;

	machine_advance(machine, exit);
	if (!exit->port.in) {
		bus_write_port(&machine->bus, exit->port.port, (uint32_t)*rax, bytes, machine->now_ns);
		return;
	}
	value = bus_read_port(&machine->bus, exit->port.port, bytes, machine->now_ns);
	if (bytes == 1)
		*rax = (*rax & ~0xffull) | (value & 0xff);
	else if (bytes == 2)
		*rax = (*rax & ~0xffffull) | (value & 0xffff);
	else
		*rax = value;
}

static void on_port_string(struct machine *machine, const struct vcpu_exit *exit)
{
	port_string(machine, exit);
}

static void on_rdmsr(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t value;

	if (!msr_read(machine, (uint32_t)machine->vcpu.registers.gpr[RCX], &value)) {
		machine_raise(machine, VECTOR_GP, 0);
		return;
	}
	set_low(machine, RAX, value);
	set_low(machine, RDX, value >> 32);
	machine_advance(machine, exit);
}

static void on_wrmsr(struct machine *machine, const struct vcpu_exit *exit)
{
	const uint64_t *gpr = machine->vcpu.registers.gpr;
	uint64_t value = (gpr[RDX] & LOW_HALF) << 32 | (gpr[RAX] & LOW_HALF);

	if (msr_write(machine, (uint32_t)gpr[RCX], value))
		machine_advance(machine, exit);
	else
		machine_raise(machine, VECTOR_GP, 0);
}

static void give_tsc(struct machine *machine, bool with_aux)
{
	uint64_t tsc = machine_guest_tsc(machine);

	machine_trace(machine, TRACE_TSC, tsc, 0);
	set_low(machine, RAX, tsc);
	set_low(machine, RDX, tsc >> 32);
	if (with_aux)
		set_low(machine, RCX, rdmsr(MSR_TSC_AUX));
}

/* Some processors report RDTSCP as RDTSC: its bytes tell (QEMU does). They are fetched but once: this exit may come often. */
static void on_rdtsc(struct machine *machine, const struct vcpu_exit *exit)
{
	bool is_rdtscp;
	unsigned length = instruction_rdtsc_length(machine, exit, &is_rdtscp);

	give_tsc(machine, is_rdtscp);
	if (length)
		machine->ops->advance(&machine->vcpu, length);
}

static void on_rdtscp(struct machine *machine, const struct vcpu_exit *exit)
{
	give_tsc(machine, true);
	machine_advance(machine, exit);
}

static void on_memory(struct machine *machine, const struct vcpu_exit *exit)
{
	mmio_access(machine, exit);
}

/* Control register bits that the guest may not set: what its CPUID does not offer (APM 2 3.1.3). */
static bool cr4_is_legal(struct machine *machine, uint64_t value)
{
	uint64_t old = machine->ops->get(&machine->vcpu, CR4);
	bool long_mode = machine->ops->get(&machine->vcpu, EFER) & EFER_LMA;

	struct cpuid_regs leaf_7 = guest_cpuid(7, 0, 0);

	if (value & ~cpuid_cr4_allowed(guest_cpuid(1, 0, 0).ecx, leaf_7.ebx, leaf_7.ecx))
		return false;
	if (long_mode && !(value & CR4_PAE))
		return false;
	if (value & ~old & CR4_PCIDE)
		return long_mode && !(machine->ops->get(&machine->vcpu, CR3) & 0xfff);
	return true;
}

/* What CR0, CR4 and EFER would become, where they change what the guest's first level of PAE paging has to be. */
static bool pdptes_are_legal(struct machine *machine, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct walk_state state = {
		.cr0 = cr0,
		.cr3 = machine->ops->get(&machine->vcpu, CR3),
		.cr4 = cr4,
		.efer = efer,
		.address_bits = 63 - (unsigned)__builtin_clzll(host_physical_end()),
	};

	return !machine->features.checks_pdptes || walk_pdptes_are_legal(&state, &machine->ram);
}

/* APM 2 3.1.1 and 14.6: what CR0 may hold, and how paging becomes long mode or leaves it. Returns whether the value was taken. */
static bool take_cr0(struct machine *machine, uint64_t value)
{
	const struct virt_ops *ops = machine->ops;
	uint64_t efer = ops->get(&machine->vcpu, EFER), cr4 = ops->get(&machine->vcpu, CR4);
	struct segment_register cs;

	value = (value & ~CR0_RESERVED) | CR0_ET;
	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
		return false;
	ops->get_segment(&machine->vcpu, CS, &cs);
	if (value & CR0_PG && !(ops->get(&machine->vcpu, CR0) & CR0_PG) && efer & EFER_LME) {
		if (!(cr4 & CR4_PAE) || cs.attributes & SEGMENT_LONG)
			return false;
		efer |= EFER_LMA;
	} else if (!(value & CR0_PG)) {
		if (cr4 & CR4_PCIDE || (efer & EFER_LMA && cs.attributes & SEGMENT_LONG))
			return false;
		efer &= ~EFER_LMA;
	}
	if (!pdptes_are_legal(machine, value, cr4, efer))
		return false;
	ops->set(&machine->vcpu, EFER, efer);
	ops->set(&machine->vcpu, CR0, value);
	return true;
}

static bool take_cr4(struct machine *machine, uint64_t value)
{
	const struct virt_ops *ops = machine->ops;

	if (!cr4_is_legal(machine, value) ||
	    !pdptes_are_legal(machine, ops->get(&machine->vcpu, CR0), value, ops->get(&machine->vcpu, EFER)))
		return false;
	machine->ops->set(&machine->vcpu, CR4, value);
	return true;
}

static void on_write_cr(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t value;
	unsigned length = instruction_write_cr(machine, &value);

	if (!length) /* the bytes have changed since */
		return;
	if (exit->cr.which == CR0 ? take_cr0(machine, value) : take_cr4(machine, value))
		machine->ops->advance(&machine->vcpu, length);
	else
		machine_raise(machine, VECTOR_GP, 0);
}

/* SDM 2D "XSETBV": the combinations that the processor refuses, and no state that CPUID does not offer. */
static bool xcr0_is_legal(uint64_t value)
{
	if (!(value & XCR0_X87) || value & ~(uint64_t)(cpuid(0xd, 0).eax & CPUID_XCR0_ALLOWED))
		return false;
	if (value & XCR0_AVX && !(value & XCR0_SSE))
		return false;
	return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && value & XCR0_AVX);
}

static void on_xsetbv(struct machine *machine, const struct vcpu_exit *exit)
{
	const uint64_t *gpr = machine->vcpu.registers.gpr;
	uint64_t value = (gpr[RDX] & LOW_HALF) << 32 | (gpr[RAX] & LOW_HALF);

	if (machine_cpl(machine) || (uint32_t)gpr[RCX] || !xcr0_is_legal(value) ||
	    !xsetbv_safe(0, value))
		machine_raise(machine, VECTOR_GP, 0);
	else
		machine_advance(machine, exit);
}

/* Hyper-V's answer to a guest that calls without the page that was meant for it: in RAX, or EDX:EAX in 32-bit code (TLFS 3.7). False: #UD. */
static bool answer_as_hyperv(struct machine *machine)
{
	struct vcpu_mode mode;

	machine->ops->get_mode(&machine->vcpu, &mode);
	if (mode.cpl || !(mode.cr0 & CR0_PE))
		return false;
	machine->vcpu.registers.gpr[RAX] = HV_STATUS_INVALID_HYPERCALL_CODE;
	if (!(mode.efer & EFER_LMA && mode.cs_attributes & SEGMENT_LONG))
		machine->vcpu.registers.gpr[RDX] = 0;
	return true;
}

static bool answer_as_kvm(struct machine *machine)
{
	int64_t error = machine_cpl(machine) ? -KVM_EPERM : -KVM_ENOSYS;

	machine->vcpu.registers.gpr[RAX] = (uint64_t)error;
	if (!(machine->ops->get(&machine->vcpu, EFER) & EFER_LMA))
		machine->vcpu.registers.gpr[RAX] &= LOW_HALF;
	return true;
}

/* No hypercall is offered. A guest that is Hyper-V's has said so by its OS identity; without an interface the instruction is not there either. */
static void on_hypercall(struct machine *machine, const struct vcpu_exit *exit)
{
	bool answered = false;

	if (hyperv_calls_enabled(&machine->hyperv))
		answered = answer_as_hyperv(machine);
	else if (hv_is_kvm(machine->cpuid.hv))
		answered = answer_as_kvm(machine);
	if (answered)
		machine_advance(machine, exit);
	else
		machine_raise(machine, VECTOR_UD, NO_ERROR_CODE);
}

/* Guest memory is coherent: there is nothing to write back, and INVD must not lose what others wrote. */
static void on_cache(struct machine *machine, const struct vcpu_exit *exit)
{
	machine_advance(machine, exit);
}

static void on_forbidden(struct machine *machine, const struct vcpu_exit *exit)
{
	(void)exit;
	machine_raise(machine, VECTOR_UD, NO_ERROR_CODE);
}

/* The host's own handler: prints the banks, freezes. */
static void take_machine_check(void)
{
	__asm__ volatile("int $18");
}

/* #DB and #AC are intercepted only so that a loop of them inside the processor cannot shut Foliot out: the guest gets them. */
static void on_exception(struct machine *machine, const struct vcpu_exit *exit)
{
	if (exit->exception.vector == VECTOR_MC) {
		take_machine_check();
		return;
	}
	machine_raise(machine, exit->exception.vector, exit->exception.vector == VECTOR_DB ? NO_ERROR_CODE : 0);
}

/* The guest runs with its own CR4.MCE, which is 0: a machine check then shuts the processor down (APM 2 9.3.1), and is no fault of the guest. */
static void on_shutdown(struct machine *machine, const struct vcpu_exit *exit)
{
	uint64_t status = 0;

	if (rdmsr_safe(MSR_MCG_STATUS, &status) && status & MCG_STATUS_MCIP)
		take_machine_check();
	machine_stop_with_dump(machine, "the guest's processor shut down (triple fault)", exit);
	if (machine->settings.on_reset == RESET_RESTART)
		machine_request(machine, MACHINE_RESET, RESET_TRIPLE_FAULT);
	machine_end(machine, END_TRIPLE_FAULT);
}

static void on_invalid_state(struct machine *machine, const struct vcpu_exit *exit)
{
	machine_stop_with_dump(machine, "the processor refused the guest's state", exit);
	machine_end(machine, END_STOPPED);
}

static void on_unknown(struct machine *machine, const struct vcpu_exit *exit)
{
	machine_stop_with_dump(machine, "an exit that Foliot does not know", exit);
	machine_end(machine, END_STOPPED);
}

static void (*const handlers[EXIT_KIND_COUNT])(struct machine *machine, const struct vcpu_exit *exit) = {
	[EXIT_HOST_INTERRUPT] = on_host_event,
	[EXIT_HOST_NMI] = on_host_event,
	[EXIT_DEADLINE] = on_host_event,
	[EXIT_WINDOW] = on_window,
	[EXIT_TPR] = on_window,
	[EXIT_CPUID] = on_cpuid,
	[EXIT_HLT] = on_hlt,
	[EXIT_PORT] = on_port,
	[EXIT_PORT_STRING] = on_port_string,
	[EXIT_RDMSR] = on_rdmsr,
	[EXIT_WRMSR] = on_wrmsr,
	[EXIT_RDTSC] = on_rdtsc,
	[EXIT_RDTSCP] = on_rdtscp,
	[EXIT_MEMORY] = on_memory,
	[EXIT_WRITE_CR] = on_write_cr,
	[EXIT_XSETBV] = on_xsetbv,
	[EXIT_HYPERCALL] = on_hypercall,
	[EXIT_CACHE] = on_cache,
	[EXIT_FORBIDDEN] = on_forbidden,
	[EXIT_EXCEPTION] = on_exception,
	[EXIT_SHUTDOWN] = on_shutdown,
	[EXIT_INVALID_STATE] = on_invalid_state,
	[EXIT_UNKNOWN] = on_unknown,
};

void machine_handle_exit(struct machine *machine, const struct vcpu_exit *exit)
{
	eventlog_add(&machine_log, LOG_EXIT, machine->now_ns, machine->host_tsc, exit->kind,
		     machine->vcpu.registers.rip);
	handlers[exit->kind](machine, exit);
}
