/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From AMD-V's exit codes (APM 2 appendix C) to the exits that vm/ knows. */
#include "svm/svm.h"

static unsigned next_rip_length(const struct vmcb *vmcb)
{
	return vmcb->next_rip ? (unsigned)(vmcb->next_rip - vmcb->rip) & 15 : 0;
}

static void decode_port(const struct vmcb *vmcb, struct vcpu_exit *exit)
{
	uint64_t info = vmcb->exit_info1;

	exit->kind = info & VMCB_IOIO_STRING ? EXIT_PORT_STRING : EXIT_PORT;
	exit->length = (unsigned)(vmcb->exit_info2 - vmcb->rip) & 15;
	exit->port.port = (uint16_t)(info >> 16);
	exit->port.bytes = VMCB_IOIO_BYTES(info);
	exit->port.in = info & VMCB_IOIO_IN;
	exit->port.rep = info & VMCB_IOIO_REP;
}

static void decode_memory(const struct vmcb *vmcb, struct vcpu_exit *exit)
{
	exit->kind = EXIT_MEMORY;
	exit->memory.gpa = vmcb->exit_info2;
	exit->memory.error = (uint32_t)vmcb->exit_info1 & 0x1f;
	exit->memory.walking = vmcb->exit_info1 & VMCB_NPF_WALKING;
	exit->memory.delivering = vmcb->exit_interrupt_info & VMCB_EVENT_VALID;
}

static void decode_rare(const struct vmcb *vmcb, struct vcpu_exit *exit, uint32_t code)
{
	if (code >= VMCB_EXIT_EXCEPTION(0) && code <= VMCB_EXIT_EXCEPTION(31)) {
		exit->kind = EXIT_EXCEPTION;
		exit->length = 0;
		exit->exception.vector = (uint8_t)(code - VMCB_EXIT_EXCEPTION(0));
		exit->exception.error = (uint32_t)vmcb->exit_info1;
	} else {
		exit->kind = code == VMCB_EXIT_INVALID ? EXIT_INVALID_STATE : EXIT_UNKNOWN;
		exit->code = vmcb->exit_code;
	}
}

void svm_decode_exit(const struct vmcb *vmcb, struct vcpu_exit *exit)
{
	uint32_t code = (uint32_t)vmcb->exit_code;

	exit->length = next_rip_length(vmcb);
	switch (code) {
	case VMCB_EXIT_INTR:
	case VMCB_EXIT_INIT:
		exit->kind = EXIT_HOST_INTERRUPT;
		break;
	case VMCB_EXIT_NMI:
		exit->kind = EXIT_HOST_NMI;
		break;
	case VMCB_EXIT_VINTR:
		exit->kind = EXIT_WINDOW;
		break;
	case VMCB_EXIT_CPUID:
		exit->kind = EXIT_CPUID;
		break;
	case VMCB_EXIT_HLT:
		exit->kind = EXIT_HLT;
		break;
	case VMCB_EXIT_IOIO:
		decode_port(vmcb, exit);
		break;
	case VMCB_EXIT_MSR:
		exit->kind = vmcb->exit_info1 & 1 ? EXIT_WRMSR : EXIT_RDMSR;
		break;
	case VMCB_EXIT_RDTSC:
		exit->kind = EXIT_RDTSC;
		break;
	case VMCB_EXIT_RDTSCP:
		exit->kind = EXIT_RDTSCP;
		break;
	case VMCB_EXIT_NPF:
		decode_memory(vmcb, exit);
		break;
	case VMCB_EXIT_CR0_SELECTIVE:
		exit->kind = EXIT_WRITE_CR;
		exit->cr.which = CR0;
		break;
	case VMCB_EXIT_CR_WRITE(4):
		exit->kind = EXIT_WRITE_CR;
		exit->cr.which = CR4;
		break;
	case VMCB_EXIT_XSETBV:
		exit->kind = EXIT_XSETBV;
		break;
	case VMCB_EXIT_VMMCALL:
		exit->kind = EXIT_HYPERCALL;
		break;
	case VMCB_EXIT_INVD:
	case VMCB_EXIT_WBINVD:
		exit->kind = EXIT_CACHE;
		break;
	case VMCB_EXIT_RDPMC:
		exit->kind = EXIT_EXCEPTION; /* there is no counter: as with the number of one that does not exist (APM 3 "RDPMC") */
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		break;
	case VMCB_EXIT_INVLPGA:
	case VMCB_EXIT_VMRUN:
	case VMCB_EXIT_VMMCALL + 1 ... VMCB_EXIT_SKINIT: /* VMLOAD, VMSAVE, STGI, CLGI, SKINIT */
	case VMCB_EXIT_MONITOR:
	case VMCB_EXIT_MWAIT:
	case VMCB_EXIT_MWAIT_ARMED:
	case VMCB_EXIT_RDPRU:
		exit->kind = EXIT_FORBIDDEN;
		break;
	case VMCB_EXIT_SHUTDOWN:
		exit->kind = EXIT_SHUTDOWN;
		break;
	default:
		decode_rare(vmcb, exit, code);
	}
}
