/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of the loaders share: guest RAM with a hole for Foliot, modules in it or outside of it, an ELF
 * kernel, and damage. */
#pragma once

#include "tests/support.h"
#include "vm/bytes.h"
#include "vm/load.h"

#define MIB 0x100000ull
#define RAM_BYTES (6 * MIB)
#define IMAGE_GPA (4 * MIB) /* Foliot's own memory, a hole in the guest's */
#define IMAGE_BYTES (MIB / 2)

static uint8_t ram[RAM_BYTES], before[RAM_BYTES];
static struct guest_map map;

static inline void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	assert_true(guest_map_is_ram(&map, gpa, bytes));
	return ram + gpa;
}

static const struct guest_ram guest_ram = { NULL, span };

static inline void build_map(void)
{
	static const struct memory_range host[] = { { 0, RAM_BYTES, MEMORY_USABLE } };
	struct guest_map_input in = { host, 1, IMAGE_GPA, IMAGE_BYTES, 0 };
	struct refusal why = { 0 };

	assert_true(guest_map_build(&in, &map, &why));
}

static inline void fill_random(uint8_t *at, size_t bytes, uint64_t *seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)random_next(seed);
}

/* What a test hands to the loader: files at places of guest RAM, or (hpa beyond RAM) in memory of their own. */
struct scene {
	struct load_module modules[LOAD_MODULES];
	size_t count;
	struct vcpu_start start;
	struct refusal why;
};

static inline void add_in_ram(struct scene *scene, uint64_t hpa, const uint8_t *file, size_t bytes, const char *text)
{
	memcpy(ram + hpa, file, bytes);
	scene->modules[scene->count++] = (struct load_module){ hpa, bytes, ram + hpa, text };
}

static inline void add_outside(struct scene *scene, const uint8_t *file, size_t bytes, const char *text)
{
	uint64_t hpa = RAM_BYTES + scene->count * MIB;

	scene->modules[scene->count++] = (struct load_module){ hpa, bytes, file, text };
}

static inline bool run(struct scene *scene)
{
	struct load_input in = { scene->modules, scene->count, &map, &guest_ram, 0xe0000 };

	memset(&scene->start, 0xee, sizeof scene->start);
	scene->why = (struct refusal){ 0 };
	return guest_load(&in, &scene->start, &scene->why);
}

static inline void expect_refusal(struct scene *scene, unsigned number, const char *part)
{
	memcpy(before, ram, sizeof ram);
	if (run(scene))
		fail_msg("not refused with %u", number);
	if (scene->why.number != number || !strstr(scene->why.text, part))
		fail_msg("expected %u (%s), got %u: %s", number, part, scene->why.number, scene->why.text);
	assert_true(strlen(scene->why.text) < sizeof scene->why.text - 1); /* nothing was cut off */
	assert_memory_equal(ram, before, sizeof ram);
}

/* An ELF32 kernel of two segments: text with the header at the front, data with a tail of zeros. */
#define ELF_BYTES 0x5000u
#define TEXT_OFFSET 0x1000u
#define TEXT_GPA 0x180000u
#define TEXT_BYTES 0x2345u
#define DATA_OFFSET 0x4000u
#define DATA_GPA 0x190000u
#define DATA_BYTES 0x789u
#define DATA_MEMORY_BYTES 0x3000u
#define ELF_ENTRY (TEXT_GPA + 0x20)

static uint8_t elf[ELF_BYTES];

static inline void put_header(uint8_t *at, uint32_t flags)
{
	put32(at, 0x1badb002);
	put32(at + 4, flags);
	put32(at + 8, -(0x1badb002 + flags));
}

static inline void put_segment(uint8_t *at, uint32_t offset, uint32_t gpa, uint32_t bytes, uint32_t memory_bytes)
{
	put32(at, 1);
	put32(at + 4, offset);
	put32(at + 8, gpa + 0xc0000000u);
	put32(at + 12, gpa);
	put32(at + 16, bytes);
	put32(at + 20, memory_bytes);
}

static inline void build_elf(void)
{
	uint64_t seed = 9;

	fill_random(elf, sizeof elf, &seed);
	memset(elf, 0, TEXT_OFFSET);
	memcpy(elf, "\177ELF\1\1\1", 7);
	put16(elf + 16, 2);
	put16(elf + 18, 3);
	put32(elf + 24, ELF_ENTRY);
	put32(elf + 28, 52);
	put16(elf + 42, 32);
	put16(elf + 44, 3);
	put_segment(elf + 52, TEXT_OFFSET, TEXT_GPA, TEXT_BYTES, TEXT_BYTES);
	put_segment(elf + 84, DATA_OFFSET, DATA_GPA, DATA_BYTES, DATA_MEMORY_BYTES);
	put32(elf + 116, 0x6474e551); /* PT_GNU_STACK: not loaded */
	put_header(elf + TEXT_OFFSET, 3);
}

static uint8_t initrd[0x5123];

/* A random place in RAM for a module of so many bytes, at any alignment, that no other one has; 0: not found. */
static inline uint64_t random_place(const struct scene *scene, uint64_t bytes, uint64_t near_gpa, uint64_t *seed)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint64_t at = random_next(seed) % 3 ? near_gpa - 0x8000 + random_next(seed) % 0x18000
						    : 0x1000 + random_next(seed) % (RAM_BYTES - bytes - 0x1000);
		bool free = guest_map_is_ram(&map, at, bytes);

		if (random_next(seed) % 2)
			at &= ~0xfffull;
		for (size_t i = 0; i < scene->count && free; i++)
			free = at + bytes <= scene->modules[i].hpa ||
			       scene->modules[i].hpa + scene->modules[i].bytes <= at;
		if (free && guest_map_is_ram(&map, at, bytes))
			return at;
	}
	return 0;
}

/* Damages a few bytes of a header, mostly with values that hurt. */
static inline void damage(uint8_t *file, size_t bytes, uint64_t *seed)
{
	static const uint32_t nasty[] = { 0, 1, 0x7f, 0xff, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xfffff000,
					  0xffffffff };

	for (unsigned n = 1 + (unsigned)(random_next(seed) % 4); n > 0; n--) {
		size_t at = random_next(seed) % bytes;

		if (random_next(seed) % 2 && at + 4 <= bytes)
			put32(file + (at & ~3ull), nasty[random_next(seed) % 10]);
		else
			file[at] = (uint8_t)random_next(seed);
	}
}

/* One damaged or cut file, at random from the seed, through the loader: it is loaded, or refused by number.
 * True: loaded. */
static inline bool load_damaged(const uint8_t *file, size_t bytes, size_t header, size_t header_bytes, uint64_t *seed)
{
	struct scene scene = { 0 };
	uint8_t *copy;
	bool check = random_next(seed) % 16 == 0, loaded;

	if (random_next(seed) % 4 == 0)
		bytes = 1 + random_next(seed) % bytes;
	copy = malloc(bytes); /* exact, for the address sanitizer */
	memcpy(copy, file, bytes);
	if (bytes > header + header_bytes)
		damage(copy + header, header_bytes, seed);
	add_outside(&scene, copy, bytes, "text");
	add_outside(&scene, initrd, sizeof initrd, "");
	if (check)
		memcpy(before, ram, sizeof ram);
	loaded = run(&scene);
	if (!loaded)
		assert_in_range(scene.why.number, 302, 369);
	if (check && !loaded)
		assert_memory_equal(before, ram, sizeof ram);
	free(copy);
	return loaded;
}
