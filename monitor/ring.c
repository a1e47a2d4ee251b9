/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The byte ring. */
#include "monitor/ring.h"

#include "base/assert.h"

void ring_init(struct ring *ring, uint8_t *bytes, size_t size)
{
	ASSERT(size && !(size & (size - 1)));
	*ring = (struct ring){ .bytes = bytes, .size = size };
}

size_t ring_used(const struct ring *ring)
{
	return ring->put - ring->taken;
}

size_t ring_room(const struct ring *ring)
{
	return ring->size - ring_used(ring);
}

bool ring_put(struct ring *ring, uint8_t byte)
{
	if (!ring_room(ring))
		return false;
	ring->bytes[ring->put++ & (ring->size - 1)] = byte;
	return true;
}

bool ring_write(struct ring *ring, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	if (ring_room(ring) < count)
		return false;
	while (count--)
		ring_put(ring, *at++);
	return true;
}

uint8_t ring_peek(const struct ring *ring)
{
	ASSERT(ring_used(ring));
	return ring->bytes[ring->taken & (ring->size - 1)];
}

void ring_drop(struct ring *ring)
{
	ASSERT(ring_used(ring));
	ring->taken++;
}

/* The longest run of held bytes that lies in one piece. */
static size_t run_length(const struct ring *ring)
{
	size_t to_end = ring->size - (ring->taken & (ring->size - 1));
	size_t used = ring_used(ring);

	return used < to_end ? used : to_end;
}

void ring_drain(struct ring *ring, const struct sink *sink)
{
	size_t room = ring_used(ring) ? sink->room(sink->context) : 0;

	while (room && ring_used(ring)) {
		size_t run = run_length(ring);
		size_t count = run < room ? run : room;

		sink->write(sink->context, &ring->bytes[ring->taken & (ring->size - 1)], count);
		ring->taken += count;
		room -= count;
	}
}
