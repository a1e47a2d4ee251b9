/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's own descriptor tables, stacks and handlers of exceptions and interrupts. Interrupts are taken only
 * where cpu.h's cpu_open_interrupts or cpu_wait_for_interrupt let them in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SELECTOR_CODE 0x08u
#define SELECTOR_DATA 0x10u
#define SELECTOR_TSS 0x18u

#define VECTOR_TIMER 0xe0u
#define VECTOR_SPURIOUS 0xffu

/* The main stack, and those of the interrupt stack table: ordinary exceptions and interrupts, #DF, NMI, #MC.
 * Below each lies a guard page. */
enum stack { STACK_MAIN, STACK_EXCEPTION, STACK_DOUBLE_FAULT, STACK_NMI, STACK_MACHINE_CHECK, STACK_COUNT };

extern const uint64_t stack_tops[STACK_COUNT];
extern const uint64_t stack_bytes[STACK_COUNT];

/* What host/interrupts.asm leaves on the stack. */
struct interrupt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* Loads GDT, TSS and IDT. */
void interrupts_init(void);

/* Where they are. */
struct descriptor_bases {
	uint64_t gdt, idt, tss;
};

struct descriptor_bases interrupts_bases(void);

/* Puts a handler that ends with IRETQ at the vector: for the timer, which ordinary handling would slow down. */
void interrupts_set_fast(uint8_t vector, void (*entry)(void));

/* Interrupts that nobody asked for, and NMIs with where the last one hit and what port 61h said then. */
struct interrupt_counts {
	uint64_t spurious, unexpected, nmi, nmi_rip;
	uint8_t nmi_reason;
};

extern struct interrupt_counts interrupt_counts;

/* Prints NMIs that came since the last call: an NMI may come in the middle of a message, so its handler cannot. */
void interrupts_report_nmi(void);

/* Called by host/interrupts.asm. */
void interrupt_dispatch(struct interrupt_frame *frame);

/* The entries of host/interrupts.asm: 256 of INTERRUPT_STUB_BYTES each. */
#define INTERRUPT_STUB_BYTES 16u
extern const uint8_t interrupt_stubs[];
