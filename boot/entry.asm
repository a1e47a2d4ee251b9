; SPDX-License-Identifier: BSD-2-Clause
;
; The Multiboot2 header, and the way from the loader's 32-bit protected mode into long mode (Multiboot2 2.0 3.1 and 3.3;
; APM 2 14.6). The block may lie at any page below 4 GiB: EBP holds its distance from where it was linked.

default rel

MULTIBOOT2_HEADER_MAGIC	equ 0xe85250d6
MULTIBOOT2_LOADER_MAGIC	equ 0x36d76289
TAG_OPTIONAL		equ 1
PAGE_PRESENT_WRITE	equ 3
PAGE_LARGE		equ 0x80
IMAGE_PAGES		equ 512
COM1			equ 0x3f8
TAG_FRAMEBUFFER		equ 8
FRAMEBUFFER_EGA_TEXT	equ 2
VGA_TEXT		equ 0xb8000

extern image_load
extern boot_main
extern main_stack_top

section .multiboot2 align=8 progbits alloc noexec nowrite
header:
	dd MULTIBOOT2_HEADER_MAGIC, 0, header_end - header
	dd 0x100000000 - (MULTIBOOT2_HEADER_MAGIC + (header_end - header))
.information:			; command line, modules, memory map, framebuffer, ACPI 1 and 2, load base
	dw 1, TAG_OPTIONAL
	dd .information_end - .information
	dd 1, 3, 6, 8, 14, 15, 21
.information_end:
	align 8, db 0
.console:			; EGA text is understood
	dw 4, TAG_OPTIONAL
	dd 12, 2
	align 8, db 0
.framebuffer:			; and so are pixels, in whatever mode
	dw 5, TAG_OPTIONAL
	dd 20, 0, 0, 0
	align 8, db 0
.modules:			; on page borders
	dw 6, TAG_OPTIONAL
	dd 8
.relocatable:			; anywhere from 2 MiB up, in page steps, as low as can be
	dw 10, TAG_OPTIONAL
	dd 24, 0x200000, 0xfffff000, 4096, 1
	align 8, db 0
	dw 0, 0
	dd 8
header_end:

section .boot.text align=16 progbits alloc exec nowrite
bits 32
global boot_entry
boot_entry:
	cli
	cld
	mov	esi, ebx		; the Multiboot2 information
	mov	edi, eax
	mov	esp, 0x7c00		; not a Multiboot2 loader: nothing there is ours to spare
	cmp	eax, MULTIBOOT2_LOADER_MAGIC
	jne	.find_self
	lea	esp, [ebx + 8]		; one word, on the information's reserved field
.find_self:
	call	.here
.here:
	pop	ebp
	sub	ebp, .here
	lea	esp, [ebp + early_stack_top]

	mov	eax, 0x80000000
	cpuid
	cmp	eax, 0x80000001
	jb	no_long_mode
	mov	eax, 0x80000001
	cpuid
	bt	edx, 29
	jnc	no_long_mode
	push	edx

	call	build_tables
	lea	eax, [ebp + early_pml4]
	mov	cr3, eax
	mov	eax, cr4
	or	eax, 1 << 5		; PAE
	mov	cr4, eax
	mov	ecx, 0xc0000080		; EFER
	rdmsr
	or	eax, 1 << 8		; LME
	pop	edx
	bt	edx, 20
	jnc	.no_nx			; the C code refuses such a processor, in words
	or	eax, 1 << 11		; NXE
.no_nx:
	xor	edx, edx
	wrmsr
	mov	eax, cr0
	and	eax, ~(1 << 2 | 1 << 3 | 1 << 29 | 1 << 30)	; EM, TS, NW, CD
	or	eax, 1 << 31 | 1 << 16 | 1 << 5 | 1 << 1	; PG, WP, NE, MP
	mov	cr0, eax

	lea	eax, [ebp + early_gdt]
	mov	[ebp + early_gdtr + 2], eax
	lgdt	[ebp + early_gdtr]
	lea	eax, [ebp + entry64]
	push	dword 8
	push	eax
	retf

; Identity for the first 4 GiB in 2 MiB pages, and the image at its linked address.
build_tables:
	lea	ebx, [ebp + early_pml4]
	lea	eax, [ebp + early_pdpt_low + PAGE_PRESENT_WRITE]
	mov	[ebx], eax
	lea	eax, [ebp + early_pdpt_high + PAGE_PRESENT_WRITE]
	mov	[ebx + 511 * 8], eax
	lea	eax, [ebp + early_pd_high + PAGE_PRESENT_WRITE]
	mov	[ebp + early_pdpt_high + 510 * 8], eax
	lea	eax, [ebp + early_pt_high + PAGE_PRESENT_WRITE]
	mov	[ebp + early_pd_high], eax

	lea	eax, [ebp + early_pd_low + PAGE_PRESENT_WRITE]
	xor	ecx, ecx
.directories:
	mov	[ebp + early_pdpt_low + ecx * 8], eax
	add	eax, 4096
	inc	ecx
	cmp	ecx, 4
	jb	.directories

	mov	eax, PAGE_PRESENT_WRITE | PAGE_LARGE
	xor	ecx, ecx
.identity:
	mov	[ebp + early_pd_low + ecx * 8], eax
	add	eax, 0x200000
	inc	ecx
	cmp	ecx, 4 * 512
	jb	.identity

	lea	eax, [ebp + image_load + PAGE_PRESENT_WRITE]
	xor	ecx, ecx
.image:
	mov	[ebp + early_pt_high + ecx * 8], eax
	add	eax, 4096
	inc	ecx
	cmp	ecx, IMAGE_PAGES
	jb	.image
	ret

; EBX: the text screen where the information in ESI names it, else 0. EDI: the loader's magic.
find_text_screen:
	xor	ebx, ebx
	cmp	edi, MULTIBOOT2_LOADER_MAGIC
	jne	.done
	add	esi, 8
.next:
	mov	eax, [esi]
	test	eax, eax
	jz	.done
	cmp	eax, TAG_FRAMEBUFFER
	je	.found
	mov	eax, [esi + 4]
	add	eax, 7
	and	eax, ~7
	jz	.done
	add	esi, eax
	jmp	.next
.found:
	cmp	byte [esi + 29], FRAMEBUFFER_EGA_TEXT
	jne	.done
	cmp	dword [esi + 8], VGA_TEXT
	jne	.done
	mov	ebx, VGA_TEXT
.done:
	ret

; Serial port and text screen as firmware left them.
no_long_mode:
	call	find_text_screen
	lea	esi, [ebp + no_long_mode_text]
.next:
	lodsb
	test	al, al
	jz	.stop
	test	ebx, ebx
	jz	.serial
	mov	ah, 0x07
	mov	[ebx], ax
	add	ebx, 2
.serial:
	mov	ecx, 100000
.wait:
	push	eax
	mov	edx, COM1 + 5
	in	al, dx
	test	al, 0x20
	pop	eax
	loopz	.wait
	mov	edx, COM1
	out	dx, al
	jmp	.next
.stop:
	hlt
	jmp	.stop

no_long_mode_text:
	db "foliot: [F102] this processor has no 64-bit mode (CPUID 80000001h EDX bit 29 is 0): use one that has", 0

align 8
early_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 64-bit code
	dq 0x00cf93000000ffff		; data
early_gdtr:
	dw early_gdtr - early_gdt - 1
	dd 0				; filled in above: the boot segment is still writable

bits 64
entry64:
	mov	eax, 16
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	mov	edi, edi		; the loader's magic
	mov	esi, esi		; the information
	lea	edx, [ebp + image_load]	; where the image was loaded
	mov	rsp, main_stack_top
	xor	ebp, ebp
	mov	rax, boot_main
	call	rax
.stop:
	hlt
	jmp	.stop

section .boot.bss align=4096 nobits alloc write
early_pml4:	resb 4096
early_pdpt_low:	resb 4096
early_pdpt_high:	resb 4096
early_pd_low:	resb 4 * 4096
early_pd_high:	resb 4096
early_pt_high:	resb 4096
early_stack:	resb 1024
early_stack_top:
