/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From VT-x's exit reasons (SDM 3C appendix C) to the exits that vm/ knows. */
#include "vmx/vmx.h"

#include "vmx/vmcs.h"

#define ERROR_WRITE (1u << 1)
#define ERROR_USER (1u << 2)
#define ERROR_FETCH (1u << 4)

static void decode_exception(struct vcpu_exit *exit)
{
	uint32_t event = (uint32_t)vmread(VMCS_EXIT_EVENT);

	exit->kind = VMX_EVENT_TYPE(event) == VMX_EVENT_TYPE_NMI ? EXIT_HOST_NMI : EXIT_EXCEPTION;
	exit->exception.vector = (uint8_t)event;
	exit->exception.error = event & VMX_EVENT_ERROR_CODE ? (uint32_t)vmread(VMCS_EXIT_ERROR_CODE) : 0;
}

static void decode_port(struct vcpu_exit *exit)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);

	exit->kind = q & VMX_IO_STRING ? EXIT_PORT_STRING : EXIT_PORT;
	exit->port.port = (uint16_t)(q >> 16);
	exit->port.bytes = (uint8_t)VMX_IO_BYTES(q);
	exit->port.in = q & VMX_IO_IN;
	exit->port.rep = q & VMX_IO_REP;
}

/* The error code as AMD-V gives it for a nested page fault: every such access counts as a user's, and P is set where something is mapped. */
static void decode_memory(uint32_t idt_vectoring, struct vcpu_exit *exit)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);

	exit->kind = EXIT_MEMORY;
	exit->memory.gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	exit->memory.error = ERROR_USER | (q & VMX_EPT_MAPPED ? 1u : 0) | (q & VMX_EPT_WRITE ? ERROR_WRITE : 0) |
			     (q & VMX_EPT_FETCH ? ERROR_FETCH : 0);
	exit->memory.walking = q & VMX_EPT_LINEAR && !(q & VMX_EPT_FINAL);
	exit->memory.delivering = idt_vectoring & VMX_EVENT_VALID;
}

static void decode_unknown(uint32_t reason, struct vcpu_exit *exit)
{
	exit->kind = reason & VMX_REASON_ENTRY_FAILED ? EXIT_INVALID_STATE : EXIT_UNKNOWN;
	exit->code = reason;
}

/* Only MOV to CR0 or CR4 and LMSW exit: the rest is the guest's own. */
static void decode_cr(struct vcpu_exit *exit)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned type = VMX_CR_TYPE(q), number = VMX_CR_NUMBER(q);

	if (type == VMX_CR_LMSW || (type == VMX_CR_MOV_TO && (number == 0 || number == 4))) {
		exit->kind = EXIT_WRITE_CR;
		exit->cr.which = type == VMX_CR_LMSW || number == 0 ? CR0 : CR4;
	} else {
		decode_unknown(VMX_REASON_CR, exit);
	}
}

void vmx_decode_exit(uint32_t reason, uint32_t idt_vectoring, struct vcpu_exit *exit)
{
	exit->length = (unsigned)vmread(VMCS_EXIT_LENGTH);
	switch (reason) {
	case VMX_REASON_EXCEPTION:
		decode_exception(exit);
		break;
	case VMX_REASON_EXTERNAL_INTERRUPT:
	case VMX_REASON_INIT:
		exit->kind = EXIT_HOST_INTERRUPT;
		break;
	case VMX_REASON_PREEMPTION_TIMER:
		exit->kind = EXIT_DEADLINE;
		break;
	case VMX_REASON_TRIPLE_FAULT:
		exit->kind = EXIT_SHUTDOWN;
		break;
	case VMX_REASON_WINDOW:
		exit->kind = EXIT_WINDOW;
		break;
	case VMX_REASON_TPR:
		exit->kind = EXIT_TPR;
		break;
	case VMX_REASON_CPUID:
		exit->kind = EXIT_CPUID;
		break;
	case VMX_REASON_HLT:
		exit->kind = EXIT_HLT;
		break;
	case VMX_REASON_IO:
		decode_port(exit);
		break;
	case VMX_REASON_RDMSR:
		exit->kind = EXIT_RDMSR;
		break;
	case VMX_REASON_WRMSR:
		exit->kind = EXIT_WRMSR;
		break;
	case VMX_REASON_RDTSC:
		exit->kind = EXIT_RDTSC;
		break;
	case VMX_REASON_RDTSCP:
		exit->kind = EXIT_RDTSCP;
		break;
	case VMX_REASON_EPT_VIOLATION:
		decode_memory(idt_vectoring, exit);
		break;
	case VMX_REASON_CR:
		decode_cr(exit);
		break;
	case VMX_REASON_XSETBV:
		exit->kind = EXIT_XSETBV;
		break;
	case VMX_REASON_VMCALL:
		exit->kind = EXIT_HYPERCALL;
		break;
	case VMX_REASON_INVD:
	case VMX_REASON_WBINVD:
		exit->kind = EXIT_CACHE;
		break;
	case VMX_REASON_RDPMC:
		exit->kind = EXIT_EXCEPTION; /* there is no counter: as with the number of one that does not exist (SDM 2B "RDPMC") */
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		break;
	case VMX_REASON_GETSEC:
	case VMX_REASON_RSM:
	case VMX_REASON_VMCLEAR ... VMX_REASON_VMXON: /* VMLAUNCH, VMPTRLD, VMPTRST, VMREAD, VMRESUME, VMWRITE, VMXOFF */
	case VMX_REASON_MWAIT:
	case VMX_REASON_MONITOR:
	case VMX_REASON_INVEPT:
	case VMX_REASON_INVVPID:
	case VMX_REASON_VMFUNC:
	case VMX_REASON_XSAVES:
	case VMX_REASON_XRSTORS:
		exit->kind = EXIT_FORBIDDEN;
		break;
	default:
		decode_unknown(reason, exit);
	}
}
