/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How late timer interrupts are: from the deadline to the first instruction of the guest's handler, in instructions of a bed that counts 10^9 a
 * second. With native=1 (tsc=native) the TSC counts them itself, and reading it costs nothing; else they are guest ns divided by the rate. Each timer fires every 100 us of the bed's time (the PIT every 55 us at
 * rate 1000, where it cannot count further), first while the guest is busy, then while it waits in HLT.
 *
 * A TSC deadline is known exactly; tsc=native has none, so that it is measured alone, and without. The others count from a write whose own moment lies between the TSC values before and after it; the one before is
 * taken, so that lateness is too much rather than too little, by the way from the guest to the chip, some hundred instructions at the most. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define SAMPLES 2000u
#define PERIOD_NS 100000u /* of the bed */
#define PIT_LONGEST 65535u

#define HPET 0xFED00000u
#define HPET_CONFIG (HPET + 0x10)
#define HPET_COUNTER (HPET + 0xF0)
#define HPET_TIMER0_CONFIG (HPET + 0x100)
#define HPET_TIMER0_VALUE (HPET + 0x108)
#define HPET_TICK_NS 10u
#define HPET_ENABLE 1u
#define HPET_LEGACY 2u
#define TIMER_INTERRUPT (1u << 2)
#define TIMER_PERIODIC (1u << 3)
#define TIMER_SET_VALUE (1u << 6)
#define TIMER_32_BITS (1u << 8)

#define LAPIC 0xFEE00000u
#define LAPIC_SVR (LAPIC + 0xF0)
#define LAPIC_LVT_TIMER (LAPIC + 0x320)
#define LAPIC_INITIAL (LAPIC + 0x380)
#define LAPIC_DIVIDE (LAPIC + 0x3E0)
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)
#define SVR_ENABLE 0x1FFu
#define DIVIDE_BY_1 0xBu
#define MSR_TSC_DEADLINE 0x6E0u
#define VECTOR 0x40u

const char test_name[] = "lateness";

extern volatile uint64_t late_tsc;
extern volatile uint32_t late_count;
volatile uint64_t late_tsc;
volatile uint32_t late_count;
void pic_entry(void);
void lapic_entry(void);

#define ENTRY(name, end)                                                                                                   \
	__asm__(".globl " name "\n" name ":\n\tpush %eax\n\tpush %edx\n\trdtsc\n\tmov %eax, late_tsc\n\tmov %edx, late_tsc + 4\n\t" \
		"incl late_count\n\t" end "\n\tpop %edx\n\tpop %eax\n\tiret")
ENTRY("pic_entry", "mov $0x20, %al\n\tout %al, $0x20");
ENTRY("lapic_entry", "movl $0, 0xFEE000B0");

static uint64_t samples[SAMPLES];
static uint32_t rate;
static bool by_host_tsc;
static uint64_t period_ns; /* of the guest */

/* Puts a handler into the IDT. */
static void take_over(unsigned vector, void (*entry)(void))
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) idtr;
	uint16_t *gate;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	gate = (uint16_t *)(idtr.base + 8 * vector);
	gate[0] = (uint16_t)(uint32_t)entry;
	gate[3] = (uint16_t)((uint32_t)entry >> 16);
}

/* A timer: starts, or arms once more where it fires once; returns the moment from which its n-th tick is counted. */
struct timer {
	const char *name;
	bool (*there)(void);
	uint64_t (*start)(void);
	void (*stop)(void);
	uint64_t (*due_ns)(uint32_t n); /* after that moment */
	bool once;
	bool exact; /* its deadline is known without the host's TSC */
};

static bool always(void)
{
	return true;
}

static uint32_t pit_count(void)
{
	uint64_t count = ticks_floor(period_ns, PIT_HZ);

	return count < PIT_LONGEST ? (uint32_t)count : PIT_LONGEST;
}

/* Takes an edge of IRQ 0 that is older than the timer. */
static void forget_old_edge(void)
{
	irq_mask(0, false);
	sti_nop_cli();
	late_count = 0;
}

static uint64_t start_pit(void)
{
	uint32_t count = pit_count();
	uint64_t before;

	outb(0x43, 0x34);
	forget_old_edge();
	outb(0x40, (uint8_t)count);
	before = rdtsc();
	outb(0x40, (uint8_t)(count >> 8));
	return before;
}

static void stop_pit(void)
{
	irq_mask(0, true);
	pit_program(0, PIT_BOTH, 0, false, 0);
}

static uint64_t pit_due_ns(uint32_t n)
{
	return ((uint64_t)n * pit_count() * NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ;
}

static bool has_hpet(void)
{
	return peek(HPET + 4) && peek(HPET + 4) != 0xFFFFFFFF;
}

static uint32_t hpet_period(void)
{
	return (uint32_t)(period_ns / HPET_TICK_NS);
}

static uint64_t start_hpet(void)
{
	uint64_t before;

	poke(HPET_CONFIG, 0);
	poke(HPET_COUNTER, 0);
	poke(HPET_COUNTER + 4, 0);
	poke(HPET_TIMER0_CONFIG, TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32_BITS);
	poke(HPET_TIMER0_VALUE, hpet_period());
	poke(HPET_TIMER0_VALUE, hpet_period());
	forget_old_edge();
	before = rdtsc();
	poke(HPET_CONFIG, HPET_ENABLE | HPET_LEGACY);
	return before;
}

static void stop_hpet(void)
{
	poke(HPET_TIMER0_CONFIG, 0);
	poke(HPET_CONFIG, 0);
	irq_mask(0, true);
}

static uint64_t hpet_due_ns(uint32_t n)
{
	return (uint64_t)n * hpet_period() * HPET_TICK_NS;
}

static bool has_lapic(void)
{
	return cpuid(1, 0).edx & 1u << 9;
}

static uint64_t start_lapic(uint32_t mode)
{
	uint64_t before;

	poke(LAPIC_SVR, SVR_ENABLE);
	poke(LAPIC_DIVIDE, DIVIDE_BY_1);
	poke(LAPIC_LVT_TIMER, mode | VECTOR);
	before = rdtsc();
	poke(LAPIC_INITIAL, (uint32_t)period_ns);
	return before;
}

static uint64_t start_periodic(void)
{
	return start_lapic(LVT_PERIODIC);
}

static uint64_t start_one_shot(void)
{
	return start_lapic(0);
}

static void stop_lapic(void)
{
	poke(LAPIC_INITIAL, 0);
	poke(LAPIC_LVT_TIMER, LVT_MASKED);
}

static uint64_t lapic_due_ns(uint32_t n)
{
	return n * period_ns;
}

static bool has_deadline(void)
{
	return has_lapic() && cpuid(1, 0).ecx & 1u << 24;
}

static uint64_t start_deadline(void)
{
	uint64_t now;

	poke(LAPIC_SVR, SVR_ENABLE);
	poke(LAPIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
	now = rdtsc();
	wrmsr(MSR_TSC_DEADLINE, now + period_ns);
	return now;
}

static const struct timer timers[] = {
	{ "pit", always, start_pit, stop_pit, pit_due_ns, false, false },
	{ "hpet", has_hpet, start_hpet, stop_hpet, hpet_due_ns, false, false },
	{ "lapic-periodic", has_lapic, start_periodic, stop_lapic, lapic_due_ns, false, false },
	{ "lapic-one-shot", has_lapic, start_one_shot, stop_lapic, lapic_due_ns, true, false },
	{ "tsc-deadline", has_deadline, start_deadline, stop_lapic, lapic_due_ns, true, true },
};

static void wait_for(uint32_t count, bool halted)
{
	while (late_count != count)
		if (halted)
			sti_hlt_cli();
		else
			__asm__ volatile("sti\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tcli" : : : "memory");
}

/* Fills samples with bed instructions; returns how many came early. */
static uint32_t measure(const struct timer *timer, bool halted)
{
	uint64_t origin = 0, due_ns, due;
	uint32_t early = 0;

	late_count = 0;
	for (uint32_t i = 0; i < SAMPLES; i++) {
		if (!i || timer->once)
			origin = timer->start();
		wait_for(i + 1, halted);
		due_ns = timer->due_ns(timer->once ? 1 : i + 1);
		due = origin + (by_host_tsc ? due_ns / rate : due_ns);
		early += late_tsc < due;
		samples[i] = late_tsc < due ? 0 : (late_tsc - due) / (by_host_tsc ? 1 : rate);
	}
	timer->stop();
	return early;
}

static void sort(void)
{
	for (uint32_t gap = SAMPLES / 2; gap; gap /= 2)
		for (uint32_t i = gap; i < SAMPLES; i++) {
			uint64_t value = samples[i];
			uint32_t at = i;

			for (; at >= gap && samples[at - gap] > value; at -= gap)
				samples[at] = samples[at - gap];
			samples[at] = value;
		}
}

void test_main(void)
{
	static const char *const states[] = { "busy", "halted" };

	rate = option_number("rate", 1);
	by_host_tsc = option_number("native", 0);
	period_ns = (uint64_t)PERIOD_NS * rate;
	take_over(IRQ_BASE, pic_entry);
	take_over(VECTOR, lapic_entry);
	for (unsigned i = 0; i < sizeof timers / sizeof timers[0]; i++)
		for (unsigned halted = 0; halted < 2 && timers[i].there() && (timers[i].exact || by_host_tsc); halted++) {
			uint32_t early;

			print_drain();
			early = measure(&timers[i], halted);
			sort();
			print("lateness %s %s %llu %llu %llu %llu %llu\n", timers[i].name, states[halted], samples[0], samples[SAMPLES / 2],
			      samples[SAMPLES / 100 * 99], samples[SAMPLES / 1000 * 999], samples[SAMPLES - 1]);
			report(!early, "%s, %s: %u of %u early", timers[i].name, states[halted], early, SAMPLES);
		}
}
