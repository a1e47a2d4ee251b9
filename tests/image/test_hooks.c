/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hooks of a test build. Through ports 5F0h to 5FFh, 32 bits each, a guest changes the rate at once, after a time, or at thousands of random
 * moments, and makes a clock wrong: so many ppm off, or back by so many ns, once, at the first moment in which that shows. Such a clock's chip gets
 * another now_ns from its bus; the line and all other clocks know nothing of it. Wrong clocks are for reading: the chips' own
 * deadlines stay where they were. */
#include "vm/test_hooks.h"

#include "base/assert.h"
#include "base/mem.h"
#include "host/bed_clock.h"
#include "timekeeping/arith.h"
#include "vm/machine.h"
#include "vm/quantity.h"

#define PORT_FIRST 0x5f0
#define PORT_A 0x5f0       /* reads: how many changes of the rate there have been */
#define PORT_B 0x5f4       /* the bed's own clock in ns, now: the low half */
#define PORT_C 0x5f8       /* the high half of what B gave */
#define PORT_COMMAND 0x5fc /* reads: MAGIC */
#define PORT_LAST 0x5ff
#define MAGIC 0x54534554   /* "TEST" */

#define HPET_GPA 0xfed00000ull
#define LAPIC_GPA 0xfee00000ull

#define HYPERV_UNIT_NS 100ull

#define PPM 1000000ull
#define PPM_MOST 500000
#define RATE_MOST 1000ull  /* of a walk; its inverse is the least */
#define STRETCH_LEAST_BITS 8

enum command {
	COMMAND_RATE = 1,       /* A/B from now on */
	COMMAND_RATE_AFTER = 2, /* A/B when C ns of guest time are over */
	COMMAND_WALK = 3,       /* A random changes, seeded with B, each stretch from 2^8 to 2^C ns of host time */
	COMMAND_PPM = 4,        /* clock A goes B ppm too fast, or, where B is negative, too slow; from now on */
	COMMAND_STEP = 5,       /* clock A steps back by B ns, once */
};

struct spoil {
	int64_t ppm;
	uint64_t since_ns;   /* from where on it is off */
	uint64_t gained_ns;  /* what it was off there, by earlier ppm */
	uint64_t step_ns;    /* the step that waits for its moment; 0: none does */
	uint64_t stepped_ns; /* the steps that were made */
	uint64_t last_ns;    /* what it would have shown when it was last read, in ns */
};

/* What stands in front of a chip. */
struct port_front {
	enum test_clock clock;
	struct port_range inner;
};

struct mmio_front {
	enum test_clock clock;
	struct mmio_range inner;
};

static const char *const names[TEST_CLOCK_COUNT] = {
	[TEST_CLOCK_TSC] = "tsc", [TEST_CLOCK_PVCLOCK] = "pvclock", [TEST_CLOCK_HYPERV_PAGE] = "hyperv-page",
	[TEST_CLOCK_HYPERV_MSR] = "hyperv-msr", [TEST_CLOCK_PIT] = "pit", [TEST_CLOCK_RTC] = "rtc", [TEST_CLOCK_PMTIMER] = "pmtimer",
	[TEST_CLOCK_HPET] = "hpet", [TEST_CLOCK_LAPIC] = "lapic",
};

static struct machine *the_machine;
static struct spoil spoils[TEST_CLOCK_COUNT];
static bool spoiled[TEST_CLOCK_COUNT]; /* something stands in front of it already, or it is to */
static uint32_t registers[3];
static struct event next_change;
static struct rate next_rate;
static uint64_t random_state, walk_left;
static unsigned walk_bits;
static uint32_t changes;

/* What the clock's chip is told for now_ns. */
static uint64_t time_of(const struct spoil *spoil, uint64_t now_ns)
{
	uint64_t off_ns = mul_div_floor(now_ns - spoil->since_ns, (uint64_t)(spoil->ppm < 0 ? -spoil->ppm : spoil->ppm), PPM);

	return now_ns + spoil->gained_ns + (spoil->ppm < 0 ? -off_ns : off_ns) - spoil->stepped_ns;
}

/* A read at now_ns: whether a step back shows now, if it is made before this read. The one before was at the same ns then, and showed a value that was
 * not step_ns older. */
static bool is_moment(const struct spoil *spoil, uint64_t now_ns)
{
	return spoil->step_ns && spoil->last_ns == time_of(spoil, now_ns);
}

static void make_step(struct spoil *spoil)
{
	spoil->stepped_ns += spoil->step_ns;
	spoil->step_ns = 0;
}

static uint64_t note_read(struct spoil *spoil, uint64_t now_ns)
{
	spoil->last_ns = time_of(spoil, now_ns);
	return spoil->last_ns;
}

/* Chips with ports. */

/* What the latched count would be; the counter itself stays as it is. */
static uint16_t count_at(const struct pit_counter *counter, uint64_t now_ns)
{
	struct pit_counter copy = *counter;

	copy.count_latched = false;
	pit_counter_latch_count(&copy, now_ns);
	return copy.latched_count;
}

static bool pit_shows(const struct machine *machine, uint16_t port, uint32_t control, uint64_t now_ns, uint64_t step_ns)
{
	const struct pit_counter *counter = &machine->pit.counters[control >> 6 & 3];

	return port == 0x43 && control >> 6 != 3 && !(control & 0x30) && count_at(counter, now_ns) != count_at(counter, now_ns - step_ns);
}

static uint32_t read_port(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct port_front *front = device;
	const struct port_range *inner = &front->inner;
	struct spoil *spoil = &spoils[front->clock];
	uint64_t at_ns = time_of(spoil, now_ns);

	if (front->clock == TEST_CLOCK_PMTIMER && is_moment(spoil, now_ns) &&
	    inner->read(inner->device, port, bytes, at_ns) != inner->read(inner->device, port, bytes, at_ns - spoil->step_ns))
		make_step(spoil);
	return inner->read(inner->device, port, bytes, front->clock == TEST_CLOCK_PIT ? time_of(spoil, now_ns) : note_read(spoil, now_ns));
}

/* A PIT's count is read when it is latched. */
static void write_port(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	const struct port_front *front = device;
	const struct port_range *inner = &front->inner;
	struct spoil *spoil = &spoils[front->clock];

	if (front->clock == TEST_CLOCK_PIT && is_moment(spoil, now_ns) &&
	    pit_shows(the_machine, port, value, time_of(spoil, now_ns), spoil->step_ns))
		make_step(spoil);
	inner->write(inner->device, port, value, bytes, note_read(spoil, now_ns));
}

static void front_ports(enum test_clock clock, uint16_t first, struct port_front *front)
{
	struct port_handlers handlers = { front, read_port, write_port };

	front->clock = clock;
	bus_interpose(&the_machine->bus, first, &handlers, &front->inner);
}

/* Chips with registers in memory. */

static uint64_t read_mmio(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns)
{
	const struct mmio_front *front = device;
	const struct mmio_range *inner = &front->inner;
	struct spoil *spoil = &spoils[front->clock];
	uint64_t at_ns = time_of(spoil, now_ns);

	if (is_moment(spoil, now_ns) &&
	    inner->read(inner->device, offset, bytes, at_ns) != inner->read(inner->device, offset, bytes, at_ns - spoil->step_ns))
		make_step(spoil);
	return inner->read(inner->device, offset, bytes, note_read(spoil, now_ns));
}

static void write_mmio(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	const struct mmio_front *front = device;
	const struct mmio_range *inner = &front->inner;

	inner->write(inner->device, offset, value, bytes, time_of(&spoils[front->clock], now_ns));
}

/* Where the chip is there. */
static void front_mmio(enum test_clock clock, uint64_t base_gpa, struct mmio_front *front)
{
	for (unsigned i = 0; i < the_machine->bus.mmio_count; i++) {
		struct mmio_range *range = &the_machine->bus.mmio[i];

		if (range->base_gpa != base_gpa)
			continue;
		*front = (struct mmio_front){ clock, *range };
		range->device = front;
		range->read = read_mmio;
		range->write = write_mmio;
	}
}

/* Clocks without ports and registers. */

uint64_t test_hooks_ns(enum test_clock clock, uint64_t now_ns)
{
	struct spoil *spoil = &spoils[clock];

	if (!spoiled[clock])
		return now_ns;
	if (is_moment(spoil, now_ns) && (clock == TEST_CLOCK_TSC || time_of(spoil, now_ns) % HYPERV_UNIT_NS < spoil->step_ns))
		make_step(spoil);
	return note_read(spoil, now_ns);
}

uint64_t test_hooks_tsc(const struct machine *machine, uint64_t tsc)
{
	return tsc + test_hooks_ns(TEST_CLOCK_TSC, machine->now_ns) - machine->now_ns;
}

/* The page was written: what it says is made wrong. */
static void spoil_pvclock_page(void *context, const struct pvclock_time *time)
{
	struct pvclock *pvclock = context;
	struct spoil *spoil = &spoils[TEST_CLOCK_PVCLOCK];
	struct pvclock_time wrong = *time;
	uint64_t mul = mul_div_floor(time->tsc_to_system_mul, (uint64_t)((int64_t)PPM + spoil->ppm), PPM);
	uint8_t *page = pvclock->ram->span(pvclock->ram->context, pvclock->system_time_msr & ~1ull, sizeof wrong);

	make_step(spoil);
	wrong.tsc_to_system_mul = mul < UINT32_MAX ? (uint32_t)mul : UINT32_MAX;
	wrong.system_time_ns = time_of(spoil, time->system_time_ns);
	memcpy(page, &wrong, sizeof wrong);
}

/* The guest has registered the page, or it is to be wrong from now on: it goes on from where it is. A step is one of its own units. */
static void spoil_hyperv_page(void)
{
	struct machine *machine = the_machine;
	struct spoil *spoil = &spoils[TEST_CLOCK_HYPERV_PAGE];
	uint64_t gpa = machine->hyperv.reference_tsc & ~0xfffull, tsc = machine->now_ns + machine->tsc_adjust;
	struct hyperv_page *page = machine->ram.span(machine->ram.context, gpa, sizeof *page);

	if (!(machine->hyperv.reference_tsc & HV_PAGE_ENABLE) || !page)
		return;
	spoil->step_ns = (spoil->step_ns + HYPERV_UNIT_NS - 1) / HYPERV_UNIT_NS * HYPERV_UNIT_NS;
	make_step(spoil);
	page->scale = mul_div_floor(HYPERV_SCALE, (uint64_t)((int64_t)PPM + spoil->ppm), PPM);
	page->offset = (int64_t)(hyperv_time(&machine->hyperv, time_of(spoil, machine->now_ns)) -
				 (uint64_t)((unsigned __int128)tsc * page->scale >> 64));
}

void test_hooks_hyperv_written(void)
{
	if (spoiled[TEST_CLOCK_HYPERV_PAGE])
		spoil_hyperv_page();
}

/* Puts what is needed in front of the clock, once. */
static void watch(enum test_clock clock)
{
	static struct port_front pit, pit_system, rtc, pmtimer;
	static struct mmio_front hpet, lapic;

	switch (clock) {
	case TEST_CLOCK_PVCLOCK:
		the_machine->pvclock.stamped = spoil_pvclock_page;
		the_machine->pvclock.stamped_context = &the_machine->pvclock;
		break;
	case TEST_CLOCK_PIT:
		front_ports(clock, 0x40, &pit);
		front_ports(clock, 0x61, &pit_system);
		break;
	case TEST_CLOCK_RTC:
		front_ports(clock, 0x70, &rtc);
		break;
	case TEST_CLOCK_PMTIMER:
		front_ports(clock, PM_TMR_PORT, &pmtimer);
		break;
	case TEST_CLOCK_HPET:
		front_mmio(clock, HPET_GPA, &hpet);
		break;
	case TEST_CLOCK_LAPIC:
		front_mmio(clock, LAPIC_GPA, &lapic);
		break;
	case TEST_CLOCK_TSC:
	case TEST_CLOCK_HYPERV_PAGE:
	case TEST_CLOCK_HYPERV_MSR:
	case TEST_CLOCK_COUNT:
		break;
	}
}

/* A change of ppm or a step from now on. */
static void spoil(enum test_clock clock, int64_t ppm, uint64_t step_ns)
{
	struct spoil *spoil = &spoils[clock];
	uint64_t now_ns = the_machine->now_ns;

	if (!spoiled[clock])
		watch(clock);
	spoiled[clock] = true;
	spoil->gained_ns = time_of(spoil, now_ns) + spoil->stepped_ns - now_ns;
	spoil->since_ns = now_ns;
	spoil->ppm = ppm;
	spoil->step_ns = step_ns;
	if (clock == TEST_CLOCK_PVCLOCK)
		machine_write_stamp(the_machine);
	if (clock == TEST_CLOCK_HYPERV_PAGE)
		spoil_hyperv_page();
}

/* Rates. */

static uint64_t random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

/* From 1 to RATE_MOST, each power of two as often as any other. */
static uint64_t random_number(void)
{
	uint64_t number = 1ull << random_next() % 10;

	number += random_next() % number;
	return number < RATE_MOST ? number : RATE_MOST;
}

static struct rate random_rate(void)
{
	uint64_t kind = random_next() % 3;

	return (struct rate){ kind == 1 ? 1 : random_number(), kind == 0 ? 1 : random_number() };
}

/* As an operator's command does it, but nobody is told: that would take time, of which there is little between two changes. */
static void change(struct rate rate)
{
	if (!rate.num || !rate_reduce(&rate))
		return;
	the_machine->rate = rate;
	machine_bend(the_machine, rate);
	changes++;
}

static void change_after(struct rate rate, uint64_t left_ns)
{
	next_rate = rate;
	event_set(&the_machine->events, &next_change, the_machine->now_ns + left_ns);
}

/* The next stretch of a walk: its rate from now on, and its end. */
static void walk_on(void)
{
	struct rate rate = random_rate();
	uint64_t stretch_ns = 1ull << (STRETCH_LEAST_BITS + random_next() % (walk_bits - STRETCH_LEAST_BITS));

	stretch_ns += random_next() % stretch_ns;
	walk_left--;
	change(rate);
	change_after(rate, stretch_ns * rate.num / rate.den + 1);
}

static void on_time(void *owner, uint64_t now_ns)
{
	(void)owner, (void)now_ns;
	if (walk_left)
		walk_on();
	else if (next_rate.den)
		change(next_rate);
}

static void start_walk(uint32_t count, uint32_t seed, uint32_t bits)
{
	walk_left = count;
	random_state = 0x9e3779b97f4a7c15ull * (seed + 1ull) | 1;
	walk_bits = bits > STRETCH_LEAST_BITS && bits < 32 ? bits : STRETCH_LEAST_BITS + 1;
	if (count)
		walk_on();
	else
		event_cancel(&the_machine->events, &next_change);
}

/* The guest's ports. */

static void obey(uint32_t command)
{
	struct rate rate = { registers[0], registers[1] };
	enum test_clock clock = (enum test_clock)registers[0];
	bool known = registers[0] < TEST_CLOCK_COUNT;

	if (command == COMMAND_RATE)
		change(rate);
	else if (command == COMMAND_RATE_AFTER)
		change_after(rate, registers[2]);
	else if (command == COMMAND_WALK)
		start_walk(registers[0], registers[1], registers[2]);
	else if (command == COMMAND_PPM && known)
		spoil(clock, (int32_t)registers[1], 0);
	else if (command == COMMAND_STEP && known)
		spoil(clock, spoils[clock].ppm, registers[1]);
}

static uint32_t hooks_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	static uint64_t bed_ns;

	(void)device, (void)bytes, (void)now_ns;
	if (port == PORT_B)
		bed_clock_read(&bed_ns);
	return port == PORT_A ? changes : port == PORT_COMMAND ? MAGIC : (uint32_t)(port == PORT_B ? bed_ns : bed_ns >> 32);
}

static void hooks_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	(void)device, (void)bytes, (void)now_ns;
	if (port == PORT_COMMAND)
		obey(value);
	else if (!(port % 4))
		registers[(port - PORT_FIRST) / 4] = value;
}

/* "10ppm", "-10ppm" or "1ns", which is a step. */
static bool parse_spoil(const char *text, struct spoil *spoil)
{
	char digits[16] = "";
	bool slow = *text == '-';
	uint64_t number;
	size_t i = 0;

	for (text += slow; *text >= '0' && *text <= '9' && i < sizeof digits - 1; text++)
		digits[i++] = *text;
	digits[i] = 0;
	if (!parse_number(digits, PPM_MOST, &number))
		return false;
	spoil->ppm = slow ? -(int64_t)number : (int64_t)number;
	if (!strcmp(text, "ppm"))
		return true;
	spoil->ppm = 0;
	spoil->step_ns = number;
	return !slow && !strcmp(text, "ns");
}

bool test_hooks_set_spoil(struct settings *settings, const char *value)
{
	(void)settings;
	for (size_t clock = 0; clock < TEST_CLOCK_COUNT; clock++) {
		size_t bytes = strlen(names[clock]);

		if (memcmp(value, names[clock], bytes) || value[bytes] != ',')
			continue;
		spoiled[clock] = parse_spoil(value + bytes + 1, &spoils[clock]);
		return spoiled[clock];
	}
	return false;
}

void test_hooks_start(struct machine *machine)
{
	struct port_range range = { .first = PORT_FIRST, .last = PORT_LAST, .widest = 4, .device = machine, .read = hooks_read,
				    .write = hooks_write };

	the_machine = machine;
	event_init(&next_change, on_time, machine);
	bus_add_ports(&machine->bus, &range);
	for (enum test_clock clock = 0; clock < TEST_CLOCK_COUNT; clock++) {
		spoils[clock].since_ns = machine->now_ns;
		if (spoiled[clock])
			watch(clock);
	}
}
