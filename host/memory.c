/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's own address space once it has moved. */
#include "host/memory.h"

#include "base/assert.h"
#include "host/cpu.h"
#include "host/message.h"

#define MSR_PAT 0x277u
#define CPUID_PAT (1u << 16)
#define PAT_ENTRY_4_SHIFT 32
#define PAT_WRITE_COMBINING 1ull

static struct frames pool;
static struct paging tables;
static uint64_t block_hpa, block_bytes, pool_offset;
static uint64_t mmio_used_bytes;

struct paging *memory_begin(uint64_t base_hpa, uint64_t image_bytes, size_t pool_pages, unsigned largest_level)
{
	block_hpa = base_hpa;
	pool_offset = image_bytes;
	block_bytes = image_bytes + pool_pages * PAGE_BYTES;
	pool = (struct frames){ base_hpa + pool_offset, (uint8_t *)(base_hpa + pool_offset), 0, pool_pages };
	if (!paging_init(&tables, &pool, largest_level))
		message_fatal(121, "no frame for the first page table");
	return &tables;
}

void memory_moved(void)
{
	pool.pointer = (uint8_t *)(IMAGE_VIRTUAL + pool_offset);
}

bool host_ram_reaches(uint64_t hpa, uint64_t bytes)
{
	unsigned level;

	if (!bytes || hpa >= DIRECT_MAP_BYTES || bytes > DIRECT_MAP_BYTES - hpa)
		return false;
	for (uint64_t at = hpa & ~(PAGE_BYTES - 1); at < hpa + bytes;) {
		if (!paging_entry(&tables, DIRECT_MAP_VIRTUAL + at, &level))
			return false;
		at = (at | ((PAGE_BYTES << 9 * (level - 1)) - 1)) + 1;
	}
	return true;
}

uint64_t host_hpa_of(const void *foliot_pointer)
{
	uint64_t offset = (uint64_t)foliot_pointer - IMAGE_VIRTUAL;

	ASSERT(offset < block_bytes);
	return block_hpa + offset;
}

static uint64_t page_up(uint64_t address)
{
	return (address + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static bool is_mapped(uint64_t virtual, uint64_t hpa)
{
	unsigned level;

	return (paging_entry(&tables, virtual, &level) & 0x000ffffffffff000ull) == hpa;
}

/* The window's address of the run of pages from hpa on, if one request mapped them all; 0: none did. */
static uint64_t find_mapped(uint64_t hpa, uint64_t bytes)
{
	for (uint64_t at = 0; at + bytes <= mmio_used_bytes; at += PAGE_BYTES) {
		uint64_t same = 0;

		while (same < bytes && is_mapped(MMIO_VIRTUAL + at + same, hpa + same))
			same += PAGE_BYTES;
		if (same == bytes)
			return MMIO_VIRTUAL + at;
	}
	return 0;
}

/* Maps whole pages behind those that the window has already. */
static uint64_t map_in_window(uint64_t hpa, uint64_t bytes, uint64_t caching)
{
	uint64_t at = MMIO_VIRTUAL + mmio_used_bytes;
	struct paging small = tables;

	small.largest_level = 1;
	if (bytes > MMIO_BYTES - mmio_used_bytes || !paging_map(&small, at, hpa, bytes, PTE_WRITE | PTE_NX | caching))
		message_fatal(121, "no frame is left to map %lu bytes of a device at %lxh", bytes, hpa);
	mmio_used_bytes += bytes;
	return at;
}

void *host_map_mmio(uint64_t hpa, size_t bytes)
{
	uint64_t first = hpa & ~(PAGE_BYTES - 1);
	uint64_t span = page_up(hpa + bytes) - first;
	uint64_t at = find_mapped(first, span);

	if (!at)
		at = map_in_window(first, span, PTE_UNCACHED | PTE_WRITE_THROUGH);
	return (void *)(at + (hpa - first));
}

/* The fifth entry of the PAT, which nothing else uses, becomes write-combining (SDM 3A 12.12.2, APM 2 7.8.2). */
static uint64_t write_combining(void)
{
	if (!(cpuid(1, 0).edx & CPUID_PAT))
		return PTE_UNCACHED | PTE_WRITE_THROUGH;
	wrmsr(MSR_PAT, (rdmsr(MSR_PAT) & ~(0xffull << PAT_ENTRY_4_SHIFT)) | PAT_WRITE_COMBINING << PAT_ENTRY_4_SHIFT);
	return PTE_PAT;
}

void *host_map_framebuffer(uint64_t hpa, uint64_t bytes)
{
	return (void *)map_in_window(hpa, page_up(bytes), write_combining());
}

void *frames_alloc(size_t pages)
{
	void *taken = frames_take(&pool, pages);

	if (!taken)
		message_fatal(121, "Foliot's frame pool is used up: %zu pages asked for, %zu left of %zu", pages, frames_left(),
		              pool.count);
	return taken;
}

size_t frames_left(void)
{
	return pool.count - pool.next;
}

void nested_init(struct paging *nested, unsigned largest_level)
{
	if (!paging_init(nested, &pool, largest_level))
		message_fatal(121, "no frame for the first nested page table");
}

void nested_map(struct paging *nested, uint64_t gpa, uint64_t hpa, uint64_t bytes, uint64_t flags)
{
	if (!paging_map(nested, gpa, hpa, bytes, flags))
		message_fatal(121, "no frame is left to map %lu bytes of guest memory at %lxh", bytes, gpa);
}

const void *host_pointer(uint64_t hpa, uint64_t bytes)
{
	if (hpa >= block_hpa && hpa - block_hpa < block_bytes && bytes <= block_bytes - (hpa - block_hpa))
		return (const void *)(IMAGE_VIRTUAL + (hpa - block_hpa));
	return host_ram_reaches(hpa, bytes) ? host_ram(hpa) : NULL;
}

uint64_t host_physical_end(void)
{
	uint32_t bits = 36;

	if (cpuid(0x80000000, 0).eax >= 0x80000008)
		bits = cpuid(0x80000008, 0).eax & 0xff;
	return 1ull << (bits < 52 ? bits : 52);
}
