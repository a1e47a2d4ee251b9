/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ways out of the machine. */
#include "host/power.h"

#include "host/cpu.h"
#include "host/memory.h"
#include "host/message.h"
#include "host/serial.h"

#define PM1_SLP_EN (1u << 13) /* ACPI 6.4 4.8.3.2.1 */
#define PM1_SLP_TYP_SHIFT 10
#define PM1_KEPT 0x0203u      /* SCI_EN, BM_RLD, GBL_RLS side of the register stays as it is */

static uint16_t exit_port;
static struct acpi_machine machine;

void power_set_exit_port(uint16_t port)
{
	exit_port = port;
}

void power_use_acpi(const struct acpi_machine *acpi)
{
	machine = *acpi;
}

static void send_all(void)
{
	serial_drain(&serial_com1);
	serial_drain(&serial_com2);
}

static _Noreturn void stand_still(void)
{
	for (;;) {
		cpu_cli();
		cpu_hlt();
	}
}

void host_stop(unsigned status)
{
	send_all();
	if (exit_port)
		out8(exit_port, (uint8_t)status);
	stand_still();
}

void host_leave_bed(unsigned status)
{
	send_all();
	if (exit_port)
		out8(exit_port, (uint8_t)status);
	host_power_off();
}

static void sleep_s5(uint16_t port, uint8_t type)
{
	if (port)
		out16(port, (uint16_t)((in16(port) & PM1_KEPT) | (unsigned)type << PM1_SLP_TYP_SHIFT | PM1_SLP_EN));
}

void host_power_off(void)
{
	send_all();
	if (machine.has_s5) {
		sleep_s5(machine.pm1b_control_port, machine.s5_type_b);
		sleep_s5(machine.pm1a_control_port, machine.s5_type_a);
	}
	stand_still();
}

static void wait_a_little(void)
{
	for (unsigned i = 0; i < 50000; i++)
		in8(0x80);
}

void host_reset(void)
{
	static const struct table_pointer nothing;

	send_all();
	if (machine.has_reset && machine.reset_is_port)
		out8((uint16_t)machine.reset_address, machine.reset_value);
	else if (machine.has_reset)
		*(volatile uint8_t *)host_map_mmio(machine.reset_address, 1) = machine.reset_value;
	wait_a_little();
	out8(0xcf9, 0x02);
	out8(0xcf9, 0x06);
	wait_a_little();
	out8(0x64, 0xfe);
	wait_a_little();
	lidt(&nothing);
	__builtin_trap();
}
