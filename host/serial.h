/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's serial ports: a 16550 without interrupts, polled from the run loop, with a ring in each direction. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_TX_BYTES 8192u /* powers of two */
#define SERIAL_RX_BYTES 1024u

struct serial {
	uint16_t port;
	bool present;
	uint32_t tx_put, tx_get, rx_put, rx_get; /* count for ever; the ring's index is the value modulo its size */
	uint64_t rx_lost_bytes;
	uint8_t tx[SERIAL_TX_BYTES];
	uint8_t rx[SERIAL_RX_BYTES];
};

extern struct serial serial_com1, serial_com2;

#define SERIAL_COM1_PORT 0x3f8u
#define SERIAL_COM2_PORT 0x2f8u

/* Looks for a UART at the I/O port and sets it to 8N1 at baud, which divides 115200. Without one, `present` is
 * false, what is written vanishes and nothing is ever received. */
void serial_init(struct serial *serial, uint16_t port, unsigned baud);

/* Moves what can be moved now: up to a FIFO's worth out, everything that has arrived in. */
void serial_poll(struct serial *serial);

/* The bytes that serial_write takes now. */
size_t serial_room(const struct serial *serial);

/* Queues up to serial_room bytes; returns how many. */
size_t serial_write(struct serial *serial, const void *data, size_t bytes);

/* The next received byte, or -1: taken, or left where it is. Call serial_poll first. */
int serial_read_byte(struct serial *serial);
int serial_peek_byte(const struct serial *serial);

/* Sends all that is queued, waiting as long as it takes; a port that stops taking bytes loses them. */
void serial_flush(struct serial *serial);

/* Flush, and wait until the last bit has left: before the machine is switched off. */
void serial_drain(struct serial *serial);
