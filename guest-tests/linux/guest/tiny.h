/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the Linux guest's programs without a C library share: system calls, numbers as text, the entry. */
#pragma once

enum { SYS_WRITE = 1, SYS_EXIT = 60, SYS_CLOCK_GETTIME = 228 };
enum { CLOCK_MONOTONIC = 1, CLOCK_MONOTONIC_RAW = 4 };

typedef unsigned long u64;

struct time {
	long s, ns;
};

static inline long system_call(long number, long first, long second, long third, long fourth, long fifth, long sixth)
{
	register long r10 __asm__("r10") = fourth;
	register long r8 __asm__("r8") = fifth;
	register long r9 __asm__("r9") = sixth;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline int is_same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return *a == *b;
}

static inline long number(const char *text)
{
	long value = 0;

	for (; *text; text++)
		value = value * 10 + (*text - '0');
	return value;
}

static inline char *put(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

static inline char *put_number(char *at, u64 value)
{
	char digits[24], *first = digits + sizeof digits - 1;

	*first = 0;
	do
		*--first = (char)('0' + value % 10);
	while (value /= 10);
	return put(at, first);
}

static inline void say(const char *line, const char *end)
{
	system_call(SYS_WRITE, 1, (long)line, end - line, 0, 0, 0);
}

static inline void leave(int status)
{
	for (;;)
		system_call(SYS_EXIT, status, 0, 0, 0, 0, 0);
}

/* The stack as the kernel leaves it: the argument count, then the arguments (System V ABI, AMD64 supplement 3.4.1). */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov (%rsp), %rdi\n"
	"	lea 8(%rsp), %rsi\n"
	"	and $-16, %rsp\n"
	"	call start\n");
