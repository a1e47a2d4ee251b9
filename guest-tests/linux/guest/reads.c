/* SPDX-License-Identifier: BSD-2-Clause
 *
 * For the Linux guest: `reads FROM TO` reads CLOCK_MONOTONIC and nothing else from FROM to TO seconds of it, through the
 * kernel's vDSO as a C library does, and prints
 *     reads <how many> backward <how many of them> by <vdso or syscall>
 * Static and without a C library: Linux system calls, the vDSO's symbols (Linux Documentation/ABI/stable/vdso; ELF-64 Object
 * File Format 1.5). */

#include "tiny.h"

enum { AT_SYSINFO_EHDR = 33 };
enum { PT_LOAD = 1, PT_DYNAMIC = 2, DT_HASH = 4, DT_STRTAB = 5, DT_SYMTAB = 6 };

struct segment {
	unsigned type, flags;
	u64 offset, address, physical, file_bytes, memory_bytes, alignment;
};

struct symbol {
	unsigned name;
	unsigned char info, other;
	unsigned short section;
	u64 value, bytes;
};

static int (*clock_gettime)(int clock, struct time *time);

static int by_syscall(int clock, struct time *time)
{
	return (int)system_call(SYS_CLOCK_GETTIME, clock, (long)time, 0, 0, 0, 0);
}

/* The address of a function of the vDSO whose ELF header is at image; 0: it has none of that name. */
static u64 find_in_vdso(const char *image, const char *name)
{
	const struct segment *segments = (const void *)(image + *(const u64 *)(image + 32));
	const u64 *dynamic = 0;
	const unsigned *hash = 0;
	const struct symbol *symbols = 0;
	const char *names = 0;
	u64 base = 0;

	for (unsigned i = *(const unsigned short *)(image + 56); i--;) {
		if (segments[i].type == PT_LOAD)
			base = (u64)image + segments[i].offset - segments[i].address;
		if (segments[i].type == PT_DYNAMIC)
			dynamic = (const void *)(image + segments[i].offset);
	}
	for (; dynamic && *dynamic; dynamic += 2) {
		if (dynamic[0] == DT_HASH)
			hash = (const void *)(base + dynamic[1]);
		if (dynamic[0] == DT_STRTAB)
			names = (const void *)(base + dynamic[1]);
		if (dynamic[0] == DT_SYMTAB)
			symbols = (const void *)(base + dynamic[1]);
	}
	for (unsigned i = 0; hash && names && symbols && i < hash[1]; i++)
		if (symbols[i].section && is_same(names + symbols[i].name, name))
			return base + symbols[i].value;
	return 0;
}

static long now_ns(void)
{
	struct time time = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.s * 1000000000 + time.ns;
}

__attribute__((used)) static void start(long count, char **arguments)
{
	long from_ns = count > 2 ? number(arguments[1]) * 1000000000 : 0, to_ns = count > 2 ? number(arguments[2]) * 1000000000 : 0;
	u64 reads = 0, backward = 0, *auxiliary = (u64 *)arguments + count + 1, vdso = 0;
	char line[120], *at = line;
	long last_ns = 0;

	while (*auxiliary++) /* the environment */
		;
	for (; auxiliary[0]; auxiliary += 2)
		if (auxiliary[0] == AT_SYSINFO_EHDR)
			vdso = find_in_vdso((const char *)auxiliary[1], "__vdso_clock_gettime");
	clock_gettime = vdso ? (int (*)(int, struct time *))vdso : by_syscall;
	while (now_ns() < from_ns)
		;
	while (last_ns < to_ns) {
		long ns = now_ns();

		reads++;
		backward += ns < last_ns;
		last_ns = ns;
	}
	at = put_number(put(at, "reads "), reads);
	at = put_number(put(at, " backward "), backward);
	at = put(at, vdso ? " by vdso\n" : " by syscall\n");
	say(line, at);
	leave(0);
}
