/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event queue: absolute deadlines in guest ns, sorted. The events are members of the devices' own structs;
 * nothing is allocated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EVENT_NEVER UINT64_MAX

struct event {
	uint64_t due_ns; /* while it fires: when it was due */
	bool queued;
	void (*fire)(void *owner, uint64_t now_ns); /* called when the event is out of the queue; may set it again */
	void *owner;
	struct event *next;
	uint64_t set_in_run; /* number of the event_run in or after which it was set */
};

/* All zero: empty. */
struct event_queue {
	struct event *head;
	uint64_t after_next_ns; /* 1 ns after the earliest deadline; 0: there is none */
	uint64_t runs;
};

void event_init(struct event *event, void (*fire)(void *owner, uint64_t now_ns), void *owner);

/* Puts the event at due_ns, or moves it there. EVENT_NEVER takes it out. Events with the same deadline fire in the
 * order in which they were set. */
void event_set(struct event_queue *queue, struct event *event, uint64_t due_ns);
void event_cancel(struct event_queue *queue, struct event *event);

/* The earliest deadline; EVENT_NEVER where there is none. */
static inline uint64_t event_next_ns(const struct event_queue *queue)
{
	return queue->after_next_ns - 1;
}

/* Fires every event that was due at now_ns when the call began, each once and the earliest first: what is set into
 * the past by one that fires waits for the next call, so that no event can hold the caller here. */
void event_run(struct event_queue *queue, uint64_t now_ns);
