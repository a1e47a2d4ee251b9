/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages to the operator. */
#include "host/message.h"

#include "base/format.h"
#include "host/power.h"
#include "host/screen.h"
#include "host/serial.h"

#include <stddef.h>

static void (*console)(const char *line);

void message_set_console(void (*say_line)(const char *line))
{
	console = say_line;
	if (!console)
		serial_flush(&serial_com1);
}

/* One line, without its end. */
static void write_line(const char *text, size_t length)
{
	screen_write(text, length);
	screen_write("\r\n", 2);
	if (console) {
		console(text);
		return;
	}
	serial_write(&serial_com1, text, length);
	serial_write(&serial_com1, "\r\n", 2);
	serial_flush(&serial_com1);
}

static void say(unsigned number, const char *fmt, va_list args)
{
	char line[512];
	size_t length;

	if (number)
		length = format(line, sizeof line, "foliot: [F%03u] ", number);
	else
		length = format(line, sizeof line, "foliot: ");
	length += format_v(line + length, sizeof line - length, fmt, args);
	write_line(line, length);
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
	write_line(text, format_v(text, sizeof text, fmt, args));
	va_end(args);
}

static _Noreturn void end(void)
{
	message_set_console(NULL);
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
