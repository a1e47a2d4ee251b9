/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The PC16550D. Sections named below are those of its data sheet. */
#include "devices/uart.h"

#include "base/mem.h"

#define MODEM_READY (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

static bool has_fifos(const struct uart *uart)
{
	return uart->fcr & UART_FCR_ENABLE;
}

static unsigned rx_capacity(const struct uart *uart)
{
	return has_fifos(uart) ? UART_FIFO_BYTES : 1;
}

static unsigned rx_trigger(const struct uart *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return has_fifos(uart) ? levels[uart->fcr >> 6] : 1;
}

/* A driver that has seen THRE writes a whole FIFO without looking again: THRE must not be shown unless all of it
 * fits. */
static bool has_tx_room(const struct uart *uart)
{
	return uart->ring_count <= UART_RING_BYTES - UART_FIFO_BYTES;
}

static uint8_t line_status(const struct uart *uart)
{
	return (uint8_t)((uart->rx_count ? UART_LSR_DR : 0) | (uart->overrun ? UART_LSR_OE : 0) |
			 (has_tx_room(uart) ? UART_LSR_THRE | UART_LSR_TEMT : 0));
}

/* The cause of highest priority (8.6, table IV), without the FIFO bits. Below the trigger level the character
 * timeout is over at once. */
static uint8_t pending_cause(const struct uart *uart)
{
	if ((uart->ier & UART_IER_LINE) && uart->overrun)
		return UART_IIR_LINE;
	if ((uart->ier & UART_IER_DATA) && uart->rx_count)
		return uart->rx_count >= rx_trigger(uart) ? UART_IIR_DATA : UART_IIR_TIMEOUT;
	if ((uart->ier & UART_IER_THRE) && uart->thre_pending)
		return UART_IIR_THRE;
	if ((uart->ier & UART_IER_MODEM) && (uart->msr & UART_MSR_DELTAS))
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

static void set_line(struct uart *uart, bool level)
{
	if (level == uart->line)
		return;
	uart->line = level;
	irq_set(uart->router, uart->irq, level);
}

/* In loopback the pin OUT2 is inactive, whatever its bit says (8.7), and the PC's gate is shut. */
static void drive_line(struct uart *uart)
{
	bool gate = (uart->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;

	set_line(uart, gate && pending_cause(uart) != UART_IIR_NONE);
}

static void receive(struct uart *uart, uint8_t byte)
{
	if (uart->rx_count == rx_capacity(uart)) {
		uart->overrun = true;
		uart->lost_input++;
		if (!has_fifos(uart))
			uart->rx[uart->rx_first] = byte;
		return;
	}
	uart->rx[(uart->rx_first + uart->rx_count) % UART_FIFO_BYTES] = byte;
	uart->rx_count++;
}

static uint8_t read_data(struct uart *uart)
{
	uint8_t byte = uart->rx[uart->rx_first];

	if (uart->rx_count == 0)
		return byte; /* the last one again */
	uart->rx_count--;
	if (uart->rx_count == 0)
		return byte;
	uart->rx_first = (uart->rx_first + 1) % UART_FIFO_BYTES;
	/* Reading restarts the character timeout (8.12 A): the line falls before it rises again, so that an
	 * edge-triggered controller sees it. */
	if (pending_cause(uart) == UART_IIR_TIMEOUT)
		set_line(uart, false);
	return byte;
}

/* A byte is sent as it is written: the holding register is empty again and the interrupt has a new cause. */
static void write_data(struct uart *uart, uint8_t byte)
{
	uart->thre_pending = false;
	if (uart->mcr & UART_MCR_LOOP) {
		receive(uart, byte);
	} else if (uart->ring_count == UART_RING_BYTES) {
		uart->lost_output++;
	} else {
		uart->ring[(uart->ring_first + uart->ring_count) % UART_RING_BYTES] = byte;
		uart->ring_count++;
	}
	if (pending_cause(uart) == UART_IIR_NONE)
		set_line(uart, false);
	uart->thre_pending = has_tx_room(uart);
}

/* Reading the THRE cause takes it away (8.6, table IV). */
static uint8_t read_iir(struct uart *uart)
{
	uint8_t cause = pending_cause(uart);

	if (cause == UART_IIR_THRE)
		uart->thre_pending = false;
	return (uint8_t)(cause | (has_fifos(uart) ? UART_IIR_FIFO : 0));
}

/* The modem inputs: the terminal's, or in loopback the outputs DTR, RTS, OUT1, OUT2 as DSR, CTS, RI, DCD (8.7). A
 * change leaves its delta; RI only when it ends. */
static void update_modem(struct uart *uart)
{
	uint8_t mcr = uart->mcr, old = uart->msr & (uint8_t)~UART_MSR_DELTAS, now = MODEM_READY;

	if (mcr & UART_MCR_LOOP)
		now = (uint8_t)((mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
				(mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0));
	uint8_t changed = (uint8_t)(old ^ now);

	if (now & UART_MSR_RI)
		changed &= (uint8_t)~UART_MSR_RI;
	uart->msr = (uint8_t)(now | (uart->msr & UART_MSR_DELTAS) | changed >> 4);
}

/* Switching the FIFOs on or off empties them; the other bits count only together with ENABLE (8.5). What was sent
 * has left the chip and is not cleared. */
static void write_fcr(struct uart *uart, uint8_t value)
{
	bool switched = (value ^ uart->fcr) & UART_FCR_ENABLE;

	if (switched || ((value & UART_FCR_ENABLE) && (value & UART_FCR_CLEAR_RX)))
		uart->rx_count = 0;
	uart->fcr = value & UART_FCR_ENABLE ? value & (UART_IIR_FIFO | UART_FCR_ENABLE) : 0;
}

/* Enabling the THRE interrupt while the holding register is empty is a cause (8.6). */
static void write_ier(struct uart *uart, uint8_t value)
{
	if ((value & UART_IER_THRE) && !(uart->ier & UART_IER_THRE))
		uart->thre_pending = has_tx_room(uart);
	uart->ier = value & 0x0f;
}

static uint8_t take_overrun(struct uart *uart)
{
	uint8_t status = line_status(uart);

	uart->overrun = false;
	return status;
}

static uint8_t take_modem(struct uart *uart)
{
	uint8_t status = uart->msr;

	uart->msr &= (uint8_t)~UART_MSR_DELTAS;
	return status;
}

static uint8_t read_register(struct uart *uart, enum uart_register which)
{
	bool dlab = uart->lcr & UART_LCR_DLAB;

	switch (which) {
	case UART_DATA: return dlab ? uart->dll : read_data(uart);
	case UART_IER: return dlab ? uart->dlm : uart->ier;
	case UART_IIR: return read_iir(uart);
	case UART_LCR: return uart->lcr;
	case UART_MCR: return uart->mcr;
	case UART_LSR: return take_overrun(uart);
	case UART_MSR: return take_modem(uart);
	case UART_SCR: return uart->scr;
	case UART_REGISTERS: break;
	}
	return 0xff;
}

static void write_dlab(struct uart *uart, enum uart_register which, uint8_t value)
{
	if (which == UART_DATA)
		uart->dll = value;
	else
		uart->dlm = value;
}

static void write_register(struct uart *uart, enum uart_register which, uint8_t value)
{
	switch (which) {
	case UART_DATA: write_data(uart, value); break;
	case UART_IER: write_ier(uart, value); break;
	case UART_FCR: write_fcr(uart, value); break;
	case UART_LCR: uart->lcr = value; break;
	case UART_MCR:
		uart->mcr = value & 0x1f;
		update_modem(uart);
		break;
	case UART_SCR: uart->scr = value; break;
	case UART_LSR:  /* for the factory only (8.4) */
	case UART_MSR:
	case UART_REGISTERS: break;
	}
}

static uint32_t uart_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct uart *uart = device;
	uint8_t value = read_register(uart, port - uart->base);

	(void)bytes;
	(void)now_ns;
	drive_line(uart);
	return value;
}

static void uart_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct uart *uart = device;
	enum uart_register which = port - uart->base;

	(void)bytes;
	(void)now_ns;
	if ((uart->lcr & UART_LCR_DLAB) && which <= UART_IER)
		write_dlab(uart, which, (uint8_t)value);
	else
		write_register(uart, which, (uint8_t)value);
	drive_line(uart);
}

void uart_init(struct uart *uart, struct bus *bus, struct irq_router *router, uint16_t base, unsigned irq)
{
	struct port_range range = { .first = base, .last = (uint16_t)(base + UART_REGISTERS - 1), .widest = 1,
				    .device = uart, .read = uart_read, .write = uart_write };

	memset(uart, 0, sizeof(*uart));
	uart->router = router;
	uart->irq = irq;
	uart->base = base;
	irq_claim(router, irq, uart, NULL);
	bus_add_ports(bus, &range);
	uart_reset(uart);
}

/* Table III. SCR and the divisor are not touched by MR. */
void uart_reset(struct uart *uart)
{
	uart->ier = uart->fcr = uart->lcr = uart->mcr = 0;
	uart->msr = MODEM_READY;
	uart->rx_count = 0;
	uart->overrun = false;
	uart->thre_pending = false;
	drive_line(uart);
}

size_t uart_take_output(struct uart *uart, char *to, size_t max)
{
	bool had_room = has_tx_room(uart);
	size_t taken = 0;

	for (; taken < max && uart->ring_count; taken++) {
		to[taken] = (char)uart->ring[uart->ring_first];
		uart->ring_first = (uart->ring_first + 1) % UART_RING_BYTES;
		uart->ring_count--;
	}
	if (!had_room && has_tx_room(uart)) {
		uart->thre_pending = true;
		drive_line(uart);
	}
	return taken;
}

bool uart_input_has_room(const struct uart *uart)
{
	return !(uart->mcr & UART_MCR_LOOP) && uart->rx_count < rx_capacity(uart);
}

void uart_put_input(struct uart *uart, uint8_t byte)
{
	if (uart->mcr & UART_MCR_LOOP) {
		uart->lost_input++; /* the input pin is disconnected */
		return;
	}
	receive(uart, byte);
	drive_line(uart);
}
