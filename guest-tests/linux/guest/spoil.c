/* SPDX-License-Identifier: BSD-2-Clause
 *
 * For the Linux guest of a test build (docs/testing.md, "The test build"): `spoil CLOCK PPM` makes the clock of that number go so many
 * ppm too fast from now on, by the ports of the test hooks. */

#include "tiny.h"

enum { SYS_IOPL = 172, PORT_A = 0x5f0, PORT_B = 0x5f4, PORT_COMMAND = 0x5fc, MAGIC = 0x54534554, COMMAND_PPM = 4 };

static void write_port(unsigned short port, unsigned value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static unsigned read_port(unsigned short port)
{
	unsigned value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

__attribute__((used)) static void start(long count, char **arguments)
{
	if (count != 3 || system_call(SYS_IOPL, 3, 0, 0, 0, 0, 0) || read_port(PORT_COMMAND) != MAGIC)
		leave(1);
	write_port(PORT_A, (unsigned)number(arguments[1]));
	write_port(PORT_B, (unsigned)number(arguments[2]));
	write_port(PORT_COMMAND, COMMAND_PPM);
	leave(0);
}
