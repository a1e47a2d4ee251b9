/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A polled 16550 (National PC16550D data sheet, section 8). */
#include "host/serial.h"

#include "host/cpu.h"

enum {
	UART_DATA = 0,
	UART_DIVISOR_LOW = 0,
	UART_IER = 1,
	UART_DIVISOR_HIGH = 1,
	UART_FCR = 2,
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_SCRATCH = 7,
};

#define LCR_8N1 0x03u
#define LCR_DLAB 0x80u
#define FCR_ENABLE_AND_CLEAR 0x07u
#define MCR_DTR_RTS_OUT2 0x0bu
#define LSR_DATA 0x01u
#define LSR_THRE 0x20u
#define LSR_IDLE 0x40u
#define FIFO_BYTES 16u
#define UART_CLOCK_BAUD 115200u
#define STUCK_POLLS 2000000u /* a read of an ISA port takes about a microsecond; 16 bytes at 115200 baud take 1.4 ms */

struct serial serial_com1, serial_com2;

static uint8_t uart_read(const struct serial *s, unsigned reg)
{
	return in8((uint16_t)(s->port + reg));
}

static void uart_write(const struct serial *s, unsigned reg, uint8_t value)
{
	out8((uint16_t)(s->port + reg), value);
}

/* A port without a chip reads all ones, or whatever was last on the bus: two patterns tell. */
static bool is_there(const struct serial *s)
{
	static const uint8_t patterns[] = { 0x5a, 0xa5 };

	if (uart_read(s, UART_LSR) == 0xff)
		return false;
	for (unsigned i = 0; i < sizeof patterns; i++) {
		uart_write(s, UART_SCRATCH, patterns[i]);
		if (uart_read(s, UART_SCRATCH) != patterns[i])
			return false;
	}
	return true;
}

void serial_init(struct serial *serial, uint16_t port, unsigned baud)
{
	unsigned divisor = UART_CLOCK_BAUD / baud;

	serial->port = port;
	serial->tx_put = serial->tx_get = serial->rx_put = serial->rx_get = 0;
	serial->present = is_there(serial);
	if (!serial->present)
		return;
	uart_write(serial, UART_IER, 0);
	uart_write(serial, UART_LCR, LCR_DLAB | LCR_8N1);
	uart_write(serial, UART_DIVISOR_LOW, (uint8_t)divisor);
	uart_write(serial, UART_DIVISOR_HIGH, (uint8_t)(divisor >> 8));
	uart_write(serial, UART_LCR, LCR_8N1);
	uart_write(serial, UART_FCR, FCR_ENABLE_AND_CLEAR);
	uart_write(serial, UART_MCR, MCR_DTR_RTS_OUT2);
}

static void send_fifo(struct serial *serial)
{
	for (unsigned i = 0; i < FIFO_BYTES && serial->tx_get != serial->tx_put; i++)
		uart_write(serial, UART_DATA, serial->tx[serial->tx_get++ % SERIAL_TX_BYTES]);
}

static void receive(struct serial *serial, uint8_t byte)
{
	if (serial->rx_put - serial->rx_get == SERIAL_RX_BYTES) {
		serial->rx_lost_bytes++;
		return;
	}
	serial->rx[serial->rx_put++ % SERIAL_RX_BYTES] = byte;
}

void serial_poll(struct serial *serial)
{
	uint8_t status;

	if (!serial->present)
		return;
	status = uart_read(serial, UART_LSR);
	if (status & LSR_THRE)
		send_fifo(serial);
	for (unsigned i = 0; status & LSR_DATA && i < 4 * FIFO_BYTES; i++) {
		receive(serial, uart_read(serial, UART_DATA));
		status = uart_read(serial, UART_LSR);
	}
}

size_t serial_room(const struct serial *serial)
{
	return SERIAL_TX_BYTES - (serial->tx_put - serial->tx_get);
}

size_t serial_write(struct serial *serial, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	size_t room = serial_room(serial);

	if (!serial->present)
		return bytes;
	if (bytes > room)
		bytes = room;
	for (size_t i = 0; i < bytes; i++)
		serial->tx[serial->tx_put++ % SERIAL_TX_BYTES] = from[i];
	return bytes;
}

int serial_read_byte(struct serial *serial)
{
	return serial->rx_get == serial->rx_put ? -1 : serial->rx[serial->rx_get++ % SERIAL_RX_BYTES];
}

int serial_peek_byte(const struct serial *serial)
{
	return serial->rx_get == serial->rx_put ? -1 : serial->rx[serial->rx_get % SERIAL_RX_BYTES];
}

/* False: it did not come to that for about two seconds. */
static bool wait_for(struct serial *serial, uint8_t bit)
{
	for (unsigned i = 0; i < STUCK_POLLS; i++)
		if (uart_read(serial, UART_LSR) & bit)
			return true;
	serial->present = false;
	serial->tx_get = serial->tx_put;
	return false;
}

void serial_flush(struct serial *serial)
{
	while (serial->present && serial->tx_get != serial->tx_put)
		if (wait_for(serial, LSR_THRE))
			send_fifo(serial);
}

void serial_drain(struct serial *serial)
{
	serial_flush(serial);
	if (serial->present)
		wait_for(serial, LSR_IDLE);
}
