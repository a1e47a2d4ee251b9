/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading program headers. Every offset and size is checked in 64 bits against the file, before it is used. */
#include "vm/elf32.h"

#include "vm/bytes.h"

#define ELF_MAGIC 0x464c457f
#define ELF_CLASS 4
#define ELF_CLASS_32 1
#define ELF_CLASS_64 2
#define ELF_DATA 5
#define ELF_DATA_LITTLE 1
#define ELF_TYPE 16
#define ELF_TYPE_EXECUTABLE 2
#define ELF_MACHINE 18
#define ELF_MACHINE_386 3
#define ELF_ENTRY 24
#define ELF_PHOFF 28
#define ELF_PHENTSIZE 42
#define ELF_PHNUM 44
#define ELF_HEADER_BYTES 52

#define PH_TYPE 0
#define PH_TYPE_LOAD 1
#define PH_OFFSET 4
#define PH_VADDR 8
#define PH_PADDR 12
#define PH_FILESZ 16
#define PH_MEMSZ 20
#define PH_BYTES 32

static bool check_header(const struct load_module *file, struct refusal *why)
{
	const uint8_t *data = file->data;

	if (file->bytes < ELF_HEADER_BYTES || get32(data) != ELF_MAGIC)
		return refuse(why, 340, "the Multiboot kernel has neither address fields in its header nor an ELF "
			      "header (%lu bytes): link it as ELF32", file->bytes);
	if (data[ELF_CLASS] == ELF_CLASS_64)
		return refuse(why, 341, "the Multiboot kernel is an ELF64 file; make it ELF32: objcopy -O elf32-i386 "
			      "KERNEL KERNEL32");
	if (data[ELF_CLASS] != ELF_CLASS_32 || data[ELF_DATA] != ELF_DATA_LITTLE ||
	    get16(data + ELF_TYPE) != ELF_TYPE_EXECUTABLE || get16(data + ELF_MACHINE) != ELF_MACHINE_386)
		return refuse(why, 342, "the kernel's ELF header says class %u, data %u, e_type %u, e_machine %u, "
			      "not an executable for the i386 (1, 1, 2, 3): link it again", data[ELF_CLASS],
			      data[ELF_DATA], get16(data + ELF_TYPE), get16(data + ELF_MACHINE));
	if (get16(data + ELF_PHENTSIZE) != PH_BYTES || !get16(data + ELF_PHNUM) ||
	    (uint64_t)get32(data + ELF_PHOFF) + get16(data + ELF_PHNUM) * (uint64_t)PH_BYTES > file->bytes)
		return refuse(why, 343, "the kernel's program headers (e_phoff %xh, e_phnum %u of %u bytes each) are "
			      "not within its %lu bytes: copy it again", get32(data + ELF_PHOFF),
			      get16(data + ELF_PHNUM), get16(data + ELF_PHENTSIZE), file->bytes);
	return true;
}

static bool read_segment(const struct load_module *file, const uint8_t *header, struct load_segments *out,
			 struct refusal *why)
{
	struct load_segment segment = { get32(header + PH_OFFSET), get32(header + PH_FILESZ), get32(header + PH_PADDR),
					get32(header + PH_MEMSZ) };

	if (segment.file_offset + segment.file_bytes > file->bytes)
		return refuse(why, 344, "a segment of the kernel (p_offset %lxh, p_filesz %lxh) ends behind its file "
			      "of %lu bytes: copy it again", segment.file_offset, segment.file_bytes, file->bytes);
	if (segment.memory_bytes < segment.file_bytes)
		return refuse(why, 345, "a segment of the kernel has p_memsz %lxh, less than its p_filesz %lxh: link "
			      "it again", segment.memory_bytes, segment.file_bytes);
	if (segment.gpa + segment.memory_bytes > 1ull << 32)
		return refuse(why, 346, "a segment of the kernel (p_paddr %lxh, p_memsz %lxh) ends behind 4 GiB: "
			      "link it again", segment.gpa, segment.memory_bytes);
	if (out->count == LOAD_SEGMENTS)
		return refuse(why, 347, "the kernel has more than %u loadable segments: link it with fewer",
			      LOAD_SEGMENTS);
	out->list[out->count++] = segment;
	return true;
}

/* Kernels linked for high virtual addresses mostly give a physical entry, some a virtual one: the segment that
 * has it decides. */
static bool read_entry(const struct load_module *file, struct load_segments *out, struct refusal *why)
{
	const uint8_t *header = file->data + get32(file->data + ELF_PHOFF);
	uint32_t entry = get32(file->data + ELF_ENTRY);

	for (unsigned i = 0; i < out->count; i++)
		if (entry >= out->list[i].gpa && entry - out->list[i].gpa < out->list[i].memory_bytes) {
			out->entry = entry;
			return true;
		}
	for (unsigned i = get16(file->data + ELF_PHNUM); i > 0; i--, header += PH_BYTES)
		if (get32(header + PH_TYPE) == PH_TYPE_LOAD && entry >= get32(header + PH_VADDR) &&
		    entry - get32(header + PH_VADDR) < get32(header + PH_MEMSZ)) {
			out->entry = entry - get32(header + PH_VADDR) + get32(header + PH_PADDR);
			return true;
		}
	return refuse(why, 348, "the kernel's e_entry is %xh, in none of its segments: link it again", entry);
}

bool elf32_read(const struct load_module *file, struct load_segments *segments, struct refusal *why)
{
	const uint8_t *header;

	if (!check_header(file, why))
		return false;
	header = file->data + get32(file->data + ELF_PHOFF);
	segments->count = 0;
	for (unsigned i = get16(file->data + ELF_PHNUM); i > 0; i--, header += PH_BYTES)
		if (get32(header + PH_TYPE) == PH_TYPE_LOAD && !read_segment(file, header, segments, why))
			return false;
	if (!segments->count)
		return refuse(why, 349, "the kernel has no loadable segment: link it again");
	return read_entry(file, segments, why);
}
