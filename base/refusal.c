/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Filling a refusal. */
#include "base/refusal.h"

#include "base/format.h"

bool refuse(struct refusal *why, unsigned number, const char *fmt, ...)
{
	va_list args;

	why->number = number;
	va_start(args, fmt);
	format_v(why->text, sizeof why->text, fmt, args);
	va_end(args);
	return false;
}
