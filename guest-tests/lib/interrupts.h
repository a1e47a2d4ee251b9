/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupts and exceptions of a test guest: a flat GDT, an IDT with all 256 vectors, the PIC pair at 20h-2Fh, guarded
 * calls that turn an exception into a value, and a way to ring 3. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NO_FAULT 0xFFFFFFFFu
#define IRQ_BASE 0x20u

enum exception { X_DE = 0, X_DB = 1, X_BP = 3, X_OF = 4, X_UD = 6, X_SS = 12, X_GP = 13, X_PF = 14 };

struct interrupt_frame {
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint32_t es, ds;
	uint32_t vector, error;
	uint32_t eip, cs, eflags; /* and from ring 3: esp, ss */
};

/* Loads GDT, TSS and IDT, and initialises the PIC pair with everything masked. Done before main. */
void interrupts_init(void);

/* Counts of the interrupts taken, by IRQ (0-15), and what to call at each; a handler runs with interrupts
 * disabled. The end of interrupt is sent after it, unless irq_manual_eoi is set. */
extern volatile uint32_t irq_counts[16];
extern void (*volatile irq_handlers[16])(void);
extern volatile bool irq_manual_eoi;

/* Counts of the interrupts of other vectors, 30h-FFh, and what to call at each; an EOI to the local APIC is the handler's. */
extern volatile uint32_t vector_counts[256];
extern void (*volatile vector_handlers[256])(void);

/* Sets or clears the mask bit of one IRQ (8259A OCW1); unmasking 8-15 unmasks the cascade, too. */
void irq_mask(unsigned irq, bool masked);

/* Both controllers to vectors 20h-2Fh, everything masked, normal EOI, fixed priorities (8259A ICW1-ICW4). */
void pic_init(void);

/* Calls action(argument); returns the vector of the exception that ended it, or NO_FAULT. */
uint32_t guarded_call(void (*action)(void *), void *argument);

/* The error code and address of the last exception in a guarded call. */
extern volatile uint32_t fault_error, fault_eip;

/* Runs code in ring 3 until it does INT 80h (NO_FAULT) or faults (the vector). */
uint32_t user_call(void (*code)(void));
