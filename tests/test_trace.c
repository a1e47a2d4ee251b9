/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace of the clocks and its replay. Claims: a record survives its way through bytes, and no bytes whatever are taken for more than they
 * are; what a machine with a random operator and a random guest traces replays without a difference; and a trace of which any one value that
 * was worked out is changed, or any due tick or stamp is left out, does not. */
#include "vm/trace.h"

#include "tests/replay.h"
#include "tests/support.h"

#include <inttypes.h>

#define HOST_HZ 2893202117ull
#define UNIX_AT_ZERO 1735689600
#define STEPS 4000
#define STAMPED 1
#define RECORDS (8 * STEPS)

/* A machine as vm/run.c turns it: what is due first, then an exit of the guest. */
struct machine_model {
	struct bus bus;
	struct irq_router router;
	struct event_queue queue;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct pmtimer pmtimer;
	struct pvclock pvclock;
	struct guest_ram ram;
	struct line line;
	uint64_t tsc_adjust, now_ns, host_tsc;
	struct trace trace;
	uint8_t memory[4096];
};

static struct machine_model machine;
static struct trace_record records[RECORDS];
static size_t record_count;

static void keep(void *context, const struct trace_record *record)
{
	(void)context;
	assert_true(record_count < RECORDS);
	records[record_count++] = *record;
}

static void *span(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	return gpa <= sizeof machine.memory - bytes ? machine.memory + gpa : NULL;
}

static void ignore_request(void *context, enum machine_request what, unsigned value)
{
	(void)context, (void)what, (void)value;
}

static void trace_line(void)
{
	const struct line *line = &machine.line;

	trace_add(&machine.trace, TRACE_LINE, (const uint64_t[]){ line->mult, line->frac_bits, line->offset, machine.tsc_adjust,
								  line->rate.num, line->rate.den, line->origin_tsc, line->cut_off });
}

static void set_now(uint64_t host_tsc)
{
	machine.host_tsc = host_tsc;
	machine.now_ns = line_guest_ns(&machine.line, host_tsc);
}

static void start_line(unsigned frac_bits)
{
	static const struct rate one = { 1, 1 };

	if (frac_bits == STAMPED)
		line_init_stamped(&machine.line, HOST_HZ, 12345, one);
	else
		line_init(&machine.line, HOST_HZ, (struct line_multiplier){ frac_bits, frac_bits == 32 ? 256 : 65536 }, 12345, one);
}

/* frac_bits: of the processor's multiplier, or STAMPED. */
static void build(unsigned frac_bits)
{
	struct machine_requests requests = { NULL, ignore_request };

	record_count = 0;
	memset(&machine, 0, sizeof machine);
	machine.ram = (struct guest_ram){ NULL, span };
	start_line(frac_bits);
	set_now(12345);
	pic_init(&machine.pic, &machine.bus, &machine.router);
	pit_init(&machine.pit, &machine.bus, &machine.router, &machine.queue);
	rtc_init(&machine.rtc, &machine.bus, &machine.router, &machine.queue, UNIX_AT_ZERO);
	rtc_set_memory(&machine.rtc, 256 << 20, 0);
	pmtimer_init(&machine.pmtimer, &machine.bus, &machine.router, &machine.queue, &requests);
	pvclock_init(&machine.pvclock, &machine.ram, UNIX_AT_ZERO);
	machine.trace = (struct trace){ &machine.now_ns, &machine.host_tsc, keep, NULL, { { 0 } }, { { 0 } } };
	trace_add(&machine.trace, TRACE_START, (const uint64_t[]){ TRACE_VERSION, HOST_HZ, machine.line.multiplier.frac_bits,
								   machine.line.multiplier.ratio_limit, UNIX_AT_ZERO, 256 << 20, 0,
								   TICK_SLEW | TICK_SLEW << 8 | (uint64_t)machine.line.stamped << 16 });
	trace_line();
	trace_watch_ports(&machine.trace, &machine.bus);
	trace_watch_tick(&machine.trace, TRACE_PIT, &machine.pit.tick);
	trace_watch_tick(&machine.trace, TRACE_RTC, &machine.rtc.tick);
	trace_watch_pvclock(&machine.trace, &machine.pvclock);
}

static uint64_t guest_tsc_now(void)
{
	return (machine.line.stamped ? machine.host_tsc : machine.now_ns) + machine.tsc_adjust;
}

static void write_stamp(void)
{
	struct pvclock_stamp stamp = pvclock_stamp_of(&machine.line, machine.host_tsc, machine.tsc_adjust);

	pvclock_update(&machine.pvclock, &stamp);
}

static void guest_port(uint64_t *seed)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x40, 0x40, 0x41, 0x42, 0x43, 0x43, 0x61, 0x70, 0x71, 0x71, 0x608, 0x60a };
	static const uint8_t registers[] = { 0, 2, 4, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 1, 3, 5, 0x32, 0x15 };
	uint64_t random = random_next(seed);
	uint16_t port = ports[random % 16];
	uint8_t value = (uint8_t)(random >> 8);

	if (port == 0x70)
		value = registers[value % 16];
	if (port == 0x21 || port == 0xa1)
		value &= (uint8_t)(random >> 16); /* mostly unmasked */
	if (random >> 32 & 1)
		bus_read_port(&machine.bus, port, 1u << (random >> 33) % 3, machine.now_ns);
	else
		bus_write_port(&machine.bus, port, value, 1, machine.now_ns);
}

/* What guests do: a rate generator and a periodic interrupt. Random writes alone rarely make one that runs for long. */
static void guest_program(uint64_t *seed)
{
	uint64_t random = random_next(seed);
	const struct { uint16_t port; uint8_t value; } writes[] = {
		{ 0x43, random & 1 ? 0x34 : 0x36 }, { 0x40, (uint8_t)(random >> 8) }, { 0x40, (uint8_t)(random >> 16 & 0x1f) },
		{ 0x70, 0xa }, { 0x71, (uint8_t)(0x20 | (random >> 24 & 15)) }, { 0x70, 0xb }, { 0x71, (uint8_t)(random >> 28 & 0x70) | 2 },
	};

	for (unsigned i = 0; i < sizeof writes / sizeof *writes; i++)
		bus_write_port(&machine.bus, writes[i].port, writes[i].value, 1, machine.now_ns);
}

static void guest_tsc(uint64_t *seed)
{
	uint64_t random = random_next(seed);
	bool moves = !(random & 7);

	if (!moves) {
		trace_add(&machine.trace, TRACE_TSC, (const uint64_t[]){ guest_tsc_now() });
		return;
	}
	trace_add(&machine.trace, TRACE_MSR, (const uint64_t[]){ random & 8 ? 0x10 : 0x3b, random });
	machine.tsc_adjust = random & 8 ? machine.tsc_adjust + random - guest_tsc_now() : random;
	trace_line();
	write_stamp();
}

static void guest_pvclock(uint64_t *seed)
{
	static const uint32_t msrs[] = { MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW };
	uint64_t random = random_next(seed), value = random >> 8 & 0x1fff;
	uint32_t msr = msrs[random & 3];
	struct pvclock_stamp stamp = pvclock_stamp_of(&machine.line, machine.host_tsc, machine.tsc_adjust);

	trace_add(&machine.trace, TRACE_MSR, (const uint64_t[]){ msr, value });
	pvclock_write_msr(&machine.pvclock, msr, value, &stamp);
}

static void operate(uint64_t *seed)
{
	uint64_t random = random_next(seed);
	struct rate rate = { random % 5, 1 + (random >> 8) % 3 };

	assert_true(rate_reduce(&rate));
	line_bend(&machine.line, machine.host_tsc, rate);
	trace_line();
	if (machine.line.stamped)
		write_stamp();
	if ((random >> 16 & 3) == 0 && rtc_set_unix(&machine.rtc, (int64_t)(random >> 30), machine.now_ns))
		trace_add(&machine.trace, TRACE_DATE, (const uint64_t[]){ random >> 30 });
}

/* As the run loop has it for tsc=native. */
static void renew_stamp(void)
{
	line_stamp(&machine.line, machine.host_tsc);
	set_now(machine.host_tsc);
	trace_line();
	write_stamp();
}

static void step(uint64_t *seed)
{
	uint64_t random = random_next(seed);

	if (event_next_ns(&machine.queue) <= machine.now_ns)
		event_run(&machine.queue, machine.now_ns);
	if (random % 64 == 0)
		operate(seed);
	if (machine.line.stamped && random % 64 == 1)
		renew_stamp();
	set_now(machine.host_tsc + (random >> 8) % (random & 0x70 ? 40000 : 200000000));
	switch (random % 16) {
	case 0:
		guest_tsc(seed);
		break;
	case 1:
		guest_pvclock(seed);
		break;
	case 2:
		guest_program(seed);
		break;
	case 3:
		if (pic_pending(&machine.pic))
			pic_acknowledge(&machine.pic, machine.now_ns);
		break;
	default:
		guest_port(seed);
	}
}

static void run(uint64_t seed, unsigned frac_bits)
{
	build(frac_bits);
	for (unsigned i = 0; i < STEPS; i++)
		step(&seed);
	trace_add(&machine.trace, TRACE_EXITS, (const uint64_t[]){ 17, 0x6469757063, 0, 0 });
	trace_add(&machine.trace, TRACE_END, (const uint64_t[]){ 0x20 });
}

static size_t encode_all(uint8_t *bytes)
{
	struct trace_record last = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < record_count; i++)
		count += trace_encode(&last, &records[i], bytes + count);
	return count;
}

static void a_random_machine_replays(void **state)
{
	static uint8_t bytes[RECORDS * TRACE_RECORD_BYTES];
	static struct replay replay;
	uint64_t counts[REPLAY_COUNTS] = { 0 };

	(void)state;
	for (unsigned long seed = 1; seed <= share(2000); seed++) {
		run(seed, (const unsigned[]){ 0, 32, 48, STAMPED }[seed % 4]);
		replay_init(&replay);
		if (!replay_bytes(&replay, bytes, encode_all(bytes)))
			fail_msg("seed %lu: %s", seed, replay.why);
		for (unsigned i = 0; i < REPLAY_COUNTS; i++)
			counts[i] += replay.counts[i];
		assert_int_equal(replay.exit_count, 1);
		assert_string_equal(replay.exits[0].name, "cpuid");
		assert_int_equal(replay.exits[0].count, 17);
	}
	for (unsigned i = 0; i < REPLAY_COUNTS; i++) {
		print_message("%s %" PRIu64 "\n", replay_count_names[i], counts[i]);
		assert_true(counts[i] > 100);
	}
}

/* Whether the replay finds a difference in the records as they are now. */
static bool differs(void)
{
	static struct replay replay;

	replay_init(&replay);
	for (size_t i = 0; i < record_count; i++)
		if (!replay_record(&replay, &records[i]))
			return true;
	return !replay.ended;
}

/* Of each kind that is worked out, which value's change must be seen: all but the flags of a stamp, which are the guest's too. */
static unsigned judged_values(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_LINE:
		return 4;
	case TRACE_TSC:
		return 1;
	case TRACE_STAMP:
	case TRACE_DUE:
		return 5;
	default:
		return 0;
	}
}

static void each_changed_value_is_seen(void **state)
{
	unsigned long changed = 0;

	(void)state;
	run(77, 32);
	assert_false(differs());
	for (size_t i = 2; i < record_count; i += 1 + record_count / (50 * share(100))) {
		unsigned judged = judged_values(records[i].kind);

		if (records[i].kind == TRACE_READ) {
			records[i].values[2] ^= 1;
			assert_true(differs());
			records[i].values[2] ^= 1;
			changed++;
		}
		for (unsigned v = 0; v < judged; v++, changed++) {
			records[i].values[v]++;
			assert_true(differs());
			records[i].values[v]--;
		}
	}
	assert_true(changed > 20);
	assert_false(differs());
}

/* A tick, a stamp or a bend that the hypervisor forgets, and a moment that is not on the line. */
static void each_missing_record_is_seen(void **state)
{
	static struct trace_record whole[RECORDS];
	size_t count;
	unsigned left_out = 0;

	(void)state;
	run(78, 0);
	count = record_count;
	memcpy(whole, records, sizeof whole);
	for (size_t i = 2; i < count - 2; i++) {
		bool stays = whole[i].kind != TRACE_DUE || whole[i].values[0] != TRACE_PIT;

		if (stays || left_out == 10 * share(100))
			continue;
		left_out++;
		memmove(records + i, whole + i + 1, (count - i - 1) * sizeof *records);
		record_count = count - 1;
		assert_true(differs());
		memcpy(records, whole, sizeof records);
	}
	assert_true(left_out > 5);
	record_count = count;
	records[count / 2].host_tsc += 4;
	assert_true(differs());
	record_count = count - 1;
	records[count / 2].host_tsc -= 4;
	assert_true(differs()); /* no end */
}

static uint64_t random_value(uint64_t *seed)
{
	return random_next(seed) >> random_next(seed) % 64;
}

static void a_record_survives_its_bytes(void **state)
{
	struct trace_record to = { 0 }, from = { 0 }, got;
	uint64_t seed = 5;
	uint8_t bytes[TRACE_RECORD_BYTES];

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		struct trace_record record = { .kind = (enum trace_kind)(random_next(&seed) % TRACE_KIND_COUNT) };
		size_t count;

		record.guest_ns = random_value(&seed);
		record.host_tsc = ~random_value(&seed);
		for (unsigned v = 0; v < trace_value_count(record.kind); v++)
			record.values[v] = random_value(&seed);
		count = trace_encode(&to, &record, bytes);
		assert_in_range(count, 3, TRACE_RECORD_BYTES);
		for (size_t less = 0; less < count; less++)
			assert_int_equal(trace_decode(&from, bytes, less, &got), 0);
		assert_int_equal(trace_decode(&from, bytes, count, &got), count);
		assert_memory_equal(&got, &record, sizeof got);
	}
}

static void random_bytes_do_no_harm(void **state)
{
	static struct replay replay;
	uint64_t seed = 6;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		struct trace_record last = { 0 }, got;
		uint8_t bytes[64];
		size_t taken;

		for (unsigned b = 0; b < sizeof bytes; b++)
			bytes[b] = (uint8_t)(random_next(&seed) >> 13 & random_next(&seed) >> 29);
		taken = trace_decode(&last, bytes, sizeof bytes, &got);
		assert_true(taken <= sizeof bytes);
	}
	replay_init(&replay);
	assert_false(replay_bytes(&replay, (const uint8_t *)"\xff", 1));
	assert_false(replay_bytes(&replay, (const uint8_t *)"", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_random_machine_replays),
		cmocka_unit_test(each_changed_value_is_seen),
		cmocka_unit_test(each_missing_record_is_seen),
		cmocka_unit_test(a_record_survives_its_bytes),
		cmocka_unit_test(random_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
