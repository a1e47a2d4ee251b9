; SPDX-License-Identifier: BSD-2-Clause
;
; Where a test guest begins: the Multiboot 1 header (Multiboot 0.6.96, 3.1), the stack, the entries of all 256
; interrupt vectors, the guarded call and the way to ring 3. 32-bit, flat, no paging.
bits 32

MULTIBOOT_MAGIC   equ 0x1BADB002
MULTIBOOT_FLAGS   equ 3			; modules on page boundaries, memory information
SELECTOR_DATA     equ 0x10		; as lib/interrupts.c lays the GDT out
SELECTOR_USER_CS  equ 0x1B
SELECTOR_USER_DS  equ 0x23
NO_FAULT          equ 0xFFFFFFFF

extern guest_start, interrupt_dispatch
global entry, interrupt_entries, guarded_call, guard_unwind, guard_esp, enter_user

section .multiboot align=4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .bss align=16
	resb 16384
stack_top:
guard_esp: resd 1			; 0: no guarded call is running
	alignb 16
	resb 4096
user_stack_top:

section .text
entry:
	cli
	cld
	mov esp, stack_top
	xor ebp, ebp
	push ebx			; the Multiboot information
	push eax			; the boot loader's magic
	call guest_start
.end:	hlt
	jmp .end

; One entry per vector; where the processor pushes no error code, a 0 is pushed, so that all frames are alike
; (APM 2 8.2: error codes with vectors 8, 10-14, 17, 21, 29, 30).
%assign vector 0
%rep 256
entry_%+vector:
%if !(vector = 8 || (vector >= 10 && vector <= 14) || vector = 17 || vector = 21 || vector = 29 || vector = 30)
	push dword 0
%endif
	push dword vector
	jmp interrupt_common
%assign vector vector + 1
%endrep

interrupt_common:
	push ds
	push es
	pusha
	mov eax, SELECTOR_DATA
	mov ds, eax
	mov es, eax
	cld
	push esp			; struct interrupt_frame *
	call interrupt_dispatch
	add esp, 4
	popa
	pop es
	pop ds
	add esp, 8			; vector and error code
	iretd

; uint32_t guarded_call(void (*action)(void *), void *argument): the vector of the exception that ended the action,
; or NO_FAULT. After a fault interrupts are disabled and the segment registers flat.
guarded_call:
	push ebp
	push ebx
	push esi
	push edi
	mov [guard_esp], esp
	push dword [esp + 24]
	call [esp + 24]
	add esp, 4
	mov eax, NO_FAULT
guard_leave:
	mov dword [guard_esp], 0
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret

; _Noreturn void guard_unwind(uint32_t vector): leaves the guarded call from within an exception.
guard_unwind:
	mov eax, [esp + 4]
	mov ecx, SELECTOR_DATA
	mov ds, ecx
	mov es, ecx
	mov fs, ecx
	mov gs, ecx
	mov ss, ecx
	mov esp, [guard_esp]
	push dword 2			; flags as after reset: TF, IF, NT, AC clear
	popfd
	jmp guard_leave

; void enter_user(void (*code)(void)): runs code in ring 3 until it faults or does INT 80h; for a guarded call only.
enter_user:
	mov ecx, [esp + 4]
	mov eax, SELECTOR_USER_DS
	mov ds, eax
	mov es, eax
	push eax
	push dword user_stack_top
	push dword 2
	push dword SELECTOR_USER_CS
	push ecx
	iretd

section .rodata align=4
interrupt_entries:
%assign vector 0
%rep 256
	dd entry_%+vector
%assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
