/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The HPET (IA-PC HPET 1.0a): found by ACPI, counts as the TSC does, never back; one-shot, periodic and in place of the PIT its interrupts are
 * never early, and as many as periods; halted it stands. Any instruction that reads it gets what the register shows, also one whose bytes have just
 * changed. */
#include "guest-tests/lib/acpi.h"
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define FS_PER_SECOND 1000000000000000ull
#define ROUTED_IRQ 11u
#define PERIODS 20u

enum { CAPABILITIES = 0x000, PERIOD = 0x004, CONFIGURATION = 0x010, STATUS = 0x020, COUNTER = 0x0F0, TIMER = 0x100, COMPARATOR = 0x108 };
enum { ENABLE = 1, LEGACY = 2 };
enum { LEVEL = 2, INTERRUPTS = 4, PERIODIC = 8, SET_VALUE = 0x40, NARROWED = 0x100 };

const char test_name[] = "hpet";

static uint32_t base, hz;
static uint64_t early_by_ns; /* the control: as if it had been started that much later */
static volatile uint32_t fired, early, stop_at;
static volatile uint64_t start_tsc, fired_tsc, period_ns;
static volatile bool is_level;

static uint32_t get(uint32_t at)
{
	return peek(base + at);
}

static void set(uint32_t at, uint32_t value)
{
	poke(base + at, value);
}

static void on_timer(void)
{
	fired_tsc = rdtsc();
	fired++;
	early += fired_tsc - start_tsc < fired * period_ns + early_by_ns;
	if (is_level)
		set(STATUS, 1);
	if (fired == stop_at)
		set(CONFIGURATION, 0);
}

static bool find(void)
{
	const uint8_t *table = acpi_table("HPET");

	if (!report(table, "ACPI has an HPET table"))
		return false;
	base = *(const uint32_t *)(table + 44);
	hz = (uint32_t)(FS_PER_SECOND / get(PERIOD));
	report(*(const uint32_t *)(table + 36) == get(CAPABILITIES) && (get(CAPABILITIES) >> 8 & 31) >= 2,
	       "the table's block is the register's: %x, %u comparators, %u Hz", get(CAPABILITIES), (get(CAPABILITIES) >> 8 & 31) + 1, hz);
	return true;
}

static void stop(void)
{
	set(TIMER, 0);
	set(CONFIGURATION, 0);
	set(STATUS, 1);
}

static void counts(void)
{
	uint32_t reads = share(100000), backward = 0, wrong = 0, first, last;
	uint64_t began, started;

	set(CONFIGURATION, 0);
	set(COUNTER, 0);
	set(COUNTER + 4, 0);
	began = rdtsc();
	set(CONFIGURATION, ENABLE);
	started = rdtsc();
	last = first = get(COUNTER);
	for (uint32_t i = 0; i < reads; i++) {
		uint64_t before = rdtsc(), after;
		uint32_t now = get(COUNTER) - (early_by_ns && i == reads / 2 ? 1000000 : 0);

		after = rdtsc();
		backward += (int32_t)(now - last) < 0;
		/* where 32 bits do not wrap meanwhile */
		if (after - began < 4 * NS_PER_SECOND)
			wrong += now + 2 < ticks_floor(before - started, hz) || now > ticks_ceil(after - began, hz) + 2;
		last = now;
	}
	report(!backward && !wrong, "%u reads, %u of them backward, %u not in step with the TSC", reads, backward, wrong);
	set(CONFIGURATION, 0);
	first = get(COUNTER);
	sleep_us(100);
	last = get(COUNTER);
	set(CONFIGURATION, ENABLE);
	report(first == last && get(COUNTER) - last < 0x80000000, "halted it stands, and goes on from there: %x, %x", first, last);
}

/* A time that is long against an exit, at any rate, in ticks. */
static uint32_t some_ticks(void)
{
	uint64_t ns = 60 * port_cost_ns();

	ns = ns < 20000 ? 20000 : ns > 400000000 ? 400000000 : ns;
	return (uint32_t)ticks_ceil(ns, hz);
}

static void start(uint32_t irq, uint32_t flags, uint32_t general, uint32_t ticks)
{
	set(CONFIGURATION, 0);
	set(COUNTER, 0);
	set(COUNTER + 4, 0);
	set(TIMER, flags | INTERRUPTS | NARROWED | irq << 9);
	set(COMPARATOR, ticks);
	is_level = flags & LEVEL;
	fired = early = 0;
	period_ns = (uint64_t)ticks * NS_PER_SECOND / hz;
	start_tsc = rdtsc();
	set(CONFIGURATION, ENABLE | general);
}

static void one_shot(uint32_t irq, uint32_t flags, uint32_t general, const char *words)
{
	uint32_t ticks = some_ticks();

	start(irq, flags, general, ticks);
	while (!fired && rdtsc() - start_tsc < 8 * period_ns + NS_PER_MS)
		sti_nop_cli();
	report(fired == 1 && !early, "one-shot, %s: %u interrupts, %u early, %u us late", words, fired, early,
	       (uint32_t)((fired_tsc - start_tsc - period_ns) / 1000));
	while (rdtsc() - start_tsc < 10 * period_ns)
		sti_nop_cli();
	report(fired == 1, "%s: and no more: %u", words, fired);
	stop();
}

static void periodic(uint32_t irq, uint32_t flags, uint32_t general, const char *words)
{
	uint64_t stopped_tsc, started_tsc;
	uint32_t ticks = some_ticks(), least;

	start(irq, flags | PERIODIC | SET_VALUE, general, ticks);
	started_tsc = rdtsc();
	while (fired < PERIODS && rdtsc() - start_tsc < 8 * PERIODS * period_ns)
		sti_nop_cli();
	stopped_tsc = rdtsc();
	stop();
	least = (uint32_t)((stopped_tsc - started_tsc) / (period_ns + 1));
	/* QEMU's come faster than the period: 21 in the time of 13. */
	report_but_qemu(fired >= PERIODS && fired + 1 >= least && !early, "periodic, %s: %u interrupts in %u periods, %u early", words, fired, least, early);
}

/* The RTC and PIT have their lines back after it. */
static void pit_is_back(void)
{
	uint32_t before = irq_counts[0];

	irq_handlers[0] = 0;
	pit_program(0, PIT_BOTH, 0, false, 100);
	irq_mask(0, false);
	for (uint64_t began = rdtsc(); irq_counts[0] == before && rdtsc() - began < NS_PER_SECOND;)
		sti_nop_cli();
	irq_mask(0, true);
	report(irq_counts[0] == before + 1, "the PIT has IRQ 0 again: %u", irq_counts[0] - before);
}

static void timers(void)
{
	bool routed = get(TIMER + 4) >> ROUTED_IRQ & 1;

	irq_handlers[0] = irq_handlers[ROUTED_IRQ] = on_timer;
	irq_mask(0, false);
	one_shot(0, 0, LEGACY, "for the PIT");
	periodic(0, 0, LEGACY, "for the PIT");
	irq_mask(0, true);
	if (routed) {
		irq_mask(ROUTED_IRQ, false);
		one_shot(ROUTED_IRQ, 0, 0, "edges on IRQ 11");
		periodic(ROUTED_IRQ, 0, 0, "edges on IRQ 11");
		outb(0x4D1, (uint8_t)(inb(0x4D1) | 1u << (ROUTED_IRQ - 8)));
		one_shot(ROUTED_IRQ, LEVEL, 0, "levels on IRQ 11");
		periodic(ROUTED_IRQ, LEVEL, 0, "levels on IRQ 11");
		outb(0x4D1, (uint8_t)(inb(0x4D1) & ~(1u << (ROUTED_IRQ - 8))));
		irq_mask(ROUTED_IRQ, true);
	} else {
		report_skip("IRQ 11, to which this bed's HPET cannot be routed");
	}
	pit_is_back();
}

/* One read of the capabilities into a register that the instruction's second byte says: mov 0(%ecx), %eax or %edx. */
static uint8_t code[] = { 0x31, 0xC0, 0x31, 0xD2, 0x8B, 0x01, 0xC3 };

static uint64_t run_code(void)
{
	uint64_t both;

	__asm__ volatile("call *%1" : "=&A"(both) : "r"((void *)code), "c"(base) : "memory", "cc");
	return both;
}

static void instructions(void)
{
	uint32_t capabilities = get(CAPABILITIES), wrong = 0, low = 0, high = 0, from, to;
	uint16_t word;
	uint8_t byte;

	for (unsigned i = 0; i < 100; i++) {
		((volatile uint8_t *)code)[5] = i & 1 ? 0x11 : 0x01;
		wrong += run_code() != (i & 1 ? (uint64_t)capabilities << 32 : capabilities);
	}
	report(!wrong, "an instruction whose bytes change is what it now is: %u of 100 wrong", wrong);
	__asm__ volatile("movl (%2), %0\n\txorl %1, %1\n\torl 4(%2), %1" : "=&r"(low), "=&r"(high) : "r"(base) : "memory", "cc");
	report(low == capabilities && high == get(PERIOD), "MOV and OR: %x %x", low, high);
	__asm__ volatile("movb 2(%2), %0\n\tmovw 2(%2), %1" : "=&q"(byte), "=&r"(word) : "r"(base) : "memory");
	report_but_qemu(byte == 0x86 && word == 0x8086, "a byte and a word of a register: %x %x", byte, word);
	from = base + PERIOD;
	to = base + COMPARATOR;
	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	report(get(COMPARATOR) == high && from == base + PERIOD + 4 && to == base + COMPARATOR + 4, "MOVS from one register to another: %x",
	       get(COMPARATOR));
	set(CAPABILITIES, 0);
	set(PERIOD, 0);
	report(get(CAPABILITIES) == capabilities && get(PERIOD) == high, "the capabilities cannot be written");
}

/* Every odd value, and a period of one tick: the guest goes on. */
static void storm(void)
{
	static const uint32_t values[] = { 0, 1, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF };
	uint32_t went_on = 0;

	if (on_plain_qemu()) {
		report_skip("periods of a few ns, which QEMU does not survive");
		return;
	}
	irq_handlers[0] = on_timer;
	irq_mask(0, false);
	stop_at = 500; /* it leaves the guest no instruction of its own between two interrupts */
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
		start(0, PERIODIC | SET_VALUE, LEGACY, values[i]);
		for (unsigned n = 0; n < 1000; n++)
			sti_nop_cli();
		stop();
		went_on++;
	}
	irq_mask(0, true);
	report(went_on == sizeof values / sizeof values[0], "%u odd periods, and the guest goes on", went_on);
}

void test_main(void)
{
	early_by_ns = option_number("control", 0) ? NS_PER_SECOND : 0;
	if (!find())
		return;
	counts();
	timers();
	instructions();
	storm();
}
