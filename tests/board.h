/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A board for tests of one chip: the real bus, interrupt lines and event queue, and in place of an interrupt
 * controller a recorder. */
#pragma once

#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/request.h"
#include "tests/support.h"
#include "timekeeping/event.h"

struct board {
	struct bus bus;
	struct irq_router router;
	struct event_queue queue;
	bool level[IRQ_LINES], masked[IRQ_LINES];
	unsigned long rises[IRQ_LINES];
	unsigned requests; /* how many, and the last one */
	enum machine_request what;
	unsigned value;
};

static inline void board_set(void *chip, unsigned irq, bool level)
{
	struct board *board = chip;

	board->rises[irq] += level && !board->level[irq];
	board->level[irq] = level;
}

static inline bool board_masked(const void *chip, unsigned irq)
{
	const struct board *board = chip;

	return board->masked[irq];
}

static inline void board_init(struct board *board)
{
	struct irq_chip chip = { .chip = board, .lines = IRQ_LINES, .set = board_set, .masked = board_masked };

	memset(board, 0, sizeof(*board));
	irq_attach_chip(&board->router, &chip);
}

static inline void board_request(void *context, enum machine_request what, unsigned value)
{
	struct board *board = context;

	board->requests++;
	board->what = what;
	board->value = value;
}

static inline struct machine_requests board_requests(struct board *board)
{
	return (struct machine_requests){ .context = board, .request = board_request };
}

static inline uint8_t board_in(struct board *board, uint16_t port, uint64_t now_ns)
{
	return (uint8_t)bus_read_port(&board->bus, port, 1, now_ns);
}

static inline void board_out(struct board *board, uint16_t port, uint8_t value, uint64_t now_ns)
{
	bus_write_port(&board->bus, port, value, 1, now_ns);
}

/* Runs the events up to now_ns, each exactly when it is due. */
static inline void board_run(struct board *board, uint64_t now_ns)
{
	while (event_next_ns(&board->queue) <= now_ns)
		event_run(&board->queue, event_next_ns(&board->queue));
}
