/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: what is mapped translates to exactly the physical addresses and flags asked for, with the largest
 * pages that fit, and nothing else is mapped; frames that run out are refused, not overrun; tables built at one
 * place serve after the block is reached at another. */
#include "host/paging.h"
#include "tests/support.h"

#define FRAMES 600u
#define BASE_HPA 0x7f000000ull
#define ADDRESS_MASK 0x000ffffffffff000ull
#define KIB4 0x1000ull
#define MIB2 0x200000ull
#define GIB1 0x40000000ull

static uint8_t *block;
static struct frames frames;
static struct paging paging;

static int set_up(void **state)
{
	block = aligned_alloc(4096, FRAMES * 4096);
	memset(block, 0xa5, FRAMES * 4096);
	frames = (struct frames){ BASE_HPA, block, 0, FRAMES };
	return paging_init(&paging, &frames, 3) ? 0 : 1;
}

static int tear_down(void **state)
{
	free(block);
	return 0;
}

static uint64_t translate(uint64_t virtual, uint64_t *flags)
{
	unsigned level;
	uint64_t entry = paging_entry(&paging, virtual, &level);
	uint64_t inside = (KIB4 << 9 * (level - 1)) - 1;

	*flags = entry & (PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_UNCACHED);
	return entry ? (entry & ADDRESS_MASK & ~inside) | (virtual & inside) : UINT64_MAX;
}

static void expect_mapped(uint64_t virtual, uint64_t hpa, uint64_t bytes, uint64_t flags)
{
	static const uint64_t steps[] = { KIB4, MIB2 / 2 + KIB4, GIB1 / 4 + KIB4 };
	uint64_t found;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		for (uint64_t at = 0, n = 0; at < bytes && n < 2000; at += steps[i], n++) {
			assert_int_equal(translate(virtual + at, &found), hpa + at);
			assert_int_equal(found, flags | PTE_PRESENT);
		}
	assert_int_equal(translate(virtual + bytes - 1, &found), hpa + bytes - 1);
	assert_int_equal(translate(virtual + bytes, &found), UINT64_MAX);
	assert_int_equal(translate(virtual - 1, &found), UINT64_MAX);
}

static unsigned level_at(uint64_t virtual)
{
	unsigned level;

	return paging_entry(&paging, virtual, &level) ? level : 0;
}

static void pages_are_as_large_as_they_can_be(void **state)
{
	uint64_t virtual = 0xffff800000000000ull, bytes = 3 * GIB1 + MIB2 + 4 * KIB4;

	/* from 4 KiB below 2 MiB to 12 KiB above 3 GiB + 4 MiB */
	assert_true(paging_map(&paging, virtual + MIB2 - KIB4, MIB2 - KIB4, bytes, PTE_WRITE | PTE_NX));
	expect_mapped(virtual + MIB2 - KIB4, MIB2 - KIB4, bytes, PTE_WRITE | PTE_NX);
	assert_int_equal(level_at(virtual + MIB2 - KIB4), 1);
	assert_int_equal(level_at(virtual + MIB2), 2);
	assert_int_equal(level_at(virtual + GIB1), 3);
	assert_int_equal(level_at(virtual + 3 * GIB1), 2);
	assert_int_equal(level_at(virtual + 3 * GIB1 + 2 * MIB2), 1);
	assert_true(frames.next <= 8);
}

static void small_pages_only_where_asked(void **state)
{
	uint64_t flags = PTE_WRITE | PTE_NX | PTE_UNCACHED;

	paging.largest_level = 1;
	assert_true(paging_map(&paging, 0xffffffffc0000000ull, 0xfed00000, 2 * MIB2, flags));
	expect_mapped(0xffffffffc0000000ull, 0xfed00000, 2 * MIB2, flags);
	assert_int_equal(level_at(0xffffffffc0000000ull), 1);
}

static void random_maps_translate(void **state)
{
	uint64_t random = 99;

	for (unsigned long n = share(50000); n; n--) {
		uint64_t virtual = 0xffff800000000000ull + (random_next(&random) % (1u << 21)) * KIB4;
		uint64_t hpa = random & 1 ? virtual & (16 * GIB1 - 1) : (random_next(&random) % (1u << 21)) * KIB4;
		uint64_t bytes = (random_next(&random) % 3000 + 1) * KIB4;

		frames.next = 0;
		paging_init(&paging, &frames, random & 2 ? 3 : 2);
		assert_true(paging_map(&paging, virtual, hpa, bytes, PTE_NX));
		expect_mapped(virtual, hpa, bytes, PTE_NX);
	}
}

static void frames_that_run_out_are_refused(void **state)
{
	frames.count = 3;
	assert_false(paging_map(&paging, 0x1000, 0x1000, KIB4, 0));
	assert_int_equal(frames.next, 3);
	assert_null(frames_take(&frames, 1));
	frames = (struct frames){ BASE_HPA, block, 0, FRAMES };
	assert_null(frames_take(&frames, FRAMES + 1));
	assert_non_null(frames_take(&frames, FRAMES));
	assert_null(frames_take(&frames, 1));
	assert_null(frames_take(&frames, SIZE_MAX));
}

static void the_block_may_move(void **state)
{
	uint8_t *moved = aligned_alloc(4096, FRAMES * 4096);
	uint64_t flags;

	assert_true(paging_map(&paging, 0x40000000, 0x5000, 3 * KIB4, PTE_WRITE));
	memcpy(moved, block, FRAMES * 4096);
	memset(block, 0xff, FRAMES * 4096);
	frames.pointer = moved;
	assert_int_equal(translate(0x40001000, &flags), 0x6000);
	assert_true(paging_map(&paging, 0x40003000, 0x9000, KIB4, 0));
	assert_int_equal(translate(0x40003000, &flags), 0x9000);
	free(moved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_are_as_large_as_they_can_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(small_pages_only_where_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_maps_translate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(frames_that_run_out_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_block_may_move, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
