; SPDX-License-Identifier: BSD-2-Clause
;
; The entries of exceptions and interrupts (APM 2 8.9), the fast ones of the timer, and Foliot's stacks.

default rel
bits 64

VECTOR_COUNT		equ 256
STUB_BYTES		equ 16		; INTERRUPT_STUB_BYTES
MSR_X2APIC_EOI		equ 0x80b
APIC_EOI		equ 0xb0

extern interrupt_dispatch
extern lapic_registers

section .text

global interrupt_stubs
align 16
interrupt_stubs:
%assign vector 0
%rep VECTOR_COUNT
	align STUB_BYTES
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	push	qword vector		; the processor pushed an error code
%else
	push	qword 0
	push	qword vector
%endif
	jmp	save_and_dispatch
%assign vector vector + 1
%endrep

save_and_dispatch:
	push	rax
	push	rcx
	push	rdx
	push	rbx
	push	rbp
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	push	r12
	push	r13
	push	r14
	push	r15
	cld
	mov	rdi, rsp
	call	interrupt_dispatch
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rbp
	pop	rbx
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, 16
	iretq

; These run for every event of the guest's timers: acknowledge, return.
global timer_entry_xapic
align 16
timer_entry_xapic:
	push	rax
	mov	rax, [lapic_registers]
	mov	dword [rax + APIC_EOI], 0
	pop	rax
	iretq

global timer_entry_x2apic
align 16
timer_entry_x2apic:
	push	rax
	push	rcx
	push	rdx
	mov	ecx, MSR_X2APIC_EOI
	xor	eax, eax
	xor	edx, edx
	wrmsr
	pop	rdx
	pop	rcx
	pop	rax
	iretq

%macro stack 2				; name, bytes
	resb	4096			; the guard page
	resb	%2
%1:
%endmacro

section .bss.stacks nobits alloc write noexec align=4096
	stack	main_stack_top, 16384
	stack	exception_stack_top, 8192
	stack	double_fault_stack_top, 8192
	stack	nmi_stack_top, 8192
	stack	machine_check_stack_top, 8192
global main_stack_top

section .rodata
global stack_tops
align 8
stack_tops:
	dq	main_stack_top, exception_stack_top, double_fault_stack_top, nmi_stack_top, machine_check_stack_top
global stack_bytes
stack_bytes:
	dq	16384, 8192, 8192, 8192, 8192
