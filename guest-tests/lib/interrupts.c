/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptor tables, the PIC pair and the dispatch of exceptions and interrupts (APM 2 4.8, 8.2; Intel 8259A). */
#include "guest-tests/lib/interrupts.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/report.h"

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x28
#define GATE_INTERRUPT 0x8E00u /* 32-bit, present, DPL 0: interrupts are disabled on entry */
#define GATE_USER 0xEE00u
#define VECTOR_USER_END 0x80u
#define PIC_MASTER 0x20
#define PIC_SLAVE 0xA0
#define PIC_EOI 0x20

struct gate {
	uint16_t offset_low, selector;
	uint16_t type, offset_high;
};

struct table_register {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

extern const uint32_t interrupt_entries[256];
extern volatile uint32_t guard_esp;
_Noreturn void guard_unwind(uint32_t vector);
void enter_user(void (*code)(void));
void interrupt_dispatch(struct interrupt_frame *frame);

volatile uint32_t irq_counts[16];
void (*volatile irq_handlers[16])(void);
volatile bool irq_manual_eoi;
volatile uint32_t vector_counts[256];
void (*volatile vector_handlers[256])(void);
volatile uint32_t fault_error, fault_eip;

static uint64_t gdt[6] = {
	0,
	0x00CF9B000000FFFFull, /* 08h: code */
	0x00CF93000000FFFFull, /* 10h: data */
	0x00CFFB000000FFFFull, /* 18h: code of ring 3 */
	0x00CFF3000000FFFFull, /* 20h: data of ring 3 */
	0,                     /* 28h: the TSS */
};
static struct gate idt[256];
static uint32_t tss[26];
static uint8_t ring0_stack[8192] __attribute__((aligned(16)));

static void load_gdt(void)
{
	struct table_register gdtr = { sizeof gdt - 1, (uint32_t)gdt };
	uint32_t base = (uint32_t)tss;

	gdt[5] = (uint64_t)(sizeof tss - 1) | (uint64_t)(base & 0xFFFFFF) << 16 | 0x89ull << 40 |
		 (uint64_t)(base >> 24) << 56;
	tss[1] = (uint32_t)(ring0_stack + sizeof ring0_stack);
	tss[2] = SELECTOR_DATA;
	tss[25] = sizeof tss << 16; /* no I/O permission bitmap */
	__asm__ volatile("lgdt %0\n\t"
			 "ljmp %1, $1f\n"
			 "1:\tmov %2, %%ds\n\tmov %2, %%es\n\tmov %2, %%fs\n\tmov %2, %%gs\n\tmov %2, %%ss\n\t"
			 "ltr %w3"
			 : : "m"(gdtr), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(SELECTOR_TSS) : "memory");
}

static void load_idt(void)
{
	struct table_register idtr = { sizeof idt - 1, (uint32_t)idt };

	for (unsigned v = 0; v < 256; v++) {
		uint32_t offset = interrupt_entries[v];
		bool user = v == VECTOR_USER_END || v == X_BP || v == X_OF;

		idt[v] = (struct gate){ (uint16_t)offset, SELECTOR_CODE, user ? GATE_USER : GATE_INTERRUPT,
					(uint16_t)(offset >> 16) };
	}
	__asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}

void pic_init(void)
{
	outb(PIC_MASTER, 0x11); /* ICW1: edge, cascade, ICW4 follows */
	outb(PIC_MASTER + 1, IRQ_BASE);
	outb(PIC_MASTER + 1, 1 << 2); /* ICW3: the slave is at IR2 */
	outb(PIC_MASTER + 1, 0x01);   /* ICW4: 8086 mode, normal EOI */
	outb(PIC_SLAVE, 0x11);
	outb(PIC_SLAVE + 1, IRQ_BASE + 8);
	outb(PIC_SLAVE + 1, 2);
	outb(PIC_SLAVE + 1, 0x01);
	outb(PIC_MASTER + 1, 0xFF);
	outb(PIC_SLAVE + 1, 0xFF);
}

void interrupts_init(void)
{
	load_gdt();
	load_idt();
	pic_init();
}

void irq_mask(unsigned irq, bool masked)
{
	uint16_t port = irq < 8 ? PIC_MASTER + 1 : PIC_SLAVE + 1;
	uint8_t bit = (uint8_t)(1u << (irq & 7)), mask = inb(port);

	outb(port, masked ? mask | bit : mask & (uint8_t)~bit);
	if (irq >= 8 && !masked)
		irq_mask(2, false);
}

static void irq_dispatch(unsigned irq)
{
	irq_counts[irq]++;
	if (irq_handlers[irq])
		irq_handlers[irq]();
	if (irq_manual_eoi)
		return;
	if (irq >= 8)
		outb(PIC_SLAVE, PIC_EOI);
	outb(PIC_MASTER, PIC_EOI);
}

static _Noreturn void exception_dispatch(const struct interrupt_frame *frame)
{
	fault_error = frame->error;
	fault_eip = frame->eip;
	if (guard_esp)
		guard_unwind(frame->vector);
	report(false, "no unexpected exception: vector %u, error code %x, at %x", frame->vector, frame->error,
	       frame->eip);
	guest_done();
}

static void vector_dispatch(uint32_t vector)
{
	vector_counts[vector]++;
	if (vector_handlers[vector])
		vector_handlers[vector]();
}

void interrupt_dispatch(struct interrupt_frame *frame)
{
	if (frame->vector < 32)
		exception_dispatch(frame);
	if (frame->vector < IRQ_BASE + 16)
		irq_dispatch(frame->vector - IRQ_BASE);
	else if (frame->vector == VECTOR_USER_END && guard_esp)
		guard_unwind(NO_FAULT);
	else
		vector_dispatch(frame->vector);
}

static void user_action(void *code)
{
	enter_user((void (*)(void))code);
}

uint32_t user_call(void (*code)(void))
{
	return guarded_call(user_action, (void *)code);
}

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *argument)
{
	struct msr_access *a = argument;

	a->value = rdmsr(a->msr);
}

static void do_wrmsr(void *argument)
{
	struct msr_access *a = argument;

	wrmsr(a->msr, a->value);
}

static bool msr_done(uint32_t vector, uint32_t msr)
{
	if (vector != NO_FAULT && vector != X_GP)
		report(false, "an access to MSR %x ends well or in #GP, not in vector %u", msr, vector);
	return vector == NO_FAULT;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	struct msr_access a = { msr, 0 };
	bool good = msr_done(guarded_call(do_rdmsr, &a), msr);

	*value = a.value;
	return good;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	struct msr_access a = { msr, value };

	return msr_done(guarded_call(do_wrmsr, &a), msr);
}
