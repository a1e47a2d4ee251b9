/* SPDX-License-Identifier: BSD-2-Clause
 *
 * For the Linux guest: `port PORT BYTE...` writes bytes to an I/O port (Debian's cloud kernel has no /dev/port); `tsc`, the
 * same program by its other name, prints the time-stamp counter. It is static and without a C library, so that any x86
 * compiler makes it: Linux system calls only. */

enum { SYS_WRITE = 1, SYS_PAUSE = 34, SYS_GETPID = 39, SYS_EXIT = 60, SYS_IOPL = 172 };

static long system_call(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
	return result;
}

static void leave(int status)
{
	for (;;)
		system_call(SYS_EXIT, status, 0, 0);
}

static void complain(const char *text, long length)
{
	system_call(SYS_WRITE, 2, (long)text, length);
	leave(2);
}

static int digit(char c, unsigned base)
{
	unsigned value = c >= '0' && c <= '9' ? (unsigned)(c - '0') : ((unsigned)c | 0x20u) - 'a' + 10u;

	return value < base ? (int)value : -1;
}

/* Decimal, or hexadecimal behind 0x; -1 where it is no number up to limit. */
static long number(const char *text, long limit)
{
	unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
	long value = 0;

	if (base == 16)
		text += 2;
	if (!*text)
		return -1;
	for (; *text; text++) {
		int next = digit(*text, base);

		if (next < 0)
			return -1;
		value = value * (long)base + next;
		if (value > limit)
			return -1;
	}
	return value;
}

static void print_tsc(void)
{
	unsigned low, high;
	unsigned long value;
	char text[24], *at = text + sizeof text;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	value = (unsigned long)high << 32 | low;
	*--at = '\n';
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	system_call(SYS_WRITE, 1, (long)at, text + sizeof text - at);
	while (system_call(SYS_GETPID, 0, 0, 0) == 1) /* as the kernel's init: its end would be a panic, in the middle of the line */
		system_call(SYS_PAUSE, 0, 0, 0);
	leave(0);
}

static int is_called_tsc(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name[0] == 't' && name[1] == 's' && name[2] == 'c' && !name[3];
}

__attribute__((used)) static void start(long count, char **arguments)
{
	static const char usage[] = "usage: port PORT BYTE...\n", refused[] = "port: the kernel refuses ports\n";
	long port = count > 2 ? number(arguments[1], 0xffff) : -1;

	if (count && is_called_tsc(arguments[0]))
		print_tsc();
	for (long i = 2; i < count; i++)
		if (number(arguments[i], 0xff) < 0)
			port = -1;
	if (port < 0)
		complain(usage, sizeof(usage) - 1);
	if (system_call(SYS_IOPL, 3, 0, 0))
		complain(refused, sizeof(refused) - 1);
	for (long i = 2; i < count; i++)
		__asm__ volatile("outb %b0, %w1" : : "a"(number(arguments[i], 0xff)), "Nd"(port));
	leave(0);
}

/* The stack as the kernel leaves it: the argument count, then the arguments (System V ABI, AMD64 supplement 3.4.1). */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov (%rsp), %rdi\n"
	"	lea 8(%rsp), %rsi\n"
	"	and $-16, %rsp\n"
	"	call start\n");
