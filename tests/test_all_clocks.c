/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All clocks of the machine through 500 guest-years, in two lives of 250, as guest time ends after 292: at 10^6 random instants, with a change of the
 * rate at each, every clock shows exactly what arithmetic without bounds says. The line is worked out from rate and host frequency alone: the
 * ratio to the nearest in the line's fraction bits, floor(host_tsc * mult / 2^bits) + offset, and no jump at a bend. The clocks follow from guest
 * time: TSC g; pvclock g, by page and formula; Hyper-V's page and MSR floor(g * ceil(2^64/100) / 2^64), bit for bit, which is floor(g/100) or, as it
 * gains up to half a unit in 292 years, one more; PM timer floor(g * 3579545 / 10^9) modulo 2^32; HPET floor((g - start) / 10); PIT channel 2 and local
 * APIC timer down from their counts; the RTC's date by the C library's calendar. */
#include "devices/hpet.h"
#include "devices/hyperv.h"
#include "devices/lapic_timer.h"
#include "devices/pit.h"
#include "devices/pmtimer.h"
#include "devices/pvclock.h"

#include "tests/rtc_board.h"

#include <gmp.h>

#define NS 1000000000ull
#define YEAR_NS (31557600ull * NS)
#define LIFE_YEARS 250
#define INSTANTS 500000ul /* of a life */
#define HOST_TICKS_BITS 60 /* what a life may take of the host's TSC */
#define LAPIC_COUNT 0xfffffff1u
#define LAPIC_SHIFT 3
#define PAGE_GPA 0x1000
#define HV_PAGE_GPA 0x2000

static struct pit pit;
static struct pmtimer pmtimer;
static struct hpet hpet;
static struct lapic_timer lapic;
static struct pvclock pvclock;
static struct hyperv hyperv;
static _Alignas(4096) uint8_t memory[3 * 4096];

static uint64_t seed;
static mpz_t wide, num, den, oracle_mult, oracle_offset;
static unsigned oracle_bits;

/* Where the clocks of a life were started. */
static struct {
	uint64_t pit, hpet, lapic;
	int64_t unix_at_zero;
} start;

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	return gpa + bytes <= sizeof memory ? memory + gpa : NULL;
}

static const struct guest_ram ram = { NULL, span };

static void no_raise(void *device, uint64_t now_ns)
{
}

static bool always_masked(void *device)
{
	return true;
}

static const struct tick_ops no_interrupts = { .raise = no_raise, .masked = always_masked };

/* floor(a * b / c) */
static uint64_t times(uint64_t a, uint64_t b, uint64_t c)
{
	mpz_set_ui(wide, a);
	mpz_mul_ui(wide, wide, b);
	mpz_fdiv_q_ui(wide, wide, c);
	return mpz_get_ui(wide); /* the lowest 64 bits */
}

/* The line, without bounds. */

static uint64_t oracle_ns(uint64_t host_tsc)
{
	mpz_mul_ui(wide, oracle_mult, host_tsc);
	mpz_fdiv_q_2exp(wide, wide, oracle_bits);
	mpz_add(wide, wide, oracle_offset);
	assert_true(mpz_sgn(wide) >= 0);
	return mpz_get_ui(wide);
}

/* mult is rate * 10^9 * 2^bits / host_hz to the nearest. */
static void oracle_bend(uint64_t host_tsc, struct rate rate, uint64_t host_hz, unsigned bits)
{
	uint64_t before_ns = oracle_ns(host_tsc);

	mpz_set_ui(num, rate.num);
	mpz_mul_ui(num, num, NS);
	mpz_mul_2exp(num, num, bits + 1);
	mpz_set_ui(den, rate.den);
	mpz_mul_ui(den, den, host_hz);
	mpz_add(num, num, den);
	mpz_mul_2exp(den, den, 1);
	mpz_fdiv_q(oracle_mult, num, den);
	oracle_bits = bits;
	mpz_set_ui(oracle_offset, 0);
	mpz_set_ui(num, before_ns);
	oracle_ns(host_tsc);
	mpz_sub(oracle_offset, num, wide);
}

/* The clocks. */

static void check_pages(const struct line *line, uint64_t host_tsc, uint64_t ns)
{
	const struct pvclock_time *time = (const void *)(memory + PAGE_GPA);
	const struct hyperv_page *page = (const void *)(memory + HV_PAGE_GPA);
	uint64_t ticks = line_guest_ns(line, host_tsc) - time->tsc_timestamp, units, by_msr;

	assert_true(time->tsc_shift == 1);
	assert_true(times(ticks * 2, time->tsc_to_system_mul, 1ull << 32) + time->system_time_ns == ns);
	mpz_set_ui(wide, ns);
	mpz_mul_ui(wide, wide, page->scale);
	mpz_fdiv_q_2exp(wide, wide, 64);
	units = mpz_get_ui(wide) + (uint64_t)page->offset;
	assert_true(hyperv_read_msr(&hyperv, HV_X64_MSR_TIME_REF_COUNT, ns, &by_msr));
	assert_true(page->sequence && by_msr == units);
	assert_true(units - ns / 100 <= 1);
}

static uint32_t read_pit(uint64_t ns)
{
	board_out(&board, 0x43, 0x80, ns);
	uint32_t low = board_in(&board, 0x42, ns);

	return low | (uint32_t)board_in(&board, 0x42, ns) << 8;
}

static void check_chips(uint64_t ns)
{
	uint64_t lapic_passed = (ns - start.lapic) >> LAPIC_SHIFT;

	assert_int_equal(bus_read_port(&board.bus, PM_TMR_PORT, 4, ns), (uint32_t)times(ns, PM_TMR_HZ, NS));
	assert_int_equal(read_pit(ns), (uint16_t)-times(ns - start.pit, PIT_HZ, NS));
	assert_true(bus_read_mmio(&board.bus, HPET_BASE_GPA + 0xf0, 8, ns) == (ns - start.hpet) / 10);
	assert_int_equal(lapic_timer_current(&lapic, ns), LAPIC_COUNT - lapic_passed % LAPIC_COUNT);
	assert_true(read_time(ns) == start.unix_at_zero + (int64_t)(ns / NS));
}

static void check(const struct line *line, uint64_t host_tsc)
{
	uint64_t ns = oracle_ns(host_tsc);

	assert_true(line_guest_ns(line, host_tsc) == ns);
	check_pages(line, host_tsc, ns);
	check_chips(ns);
}

/* A life. */

static void build(void)
{
	const struct hpet_shape shape = { 3, 0, 100000000 };
	struct machine_requests requests;

	start.unix_at_zero = (int64_t)(random_next(&seed) % 4000000000u);
	power_on(start.unix_at_zero);
	requests = board_requests(&board);
	pit_init(&pit, &board.bus, &board.router, &board.queue);
	pmtimer_init(&pmtimer, &board.bus, &board.router, &board.queue, &requests);
	hpet_init(&hpet, &board.bus, &board.router, &board.queue, &shape);
	lapic_timer_init(&lapic, &board.queue, &no_interrupts, NULL);
	pvclock_init(&pvclock, &ram, 0);
	hyperv_init(&hyperv, &ram, HV_ACCESS_REFERENCE_COUNTER | HV_ACCESS_REFERENCE_TSC);
}

/* Each at a time of its own. */
static void start_clocks(const struct line *line, uint64_t host_tsc)
{
	uint64_t ns = line_guest_ns(line, host_tsc);
	struct pvclock_stamp stamp = pvclock_stamp_of(line, host_tsc, 0);

	start.pit = ns;
	board_out(&board, 0x61, 1, ns);
	board_out(&board, 0x43, 0xb4, ns);
	board_out(&board, 0x42, 0, ns);
	board_out(&board, 0x42, 0, ns);
	start.hpet = ns + 7;
	bus_write_mmio(&board.bus, HPET_BASE_GPA + 0x10, 1, 4, start.hpet);
	start.lapic = ns + 13;
	lapic_timer_set_mode(&lapic, LAPIC_PERIODIC, start.lapic);
	lapic_timer_set_divide(&lapic, 2, start.lapic); /* by 8 */
	lapic_timer_set_initial(&lapic, LAPIC_COUNT, start.lapic);
	assert_true(pvclock_write_msr(&pvclock, MSR_KVM_SYSTEM_TIME_NEW, PAGE_GPA | 1, &stamp));
	assert_true(hyperv_write_msr(&hyperv, HV_X64_MSR_REFERENCE_TSC, HV_PAGE_GPA | HV_PAGE_ENABLE));
}

/* Mostly from 1/1000 to 1000, each magnitude as often as any other; now and then any that there is. */
static struct rate random_rate(void)
{
	unsigned bits = random_next(&seed) % 16 ? 10 : 19;
	struct rate rate;

	do {
		rate.num = 1 + (random_next(&seed) & ((1ull << random_next(&seed) % (bits + 1)) - 1));
		rate.den = 1 + (random_next(&seed) & ((1ull << random_next(&seed) % (bits + 1)) - 1));
	} while (!rate_reduce(&rate));
	return rate;
}

/* How many host ticks this stretch lasts: for so many guest ns on the average, but no more than there is room for. */
static uint64_t random_stretch(const struct line *line, uint64_t mean_ns, uint64_t most_ticks)
{
	uint64_t stretch_ns = random_next(&seed) % (2 * mean_ns), ticks;

	if (random_next(&seed) % 8 == 0)
		stretch_ns >>= random_next(&seed) % 40;
	ticks = times(stretch_ns, line->rate.den, line->rate.num);
	return ticks < most_ticks ? ticks : random_next(&seed) % most_ticks;
}

static void live(uint64_t host_hz, struct line_multiplier multiplier)
{
	unsigned long instants = share(INSTANTS), count = 0;
	uint64_t most_ticks = (1ull << HOST_TICKS_BITS) / instants / 2, mean_ns = LIFE_YEARS * YEAR_NS / instants;
	uint64_t host_tsc = random_next(&seed) >> 3;
	struct line line;

	build();
	line_init(&line, host_hz, multiplier, host_tsc, (struct rate){ 1, 1 });
	mpz_set_ui(oracle_mult, 0);
	mpz_set_ui(oracle_offset, 0);
	oracle_bend(host_tsc, (struct rate){ 1, 1 }, host_hz, line.frac_bits);
	start_clocks(&line, host_tsc + random_next(&seed) % host_hz);
	host_tsc += 2 * host_hz;
	for (; count < instants || line_guest_ns(&line, host_tsc) < LIFE_YEARS * YEAR_NS; count++) {
		struct rate rate = random_rate();

		check(&line, host_tsc);
		line_bend(&line, host_tsc, rate);
		oracle_bend(host_tsc, rate, host_hz, line.frac_bits);
		check(&line, host_tsc);
		if (line_guest_ns(&line, host_tsc) < (LIFE_YEARS + 20) * YEAR_NS)
			host_tsc += random_stretch(&line, mean_ns, most_ticks) * (host_hz / NS);
	}
	assert_true(line_guest_ns(&line, host_tsc) < GUEST_TIME_END);
	printf("%lu instants, %lu years\n", count, (unsigned long)(line_guest_ns(&line, host_tsc) / YEAR_NS));
}

static void every_clock_is_exact_for_250_years_by_a_multiplier(void **state)
{
	seed = 1;
	live(3504000000, (struct line_multiplier){ 48, 65536 });
}

static void every_clock_is_exact_for_250_more_years_by_software(void **state)
{
	seed = 2;
	live(1000000007, (struct line_multiplier){ 0, 0 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_clock_is_exact_for_250_years_by_a_multiplier),
		cmocka_unit_test(every_clock_is_exact_for_250_more_years_by_software),
	};

	mpz_inits(wide, num, den, oracle_mult, oracle_offset, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
