/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a pure function says no: a message number (docs/messages.md) and one line that names what, the value seen and
 * what to do. The caller prints it; a function that refuses has changed nothing. */
#pragma once

#include <stdbool.h>

struct refusal {
	unsigned number; /* 0: nothing was refused */
	char text[240];
};

/* Fills the refusal and returns false, so that a check reads: return refuse(why, 312, "...", value). */
bool refuse(struct refusal *why, unsigned number, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
