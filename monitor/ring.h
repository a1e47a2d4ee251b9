/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A ring of bytes, and the serial line that it empties into: what the console and the control port share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A serial line's sending side. write is never given more bytes than room has just promised. */
struct sink {
	void *context;
	size_t (*room)(void *context); /* in bytes */
	void (*write)(void *context, const uint8_t *bytes, size_t count);
};

struct ring {
	uint8_t *bytes;
	size_t size;       /* a power of two */
	size_t put, taken; /* bytes ever put and taken, modulo 2^64 */
};

/* bytes: size bytes of memory, a power of two, which the ring keeps. */
void ring_init(struct ring *ring, uint8_t *bytes, size_t size);

/* Bytes held, and bytes that still fit. */
size_t ring_used(const struct ring *ring);
size_t ring_room(const struct ring *ring);

/* False: the ring is full and unchanged. */
bool ring_put(struct ring *ring, uint8_t byte);

/* Puts all of the bytes, or none where they do not fit (false). */
bool ring_write(struct ring *ring, const void *bytes, size_t count);

/* The oldest byte, left in the ring; the ring must not be empty. And its removal. */
uint8_t ring_peek(const struct ring *ring);
void ring_drop(struct ring *ring);

/* Sends what the line takes now. */
void ring_drain(struct ring *ring, const struct sink *sink);
