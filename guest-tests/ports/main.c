/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ports: what no device claims reads all ones and ignores writes, at every width; the PCI latch at CF8h with
 * nothing behind it; string instructions on ports, forward, backward, with a count of 0, and interrupted (APM 3
 * "INS", "OUTS"; PCI 3.0 3.2.2.3.2). */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define SCRATCH 0x3FF /* COM1's scratch register: a byte that keeps its value */
#define UNCLAIMED 0x300

const char test_name[] = "ports";

static const struct {
	uint16_t first, last;
} claimed[] = {
	{ 0x20, 0x21 }, { 0x40, 0x43 }, { 0x60, 0x64 }, { 0x70, 0x73 }, { 0x92, 0x92 }, { 0xA0, 0xA1 }, { 0xF4, 0xF7 },
	{ 0x3F8, 0x3FF }, { 0x4D0, 0x4D1 }, { 0xCF8, 0xCFF },
};

static bool overlaps(uint32_t port, uint32_t bytes, uint32_t first, uint32_t last)
{
	return port <= last && port + bytes > first;
}

static bool is_claimed(uint32_t port, uint32_t bytes)
{
	for (unsigned i = 0; i < sizeof claimed / sizeof claimed[0]; i++)
		if (overlaps(port, bytes, claimed[i].first, claimed[i].last))
			return true;
	return overlaps(port, bytes, acpi.pm1_event_port, acpi.pm1_event_port + 3u) ||
	       overlaps(port, bytes, acpi.pm1_control_port, acpi.pm1_control_port + 1u) ||
	       overlaps(port, bytes, acpi.pm_timer_port, acpi.pm_timer_port + 3u);
}

static bool all_ones(uint16_t port, uint32_t bytes)
{
	if (bytes == 1)
		return inb(port) == 0xFF;
	return bytes == 2 ? inw(port) == 0xFFFF : inl(port) == 0xFFFFFFFF;
}

static void write_junk(uint16_t port, uint32_t bytes)
{
	if (bytes == 1)
		outb(port, 0x5A);
	else if (bytes == 2)
		outw(port, 0x5A5A);
	else
		outl(port, 0x5A5A5A5A);
}

static void sweep(uint32_t bytes, uint32_t step)
{
	uint32_t wrong = 0, tried = 0, example = 0;

	for (uint32_t port = 0; port + bytes <= 65536; port += port < 0x1000 && bytes == 1 ? 1 : step) {
		if (is_claimed(port, bytes) && !(option_number("control", 0) && port == SCRATCH))
			continue; /* the control: a port that does answer must be seen */
		tried++;
		write_junk((uint16_t)port, bytes);
		if (!all_ones((uint16_t)port, bytes)) {
			wrong++;
			example = port;
		}
	}
	report(!wrong, "%u unclaimed ports, %u bytes wide: %u answer (%x)", tried, bytes, wrong, example);
}

static void pci_latch(void)
{
	outl(0xCF8, 0x80001234);
	outb(0xCF8, 0xFF);
	report(inl(0xCF8) == 0x80001234, "CF8h is a latch of double words: %x", inl(0xCF8));
	report(inl(0xCFC) == 0xFFFFFFFF, "no PCI device answers: %x", inl(0xCFC));
	outl(0xCF8, 0);
}

static uint8_t buffer[64];

/* INS or OUTS of bytes with REP; returns what is left of the count, and where the index register came to. */
static uint32_t rep_insb(uint16_t port, uint8_t *to, uint32_t count, bool backward, uint8_t **end)
{
	if (backward)
		__asm__ volatile("std\n\trep insb\n\tcld" : "+D"(to), "+c"(count) : "d"(port) : "memory", "cc");
	else
		__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
	*end = to;
	return count;
}

static uint32_t rep_outsb(uint16_t port, const uint8_t *from, uint32_t count, const uint8_t **end)
{
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
	*end = from;
	return count;
}

static void strings(void)
{
	const uint8_t *from;
	uint8_t *end;
	unsigned wrong = 0;

	outb(SCRATCH, 0x3C);
	report(rep_insb(SCRATCH, buffer + 8, 16, false, &end) == 0 && end == buffer + 24,
	       "REP INSB counts down and moves on");
	for (unsigned i = 0; i < 64; i++)
		wrong += buffer[i] != (i >= 8 && i < 24 ? 0x3C : 0);
	report(!wrong, "it fills its 16 bytes and no others: %u wrong", wrong);
	rep_insb(UNCLAIMED, buffer + 40, 4, true, &end);
	report(end == buffer + 36 && buffer[40] == 0xFF && buffer[37] == 0xFF && !buffer[36] && !buffer[41],
	       "REP INSB backward from an unclaimed port: all ones");
	rep_insb(SCRATCH, buffer, 0, false, &end);
	report(end == buffer && !buffer[0], "a count of 0 does nothing");
	buffer[0] = 1;
	buffer[7] = 0x77;
	report(rep_outsb(SCRATCH, buffer, 8, &from) == 0 && from == buffer + 8 && inb(SCRATCH) == 0x77,
	       "REP OUTSB ends with the last byte");
}

static void string_widths(void)
{
	uint32_t words[4] = { 0 };
	void *end = words;
	uint32_t count = 2;

	outl(0xCF8, 0x80000000);
	__asm__ volatile("rep insl" : "+D"(end), "+c"(count) : "d"((uint16_t)0xCF8) : "memory");
	report(!count && words[0] == 0x80000000 && words[1] == 0x80000000 && !words[2],
	       "REP INSD moves double words: %x", words[0]);
	end = words;
	count = 3;
	__asm__ volatile("rep insw" : "+D"(end), "+c"(count) : "d"((uint16_t)UNCLAIMED) : "memory");
	report(!count && words[0] == 0xFFFFFFFF && words[1] == 0x8000FFFF, "REP INSW moves words: %x %x", words[0],
	       words[1]);
	outl(0xCF8, 0);
}

/* A long REP OUTS is interrupted and goes on where it was. */
static void restarts(void)
{
	static uint8_t bytes[4096];
	const uint8_t *from;
	uint32_t before = irq_counts[0], left;
	uint64_t start = rdtsc(), took;

	pit_program(0, PIT_BOTH, 0, false, 24);
	irq_mask(0, false);
	bytes[4095] = 0x42;
	sti();
	left = rep_outsb(SCRATCH, bytes, sizeof bytes, &from);
	cli();
	took = rdtsc() - start;
	irq_mask(0, true);
	if (took < 24 * NS_PER_SECOND / PIT_HZ)
		report_skip("4096 OUTS took only %llu ns: no interrupt can have come", took);
	else
		report(irq_counts[0] == before + 1, "an interrupt came during REP OUTSB");
	report(!left && from == bytes + 4096 && inb(SCRATCH) == 0x42, "REP OUTSB of 4096 bytes is complete");
}

static void bad_strings(void)
{
	uint32_t wide = 0xFFFFFFFE; /* the last two bytes of the address space, and then address 0 */
	uint32_t old = peek(0x500);
	void *to = (void *)0x500;
	uint32_t count = 4;

	__asm__ volatile("addr16 rep insb" : "+D"(to), "+c"(count) : "d"((uint16_t)UNCLAIMED) : "memory");
	report(peek(0x500) == 0xFFFFFFFF && (uint32_t)to == 0x504, "16-bit addresses: %x", peek(0x500));
	poke(0x500, old);
	count = 2;
	to = (void *)wide;
	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"((uint16_t)UNCLAIMED) : "memory");
	report(!count, "INS to where no memory is ends");
}

void test_main(void)
{
	sweep(1, share(100) >= 100 ? 1 : 101);
	sweep(2, share(100) >= 100 ? 1 : 103);
	sweep(4, share(100) >= 100 ? 1 : 107);
	pci_latch();
	strings();
	string_widths();
	restarts();
	bad_strings();
}
