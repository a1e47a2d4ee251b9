/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an operation costs: a 32-bit guest without paging does each one 4000 times and reads the TSC before and
 * after. In a bed that counts instructions (QEMU -icount shift=0, Bochs with 10^9 instructions a second) one TSC tick is one instruction of the bed's, the
 * hypervisor's included, so the figures are exact and the same in each run. Loop and operand instructions are in
 * the figure: "bare" is the same guest without a hypervisor.
 *
 * A timer tick cannot be timed alone. The guest counts rounds of a loop of three instructions between two ticks
 * that are N apart: what is left of the time, after three instructions a round, went to N ticks with all that
 * comes with them. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/lapic.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define ROUNDS 4000u
#define TICKS 1000u
#define FIRST_TICKS 20u
#define LOOP_INSTRUCTIONS 3u
#define FIRST_CLASS 3u /* of vectors without a handler of the 8259A pair's */
#define NESTED 13u
#define PIC_EOI_CODE "push %eax\n\tmov $0x20, %al\n\tout %al, $0x20\n\tpop %eax\n\tiret"

const char test_name[] = "bench";

#define HPET_GENERAL_CONFIGURATION 0xfed00010u
#define HPET_ENABLE 1u

/* Runs body ROUNDS times; %esi counts, all else is the body's. The two loads of operands before the loop are not
 * counted. */
#define OPERATION(name, before, body)                                                          \
	static uint64_t run_##name(void)                                                      \
	{                                                                                     \
		uint32_t rounds = ROUNDS;                                                     \
		uint64_t start = rdtsc();                                                     \
		__asm__ volatile(before "\n1:\t" body "\n\tdec %%esi\n\tjnz 1b"               \
				 : "+S"(rounds) : "D"((uint32_t)acpi.pm_timer_port)           \
				 : "eax", "ebx", "ecx", "edx", "memory", "cc");               \
		return rdtsc() - start;                                                       \
	}

OPERATION(cpuid, "", "xor %%eax, %%eax\n\tcpuid")
OPERATION(pit_latch, "", "mov $0, %%al\n\tout %%al, $0x43")
OPERATION(pit_read, "", "mov $0, %%al\n\tout %%al, $0x43\n\tin $0x40, %%al\n\tin $0x40, %%al")
OPERATION(pic_read, "", "in $0x21, %%al")
OPERATION(rtc, "", "mov $0x0b, %%al\n\tout %%al, $0x70\n\tin $0x71, %%al")
OPERATION(pm_timer, "", "mov %%edi, %%edx\n\tin %%dx, %%eax")
OPERATION(hpet, "mov $0xfed000f0, %%edx", "mov (%%edx), %%eax")
OPERATION(lapic_count, "mov $0xfee00390, %%edx", "mov (%%edx), %%eax")
OPERATION(rdmsr, "mov $0xc0000080, %%ecx", "rdmsr")
OPERATION(vmmcall, "", "mov $0x7f, %%eax\n\tvmmcall")
OPERATION(vmcall, "", "mov $0x7f, %%eax\n\tvmcall")
OPERATION(rdtsc, "", "rdtsc")
OPERATION(nothing, "", "nop")

/* Each vendor's processors have their own instruction. */
static uint64_t run_hypercall(void)
{
	return cpuid(0, 0).ebx == 0x756E6547 ? run_vmcall() : run_vmmcall(); /* "Genu" */
}

static const struct {
	const char *name;
	uint64_t (*run)(void);
} operations[] = {
	{ "cpuid", run_cpuid },
	{ "pit-latch", run_pit_latch },
	{ "pit-read", run_pit_read },
	{ "pic-read", run_pic_read },
	{ "rtc", run_rtc },
	{ "pm-timer", run_pm_timer },
	{ "hpet", run_hpet },
	{ "lapic-count", run_lapic_count },
	{ "rdmsr", run_rdmsr },
	{ "hypercall", run_hypercall },
	{ "rdtsc", run_rdtsc },
	{ "nothing", run_nothing },
};

/* Tenths, so that a loop's share of a tick shows. */
static void tell(const char *name, uint64_t instructions, uint32_t count)
{
	print("bench %s %llu.%llu\n", name, instructions / count, instructions * 10 / count % 10);
}

extern volatile uint32_t bench_ticks;
volatile uint32_t bench_ticks;
void tick_entry(void);
__asm__(".globl tick_entry\ntick_entry:\n\tincl bench_ticks\n\t" PIC_EOI_CODE);

/* Puts our own, shortest handler into the IDT at IRQ 0's vector. */
static void take_over_irq0(void)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) idtr;
	uint16_t *gate;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	gate = (uint16_t *)(idtr.base + 8 * IRQ_BASE);
	gate[0] = (uint16_t)(uint32_t)tick_entry;
	gate[3] = (uint16_t)((uint32_t)tick_entry >> 16);
}

/* Rounds of the loop until bench_ticks reaches the count. */
static uint32_t spin_until(uint32_t count)
{
	uint32_t rounds = 0;

	__asm__ volatile("1:\tinc %0\n\tcmp %1, %2\n\tjne 1b" : "+r"(rounds) : "r"(count), "m"(bench_ticks) : "cc",
			 "memory");
	return rounds;
}

/* Foliot looks at its console every millisecond, together with a tick that comes up to a quarter of that earlier; where they fall at first is
 * chance. So the ticks begin a little faster, until they meet the looks. A new count holds from the end of a period on (8254, mode 2). */
static void start_ticks(void)
{
	pit_program(0, PIT_BOTH, 2, false, 1000);
	irq_mask(0, false);
	sti();
	spin_until(10);
	outb(0x40, 1193 & 0xff);
	outb(0x40, 1193 >> 8);
	spin_until(FIRST_TICKS);
}

static void tick_cost(void)
{
	uint64_t start, took, own;
	uint32_t rounds;

	take_over_irq0();
	start_ticks();
	start = rdtsc();
	rounds = spin_until(FIRST_TICKS + TICKS);
	took = rdtsc() - start;
	cli();
	irq_mask(0, true);
	own = (uint64_t)rounds * LOOP_INSTRUCTIONS;
	tell("tick", took - own, TICKS);
}

/* One interrupt of each priority class from 3 on is taken, each on top of the last; then the end of each is timed. */
static uint64_t end_nested_interrupts(void)
{
	uint32_t rounds = NESTED;
	uint64_t start;

	for (uint32_t class = FIRST_CLASS; class < FIRST_CLASS + NESTED; class++) {
		wrmsr(MSR_X2APIC + LAPIC_SELF_IPI / 16, class << 4 | 1);
		sti_nop_cli();
	}
	start = rdtsc();
	__asm__ volatile("1:\twrmsr\n\tdec %%esi\n\tjnz 1b" : "+S"(rounds) : "c"(MSR_X2APIC + LAPIC_EOI / 16), "a"(0), "d"(0) : "memory", "cc");
	return rdtsc() - start;
}

/* Enters x2APIC mode, from which there is no way back: so it is the last one. */
static void eoi_cost(void)
{
	uint64_t took = 0;

	if (!(cpuid(1, 0).ecx & 1u << 21) || !lapic_set_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC))
		return;
	end_nested_interrupts();
	for (uint32_t i = 0; i < ROUNDS / NESTED; i++)
		took += end_nested_interrupts();
	tell("x2apic-eoi", took, ROUNDS / NESTED * NESTED);
}

static void memory_size(void)
{
	uint64_t bytes = 0;

	for (const struct memory_range *r = memory_next(0); r; r = memory_next(r))
		if (r->type == 1 && r->base >= 0x100000)
			bytes += r->bytes;
	print("bench ram-kib %llu\n", bytes / 1024);
}

/* Reads the TSC until two seconds of guest time are over: in between, Foliot can be asked for its exits. */
static void read_tsc_only(void)
{
	tell("rdtsc", run_rdtsc(), ROUNDS);
	while (rdtsc() < 2000000000)
		;
	report(true, "the TSC is read, and nothing else done");
}

/* Lets its counter run. */
static bool start_hpet(void)
{
	if (!acpi_table("HPET"))
		return false;
	poke(HPET_GENERAL_CONFIGURATION, peek(HPET_GENERAL_CONFIGURATION) | HPET_ENABLE);
	return true;
}

static bool is_there(unsigned operation)
{
	if (operations[operation].run == run_hypercall && option_is("bare", "yes"))
		return false;
	if (operations[operation].run == run_hpet)
		return start_hpet();
	return operations[operation].run != run_pm_timer || acpi.pm_timer_port;
}

/* All operations one after another; told when all are done. */
static void measure(bool told)
{
	uint64_t took[sizeof operations / sizeof operations[0]] = { 0 };

	for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (is_there(i))
			took[i] = operations[i].run();
	for (unsigned i = 0; told && i < sizeof operations / sizeof operations[0]; i++)
		if (is_there(i))
			tell(operations[i].name, took[i], ROUNDS);
}

void test_main(void)
{
	if (option_is("only", "rdtsc")) {
		read_tsc_only();
		return;
	}
	memory_size();
	if (option_is("only", "ram")) {
		report(true, "the size of RAM above 1 MiB is told");
		return;
	}
	print_drain();
	lapic_write(LAPIC_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(LAPIC_INITIAL, 0xFFFFFFFF); /* masked, but it counts */
	measure(false); /* until what was printed at the start has left the machine: sending it costs time too */
	measure(true);
	tick_cost();
	eoi_cost();
	report(true, "the operations, %u times each", ROUNDS);
}
