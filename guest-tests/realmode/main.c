/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Real mode under a hypervisor (SDM 3B 21.1.4, APM 2 8.6): instructions that exit work there, interrupts and exceptions
 * that the hypervisor raises go through the vectors at address 0, without error codes, and there is a way back. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/report.h"

#include "base/mem.h"

const char test_name[] = "realmode";

#define CR4_OSXSAVE 0x40000u
#define ECX_MONITOR (1u << 3)
#define ECX_XSAVE (1u << 26)
#define REAL_CODE 0x8000u
#define REAL_STACK 0x7000u

/* What real mode leaves at 7800h. */
struct result {
	uint16_t vector, sp, ip, cs, flags;
	uint32_t ebx;
} __attribute__((packed));

static volatile struct result *const result = (volatile struct result *)0x7800;

/* What is between real_begin and real_end runs at 8000h; its segments' bases are 0. real_call(entry) enters it at that
 * offset, and "back" returns. A handler stores its vector, what SP was, and the three words on the stack. */
#define REAL_AT(label) "(" label " - real_begin + 0x8000)"
#define HANDLER(vector) "handler_" vector ":\n\tpush $" vector "\n\tjmp handler\n"

extern const uint8_t real_begin[], real_end[], real_xsetbv[], real_monitor[], real_cpuid[], real_hlt[];
extern const uint8_t at_xsetbv[], at_monitor[], after_hlt[];
extern void real_call(uint32_t entry);

__asm__(".pushsection .text\n"
	"real_call:\n"
	"	pusha\n"
	"	mov 36(%esp), %ebx\n"
	"	sgdt saved_gdt\n"
	"	sidt saved_idt\n"
	"	mov %esp, saved_esp\n"
	"	lgdt real_gdt_pointer\n"
	"	ljmp $0x18, $0x8000\n"
	"real_return:\n"
	"	mov $0x10, %eax\n"
	"	mov %eax, %ds\n"
	"	mov %eax, %es\n"
	"	mov %eax, %fs\n"
	"	mov %eax, %gs\n"
	"	mov %eax, %ss\n"
	"	mov saved_esp, %esp\n"
	"	lgdt saved_gdt\n"
	"	lidt saved_idt\n"
	"	popa\n"
	"	ret\n"

	".code16\n"
	"real_begin:\n"
	"	mov $0x20, %ax\n"
	"	mov %ax, %ds\n"
	"	mov %ax, %es\n"
	"	mov %ax, %fs\n"
	"	mov %ax, %gs\n"
	"	mov %ax, %ss\n"
	"	mov %cr0, %eax\n"
	"	and $0xfffffffe, %eax\n"
	"	mov %eax, %cr0\n"
	"	ljmp $0, $" REAL_AT("1f") "\n"
	"1:	xor %ax, %ax\n"
	"	mov %ax, %ds\n"
	"	mov %ax, %es\n"
	"	mov %ax, %ss\n"
	"	mov $0x7000, %sp\n"
	"	lidtl " REAL_AT("real_idt_pointer") "\n"
	"	movw $" REAL_AT("handler_6") ", 24\n"
	"	movw $0, 26\n"
	"	movw $" REAL_AT("handler_13") ", 52\n"
	"	movw $0, 54\n"
	"	movw $" REAL_AT("handler_32") ", 128\n"
	"	movw $0, 130\n"
	"	jmp *%bx\n"
	"real_xsetbv:\n"
	"	mov $1, %ecx\n"
	"	mov $1, %eax\n"
	"	xor %edx, %edx\n"
	"at_xsetbv: xsetbv\n"
	"	jmp back\n"
	"real_monitor:\n"
	"	xor %eax, %eax\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"at_monitor: monitor\n"
	"	jmp back\n"
	"real_cpuid:\n"
	"	xor %eax, %eax\n"
	"	cpuid\n"
	"	mov %ebx, 0x780a\n"
	"	jmp back\n"
	"real_hlt:\n"
	"	sti\n"
	"	hlt\n"
	"after_hlt: jmp back\n"
	HANDLER("6") HANDLER("13") HANDLER("32")
	"handler:\n"
	"	popw 0x7800\n"
	"	mov %sp, 0x7802\n"
	"	popw 0x7804\n"
	"	popw 0x7806\n"
	"	popw 0x7808\n"
	"back:\n"
	"	mov %cr0, %eax\n"
	"	or $1, %al\n"
	"	mov %eax, %cr0\n"
	"	ljmpl $0x08, $real_return\n"
	"real_idt_pointer:\n"
	"	.word 0x3ff\n"
	"	.long 0\n"
	"real_end:\n"
	".code32\n"
	".popsection\n"

	".pushsection .data\n"
	".balign 8\n"
	"real_gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff\n"
	"real_gdt_pointer: .word . - real_gdt - 1\n"
	"	.long real_gdt\n"
	"saved_gdt: .word 0, 0, 0\n"
	"saved_idt: .word 0, 0, 0\n"
	"saved_esp: .long 0\n"
	".popsection\n");

static uint32_t offset_of(const uint8_t *label)
{
	return REAL_CODE + (uint32_t)(label - real_begin);
}

static void call(const uint8_t *label)
{
	*result = (struct result){ .vector = 0xffff };
	real_call(offset_of(label));
}

static void claim(const char *what, unsigned vector, const uint8_t *at)
{
	report(result->vector == vector, "%s goes to vector %u: %u", what, vector, result->vector);
	report(REAL_STACK - result->sp == 6 && !result->cs && result->ip == offset_of(at),
	       "%s pushes IP, CS and FLAGS, no more: %u bytes, %x:%x for 0:%x", what, REAL_STACK - result->sp, result->cs,
	       result->ip, offset_of(at));
}

static void exceptions(void)
{
	if (cpuid(1, 0).ecx & ECX_XSAVE) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		call(real_xsetbv);
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
		claim("#GP at XSETBV", X_GP, at_xsetbv);
	} else {
		report_skip("no XSAVE");
	}
	if (cpuid(1, 0).ecx & ECX_MONITOR) {
		report_skip("#UD at MONITOR: the processor has MONITOR");
		return;
	}
	call(real_monitor);
	claim("#UD at MONITOR", X_UD, at_monitor);
}

static void interrupts(void)
{
	irq_mask(0, false);
	pit_program(0, PIT_BOTH, 0, false, 1000);
	call(real_hlt);
	irq_mask(0, true);
	outb(0x20, 0x20);
	claim("IRQ 0 at HLT", IRQ_BASE, after_hlt);
	report(!(result->flags & 0x8000) && result->flags & 0x200, "FLAGS on the stack has IF: %x", result->flags);
}

void test_main(void)
{
	memcpy((void *)REAL_CODE, real_begin, (size_t)(real_end - real_begin));
	call(real_cpuid);
	report(result->vector == 0xffff && result->ebx == cpuid(0, 0).ebx, "CPUID works in real mode: %x", result->ebx);
	exceptions();
	interrupts();
}
