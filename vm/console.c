/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Moving bytes. */
#include "vm/console.h"

#include "host/serial.h"
#include "vm/machine.h"

#define ROUNDS_PER_POLL 8     /* of a FIFO's worth each */
#define ROUNDS_TO_DRAIN 100000

static size_t line_room(void *context)
{
	return serial_room(context);
}

static void line_write(void *context, const uint8_t *bytes, size_t count)
{
	serial_write(context, bytes, count);
}

static bool guest_receive(void *context, uint8_t byte)
{
	struct machine *machine = context;

	if (!uart_input_has_room(&machine->uart))
		return false;
	uart_put_input(&machine->uart, byte);
	return true;
}

void console_init(struct machine *machine, const char *engine)
{
	struct console *console = &machine->console;
	struct sink com1 = { &serial_com1, line_room, line_write };
	struct sink com2 = { &serial_com2, line_room, line_write };
	struct mux_guest guest = { machine, guest_receive };

	build_id(console->build);
	console->identity = (struct identity){ FOLIOT_VERSION, console->build, engine };
	console->monitor = (struct monitor){ machine, &console->identity };
	mux_init(&console->mux, &com1, &guest, &console->monitor, machine->settings.escape);
	protocol_init(&console->protocol, machine, &console->identity, &com2);
}

/* Returns how many bytes went on. */
static size_t pass_guest_output(struct machine *machine)
{
	struct console *console = &machine->console;
	size_t taken = 0;

	if (console->staged_at == console->staged_count) {
		console->staged_at = 0;
		console->staged_count = uart_take_output(&machine->uart, (char *)console->staged,
							 sizeof console->staged);
	}
	if (console->staged_count)
		taken = mux_guest_output(&console->mux, console->staged + console->staged_at,
					 console->staged_count - console->staged_at);
	console->staged_at += taken;
	return taken;
}

/* Returns whether a byte came or went. */
static bool poll_console_line(struct machine *machine)
{
	bool moved = false;
	int byte;

	serial_poll(&serial_com1);
	for (; (byte = serial_read_byte(&serial_com1)) >= 0; moved = true)
		mux_input(&machine->console.mux, (uint8_t)byte);
	for (unsigned round = 0; round < ROUNDS_PER_POLL; round++) {
		pass_guest_output(machine);
		mux_poll(&machine->console.mux);
		if (serial_room(&serial_com1) == SERIAL_TX_BYTES)
			break;
		moved = true;
		serial_poll(&serial_com1);
	}
	return moved;
}

static bool poll_control_line(struct machine *machine)
{
	struct protocol *protocol = &machine->console.protocol;
	bool moved = false;
	int byte;

	serial_poll(&serial_com2);
	for (; (byte = serial_peek_byte(&serial_com2)) >= 0 && protocol_input(protocol, (uint8_t)byte); moved = true)
		serial_read_byte(&serial_com2);
	for (unsigned round = 0; round < ROUNDS_PER_POLL; round++) {
		protocol_poll(protocol);
		if (serial_room(&serial_com2) == SERIAL_TX_BYTES)
			break;
		moved = true;
		serial_poll(&serial_com2);
	}
	return moved;
}

bool console_poll(struct machine *machine)
{
	bool console_moved = poll_console_line(machine);

	return poll_control_line(machine) || console_moved;
}

static bool is_drained(struct machine *machine)
{
	return machine->console.staged_at == machine->console.staged_count &&
	       mux_is_drained(&machine->console.mux) && protocol_is_drained(&machine->console.protocol) &&
	       serial_room(&serial_com1) == SERIAL_TX_BYTES && serial_room(&serial_com2) == SERIAL_TX_BYTES;
}

void console_drain(struct machine *machine)
{
	bool quiet = false;

	for (unsigned round = 0; round < ROUNDS_TO_DRAIN && !quiet; round++) {
		size_t passed = pass_guest_output(machine);

		mux_poll(&machine->console.mux);
		protocol_poll(&machine->console.protocol);
		serial_flush(&serial_com1);
		serial_flush(&serial_com2);
		quiet = !passed && is_drained(machine);
	}
	serial_drain(&serial_com1);
	serial_drain(&serial_com2);
}
