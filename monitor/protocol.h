/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The control port (COM2): one JSON object per line, for scripts. docs/protocol.md describes it exactly; protocol
 * number 1. A line that is not one whole, correct request gets one typed error and does nothing. */
#pragma once

#include "monitor/json.h"
#include "monitor/monitor.h"
#include "monitor/ring.h"

#define PROTOCOL_NUMBER 1
#define PROTOCOL_LINE JSON_LINE    /* the longest request, without its line end */
#define PROTOCOL_REPLY 6144u       /* no line that we send is longer */
#define PROTOCOL_OUTPUT 16384u

struct protocol {
	struct machine *machine;
	const struct identity *identity;
	struct sink line;
	char request[PROTOCOL_LINE];
	size_t request_bytes;     /* received of the line so far; more than PROTOCOL_LINE: it is too long */
	struct json_object object;
	uint64_t sequence;        /* of the last event */
	uint64_t dropped_events;
	bool quit;                /* the reply is out, and now the run ends */
	char reply[PROTOCOL_REPLY];
	struct ring output;
	uint8_t output_bytes[PROTOCOL_OUTPUT];
};

/* Sends the greeting. */
void protocol_init(struct protocol *protocol, struct machine *machine, const struct identity *identity,
		   const struct sink *line);

/* One byte from the port. False: the line's end cannot be taken now, as the reply might not fit; offer the byte
 * again after protocol_poll. So no reply is ever lost. */
bool protocol_input(struct protocol *protocol, uint8_t byte);

/* Moves to the line what it takes now. To be called often. */
void protocol_poll(struct protocol *protocol);

/* Has everything gone to the line? */
bool protocol_is_drained(const struct protocol *protocol);

/* What happened to the machine, whoever did it; called after the fact. An event that finds no room is dropped, and
 * the gap in the sequence numbers tells. reason: one word, see docs/protocol.md. */
void protocol_rate_changed(struct protocol *protocol);
void protocol_date_changed(struct protocol *protocol, int64_t from_unix);
void protocol_paused(struct protocol *protocol);
void protocol_resumed(struct protocol *protocol);
void protocol_guest_ended(struct protocol *protocol, const char *reason, unsigned status);
