/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any two clocks agree to one tick of the coarser one, at any rate and through any sequence of rates, and none goes backward.
 *
 * Two clocks A and B are read in rounds A1, B, A2. A clock that shows the count n shows some time from n ticks to less than n + 1 ticks after its own
 * zero. Let o be B's zero less A's. B was read between the other two:
 *     A1 <= o + B + 1 tick of B    and    o + B <= A2 + 1 tick of A,    where equality does not occur,
 * so each round says: o lies in an open interval. That is the claim "A1 - 1 tick <= B <= A2 + 1 tick", with the finer clock's tick where the coarser's
 * is not needed. The two clocks agree if one o lies in the intervals of all rounds of the whole run; there is no other allowance. Where
 * both have counted since guest time 0, that o is 0. Intervals are exact: their unit is the largest of which both ticks are multiples. Counts times
 * weights are taken modulo 2^64, as their difference is far below.
 *
 * The slope of B against A: the o that the first part of the run allows, and the last part's, differ by at most one tick of the coarser clock; how
 * much they may differ at all, as far as these readings tell, is in the report.
 *
 * The RTC has one tick a second. So its rounds are read around the ends of seconds, too.
 *
 * how=walk: while the rate changes at random moments (test build). how=controls: each clock is made 10 ppm too fast, and stepped back by
 * 1 ns, and the same measurement must see it (test build, tsc=trap). control=1: the PM timer is 10 ppm too fast throughout.
 * reference=pvclock: the TSC is the host's (tsc=native), and no clock; nor is there Hyper-V's page, which would scale it. */
#include "guest-tests/lib/clock_set.h"
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/test_hooks.h"

#define ROUNDS 100000u
#define EDGES 20u
#define WALK_ROUNDS 8u
#define WALK_CHANGES 10000u
#define WALK_LEAST 500u
#define WALK_BITS 22u
#define CYCLES_BEFORE_EDGE 4u
#define HALT_TICKS_MOST 60000u
#define CONTROL_PPM 10
#define CONTROL_SPANS 3u
#define CONTROL_ROUNDS 100u
#define STEP_READS 200000u

const char test_name[] = "clocks";

/* What rounds allow for the offset: low < o < high, in units. */
struct allowed {
	int64_t low, high;
};

struct pair {
	struct allowed all, first, last;
	uint32_t rounds;
};

static volatile bool woken;
static const struct allowed anything = { INT64_MIN, INT64_MAX };
static struct pair pairs[CLOCK_COUNT][CLOCK_COUNT];
static enum { FIRST_PART, MIDDLE_PART, LAST_PART } part;
static uint32_t unproven; /* rounds that took a quarter of a turn or more */

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A tick of each clock in units of the pair. */
static uint32_t tick_of(const struct clock *a, const struct clock *b)
{
	return b->hz / gcd(a->hz, b->hz);
}

/* Units of a pair in ns, rounded towards 0. */
static int64_t to_ns(const struct clock *a, const struct clock *b, int64_t units)
{
	uint64_t per_second = (uint64_t)tick_of(b, a) * b->hz, magnitude = units < 0 ? -(uint64_t)units : (uint64_t)units, ns;

	ns = per_second >= NS_PER_SECOND ? magnitude / (per_second / NS_PER_SECOND) : magnitude * NS_PER_SECOND / per_second;
	return units < 0 ? -(int64_t)ns : (int64_t)ns;
}

static void narrow(struct allowed *allowed, int64_t low, int64_t high)
{
	if (low > allowed->low)
		allowed->low = low;
	if (high < allowed->high)
		allowed->high = high;
}

static void note_round(struct pair *pair, int64_t low, int64_t high)
{
	narrow(&pair->all, low, high);
	if (part == FIRST_PART)
		narrow(&pair->first, low, high);
	if (part == LAST_PART)
		narrow(&pair->last, low, high);
	pair->rounds++;
}

static void take_round(struct clock *a, struct clock *b, uint64_t ref_ns)
{
	uint64_t tick_a = tick_of(a, b), tick_b = tick_of(b, a), raw_a1, raw_b = 0, raw_a2, a1;

	raw_a1 = a->read();
	if (b->capture)
		b->capture();
	else
		raw_b = b->read();
	raw_a2 = a->read();
	if (b->capture)
		raw_b = b->read();
	clock_note(a, raw_a1, ref_ns);
	a1 = a->count;
	clock_note(b, raw_b, ref_ns);
	clock_note(a, raw_a2, ref_ns);
	note_round(&pairs[a - clock_set][b - clock_set], (int64_t)(a1 * tick_a - (b->count + 1) * tick_b),
		   (int64_t)((a->count + 1) * tick_a - b->count * tick_b));
}

static void take_rounds(struct clock *a, struct clock *b, uint32_t count)
{
	uint64_t limit_ns = a->quarter_ns < b->quarter_ns ? a->quarter_ns : b->quarter_ns, ref_ns = clock_reference_ns(), next_ns;

	for (; count; count--, ref_ns = next_ns) {
		take_round(a, b, ref_ns);
		next_ns = clock_reference_ns();
		unproven += next_ns - ref_ns >= limit_ns;
	}
}

/* Calls the action for all pairs, or for all that the one clock is in. */
static void each_pair(struct clock *only, void (*action)(struct clock *a, struct clock *b, uint32_t argument), uint32_t argument)
{
	for (struct clock *a = clock_set; a < clock_set + CLOCK_COUNT; a++)
		for (struct clock *b = a + 1; b < clock_set + CLOCK_COUNT; b++)
			if (a->there && b->there && (!only || a == only || b == only))
				action(a, b, argument);
}

static void forget_pair(struct clock *a, struct clock *b, uint32_t argument)
{
	(void)argument;
	pairs[a - clock_set][b - clock_set] = (struct pair){ anything, anything, anything, 0 };
}

static void forget(void)
{
	unproven = 0;
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++)
		clock->reads = clock->backward = 0;
	each_pair(0, forget_pair, 0);
}

static void wake(void)
{
	woken = true;
}

/* Halts until the reference shows until_ns, by the PIT's channel 0; sleep_us goes by the TSC, which may be the host's. */
static void halt_until(uint64_t until_ns)
{
	uint64_t now_ns, ticks;

	irq_mask(0, true);
	pit_program(0, PIT_BOTH, 0, false, 0);
	irq_handlers[0] = wake;
	irq_mask(0, false);
	while ((now_ns = clock_reference_ns()) < until_ns) {
		ticks = ticks_ceil(until_ns - now_ns, PIT_HZ) + 1;
		woken = false;
		pit_program(0, PIT_BOTH, 0, false, (uint16_t)(ticks < HALT_TICKS_MOST ? ticks : HALT_TICKS_MOST));
		while (!woken)
			sti_hlt_cli();
	}
	irq_mask(0, true);
}

/* Rounds of the RTC with each other clock while a second ends: sleeps until shortly before. */
static void read_edge(void)
{
	struct clock *rtc = &clock_set[CLOCK_RTC];
	uint64_t start_ns = clock_reference_ns(), cycle_ns, now_ns, edge_ns, margin_ns;

	if (!rtc->there)
		return;
	each_pair(rtc, take_rounds, 1);
	now_ns = clock_reference_ns();
	cycle_ns = now_ns - start_ns;
	margin_ns = CYCLES_BEFORE_EDGE * cycle_ns + 2 * NS_PER_US;
	edge_ns = ((now_ns + margin_ns) / NS_PER_SECOND + 1) * NS_PER_SECOND;
	halt_until(edge_ns - margin_ns);
	do
		each_pair(rtc, take_rounds, 1);
	while (clock_reference_ns() < edge_ns + cycle_ns);
}

static bool fits(const struct allowed *allowed, bool offset_known)
{
	return allowed->low < allowed->high && (!offset_known || (allowed->low < 0 && allowed->high > 0));
}

static bool slope_is_zero(const struct pair *pair, int64_t tick)
{
	return pair->last.low - pair->first.high <= tick && pair->last.high - pair->first.low >= -tick;
}

static void report_pair(struct clock *a, struct clock *b, uint32_t run_us)
{
	const struct pair *pair = &pairs[a - clock_set][b - clock_set];
	int64_t coarser = a->hz < b->hz ? tick_of(a, b) : tick_of(b, a);
	bool known = a->from_zero && b->from_zero;

	report(pair->rounds && fits(&pair->all, known), "%s and %s agree to one tick of the coarser, %u rounds; %s known to %lld ns", a->name,
	       b->name, pair->rounds, known ? "the same zero," : "their zeros' distance is",
	       to_ns(a, b, pair->all.high) - to_ns(a, b, pair->all.low));
	report(pair->rounds && slope_is_zero(pair, coarser), "slope of %s against %s is 0 within a tick in %u us: from %lld to %lld ns", b->name,
	       a->name, run_us, to_ns(a, b, pair->last.low - pair->first.high), to_ns(a, b, pair->last.high - pair->first.low));
}

static void report_clocks(void)
{
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++)
		if (clock->there)
			report(clock->reads && !clock->backward, "%s is never backward: %u of %u reads", clock->name, clock->backward,
			       clock->reads);
	report(!unproven, "the turns of each counter are known: %u rounds took a quarter of one", unproven);
}

static void report_all(uint64_t run_ns)
{
	each_pair(0, report_pair, (uint32_t)(run_ns / NS_PER_US));
	report_clocks();
}

/* One rate from beginning to end. */
static void steady(void)
{
	uint32_t edges = share(EDGES) > 2 ? share(EDGES) : 2, rounds = share(ROUNDS) / edges + 1;
	uint64_t start_ns = clock_reference_ns();

	for (uint32_t edge = 0; edge < edges; edge++) {
		part = edge == 0 ? FIRST_PART : edge == edges - 1 ? LAST_PART : MIDDLE_PART;
		read_edge();
		each_pair(0, take_rounds, rounds);
	}
	report_all(clock_reference_ns() - start_ns);
}

/* While the rate changes, wherever the guest is. */
static void walk(void)
{
	uint32_t wanted = share(WALK_CHANGES) > WALK_LEAST ? share(WALK_CHANGES) : WALK_LEAST, seen;
	uint64_t start_ns = clock_reference_ns();

	if (!report(hooks_present(), "Foliot is a test build"))
		return;
	hook_walk(wanted, option_number("seed", 1), WALK_BITS);
	do {
		seen = hook_changes();
		part = seen < wanted / 10 ? FIRST_PART : seen >= wanted - wanted / 10 ? LAST_PART : MIDDLE_PART;
		each_pair(0, take_rounds, WALK_ROUNDS);
	} while (seen < wanted);
	hook_rate(1, 1);
	report(true, "%u changes of the rate", seen);
	report_all(clock_reference_ns() - start_ns);
}

/* A clock that is not read by way of the other: what the TSC is wrong by, pvclock and Hyper-V's page are wrong by. */
static struct clock *witness_for(const struct clock *clock)
{
	return &clock_set[clock == &clock_set[CLOCK_PM_TIMER] ? CLOCK_PIT : CLOCK_PM_TIMER];
}

/* For how many seconds it is compared: the RTC's ticks are known less well. */
static uint32_t spans_for(const struct clock *clock)
{
	return clock == &clock_set[CLOCK_RTC] ? 3 * CONTROL_SPANS : CONTROL_SPANS;
}

/* Some rounds each second; whether the two agree. */
static bool agree_for_a_while(struct clock *clock, struct clock *witness)
{
	struct clock *a = clock < witness ? clock : witness, *b = clock < witness ? witness : clock;

	forget();
	for (uint32_t i = 0; i < spans_for(clock); i++) {
		if (clock == &clock_set[CLOCK_RTC])
			read_edge();
		else
			halt_until(clock_reference_ns() + NS_PER_SECOND);
		take_rounds(a, b, CONTROL_ROUNDS);
	}
	return fits(&pairs[a - clock_set][b - clock_set].all, false);
}

static void control_of_rate(struct clock *clock)
{
	struct clock *witness = witness_for(clock);
	bool before = agree_for_a_while(clock, witness), spoiled, after;

	hook_ppm(clock->hook, CONTROL_PPM);
	spoiled = agree_for_a_while(clock, witness);
	hook_ppm(clock->hook, 0);
	after = agree_for_a_while(clock, witness);
	report(before && !spoiled && after, "%s: %d ppm are seen by the %s, in %u s", clock->name, CONTROL_PPM, witness->name, spans_for(clock));
}

/* At a rate at which a ns has room for some reads. A page is rewritten at once, which shows unless the ns ends meanwhile: so it is done again. */
static void control_of_step(struct clock *clock)
{
	uint32_t reads = 0, step_ns = clock == &clock_set[CLOCK_HV_PAGE] ? 100 : 1; /* a page cannot say less than its unit */

	forget();
	hook_rate(1, 10000);
	for (; reads < STEP_READS && !clock->backward; reads++) {
		uint64_t ref_ns = clock_reference_ns();

		if (reads % CONTROL_ROUNDS == CONTROL_ROUNDS - 1)
			hook_step(clock->hook, step_ns);
		if (clock->capture)
			clock->capture();
		clock_note(clock, clock->read(), ref_ns);
	}
	hook_rate(1, 1);
	report(reads >= CONTROL_ROUNDS && clock->backward, "%s: a step back by %u ns is seen, after %u reads", clock->name, step_ns, reads);
}

static void controls(void)
{
	if (!report(hooks_present(), "Foliot is a test build"))
		return;
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++) {
		if (!clock->there)
			continue;
		control_of_rate(clock);
		if (clock != &clock_set[CLOCK_RTC]) /* whose tick is a second */
			control_of_step(clock);
	}
}

void test_main(void)
{
	bool native_tsc = option_is("reference", "pvclock");

	clock_set_start(native_tsc, !option_is("zero", "unknown"));
	for (struct clock *clock = clock_set; clock < clock_set + CLOCK_COUNT; clock++)
		if (!clock->there && !(native_tsc && (clock == &clock_set[CLOCK_TSC] || clock == &clock_set[CLOCK_HV_PAGE])))
			report_skip("there is no %s", clock->name);
	forget();
	if (option_is("how", "controls")) {
		controls();
		return;
	}
	if (option_number("control", 0))
		hook_ppm(HOOK_PMTIMER, CONTROL_PPM);
	if (option_is("how", "walk"))
		walk();
	else
		steady();
}
