/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Single steps over instructions that the hypervisor carries out, LMSW, which reaches it as a write of CR0, and DR7.GD (APM 2 13.1.1.4, 13.1.4;
 * APM 3 "LMSW"). With how=idt an exception whose IDT is where there is no memory: the hypervisor stops the guest. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define CR0_PE 1u
#define CR0_EM 4u
#define DR6_BD (1u << 13)
#define DR6_BS (1u << 14)
#define DR7_GD (1u << 13)
#define HOLE 0xF0000000u

const char test_name[] = "traps";

#define SET_TF "pushf\n\torl $0x100, (%%esp)\n\tpopf\n\t"
#define INSTRUCTION(name, ...)                                                                         \
	static void do_##name(void *argument)                                                         \
	{                                                                                             \
		(void)argument;                                                                       \
		__asm__ volatile(__VA_ARGS__ : : : "eax", "ebx", "ecx", "edx", "memory", "cc");       \
	}

INSTRUCTION(step_hlt, SET_TF "hlt\n\tnop")
INSTRUCTION(step_in, SET_TF "inb $0x61, %%al\n\tnop")
INSTRUCTION(step_rdmsr, "mov $0xc0000080, %%ecx\n\t" SET_TF "rdmsr\n\tnop")
INSTRUCTION(step_hole, "mov $0xf0000000, %%ebx\n\t" SET_TF "movb (%%ebx), %%al\n\tnop")
INSTRUCTION(set_gd, "mov $0x2400, %%eax\n\tmov %%eax, %%dr7\n\tmov %%dr0, %%eax")
INSTRUCTION(read_dr7, "mov %%dr7, %%eax")
INSTRUCTION(clear_dr7, "mov $0x400, %%eax\n\tmov %%eax, %%dr7")

static const struct {
	const char *name;
	void (*action)(void *);
	uint8_t bytes, first;
} steps[] = {
	{ "HLT", do_step_hlt, 1, 0xF4 },
	{ "IN", do_step_in, 2, 0xE4 },
	{ "RDMSR", do_step_rdmsr, 2, 0x0F },
	{ "a read where no memory is", do_step_hole, 2, 0x8A },
};

static uint32_t read_dr6(void)
{
	uint32_t value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static void write_dr6(uint32_t value)
{
	__asm__ volatile("mov %0, %%dr6" : : "r"(value));
}

static void single_steps(void)
{
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		uint32_t vector;

		write_dr6(0xFFFF0FF0);
		vector = guarded_call(steps[i].action, 0);
		report(vector == X_DB && *(const uint8_t *)(fault_eip - steps[i].bytes) == steps[i].first && read_dr6() & DR6_BS,
		       "TF over %s gives #DB with DR6.BS right after it: vector %x", steps[i].name, vector);
	}
}

static void load_register(uint16_t value)
{
	__asm__ volatile("lmsw %0" : : "r"(value) : "memory");
}

static void load_memory(const uint16_t *value)
{
	__asm__ volatile("lmsw %0" : : "m"(*value) : "memory");
}

static void lmsw(void)
{
	uint32_t before = read_cr0();
	uint16_t word = (uint16_t)(before | CR0_EM);

	load_register(word);
	report(read_cr0() == (before | CR0_EM), "LMSW of a register sets CR0.EM: CR0 %x", read_cr0());
	word = (uint16_t)(before & ~CR0_EM);
	load_memory(&word);
	report(read_cr0() == (before & ~CR0_EM), "LMSW of memory clears it: CR0 %x", read_cr0());
	load_register((uint16_t)((before | CR0_EM) & ~CR0_PE));
	report(read_cr0() == (before | CR0_EM), "LMSW cannot clear CR0.PE: CR0 %x", read_cr0());
	write_cr0(before);
}

static void general_detect(void)
{
	write_dr6(0xFFFF0FF0);
	if (guarded_call(do_set_gd, 0) == X_DB) {
		report(read_dr6() & DR6_BD, "DR7.GD: an access to a debug register gives #DB with DR6.BD");
		report(guarded_call(do_read_dr7, 0) == NO_FAULT, "and its delivery clears DR7.GD");
	} else {
		report_skip("DR7.GD is ignored here (QEMU)");
	}
	guarded_call(do_clear_dr7, 0);
}

/* The IDT's entries are read in the hole: there is no sensible way to go on. */
static void lose_idt(void)
{
	const struct { uint16_t limit; uint32_t base; } __attribute__((packed)) nowhere = { 0x7FF, HOLE };

	print("the IDT goes\n");
	print_drain();
	__asm__ volatile("lidt %0\n\tud2" : : "m"(nowhere));
}

void test_main(void)
{
	if (option_is("how", "idt"))
		lose_idt();
	single_steps();
	lmsw();
	general_detect();
}
