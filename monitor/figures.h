/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Figures as people read them: fixed-point numbers, spans of time and dates. Each function writes a NUL-terminated
 * text of at most bytes - 1 characters and returns its length, as format does. No floating point. */
#pragma once

#include "timekeeping/rate.h"

#include <stddef.h>
#include <stdint.h>

#define FIGURE_BYTES 64 /* holds each of these figures */

/* value_e12 in units of 10^-12, rounded half up to at most decimals (0..12) decimals, without trailing zeros: "10",
 * "0.25". */
size_t figure_e12(char *out, size_t bytes, uint64_t value_e12, unsigned decimals);

/* The same with (at least) six significant digits: for measured values. */
size_t figure_measured_e12(char *out, size_t bytes, uint64_t value_e12);

/* A relative error in 10^-12 as parts per million with its sign: "+0.000233 ppm", "0 ppm". */
size_t figure_ppm(char *out, size_t bytes, int64_t error_e12);

/* "10" or "1/4". */
size_t figure_rate(char *out, size_t bytes, struct rate rate);

/* A duration in ns, exactly: "0s", "1.5s", "2h 3.25s", "1d 30m". */
size_t figure_duration(char *out, size_t bytes, uint64_t ns);

/* Seconds since 1970 as "2025-01-31T12:34:56Z"; outside of the years 1970 to 9999 the bare number. */
size_t figure_date(char *out, size_t bytes, int64_t unix_seconds);
