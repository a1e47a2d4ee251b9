/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bus: which device answers at which port, and at which guest-physical address. Two sorted tables; what no device has claimed reads as all
 * ones and ignores writes.
 *
 * Memory-mapped registers are 4 bytes wide, or 8 where the device says so. An access that a device does not take as a whole is made of its
 * aligned 4-byte registers, lowest first: a read picks its bytes from them, each register being read once; a write of whole registers is split;
 * any other write is lost, as no chip behind such a range has byte enables. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUS_PORT_RANGES 48
#define BUS_MMIO_RANGES 8

#define MMIO_4 4u /* the widths of accesses, all aligned, that a device takes as a whole */
#define MMIO_8 8u

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

/* Base and size are whole registers. offset: from the base; of what is read the low bytes count, of what is written the others are 0. */
struct mmio_range {
	uint64_t base_gpa;
	uint32_t bytes;
	uint8_t widths; /* MMIO_4, or MMIO_4 | MMIO_8 */
	void *device;
	uint64_t (*read)(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns);
	void (*write)(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns);
};

struct bus {
	struct port_range ports[BUS_PORT_RANGES]; /* sorted by first, disjoint */
	unsigned count;
	unsigned recent; /* the range that was found last: where the next access mostly goes too */
	uint64_t unclaimed; /* accesses that no device answered, in bytes */
	uint16_t last_unclaimed;

	struct mmio_range mmio[BUS_MMIO_RANGES]; /* sorted by base_gpa, disjoint */
	unsigned mmio_count;
	unsigned mmio_recent;
	uint64_t mmio_unclaimed; /* registers that no device has, read or written, and writes that were lost */
};

/* Adds a range; overlapping an earlier one is our own mistake (ASSERT). */
void bus_add_ports(struct bus *bus, const struct port_range *range);

/* Takes the range that begins at this port away again, which must be there (ASSERT): nobody answers there. */
void bus_remove_ports(struct bus *bus, uint16_t first);

/* Puts others in front of the range that begins at this port; *inner: whom they may pass an access on to. False: there is no such range. */
bool bus_interpose(struct bus *bus, uint16_t first, const struct port_handlers *handlers, struct port_range *inner);

/* A guest's IN and OUT of 1, 2 or 4 bytes; of what is read the low bytes count. The last port's successor is port 0, as on the hardware. */
uint32_t bus_read_port(struct bus *bus, uint16_t port, unsigned bytes, uint64_t now_ns);
void bus_write_port(struct bus *bus, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns);

/* Adds a range of memory-mapped registers; overlapping an earlier one is our own mistake (ASSERT). */
void bus_add_mmio(struct bus *bus, const struct mmio_range *range);

/* Takes the range that begins there away again, which must be there (ASSERT): its registers are a hole. */
void bus_remove_mmio(struct bus *bus, uint64_t base_gpa);

/* A guest's access of 1 to 8 bytes to memory that is not RAM; of what is read the low bytes count. */
uint64_t bus_read_mmio(struct bus *bus, uint64_t gpa, unsigned bytes, uint64_t now_ns);
void bus_write_mmio(struct bus *bus, uint64_t gpa, uint64_t value, unsigned bytes, uint64_t now_ns);
