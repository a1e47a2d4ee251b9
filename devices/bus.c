/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bus: two sorted tables. A port access that its device does not take as a whole is done byte by byte, lowest port first, as an 8-bit ISA
 * device sees a wider cycle; an access to memory-mapped registers that way register by register. */
#include "devices/bus.h"

#include "base/assert.h"

#include <stddef.h>

/* Index of the first range that ends at the port or above it. */
static unsigned find(const struct bus *bus, uint16_t port)
{
	unsigned low = 0, high = bus->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (bus->ports[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct port_range *range_of(struct bus *bus, uint16_t port)
{
	unsigned at = find(bus, port);

	if (at == bus->count || bus->ports[at].first > port)
		return NULL;
	bus->recent = at;
	return &bus->ports[at];
}

/* An empty table has a first range of zeros, which takes no access of any width. */
static bool takes_whole(const struct port_range *range, uint16_t port, unsigned bytes)
{
	return port >= range->first && bytes <= range->widest && port + bytes - 1 <= range->last;
}

static uint32_t all_ones(unsigned bytes)
{
	static const uint32_t masks[5] = { 0, 0xff, 0xffff, 0xffffff, 0xffffffff };

	return masks[bytes];
}

static void count_unclaimed(struct bus *bus, uint16_t port)
{
	bus->unclaimed++;
	bus->last_unclaimed = port;
}

void bus_add_ports(struct bus *bus, const struct port_range *range)
{
	unsigned at = find(bus, range->first);

	ASSERT(bus->count < BUS_PORT_RANGES);
	ASSERT(range->first <= range->last && range->widest > 0 && range->read && range->write);
	ASSERT(at == bus->count || bus->ports[at].first > range->last);
	for (unsigned i = bus->count; i > at; i--)
		bus->ports[i] = bus->ports[i - 1];
	bus->ports[at] = *range;
	bus->count++;
}

void bus_remove_ports(struct bus *bus, uint16_t first)
{
	unsigned at = find(bus, first);

	ASSERT(at < bus->count && bus->ports[at].first == first);
	bus->count--;
	for (unsigned i = at; i < bus->count; i++)
		bus->ports[i] = bus->ports[i + 1];
	bus->ports[bus->count] = (struct port_range){ 0 }; /* which takes no access */
	bus->recent = 0;
}

bool bus_interpose(struct bus *bus, uint16_t first, const struct port_handlers *handlers, struct port_range *inner)
{
	unsigned at = find(bus, first);
	struct port_range *range = &bus->ports[at];

	if (at == bus->count || range->first != first)
		return false;
	*inner = *range;
	range->device = handlers->device;
	range->read = handlers->read;
	range->write = handlers->write;
	return true;
}

static uint8_t read_byte(struct bus *bus, uint16_t port, uint64_t now_ns)
{
	const struct port_range *range = range_of(bus, port);

	if (range)
		return (uint8_t)range->read(range->device, port, 1, now_ns);
	count_unclaimed(bus, port);
	return UINT8_MAX;
}

static void write_byte(struct bus *bus, uint16_t port, uint8_t value, uint64_t now_ns)
{
	const struct port_range *range = range_of(bus, port);

	if (range)
		range->write(range->device, port, value, 1, now_ns);
	else
		count_unclaimed(bus, port);
}

static uint32_t read_bytes(struct bus *bus, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	uint32_t value = 0;

	ASSERT(bytes == 1 || bytes == 2 || bytes == 4);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)read_byte(bus, (uint16_t)(port + i), now_ns) << 8 * i;
	return value;
}

static void write_bytes(struct bus *bus, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	ASSERT(bytes == 1 || bytes == 2 || bytes == 4);
	for (unsigned i = 0; i < bytes; i++)
		write_byte(bus, (uint16_t)(port + i), (uint8_t)(value >> 8 * i), now_ns);
}

static __attribute__((noinline)) uint32_t find_and_read(struct bus *bus, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct port_range *range = range_of(bus, port);

	if (!range || !takes_whole(range, port, bytes))
		return read_bytes(bus, port, bytes, now_ns);
	return range->read(range->device, port, bytes, now_ns);
}

static __attribute__((noinline)) void find_and_write(struct bus *bus, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	const struct port_range *range = range_of(bus, port);

	if (!range || !takes_whole(range, port, bytes))
		write_bytes(bus, port, value, bytes, now_ns);
	else
		range->write(range->device, port, value, bytes, now_ns);
}

/* Mostly it is the range that took the last access. */
uint32_t bus_read_port(struct bus *bus, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct port_range *range = &bus->ports[bus->recent];

	if (takes_whole(range, port, bytes))
		return range->read(range->device, port, bytes, now_ns);
	return find_and_read(bus, port, bytes, now_ns);
}

void bus_write_port(struct bus *bus, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	const struct port_range *range = &bus->ports[bus->recent];

	value &= all_ones(bytes);
	if (takes_whole(range, port, bytes))
		range->write(range->device, port, value, bytes, now_ns);
	else
		find_and_write(bus, port, value, bytes, now_ns);
}

#define REGISTER_BYTES 4u

void bus_add_mmio(struct bus *bus, const struct mmio_range *range)
{
	unsigned at = 0;

	ASSERT(bus->mmio_count < BUS_MMIO_RANGES);
	ASSERT(range->bytes && !((range->base_gpa | range->bytes) % REGISTER_BYTES));
	ASSERT(range->widths & MMIO_4 && range->read && range->write);
	while (at < bus->mmio_count && bus->mmio[at].base_gpa < range->base_gpa)
		at++;
	ASSERT(!at || range->base_gpa - bus->mmio[at - 1].base_gpa >= bus->mmio[at - 1].bytes);
	ASSERT(at == bus->mmio_count || bus->mmio[at].base_gpa - range->base_gpa >= range->bytes);
	for (unsigned i = bus->mmio_count; i > at; i--)
		bus->mmio[i] = bus->mmio[i - 1];
	bus->mmio[at] = *range;
	bus->mmio_count++;
}

void bus_remove_mmio(struct bus *bus, uint64_t base_gpa)
{
	unsigned at = 0;

	while (at < bus->mmio_count && bus->mmio[at].base_gpa != base_gpa)
		at++;
	ASSERT(at < bus->mmio_count);
	bus->mmio_count--;
	for (unsigned i = at; i < bus->mmio_count; i++)
		bus->mmio[i] = bus->mmio[i + 1];
	bus->mmio[bus->mmio_count] = (struct mmio_range){ 0 };
	bus->mmio_recent = 0;
}

/* An empty table has a first range of no bytes. */
static inline bool is_in(const struct mmio_range *range, uint64_t gpa)
{
	return gpa - range->base_gpa < range->bytes;
}

/* Mostly it is the range that took the last access; else one of a few. */
static inline const struct mmio_range *mmio_range_of(struct bus *bus, uint64_t gpa)
{
	if (is_in(&bus->mmio[bus->mmio_recent], gpa))
		return &bus->mmio[bus->mmio_recent];
	for (unsigned i = 0; i < bus->mmio_count; i++) {
		if (!is_in(&bus->mmio[i], gpa))
			continue;
		bus->mmio_recent = i;
		return &bus->mmio[i];
	}
	return NULL;
}

/* Aligned accesses end in the register where they begin, or, of 8 bytes, in the next one. */
static inline bool takes_register(const struct mmio_range *range, uint64_t gpa, unsigned bytes)
{
	return range->widths & bytes && !(gpa & (bytes - 1)) && gpa - range->base_gpa + bytes <= range->bytes;
}

static uint32_t read_register(struct bus *bus, uint64_t gpa, uint64_t now_ns)
{
	const struct mmio_range *range = mmio_range_of(bus, gpa);

	if (range)
		return (uint32_t)range->read(range->device, (uint32_t)(gpa - range->base_gpa), REGISTER_BYTES, now_ns);
	bus->mmio_unclaimed++;
	return UINT32_MAX;
}

static void write_register(struct bus *bus, uint64_t gpa, uint32_t value, uint64_t now_ns)
{
	const struct mmio_range *range = mmio_range_of(bus, gpa);

	if (range)
		range->write(range->device, (uint32_t)(gpa - range->base_gpa), value, REGISTER_BYTES, now_ns);
	else
		bus->mmio_unclaimed++;
}

static __attribute__((noinline)) uint64_t read_registers(struct bus *bus, uint64_t gpa, unsigned bytes, uint64_t now_ns)
{
	uint64_t value = 0;
	unsigned part;

	for (unsigned i = 0; i < bytes; i += part) {
		unsigned skip = (unsigned)((gpa + i) % REGISTER_BYTES);
		uint64_t stored = (uint64_t)read_register(bus, gpa + i - skip, now_ns) >> 8 * skip;

		part = REGISTER_BYTES - skip;
		value |= stored << 8 * i;
	}
	return value;
}

static __attribute__((noinline)) void write_registers(struct bus *bus, uint64_t gpa, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	if ((gpa | bytes) % REGISTER_BYTES) {
		bus->mmio_unclaimed++;
		return;
	}
	for (unsigned i = 0; i < bytes; i += REGISTER_BYTES)
		write_register(bus, gpa + i, (uint32_t)(value >> 8 * i), now_ns);
}

uint64_t bus_read_mmio(struct bus *bus, uint64_t gpa, unsigned bytes, uint64_t now_ns)
{
	const struct mmio_range *range = mmio_range_of(bus, gpa);

	if (range && takes_register(range, gpa, bytes))
		return range->read(range->device, (uint32_t)(gpa - range->base_gpa), bytes, now_ns);
	return read_registers(bus, gpa, bytes, now_ns);
}

void bus_write_mmio(struct bus *bus, uint64_t gpa, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	const struct mmio_range *range = mmio_range_of(bus, gpa);

	if (bytes < sizeof value)
		value &= (1ull << 8 * bytes) - 1;
	if (range && takes_register(range, gpa, bytes))
		range->write(range->device, (uint32_t)(gpa - range->base_gpa), value, bytes, now_ns);
	else
		write_registers(bus, gpa, value, bytes, now_ns);
}
