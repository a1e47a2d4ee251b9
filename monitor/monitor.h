/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The monitor's commands, for hands (behind the console's escape character) and for do= of the command line: one
 * line of text in, some lines of text out. All that they do to the machine goes through vm/control.h.
 * docs/monitor.md describes them. */
#pragma once

#include "vm/control.h"

/* What version, the control port's greeting and the banner say. ASCII. */
struct identity {
	const char *version; /* "0.1" */
	const char *build;   /* the build's own mark */
	const char *engine;  /* "AMD-V" */
};

struct monitor {
	struct machine *machine;
	const struct identity *identity;
};

/* Where a command's answer goes: lines of at most 79 characters, without line ends. */
struct reply {
	void *context;
	void (*line)(void *context, const char *text);
};

enum monitor_result {
	MONITOR_DONE,
	MONITOR_REFUSED, /* the answer says why; nothing changed */
	MONITOR_LEAVE,   /* the command was "guest": the console belongs to the guest again */
};

/* Executes one command line; an empty one does nothing. Every command but "guest" answers at least one line. */
enum monitor_result monitor_execute(struct monitor *monitor, const char *line, const struct reply *reply);
