/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The reference counters. A counter is caught at an edge: it still had the old value in one read and has the
 * new one in the next, so the edge lies between the TSC before the first and the TSC after the second. The
 * tightest of a few edges is taken, as an SMI or a busy test bed may lie within one. */
#include "host/calibrate.h"

#include "base/mem.h"
#include "host/apic.h"
#include "host/cpu.h"
#include "host/memory.h"
#include "host/message.h"

#define EDGES 8u
#define EDGE_READS 1000u /* no counter of these is slower than that many reads a tick */
#define PM_TIMER_HZ 3579545u
#define PIT_HZ 1193182u
#define PIT_COUNT 23864u /* 20 ms */
#define PIT_LIMIT_TSC (1ull << 33)
#define ENOUGH_PPB 4000u
#define ROUNDS 4u        /* the span doubles with each: 20, 40, 80, 160 ms */

#define HPET_CAPABILITIES 0x00u
#define HPET_CONFIGURATION 0x10u
#define HPET_COUNTER 0xf0u
#define HPET_ENABLE 1u
#define HPET_PERIOD_MAX_FS 100000000u

struct counter {
	const char *name;
	uint64_t hz;
	uint32_t mask;
	uint32_t (*read)(const struct counter *counter);
	volatile uint8_t *registers; /* HPET */
	uint16_t port;               /* PM timer */
};

struct edge {
	struct moment when;
	uint32_t count;
};

static uint32_t read_hpet(const struct counter *c)
{
	return *(volatile uint32_t *)(c->registers + HPET_COUNTER);
}

static uint32_t read_pm_timer(const struct counter *c)
{
	return in32(c->port);
}

/* False: no HPET, or one whose period cannot be. Its counter is left running, without interrupts. */
static bool open_hpet(struct counter *c, const struct acpi_machine *acpi)
{
	volatile uint32_t *configuration;
	uint32_t period_fs;

	if (!acpi->hpet_hpa)
		return false;
	*c = (struct counter){ .name = "HPET", .mask = UINT32_MAX, .read = read_hpet };
	c->registers = host_map_mmio(acpi->hpet_hpa, 1024);
	period_fs = *(volatile uint32_t *)(c->registers + HPET_CAPABILITIES + 4);
	if (!period_fs || period_fs > HPET_PERIOD_MAX_FS)
		return false;
	c->hz = (1000000000000000ull + period_fs / 2) / period_fs;
	configuration = (volatile uint32_t *)(c->registers + HPET_CONFIGURATION);
	*configuration = HPET_ENABLE;
	return true;
}

static bool open_pm_timer(struct counter *c, const struct acpi_machine *acpi)
{
	*c = (struct counter){ .name = "PM timer", .hz = PM_TIMER_HZ, .mask = 0xffffff, .read = read_pm_timer };
	c->port = acpi->pm_timer_port;
	return c->port;
}

/* False: the counter stands still. */
static bool catch_edge(const struct counter *c, struct edge *edge)
{
	uint64_t before = rdtsc_ordered(), next;
	uint32_t old = c->read(c) & c->mask;

	for (unsigned i = 0; i < EDGE_READS; i++) {
		next = rdtsc_ordered();
		edge->count = c->read(c) & c->mask;
		if (edge->count != old) {
			edge->when = (struct moment){ before, rdtsc_ordered() };
			return true;
		}
		before = next;
	}
	return false;
}

static bool catch_best_edge(const struct counter *c, struct edge *best)
{
	struct edge edge;

	for (unsigned i = 0; i < EDGES; i++) {
		if (!catch_edge(c, &edge))
			return false;
		if (!i || edge.when.after - edge.when.before < best->when.after - best->when.before)
			*best = edge;
	}
	return true;
}

/* The PIT's channel 2 as a stop watch: mode 0, its output rises PIT_COUNT + 1 clocks after the count was
 * written (8254 data sheet, mode 0), give or take the clock in which that was. Port 61h: bit 0 gate, bit 1
 * loudspeaker, bit 5 output. False: it does not count. */
static bool wait_for_pit(struct hz_interval *hz)
{
	struct moment start, end;
	uint64_t next;

	out8(0x61, (uint8_t)((in8(0x61) & ~3u) | 1u));
	out8(0x43, 0xb0);
	out8(0x42, PIT_COUNT & 0xff);
	start.before = rdtsc_ordered();
	out8(0x42, PIT_COUNT >> 8);
	start.after = rdtsc_ordered();
	next = start.after;
	if (in8(0x61) & 0x20)
		return false; /* high already: nothing counts there */
	do {
		end.before = next; /* before a read in which the output was still low */
		next = rdtsc_ordered();
		if (next - start.before > PIT_LIMIT_TSC)
			return false;
	} while (!(in8(0x61) & 0x20));
	end.after = rdtsc_ordered();
	*hz = calibrate_interval(start, end, PIT_COUNT - 1, PIT_COUNT + 2, PIT_HZ);
	return true;
}

/* The local APIC's count, and the TSC around it. */
static struct edge sample_lapic(void)
{
	struct edge best = { 0 }, edge;

	for (unsigned i = 0; i < EDGES; i++) {
		edge.when.before = rdtsc_ordered();
		edge.count = lapic_read(APIC_TIMER_CURRENT);
		edge.when.after = rdtsc_ordered();
		if (!i || edge.when.after - edge.when.before < best.when.after - best.when.before)
			best = edge;
	}
	return best;
}

static void start_lapic(void)
{
	lapic_write(APIC_TIMER_DIVIDE, 0x0b); /* by 1 */
	lapic_write(APIC_TIMER_INITIAL, UINT32_MAX);
}

/* The APIC's timer takes the role of the fast counter's reference: ticks of it per second = ticks * tsc_hz /
 * TSC ticks. */
static uint64_t lapic_hz(const struct edge *start, const struct edge *end, uint64_t tsc_hz)
{
	uint64_t ticks = start->count - end->count;
	uint64_t least = end->when.before - start->when.after, most = end->when.after - start->when.before;
	struct moment first = { 1, 1 }, last = { ticks, ticks + 2 };

	return calibrate_pick(calibrate_interval(first, last, least, most, tsc_hz));
}

struct run {
	struct counter counters[2];
	struct edge starts[2];
	size_t count;
	struct hz_interval pit;
	bool has_pit;
};

static void add_source(struct calibration *c, const char *name, struct hz_interval hz)
{
	c->sources[c->source_count++] = (struct calibrate_source){ name, hz };
}

static void gather(struct calibration *calibration, const struct run *run)
{
	struct edge end;

	calibration->source_count = 0;
	for (size_t i = 0; i < run->count; i++) {
		const struct counter *c = &run->counters[i];
		const struct edge *start = &run->starts[i];
		uint64_t ticks;

		if (!catch_best_edge(c, &end))
			continue;
		ticks = (end.count - start->count) & c->mask;
		add_source(calibration, c->name, calibrate_interval(start->when, end.when, ticks, ticks, c->hz));
	}
	if (run->has_pit)
		add_source(calibration, "PIT", run->pit);
}

static void start_counter(struct run *run, bool opened)
{
	if (opened && catch_best_edge(&run->counters[run->count], &run->starts[run->count]))
		run->count++;
}

/* Without a PIT the first span is ended by 2^25 TSC ticks: some 10 ms, whatever the processor. */
static void wait_span(uint64_t span_tsc)
{
	uint64_t start = rdtsc_ordered();

	while (rdtsc_ordered() - start < span_tsc)
		cpu_pause();
}

void calibrate_machine(struct calibration *calibration, const struct acpi_machine *acpi)
{
	struct run run = { .count = 0 };
	struct refusal why = { 0 };
	struct hz_interval best;
	struct edge lapic_start, lapic_end;
	uint64_t start = rdtsc_ordered();

	start_lapic();
	lapic_start = sample_lapic();
	start_counter(&run, open_hpet(&run.counters[run.count], acpi));
	start_counter(&run, open_pm_timer(&run.counters[run.count], acpi));
	run.has_pit = wait_for_pit(&run.pit);
	if (!run.has_pit)
		wait_span(1ull << 25);
	for (unsigned round = 0;; round++) {
		gather(calibration, &run);
		if (!calibrate_agree(calibration->sources, calibration->source_count, &best, &why))
			message_refusal(&why);
		calibration->width_ppb = calibrate_width_ppb(best);
		if (calibration->width_ppb <= ENOUGH_PPB || !run.count || round == ROUNDS - 1)
			break;
		wait_span(rdtsc_ordered() - start);
	}
	lapic_end = sample_lapic();
	lapic_write(APIC_TIMER_INITIAL, 0);
	calibration->tsc_hz = calibrate_pick(best);
	calibration->lapic_hz = lapic_hz(&lapic_start, &lapic_end, calibration->tsc_hz);
}
