/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Formatted text into a bounded buffer: the part of snprintf that the project needs.
 * Understood: %% %c %s %d %i %u %x %X %p, the lengths l, ll and z, the flags 0 and -, a width or *, and .N or .* for %s. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Writes at most bytes - 1 characters and always a final NUL (bytes > 0). Returns the number of characters
 * written, without the NUL: unlike snprintf never more than fits, so that lengths can be added up. */
size_t format(char *out, size_t bytes, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t format_v(char *out, size_t bytes, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));
