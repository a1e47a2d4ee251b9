/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What Foliot says to the operator, on COM1 and on the screen: "foliot: [F123] text". The numbers are listed in
 * docs/messages.md. */
#pragma once

#include "base/refusal.h"

#include <stdbool.h>
#include <stdint.h>

/* Text of at most 480 characters, without a newline at its end. Number 0 prints no number. */
void message(unsigned number, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, and then the end: a test bed is left with BED_MISSING_FEATURE (host/power.h), another machine
 * stands still so that the screen can be read. */
_Noreturn void message_fatal(unsigned number, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void message_refusal(const struct refusal *why);

/* A line without "foliot:" before it, such as one of a dump; at most 511 characters, without a newline at its end. */
void message_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Who prints messages on COM1 from now on, as the console does once a guest shares it; NULL, as at first: they
 * are sent at once. */
void message_set_console(void (*say_line)(const char *line));
