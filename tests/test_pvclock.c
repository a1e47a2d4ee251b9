/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pvclock against KVM's ABI, read as a guest reads it, in a guest memory with guards around it. */
#include "devices/pvclock.h"

#include "tests/support.h"

#include <signal.h>

#define RAM_BASE 0x100000ull
#define RAM_BYTES 0x4000ull
#define HOLE_BASE 0x102000ull /* one page that is no RAM */
#define GUARD 0xa5
#define UNIX 1751328000

static struct {
	_Alignas(8) uint8_t before[4096], ram[RAM_BYTES], after[4096];
} memory;

static struct pvclock pvclock;

static bool overlaps_hole(uint64_t gpa, uint64_t bytes)
{
	return gpa < HOLE_BASE + 4096 && gpa + bytes > HOLE_BASE;
}

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	assert_null(context);
	assert_true(gpa + bytes > gpa); /* no device may ask for what wraps round */
	if (gpa < RAM_BASE || gpa + bytes > RAM_BASE + RAM_BYTES || overlaps_hole(gpa, bytes))
		return NULL;
	return memory.ram + (gpa - RAM_BASE);
}

/* Here guest memory begins at address 0. */
static void *low_span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	return gpa + bytes <= RAM_BYTES ? memory.ram + gpa : NULL;
}

static const struct guest_ram guest_ram = { .span = span };

static void power_on(void)
{
	memset(&memory, GUARD, sizeof(memory));
	pvclock_init(&pvclock, &guest_ram, UNIX);
}

static uint64_t at(uint64_t gpa, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, memory.ram + (gpa - RAM_BASE), bytes);
	return value;
}

/* Whether all of the memory but [gpa, gpa + bytes) is as it was. */
static bool untouched_but(uint64_t gpa, uint64_t bytes)
{
	const uint8_t *all = (const uint8_t *)&memory;
	size_t first = sizeof(memory.before) + (gpa - RAM_BASE);

	for (size_t i = 0; i < sizeof(memory); i++)
		if ((i < first || i >= first + bytes) && all[i] != GUARD)
			return false;
	return true;
}

/* As where the guest's TSC is 1 GHz. */
static bool write_msr(uint32_t msr, uint64_t value, uint64_t now_ns, uint64_t guest_tsc)
{
	struct pvclock_stamp stamp = { guest_tsc, now_ns, PVCLOCK_ONE_GHZ };

	return pvclock_write_msr(&pvclock, msr, value, &stamp);
}

static void update(uint64_t now_ns, uint64_t guest_tsc)
{
	struct pvclock_stamp stamp = { guest_tsc, now_ns, PVCLOCK_ONE_GHZ };

	pvclock_update(&pvclock, &stamp);
}

/* The ABI's formula, as Linux's __pvclock_read_cycles has it. */
static uint64_t read_clock(uint64_t gpa, uint64_t tsc)
{
	uint64_t delta = tsc - at(gpa + 8, 8);
	int8_t shift = (int8_t)at(gpa + 28, 1);

	delta = shift < 0 ? delta >> -shift : delta << shift;
	return (uint64_t)((unsigned __int128)delta * at(gpa + 24, 4) >> 32) + at(gpa + 16, 8);
}

/* Claim: the structure has the ABI's layout: version, pad, TSC, time, factor, shift, flags, two pads of 0. Both
 * MSR numbers do the same. */
static void time_has_the_abis_layout(void **state)
{
	static const uint32_t msrs[] = { 0x4b564d01, 0x12 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t gpa = RAM_BASE + 0x40, value;

		power_on();
		assert_true(write_msr(msrs[i], gpa | 1, 0x123456789abcdef0, 0xfedcba987654321));
		assert_int_equal(at(gpa, 4) & 1, 0);
		assert_int_equal(at(gpa + 4, 4), 0);
		assert_int_equal(at(gpa + 8, 8), 0xfedcba987654321);
		assert_int_equal(at(gpa + 16, 8), 0x123456789abcdef0);
		assert_int_equal(at(gpa + 24, 4), 0x80000000);
		assert_int_equal(at(gpa + 28, 1), 1);
		assert_int_equal(at(gpa + 29, 1), PVCLOCK_TSC_STABLE);
		assert_int_equal(at(gpa + 30, 2), 0);
		assert_true(untouched_but(gpa, 32));
		assert_true(pvclock_read_msr(&pvclock, msrs[i], &value));
		assert_int_equal(value, gpa | 1);
	}
}

/* Claim: the wall clock is the time of guest time 0, in twelve bytes. */
static void wall_clock(void **state)
{
	static const uint32_t msrs[] = { 0x4b564d00, 0x11 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t gpa = RAM_BASE + 0x104, value;

		power_on();
		assert_true(write_msr(msrs[i], gpa, 999999999999, 5));
		assert_int_equal(at(gpa, 4) & 1, 0);
		assert_int_equal(at(gpa + 4, 4), UNIX);
		assert_int_equal(at(gpa + 8, 4), 0);
		assert_true(untouched_but(gpa, 12));
		assert_true(pvclock_read_msr(&pvclock, msrs[i], &value));
		assert_int_equal(value, gpa);
	}
}

/* Claim: a jump moves the wall clock for those who register it from then on, and writes no memory by itself; the date plus the
 * time since then is what was set, to the ns, also where guest time 0 would lie before 1970 (modulo 2^32 then, as the ABI has no
 * more bits). */
static void wall_clock_jumps(void **state)
{
	static const struct {
		int64_t unix_seconds;
		uint32_t ns;
		uint64_t now_ns;
	} rows[] = {
		{ 2147483647, 0, 0 }, { 2147483647, 999999999, 5123456789 }, { 2147483647, 123456788, 5123456789 }, { UNIX, 0, 999999999 },
		{ 4294967296, 5, 1000000000 }, { 253402300799, 999999999, 1ull << 62 }, { 0, 0, 1 }, { 5, 0, 86400000000000 },
	};
	uint64_t gpa = RAM_BASE + 0x104;
	uint32_t ns;

	(void)state;
	power_on();
	assert_true(pvclock_unix(&pvclock, 2999999999, &ns) == UNIX + 2 && ns == 999999999);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t before = at(gpa + 4, 8), start_ns, total_ns;

		pvclock_set_unix(&pvclock, rows[i].unix_seconds, rows[i].ns, rows[i].now_ns);
		assert_int_equal(at(gpa + 4, 8), before);
		assert_true(pvclock_unix(&pvclock, rows[i].now_ns, &ns) == rows[i].unix_seconds && ns == rows[i].ns);
		assert_true(pvclock_unix(&pvclock, rows[i].now_ns + 1000000000, &ns) == rows[i].unix_seconds + 1 && ns == rows[i].ns);
		assert_true(write_msr(MSR_KVM_WALL_CLOCK_NEW, gpa, rows[i].now_ns, 5));
		assert_in_range(at(gpa + 8, 4), 0, 999999999);
		/* as Linux adds it up */
		start_ns = at(gpa + 8, 4);
		total_ns = start_ns + rows[i].now_ns % 1000000000;
		assert_int_equal(total_ns % 1000000000, rows[i].ns);
		assert_int_equal((uint32_t)(at(gpa + 4, 4) + rows[i].now_ns / 1000000000 + total_ns / 1000000000),
				 (uint32_t)rows[i].unix_seconds);
	}
}

/* Claim: address 0 is no wall clock, though it is RAM: so KVM has it. */
static void no_wall_clock_at_0(void **state)
{
	static const struct guest_ram low_ram = { .span = low_span };

	(void)state;
	power_on();
	pvclock_init(&pvclock, &low_ram, UNIX);
	assert_true(write_msr(0x4b564d00, 0, 0, 0));
	assert_true(untouched_but(RAM_BASE, 0));
	assert_true(write_msr(0x4b564d00, 4, 0, 0));
	assert_int_equal(at(RAM_BASE + 8, 4), UNIX);
}

/* Claim: by the ABI's formula the guest reads guest time to the nanosecond, however long ago the page was written. */
static void reads_guest_time_exactly(void **state)
{
	uint64_t seed = 1;

	(void)state;
	power_on();
	for (unsigned long i = 0; i < share(10000000); i++) {
		uint64_t now_ns = random_next(&seed) >> 2, adjust = random_next(&seed);
		uint64_t later = random_next(&seed) >> (2 + random_next(&seed) % 60);

		assert_true(write_msr(0x4b564d01, RAM_BASE | 1, now_ns, now_ns + adjust));
		assert_int_equal(read_clock(RAM_BASE, now_ns + adjust + later), now_ns + later);
	}
}

/* Claim: the page says what the stamp says, any factors too, and an update brings others. */
static void any_factors(void **state)
{
	struct pvclock_stamp stamp = { 5000, 7000, { 0xc0000000, -3 } };

	(void)state;
	power_on();
	assert_true(pvclock_write_msr(&pvclock, 0x4b564d01, RAM_BASE | 1, &stamp));
	assert_int_equal(read_clock(RAM_BASE, 5000 + 807), 7000 + (100ull * 0xc0000000 >> 32));
	stamp = (struct pvclock_stamp){ 6000, 8000, { 0xffffffff, 30 } };
	pvclock_update(&pvclock, &stamp);
	assert_int_equal(read_clock(RAM_BASE, 6002), 8000 + ((2ull << 30) * 0xffffffff >> 32));
}

/* Claim: the version is even and another one after each writing, through a million registrations of different
 * places. */
static void versions_never_repeat(void **state)
{
	uint32_t last = 0;

	(void)state;
	power_on();
	for (unsigned long i = 0; i < share(100000000); i++) {
		uint64_t gpa = RAM_BASE + i % 64 * 4;

		assert_true(write_msr(0x4b564d01, gpa | 1, i, i));
		assert_int_equal(at(gpa, 4) & 1, 0);
		assert_true((uint32_t)at(gpa, 4) > last);
		last = (uint32_t)at(gpa, 4);
	}
}

/* Claim: an update writes what has changed to the registered place only; disabled or reset, nothing is written any
 * more. */
static void updates_while_enabled(void **state)
{
	uint64_t gpa = RAM_BASE + 0x800, value;

	(void)state;
	power_on();
	update(1, 2);
	assert_true(untouched_but(gpa, 0));
	write_msr(0x4b564d01, gpa | 1, 1000, 5000);
	update(2000, 77);
	assert_int_equal(at(gpa + 8, 8), 77);
	assert_int_equal(at(gpa + 16, 8), 2000);
	assert_int_equal(at(gpa, 4) & 1, 0);
	write_msr(0x4b564d01, gpa, 3000, 3000);
	update(4000, 4000);
	assert_int_equal(at(gpa + 16, 8), 2000);
	write_msr(0x4b564d01, gpa | 1, 5000, 5000);
	pvclock_reset(&pvclock);
	update(6000, 6000);
	assert_int_equal(at(gpa + 16, 8), 5000);
	assert_true(pvclock_read_msr(&pvclock, 0x4b564d01, &value));
	assert_int_equal(value, 0);
	assert_true(untouched_but(gpa, 32));
}

/* Claim: GUEST_STOPPED is told once, stays until the guest clears it in the page, and is not taken over from junk
 * at registration. */
static void guest_stopped(void **state)
{
	uint64_t gpa = RAM_BASE + 0x800, flags = gpa + 29;

	(void)state;
	power_on();
	memset(memory.ram, 0xff, sizeof(memory.ram));
	write_msr(0x4b564d01, gpa | 1, 0, 0);
	assert_int_equal(at(flags, 1), PVCLOCK_TSC_STABLE);
	pvclock_guest_stopped(&pvclock);
	assert_int_equal(at(flags, 1), PVCLOCK_TSC_STABLE);
	update(10, 10);
	assert_int_equal(at(flags, 1), PVCLOCK_TSC_STABLE | PVCLOCK_GUEST_STOPPED);
	update(20, 20);
	assert_int_equal(at(flags, 1), PVCLOCK_TSC_STABLE | PVCLOCK_GUEST_STOPPED);
	memory.ram[flags - RAM_BASE] = PVCLOCK_TSC_STABLE; /* pvclock_check_and_clear_guest_stopped */
	update(30, 30);
	assert_int_equal(at(flags, 1), PVCLOCK_TSC_STABLE);
}

/* Claim: unaligned addresses are #GP and change nothing; what is not wholly RAM, however high, is taken and never
 * written to. */
static void bad_addresses(void **state)
{
	static const uint64_t nowhere[] = { 0, RAM_BASE - 4, RAM_BASE - 28, HOLE_BASE, HOLE_BASE - 4, HOLE_BASE - 8,
					    HOLE_BASE + 4092, RAM_BASE + RAM_BYTES - 4, RAM_BASE + RAM_BYTES - 8,
					    RAM_BASE + RAM_BYTES, 0xfee00000, 1ull << 52, (1ull << 52) - 4, 1ull << 63,
					    UINT64_MAX - 3, UINT64_MAX - 31 };
	uint64_t value;

	(void)state;
	power_on();
	for (unsigned i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		assert_true(write_msr(0x4b564d01, nowhere[i] | 1, 1, 1));
		assert_true(write_msr(0x4b564d00, nowhere[i], 1, 1));
		update(2, 2);
		assert_true(untouched_but(RAM_BASE, 0));
		assert_true(pvclock_read_msr(&pvclock, 0x4b564d01, &value));
		assert_int_equal(value, nowhere[i] | 1);
	}
	for (unsigned low = 1; low < 4; low++) {
		assert_false(write_msr(0x4b564d00, RAM_BASE + low, 1, 1));
		assert_int_equal(write_msr(0x4b564d01, RAM_BASE + low, 1, 1), low == 1);
	}
	assert_true(untouched_but(RAM_BASE, 32));
	assert_false(write_msr(0x4b564d02, RAM_BASE | 1, 1, 1));
	assert_false(pvclock_read_msr(&pvclock, 0x4b564d02, &value));
	/* The last that fits. */
	assert_true(write_msr(0x4b564d01, (RAM_BASE + RAM_BYTES - 32) | 1, 1, 1));
	assert_int_equal(at(RAM_BASE + RAM_BYTES - 16 + 8, 4), 0x80000000);
}

/* Claim: whatever address is registered, at any alignment, only guest RAM is written. */
static void random_addresses(void **state)
{
	uint64_t seed = 9;

	(void)state;
	power_on();
	for (unsigned long i = 0; i < share(20000000); i++) {
		uint64_t near = RAM_BASE - 64 + random_next(&seed) % (RAM_BYTES + 128);
		uint64_t value = i % 8 ? near : random_next(&seed) >> random_next(&seed) % 64;

		write_msr(i % 2 ? 0x4b564d00 : 0x4b564d01, value | (i & 2) >> 1, i, i);
		update(i, i);
	}
	for (unsigned i = 0; i < 4096; i++) {
		assert_int_equal(memory.before[i], GUARD);
		assert_int_equal(memory.after[i], GUARD);
		assert_int_equal(memory.ram[HOLE_BASE - RAM_BASE + i], GUARD);
	}
}

/* A guest that looks between any two instructions of the hypervisor: what it may find. */
static struct {
	uint8_t old[32], new[32]; /* the structure with an even version, before and after */
	volatile unsigned long looks, odd, wrong;
} seen;

static bool shows(const uint8_t *structure)
{
	for (unsigned i = 0; i < 32; i++)
		if (memory.ram[i] != structure[i])
			return false;
	return true;
}

static void look(int number)
{
	(void)number;
	seen.looks = seen.looks + 1;
	if (memory.ram[0] & 1)
		seen.odd = seen.odd + 1;
	else if (!shows(seen.old) && !shows(seen.new))
		seen.wrong = seen.wrong + 1;
}

/* The trap flag: SIGTRAP after each instruction. The stack pointer steps over the red zone first. */
static void single_step(bool on)
{
	if (on)
		__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
				 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
	else
		__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
				 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

/* Claim: after each single instruction of an update the page has either an odd version or one whole structure, the old
 * or the new. */
static void version_protocol_holds(void **state)
{
	struct pvclock before;

	(void)state;
	power_on();
	signal(SIGTRAP, look);
	write_msr(0x4b564d01, RAM_BASE | 1, 1, 2);
	memcpy(seen.old, memory.ram, 32);
	before = pvclock;
	update(0x1111111111111111, 0x2222222222222222);
	memcpy(seen.new, memory.ram, 32);
	memcpy(memory.ram, seen.old, 32);
	pvclock = before;
	single_step(true);
	update(0x1111111111111111, 0x2222222222222222);
	single_step(false);
	signal(SIGTRAP, SIG_DFL);
	assert_true(shows(seen.new));
	assert_true(seen.odd > 0 && seen.odd < seen.looks);
	assert_int_equal(seen.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_has_the_abis_layout),
		cmocka_unit_test(wall_clock),
		cmocka_unit_test(wall_clock_jumps),
		cmocka_unit_test(no_wall_clock_at_0),
		cmocka_unit_test(reads_guest_time_exactly),
		cmocka_unit_test(any_factors),
		cmocka_unit_test(versions_never_repeat),
		cmocka_unit_test(updates_while_enabled),
		cmocka_unit_test(guest_stopped),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(random_addresses),
		cmocka_unit_test(version_protocol_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
