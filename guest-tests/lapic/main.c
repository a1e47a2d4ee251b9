/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC (SDM 3A 11), by its page and as x2APIC: registers, modes, priorities against a model that looks at each vector, CR8, IPIs to
 * itself, errors. The timer is in lapic-timer/. The 8259A pair's interrupts come through LINT0 as ExtINT all the while: sleeping depends on it. */
#include "guest-tests/lib/lapic.h"

#include "base/mem.h"
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define ERROR_VECTOR 0xD2u

const char test_name[] = "lapic";

/* Registers. */

static void identity(void)
{
	uint32_t version = lapic_read(LAPIC_VERSION);

	report((rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_X2APIC) == (LAPIC_PAGE | APIC_BASE_BSP | APIC_BASE_ENABLE),
	       "%s: the page is at FEE00000h, this is the first processor, the APIC is on: %llx", lapic_mode(), rdmsr(MSR_APIC_BASE));
	report(lapic_read(LAPIC_ID) == 0, "%s: its ID is 0: %x", lapic_mode(), lapic_read(LAPIC_ID));
	report((version & 0xFF) >= 0x10 && (version & 0xFF) <= 0x15 && (version >> 16 & 0xFF) >= 3, "%s: an integrated APIC: version %x",
	       lapic_mode(), version);
	report(cpuid(1, 0).edx & 1u << 9, "CPUID says that there is one");
}

static void virtual_wire(void)
{
	uint32_t lint0 = lapic_read(LAPIC_LVT_LINT0), lint1 = lapic_read(LAPIC_LVT_LINT1);

	report(lapic_read(LAPIC_SVR) & LAPIC_ENABLE, "firmware has left it enabled: %x", lapic_read(LAPIC_SVR));
	report((lint0 & 0x10700) == LAPIC_EXTINT, "LINT0 has the 8259A pair as ExtINT: %x", lint0);
	report((lint1 & 0x10700) == 0x400, "LINT1 is NMI: %x", lint1);
	lapic_write(LAPIC_SVR, LAPIC_ENABLE | LAPIC_SPURIOUS);
}

/* Bits that a guest may write, and the reserved ones that keep their value. */
static void writable_bits(void)
{
	static const struct {
		uint32_t reg, writable, rest;
	} rows[] = {
		{ LAPIC_TPR, 0xFF, 0 },
		{ LAPIC_LVT_ERROR, 0x100FF, 0 },
		{ LAPIC_LVT_LINT1, 0x1A7FF, 0 },
		{ LAPIC_DIVIDE, 0xB, 0 },
		{ LAPIC_LDR, 0xFF000000, 0 },
		{ LAPIC_DFR, 0xF0000000, 0x0FFFFFFF },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t old = lapic_read(rows[i].reg), ones, zeros;

		lapic_write(rows[i].reg, 0xFFFFFFFF);
		ones = lapic_read(rows[i].reg);
		lapic_write(rows[i].reg, rows[i].reg == LAPIC_LVT_ERROR || rows[i].reg == LAPIC_LVT_LINT1 ? LAPIC_MASKED : 0);
		zeros = lapic_read(rows[i].reg);
		lapic_write(rows[i].reg, old);
		report_but_qemu(ones == (rows[i].writable | rows[i].rest) && (zeros & ~LAPIC_MASKED) == (rows[i].rest & ~LAPIC_MASKED),
				"register %x: %x of all ones stay, %x of zeros", rows[i].reg, ones, zeros);
	}
}

/* Vectors and priorities. */

struct model {
	bool irr[256], isr[256];
	uint32_t tpr, counts[256];
};

static struct model model;

static uint32_t highest(const bool *bits)
{
	uint32_t vector = 255;

	while (vector && !bits[vector])
		vector--;
	return vector;
}

static uint32_t model_ppr(void)
{
	uint32_t serving = highest(model.isr);

	return model.tpr / 16 >= serving / 16 ? model.tpr : serving & 0xF0;
}

/* Interrupts open for a moment: the highest one is taken where its class is above the PPR's, and then no other is. */
static void model_open(void)
{
	uint32_t waiting = highest(model.irr);

	if (waiting / 16 <= model_ppr() / 16)
		return;
	model.irr[waiting] = false;
	model.isr[waiting] = true;
	model.counts[waiting]++;
}

static bool same_as_model(void)
{
	bool same = lapic_read(LAPIC_PPR) == model_ppr() && lapic_read(LAPIC_TPR) == model.tpr;

	for (uint32_t word = 1; word < 8; word++) {
		uint32_t irr = 0, isr = 0;

		for (uint32_t bit = 0; bit < 32; bit++) {
			irr |= (uint32_t)model.irr[word * 32 + bit] << bit;
			isr |= (uint32_t)model.isr[word * 32 + bit] << bit;
		}
		same &= lapic_read(LAPIC_IRR + word * 16) == irr && lapic_read(LAPIC_ISR + word * 16) == isr;
	}
	return same;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void one_operation(uint32_t random)
{
	uint32_t vector = 0x30 + (random >> 4) % 12 * 17 % 0xD0;

	switch (random % 8) {
	case 0:
	case 1:
	case 2:
		lapic_self_ipi(vector);
		model.irr[vector] = true;
		break;
	case 3:
	case 4:
		sti_nop_cli();
		model_open();
		break;
	case 5:
	case 6:
		lapic_write(LAPIC_EOI, 0);
		model.isr[highest(model.isr)] = false;
		break;
	case 7:
		model.tpr = (random >> 4) % 4 ? (random >> 8) % 0x60 : 0;
		lapic_write(LAPIC_TPR, model.tpr);
		break;
	}
}

static void priorities(void)
{
	uint32_t operations = share(40000), random = 12345, wrong = 0, counts_wrong = 0;
	uint32_t spoiled = option_number("control", 0) ? operations / 2 : operations; /* the control: one operation that is not the model's */

	lapic_end_all();
	memset(&model, 0, sizeof model);
	memset((void *)vector_counts, 0, sizeof vector_counts);
	for (uint32_t i = 0; i < operations; i++) {
		one_operation(next_random(&random));
		model.tpr ^= i == spoiled;
		wrong += !same_as_model();
	}
	for (uint32_t vector = 0x30; vector < 256; vector++)
		counts_wrong += vector_counts[vector] != model.counts[vector];
	report(!wrong && !counts_wrong, "%s: %u random operations on priorities as the model has them: %u are not, %u vectors miscounted",
	       lapic_mode(), operations, wrong, counts_wrong);
	lapic_end_all();
}

/* CR8 is bits 7 to 4 of the TPR (SDM 3A 11.8.6). Only 64-bit code has it: a far call into such a segment and back. */

#define SELECTOR_LONG 0x30u

static uint64_t long_gdt[7], pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096)));
static uint64_t directories[4][512] __attribute__((aligned(4096)));

void cr8_read_64(void);
void cr8_write_64(void);
__asm__("cr8_read_64:\t.byte 0x44, 0x0f, 0x20, 0xc0\n\tlret\n"   /* mov %cr8, %rax */
	"cr8_write_64:\t.byte 0x44, 0x0f, 0x22, 0xc0\n\tlret\n"); /* mov %rax, %cr8 */

struct table_register {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static void build_long_mode(void)
{
	struct table_register gdtr;

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	memcpy(long_gdt, (const void *)gdtr.base, 6 * sizeof *long_gdt);
	long_gdt[6] = 0x00AF9B000000FFFFull;
	gdtr = (struct table_register){ sizeof long_gdt - 1, (uint32_t)long_gdt };
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	pml4[0] = (uint32_t)pdpt | 3;
	for (uint32_t i = 0; i < 2048; i++)
		directories[i / 512][i % 512] = (uint64_t)i << 21 | 0x83;
	for (uint32_t i = 0; i < 4; i++)
		pdpt[i] = (uint32_t)directories[i] | 3;
}

/* With interrupts off, as the IDT is one of 32-bit code. */
static uint32_t in_long_mode(void (*code)(void), uint32_t eax)
{
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) target = { (uint32_t)code, SELECTOR_LONG };

	write_cr4(read_cr4() | 1u << 5);
	__asm__ volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1u << 8);
	write_cr0(read_cr0() | 1u << 31);
	__asm__ volatile("lcall *%1" : "+a"(eax) : "m"(target) : "memory");
	write_cr0(read_cr0() & ~(1u << 31));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(1ull << 8));
	return eax;
}

static void cr8(void)
{
	unsigned wrong = 0;

	if (!(cpuid(0x80000001, 0).edx & 1u << 29)) {
		report_skip("CR8: there is no long mode");
		return;
	}
	build_long_mode();
	lapic_end_all();
	for (uint32_t priority = 0; priority < 16; priority++) {
		lapic_write(LAPIC_TPR, priority << 4 | 5);
		wrong += in_long_mode(cr8_read_64, 0) != priority;
		in_long_mode(cr8_write_64, 15 - priority);
		wrong += lapic_read(LAPIC_TPR) != (15 - priority) << 4;
		wrong += in_long_mode(cr8_read_64, 0) != 15 - priority;
	}
	report(!wrong, "%s: CR8 and the TPR are one: %u of 48 reads are not so", lapic_mode(), wrong);
	in_long_mode(cr8_write_64, 6);
	vector_counts[0x6A] = vector_counts[0x71] = 0;
	lapic_self_ipi(0x6A);
	lapic_self_ipi(0x71);
	sti_nop_cli();
	report(vector_counts[0x71] == 1 && !vector_counts[0x6A], "%s: CR8 = 6 lets vector 71h through and not 6Ah", lapic_mode());
	lapic_write(LAPIC_EOI, 0);
	sti_nop_cli();
	report(!vector_counts[0x6A], "%s: not after the other one's end either", lapic_mode());
	if (bed_is_qemu() && !on_plain_qemu()) {
		lapic_write(LAPIC_TPR, 0x50);
		report_skip("%s: MOV to CR8 with an interrupt waiting: QEMU 7.2 ends at an assertion of its own", lapic_mode());
	} else {
		in_long_mode(cr8_write_64, 5);
	}
	sti_nop_cli();
	report(vector_counts[0x6A] == 1, "%s: CR8 = 5 does", lapic_mode());
	lapic_end_all();
}

/* IPIs, errors, spurious interrupts. */

static void errors(void)
{
	uint32_t shown;

	if (on_plain_qemu()) {
		report_skip("errors: QEMU delivers vectors below 16");
		return;
	}
	lapic_write(LAPIC_LVT_ERROR, ERROR_VECTOR);
	lapic_write(LAPIC_ESR, 0);
	lapic_write(LAPIC_ESR, 0);
	vector_counts[ERROR_VECTOR] = 0;
	lapic_self_ipi(7);
	lapic_self_ipi(8);
	sti_nop_cli();
	shown = lapic_read(LAPIC_ESR);
	lapic_write(LAPIC_ESR, 0);
	report_but_qemu(!shown && lapic_read(LAPIC_ESR) == 0x60, "%s: an illegal vector shows when the ESR was written: %x, then %x", lapic_mode(), shown,
			lapic_read(LAPIC_ESR));
	report_but_qemu(vector_counts[ERROR_VECTOR] == 1, "%s: one error interrupt for two errors: %u", lapic_mode(), vector_counts[ERROR_VECTOR]);
	lapic_write(LAPIC_ESR, 0);
	report(lapic_read(LAPIC_ESR) == 0, "%s: the next write clears it: %x", lapic_mode(), lapic_read(LAPIC_ESR));
	lapic_write(LAPIC_EOI, 0);
	if (!lapic_x2apic) {
		lapic_page_read(0x040);
		lapic_write(LAPIC_ESR, 0);
		report_but_qemu(lapic_read(LAPIC_ESR) == 0x80, "a register that is none is an error: %x", lapic_read(LAPIC_ESR));
		lapic_write(LAPIC_ESR, 0);
	}
	lapic_write(LAPIC_LVT_ERROR, 5); /* its own vector is illegal, too */
	lapic_self_ipi(3);
	lapic_write(LAPIC_ESR, 0);
	report_but_qemu(lapic_read(LAPIC_ESR) == 0x60, "%s: an illegal error vector is no storm: %x", lapic_mode(), lapic_read(LAPIC_ESR));
	lapic_write(LAPIC_LVT_ERROR, LAPIC_MASKED | ERROR_VECTOR);
	lapic_end_all();
}

static uint32_t received(uint32_t high, uint32_t low)
{
	uint32_t vector = low & 0xFF;

	vector_counts[vector] = 0;
	if (lapic_x2apic) {
		wrmsr(MSR_X2APIC + LAPIC_ICR / 16, (uint64_t)high << 32 | low);
	} else {
		lapic_write(LAPIC_ICR_HIGH, high);
		lapic_write(LAPIC_ICR, low);
	}
	sti_nop_cli();
	lapic_write(LAPIC_EOI, 0);
	return vector_counts[vector];
}

static void ipis(void)
{
	uint32_t none = lapic_x2apic ? 77 : 77u << 24, all = lapic_x2apic ? 0xFFFFFFFF : 0xFF000000, logical = lapic_x2apic ? 1 : 0x08000000;

	if (!lapic_x2apic) {
		lapic_write(LAPIC_DFR, 0xFFFFFFFF);
		lapic_write(LAPIC_LDR, 0x08000000);
	}
	report(received(none, 0x40000 | 0x41) == 1 && received(none, 0x80000 | 0x42) == 1 && !received(0, 0xC0000 | 0x43),
	       "%s: the shorthands self and all include it, all but self does not", lapic_mode());
	report(received(0, 0x44) == 1 && received(all, 0x45) == 1 && !received(none, 0x46), "%s: physical destinations", lapic_mode());
	report(received(logical, 0x847) == 1 && !received(2 * logical, 0x848), "%s: logical destinations", lapic_mode());
	report(!received(none, 0x400) && !received(0, 0x600 | 0x12) && !received(none, 0x500),
	       "%s: NMI and INIT to another processor, and a start-up IPI, do nothing here", lapic_mode());
	if (lapic_x2apic) {
		vector_counts[0x49] = 0;
		wrmsr(MSR_X2APIC + LAPIC_SELF_IPI / 16, 0x49);
		sti_nop_cli();
		lapic_write(LAPIC_EOI, 0);
		report(vector_counts[0x49] == 1, "the self-IPI register sends one");
	} else {
		lapic_write(LAPIC_LDR, 0);
	}
}

/* Masked by the SVR: what is pending stays, what comes is refused, the LVT is masked. */
static void software_disable(void)
{
	vector_counts[0x51] = vector_counts[0x52] = 0;
	lapic_self_ipi(0x51);
	lapic_write(LAPIC_SVR, LAPIC_SPURIOUS);
	lapic_self_ipi(0x52);
	report_but_qemu(!lapic_has_vector(LAPIC_IRR, 0x52) && lapic_read(LAPIC_LVT_LINT0) & LAPIC_MASKED, "%s: disabled it takes nothing, and LINT0 is masked: %x",
			lapic_mode(), lapic_read(LAPIC_LVT_LINT0));
	lapic_write(LAPIC_LVT_LINT0, LAPIC_EXTINT);
	report_but_qemu(lapic_read(LAPIC_LVT_LINT0) & LAPIC_MASKED, "%s: and stays so: %x", lapic_mode(), lapic_read(LAPIC_LVT_LINT0));
	lapic_enable();
	sti_nop_cli();
	report_but_qemu(vector_counts[0x51] == 1 && !vector_counts[0x52], "%s: what was there before is delivered: %u, and %u", lapic_mode(),
			vector_counts[0x51], vector_counts[0x52]);
	lapic_write(LAPIC_EOI, 0);
	report(!lapic_has_vector(LAPIC_ISR, 0x51), "%s: and ended", lapic_mode());
}

/* The modes of the APIC itself. */

/* MSRs that exist in x2APIC mode: bit n of a word stands for 800h + 32 * word + n (SDM 3A table 11-6). */
static bool is_readable(uint32_t index)
{
	static const uint32_t readable[2] = { 0xFFFFA50C, 0x43FD01FF };

	return index < 64 && readable[index / 32] >> index % 32 & 1;
}

static void msrs(void)
{
	unsigned wrong = 0;
	uint64_t value;

	for (uint32_t index = 0; index < 256; index++)
		wrong += rdmsr_safe(MSR_X2APIC + index, &value) != is_readable(index);
	report(!wrong, "x2APIC: 256 MSRs are readable as the table says: %u are not", wrong);
	report(!wrmsr_safe(MSR_X2APIC + LAPIC_EOI / 16, 1) && !wrmsr_safe(MSR_X2APIC + LAPIC_ESR / 16, 1) &&
	       !wrmsr_safe(MSR_X2APIC + LAPIC_TPR / 16, 0x100) && !wrmsr_safe(MSR_X2APIC + LAPIC_TPR / 16, 1ull << 32) &&
	       !wrmsr_safe(MSR_X2APIC + LAPIC_ID / 16, 0) && !wrmsr_safe(MSR_X2APIC + LAPIC_DIVIDE / 16, 4) &&
	       !wrmsr_safe(MSR_X2APIC + LAPIC_ICR / 16, 1u << 20), "x2APIC: reserved bits and read-only registers raise #GP");
}

static void modes(void)
{
	uint64_t value;

	report(!rdmsr_safe(MSR_X2APIC + LAPIC_ID / 16, &value) && !wrmsr_safe(MSR_X2APIC + LAPIC_EOI / 16, 0),
	       "in xAPIC mode there are no MSRs");
	report(!lapic_set_base(APIC_BASE_X2APIC), "x2APIC without xAPIC is refused");
	report(lapic_set_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC), "x2APIC is entered from xAPIC");
	report(lapic_page_read(LAPIC_VERSION) != lapic_read(LAPIC_VERSION), "the registers have left the page: %x", lapic_page_read(LAPIC_VERSION));
	report(!lapic_set_base(APIC_BASE_ENABLE), "there is no way back to xAPIC but by switching it off");
}

static void off_and_on(void)
{
	report(lapic_set_base(0), "it can be switched off");
	report(!(cpuid(1, 0).edx & 1u << 9), "CPUID then says that there is none");
	report(!lapic_set_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC), "from there to x2APIC is no way");
	sleep_us(1000);
	report(true, "the 8259A pair's interrupts come without it");
	report(lapic_set_base(APIC_BASE_ENABLE), "it can be switched on again");
	report(lapic_read(LAPIC_SVR) == 0xFF && lapic_read(LAPIC_LVT_LINT0) == LAPIC_MASKED && lapic_read(LAPIC_TPR) == 0, "and is as after a reset: SVR %x, LINT0 %x",
	       lapic_read(LAPIC_SVR), lapic_read(LAPIC_LVT_LINT0));
	lapic_enable();
}

static void everything(void)
{
	identity();
	priorities();
	cr8();
	errors();
	ipis();
	software_disable();
}

void test_main(void)
{
	virtual_wire();
	writable_bits();
	everything();
	if (!(cpuid(1, 0).ecx & 1u << 21)) {
		report_skip("x2APIC, which this processor has not");
		return;
	}
	modes();
	msrs();
	everything();
	off_and_on();
	everything();
}
