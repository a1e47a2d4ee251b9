/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reset ports. CF9h: 82371SB (PIIX3) 2.5.6 and ICH9 13.7.5. CF8h: PCI Local Bus 3.0, 3.2.2.3.2. Port 92h: PS/2
 * system control port A. */
#include "devices/reset.h"

#define KEYBOARD_STATUS 0xfd

static void ask(struct reset *reset, enum machine_request what, unsigned value)
{
	reset->requests.request(reset->requests.context, what, value);
}

static void write_cf9(struct reset *reset, uint8_t value)
{
	bool rises = (value & RESET_CF9_RCPU) && !(reset->cf9 & RESET_CF9_RCPU);

	reset->cf9 = value;
	if (rises)
		ask(reset, MACHINE_RESET, value & RESET_CF9_SRST ? RESET_CF9_HARD : RESET_CF9_SOFT);
}

static bool covers_cf9(uint16_t port, unsigned bytes)
{
	return port <= RESET_PORT_CF9 && port + bytes > RESET_PORT_CF9;
}

/* Only an aligned access of four bytes reaches the latch. Any other goes on to the ISA bus byte by byte, where
 * CF9h alone answers. */
static uint32_t read_address(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct reset *reset = device;
	unsigned shift = 8 * (unsigned)(RESET_PORT_CF9 - port);

	(void)now_ns;
	if (bytes == 4)
		return reset->pci_address;
	if (!covers_cf9(port, bytes))
		return UINT32_MAX;
	return (UINT32_MAX & ~(0xffu << shift)) | (uint32_t)reset->cf9 << shift;
}

static void write_address(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct reset *reset = device;

	(void)now_ns;
	if (bytes == 4)
		reset->pci_address = value;
	else if (covers_cf9(port, bytes))
		write_cf9(reset, (uint8_t)(value >> (8 * (RESET_PORT_CF9 - port))));
}

/* No PCI device is there: its configuration space reads as all ones (PCI Local Bus 3.0, 6.1). */
static uint32_t read_data(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	(void)device;
	(void)port;
	(void)bytes;
	(void)now_ns;
	return UINT32_MAX;
}

static void write_data(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	(void)device;
	(void)port;
	(void)value;
	(void)bytes;
	(void)now_ns;
}

static uint32_t read_port(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct reset *reset = device;

	(void)bytes;
	(void)now_ns;
	if (port == RESET_PORT_KEYBOARD)
		return KEYBOARD_STATUS;
	return port == RESET_PORT_92 ? reset->port_92 : 0xff;
}

static void write_92(struct reset *reset, uint8_t value)
{
	bool rises = (value & RESET_92_FAST) && !(reset->port_92 & RESET_92_FAST);

	reset->port_92 = value & (RESET_92_FAST | RESET_92_A20);
	if (rises)
		ask(reset, MACHINE_RESET, RESET_FAST);
}

/* 8042 commands F0h to FFh pulse low those output lines whose bit is 0; line 0 is the processor's reset. */
static void write_port(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct reset *reset = device;

	(void)bytes;
	(void)now_ns;
	if (port == RESET_PORT_92)
		write_92(reset, (uint8_t)value);
	else if (port == RESET_PORT_REPORT)
		ask(reset, MACHINE_REPORT, value & 0xff);
	else if ((value & 0xf1) == 0xf0)
		ask(reset, MACHINE_RESET, RESET_KEYBOARD);
}

void reset_init(struct reset *reset, struct bus *bus, const struct machine_requests *requests)
{
	static const uint16_t byte_ports[] = { RESET_PORT_KEYBOARD, RESET_PORT_92, RESET_PORT_REPORT };
	struct port_range address = { .first = PCI_PORT_ADDRESS, .last = PCI_PORT_ADDRESS + 3, .widest = 4,
				      .device = reset, .read = read_address, .write = write_address };
	struct port_range data = { .first = PCI_PORT_DATA, .last = PCI_PORT_DATA + 3, .widest = 4, .device = reset,
				   .read = read_data, .write = write_data };
	struct port_range one = { .widest = 1, .device = reset, .read = read_port, .write = write_port };

	reset->requests = *requests;
	reset_reset(reset);
	bus_add_ports(bus, &address);
	bus_add_ports(bus, &data);
	for (unsigned i = 0; i < sizeof(byte_ports) / sizeof(byte_ports[0]); i++) {
		one.first = one.last = byte_ports[i];
		bus_add_ports(bus, &one);
	}
}

void reset_reset(struct reset *reset)
{
	reset->pci_address = 0;
	reset->cf9 = 0;
	reset->port_92 = RESET_92_A20;
}
