/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A board for tests of the local APIC: the real bus and event queue, and recorders of what the APIC tells the others. The tests' numbers
 * are those of the manual's tables, not the device's own. */
#pragma once

#include "devices/lapic.h"
#include "tests/support.h"

#define PAGE 0xfee00000ull
#define R_ID 0x020
#define R_VERSION 0x030
#define R_TPR 0x080
#define R_APR 0x090
#define R_PPR 0x0a0
#define R_EOI 0x0b0
#define R_LDR 0x0d0
#define R_DFR 0x0e0
#define R_SVR 0x0f0
#define R_ISR 0x100
#define R_TMR 0x180
#define R_IRR 0x200
#define R_ESR 0x280
#define R_ICR 0x300
#define R_ICR_HIGH 0x310
#define R_LVT_TIMER 0x320
#define R_LVT_LINT0 0x350
#define R_LVT_LINT1 0x360
#define R_LVT_ERROR 0x370
#define R_INITIAL 0x380
#define R_CURRENT 0x390
#define R_DIVIDE 0x3e0
#define R_SELF_IPI 0x3f0

#define MASKED (1u << 16)
#define PERIODIC (1u << 17)
#define DEADLINE (1u << 18)

#define BASE_XAPIC 0xfee00900ull
#define BASE_X2APIC 0xfee00d00ull
#define BASE_OFF 0xfee00100ull

struct lapic_board {
	struct bus bus;
	struct event_queue queue;
	struct lapic lapic;
	uint64_t now_ns;
	unsigned long accepted, eois, nmis, inits, tpr_writes;
	uint8_t accepted_vector, eoi_vector, tpr;
};

static struct lapic_board board;

static inline void board_accepted(void *context, uint8_t vector, uint64_t now_ns)
{
	assert_true(now_ns == board.now_ns);
	board.accepted++;
	board.accepted_vector = vector;
}

static inline void board_eoi(void *context, uint8_t vector, uint64_t now_ns)
{
	assert_true(now_ns == board.now_ns);
	board.eois++;
	board.eoi_vector = vector;
}

static inline void board_signal(void *context, enum lapic_signal signal)
{
	board.nmis += signal == LAPIC_NMI;
	board.inits += signal == LAPIC_INIT;
}

static inline void board_tpr_changed(void *context, uint8_t tpr)
{
	board.tpr_writes++;
	board.tpr = tpr;
}

static inline uint32_t rd(uint32_t offset)
{
	return (uint32_t)bus_read_mmio(&board.bus, PAGE + offset, 4, board.now_ns);
}

static inline void wr(uint32_t offset, uint32_t value)
{
	bus_write_mmio(&board.bus, PAGE + offset, value, 4, board.now_ns);
}

static inline bool rdmsr(uint32_t msr, uint64_t *value)
{
	return lapic_read_msr(&board.lapic, msr, value, board.now_ns);
}

static inline bool wrmsr(uint32_t msr, uint64_t value)
{
	return lapic_write_msr(&board.lapic, msr, value, board.now_ns);
}

/* Guest time goes on to now_ns, and each event fires exactly when it is due. */
static inline void run_to(uint64_t now_ns)
{
	while (event_next_ns(&board.queue) <= now_ns) {
		board.now_ns = event_next_ns(&board.queue);
		event_run(&board.queue, board.now_ns);
	}
	board.now_ns = now_ns;
}

static inline bool in_irr(uint8_t vector)
{
	return rd(R_IRR + vector / 32 * 16) >> vector % 32 & 1;
}

/* The processor takes what is pending and ends it at once: the vector, or -1. */
static inline int take(void)
{
	int vector = lapic_pending(&board.lapic);

	if (vector < 0)
		return -1;
	assert_int_equal(lapic_acknowledge(&board.lapic, board.now_ns), vector);
	assert_int_equal(board.accepted_vector, vector);
	wr(R_EOI, 0);
	return vector;
}

static inline int set_up_reset(void **state)
{
	static const struct lapic_hooks hooks = { .accepted = board_accepted, .eoi = board_eoi, .signal = board_signal,
						  .tpr_changed = board_tpr_changed };

	memset(&board, 0, sizeof board);
	board.now_ns = 12345678901;
	lapic_init(&board.lapic, &board.bus, &board.queue, &hooks);
	return 0;
}

/* As an operating system begins: enabled by software, spurious vector FFh. */
static inline int set_up(void **state)
{
	set_up_reset(state);
	wr(R_SVR, 0x1ff);
	return 0;
}
