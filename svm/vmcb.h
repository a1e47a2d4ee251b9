/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual machine control block (APM 2 appendix B), and the exit codes and bits that Foliot uses (APM 2 appendix C). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VMCB_INTERCEPT_CR_READ(n) (1u << (n))
#define VMCB_INTERCEPT_CR_WRITE(n) (1u << ((n) + 16))

/* intercept_misc1, offset 00Ch */
#define VMCB_INTERCEPT_INTR (1u << 0)
#define VMCB_INTERCEPT_NMI (1u << 1)
#define VMCB_INTERCEPT_INIT (1u << 3)
#define VMCB_INTERCEPT_VINTR (1u << 4)
#define VMCB_INTERCEPT_CR0_SELECTIVE (1u << 5) /* writes that change more than TS and MP */
#define VMCB_INTERCEPT_RDTSC (1u << 14)
#define VMCB_INTERCEPT_RDPMC (1u << 15)
#define VMCB_INTERCEPT_CPUID (1u << 18)
#define VMCB_INTERCEPT_INVD (1u << 22)
#define VMCB_INTERCEPT_HLT (1u << 24)
#define VMCB_INTERCEPT_INVLPGA (1u << 26)
#define VMCB_INTERCEPT_IOIO (1u << 27)
#define VMCB_INTERCEPT_MSR (1u << 28)
#define VMCB_INTERCEPT_SHUTDOWN (1u << 31)

/* intercept_misc2, offset 010h */
#define VMCB_INTERCEPT_VMRUN (1u << 0)
#define VMCB_INTERCEPT_VMMCALL (1u << 1)
#define VMCB_INTERCEPT_VMLOAD (1u << 2)
#define VMCB_INTERCEPT_VMSAVE (1u << 3)
#define VMCB_INTERCEPT_STGI (1u << 4)
#define VMCB_INTERCEPT_CLGI (1u << 5)
#define VMCB_INTERCEPT_SKINIT (1u << 6)
#define VMCB_INTERCEPT_RDTSCP (1u << 7)
#define VMCB_INTERCEPT_WBINVD (1u << 9)
#define VMCB_INTERCEPT_MONITOR (1u << 10)
#define VMCB_INTERCEPT_MWAIT (1u << 11)
#define VMCB_INTERCEPT_MWAIT_ARMED (1u << 12)
#define VMCB_INTERCEPT_XSETBV (1u << 13)
#define VMCB_INTERCEPT_RDPRU (1u << 14)

#define VMCB_TLB_NOTHING 0
#define VMCB_TLB_FLUSH_ALL 1

/* virtual_interrupt, offset 060h */
#define VMCB_V_TPR 0xfull /* the guest's CR8 */
#define VMCB_V_IRQ (1ull << 8)
#define VMCB_V_INTR_PRIO(n) ((uint64_t)(n) << 16)
#define VMCB_V_IGN_TPR (1ull << 20)
#define VMCB_V_INTR_MASKING (1ull << 24)
#define VMCB_V_INTR_VECTOR(vector) ((uint64_t)(vector) << 32)

#define VMCB_INTERRUPT_SHADOW 1ull
#define VMCB_NESTED_PAGING 1ull

/* event_injection and exit_interrupt_info (APM 2 15.20) */
#define VMCB_EVENT_VALID (1ull << 31)
#define VMCB_EVENT_ERROR_CODE (1ull << 11)
#define VMCB_EVENT_VECTOR_AND_TYPE 0x7ffull
#define VMCB_EVENT_TYPE(event) (((event) >> 8) & 7)
#define VMCB_EVENT_INTERRUPT (0ull << 8)
#define VMCB_EVENT_EXCEPTION (3ull << 8)
#define VMCB_EVENT_TYPE_EXCEPTION 3
#define VMCB_EVENT_TYPE_SOFTWARE 4

#define VMCB_EXIT_CR_WRITE(n) (0x10u + (n))
#define VMCB_EXIT_EXCEPTION(n) (0x40u + (n))
#define VMCB_EXIT_INTR 0x60u
#define VMCB_EXIT_NMI 0x61u
#define VMCB_EXIT_INIT 0x63u
#define VMCB_EXIT_VINTR 0x64u
#define VMCB_EXIT_CR0_SELECTIVE 0x65u
#define VMCB_EXIT_RDTSC 0x6eu
#define VMCB_EXIT_RDPMC 0x6fu
#define VMCB_EXIT_CPUID 0x72u
#define VMCB_EXIT_INVD 0x76u
#define VMCB_EXIT_HLT 0x78u
#define VMCB_EXIT_INVLPGA 0x7au
#define VMCB_EXIT_IOIO 0x7bu
#define VMCB_EXIT_MSR 0x7cu
#define VMCB_EXIT_SHUTDOWN 0x7fu
#define VMCB_EXIT_VMRUN 0x80u
#define VMCB_EXIT_VMMCALL 0x81u
#define VMCB_EXIT_SKINIT 0x86u
#define VMCB_EXIT_RDTSCP 0x87u
#define VMCB_EXIT_WBINVD 0x89u
#define VMCB_EXIT_MONITOR 0x8au
#define VMCB_EXIT_MWAIT 0x8bu
#define VMCB_EXIT_MWAIT_ARMED 0x8cu
#define VMCB_EXIT_XSETBV 0x8du
#define VMCB_EXIT_RDPRU 0x8eu
#define VMCB_EXIT_NPF 0x400u
#define VMCB_EXIT_INVALID 0xffffffffu /* compared in 32 bits: QEMU does not sign-extend it */

/* EXITINFO1 of an IOIO exit (APM 2 15.10.2) */
#define VMCB_IOIO_IN (1ull << 0)
#define VMCB_IOIO_STRING (1ull << 2)
#define VMCB_IOIO_REP (1ull << 3)
#define VMCB_IOIO_BYTES(info) (((info) >> 4) & 7)

/* EXITINFO1 of a nested page fault (APM 2 15.25.6) */
#define VMCB_NPF_WALKING (1ull << 33)

#define VMCB_SEGMENT_LONG 0x200 /* in a segment's attributes */

struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* control area */
	uint32_t intercept_cr;
	uint32_t intercept_dr;
	uint32_t intercept_exceptions;
	uint32_t intercept_misc1;
	uint32_t intercept_misc2;
	uint8_t reserved_014[0x040 - 0x014];
	uint64_t iopm_hpa;
	uint64_t msrpm_hpa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[3];
	uint64_t virtual_interrupt;
	uint64_t interrupt_shadow;
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_interrupt_info;
	uint64_t nested_control;
	uint8_t reserved_098[0x0a8 - 0x098];
	uint64_t event_injection;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint32_t clean;
	uint32_t reserved_0c4;
	uint64_t next_rip;
	uint8_t fetched_bytes;
	uint8_t fetched[15];
	uint8_t reserved_0e0[0x400 - 0x0e0];
	/* state save area */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t guest_pat, debugctl, branch_from, branch_to, exception_from, exception_to;
	uint8_t reserved_698[0x1000 - 0x698];
};

_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is one page");
_Static_assert(offsetof(struct vmcb, iopm_hpa) == 0x040, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, asid) == 0x058, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, virtual_interrupt) == 0x060, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x070, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, nested_control) == 0x090, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, event_injection) == 0x0a8, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, nested_cr3) == 0x0b0, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, clean) == 0x0c0, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, next_rip) == 0x0c8, "APM 2 B-1");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM 2 B-2");
_Static_assert(offsetof(struct vmcb, guest_pat) == 0x668, "APM 2 B-2");
