/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event queue: a sorted list, as a machine has a dozen events at most. */
#include "timekeeping/event.h"

#include <stddef.h>

void event_init(struct event *event, void (*fire)(void *owner, uint64_t now_ns), void *owner)
{
	*event = (struct event){ .due_ns = EVENT_NEVER, .fire = fire, .owner = owner };
}

static void head_changed(struct event_queue *queue)
{
	queue->after_next_ns = (queue->head ? queue->head->due_ns : EVENT_NEVER) + 1;
}

static void take_out(struct event_queue *queue, struct event *event)
{
	struct event **link = &queue->head;

	while (*link != event)
		link = &(*link)->next;
	*link = event->next;
	event->queued = false;
	head_changed(queue);
}

void event_cancel(struct event_queue *queue, struct event *event)
{
	if (event->queued)
		take_out(queue, event);
	event->due_ns = EVENT_NEVER;
}

void event_set(struct event_queue *queue, struct event *event, uint64_t due_ns)
{
	struct event **link = &queue->head;

	event_cancel(queue, event);
	if (due_ns == EVENT_NEVER)
		return;
	while (*link && (*link)->due_ns <= due_ns)
		link = &(*link)->next;
	event->next = *link;
	event->due_ns = due_ns;
	event->queued = true;
	event->set_in_run = queue->runs;
	*link = event;
	head_changed(queue);
}

/* The first event that is due at now_ns and was set before this run began. */
static struct event *next_to_fire(const struct event_queue *queue, uint64_t now_ns)
{
	struct event *event = queue->head;

	while (event && event->set_in_run == queue->runs)
		event = event->next;
	return event && event->due_ns <= now_ns ? event : NULL;
}

void event_run(struct event_queue *queue, uint64_t now_ns)
{
	struct event *event;

	queue->runs++;
	while ((event = next_to_fire(queue, now_ns))) {
		take_out(queue, event);
		event->fire(event->owner, now_ns);
	}
}
