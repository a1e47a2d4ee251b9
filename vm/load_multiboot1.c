/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading a Multiboot 1 kernel. First every module that lies in the kernel's way is moved out of it, one after
 * another, each to a place that none of the others holds at that moment; then the segments are filled, then the
 * information is written. */
#include "vm/load_multiboot1.h"

#include "base/assert.h"
#include "base/mem.h"
#include "vm/bytes.h"
#include "vm/elf32.h"
#include "vm/place.h"

#define PAGE_BYTES 0x1000ull

/* The header (3.1.1). */
#define HEADER_MAGIC 0x1badb002
#define HEADER_SEARCH_BYTES 8192
#define HEADER_BYTES 12
#define HEADER_ADDRESS_BYTES 32
#define HEADER_FLAGS 4
#define HEADER_CHECKSUM 8
#define HEADER_HEADER_ADDR 12
#define HEADER_LOAD_ADDR 16
#define HEADER_LOAD_END_ADDR 20
#define HEADER_BSS_END_ADDR 24
#define HEADER_ENTRY_ADDR 28
#define FLAG_KNOWN 0x00000007u    /* page-aligned modules, memory information, video mode */
#define FLAG_REQUIRED 0x0000ffffu
#define FLAG_ADDRESSES 0x00010000u

/* The information (3.3). */
#define LOADER_MAGIC 0x2badb002
#define LOADER_NAME "Foliot"
#define INFO_FLAGS 0
#define INFO_MEM_LOWER 4
#define INFO_MEM_UPPER 8
#define INFO_CMDLINE 16
#define INFO_MODS_COUNT 20
#define INFO_MODS_ADDR 24
#define INFO_MMAP_LENGTH 44
#define INFO_MMAP_ADDR 48
#define INFO_LOADER_NAME 64
#define INFO_BYTES 120
#define INFO_MODULE_BYTES 16
#define INFO_HAS_MEMORY (1u << 0)
#define INFO_HAS_CMDLINE (1u << 2)
#define INFO_HAS_MODULES (1u << 3)
#define INFO_HAS_MMAP (1u << 6)
#define INFO_HAS_LOADER_NAME (1u << 9)
#define INFO_HAS_ALL \
	(INFO_HAS_MEMORY | INFO_HAS_CMDLINE | INFO_HAS_MODULES | INFO_HAS_MMAP | INFO_HAS_LOADER_NAME)

struct plan {
	struct load_segments segments;
	uint64_t now_gpa[LOAD_MODULES]; /* where each module is at the end, and meanwhile */
	bool moved[LOAD_MODULES];
	uint64_t info_gpa, info_bytes;
};

static bool find_header(const struct load_module *module, size_t *offset)
{
	uint64_t search = module->bytes < HEADER_SEARCH_BYTES ? module->bytes : HEADER_SEARCH_BYTES;

	for (size_t at = 0; at + HEADER_BYTES <= search; at += 4) {
		const uint8_t *header = module->data + at;

		if (get32(header) == HEADER_MAGIC &&
		    get32(header) + get32(header + HEADER_FLAGS) + get32(header + HEADER_CHECKSUM) == 0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

bool is_multiboot1(const struct load_module *module)
{
	size_t offset;

	return find_header(module, &offset);
}

/* The kernel's one segment, as the address fields give it. */
static bool read_addresses(const struct load_module *file, size_t offset, struct load_segments *out,
			   struct refusal *why)
{
	const uint8_t *header = file->data + offset;
	uint32_t header_addr = get32(header + HEADER_HEADER_ADDR), load = get32(header + HEADER_LOAD_ADDR);
	uint32_t load_end = get32(header + HEADER_LOAD_END_ADDR), bss_end = get32(header + HEADER_BSS_END_ADDR);
	struct load_segment *segment = &out->list[0];

	if (load > header_addr || header_addr - load > offset)
		return refuse(why, 331, "the kernel's load_addr is %xh and its header_addr %xh, but the header is at "
			      "%zxh of the file: link it again", load, header_addr, offset);
	segment->file_offset = offset - (header_addr - load);
	segment->file_bytes = load_end ? (uint64_t)load_end - load : file->bytes - segment->file_offset;
	if ((load_end && load_end < load) || segment->file_bytes > file->bytes - segment->file_offset)
		return refuse(why, 332, "the kernel's load_end_addr is %xh with load_addr %xh, but its file has %lu "
			      "bytes from there: copy it again", load_end, load, file->bytes - segment->file_offset);
	segment->gpa = load;
	segment->memory_bytes = bss_end ? (uint64_t)bss_end - load : segment->file_bytes;
	if (bss_end && (bss_end < load || segment->memory_bytes < segment->file_bytes))
		return refuse(why, 333, "the kernel's bss_end_addr is %xh, before the end of its data at %lxh: link "
			      "it again", bss_end, load + segment->file_bytes);
	out->count = 1;
	out->entry = get32(header + HEADER_ENTRY_ADDR);
	if (out->entry < load || out->entry - load >= segment->memory_bytes)
		return refuse(why, 334, "the kernel's entry_addr is %xh, outside of %xh to %lxh: link it again",
			      out->entry, load, load + segment->memory_bytes);
	return true;
}

static bool read_kernel(const struct load_module *file, struct load_segments *segments, struct refusal *why)
{
	size_t offset = 0;
	bool found = find_header(file, &offset);
	uint32_t flags;

	ASSERT(found);
	flags = get32(file->data + offset + HEADER_FLAGS);
	if (flags & FLAG_REQUIRED & ~FLAG_KNOWN)
		return refuse(why, 330, "the kernel's Multiboot flags are %xh; bits %xh require what Foliot does not "
			      "know: build it without them", flags, flags & FLAG_REQUIRED & ~FLAG_KNOWN);
	if (!(flags & FLAG_ADDRESSES))
		return elf32_read(file, segments, why);
	if (offset + HEADER_ADDRESS_BYTES > file->bytes)
		return refuse(why, 335, "the kernel's Multiboot flags are %xh, but its file of %lu bytes ends before "
			      "the address fields: copy it again", flags, file->bytes);
	return read_addresses(file, offset, segments, why);
}

/* Every segment in RAM, none over another. They become what modules must keep away from. */
static bool claim_segments(struct placement *placement, const struct load_segments *segments, struct refusal *why)
{
	for (unsigned i = 0; i < segments->count; i++) {
		const struct load_segment *segment = &segments->list[i];

		if (!segment->memory_bytes)
			continue;
		for (size_t k = 0; k < placement->count; k++)
			if (place_overlap(placement->avoided[k], (struct span){ segment->gpa, segment->memory_bytes }))
				return refuse(why, 353, "segment %u of the kernel (%lxh, %lu bytes) overlaps "
					      "another: link it again", i + 1, segment->gpa, segment->memory_bytes);
		if (!place_is_free(placement, segment->gpa, segment->memory_bytes, PLACE_LIMIT_GPA))
			return refuse(why, 354, "segment %u of the kernel (%lxh, %lu bytes) is not in RAM between "
				      "1000h and 4 GiB: give the machine more memory, or link it elsewhere", i + 1,
				      segment->gpa, segment->memory_bytes);
		place_avoid(placement, segment->gpa, segment->memory_bytes);
	}
	return true;
}

/* Where a module ends up: it stays where nothing is against it. The kernel's file (index 0) need not be in
 * guest RAM at all, only out of the way of its own segments. */
static bool place_module(const struct load_input *in, struct placement *placement, struct plan *plan, size_t i)
{
	const struct load_module *module = &in->modules[i];
	size_t segments = placement->count;
	bool stays, placed = true;

	stays = !i || (!(module->hpa % PAGE_BYTES) &&
		       place_is_free(placement, module->hpa, module->bytes, PLACE_LIMIT_GPA));
	for (size_t k = 0; !i && k < segments; k++)
		stays = stays && !place_overlap(placement->avoided[k], (struct span){ module->hpa, module->bytes });
	if (!stays) {
		for (size_t k = 0; k < in->count; k++)
			if (k != i)
				place_avoid(placement, plan->now_gpa[k], in->modules[k].bytes);
		placed = place_highest(placement, module->bytes, PAGE_BYTES, PLACE_LIMIT_GPA, &plan->now_gpa[i]);
		placement->count = segments;
		plan->moved[i] = true;
	}
	return placed;
}

static uint64_t information_bytes(const struct load_input *in)
{
	uint64_t bytes = INFO_BYTES + guest_map_multiboot(in->map, NULL) + sizeof LOADER_NAME;

	bytes += (in->count - 1) * INFO_MODULE_BYTES;	for (size_t i = 0; i < in->count; i++)
		bytes += strlen(in->modules[i].text) + 1;
	return bytes;
}

static bool place_all(const struct load_input *in, struct plan *plan, struct refusal *why)
{
	struct placement placement;

	place_init(&placement, in->map);
	if (!claim_segments(&placement, &plan->segments, why))
		return false;
	for (size_t i = 0; i < in->count; i++)
		plan->now_gpa[i] = in->modules[i].hpa;
	for (size_t i = 0; i < in->count; i++)
		if (!place_module(in, &placement, plan, i))
			return refuse(why, 355, "no room below 4 GiB for module %zu of %lu KiB: give the machine "
				      "more memory, or a larger mem=", i + 1, in->modules[i].bytes >> 10);
	for (size_t i = 0; i < in->count; i++)
		place_avoid(&placement, plan->now_gpa[i], in->modules[i].bytes);
	plan->info_bytes = information_bytes(in);
	if (!place_lowest(&placement, plan->info_bytes, PAGE_BYTES, PLACE_LEAST_GPA, &plan->info_gpa))
		return refuse(why, 356, "no room for the Multiboot information of %lu bytes: give the machine more "
			      "memory, or a larger mem=", plan->info_bytes);
	return true;
}

static uint8_t *target(const struct load_input *in, uint64_t gpa, uint64_t bytes)
{
	uint8_t *at = in->ram->span(in->ram->context, gpa, bytes);

	ASSERT(at);
	return at;
}

static void move_and_load(const struct load_input *in, const struct plan *plan)
{
	const uint8_t *kernel = in->modules[0].data;

	for (size_t i = 0; i < in->count; i++)
		if (plan->moved[i]) {
			uint8_t *to = target(in, plan->now_gpa[i], in->modules[i].bytes);

			memmove(to, in->modules[i].data, in->modules[i].bytes);
			kernel = i ? kernel : to;
		}
	for (unsigned i = 0; i < plan->segments.count; i++) {
		const struct load_segment *segment = &plan->segments.list[i];
		uint8_t *to;

		if (!segment->memory_bytes)
			continue;
		to = target(in, segment->gpa, segment->memory_bytes);
		memcpy(to, kernel + segment->file_offset, segment->file_bytes);
		memset(to + segment->file_bytes, 0, segment->memory_bytes - segment->file_bytes);
	}
}

/* A growing tail of the information: its variable parts one after another. */
struct tail {
	uint8_t *at;
	uint32_t gpa;
};

static uint32_t append(struct tail *tail, const void *data, size_t bytes)
{
	uint32_t gpa = tail->gpa;

	if (data)
		memcpy(tail->at, data, bytes);
	tail->at += bytes;
	tail->gpa += (uint32_t)bytes;
	return gpa;
}

static uint32_t append_text(struct tail *tail, const char *text)
{
	return append(tail, text, strlen(text) + 1);
}

static void write_modules(const struct load_input *in, const struct plan *plan, uint8_t *info, struct tail *tail)
{
	uint8_t *entry = tail->at;

	put32(info + INFO_MODS_COUNT, (uint32_t)(in->count - 1));
	put32(info + INFO_MODS_ADDR, append(tail, NULL, (in->count - 1) * INFO_MODULE_BYTES));
	for (size_t i = 1; i < in->count; i++, entry += INFO_MODULE_BYTES) {
		put32(entry, (uint32_t)plan->now_gpa[i]);
		put32(entry + 4, (uint32_t)(plan->now_gpa[i] + in->modules[i].bytes));
		put32(entry + 8, append_text(tail, in->modules[i].text));
		put32(entry + 12, 0);
	}
}

static void write_information(const struct load_input *in, const struct plan *plan)
{
	uint8_t *info = target(in, plan->info_gpa, plan->info_bytes);
	struct tail tail = { info + INFO_BYTES, (uint32_t)plan->info_gpa + INFO_BYTES };
	size_t map_bytes = guest_map_multiboot(in->map, tail.at);

	memset(info, 0, INFO_BYTES);
	put32(info + INFO_FLAGS, INFO_HAS_ALL);
	put32(info + INFO_MEM_LOWER, GUEST_EBDA_GPA >> 10);
	put32(info + INFO_MEM_UPPER, guest_map_upper_kib(in->map));
	put32(info + INFO_MMAP_LENGTH, (uint32_t)map_bytes);
	put32(info + INFO_MMAP_ADDR, append(&tail, NULL, map_bytes));
	write_modules(in, plan, info, &tail);
	put32(info + INFO_CMDLINE, append_text(&tail, in->modules[0].text));
	put32(info + INFO_LOADER_NAME, append_text(&tail, LOADER_NAME));
}

bool load_multiboot1(const struct load_input *input, struct vcpu_start *start, struct refusal *why)
{
	struct plan plan = { 0 };

	if (!read_kernel(&input->modules[0], &plan.segments, why) || !place_all(input, &plan, why))
		return false;
	move_and_load(input, &plan);
	write_information(input, &plan);
	*start = (struct vcpu_start){ .flat = true, .eip = plan.segments.entry, .eax = LOADER_MAGIC,
				      .ebx = (uint32_t)plan.info_gpa };
	return true;
}
