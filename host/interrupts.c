/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptor tables (APM 2 4.8, 12.2.5) and what exceptions and stray interrupts lead to. */
#include "host/interrupts.h"

#include "host/apic.h"
#include "host/cpu.h"
#include "host/message.h"
#include "host/panic.h"

#define VECTOR_NMI 2u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_GENERAL_PROTECTION 13u
#define VECTOR_MACHINE_CHECK 18u
#define EXCEPTION_VECTORS 32u
#define GATE_INTERRUPT 0x8e00u
#define DESCRIPTOR_TSS 0x89ull
#define CR4_MCE (1ull << 6)

struct gate {
	uint16_t offset_low, selector, attributes, offset_middle; /* attributes: IST in bits 0-2, type and P */
	uint32_t offset_high, reserved;
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map_base;
} __attribute__((packed));

_Static_assert(sizeof(struct gate) == 16, "APM 2 figure 4-24");
_Static_assert(sizeof(struct tss) == 104, "APM 2 figure 12-8");

struct fixup {
	uint64_t fault, resume;
};

extern const struct fixup fixups_start[], fixups_end[]; /* linker.ld */

struct interrupt_counts interrupt_counts;

static struct gate idt[256];
static struct tss tss;
static uint64_t gdt[5] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

static enum stack stack_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return STACK_NMI;
	case VECTOR_DOUBLE_FAULT:
		return STACK_DOUBLE_FAULT;
	case VECTOR_MACHINE_CHECK:
		return STACK_MACHINE_CHECK;
	default:
		return STACK_EXCEPTION;
	}
}

static void set_gate(unsigned vector, uint64_t entry)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = SELECTOR_CODE,
		.attributes = (uint16_t)(GATE_INTERRUPT | stack_of(vector)),
		.offset_middle = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

static void load_gdt(void)
{
	uint64_t base = (uint64_t)&tss, limit = sizeof tss - 1;
	const struct table_pointer pointer = { sizeof gdt - 1, (uint64_t)gdt };

	for (unsigned i = STACK_EXCEPTION; i < STACK_COUNT; i++)
		tss.ist[i - 1] = stack_tops[i];
	tss.io_map_base = sizeof tss;
	gdt[3] = limit | (base & 0xffffff) << 16 | DESCRIPTOR_TSS << 40 | (base >> 24 & 0xff) << 56;
	gdt[4] = base >> 32;
	lgdt(&pointer);
	ltr(SELECTOR_TSS);
}

void interrupts_init(void)
{
	const struct table_pointer pointer = { sizeof idt - 1, (uint64_t)idt };

	load_gdt();
	for (unsigned i = 0; i < 256; i++)
		set_gate(i, (uint64_t)&interrupt_stubs[i * INTERRUPT_STUB_BYTES]);
	lidt(&pointer);
	if (cpuid(1, 0).edx & 1u << 7)
		write_cr4(read_cr4() | CR4_MCE);
}

struct descriptor_bases interrupts_bases(void)
{
	return (struct descriptor_bases){ (uint64_t)gdt, (uint64_t)idt, (uint64_t)&tss };
}

void interrupts_set_fast(uint8_t vector, void (*entry)(void))
{
	set_gate(vector, (uint64_t)entry);
}

static bool fix_up(struct interrupt_frame *frame)
{
	for (const struct fixup *f = fixups_start; f < fixups_end; f++)
		if (f->fault == frame->rip) {
			frame->rip = f->resume;
			return true;
		}
	return false;
}

static void take_nmi(const struct interrupt_frame *frame)
{
	interrupt_counts.nmi++;
	interrupt_counts.nmi_rip = frame->rip;
	interrupt_counts.nmi_reason = in8(0x61);
}

void interrupts_report_nmi(void)
{
	static uint64_t reported;
	uint64_t count = *(volatile uint64_t *)&interrupt_counts.nmi;

	if (count == reported)
		return;
	reported = count;
	message(181, "non-maskable interrupt number %lu, at RIP %lxh (port 61h read %02xh): Foliot goes on", count,
	        interrupt_counts.nmi_rip, interrupt_counts.nmi_reason);
}

void interrupt_dispatch(struct interrupt_frame *frame)
{
	if (frame->vector == VECTOR_NMI)
		take_nmi(frame);
	else if (frame->vector == VECTOR_MACHINE_CHECK)
		panic_machine_check(frame);
	else if (frame->vector == VECTOR_GENERAL_PROTECTION && fix_up(frame))
		return;
	else if (frame->vector < EXCEPTION_VECTORS)
		panic_exception(frame);
	else if (frame->vector == VECTOR_SPURIOUS)
		interrupt_counts.spurious++;
	else {
		interrupt_counts.unexpected++;
		lapic_end_unexpected((uint8_t)frame->vector);
	}
}
