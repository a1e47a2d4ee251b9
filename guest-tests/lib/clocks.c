/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Clocks of test guests: TSC brackets, PM timer (ACPI 6.4 4.8.3.3), PIT (Intel 8254), waiting. */
#include "guest-tests/lib/clocks.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"

#define PIT_CONTROL 0x43
#define PORT_61 0x61
#define P61_GATE2 0x01
#define P61_SPEAKER 0x02
#define P61_OUT2 0x20
#define SLEEP_COUNT_MOST 60000u

struct acpi_facts acpi;

static volatile bool sleep_over;

void clocks_init(void)
{
	acpi_find(&acpi);
}

uint64_t ticks_floor(uint64_t ns, uint32_t hz)
{
	return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

uint64_t ticks_ceil(uint64_t ns, uint32_t hz)
{
	return ns / NS_PER_SECOND * hz + (ns % NS_PER_SECOND * hz + NS_PER_SECOND - 1) / NS_PER_SECOND;
}

bool ticks_agree(const struct sample *start, const struct sample *end, uint64_t ticks, uint32_t hz, uint64_t slack)
{
	uint64_t least = end->before > start->after ? ticks_floor(end->before - start->after, hz) : 0;
	uint64_t most = ticks_ceil(end->after - start->before, hz);

	return ticks + slack >= least && ticks <= most + slack;
}

static uint64_t port_read_ns(void)
{
	uint64_t before = rdtsc();

	inb(PORT_61);
	return rdtsc() - before;
}

uint64_t port_cost_ns(void)
{
	uint64_t most = 0;

	for (int i = 0; i < 8; i++) {
		uint64_t cost = port_read_ns();

		most = cost > most ? cost : most;
	}
	return most;
}

uint64_t port_cost_least_ns(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t cost = port_read_ns();

		least = cost < least ? cost : least;
	}
	return least;
}

void pit_program(unsigned channel, enum pit_access access, unsigned mode, bool bcd, uint16_t count)
{
	outb(PIT_CONTROL, (uint8_t)(channel << 6 | access | mode << 1 | bcd));
	if (access & PIT_LSB)
		outb((uint16_t)(0x40 + channel), (uint8_t)count);
	if (access & PIT_MSB)
		outb((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

uint16_t pit_read(unsigned channel)
{
	return (uint16_t)pit_sample(channel).value;
}

struct sample pit_sample(unsigned channel)
{
	struct sample s;
	uint16_t port = (uint16_t)(0x40 + channel);

	s.before = rdtsc();
	outb(PIT_CONTROL, (uint8_t)(channel << 6 | PIT_LATCH));
	s.after = rdtsc();
	s.value = inb(port);
	s.value |= (uint64_t)inb(port) << 8;
	return s;
}

void pit_gate2(bool high)
{
	outb(PORT_61, (uint8_t)((inb(PORT_61) & 0x0C) | (high ? P61_GATE2 : 0)));
}

bool pit_out2(void)
{
	return inb(PORT_61) & P61_OUT2;
}

uint32_t pit_elapsed(uint16_t value, uint32_t period)
{
	return value == period ? 0 : period - (value ? value : 65536u);
}

static void end_sleep(void)
{
	sleep_over = true;
}

/* One stretch of a sleep: until channel 0 has counted down, or *count changes. */
static void sleep_stretch(uint16_t pit_ticks, const volatile uint32_t *count, uint32_t old)
{
	sleep_over = false;
	pit_program(0, PIT_BOTH, 0, false, pit_ticks);
	while (!sleep_over && (!count || *count == old))
		sti_hlt_cli();
}

static bool sleep_core(const volatile uint32_t *count, uint32_t old, uint32_t us)
{
	uint64_t until = rdtsc() + us * NS_PER_US, now;
	void (*handler)(void) = irq_handlers[0];

	irq_mask(0, true);
	pit_program(0, PIT_BOTH, 0, false, 0); /* OUT goes low: no edge is pending */
	irq_handlers[0] = end_sleep;
	irq_mask(0, false);
	while ((now = rdtsc()) < until && !(count && *count != old)) {
		uint64_t ticks = ticks_ceil(until - now, PIT_HZ) + 1;

		sleep_stretch((uint16_t)(ticks < SLEEP_COUNT_MOST ? ticks : SLEEP_COUNT_MOST), count, old);
	}
	irq_mask(0, true);
	irq_handlers[0] = handler;
	return count && *count != old;
}

void sleep_us(uint32_t us)
{
	sleep_core(0, 0, us);
}

bool sleep_until_changed(const volatile uint32_t *count, uint32_t old, uint32_t us)
{
	return sleep_core(count, old, us);
}

uint32_t pm_timer_read(void)
{
	return inl(acpi.pm_timer_port);
}

uint32_t pm_timer_ticks(uint32_t start, uint32_t end)
{
	return (end - start) & (acpi.pm_timer_32bit ? 0xFFFFFFFFu : 0xFFFFFFu);
}
