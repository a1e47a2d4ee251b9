/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest-physical memory below 4 GiB: what the memory map calls RAM is RAM, and what it does not name reads all
 * ones and ignores writes, Foliot's own memory among it. Every 2 MiB and every border of the map is looked at;
 * then the ways to touch a hole. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define STEP 0x200000u
#define VGA_HOLE 0xA0000u
#define VGA_HOLE_END 0xC0000u
#define CHIPS 0xFEC00000u /* IOAPIC, HPET and local APIC have tests of their own */
#define CHIPS_END 0xFEF00000u

const char test_name[] = "memory";

extern const uint8_t guest_begin[], guest_end[];
static uint32_t decoy = 0x600DF00D;
static unsigned ram_wrong, ram_tried, hole_wrong, hole_tried;

static bool is_named(uint64_t gpa, uint32_t bytes)
{
	for (const struct memory_range *r = memory_next(0); r; r = memory_next(r))
		if (gpa < r->base + r->bytes && gpa + bytes > r->base)
			return true;
	return false;
}

static void try_ram(uint32_t gpa)
{
	uint32_t old, low = (uint32_t)guest_begin, high = (uint32_t)guest_end;

	if (gpa + 4 > low && gpa < high)
		return;
	ram_tried++;
	old = peek(gpa);
	poke(gpa, ~old);
	ram_wrong += peek(gpa) != ~old;
	poke(gpa, old);
	ram_wrong += peek(gpa) != old;
}

static void try_hole(uint32_t gpa)
{
	hole_tried++;
	hole_wrong += peek(gpa) != 0xFFFFFFFF;
	poke(gpa, 0x12345678);
	hole_wrong += peek(gpa) != 0xFFFFFFFF;
}

static void try_any(uint32_t gpa)
{
	if (memory_is_ram(gpa, 4))
		try_ram(gpa);
	else if (!is_named(gpa, 4) && !(gpa >= CHIPS && gpa < CHIPS_END))
		try_hole(gpa);
}

static void sweep(void)
{
	for (uint32_t gpa = STEP; gpa; gpa += STEP)
		try_any(gpa);
	for (uint32_t gpa = VGA_HOLE; gpa < VGA_HOLE_END; gpa += 4096)
		try_hole(gpa);
	for (const struct memory_range *r = memory_next(0); r; r = memory_next(r)) {
		uint64_t end = r->base + r->bytes;

		if (end >= 1ull << 32)
			continue;
		try_any((uint32_t)r->base);
		try_any((uint32_t)end - 4);
		try_any((uint32_t)end);
		if (r->base >= 4)
			try_any((uint32_t)r->base - 4);
	}
	if (option_number("control", 0))
		try_hole((uint32_t)&decoy); /* the control: memory that does answer must be seen */
	report(ram_tried && !ram_wrong, "%u places in RAM keep what is written: %u wrong", ram_tried, ram_wrong);
	report(hole_tried && !hole_wrong, "%u places outside read all ones and ignore writes: %u wrong", hole_tried,
	       hole_wrong);
}

/* The first 4 KiB-aligned address that nothing names, above all RAM below 4 GiB: Foliot lies there. */
static uint32_t find_hole(void)
{
	uint64_t top = 0;

	for (const struct memory_range *r = memory_next(0); r; r = memory_next(r))
		if (r->type == 1 && r->base + r->bytes > top && r->base < 1ull << 32)
			top = r->base + r->bytes;
	return top < 1ull << 32 ? (uint32_t)top : VGA_HOLE;
}

static void foliot_unreachable(uint32_t hole)
{
	unsigned wrong = 0;

	for (uint32_t gpa = hole; gpa - hole < 8u << 20; gpa += 4096)
		if (!is_named(gpa, 4)) {
			wrong += peek(gpa) != 0xFFFFFFFF;
			poke(gpa, 0);
			wrong += peek(gpa + 4092) != 0xFFFFFFFF;
		}
	report(!wrong, "8 MiB above the end of RAM, page by page: %u wrong", wrong);
}

static void widths(uint32_t hole)
{
	uint32_t border = 0, value;
	uint8_t byte;
	uint16_t word;

	__asm__ volatile("movb (%1), %0" : "=q"(byte) : "r"(hole + 1) : "memory");
	__asm__ volatile("movw (%1), %0" : "=r"(word) : "r"(hole + 3) : "memory");
	report(byte == 0xFF && word == 0xFFFF, "bytes and unaligned words: %x %x", byte, word);
	__asm__ volatile("movb $1, (%0)\n\tmovw $2, 1(%0)\n\tmovl $3, 5(%0)" : : "r"(hole) : "memory");
	if (memory_is_ram(hole - 4, 4)) {
		border = peek(hole - 4);
		poke(hole - 4, 0x11223344);
		value = peek(hole - 2);
		report(value == 0xFFFF1122, "half RAM and half hole: %x", value);
		poke(hole - 2, 0xAABBCCDD);
		value = peek(hole - 4);
		report(value == 0xCCDD3344, "and written: the RAM's half is: %x", value);
		poke(hole - 4, border);
	} else {
		report_skip("no RAM ends below this hole");
	}
}

static void instructions(uint32_t hole)
{
	uint32_t value = 5, words[4] = { 1, 2, 3, 4 }, count = 4;
	void *to = words, *from = (void *)hole;

	__asm__ volatile("addl (%1), %0" : "+r"(value) : "r"(hole) : "memory", "cc");
	report(value == 4, "ADD from a hole: 5 + ffffffff = %x", value);
	__asm__ volatile("movzbl (%1), %0" : "=r"(value) : "r"(hole) : "memory");
	report(value == 0xFF, "MOVZX from a hole gives %x", value);
	__asm__ volatile("movsbl (%1), %0" : "=r"(value) : "r"(hole) : "memory");
	report(value == 0xFFFFFFFF, "MOVSX from a hole gives %x", value);
	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	report(!count && words[0] == 0xFFFFFFFF && words[3] == 0xFFFFFFFF, "REP MOVSD out of a hole: %x %x", words[0],
	       words[3]);
	count = 4;
	from = words;
	to = (void *)hole;
	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	report(!count && from == words + 4, "REP MOVSD into a hole ends");
	count = 1000;
	to = (void *)hole;
	__asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0) : "memory");
	report(!count && (uint32_t)to == hole + 4000, "REP STOSD into a hole ends");
}

static uint32_t odd_result;

static void do_xchg(void *hole)
{
	odd_result = 7;
	__asm__ volatile("xchgl %0, (%1)" : "+r"(odd_result) : "r"(hole) : "memory");
}

static void do_xadd(void *hole)
{
	odd_result = 3;
	__asm__ volatile("lock xaddl %0, (%1)" : "+r"(odd_result) : "r"(hole) : "memory", "cc");
}

static void do_bt(void *hole)
{
	uint8_t carry;

	__asm__ volatile("btl %2, (%1)\n\tsetc %0" : "=q"(carry) : "r"((uint32_t)hole + 64), "r"(-32) : "memory", "cc");
	odd_result = carry ? 0xFFFFFFFF : 0;
}

static void do_push(void *hole)
{
	__asm__ volatile("pushl (%1)\n\tpopl %0" : "=r"(odd_result) : "r"(hole) : "memory");
}

static void do_cmpxchg8b(void *hole)
{
	uint32_t low = 0, high = 0;

	__asm__ volatile("lock cmpxchg8b (%2)" : "+a"(low), "+d"(high) : "r"(hole), "b"(0), "c"(0) : "memory", "cc");
	odd_result = low & high;
}

static void do_movdqu(void *hole)
{
	__asm__ volatile("movdqu (%1), %%xmm0\n\tmovd %%xmm0, %0" : "=r"(odd_result) : "r"(hole) : "memory");
}

static const struct {
	const char *name;
	void (*action)(void *);
} odd[] = {
	{ "XCHG", do_xchg }, { "XADD", do_xadd },           { "BT with a negative index", do_bt },
	{ "PUSH", do_push }, { "CMPXCHG8B", do_cmpxchg8b }, { "MOVDQU", do_movdqu },
};

/* Nobody reads a hole with these: all ones, or an exception in the guest. */
static void odd_instructions(uint32_t hole)
{
	write_cr0((read_cr0() & ~0xCu) | 2); /* EM, TS clear; MP */
	write_cr4(read_cr4() | 0x200);       /* OSFXSR */
	for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		uint32_t vector = guarded_call(odd[i].action, (void *)hole);

		report(vector == X_GP || vector == X_UD || (vector == NO_FAULT && odd_result == 0xFFFFFFFF),
		       "%s on a hole gives all ones or a fault: %x, vector %x", odd[i].name, odd_result, vector);
	}
}

static void do_jump(void *hole)
{
	((void (*)(void))hole)();
}

/* Code in a hole: all ones are no instruction. */
static void code(uint32_t hole)
{
	uint32_t vector = guarded_call(do_jump, (void *)hole);

	report(vector == X_UD || vector == X_GP || vector == X_PF, "code in a hole is an exception: %x", vector);
}

void test_main(void)
{
	uint32_t hole = find_hole();

	if (!report(memory_next(0) != 0, "there is a memory map"))
		return;
	sweep();
	foliot_unreachable(hole);
	widths(hole);
	instructions(hole);
	odd_instructions(hole);
	code(hole);
}
