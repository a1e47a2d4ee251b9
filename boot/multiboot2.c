/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading the Multiboot2 information. Fields are copied out byte by byte: nothing is trusted to be aligned or
 * whole. */
#include "boot/multiboot2.h"

#include "base/mem.h"
#include "boot/memory_map.h"

/* Multiboot2 2.0 3.6.2 ff. */
enum tag_type {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_LOADER_NAME = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
};

#define HEADER_BYTES 8u

/* Of the framebuffer tag. */
#define TYPE_RGB 1u
#define TYPE_EGA_TEXT 2u

struct tag {
	const uint8_t *body; /* behind type and size */
	uint32_t type;
	uint32_t bytes;      /* of the body */
};

/* The fields of a tag's body, little-endian; reading beyond its end gives 0, which the callers' size checks
 * exclude. */
static uint64_t field(const struct tag *t, uint32_t at, uint32_t bytes)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < bytes && at + i < t->bytes; i++)
		value |= (uint64_t)t->body[at + i] << 8 * i;
	return value;
}

static uint32_t field32(const struct tag *t, uint32_t at)
{
	return (uint32_t)field(t, at, 4);
}

/* The text from at to its NUL or the tag's end; false: longer than out. */
static bool copy_text(const struct tag *t, uint32_t at, char *out, size_t out_bytes)
{
	size_t length = 0;

	while (at + length < t->bytes && t->body[at + length])
		length++;
	if (length >= out_bytes)
		return false;
	memcpy(out, t->body + at, length);
	out[length] = 0;
	return true;
}

enum memory_kind multiboot2_memory_kind(uint32_t type)
{
	switch (type) {
	case 1:
		return MEMORY_USABLE;
	case 3:
		return MEMORY_ACPI;
	case 4:
		return MEMORY_NVS;
	case 5:
		return MEMORY_BAD;
	default:
		return MEMORY_RESERVED;
	}
}

static bool read_command_line(const struct tag *t, struct boot_info *boot, struct refusal *why)
{
	if (!copy_text(t, 0, boot->command_line, sizeof boot->command_line))
		return refuse(why, 105, "Foliot's command line has %u bytes, but at most %u fit: shorten it",
		              t->bytes, BOOT_COMMAND_LINE_BYTES);
	return true;
}

static bool read_module(const struct tag *t, struct boot_info *boot, struct refusal *why)
{
	struct boot_module *m = &boot->modules[boot->module_count];
	uint32_t start = field32(t, 0), end = field32(t, 4);

	if (boot->module_count == BOOT_MODULES_MAX)
		return refuse(why, 106, "more than %u modules were loaded: give one kernel and at most one initrd",
		              BOOT_MODULES_MAX);
	if (t->bytes < 8 || end < start)
		return refuse(why, 107, "module %zu is said to lie from %xh to %xh: the loader's information is wrong",
		              boot->module_count + 1, start, end);
	m->base_hpa = start;
	m->bytes = end - start;
	if (!copy_text(t, 8, m->command_line, sizeof m->command_line))
		return refuse(why, 108, "the command line of module %zu has %u bytes, but at most %u fit: shorten it",
		              boot->module_count + 1, t->bytes - 8, BOOT_COMMAND_LINE_BYTES);
	boot->module_count++;
	return true;
}

/* UEFI's maps have hundreds of entries that only go on with the one before. */
static bool add_range(struct boot_info *boot, const struct memory_range *range)
{
	struct memory_range *last = boot->range_count ? &boot->ranges[boot->range_count - 1] : NULL;

	if (last && last->kind == range->kind && last->base_hpa + last->bytes == range->base_hpa &&
	    range->bytes <= UINT64_MAX - range->base_hpa && last->bytes <= range->base_hpa) {
		last->bytes += range->bytes;
		return true;
	}
	if (boot->range_count == BOOT_RANGES_MAX)
		return false;
	boot->ranges[boot->range_count++] = *range;
	return true;
}

static bool read_memory_map(const struct tag *t, struct boot_info *boot, struct refusal *why)
{
	uint32_t entry_bytes = field32(t, 0);

	if (t->bytes < 8 || entry_bytes < 20 || entry_bytes > t->bytes)
		return refuse(why, 109, "the memory map has entries of %u bytes in %u: the loader's information is wrong",
		              entry_bytes, t->bytes);
	for (uint32_t at = 8; entry_bytes <= t->bytes - at; at += entry_bytes) {
		struct memory_range range = { field(t, at, 8), field(t, at + 8, 8), multiboot2_memory_kind(field32(t, at + 16)) };

		if (!add_range(boot, &range))
			return refuse(why, 110, "the memory map has more than %u entries (%u bytes): too many for Foliot",
			              BOOT_RANGES_MAX, t->bytes);
	}
	return true;
}

static struct colour_field colour(const struct tag *t, uint32_t at)
{
	return (struct colour_field){ (uint8_t)field(t, at, 1), (uint8_t)field(t, at + 1, 1) };
}

/* The colours follow two reserved bytes, as GRUB has it, not one, as the text of 3.6.12 has. */
static void read_framebuffer(const struct tag *t, struct boot_info *boot)
{
	uint64_t type = field(t, 21, 1);

	if (type != TYPE_RGB && type != TYPE_EGA_TEXT)
		return;
	boot->framebuffer = (struct framebuffer){
		.kind = type == TYPE_EGA_TEXT ? FRAMEBUFFER_EGA_TEXT : FRAMEBUFFER_RGB,
		.base_hpa = field(t, 0, 8),
		.pitch_bytes = field32(t, 8),
		.width = field32(t, 12),
		.height = field32(t, 16),
		.bits_per_pixel = (uint8_t)field(t, 20, 1),
		.red = colour(t, 24),
		.green = colour(t, 26),
		.blue = colour(t, 28),
	};
}

static void read_rsdp(const struct tag *t, struct boot_info *boot)
{
	size_t bytes = t->bytes < sizeof boot->rsdp ? t->bytes : sizeof boot->rsdp;

	if (bytes < 20 || boot->rsdp_bytes >= bytes)
		return; /* too short, or the newer table came first */
	memcpy(boot->rsdp, t->body, bytes);
	boot->rsdp_bytes = bytes;
}

static bool read_tag(const struct tag *t, struct boot_info *boot, struct refusal *why)
{
	switch (t->type) {
	case TAG_COMMAND_LINE:
		return read_command_line(t, boot, why);
	case TAG_MODULE:
		return read_module(t, boot, why);
	case TAG_MEMORY_MAP:
		return read_memory_map(t, boot, why);
	case TAG_FRAMEBUFFER:
		read_framebuffer(t, boot);
		return true;
	case TAG_ACPI_OLD:
	case TAG_ACPI_NEW:
		read_rsdp(t, boot);
		return true;
	case TAG_LOADER_NAME:
		if (!copy_text(t, 0, boot->loader, sizeof boot->loader))
			memcpy(boot->loader, "unknown", sizeof "unknown");
		return true;
	default:
		return true; /* Multiboot2 2.0 3.4.2: unknown tags are skipped */
	}
}

static bool read_tags(const uint8_t *information, uint32_t bytes, struct boot_info *boot, struct refusal *why)
{
	uint32_t at = HEADER_BYTES; /* a multiple of 8, not above bytes */

	while (bytes - at >= HEADER_BYTES) {
		struct tag whole = { information + at, 0, bytes - at };
		struct tag t = { information + at + HEADER_BYTES, field32(&whole, 0), 0 };
		uint32_t size = field32(&whole, 4);

		if (size < HEADER_BYTES || size > bytes - at)
			return refuse(why, 104, "tag type %u at byte %u of the loader's information is said to have %u of "
			              "%u bytes", t.type, at, size, bytes - at);
		if (t.type == TAG_END)
			return true;
		t.bytes = size - HEADER_BYTES;
		if (!read_tag(&t, boot, why))
			return false;
		if (bytes - at - size < 8)
			break; /* only padding can follow */
		at += (size + 7) & ~7u;
	}
	return refuse(why, 104, "the loader's information of %u bytes has no end tag", bytes);
}

bool multiboot2_parse(const void *information, struct boot_info *boot, struct refusal *why)
{
	struct tag whole = { information, 0, HEADER_BYTES };
	uint32_t bytes = field32(&whole, 0);

	memset(boot, 0, sizeof *boot);
	if (bytes < HEADER_BYTES || bytes > MULTIBOOT2_BYTES_MAX)
		return refuse(why, 103, "the loader's information is said to have %u bytes, which cannot be", bytes);
	if (!read_tags(information, bytes, boot, why))
		return false;
	if (!boot->range_count)
		return refuse(why, 111, "the loader gave no memory map: boot with GRUB's multiboot2 command");
	boot->range_count = memory_map_normalise(boot->ranges, boot->range_count);
	if (!boot->range_count)
		return refuse(why, 110, "the memory map has more than %u ranges, or none: Foliot cannot use it",
		              BOOT_RANGES_MAX);
	return true;
}
