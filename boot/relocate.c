/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The move. The tables are built in the new place, reached by its physical address through the early identity
 * map; then the image, the stack in use included, is copied and the tables are switched in one step. */
#include "boot/relocate.h"

#include "boot/display.h"
#include "boot/memory_map.h"
#include "host/cpu.h"
#include "host/interrupts.h"
#include "host/memory.h"
#include "host/message.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define LOWEST_HPA MIB
#define HIGHEST_HPA (4 * GIB)
#define VGA_HPA 0xa0000ull
#define VGA_END_HPA 0xc0000ull
#define OWN_PAGES 72u /* for everything that is neither a page table nor the guest's memory */

extern const uint8_t image_text[], image_rodata[], image_data[], image_end[]; /* linker.ld */
extern const uint8_t image_load[], BOOT_LINK_BASE[];

static uint64_t page_down(uint64_t hpa)
{
	return hpa & ~(PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t hpa)
{
	return hpa > UINT64_MAX - PAGE_BYTES ? page_down(UINT64_MAX) : page_down(hpa + PAGE_BYTES - 1);
}

static bool is_firmware_data(const struct memory_range *r)
{
	return (r->kind == MEMORY_ACPI || r->kind == MEMORY_NVS) && r->bytes <= 64 * MIB;
}

/* A range's two borders take a table of each level at most; between them there is one per GiB, where pages have
 * 2 MiB. */
static uint64_t tables_for(const struct memory_range *r, bool gib_pages)
{
	return 6 + (gib_pages ? r->bytes / (512 * GIB) : r->bytes / GIB);
}

/* What stands in for the host's memory in the guest's first MiB (vm/guest_map.c): all from the first page on that the map
 * withholds, without VGA's window. */
static uint64_t guest_pages(const struct boot_info *boot)
{
	const struct memory_range *first = &boot->ranges[0];
	uint64_t end = first->kind == MEMORY_USABLE && !first->base_hpa ? page_down(first->bytes) : 0;

	return ((end < VGA_HPA ? VGA_HPA - end : 0) + MIB - VGA_END_HPA) / PAGE_BYTES;
}

uint64_t relocate_pool_pages(const struct boot_info *boot, unsigned largest_level)
{
	uint64_t pages = OWN_PAGES + guest_pages(boot) + 3 + display_pixel_bytes(boot) / (2 * MIB);

	for (size_t i = 0; i < boot->range_count; i++) {
		const struct memory_range *r = &boot->ranges[i];

		if (r->kind == MEMORY_USABLE)
			pages += tables_for(r, largest_level == 3) + tables_for(r, false);
		else if (is_firmware_data(r))
			pages += 4 + r->bytes / (2 * MIB);
	}
	return pages;
}

static void map(struct paging *p, uint64_t virtual, uint64_t hpa, uint64_t bytes, uint64_t flags)
{
	if (!paging_map(p, virtual, hpa, bytes, flags))
		message_fatal(121, "Foliot's frame pool is too small for its own page tables: please report the memory map");
}

static bool is_guard(uint64_t virtual)
{
	for (unsigned i = 0; i < STACK_COUNT; i++)
		if (virtual == stack_tops[i] - stack_bytes[i] - PAGE_BYTES)
			return true;
	return false;
}

static void map_image(struct paging *p, const struct boot_info *boot)
{
	uint64_t hpa = boot->image_base_hpa;

	for (uint64_t at = IMAGE_VIRTUAL; at < (uint64_t)image_end; at += PAGE_BYTES, hpa += PAGE_BYTES) {
		if (is_guard(at))
			continue;
		if (at < (uint64_t)image_rodata)
			map(p, at, hpa, PAGE_BYTES, 0);
		else
			map(p, at, hpa, PAGE_BYTES, at < (uint64_t)image_data ? PTE_NX : PTE_NX | PTE_WRITE);
	}
	map(p, (uint64_t)image_end, hpa, boot->image_base_hpa + boot->image_bytes - hpa, PTE_NX | PTE_WRITE);
}

static void map_ram(struct paging *p, uint64_t start, uint64_t end)
{
	if (end > DIRECT_MAP_BYTES)
		end = DIRECT_MAP_BYTES;
	if (start < end)
		map(p, DIRECT_MAP_VIRTUAL + start, start, end - start, PTE_NX | PTE_WRITE);
}

static void map_usable(struct paging *p, const struct boot_info *boot, const struct memory_range *r)
{
	uint64_t start = page_up(r->base_hpa), end = page_down(r->base_hpa + r->bytes);
	uint64_t own = boot->image_base_hpa, own_end = own + boot->image_bytes;

	if (own < start || own >= end) {
		map_ram(p, start, end);
		return;
	}
	map_ram(p, start, own);
	map_ram(p, own_end, end);
}

/* Pages that hold usable memory too are mapped already. */
static void map_for_reading(struct paging *p, uint64_t start, uint64_t end)
{
	unsigned level;

	for (uint64_t at = start; at < end && at < DIRECT_MAP_BYTES; at += PAGE_BYTES)
		if (!paging_entry(p, DIRECT_MAP_VIRTUAL + at, &level))
			map(p, DIRECT_MAP_VIRTUAL + at, at, PAGE_BYTES, PTE_NX);
}

static void map_firmware_data(struct paging *p, const struct memory_range *r)
{
	map_for_reading(p, page_down(r->base_hpa), page_up(r->base_hpa + r->bytes));
}

static void map_memory(struct paging *p, const struct boot_info *boot)
{
	for (size_t i = 0; i < boot->range_count; i++)
		if (boot->ranges[i].kind == MEMORY_USABLE)
			map_usable(p, boot, &boot->ranges[i]);
	for (size_t i = 0; i < boot->range_count; i++)
		if (is_firmware_data(&boot->ranges[i]))
			map_firmware_data(p, &boot->ranges[i]);
	map_for_reading(p, 0, VGA_HPA);
	map_for_reading(p, VGA_END_HPA, MIB);
}

static unsigned largest_host_page(void)
{
	return cpuid(0x80000001, 0).edx & 1u << 26 ? 3 : 2;
}

void relocate(struct boot_info *boot, uint64_t loaded_hpa)
{
	unsigned largest = largest_host_page();
	uint64_t image_bytes = (uint64_t)image_end - IMAGE_VIRTUAL, low_bytes = (uint64_t)(image_load - BOOT_LINK_BASE);
	uint64_t pool_pages = relocate_pool_pages(boot, largest);
	struct memory_range loaded = { loaded_hpa - low_bytes, low_bytes + image_bytes, MEMORY_USABLE };
	struct paging *p;

	boot->image_bytes = image_bytes + pool_pages * PAGE_BYTES;
	if (!memory_map_find_top(boot, LOWEST_HPA, HIGHEST_HPA, boot->image_bytes, &loaded, &boot->image_base_hpa))
		message_fatal(112, "no %lu KiB of usable memory in one piece between 1 MiB and 4 GiB (%lu KiB are usable in "
		              "all): Foliot needs a machine with more memory", boot->image_bytes >> 10, memory_map_usable_bytes(boot) >> 10);
	p = memory_begin(boot->image_base_hpa, image_bytes, pool_pages, largest);
	map_image(p, boot);
	map_memory(p, boot);
	cpu_copy_and_switch((void *)boot->image_base_hpa, (void *)IMAGE_VIRTUAL, image_bytes, p->root_hpa);
	memory_moved();
}
