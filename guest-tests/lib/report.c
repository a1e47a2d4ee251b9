/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Serial output and the status ladder of test guests. */
#include "guest-tests/lib/report.h"

#include "base/assert.h"
#include "base/format.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/multiboot.h"

#define COM1 0x3F8
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define FIFO_BYTES 16
#define REPORT_PORT 0xF4

static unsigned passed, failed, skipped;

static void print_text(const char *text)
{
	unsigned room = 0;

	for (; *text; text++, room--) {
		if (!room) {
			while (!(inb(COM1 + 5) & LSR_THRE))
				;
			room = FIFO_BYTES;
		}
		outb(COM1, (uint8_t)*text);
	}
}

void print(const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	format_v(line, sizeof line, fmt, args);
	va_end(args);
	print_text(line);
}

void print_drain(void)
{
	while (!(inb(COM1 + 5) & LSR_TEMT))
		;
}

static void verdict(const char *word, const char *fmt, va_list args)
{
	char line[256];
	size_t length = format(line, sizeof line - 1, "%s %s: ", word, test_name);

	length += format_v(line + length, sizeof line - 1 - length, fmt, args);
	line[length] = '\n';
	line[length + 1] = 0;
	print_text(line);
}

bool report(bool held, const char *claim, ...)
{
	va_list args;

	(*(held ? &passed : &failed))++;
	va_start(args, claim);
	verdict(held ? "ok" : "FAIL", claim, args);
	va_end(args);
	return held;
}

void report_skip(const char *why, ...)
{
	va_list args;

	skipped++;
	va_start(args, why);
	verdict("SKIP", why, args);
	va_end(args);
}

bool report_but_qemu(bool held, const char *claim, ...)
{
	bool excused = !held && on_plain_qemu();
	va_list args;

	(*(held ? &passed : excused ? &skipped : &failed))++;
	va_start(args, claim);
	verdict(held ? "ok" : excused ? "SKIP" : "FAIL", claim, args);
	va_end(args);
	return held;
}

bool on_plain_qemu(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	return c.ebx == 0x54474354 && c.ecx == 0x43544743 && c.edx == 0x47435447;
}

bool bed_is_qemu(void)
{
	return on_plain_qemu() || option_is("bed", "qemu");
}

void guest_done(void)
{
	bool good = passed && !failed;

	cli();
	print("done %s: %u ok, %u failed, %u skipped\n", test_name, passed, failed, skipped);
	print_drain();
	outb((uint16_t)option_number("report", REPORT_PORT), good ? 0 : 1);
	for (;;)
		__asm__ volatile("hlt");
}

void assert_failed(const char *expression, const char *file, int line)
{
	report(false, "%s:%d: %s", file, line, expression);
	guest_done();
}
