/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bus: a sorted table of port ranges. An access that its device does not take as a whole is done byte by byte,
 * lowest port first, as an 8-bit ISA device sees a wider cycle. */
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

void bus_interpose(struct bus *bus, uint16_t first, const struct port_handlers *handlers, struct port_range *inner)
{
	struct port_range *range = &bus->ports[find(bus, first)];

	ASSERT(range < &bus->ports[bus->count] && range->first == first);
	*inner = *range;
	range->device = handlers->device;
	range->read = handlers->read;
	range->write = handlers->write;
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
