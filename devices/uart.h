/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The serial port: National Semiconductor PC16550D, wired as on a PC (the interrupt passes only while MCR.OUT2 is
 * set). The line behind it is infinitely fast: what the guest sends is in a ring at once, so nothing here is paced
 * by guest time, and divisor, word length and parity are stored without effect. A terminal that is always ready
 * (CTS, DSR, DCD) hangs on it. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_FIFO_BYTES 16
#define UART_RING_BYTES 65536

/* Registers by port offset (PC16550D, table II). */
enum uart_register { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR, UART_REGISTERS };
#define UART_FCR UART_IIR /* on writing */

#define UART_IER_DATA 0x01
#define UART_IER_THRE 0x02
#define UART_IER_LINE 0x04
#define UART_IER_MODEM 0x08

#define UART_IIR_NONE 0x01
#define UART_IIR_MODEM 0x00
#define UART_IIR_THRE 0x02
#define UART_IIR_DATA 0x04
#define UART_IIR_LINE 0x06
#define UART_IIR_TIMEOUT 0x0c
#define UART_IIR_FIFO 0xc0

#define UART_FCR_ENABLE 0x01
#define UART_FCR_CLEAR_RX 0x02
#define UART_FCR_CLEAR_TX 0x04

#define UART_LCR_DLAB 0x80

#define UART_MCR_DTR 0x01
#define UART_MCR_RTS 0x02
#define UART_MCR_OUT1 0x04
#define UART_MCR_OUT2 0x08
#define UART_MCR_LOOP 0x10

#define UART_LSR_DR 0x01
#define UART_LSR_OE 0x02
#define UART_LSR_THRE 0x20
#define UART_LSR_TEMT 0x40

#define UART_MSR_DELTAS 0x0f
#define UART_MSR_TERI 0x04
#define UART_MSR_CTS 0x10
#define UART_MSR_DSR 0x20
#define UART_MSR_RI 0x40
#define UART_MSR_DCD 0x80

struct uart {
	struct irq_router *router;
	unsigned irq;
	uint16_t base;
	bool line;
	bool thre_pending;   /* the THRE interrupt has a cause that IIR has not shown yet */
	bool overrun;
	uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	unsigned rx_first, rx_count;
	uint32_t ring_first, ring_count;
	uint64_t lost_output; /* bytes written by the guest while THRE was 0 */
	uint64_t lost_input;  /* bytes that overran, or came during loopback */
	uint8_t rx[UART_FIFO_BYTES];
	uint8_t ring[UART_RING_BYTES];
};

/* A port of eight registers from base on, on line irq. */
void uart_init(struct uart *uart, struct bus *bus, struct irq_router *router, uint16_t base, unsigned irq);

/* The MR pin. Output that was not taken yet stays. */
void uart_reset(struct uart *uart);

/* Takes at most max bytes of what the guest has sent; returns how many. Room that comes back raises the THRE
 * interrupt again. */
size_t uart_take_output(struct uart *uart, char *to, size_t max);

/* Whether a byte given now is neither lost nor overruns another. */
bool uart_input_has_room(const struct uart *uart);

/* A byte arrives from outside. Without room it overruns, as on the chip: with the FIFOs on it is lost, else it
 * takes the place of the one before. */
void uart_put_input(struct uart *uart, uint8_t byte);
