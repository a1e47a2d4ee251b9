/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual processor as the machine sees it, whichever engine runs it: its registers, one decoded exit, and the table of
 * functions that an engine is. Hardware exit codes never leave the engine. */
#pragma once

#include "base/refusal.h"
#include "timekeeping/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers that instructions use (APM 3 1.2.7). */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_COUNT };

enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR, SEGMENT_COUNT };

struct segment_register {
	uint64_t base;
	uint32_t limit; /* in bytes, expanded */
	uint16_t selector;
	uint16_t attributes; /* bits 0-7: type, S, DPL, P; 8-11: AVL, L, D/B, G (as in the VMCB) */
};

/* CR8, the task priority, is 4 bits: those of the local APIC's TPR that count. */
enum control_register { CR0, CR2, CR3, CR4, CR8, EFER, DR6, DR7, PAT, CONTROL_REGISTER_COUNT };

/* What both engines keep of a vCPU between exits, in the order that the assembly entries know. rip is at the instruction that
 * caused the exit. */
struct vcpu_registers {
	uint64_t gpr[GPR_COUNT];
	uint64_t rip, rflags;
};

enum vcpu_exit_kind {
	EXIT_HOST_INTERRUPT, /* an interrupt of the host is pending */
	EXIT_DEADLINE,       /* of set_deadline, where the processor has a timer for it */
	EXIT_HOST_NMI,
	EXIT_WINDOW,         /* the guest can take an interrupt now */
	EXIT_TPR,            /* it has lowered CR8 below what was asked for, where that is told apart from EXIT_WINDOW */
	EXIT_CPUID,
	EXIT_HLT,
	EXIT_PORT,
	EXIT_PORT_STRING,    /* INS, OUTS */
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_RDTSC,
	EXIT_RDTSCP,
	EXIT_MEMORY,         /* nested page fault */
	EXIT_WRITE_CR,
	EXIT_XSETBV,
	EXIT_HYPERCALL,
	EXIT_CACHE,          /* INVD, WBINVD */
	EXIT_FORBIDDEN,      /* an instruction that the guest does not have: #UD */
	EXIT_EXCEPTION,      /* a fault of the guest that the engine intercepts */
	EXIT_SHUTDOWN,       /* triple fault */
	EXIT_INVALID_STATE,  /* the entry failed */
	EXIT_UNKNOWN,
	EXIT_KIND_COUNT,
};

struct vcpu_exit {
	enum vcpu_exit_kind kind;
	unsigned length;   /* of the instruction in bytes; 0 where the CPU does not say */
	uint64_t host_tsc; /* read once, right after the exit */
	union {
		struct {
			uint16_t port;
			uint8_t bytes;
			bool in;
			bool rep; /* for string instructions, whose bytes say the rest */
		} port;
		struct {
			uint64_t gpa;
			uint32_t error; /* bits 0-4 as a page fault's error code */
			bool walking; /* the fault came from the guest's own page tables */
			bool delivering; /* or from the delivery of an event: its IDT, its GDT, its stack */
		} memory;
		struct {
			enum control_register which;
			enum gpr source;
		} cr;
		struct {
			uint8_t vector;
			uint32_t error;
		} exception;
		uint64_t code; /* the hardware's, for dumps of EXIT_UNKNOWN and EXIT_INVALID_STATE */
	};
};

/* How the guest's processor starts: as it leaves reset, or in flat 32-bit protected mode without paging (Multiboot 1 3.2;
 * Linux Documentation/arch/x86/boot.rst "32-bit boot protocol"). */
struct vcpu_start {
	bool flat;
	uint32_t eip, eax, ebx, esi; /* flat only */
};

struct vcpu {
	struct vcpu_registers registers;
	void *engine; /* the engine's own part */
};

/* What decides how the guest's processor fetches and translates, all at once since each exit by an instruction may ask. */
struct vcpu_mode {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t cs_base;
	uint16_t cs_attributes;
	uint8_t cpl;
};

/* What a processor offers that the machine must know of. */
struct virt_features {
	struct line_multiplier multiplier;
	bool next_rip; /* the exit says how long the instruction was */
	bool checks_pdptes; /* paging by PAE: its first level are registers, and an entry fails where one has a reserved bit set */
};

/* What the guest's RDTSC and RDTSCP do: exit, or show ((host_tsc * mult) >> multiplier.frac_bits) + offset modulo 2^64. Where the processor has
 * no multiplier mult counts for nothing and is 1; with exits neither counts. */
struct vcpu_tsc {
	bool exits;
	uint64_t mult;
	uint64_t offset;
};

#define NO_ERROR_CODE UINT32_MAX

/* A priority class above all that CR8 can hold back. */
#define PRIORITY_ANY_CR8 16u

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MC 18

/* An engine. All functions but probe need a successful enable before. */
struct virt_ops {
	const char *name;

	/* Can this processor do it? False: why not, numbered and in words. Changes nothing. */
	bool (*probe)(struct virt_features *features, struct refusal *why);

	/* Turns the extension on for this processor. */
	void (*enable)(void);

	/* Puts the vCPU into the state that start asks for; again for a guest that is started anew. */
	void (*vcpu_init)(struct vcpu *vcpu, const struct vcpu_start *start);

	/* Maps guest RAM at gpa to hpa, for good; all page-aligned. */
	void (*map)(uint64_t gpa, uint64_t hpa, uint64_t bytes);

	/* The next runs end at that host TSC at the latest, or a little after it: by EXIT_DEADLINE, or by the host's timer. */
	void (*set_deadline)(struct vcpu *vcpu, uint64_t host_tsc);

	/* Enters the guest until the next exit. Host interrupts must be disabled; they cause an exit and stay pending. */
	void (*run)(struct vcpu *vcpu, struct vcpu_exit *exit);

	uint64_t (*get)(const struct vcpu *vcpu, enum control_register which);
	void (*set)(struct vcpu *vcpu, enum control_register which, uint64_t value);
	void (*get_segment)(const struct vcpu *vcpu, enum segment which, struct segment_register *segment);
	void (*get_mode)(const struct vcpu *vcpu, struct vcpu_mode *mode);

	void (*set_tsc)(struct vcpu *vcpu, const struct vcpu_tsc *tsc);

	/* Whether the guest would take an external interrupt now, CR8 aside; to be told of the first moment when it would take one of that
	 * priority class (1 to 15: the vector's upper 4 bits; PRIORITY_ANY_CR8; 0: not any more), to be said anew after each exit until then; and
	 * giving it one. */
	bool (*can_inject)(const struct vcpu *vcpu);
	void (*want_window)(struct vcpu *vcpu, unsigned priority);
	void (*inject)(struct vcpu *vcpu, uint8_t vector);

	/* An exception in the guest, at the instruction at rip. */
	void (*raise)(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);

	/* The instruction at rip, of that many bytes, is done: rip moves on, the interrupt shadow ends, and RFLAGS.TF traps. */
	void (*advance)(struct vcpu *vcpu, unsigned bytes);

	/* Tells the engine's whole state, line by line. */
	void (*dump)(const struct vcpu *vcpu, void (*print)(const char *line));
};
