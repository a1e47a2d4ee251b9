/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The serial console (COM1), shared by the guest and the monitor. Input goes to the guest's UART, until the escape
 * character calls the monitor. The guest's output is passed on byte for byte and never looked into, but for one
 * thing: whether its last byte ended a line. It is held back only while a line of the monitor is being typed or
 * printed, so that neither tears the other. */
#pragma once

#include "monitor/editor.h"
#include "monitor/monitor.h"
#include "monitor/ring.h"

#define MUX_ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define MUX_ESCAPE_NONE (-1)    /* the monitor cannot be called from this line */
#define MUX_INPUT_BYTES 4096u
#define MUX_OUTPUT_BYTES 8192u

/* The guest's UART. */
struct mux_guest {
	void *context;
	bool (*receive)(void *context, uint8_t byte); /* false: it is full; the byte is offered again later */
};

struct mux {
	struct sink line;         /* towards the terminal */
	struct mux_guest guest;
	struct monitor *monitor;
	struct editor editor;
	int escape;               /* 0..255 or MUX_ESCAPE_NONE */
	bool in_monitor;
	bool executing;           /* a typed command: no prompt comes between it and its answer */
	bool prompted;            /* the last thing on the screen is the prompt with what is typed */
	bool mid_line;            /* the guest's last byte was no line feed */
	bool guest_wrote;         /* since the last mux_poll */
	uint64_t dropped_input, dropped_output; /* bytes, for want of room in the rings */
	struct ring input, output;
	uint8_t input_bytes[MUX_INPUT_BYTES], output_bytes[MUX_OUTPUT_BYTES];
};

/* escape: the byte that calls the monitor, or MUX_ESCAPE_NONE. */
void mux_init(struct mux *mux, const struct sink *line, const struct mux_guest *guest, struct monitor *monitor,
	      int escape);

/* One byte from the terminal. In the monitor, the escape character goes to the guest, and the console with it; Ctrl-D
 * or "guest" gives the console back as well. */
void mux_input(struct mux *mux, uint8_t byte);

/* Bytes that the guest sent. Returns how many of them were taken; the caller offers the others again, after
 * mux_poll. */
size_t mux_guest_output(struct mux *mux, const uint8_t *bytes, size_t count);

/* Foliot's own line of text, without a line end. */
void mux_say(struct mux *mux, const char *text);

/* Executes a command of do=, due at guest time at_ns, and prints "foliot: do <time>: <command> -> <answer>". */
void mux_do(struct mux *mux, uint64_t at_ns, const char *command);

/* Calls the monitor as the escape character does, as when the guest has ended. */
void mux_enter(struct mux *mux);

/* Moves what can move: our text to the terminal, input to the guest; shows the prompt when all is quiet. To be
 * called often. */
void mux_poll(struct mux *mux);

/* Has all of our own text gone to the line? */
bool mux_is_drained(const struct mux *mux);
