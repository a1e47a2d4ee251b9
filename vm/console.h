/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The two serial lines: COM1 with the guest's console and the monitor, COM2 with the control port. Joins host/serial, monitor/ and the guest's
 * UART; polled from the run loop. */
#pragma once

#include "host/build.h"
#include "monitor/monitor.h"
#include "monitor/mux.h"
#include "monitor/protocol.h"

#define CONSOLE_STAGED_BYTES 256

struct machine;

struct console {
	struct identity identity;
	char build[BUILD_ID_BYTES];
	struct monitor monitor;
	struct mux mux;
	struct protocol protocol;
	uint8_t staged[CONSOLE_STAGED_BYTES]; /* taken from the UART and not yet by the console */
	size_t staged_count, staged_at;
};

/* Needs the guest's UART. engine: the engine's name for the greeting. */
void console_init(struct machine *machine, const char *engine);

/* Moves bytes between the lines, the monitor and the guest; executes the commands that have arrived. Bounded. Returns whether a byte came, or
 * one waits to go. */
bool console_poll(struct machine *machine);

/* Sends all that waits, the guest's output too, as long as the lines take it: before the machine is left. */
void console_drain(struct machine *machine);
