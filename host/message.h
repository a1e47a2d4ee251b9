/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What Foliot says to the operator, on COM1 and on the screen: "foliot: [F123] text". The numbers are listed in docs/messages.md. */
#pragma once

#include "base/refusal.h"

#include <stdbool.h>
#include <stdint.h>

/* Text of at most 480 characters, without a newline at its end. Number 0 prints no number. */
void message(unsigned number, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, and then the end: a test bed is left with BED_MISSING_FEATURE (host/power.h), another machine stands still so that the screen can be read. */
_Noreturn void message_fatal(unsigned number, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void message_refusal(const struct refusal *why);

/* Raw text in the same places. */
void message_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether messages wait in COM1's ring for the run loop to send them, as they do once a guest runs. At first they are sent at once. */
void message_set_buffered(bool buffered);
