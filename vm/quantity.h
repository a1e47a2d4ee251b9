/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How operators write rates and durations: on the command line, in the monitor, in do=. Numbers are plain
 * decimals with an optional fraction; signs, exponents, blanks and anything left over are refused. */
#pragma once

#include "timekeeping/rate.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads "10", "2.5", "1/4", "1d/1m" (a day a minute; both sides have a unit or neither), "0". The rate comes
 * out reduced and is one that Foliot can run (rate_reduce). False: it is no such rate, and *rate is as it was. */
bool parse_rate(const char *text, struct rate *rate);

/* Reads "5s", "1.5ms", "250us", "10ns", "2m", "1h", "3d" into nanoseconds. False: it is no such duration, no
 * whole number of nanoseconds, or not below 2^63; then *ns is as it was. */
bool parse_duration_ns(const char *text, uint64_t *ns);

/* Reads a whole number, decimal or with 0x in hexadecimal, up to limit. False: it is none; *value is as it was. */
bool parse_number(const char *text, uint64_t limit, uint64_t *value);
