/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The I/O APIC (Intel 82093AA, order number 290566) and its wiring in a PC (ACPI 6.5 5.2.12): registers, the PIT on pin 2 and the RTC on pin 8
 * at their rates, edges that a mask loses, levels with their remote IRR, polarity, delivery modes, ExtINT from the 8259A pair. Source of levels:
 * the UART's "transmitter empty" (IRQ 4); with how=sci the PM timer's carry (IRQ 9), for which the guest's time has to go fast. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/lapic.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define IOAPIC 0xFEC00000u
#define PINS 24u
#define ID 0u
#define VERSION 1u
#define MASKED 0x10000u
#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u
#define ACTIVE_LOW 0x2000u
#define SEND_PENDING 0x1000u
#define MODE(m) ((uint32_t)(m) << 8)
#define EXTINT 7

#define PIN_INT 0
#define PIN_PIT 2
#define PIN_UART 4
#define PIN_RTC 8
#define PIN_SCI 9
#define VECTOR_PIT 0x40u
#define VECTOR_UART 0x51u
#define VECTOR_RTC 0x62u
#define VECTOR_SCI 0x73u

#define COM1 0x3F8
#define TICKS 50u
#define PIT_COUNT 1193u /* a millisecond */
#define PM1_TMR 1u

const char test_name[] = "ioapic";

static uint32_t get(uint32_t index)
{
	poke(IOAPIC, index);
	return peek(IOAPIC + 0x10);
}

static void set(uint32_t index, uint32_t value)
{
	poke(IOAPIC, index);
	poke(IOAPIC + 0x10, value);
}

static uint32_t entry(unsigned pin)
{
	return get(0x10 + 2 * pin);
}

static void program(unsigned pin, uint32_t low)
{
	set(0x10 + 2 * pin, MASKED);
	set(0x11 + 2 * pin, 0);
	set(0x10 + 2 * pin, low);
}

static void end(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* Takes what waits; returns how many of this vector came. */
static uint32_t take(uint32_t vector)
{
	uint32_t before = vector_counts[vector];

	sti_nop_cli();
	return vector_counts[vector] - before;
}

static void registers(void)
{
	uint32_t wrong = 0;

	report_but_qemu(get(VERSION) == 0x00170011, "24 pins, version 11h: %x", get(VERSION));
	set(ID, 0x05000000);
	report(get(ID) == 0x05000000, "the ID can be set: %x", get(ID));
	report(get(2) == 0x05000000, "and is the arbitration ID: %x", get(2));
	set(ID, 0x01000000);
	for (unsigned pin = 0; pin < PINS; pin++) {
		set(0x11 + 2 * pin, 0xFFFFFFFF);
		set(0x10 + 2 * pin, 0xFFFFFFFF);
		wrong += get(0x11 + 2 * pin) >> 24 != 0xFF || (entry(pin) & ~REMOTE_IRR) != 0x1AFFF;
		set(0x10 + 2 * pin, MASKED);
		wrong += entry(pin) != MASKED;
		set(0x11 + 2 * pin, 0);
	}
	report(!wrong, "each entry keeps its writable bits and no others");
	for (uint32_t index = 3; index < 0x100; index += index == 0xF ? 0x31 : 1)
		wrong += get(index) != 0;
	report(!wrong, "other indices read 0");
}

/* As an operating system that uses the APICs: the 8259A pair masked, and its way through LINT0 closed. */
static void use_apics(void)
{
	lapic_enable();
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
	pic_init();
}

static void pit_one_shot(void)
{
	uint64_t start = rdtsc();

	pit_program(0, PIT_BOTH, 0, false, 2);
	while (pit_read(0) <= 2 && rdtsc() - start < 10 * NS_PER_MS)
		;
}

static void pit_ticks(void)
{
	uint64_t first = 0, last = 0, late_ns = 2 * NS_PER_MS + 4 * port_cost_ns();
	uint32_t seen = 0;

	program(PIN_PIT, VECTOR_PIT);
	pit_program(0, PIT_BOTH, 2, false, PIT_COUNT);
	while (seen <= TICKS) {
		uint32_t before = vector_counts[VECTOR_PIT];

		sti_hlt_cli();
		last = rdtsc();
		first = first ? first : last;
		seen += vector_counts[VECTOR_PIT] - before;
		end();
	}
	program(PIN_PIT, MASKED);
	report(ticks_floor(last - first + late_ns, PIT_HZ) >= TICKS * PIT_COUNT, "no tick of the PIT on pin 2 comes early: %u in %llu ns", TICKS,
	       last - first);
	report(ticks_floor(last - first, PIT_HZ) <= TICKS * PIT_COUNT + ticks_ceil(late_ns, PIT_HZ), "nor is one lost: %u in %llu ns", TICKS,
	       last - first);
	pit_program(0, PIT_BOTH, 0, false, 0);
	lapic_end_all();
}

/* The 8259A keeps an edge that meets its mask, the IOAPIC does not. */
static void masked_edges(void)
{
	bool control = option_number("control", 0);

	program(PIN_PIT, VECTOR_PIT | MASKED);
	if (control) /* the control: an edge that is not masked must be seen */
		program(PIN_PIT, VECTOR_PIT);
	pit_one_shot();
	program(PIN_PIT, VECTOR_PIT);
	report(take(VECTOR_PIT) == 0, "an edge at a masked pin is lost");
	if (control)
		end();
	pit_one_shot();
	report(take(VECTOR_PIT) == 1, "the next one comes");
	end();
	report(take(VECTOR_PIT) == 0, "once");
	program(PIN_PIT, MASKED);
}

static void rtc_ticks(void)
{
	uint32_t before = vector_counts[VECTOR_RTC], flags = 0;

	program(PIN_RTC, VECTOR_RTC);
	rtc_write(0x0A, 0x26); /* 1024 Hz */
	rtc_write(0x0B, (uint8_t)(rtc_read(0x0B) | 0x40));
	rtc_read(0x0C);
	for (unsigned i = 0; i < 5; i++) {
		sti_hlt_cli();
		flags |= rtc_read(0x0C);
		end();
	}
	report(vector_counts[VECTOR_RTC] - before == 5 && flags & 0x40, "five ticks of the RTC on pin 8: %u", vector_counts[VECTOR_RTC] - before);
	rtc_write(0x0B, rtc_read(0x0B) & 0xBF);
	rtc_read(0x0C);
	program(PIN_RTC, MASKED);
	lapic_end_all();
}

static void raise_uart(void)
{
	print_drain();
	outb(COM1 + 4, 0x0B);
	outb(COM1 + 1, 0x02);
}

static void lower_uart(void)
{
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	outb(COM1 + 4, 0x03);
}

static void levels(void)
{
	uint32_t first, second, third, in_service, ended, after;

	program(PIN_UART, VECTOR_UART | LEVEL);
	raise_uart();
	first = take(VECTOR_UART);
	in_service = entry(PIN_UART);
	end();
	second = take(VECTOR_UART);
	lower_uart();
	ended = entry(PIN_UART);
	end();
	after = entry(PIN_UART);
	third = take(VECTOR_UART);
	report(first == 1 && in_service & REMOTE_IRR, "a level sets the remote IRR: %u, %x", first, in_service);
	report(second == 1, "after its EOI it comes again while it lasts: %u", second);
	report(ended & REMOTE_IRR && !(after & REMOTE_IRR) && third == 0, "and the EOI after its end is the end: %x %x, %u", ended, after, third);
	program(PIN_UART, VECTOR_UART | LEVEL | MASKED);
	raise_uart();
	first = take(VECTOR_UART);
	set(0x10 + 2 * PIN_UART, VECTOR_UART | LEVEL);
	second = take(VECTOR_UART);
	lower_uart();
	end();
	report(first == 0 && second == 1, "a mask holds a level back: %u, %u", first, second);
}

/* How an operating system ends a level where there is no EOI register: masked and edge, then as before. */
static void end_by_trigger_mode(void)
{
	uint32_t edge, again;

	program(PIN_UART, VECTOR_UART | LEVEL);
	raise_uart();
	take(VECTOR_UART);
	set(0x10 + 2 * PIN_UART, VECTOR_UART | MASKED);
	edge = entry(PIN_UART);
	lower_uart();
	set(0x10 + 2 * PIN_UART, VECTOR_UART | LEVEL);
	again = entry(PIN_UART);
	end();
	report(!(edge & REMOTE_IRR) && !(again & REMOTE_IRR), "a change to edge clears the remote IRR: %x %x", edge, again);
	program(PIN_UART, MASKED);
}

static void polarity(void)
{
	uint32_t low, high;

	lower_uart();
	program(PIN_UART, VECTOR_UART | LEVEL | ACTIVE_LOW);
	low = take(VECTOR_UART);
	raise_uart();
	end();
	high = take(VECTOR_UART);
	program(PIN_UART, MASKED);
	lower_uart();
	report_but_qemu(low == 1 && high == 0, "an active-low pin asks while its line is low: %u %u", low, high);
	lapic_end_all();
}

/* The pin's levels wait for a local APIC that is disabled, its edges do not. */
static void nobody_listens(void)
{
	uint32_t status, edges, level;

	program(PIN_PIT, VECTOR_PIT);
	program(PIN_UART, VECTOR_UART | LEVEL);
	lapic_write(LAPIC_SVR, LAPIC_SPURIOUS);
	raise_uart();
	pit_one_shot();
	status = entry(PIN_UART);
	lapic_write(LAPIC_SVR, LAPIC_SPURIOUS | LAPIC_ENABLE);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
	edges = vector_counts[VECTOR_PIT];
	level = take(VECTOR_UART);
	edges = vector_counts[VECTOR_PIT] - edges;
	lower_uart();
	end();
	report_but_qemu(status & SEND_PENDING && level == 1, "a level waits for a local APIC that is off: %x, %u", status, level);
	report(edges == 0, "an edge does not: %u", edges);
	program(PIN_PIT, MASKED);
	program(PIN_UART, MASKED);
}

static uint32_t all_vectors(void)
{
	uint32_t all = 0;

	for (unsigned vector = 0x30; vector < 0x100; vector++)
		all += vector_counts[vector];
	return all;
}

/* SMI, the two reserved modes, NMI: none of them is an interrupt with a vector, and the guest lives on. */
static void modes(void)
{
	static const uint8_t odd[] = { 2, 3, 4, 6 };
	uint32_t before, lowest;

	program(PIN_PIT, VECTOR_PIT | MODE(1));
	pit_one_shot();
	lowest = take(VECTOR_PIT);
	end();
	report(lowest == 1, "lowest priority comes as fixed does: %u", lowest);
	before = all_vectors();
	for (unsigned i = 0; i < sizeof odd && !on_plain_qemu(); i++)
		for (unsigned level = 0; level <= 1; level++) {
			program(PIN_PIT, VECTOR_PIT | MODE(odd[i]) | (level ? LEVEL : 0));
			pit_one_shot();
			sti_nop_cli();
		}
	report(all_vectors() == before, "SMI, NMI and the reserved modes make no vector");
	set(0x10 + 2 * PIN_PIT, MASKED);
	set(0x11 + 2 * PIN_PIT, 0x05000000);
	set(0x10 + 2 * PIN_PIT, VECTOR_PIT);
	pit_one_shot();
	report(take(VECTOR_PIT) == 0, "nothing comes for another processor");
	for (unsigned vector = 0; vector < 16; vector++) {
		program(PIN_PIT, vector);
		pit_one_shot();
		sti_nop_cli();
	}
	lapic_write(LAPIC_ESR, 0);
	report_but_qemu(lapic_read(LAPIC_ESR) & 0x40, "vectors below 16 are an error, and no exception: %x", lapic_read(LAPIC_ESR));
	program(PIN_PIT, MASKED);
}

/* The 8259A pair's INT is at pin 0: as ExtINT its own vectors come through. */
static void extint(void)
{
	uint32_t before = irq_counts[0];

	irq_mask(0, false);
	pit_one_shot();
	sti_nop_cli();
	report(irq_counts[0] == before, "nothing of the 8259A pair comes through while LINT0 and pin 0 are masked");
	program(PIN_INT, MODE(EXTINT));
	sti_nop_cli();
	report_but_qemu(irq_counts[0] == before + 1, "through pin 0 as ExtINT it does, by its own vector: %u", irq_counts[0] - before);
	program(PIN_INT, MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_EXTINT);
	before = irq_counts[0];
	pit_one_shot();
	sti_nop_cli();
	report(irq_counts[0] != before, "and through LINT0");
	irq_mask(0, true);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
}

/* The PM timer's carry, on a line that is level-triggered, active high: what the MADT says of it. */
static void sci(void)
{
	uint16_t status = acpi.pm1_event_port, enable = (uint16_t)(acpi.pm1_event_port + 2);
	uint32_t again;

	outw(status, PM1_TMR);
	program(PIN_SCI, VECTOR_SCI | LEVEL);
	outw(enable, PM1_TMR);
	while (!vector_counts[VECTOR_SCI])
		sti_hlt_cli();
	report(inw(status) & PM1_TMR && entry(PIN_SCI) & REMOTE_IRR, "the SCI comes at pin 9 when the PM timer carries: %x", entry(PIN_SCI));
	end();
	again = take(VECTOR_SCI);
	report(again == 1, "and again until the status is cleared: %u", again);
	outw(status, PM1_TMR);
	end();
	report(take(VECTOR_SCI) == 0 && !(entry(PIN_SCI) & REMOTE_IRR), "then no more: %x", entry(PIN_SCI));
	outw(enable, 0);
}

void test_main(void)
{
	clocks_init();
	registers();
	use_apics();
	if (option_is("how", "sci")) {
		sci();
		return;
	}
	pit_ticks();
	masked_edges();
	rtc_ticks();
	levels();
	end_by_trigger_mode();
	polarity();
	nobody_listens();
	modes();
	extint();
}
