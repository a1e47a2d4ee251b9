/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One counter of an 8254 (Intel 8254 data sheet, order 231164). Nothing is stepped: what the counter shows is
 * computed from the CLK pulses since it was loaded. The data sheet loads a written or triggered count "on the next
 * CLK pulse", which here comes at once: the phase of CLK is the one thing that a guest cannot know. So after k
 * pulses is after ceil(k * 10^9 / PIT_HZ) ns. */
#pragma once

#include "timekeeping/event.h"

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ 1193182u /* CLK of a PC: 14.31818 MHz / 12, rounded to whole Hz */

enum pit_mode { /* names of the data sheet */
	PIT_INTERRUPT_ON_TERMINAL_COUNT,
	PIT_RETRIGGERABLE_ONE_SHOT,
	PIT_RATE_GENERATOR,
	PIT_SQUARE_WAVE,
	PIT_SOFTWARE_STROBE,
	PIT_HARDWARE_STROBE,
};

/* What a write did to the course of OUT. */
enum pit_change {
	PIT_UNCHANGED,
	PIT_STOPPED,  /* counting ended: by a control word, or by the first byte of a count in mode 0 */
	PIT_LOADED,   /* a count was loaded just now */
	PIT_RELOADS,  /* a new count waits for the end of this period, or half period in mode 3 */
};

struct pit_counter {
	enum pit_mode mode;
	uint8_t control;      /* bits 0 to 5 of the control word, as the status byte shows them */
	bool gate;
	bool null_count;      /* the count written is not the one in force */
	bool msb_next_write, msb_next_read;
	uint8_t written_lsb;
	uint32_t written;     /* the last whole count written, in CLK pulses; 0: none since the control word */

	bool loaded;          /* a count is in force; else the counting element rests at held */
	bool running;
	uint32_t held;
	uint32_t count;       /* the count in force, in CLK pulses */
	uint64_t start_ns;    /* when it was loaded or, after a pause, went on */
	uint64_t start_ticks; /* the pulses that it had counted then */
	uint64_t reload_ns;   /* when the count in written takes over (modes 2 and 3); EVENT_NEVER: it does not wait */
	uint64_t reload_ticks; /* where in the new period that is: 0, or the start of the low half */

	bool count_latched, status_latched;
	uint16_t latched_count;
	uint8_t latched_status;
};

/* As if mode 3 and LSB/MSB access had been programmed, but no count: OUT is high, the counter reads 0. Leaves the
 * gate alone. */
void pit_counter_reset(struct pit_counter *counter);

/* A control word for this counter: not a latch, not a read-back. */
void pit_counter_program(struct pit_counter *counter, uint8_t control, uint64_t now_ns);

/* A byte for the counter's port, and one from it. */
enum pit_change pit_counter_write(struct pit_counter *counter, uint8_t byte, uint64_t now_ns);
uint32_t pit_counter_read(struct pit_counter *counter, uint64_t now_ns);

/* The counter latch command and the read-back command; an earlier latch that was not read yet stays. */
void pit_counter_latch_count(struct pit_counter *counter, uint64_t now_ns);
void pit_counter_latch_status(struct pit_counter *counter, uint64_t now_ns);

void pit_counter_set_gate(struct pit_counter *counter, bool level, uint64_t now_ns);

bool pit_counter_out(struct pit_counter *counter, uint64_t now_ns);

bool pit_counter_is_periodic(const struct pit_counter *counter);

/* After PIT_LOADED in modes 0 and 4: when OUT rises, in guest ns. EVENT_NEVER: not without a trigger. */
uint64_t pit_counter_rise_ns(const struct pit_counter *counter);

/* After PIT_RELOADS: the first rise of OUT that belongs to the new count; from there on there is one each written
 * pulses. */
uint64_t pit_counter_reload_rise_ns(const struct pit_counter *counter);
