/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading a Linux kernel. Order of the writes: the initrd first, to a place that the kernel's file does not
 * touch; then the kernel, whose file may overlap its own target; then boot_params and the command line. So no
 * source is overwritten before it was read. */
#include "vm/load_bzimage.h"

#include "base/assert.h"
#include "base/mem.h"
#include "vm/bytes.h"
#include "vm/place.h"

#define PAGE_BYTES 0x1000ull
#define PARAMS_LEAST_GPA 0x10000ull /* where boot loaders use to have them */
#define SECTOR_BYTES 512
#define HEADER_MOST_BYTES 1024 /* the header lies within the first two sectors */

/* Offsets in the image and in boot_params alike ("The Real-Mode Kernel Header"). */
#define HDR_SETUP_SECTS 0x1f1
#define HDR_SYSSIZE 0x1f4
#define HDR_BOOT_FLAG 0x1fe
#define HDR_JUMP_OFFSET 0x201
#define HDR_JUMP_END 0x202
#define HDR_MAGIC 0x202
#define HDR_VERSION 0x206
#define HDR_TYPE_OF_LOADER 0x210
#define HDR_LOADFLAGS 0x211
#define HDR_CODE32_START 0x214
#define HDR_RAMDISK_IMAGE 0x218
#define HDR_RAMDISK_SIZE 0x21c
#define HDR_CMD_LINE_PTR 0x228
#define HDR_INITRD_ADDR_MAX 0x22c
#define HDR_KERNEL_ALIGNMENT 0x230
#define HDR_RELOCATABLE_KERNEL 0x234
#define HDR_CMDLINE_SIZE 0x238
#define HDR_PAYLOAD_OFFSET 0x248
#define HDR_PAYLOAD_LENGTH 0x24c
#define HDR_SETUP_DATA 0x250
#define HDR_PREF_ADDRESS 0x258
#define HDR_INIT_SIZE 0x260
#define HDR_LEAST_END 0x264 /* through init_size */
#define HDR_MOST_END 0x290  /* the room for it in boot_params */

/* Offsets in boot_params (Linux Documentation/arch/x86/zero-page.rst). */
#define BP_ACPI_RSDP_ADDR 0x070
#define BP_E820_ENTRIES 0x1e8
#define BP_E820_TABLE 0x2d0
#define BP_E820_MOST 128

#define BOOT_FLAG 0xaa55
#define MAGIC_HDRS 0x53726448 /* "HdrS" */
#define LEAST_VERSION 0x20c
#define LOADED_HIGH 0x01
#define KEEP_SEGMENTS 0x40
#define CAN_USE_HEAP 0x80
#define LOADER_UNDEFINED 0xff /* "Special loaders without an assigned ID" */

_Static_assert(GUEST_E820_ENTRIES <= BP_E820_MOST, "boot_params has room for the whole map");

struct bzimage {
	const struct load_module *file;
	const struct load_module *initrd; /* NULL: none */
	uint64_t setup_bytes, system_bytes;
	uint64_t init_bytes;
	uint64_t align, preferred_gpa;
	bool relocatable;
	unsigned header_end;
	/* and where it goes: */
	uint64_t kernel_gpa, params_gpa, text_gpa, initrd_gpa;
};

bool is_bzimage(const struct load_module *module)
{
	return module->bytes >= HDR_VERSION + 2 && get16(module->data + HDR_BOOT_FLAG) == BOOT_FLAG &&
	       get32(module->data + HDR_MAGIC) == MAGIC_HDRS;
}

static bool check_sizes(struct bzimage *image, struct refusal *why)
{
	const uint8_t *data = image->file->data;
	uint64_t bytes = image->file->bytes, payload_end;

	if (bytes < HEADER_MOST_BYTES)
		return refuse(why, 310, "the kernel file has only %lu bytes: copy it again", bytes);
	if (get16(data + HDR_VERSION) < LEAST_VERSION)
		return refuse(why, 311, "the kernel's boot protocol is %u.%02u; 2.12 (Linux 3.8) or later is needed: "
			      "take a newer kernel", get16(data + HDR_VERSION) >> 8,
			      get16(data + HDR_VERSION) & 0xffu);
	image->setup_bytes = ((data[HDR_SETUP_SECTS] ? data[HDR_SETUP_SECTS] : 4u) + 1u) * SECTOR_BYTES;
	if (image->setup_bytes >= bytes)
		return refuse(why, 312, "the kernel's setup_sects is %u (%lu bytes), its file has %lu: copy it again",
			      data[HDR_SETUP_SECTS], image->setup_bytes, bytes);
	image->system_bytes = (uint64_t)get32(data + HDR_SYSSIZE) * 16;
	if (!image->system_bytes || image->system_bytes > bytes - image->setup_bytes)
		return refuse(why, 313, "the kernel's syssize is %xh (%lu bytes), its file has %lu after the setup: "
			      "it is cut off, copy it again", get32(data + HDR_SYSSIZE), image->system_bytes,
			      bytes - image->setup_bytes);
	payload_end = (uint64_t)get32(data + HDR_PAYLOAD_OFFSET) + get32(data + HDR_PAYLOAD_LENGTH);
	if (payload_end > image->system_bytes)
		return refuse(why, 314, "the kernel's payload (payload_offset %xh, payload_length %xh) ends behind "
			      "its %lu bytes: copy it again", get32(data + HDR_PAYLOAD_OFFSET),
			      get32(data + HDR_PAYLOAD_LENGTH), image->system_bytes);
	return true;
}

static bool check_header(struct bzimage *image, struct refusal *why)
{
	const uint8_t *data = image->file->data;

	image->header_end = HDR_JUMP_END + data[HDR_JUMP_OFFSET];
	if (image->header_end < HDR_LEAST_END || image->header_end > HDR_MOST_END)
		return refuse(why, 315, "the kernel's setup header ends at %xh, not between %xh and %xh: it is "
			      "damaged, copy it again", image->header_end, HDR_LEAST_END, HDR_MOST_END);
	if (!(data[HDR_LOADFLAGS] & LOADED_HIGH))
		return refuse(why, 316, "the kernel's loadflags are %02xh: a zImage; build a bzImage",
			      data[HDR_LOADFLAGS]);
	image->init_bytes = get32(data + HDR_INIT_SIZE);
	if (image->init_bytes < image->system_bytes)
		return refuse(why, 317, "the kernel's init_size is %lxh, less than the %lxh bytes of the kernel "
			      "itself: copy it again", image->init_bytes, image->system_bytes);
	image->relocatable = data[HDR_RELOCATABLE_KERNEL];
	image->align = image->relocatable ? get32(data + HDR_KERNEL_ALIGNMENT) : 1;
	if (!image->align || (image->align & (image->align - 1)))
		return refuse(why, 318, "the kernel's kernel_alignment is %lxh, no power of two: copy it again",
			      image->align);
	image->preferred_gpa = get64(data + HDR_PREF_ADDRESS);
	if (image->preferred_gpa < GUEST_HIGH_GPA || image->preferred_gpa >= PLACE_LIMIT_GPA)
		return refuse(why, 319, "the kernel's pref_address is %lxh, not between 1 MiB and 4 GiB: copy it again",
			      image->preferred_gpa);
	return true;
}

static bool check_extras(const struct load_input *in, struct bzimage *image, struct refusal *why)
{
	uint32_t text_most = get32(image->file->data + HDR_CMDLINE_SIZE);

	if (strlen(image->file->text) > text_most)
		return refuse(why, 320, "the kernel's command line has %zu bytes; its cmdline_size allows %u: "
			      "shorten it", strlen(image->file->text), text_most);
	for (size_t i = 1; i < in->count; i++)
		if (is_bzimage(&in->modules[i]))
			return refuse(why, 304, "modules 1 and %zu are both Linux kernels: remove one of the module2 "
				      "lines", i + 1);
	if (in->count > 2)
		return refuse(why, 321, "%zu modules behind the kernel, but Linux takes one initrd: join the files "
			      "with cat", in->count - 1);
	image->initrd = in->count == 2 ? &in->modules[1] : NULL;
	return true;
}

/* The kernel goes where it wants to be, or, if it is relocatable, to the next place above: below that it would
 * move itself up. */
static bool place_kernel(struct placement *placement, struct bzimage *image, struct refusal *why)
{
	bool aligned = !(image->preferred_gpa & (image->align - 1));

	image->kernel_gpa = image->preferred_gpa;
	if (!(aligned && place_is_free(placement, image->kernel_gpa, image->init_bytes, PLACE_LIMIT_GPA)) &&
	    !(image->relocatable &&
	      place_lowest(placement, image->init_bytes, image->align, image->preferred_gpa, &image->kernel_gpa)))
		return refuse(why, 350, "the kernel's init_size is %lu KiB, and guest RAM has no such room from %lxh "
			      "on: give the machine more memory, or a larger mem=", image->init_bytes >> 10,
			      image->preferred_gpa);
	place_avoid(placement, image->kernel_gpa, image->init_bytes);
	return true;
}

static bool place_rest(struct placement *placement, struct bzimage *image, struct refusal *why)
{
	uint64_t limit = (uint64_t)get32(image->file->data + HDR_INITRD_ADDR_MAX) + 1;
	uint64_t params_bytes = PAGE_BYTES + strlen(image->file->text) + 1;

	if (!place_lowest(placement, params_bytes, PAGE_BYTES, PARAMS_LEAST_GPA, &image->params_gpa))
		return refuse(why, 351, "no room for the kernel's boot parameters: give the machine more memory, or "
			      "a larger mem=");
	image->text_gpa = image->params_gpa + PAGE_BYTES;
	if (!image->initrd)
		return true;
	place_avoid(placement, image->params_gpa, params_bytes);
	place_avoid(placement, image->file->hpa, image->file->bytes);
	if (!place_highest(placement, image->initrd->bytes, PAGE_BYTES, limit, &image->initrd_gpa))
		return refuse(why, 352, "no room for the initrd of %lu KiB below %lxh (initrd_addr_max): give the "
			      "machine more memory, a larger mem=, or a smaller initrd", image->initrd->bytes >> 10,
			      limit);
	return true;
}

static uint8_t *target(const struct load_input *in, uint64_t gpa, uint64_t bytes)
{
	uint8_t *at = in->ram->span(in->ram->context, gpa, bytes);

	ASSERT(at);
	return at;
}

static void fill_params(const struct load_input *in, const struct bzimage *image, uint8_t *params)
{
	put64(params + BP_ACPI_RSDP_ADDR, in->rsdp_gpa);
	params[BP_E820_ENTRIES] = (uint8_t)in->map->e820_count;
	memcpy(params + BP_E820_TABLE, in->map->e820, in->map->e820_count * sizeof *in->map->e820);
	params[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	params[HDR_LOADFLAGS] &= (uint8_t)~(CAN_USE_HEAP | KEEP_SEGMENTS);
	put32(params + HDR_CODE32_START, (uint32_t)image->kernel_gpa);
	put32(params + HDR_CMD_LINE_PTR, (uint32_t)image->text_gpa);
	put32(params + HDR_RAMDISK_IMAGE, image->initrd ? (uint32_t)image->initrd_gpa : 0);
	put32(params + HDR_RAMDISK_SIZE, image->initrd ? (uint32_t)image->initrd->bytes : 0);
	put64(params + HDR_SETUP_DATA, 0);
}

static void write_all(const struct load_input *in, const struct bzimage *image)
{
	size_t text_bytes = strlen(image->file->text) + 1;
	uint8_t header[HDR_MOST_END];
	uint8_t *params;

	memcpy(header, image->file->data, sizeof header);
	if (image->initrd)
		memmove(target(in, image->initrd_gpa, image->initrd->bytes), image->initrd->data, image->initrd->bytes);
	memmove(target(in, image->kernel_gpa, image->system_bytes), image->file->data + image->setup_bytes,
		image->system_bytes);
	params = target(in, image->params_gpa, PAGE_BYTES + text_bytes);
	memset(params, 0, PAGE_BYTES);
	memcpy(params + HDR_SETUP_SECTS, header + HDR_SETUP_SECTS, image->header_end - HDR_SETUP_SECTS);
	fill_params(in, image, params);
	memcpy(params + PAGE_BYTES, image->file->text, text_bytes);
}

bool load_bzimage(const struct load_input *input, struct vcpu_start *start, struct refusal *why)
{
	struct bzimage image = { .file = &input->modules[0] };
	struct placement placement;

	place_init(&placement, input->map);
	if (!check_sizes(&image, why) || !check_header(&image, why) || !check_extras(input, &image, why) ||
	    !place_kernel(&placement, &image, why) || !place_rest(&placement, &image, why))
		return false;
	write_all(input, &image);
	*start = (struct vcpu_start){ .flat = true, .eip = (uint32_t)image.kernel_gpa,
				      .esi = (uint32_t)image.params_gpa };
	return true;
}
