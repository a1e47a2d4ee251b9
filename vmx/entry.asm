; SPDX-License-Identifier: BSD-2-Clause
;
; The world switch of VT-x (SDM 3C 27, 28). An ordinary function that returns after the exit, so that the run loop is readable C.
; rsp, rip and rflags travel in the VMCS; the other registers in struct vcpu_registers, whose offsets vmx/vmx.c pins. CR2, DR0 to DR3 and
; DR6 stay the guest's while Foliot runs: it takes no page fault and no debug exception that it would return from.

default rel
bits 64
section .text

GPR_RAX equ 0 * 8
GPR_RCX equ 1 * 8
GPR_RDX equ 2 * 8
GPR_RBX equ 3 * 8
GPR_RBP equ 5 * 8
GPR_RSI equ 6 * 8
GPR_RDI equ 7 * 8
GPR_R8  equ 8 * 8
GPR_R9  equ 9 * 8
GPR_R10 equ 10 * 8
GPR_R11 equ 11 * 8
GPR_R12 equ 12 * 8
GPR_R13 equ 13 * 8
GPR_R14 equ 14 * 8
GPR_R15 equ 15 * 8

VMCS_HOST_RSP equ 0x6c14

; uint64_t vmx_enter(struct vcpu_registers *registers, bool launched)
; Interrupts are disabled on entry and on return; one of the host's ends the run and stays pending. The exit comes back at vmx_exit_entry with
; the stack as it was at the entry. Returns the host TSC right after the exit; 0: the entry failed before the guest's state was loaded.
global vmx_enter
vmx_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
	test esi, esi
	mov rax, [rdi + GPR_RAX]
	mov rcx, [rdi + GPR_RCX]
	mov rdx, [rdi + GPR_RDX]
	mov rbx, [rdi + GPR_RBX]
	mov rbp, [rdi + GPR_RBP]
	mov rsi, [rdi + GPR_RSI]
	mov r8, [rdi + GPR_R8]
	mov r9, [rdi + GPR_R9]
	mov r10, [rdi + GPR_R10]
	mov r11, [rdi + GPR_R11]
	mov r12, [rdi + GPR_R12]
	mov r13, [rdi + GPR_R13]
	mov r14, [rdi + GPR_R14]
	mov r15, [rdi + GPR_R15]
	mov rdi, [rdi + GPR_RDI]
	jz .launch
	vmresume
	jmp .failed
.launch:
	vmlaunch
.failed:
	pop rdi
	xor eax, eax
	jmp leave_enter

global vmx_exit_entry
vmx_exit_entry:
	push rdi
	mov rdi, [rsp + 8]
	mov [rdi + GPR_RAX], rax
	mov [rdi + GPR_RDX], rdx
	rdtsc
	pop qword [rdi + GPR_RDI]
	mov [rdi + GPR_RCX], rcx
	mov [rdi + GPR_RBX], rbx
	mov [rdi + GPR_RBP], rbp
	mov [rdi + GPR_RSI], rsi
	mov [rdi + GPR_R8], r8
	mov [rdi + GPR_R9], r9
	mov [rdi + GPR_R10], r10
	mov [rdi + GPR_R11], r11
	mov [rdi + GPR_R12], r12
	mov [rdi + GPR_R13], r13
	mov [rdi + GPR_R14], r14
	mov [rdi + GPR_R15], r15
	pop rdi
	shl rdx, 32
	or rax, rdx
leave_enter:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
