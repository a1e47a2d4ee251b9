/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ways in which a guest ends: how=cf9, keyboard, port92, acpi (the FADT's reset register), triple, stack and
 * gdt (they are where no memory is, so that no exception can be delivered), s5, fail, nothing. Each must end the
 * run at once and with its own status; a guest that is still there a second later says so and fails. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define PM1_SLP_EN (1u << 13)

const char test_name[] = "endings";

static void triple_fault(void)
{
	const uint8_t no_table[6] = { 0 };

	__asm__ volatile("lidt %0\n\tud2" : : "m"(no_table));
}

static void stack_in_hole(void)
{
	__asm__ volatile("mov $0xb0000, %%esp\n\tpush $1\n\tud2" : : : "memory");
}

static void gdt_in_hole(void)
{
	static const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdtr = { 0xFFFF, 0xB0000 };

	__asm__ volatile("lgdt %0\n\tud2" : : "m"(gdtr));
}

static void power_off(void)
{
	report(acpi.s5_known, "\\_S5 is in the DSDT");
	print_drain();
	outw(acpi.pm1_control_port, (uint16_t)((uint32_t)acpi.s5_type << 10 | PM1_SLP_EN));
}

static void by_acpi(void)
{
	report(acpi.reset_port, "the FADT has a reset register: %x := %x", acpi.reset_port, acpi.reset_value);
	print_drain();
	outb(acpi.reset_port, acpi.reset_value);
}

/* Values that are near those that reset, and must not. */
static void near_misses(void)
{
	uint8_t fast = inb(0x92);

	outb(0xCF9, 0x02);
	outb(0xCF9, 0x00);
	outb(0x64, 0xD1);
	outb(0x60, 0xDF);
	outb(0x92, fast & 0xFE);
	outw(acpi.pm1_control_port, (uint16_t)(inw(acpi.pm1_control_port) & ~PM1_SLP_EN));
	report(true, "what is no reset does not reset");
	print_drain();
}

void test_main(void)
{
	if (!option_is("how", "fail"))
		near_misses();
	if (option_is("how", "cf9")) {
		outb(0xCF9, 0x02);
		outb(0xCF9, 0x06);
	} else if (option_is("how", "keyboard")) {
		outb(0x64, 0xFE);
	} else if (option_is("how", "port92")) {
		outb(0x92, inb(0x92) | 1);
	} else if (option_is("how", "acpi")) {
		by_acpi();
	} else if (option_is("how", "triple")) {
		triple_fault();
	} else if (option_is("how", "stack")) {
		stack_in_hole();
	} else if (option_is("how", "gdt")) {
		gdt_in_hole();
	} else if (option_is("how", "s5")) {
		power_off();
	} else if (option_is("how", "fail")) {
		outb(0xF4, 7);
	} else {
		return;
	}
	sleep_us(1000000);
	report(false, "the guest is still there after a second");
}
