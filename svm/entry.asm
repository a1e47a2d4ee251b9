; SPDX-License-Identifier: BSD-2-Clause
;
; The world switch of AMD-V (APM 2 15.5, 15.17). An ordinary function that returns after the #VMEXIT, so that the run loop is readable C.
; rax, rsp, rip and rflags travel in the VMCB; the other registers in struct vcpu_registers, whose offsets svm/svm.c pins.

default rel
bits 64
section .text

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

; uint64_t svm_enter(struct vcpu_registers *registers, uint64_t guest_vmcb_hpa, uint64_t host_vmcb_hpa)
; Interrupts are disabled on entry and on return; while the guest runs the host's IF is 1, so that an interrupt of the host ends the
; run and stays pending (V_INTR_MASKING, APM 2 15.21.1). Returns the host TSC read right after the exit.
global svm_enter
svm_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdx
	push rdi
	mov rax, rsi
	clgi
	sti                      ; takes effect for the guest: GIF is 0 here
	vmload
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
	vmrun
	cli
	vmsave
	mov rax, rdi
	mov rdi, [rsp]
	mov [rdi + GPR_RDI], rax
	mov [rdi + GPR_RDX], rdx
	rdtsc
	shl rdx, 32
	or rdx, rax
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
	pop rax
	vmload                   ; the host's own TR, FS and GS
	stgi
	mov rax, rdx
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
