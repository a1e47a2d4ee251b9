/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The processor's instructions that C has no words for. All general inline assembly of Foliot is here.
 * Manuals: APM 3 and SDM 2, under each instruction's name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CR0_WP (1ul << 16)
#define CR0_NE (1ul << 5)
#define CR4_OSXSAVE (1ul << 18)

#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define EFER_NXE (1ul << 11)

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* A descriptor table register's image in memory (APM 2 4.6.2). */
struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* The processor must have the MSR: anything else is a panic. See rdmsr_safe. */
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* An instruction between labels 1 and 2 that may raise #GP: the handler then goes on at 2, before ok was set
 * (host/interrupts.c looks the pair up). */
#define CPU_FIXUP ".pushsection .fixups, \"a\"\n .quad 1f, 2f\n .popsection\n"

/* False: the processor refused with #GP, and *value is what it was. For MSRs that may be missing. */
static inline bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t low = (uint32_t)*value, high = (uint32_t)(*value >> 32), ok = 0;

	__asm__ volatile(CPU_FIXUP "1: rdmsr\n movl $1, %2\n 2:"
	                 : "+a"(low), "+d"(high), "+r"(ok) : "c"(msr) : "memory");
	*value = (uint64_t)high << 32 | low;
	return ok;
}

static inline bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t ok = 0;

	__asm__ volatile(CPU_FIXUP "1: wrmsr\n movl $1, %0\n 2:" : "+r"(ok)
	                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
	return ok;
}

/* The time stamp counter; the processor may read it a little before or after its neighbours in the program. */
static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* The same, read after everything before it and before everything after it. */
static inline uint64_t rdtsc_ordered(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid c;

	__asm__ volatile("cpuid" : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx) : "a"(leaf), "c"(subleaf));
	return c;
}

#define CPU_CONTROL_REGISTER(name) \
	static inline uint64_t read_##name(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
		return value; \
	} \
	static inline void write_##name(uint64_t value) \
	{ \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}

CPU_CONTROL_REGISTER(cr0)
CPU_CONTROL_REGISTER(cr2)
CPU_CONTROL_REGISTER(cr3)
CPU_CONTROL_REGISTER(cr4)
CPU_CONTROL_REGISTER(dr6)
CPU_CONTROL_REGISTER(dr7)
#undef CPU_CONTROL_REGISTER

#define CPU_SEGMENT_REGISTER(name) \
	static inline uint16_t read_##name(void) \
	{ \
		uint16_t value; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value)); \
		return value; \
	}

CPU_SEGMENT_REGISTER(es)
CPU_SEGMENT_REGISTER(cs)
CPU_SEGMENT_REGISTER(ss)
CPU_SEGMENT_REGISTER(ds)
CPU_SEGMENT_REGISTER(fs)
CPU_SEGMENT_REGISTER(gs)
#undef CPU_SEGMENT_REGISTER

/* XCR0; CR4.OSXSAVE is set at boot where the processor has XSAVE. */
static inline uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

/* False: the processor refused the value with #GP. */
static inline bool xsetbv_safe(uint32_t index, uint64_t value)
{
	uint32_t ok = 0;

	__asm__ volatile(CPU_FIXUP "1: xsetbv\n movl $1, %0\n 2:" : "+r"(ok)
	                 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
	return ok;
}

static inline void invlpg(const void *address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static inline void cpu_cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void cpu_sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void cpu_hlt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* Waits for an interrupt with interrupts off before and after; one that is pending already ends the wait at
 * once, because STI holds it back until HLT has begun. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Takes what is pending; interrupts are off before and after. */
static inline void cpu_open_interrupts(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void cpu_mfence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

static inline void lgdt(const struct table_pointer *table)
{
	__asm__ volatile("lgdt %0" : : "m"(*table));
}

static inline void lidt(const struct table_pointer *table)
{
	__asm__ volatile("lidt %0" : : "m"(*table));
}

static inline void ltr(uint16_t selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector));
}

/* Copies bytes and loads CR3 without touching the stack between, so that the copy of a running program's
 * memory, stack included, is what the new tables may show at the old addresses. */
static inline void cpu_copy_and_switch(void *to, const void *from, uint64_t bytes, uint64_t cr3)
{
	__asm__ volatile("rep movsb; mov %3, %%cr3" : "+D"(to), "+S"(from), "+c"(bytes) : "r"(cr3) : "memory");
}
