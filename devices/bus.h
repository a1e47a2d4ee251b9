/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bus: which device answers at which port. One table, looked up by binary search; what no device has claimed
 * reads as all ones and ignores writes. MMIO ranges join when the first chip that has one does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUS_PORT_RANGES 48

struct port_range {
	uint16_t first, last;
	uint8_t widest; /* bytes that the device takes at once; a wider or straddling access is split, lowest byte first */
	void *device;
	/* Of what is read the low bytes count, of what is written the others are 0. */
	uint32_t (*read)(void *device, uint16_t port, unsigned bytes, uint64_t now_ns);
	void (*write)(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns);
};

/* Who answers. */
struct port_handlers {
	void *device;
	uint32_t (*read)(void *device, uint16_t port, unsigned bytes, uint64_t now_ns);
	void (*write)(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns);
};

struct bus {
	struct port_range ports[BUS_PORT_RANGES]; /* sorted by first, disjoint */
	unsigned count;
	unsigned recent; /* the range that was found last: where the next access mostly goes too */
	uint64_t unclaimed; /* accesses that no device answered, in bytes */
	uint16_t last_unclaimed;
};

/* Adds a range; overlapping an earlier one is our own mistake (ASSERT). */
void bus_add_ports(struct bus *bus, const struct port_range *range);

/* Puts others in front of the range that begins at this port, which must be there (ASSERT); *inner: whom they may pass an access on to. */
void bus_interpose(struct bus *bus, uint16_t first, const struct port_handlers *handlers, struct port_range *inner);

/* A guest's IN and OUT of 1, 2 or 4 bytes; of what is read the low bytes count. The last port's successor is port 0, as on the hardware. */
uint32_t bus_read_port(struct bus *bus, uint16_t port, unsigned bytes, uint64_t now_ns);
void bus_write_port(struct bus *bus, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns);
