/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Multiboot information, and the entry into the test's own main. */
#include "guest-tests/lib/multiboot.h"

#include "base/mem.h"
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/report.h"

#define BOOTLOADER_MAGIC 0x2BADB002u
#define FLAG_CMDLINE (1u << 2)
#define FLAG_MMAP (1u << 6)

void guest_start(uint32_t magic, const uint32_t *information);

static char command_line[512];
static struct memory_range map[32];
static unsigned map_count;

static void keep_map(const uint8_t *at, const uint8_t *end)
{
	for (map_count = 0; at < end && map_count < 32; map_count++) {
		memcpy(&map[map_count], at, sizeof map[0]);
		at += map[map_count].size + 4;
	}
}

void multiboot_init(uint32_t magic, const uint32_t *information)
{
	if (magic != BOOTLOADER_MAGIC)
		return;
	if (information[0] & FLAG_CMDLINE) {
		const char *text = (const char *)information[4];
		size_t bytes = strlen(text);

		memcpy(command_line, text, bytes < sizeof command_line ? bytes : sizeof command_line - 1);
	}
	if (information[0] & FLAG_MMAP)
		keep_map((const uint8_t *)information[12], (const uint8_t *)information[12] + information[11]);
}

/* Where the value of an option begins: after "name=" at the start of a word. */
static const char *option(const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = command_line; *at; at++)
		if ((at == command_line || at[-1] == ' ') && !strncmp(at, name, bytes) && at[bytes] == '=')
			return at + bytes + 1;
	return NULL;
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
}

uint32_t option_number(const char *name, uint32_t if_absent)
{
	const char *at = option(name);
	uint32_t value = 0, base = 10;

	if (!at)
		return if_absent;
	if (at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	for (; digit(*at) < base; at++)
		value = value * base + digit(*at);
	return value;
}

bool option_is(const char *name, const char *value)
{
	const char *at = option(name);
	size_t bytes = strlen(value);

	return at && !strncmp(at, value, bytes) && (at[bytes] == ' ' || !at[bytes]);
}

bool option_lists(const char *name, const char *word)
{
	const char *at = option(name);
	size_t bytes = strlen(word);

	while (at && *at && *at != ' ') {
		size_t length = 0;

		while (at[length] && at[length] != ' ' && at[length] != ',')
			length++;
		if (length == bytes && !strncmp(at, word, bytes))
			return true;
		at += length + (at[length] == ',');
	}
	return false;
}

uint32_t share(uint32_t full)
{
	uint32_t part = full / 100 * option_number("share", 1) + full % 100 * option_number("share", 1) / 100;

	return part ? part : 1;
}

const struct memory_range *memory_next(const struct memory_range *range)
{
	const struct memory_range *next = range ? range + 1 : map;

	return next < map + map_count ? next : NULL;
}

bool memory_is_ram(uint64_t gpa, uint64_t bytes)
{
	for (const struct memory_range *r = memory_next(NULL); r; r = memory_next(r))
		if (r->type == 1 && gpa >= r->base && gpa + bytes <= r->base + r->bytes)
			return true;
	return false;
}

void guest_start(uint32_t magic, const uint32_t *information)
{
	multiboot_init(magic, information);
	outb(0x3F8 + 3, 0x03); /* 8 data bits, no parity, one stop bit */
	outb(0x3F8 + 2, 0x07); /* FIFOs on and empty */
	outb(0x3F8 + 4, 0x03); /* DTR, RTS */
	interrupts_init();
	clocks_init();
	test_main();
	guest_done();
}
