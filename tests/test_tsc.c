/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's TSC in each way of delivering it. Claims: what the processor's multiplier (SDM 3C 26.3; APM 2 15.30.5) makes
 * of the host's TSC, what an exit at the same instant answers, and guest time are one value, bit for bit, through any
 * sequence of rates, moves of the TSC and wraps of the host's; RDTSC exits where the multiplier cannot carry the rate,
 * and nowhere else with tsc=scale; with tsc=native it never exits, shows the host's own ticks, and a page that is stamped
 * as the run loop does it gives guest time from them. */
#include "vm/machine.h"

#include "tests/support.h"

#include <gmp.h>

#define NS 1000000000ul
#define PPM 1000000ul
#define PAGE_GPA 0x1000

static const uint64_t host_starts[] = { 0, 1ull << 48, 1ull << 63, -(1ull << 40) };
static const uint64_t host_frequencies[] = { 1000000, 1000000000, 2399998311, 3504000000, 4999999937, 1ull << 37 };
static const struct line_multiplier none = { 0, 0 }, vmx = { 48, 65536 }, svm = { 32, 256 };
static const struct rate rates[] = {
	{ 1, 1 }, { 1, 1000000 }, { 1000000, 1 }, { 1, 3 }, { 5, 2 }, { 1000, 1 }, { 65535, 1 }, { 65536, 1 }, { 255, 1 }, { 256, 1 }, { 767, 1 },
	{ 999999999999999, 1000000000000000 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A machine, and the TSC part of its processor. */
struct setup {
	struct machine machine;
	struct vcpu_tsc tsc; /* as the engine was told */
	unsigned frac_bits;
	_Alignas(16) uint8_t memory[8192];
	struct guest_ram ram;
};

static struct setup one, other;
static uint64_t seed, raw_tsc; /* the host's own TSC */
static mpz_t wide, num, den;

/* vm/trace_machine.c has it; there is no trace here. */
void machine_trace_line(struct machine *machine)
{
	(void)machine;
}

static struct setup *setup_of(const struct vcpu *vcpu)
{
	return vcpu->engine;
}

static void set_tsc(struct vcpu *vcpu, const struct vcpu_tsc *tsc)
{
	struct setup *setup = setup_of(vcpu);

	assert_true(setup->frac_bits || tsc->mult == 1 || tsc->exits);
	setup->tsc = *tsc;
}

static const struct virt_ops ops = { .set_tsc = set_tsc };

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	struct setup *setup = context;

	return gpa <= sizeof setup->memory - bytes ? setup->memory + gpa : NULL;
}

/* What RDTSC shows in the guest where it does not exit: the manuals' formula on numbers without bounds. */
static uint64_t hardware_tsc(const struct setup *setup)
{
	assert_false(setup->tsc.exits);
	mpz_set_ui(wide, raw_tsc);
	mpz_mul_ui(wide, wide, setup->tsc.mult);
	mpz_fdiv_q_2exp(wide, wide, setup->frac_bits);
	mpz_add_ui(wide, wide, setup->tsc.offset);
	return mpz_get_ui(wide); /* the lowest 64 bits */
}

/* What it shows by either way. */
static uint64_t guest_tsc(const struct setup *setup)
{
	return setup->tsc.exits ? machine_guest_tsc(&setup->machine) : hardware_tsc(setup);
}

static uint64_t random_bits(unsigned most)
{
	unsigned bits = 1 + (unsigned)(random_next(&seed) % most);

	return random_next(&seed) >> (64 - bits);
}

static struct rate random_rate(void)
{
	struct rate rate;

	if (random_next(&seed) % 2)
		return rates[random_next(&seed) % COUNT(rates)];
	do
		rate = (struct rate){ 1 + random_bits(49), random_bits(50) };
	while (!rate_reduce(&rate));
	return rate;
}

static void power_on(struct setup *setup, enum tsc_delivery delivery, struct line_multiplier multiplier, uint64_t host_hz, struct rate rate)
{
	memset(setup, 0, sizeof *setup);
	setup->frac_bits = multiplier.frac_bits;
	setup->ram = (struct guest_ram){ setup, span };
	setup->machine.ops = &ops;
	setup->machine.vcpu.engine = setup;
	setup->machine.features.multiplier = multiplier;
	setup->machine.settings.tsc = delivery;
	setup->machine.rate = rate;
	pvclock_init(&setup->machine.pvclock, &setup->ram, 0);
	machine_start_line(&setup->machine, host_hz, raw_tsc);
	assert_true(setup->machine.now_ns == 0);
	assert_true(setup->machine.line.frac_bits == multiplier.frac_bits || !setup->machine.line.hardware || !multiplier.frac_bits);
}

/* As the run loop takes over the host's clock, and renews the stamp at a poll. */
static void take_now(struct setup *setup)
{
	struct machine *machine = &setup->machine;
	uint64_t host_tsc = raw_tsc - machine->base_tsc;

	if (host_tsc < machine->host_tsc) {
		line_wrapped(&machine->line);
		machine_update_tsc(machine);
	}
	machine_set_now(machine, host_tsc);
}

static void write_tsc(struct setup *setup, uint64_t value)
{
	machine_move_tsc(&setup->machine, setup->machine.tsc_adjust + value - machine_guest_tsc(&setup->machine));
}

/* Whether RDTSC need not exit: the multiplier takes the asked ratio, which is below its limit when rounded and has an error of 1 ppm at the
 * most; or, without a multiplier, the ratio is 1 when rounded to 48 bits. */
static bool multiplier_takes(struct line_multiplier multiplier, uint64_t host_hz, struct rate rate)
{
	unsigned frac_bits = multiplier.frac_bits ? multiplier.frac_bits : 48;
	uint64_t mult;

	mpz_set_ui(num, rate.num);
	mpz_mul_ui(num, num, NS);
	mpz_mul_2exp(num, num, frac_bits);
	mpz_set_ui(den, rate.den);
	mpz_mul_ui(den, den, host_hz);
	mpz_mul_2exp(wide, num, 1);
	mpz_add(wide, wide, den);
	mpz_fdiv_q(wide, wide, den);
	mpz_fdiv_q_2exp(wide, wide, 1);
	if (mpz_sizeinbase(wide, 2) > 64)
		return false;
	mult = mpz_get_ui(wide);
	mpz_mul(wide, wide, den);
	mpz_sub(wide, wide, num);
	mpz_abs(wide, wide);
	mpz_mul_ui(wide, wide, PPM);
	return multiplier.frac_bits ? mult >> frac_bits < multiplier.ratio_limit && mpz_cmp(wide, num) <= 0 : mult == 1ull << frac_bits;
}

static void expect_one_clock(void)
{
	uint64_t scaled = guest_tsc(&one), trapped = guest_tsc(&other);

	assert_true(one.machine.now_ns == other.machine.now_ns);
	assert_true(scaled == trapped);
	assert_true(scaled == one.machine.now_ns + one.machine.tsc_adjust);
	assert_true(other.tsc.exits);
}

static void change_both(struct line_multiplier multiplier, uint64_t host_hz)
{
	struct rate rate = random_rate();
	uint64_t value = random_next(&seed);

	switch (random_next(&seed) % 3) {
	case 0:
		write_tsc(&one, value);
		write_tsc(&other, value);
		assert_true(guest_tsc(&one) == value);
		return;
	default:
		machine_bend(&one.machine, rate);
		machine_bend(&other.machine, rate);
		assert_int_equal(one.tsc.exits, !multiplier_takes(multiplier, host_hz, rate));
	}
}

static void test_scale_and_trap_agree(void **state)
{
	const struct line_multiplier multipliers[] = { vmx, svm, none };
	unsigned long scaled = 0, trapped = 0;

	(void)state;
	for (unsigned long i = share(200000); i; i--) {
		struct line_multiplier multiplier = multipliers[i % COUNT(multipliers)];
		uint64_t host_hz = host_frequencies[random_next(&seed) % COUNT(host_frequencies)];
		struct rate rate = random_rate();

		raw_tsc = host_starts[random_next(&seed) % COUNT(host_starts)] + random_bits(30);
		power_on(&one, i & 1 ? TSC_SCALE : TSC_AUTO, multiplier, host_hz, rate);
		power_on(&other, TSC_TRAP, multiplier, host_hz, rate);
		assert_int_equal(one.tsc.exits, !multiplier_takes(multiplier, host_hz, rate));
		for (unsigned step = 0; step < 12; step++) {
			expect_one_clock();
			change_both(multiplier, host_hz);
			expect_one_clock();
			scaled += !one.tsc.exits;
			trapped += one.tsc.exits;
			raw_tsc += random_bits(step % 4 ? 34 : 41);
			take_now(&one);
			take_now(&other);
		}
	}
	assert_true(scaled > share(200000) && trapped > share(200000));
}

/* The control: with one more fraction bit, or the base that only machines without a multiplier have, the two are two clocks. */
static void test_another_formula_is_another_clock(void **state)
{
	(void)state;
	raw_tsc = 1ull << 48 | 12345;
	power_on(&one, TSC_SCALE, svm, 3000000000, (struct rate){ 7, 1 });
	raw_tsc += 1000000007;
	take_now(&one);
	assert_true(guest_tsc(&one) == one.machine.now_ns);
	one.tsc.mult++;
	assert_true(guest_tsc(&one) != one.machine.now_ns);
	one.tsc.mult--;
	raw_tsc++;
	assert_true(guest_tsc(&one) != one.machine.now_ns);
}

/* The highest whole rate that `rate` shows: there RDTSC does not exit, one further it does. */
static void test_highest_without_trapping(void **state)
{
	const struct line_multiplier multipliers[] = { vmx, svm };

	(void)state;
	for (size_t i = 0; i < COUNT(host_frequencies) * COUNT(multipliers); i++) {
		uint64_t host_hz = host_frequencies[i / COUNT(multipliers)], limit;

		raw_tsc = 777;
		power_on(&one, TSC_SCALE, multipliers[i % COUNT(multipliers)], host_hz, (struct rate){ 1, 1 });
		limit = line_untrapped_limit(&one.machine.line);
		machine_bend(&one.machine, (struct rate){ limit, 1 });
		assert_int_equal(one.tsc.exits, !limit); /* at rate 0 nothing is scaled */
		machine_bend(&one.machine, (struct rate){ limit + 1, 1 });
		assert_true(limit == 1000000 || one.tsc.exits || (limit + 1) * NS == host_hz);
	}
}

static struct pvclock_time *page(struct setup *setup)
{
	return (struct pvclock_time *)(setup->memory + PAGE_GPA);
}

/* struct pvclock_time by the ABI's formula. */
static uint64_t read_page(struct setup *setup)
{
	const struct pvclock_time *time = page(setup);
	uint64_t ticks = guest_tsc(setup) - time->tsc_timestamp;

	assert_true(ticks < LINE_STAMP_TICKS);
	return time->system_time_ns +
	       pvclock_ns((struct pvclock_factors){ .mul = time->tsc_to_system_mul, .shift = time->tsc_shift }, ticks);
}

static void enable_page(struct setup *setup)
{
	struct pvclock_stamp stamp = machine_stamp(&setup->machine);

	assert_true(pvclock_write_msr(&setup->machine.pvclock, MSR_KVM_SYSTEM_TIME_NEW, PAGE_GPA | 1, &stamp));
}

static void native_step(unsigned step)
{
	struct machine *machine = &one.machine;
	uint64_t before_tsc = guest_tsc(&one), before_ns = machine->now_ns, value = random_next(&seed);
	uint64_t host_ticks = random_bits(29); /* polls come more often */

	raw_tsc += host_ticks;
	take_now(&one);
	assert_true(guest_tsc(&one) - before_tsc == host_ticks);
	assert_true(guest_tsc(&one) == machine_guest_tsc(machine));
	assert_true(read_page(&one) == machine->now_ns);
	assert_true(machine->now_ns >= before_ns);
	before_ns = machine->now_ns;
	machine_renew_stamp(machine);
	assert_true(machine->now_ns - before_ns <= 1);
	if (step % 8 == 0)
		machine_bend(machine, random_rate());
	if (step % 16 == 1) {
		write_tsc(&one, value);
		assert_true(guest_tsc(&one) == value);
	}
	assert_false(one.tsc.exits);
	assert_true(read_page(&one) == machine->now_ns);
}

static void test_native(void **state)
{
	const struct line_multiplier multipliers[] = { vmx, svm, none };
	uint32_t version;

	(void)state;
	for (unsigned long i = share(100000); i; i--) {
		raw_tsc = host_starts[random_next(&seed) % COUNT(host_starts)] + random_bits(30);
		power_on(&one, TSC_NATIVE, multipliers[i % COUNT(multipliers)],
			 host_frequencies[random_next(&seed) % COUNT(host_frequencies)], random_rate());
		assert_true(guest_tsc(&one) == 0);
		enable_page(&one);
		version = page(&one)->version;
		for (unsigned step = 0; step < 64; step++)
			native_step(step);
		assert_true(page(&one)->version > version + 2 * 8);
	}
}

/* The control: without renewal the stamp becomes too old. */
static void test_a_stamp_ages(void **state)
{
	(void)state;
	raw_tsc = 1;
	power_on(&one, TSC_NATIVE, none, 3000000000, (struct rate){ 1, 1 });
	enable_page(&one);
	raw_tsc += LINE_STAMP_TICKS / 2 - 1;
	take_now(&one);
	machine_renew_stamp(&one.machine);
	assert_true(page(&one)->tsc_timestamp == 0);
	raw_tsc += 1;
	take_now(&one);
	machine_renew_stamp(&one.machine);
	assert_true(page(&one)->tsc_timestamp == LINE_STAMP_TICKS / 2);
}

/* The page of the other ways is right for ever: neither a bend nor a poll writes it. */
static void test_other_pages_stay(void **state)
{
	uint32_t version;

	(void)state;
	raw_tsc = 1ull << 50;
	power_on(&one, TSC_SCALE, vmx, 3000000000, (struct rate){ 1, 1 });
	enable_page(&one);
	version = page(&one)->version;
	for (unsigned i = 0; i < 100; i++) {
		raw_tsc += 1000000;
		take_now(&one);
		machine_bend(&one.machine, random_rate());
		assert_true(page(&one)->system_time_ns + pvclock_ns(PVCLOCK_ONE_GHZ, guest_tsc(&one) - page(&one)->tsc_timestamp) ==
			    one.machine.now_ns);
	}
	assert_int_equal(page(&one)->version, version);
}

static int set_up(void **state)
{
	(void)state;
	seed = 20250707;
	mpz_inits(wide, num, den, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mpz_clears(wide, num, den, NULL);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scale_and_trap_agree),
		TEST(test_another_formula_is_another_clock),
		TEST(test_highest_without_trapping),
		TEST(test_native),
		TEST(test_a_stamp_ages),
		TEST(test_other_pages_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
