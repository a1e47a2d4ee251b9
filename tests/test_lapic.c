/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: the local APIC has the registers of SDM 3A tables 11-1 and 11-6 with their reset values, writable bits and access rights, and no
 * others; MSR 1Bh changes mode only as figure 11-27 allows; disabled by software it takes nothing and masks its LVT; errors are shown as 11.5.3
 * says, with one interrupt between two writes, and none of them recurses; IPIs come to itself where the ICR and the destination say so; the pins do
 * what their LVT entries say. */
#include "tests/lapic_board.h"

/* What the manual's tables say. page and msr: "r" and "w", where they may. */
struct row {
	uint32_t offset, count;
	const char *page, *msr;
	uint32_t reset, writable;
};

static const struct row rows[] = {
	{ 0x020, 1, "r", "r", 0, 0 },
	{ 0x030, 1, "r", "r", 0x00050014, 0 },
	{ 0x080, 1, "rw", "rw", 0, 0xff },
	{ 0x090, 1, "r", "", 0, 0 },
	{ 0x0a0, 1, "r", "r", 0, 0 },
	{ 0x0b0, 1, "w", "w", 0, 0 },
	{ 0x0c0, 1, "r", "", 0, 0 },
	{ 0x0d0, 1, "rw", "r", 0, 0xff000000 },
	{ 0x0e0, 1, "rw", "", 0xffffffff, 0xf0000000 },
	{ 0x0f0, 1, "rw", "rw", 0xff, 0x3ff },
	{ 0x100, 24, "r", "r", 0, 0 },
	{ 0x280, 1, "rw", "rw", 0, 0 },
	{ 0x300, 1, "rw", "rw", 0, 0xccfff },
	{ 0x310, 1, "rw", "", 0, 0xff000000 },
	{ 0x320, 1, "rw", "rw", 0x10000, 0x700ff },
	{ 0x330, 2, "rw", "rw", 0x10000, 0x107ff },
	{ 0x350, 2, "rw", "rw", 0x10000, 0x1a7ff },
	{ 0x370, 1, "rw", "rw", 0x10000, 0x100ff },
	{ 0x380, 1, "rw", "rw", 0, 0xffffffff },
	{ 0x390, 1, "r", "r", 0, 0 },
	{ 0x3e0, 1, "rw", "rw", 0, 0xb },
	{ 0x3f0, 1, "", "w", 0, 0xff },
};

static const struct row *row_of(uint32_t offset)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (offset >= rows[i].offset && offset < rows[i].offset + 16 * rows[i].count)
			return &rows[i];
	return NULL;
}

static bool may(const char *rights, char right)
{
	return strchr(rights, right);
}

static void the_page_has_the_registers_of_the_table(void **state)
{
	for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
		const struct row *row = offset % 16 ? NULL : row_of(offset);
		bool exists = row && *row->page;

		set_up_reset(state);
		assert_int_equal(rd(offset), exists ? row->reset : 0);
		assert_int_equal(board.lapic.errors, exists || offset % 16 ? 0 : 0x80);
		wr(R_ESR, 0);
		wr(offset, 0xa5a5a5a5);
		assert_int_equal(board.lapic.errors & 0x80, exists || offset % 16 ? 0 : 0x80);
	}
}

/* The LVT entries keep their mask bits until software enables the APIC. */
static void the_page_keeps_the_writable_bits(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!may(rows[i].page, 'r'))
			continue;
		for (uint32_t at = 0; at < rows[i].count; at++) {
			uint32_t offset = rows[i].offset + at * 16, writable = rows[i].writable;

			set_up(state);
			uint32_t fixed = rd(offset) & ~writable;

			if (offset == R_SVR)
				continue;
			wr(offset, 0xffffffff);
			assert_int_equal(rd(offset), writable | fixed);
			wr(offset, 0);
			assert_int_equal(rd(offset), fixed);
		}
	}
}

static void accesses_of_other_kinds_get_parts_or_nothing(void **state)
{
	wr(R_LVT_ERROR, 0x100fe);
	assert_int_equal((uint8_t)bus_read_mmio(&board.bus, PAGE + R_LVT_ERROR, 1, 0), 0xfe);
	assert_int_equal((uint16_t)bus_read_mmio(&board.bus, PAGE + R_LVT_ERROR + 2, 2, 0), 1);
	assert_int_equal(bus_read_mmio(&board.bus, PAGE + R_LVT_ERROR, 8, 0), 0x100fe);
	assert_int_equal(bus_read_mmio(&board.bus, PAGE + R_LVT_ERROR + 4, 4, 0), 0);
	bus_write_mmio(&board.bus, PAGE + R_LVT_ERROR, 0x31, 1, 0);
	bus_write_mmio(&board.bus, PAGE + R_LVT_ERROR, 0x31, 2, 0);
	bus_write_mmio(&board.bus, PAGE + R_LVT_ERROR + 2, 0x31, 4, 0);
	bus_write_mmio(&board.bus, PAGE + R_LVT_ERROR + 4, 0x31, 4, 0);
	assert_int_equal(rd(R_LVT_ERROR), 0x100fe);
	bus_write_mmio(&board.bus, PAGE + R_LVT_ERROR, 0x31, 8, 0);
	assert_int_equal(rd(R_LVT_ERROR), 0x31);
}

static void the_msrs_are_those_of_the_table(void **state)
{
	set_up(state);
	assert_true(lapic_write_base(&board.lapic, BASE_X2APIC));
	for (uint32_t msr = 0x7ff; msr < 0x900; msr++) {
		const struct row *row = msr < 0x800 ? NULL : row_of((msr - 0x800) * 16);
		uint64_t value;

		assert_int_equal(rdmsr(msr, &value), row && may(row->msr, 'r'));
		assert_int_equal(wrmsr(msr, 0), row && may(row->msr, 'w'));
	}
}

static void reserved_bits_of_msrs_are_refused(void **state)
{
	lapic_write_base(&board.lapic, BASE_X2APIC);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t msr = 0x800 + rows[i].offset / 16, read_only = 0;

		if (!may(rows[i].msr, 'w'))
			continue;
		if (rows[i].offset == R_ICR || (rows[i].offset >= R_LVT_TIMER && rows[i].offset <= R_LVT_ERROR))
			read_only = 1 << 12;
		if (rows[i].offset == R_LVT_LINT0)
			read_only |= 1 << 14;
		for (unsigned bit = 0; bit < 64; bit++) {
			bool writable = bit < 32 && (rows[i].writable | read_only) >> bit & 1;

			assert_int_equal(wrmsr(msr, 1ull << bit), writable || (rows[i].offset == R_ICR && bit >= 32));
		}
	}
}

static void the_deadline_mode_can_be_hidden(void **state)
{
	board.lapic.has_deadline = false;
	wr(R_LVT_TIMER, 0x7ffff);
	assert_int_equal(rd(R_LVT_TIMER), 0x300ff);
	lapic_write_base(&board.lapic, BASE_X2APIC);
	assert_false(wrmsr(0x832, DEADLINE | 0x40));
	assert_true(wrmsr(0x832, PERIODIC | 0x40));
}

/* MSR 1Bh. */

enum { OFF, XAPIC, ILLEGAL, X2APIC }; /* bits 11 and 10, swapped: the order of the figure */

static const uint64_t bases[] = { [OFF] = BASE_OFF, [XAPIC] = BASE_XAPIC, [ILLEGAL] = 0xfee00500, [X2APIC] = BASE_X2APIC };

static void enter(unsigned mode)
{
	set_up(NULL);
	if (mode == X2APIC)
		lapic_write_base(&board.lapic, BASE_X2APIC);
	else if (mode == OFF)
		lapic_write_base(&board.lapic, BASE_OFF);
	assert_true(board.lapic.base == bases[mode]);
}

static void modes_change_only_as_the_figure_allows(void **state)
{
	static const bool legal[4][4] = {
		[OFF] = { [OFF] = true, [XAPIC] = true },
		[XAPIC] = { [OFF] = true, [XAPIC] = true, [X2APIC] = true },
		[X2APIC] = { [OFF] = true, [X2APIC] = true },
	};

	for (unsigned from = OFF; from <= X2APIC; from++) {
		for (unsigned to = OFF; to <= X2APIC && from != ILLEGAL; to++) {
			enter(from);
			assert_int_equal(lapic_write_base(&board.lapic, bases[to]), legal[from][to]);
			assert_true(board.lapic.base == bases[legal[from][to] ? to : from]);
		}
	}
}

static void the_page_does_not_move_and_the_bsp_stays_one(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t value = BASE_XAPIC ^ 1ull << bit;
		bool known = bit == 8 || bit == 10 || bit == 11;

		set_up(state);
		assert_int_equal(lapic_write_base(&board.lapic, value), known);
		assert_true(board.lapic.base & 1 << 8);
		assert_true((board.lapic.base & ~0xfffull) == PAGE);
	}
}

static void switched_off_it_forgets_all(void **state)
{
	wr(R_TPR, 0x20);
	lapic_deliver(&board.lapic, 0x80, true);
	lapic_acknowledge(&board.lapic, board.now_ns);
	lapic_deliver(&board.lapic, 0x90, false);
	wr(R_LVT_TIMER, 0x40);
	wr(R_INITIAL, 1000);
	assert_false(lapic_takes_extint(&board.lapic));
	assert_true(lapic_write_base(&board.lapic, BASE_OFF));
	assert_true(lapic_takes_extint(&board.lapic));
	assert_int_equal(lapic_pending(&board.lapic), -1);
	assert_int_equal(rd(R_VERSION), 0xffffffff);
	assert_false(lapic_deliver(&board.lapic, 0x80, false));
	assert_true(event_next_ns(&board.queue) == EVENT_NEVER);
	wr(R_SVR, 0x1ff);
	assert_true(lapic_write_base(&board.lapic, BASE_XAPIC));
	for (uint32_t offset = 0; offset < 0x400; offset += 16)
		if (row_of(offset) && may(row_of(offset)->page, 'r'))
			assert_int_equal(rd(offset), row_of(offset)->reset);
	assert_false(lapic_takes_extint(&board.lapic));
}

static void x2apic_keeps_the_state_and_derives_the_ldr(void **state)
{
	uint64_t value;

	wr(R_LDR, 0x42000000);
	wr(R_LVT_ERROR, 0x45);
	lapic_deliver(&board.lapic, 0x80, false);
	assert_true(lapic_write_base(&board.lapic, BASE_X2APIC));
	assert_int_equal(rd(R_VERSION), 0xffffffff);
	wr(R_TPR, 0x55);
	assert_true(rdmsr(0x808, &value) && value == 0);
	assert_true(rdmsr(0x80d, &value) && value == 1);
	assert_true(rdmsr(0x837, &value) && value == 0x45);
	assert_true(rdmsr(0x824, &value) && value == 1);
	assert_int_equal(lapic_pending(&board.lapic), 0x80);
}

static void without_x2apic_the_msrs_are_refused(void **state)
{
	uint64_t value = 0x1234;

	for (uint32_t msr = 0x800; msr < 0x840; msr++) {
		assert_false(rdmsr(msr, &value));
		assert_false(wrmsr(msr, 0));
	}
	assert_int_equal(value, 0x1234);
}

/* SVR. */

static void disabled_by_software_it_takes_nothing_and_masks_its_lvt(void **state)
{
	wr(R_LVT_TIMER, 0x40);
	wr(R_LVT_LINT0, 0x700);
	wr(R_LVT_LINT1, 0x400);
	lapic_deliver(&board.lapic, 0x80, false);
	assert_true(lapic_takes_extint(&board.lapic));
	wr(R_SVR, 0xff);
	assert_int_equal(rd(R_LVT_TIMER), 0x10040);
	assert_int_equal(rd(R_LVT_LINT0), 0x10700);
	assert_int_equal(rd(R_LVT_LINT1), 0x10400);
	assert_false(lapic_takes_extint(&board.lapic));
	wr(R_LVT_LINT0, 0x700);
	assert_int_equal(rd(R_LVT_LINT0), 0x10700);
	assert_false(lapic_deliver(&board.lapic, 0x90, false));
	assert_int_equal(lapic_pending(&board.lapic), 0x80); /* what is there already is held, and taken */
	assert_int_equal(take(), 0x80);
	wr(R_SVR, 0x1ff);
	assert_int_equal(rd(R_LVT_LINT0), 0x10700);
	wr(R_LVT_LINT0, 0x700);
	assert_true(lapic_takes_extint(&board.lapic));
	assert_true(lapic_deliver(&board.lapic, 0x90, false));
}

static void an_acknowledge_for_nothing_is_spurious(void **state)
{
	wr(R_SVR, 0x1ef);
	assert_int_equal(lapic_acknowledge(&board.lapic, board.now_ns), 0xef);
	assert_int_equal(board.lapic.spurious, 1);
	assert_int_equal(board.accepted, 0);
	for (uint32_t offset = R_ISR; offset < R_ESR; offset += 16)
		assert_int_equal(rd(offset), 0);
	wr(R_EOI, 0);
	assert_int_equal(board.eois, 0);
}

static void firmware_leaves_the_virtual_wire(void **state)
{
	lapic_reset(&board.lapic);
	assert_false(lapic_takes_extint(&board.lapic));
	lapic_virtual_wire(&board.lapic);
	assert_true(lapic_takes_extint(&board.lapic));
	assert_true(lapic_is_enabled(&board.lapic));
	lapic_set_lint(&board.lapic, 0, true);
	assert_int_equal(lapic_pending(&board.lapic), -1);
	lapic_set_lint(&board.lapic, 1, true);
	assert_int_equal(board.nmis, 1);
}

/* Errors. */

static void errors_are_shown_by_a_write(void **state)
{
	lapic_deliver(&board.lapic, 15, false);
	assert_int_equal(rd(R_ESR), 0);
	wr(R_ESR, 0xffffffff);
	assert_int_equal(rd(R_ESR), 0x40);
	rd(0x040);
	wr(R_ICR, 0x4000f); /* self, vector 15 */
	assert_int_equal(rd(R_ESR), 0x40);
	wr(R_ESR, 0);
	assert_int_equal(rd(R_ESR), 0xe0);
	wr(R_ESR, 0);
	assert_int_equal(rd(R_ESR), 0);
	assert_int_equal(lapic_pending(&board.lapic), -1);
}

static void one_interrupt_comes_for_all_errors_between_two_writes(void **state)
{
	wr(R_LVT_ERROR, 0xe1);
	for (unsigned round = 0; round < 3; round++) {
		lapic_deliver(&board.lapic, 3, true);
		assert_int_equal(take(), 0xe1);
		rd(0x010);
		lapic_deliver(&board.lapic, 4, false);
		assert_int_equal(take(), -1);
		wr(R_ESR, 0);
		assert_int_equal(rd(R_ESR), 0xc0);
	}
}

static void an_illegal_error_vector_is_one_more_error(void **state)
{
	for (uint32_t vector = 0; vector < 16; vector++) {
		wr(R_LVT_ERROR, vector);
		wr(0x040, 1);
		assert_int_equal(take(), -1);
		wr(R_ESR, 0);
		assert_int_equal(rd(R_ESR), 0xc0);
	}
}

static void a_masked_error_is_noted(void **state)
{
	rd(0x040);
	assert_int_equal(take(), -1);
	wr(R_ESR, 0);
	assert_int_equal(rd(R_ESR), 0x80);
}

/* IPIs. */

static bool sent(uint32_t high, uint32_t low)
{
	bool came;

	wr(R_ICR_HIGH, high << 24);
	wr(R_ICR, low);
	came = lapic_pending(&board.lapic) == (int)(low & 0xff);
	assert_int_equal(take(), came ? (int)(low & 0xff) : -1);
	return came;
}

static void shorthands_say_whom_an_ipi_reaches(void **state)
{
	assert_true(sent(7, 0x40000 | 0x51));
	assert_true(sent(7, 0x80000 | 0x52));
	assert_false(sent(0, 0xc0000 | 0x53));
	assert_true(sent(0, 0x54));
	assert_true(sent(0, 0x100 | 0x55)); /* lowest priority */
	assert_true(sent(0xff, 0x56));
	assert_false(sent(1, 0x57));
	assert_true(sent(0, 0xc000 | 0x58)); /* level and asserted: edge all the same */
	assert_int_equal(board.eois, 0);
	assert_int_equal(rd(R_ICR), 0xc058);
}

/* SDM 3A 11.6.2.2: eight bits, each a processor; or a cluster of four bits and four processors in it. */
static void logical_destinations_match_by_model(void **state)
{
	for (unsigned own = 0; own < 256; own++) {
		wr(R_LDR, own << 24);
		for (unsigned to = 0; to < 256; to++) {
			bool flat = false, cluster = own >> 4 == to >> 4;
			bool member = false;

			for (unsigned bit = 0; bit < 8; bit++)
				flat |= own >> bit & to >> bit & 1;
			for (unsigned bit = 0; bit < 4; bit++)
				member |= own >> bit & to >> bit & 1;
			wr(R_DFR, 0xf0000000);
			assert_int_equal(lapic_is_destination(&board.lapic, (uint8_t)to, true), flat || to == 0xff);
			wr(R_DFR, 0x00000000);
			assert_int_equal(lapic_is_destination(&board.lapic, (uint8_t)to, true), (cluster && member) || to == 0xff);
			wr(R_DFR, 0x50000000);
			assert_int_equal(lapic_is_destination(&board.lapic, (uint8_t)to, true), to == 0xff);
			assert_int_equal(lapic_is_destination(&board.lapic, (uint8_t)to, false), to == 0 || to == 0xff);
		}
	}
	wr(R_DFR, 0xffffffff);
	wr(R_LDR, 0x04000000);
	assert_true(sent(0x0c, 0x800 | 0x61));
	assert_false(sent(0x0b, 0x800 | 0x62));
}

static bool sent_x2apic(uint32_t to, uint32_t low)
{
	bool came;

	assert_true(wrmsr(0x830, (uint64_t)to << 32 | low));
	came = lapic_pending(&board.lapic) == (int)(low & 0xff);
	if (came)
		lapic_acknowledge(&board.lapic, board.now_ns);
	assert_true(wrmsr(0x80b, 0));
	return came;
}

static void x2apic_destinations_have_32_bits(void **state)
{
	uint64_t value;

	lapic_write_base(&board.lapic, BASE_X2APIC);
	assert_true(sent_x2apic(0, 0x41));
	assert_true(sent_x2apic(0xffffffff, 0x42));
	assert_false(sent_x2apic(0xff, 0x43));
	assert_false(sent_x2apic(0x1000000, 0x44));
	assert_true(sent_x2apic(1, 0x800 | 0x45));
	assert_true(sent_x2apic(0xffff, 0x800 | 0x46));
	assert_false(sent_x2apic(0xfffe, 0x800 | 0x47));
	assert_false(sent_x2apic(0x10001, 0x800 | 0x48));
	assert_true(sent_x2apic(0xffffffff, 0x800 | 0x49));
	assert_true(rdmsr(0x830, &value) && value == 0xffffffff00000849);
	assert_true(wrmsr(0x83f, 0x4a));
	assert_int_equal(lapic_pending(&board.lapic), 0x4a);
	assert_false(wrmsr(0x80b, 1));
	assert_true(wrmsr(0x83f, 0x0a));
	assert_true(wrmsr(0x828, 0));
	assert_true(rdmsr(0x828, &value) && value == 0x60);
}

/* Every delivery mode and shorthand, to every destination that matters: bounded, and only NMI and INIT signal something. */
static void other_ipis_signal_or_do_nothing(void **state)
{
	for (uint32_t low = 0; low < 1 << 20; low += 0x100) {
		unsigned mode = low >> 8 & 7, shorthand = low >> 18 & 3;

		for (unsigned to = 0; to < 2; to++) {
			unsigned long nmis = board.nmis, inits = board.inits;
			bool own = shorthand == 0 && to == 0 && !(low & 0x800), de_assertion = (low & 0xc000) == 0x8000;

			wr(R_ICR_HIGH, to << 24);
			wr(R_ICR, low | 0x70);
			assert_int_equal(board.nmis - nmis, mode == 4 && own);
			assert_int_equal(board.inits - inits, mode == 5 && own && !de_assertion);
			assert_int_equal(take() == 0x70, mode < 2 && (own || shorthand == 1 || shorthand == 2));
		}
	}
}

/* The pins. */

static void a_pin_can_be_an_edge(void **state)
{
	for (unsigned pin = 0; pin < 2; pin++) {
		wr(R_LVT_LINT0 + pin * 16, 0x60 + pin);
		lapic_set_lint(&board.lapic, pin, true);
		assert_int_equal(take(), 0x60 + (int)pin);
		lapic_set_lint(&board.lapic, pin, true);
		lapic_set_lint(&board.lapic, pin, false);
		assert_int_equal(take(), -1);
		wr(R_LVT_LINT0 + pin * 16, 0x2060 + pin); /* active low */
		lapic_set_lint(&board.lapic, pin, true);
		assert_int_equal(take(), -1);
		lapic_set_lint(&board.lapic, pin, false);
		assert_int_equal(take(), 0x60 + (int)pin);
	}
	assert_int_equal(board.eois, 0);
}

static void lint0_can_be_a_level(void **state)
{
	wr(R_LVT_LINT0, 0x8062);
	lapic_set_lint(&board.lapic, 0, true);
	assert_int_equal(rd(R_LVT_LINT0), 0xc062);
	lapic_acknowledge(&board.lapic, board.now_ns);
	assert_int_equal(lapic_pending(&board.lapic), -1);
	wr(R_EOI, 0);
	assert_int_equal(rd(R_LVT_LINT0), 0xc062); /* still asserted: it came again */
	lapic_acknowledge(&board.lapic, board.now_ns);
	lapic_set_lint(&board.lapic, 0, false);
	wr(R_EOI, 0);
	assert_int_equal(rd(R_LVT_LINT0), 0x8062);
	assert_int_equal(lapic_pending(&board.lapic), -1);
	assert_int_equal(board.eois, 2);
}

static void pins_of_other_modes_signal_or_do_nothing(void **state)
{
	for (unsigned mode = 0; mode < 8; mode++) {
		for (unsigned masked = 0; masked < 2; masked++) {
			set_up(state);
			wr(R_LVT_LINT0, masked << 16 | mode << 8 | 0x63);
			lapic_set_lint(&board.lapic, 0, true);
			assert_int_equal(lapic_takes_extint(&board.lapic), mode == 7 && !masked);
			assert_int_equal(board.nmis, mode == 4 && !masked);
			assert_int_equal(board.inits, mode == 5 && !masked);
			assert_int_equal(take(), mode == 0 && !masked ? 0x63 : -1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_page_has_the_registers_of_the_table, set_up_reset),
		cmocka_unit_test_setup(the_page_keeps_the_writable_bits, set_up),
		cmocka_unit_test_setup(accesses_of_other_kinds_get_parts_or_nothing, set_up),
		cmocka_unit_test_setup(the_msrs_are_those_of_the_table, set_up),
		cmocka_unit_test_setup(reserved_bits_of_msrs_are_refused, set_up),
		cmocka_unit_test_setup(the_deadline_mode_can_be_hidden, set_up),
		cmocka_unit_test_setup(modes_change_only_as_the_figure_allows, set_up),
		cmocka_unit_test_setup(the_page_does_not_move_and_the_bsp_stays_one, set_up),
		cmocka_unit_test_setup(switched_off_it_forgets_all, set_up),
		cmocka_unit_test_setup(x2apic_keeps_the_state_and_derives_the_ldr, set_up),
		cmocka_unit_test_setup(without_x2apic_the_msrs_are_refused, set_up),
		cmocka_unit_test_setup(disabled_by_software_it_takes_nothing_and_masks_its_lvt, set_up),
		cmocka_unit_test_setup(an_acknowledge_for_nothing_is_spurious, set_up),
		cmocka_unit_test_setup(firmware_leaves_the_virtual_wire, set_up_reset),
		cmocka_unit_test_setup(errors_are_shown_by_a_write, set_up),
		cmocka_unit_test_setup(one_interrupt_comes_for_all_errors_between_two_writes, set_up),
		cmocka_unit_test_setup(an_illegal_error_vector_is_one_more_error, set_up),
		cmocka_unit_test_setup(a_masked_error_is_noted, set_up),
		cmocka_unit_test_setup(shorthands_say_whom_an_ipi_reaches, set_up),
		cmocka_unit_test_setup(logical_destinations_match_by_model, set_up),
		cmocka_unit_test_setup(x2apic_destinations_have_32_bits, set_up),
		cmocka_unit_test_setup(other_ipis_signal_or_do_nothing, set_up),
		cmocka_unit_test_setup(a_pin_can_be_an_edge, set_up),
		cmocka_unit_test_setup(lint0_can_be_a_level, set_up),
		cmocka_unit_test_setup(pins_of_other_modes_signal_or_do_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
