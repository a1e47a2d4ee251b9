/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages to the operator. */
#include "host/message.h"

#include "base/format.h"
#include "host/power.h"
#include "host/screen.h"
#include "host/serial.h"

static bool is_buffered;

void message_set_buffered(bool buffered)
{
	is_buffered = buffered;
	if (!buffered)
		serial_flush(&serial_com1);
}

static void write_both(const char *text, size_t length)
{
	screen_write(text, length);
	for (size_t done = 0; done < length;) {
		done += serial_write(&serial_com1, text + done, length - done);
		if (!is_buffered || done < length)
			serial_flush(&serial_com1);
	}
}

static void say(unsigned number, const char *fmt, va_list args)
{
	char line[512];
	size_t length;

	if (number)
		length = format(line, sizeof line, "foliot: [F%03u] ", number);
	else
		length = format(line, sizeof line, "foliot: ");
	length += format_v(line + length, sizeof line - 2 - length, fmt, args);
	length += format(line + length, sizeof line - length, "\r\n");
	write_both(line, length);
}

void message(unsigned number, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(number, fmt, args);
	va_end(args);
}

void message_text(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	write_both(text, format_v(text, sizeof text, fmt, args));
	va_end(args);
}

static _Noreturn void end(void)
{
	message_set_buffered(false);
	host_stop(BED_MISSING_FEATURE);
}

void message_fatal(unsigned number, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(number, fmt, args);
	va_end(args);
	end();
}

void message_refusal(const struct refusal *why)
{
	message_fatal(why->number, "%s", why->text);
}
