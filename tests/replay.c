/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The replay of a trace. What the models tell by themselves (due ticks, stamps) they tell through the same watchers as the hypervisor's. */
#include "tests/replay.h"

#include "tests/support.h"
#include "timekeeping/date.h"

#include <assert.h>
#include <inttypes.h>

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b

const char *const replay_count_names[REPLAY_COUNTS] = {
	[REPLAY_PIT_READS] = "pit-reads", [REPLAY_RTC_READS] = "rtc-reads", [REPLAY_PM_READS] = "pm-timer-reads",
	[REPLAY_TSC_READS] = "tsc-reads", [REPLAY_STAMPS] = "pvclock-stamps", [REPLAY_PIT_TICKS] = "pit-ticks",
	[REPLAY_RTC_TICKS] = "rtc-ticks", [REPLAY_WRITES] = "writes", [REPLAY_BENDS] = "bends",
};

static const char *const kind_names[TRACE_KIND_COUNT] = {
	[TRACE_START] = "start", [TRACE_LINE] = "line", [TRACE_READ] = "read", [TRACE_WRITE] = "write", [TRACE_TSC] = "tsc",
	[TRACE_MSR] = "wrmsr", [TRACE_STAMP] = "stamp", [TRACE_DUE] = "due", [TRACE_DATE] = "date",
	[TRACE_EXITS] = "exits", [TRACE_END] = "end",
};

void replay_text(const struct trace_record *record, char *out, size_t bytes)
{
	size_t used = (size_t)snprintf(out, bytes, "guest %" PRIu64 " ns, host TSC %" PRIu64 ": %s", record->guest_ns, record->host_tsc,
				       kind_names[record->kind]);

	for (unsigned i = 0; i < trace_value_count(record->kind) && used < bytes; i++)
		used += (size_t)snprintf(out + used, bytes - used, record->values[i] < 4096 ? " %" PRIu64 : " %#" PRIx64, record->values[i]);
}

__attribute__((format(printf, 2, 3))) static bool differs(struct replay *replay, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(replay->why, sizeof replay->why, format, arguments);
	va_end(arguments);
	return false;
}

static void expect(void *context, const struct trace_record *record)
{
	struct replay *replay = context;

	assert(replay->expected_count < REPLAY_EXPECTED);
	replay->expected[replay->expected_count++] = *record;
}

static void *page_of(void *context, uint64_t gpa, uint64_t bytes)
{
	struct replay *replay = context;

	(void)gpa;
	return replay->page_hidden || bytes > sizeof replay->page ? NULL : replay->page;
}

static void ignore_request(void *context, enum machine_request what, unsigned value)
{
	(void)context, (void)what, (void)value;
}

void replay_init(struct replay *replay)
{
	memset(replay, 0, sizeof *replay);
	replay->ram = (struct guest_ram){ replay, page_of };
	replay->trace = (struct trace){ .now_ns = &replay->now_ns, .host_tsc = &replay->host_tsc, .emit = expect, .context = replay };
}

static bool start(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;
	struct machine_requests requests = { replay, ignore_request };

	if (replay->started || v[0] != TRACE_VERSION)
		return differs(replay, "a second start, or version %" PRIu64 " of the trace", v[0]);
	replay->started = true;
	replay->host_hz = v[1];
	replay->multiplier = (struct line_multiplier){ (unsigned)v[2], v[3] };
	pic_init(&replay->pic, &replay->bus, &replay->router);
	pit_init(&replay->pit, &replay->bus, &replay->router, &replay->queue);
	rtc_init(&replay->rtc, &replay->bus, &replay->router, &replay->queue, (int64_t)v[4]);
	rtc_set_memory(&replay->rtc, v[5], v[6]);
	pmtimer_init(&replay->pmtimer, &replay->bus, &replay->router, &replay->queue, &requests);
	pvclock_init(&replay->pvclock, &replay->ram, (int64_t)v[4]);
	tick_set_policy(&replay->pit.tick, (enum tick_policy)(v[7] & 0xff));
	tick_set_policy(&replay->rtc.tick, (enum tick_policy)(v[7] >> 8 & 0xff));
	replay->line.stamped = v[7] >> 16;
	trace_watch_tick(&replay->trace, TRACE_PIT, &replay->pit.tick);
	trace_watch_tick(&replay->trace, TRACE_RTC, &replay->rtc.tick);
	trace_watch_pvclock(&replay->trace, &replay->pvclock);
	return true;
}

static bool is_line(const struct line *line, const uint64_t *v)
{
	return line->mult == v[0] && line->frac_bits == v[1] && line->offset == v[2] && line->origin_tsc == v[6] && line->cut_off == v[7];
}

/* The line has its first shape. */
static void start_line(struct replay *replay, uint64_t host_tsc, struct rate rate)
{
	if (replay->line.stamped)
		line_init_stamped(&replay->line, replay->host_hz, host_tsc, rate);
	else
		line_init(&replay->line, replay->host_hz, replay->multiplier, host_tsc, rate);
	replay->has_line = true;
}

/* A bend at this moment, to the same rate or another; a stamp; or the same line after the host TSC went past its end, or (a stamped one) after
 * a change of tsc_adjust. */
static bool take_line(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;
	struct rate rate = { v[4], v[5] };

	if (!replay->has_line)
		start_line(replay, record->host_tsc, rate);

	struct line bent = replay->line, stamped = replay->line;

	line_bend(&bent, record->host_tsc, rate);
	if (stamped.stamped)
		line_stamp(&stamped, record->host_tsc);
	if (is_line(&bent, v))
		replay->line = bent;
	else if (stamped.stamped && is_line(&stamped, v))
		replay->line = stamped;
	else
		line_wrapped(&replay->line);
	replay->counts[REPLAY_BENDS]++;
	if (!is_line(&replay->line, v))
		return differs(replay, "the model's line: mult %" PRIu64 ", %u fraction bits, offset %" PRIu64, bent.mult, bent.frac_bits,
			       bent.offset);
	if (replay->tsc_adjust != v[3])
		return differs(replay, "the model's tsc_adjust: %" PRIu64, replay->tsc_adjust);
	return true;
}

static enum replay_count count_of_port(uint64_t port)
{
	if (port >= PM_TMR_PORT)
		return REPLAY_PM_READS;
	return port >= RTC_PORT_INDEX ? REPLAY_RTC_READS : REPLAY_PIT_READS;
}

static bool is_access(struct replay *replay, const uint64_t *v)
{
	return (v[0] <= UINT16_MAX && (v[1] == 1 || v[1] == 2 || v[1] == 4)) || differs(replay, "no such port or width");
}

static bool read_port(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;
	uint32_t value;

	if (!is_access(replay, v))
		return false;
	value = bus_read_port(&replay->bus, (uint16_t)v[0], (unsigned)v[1], record->guest_ns) & UINT32_MAX >> (32 - 8 * v[1]);
	replay->counts[count_of_port(v[0])]++;
	return value == v[2] || differs(replay, "the model reads %#" PRIx32, value);
}

static bool write_port(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;

	if (!is_access(replay, v))
		return false;
	replay->counts[REPLAY_WRITES]++;
	bus_write_port(&replay->bus, (uint16_t)v[0], (uint32_t)v[2], (unsigned)v[1], record->guest_ns);
	return true;
}

static bool read_tsc(struct replay *replay, const struct trace_record *record)
{
	uint64_t value = (replay->line.stamped ? record->host_tsc : record->guest_ns) + replay->tsc_adjust;

	replay->counts[REPLAY_TSC_READS]++;
	return value == record->values[0] || differs(replay, "the model's TSC: %#" PRIx64, value);
}

/* Whether a registration finds guest memory only the hypervisor knows: a stamp that follows tells. */
static bool write_msr(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;

	replay->counts[REPLAY_WRITES]++;
	if (v[0] == MSR_TSC) {
		replay->tsc_adjust = v[1] - (replay->line.stamped ? record->host_tsc : record->guest_ns);
	} else if (v[0] == MSR_TSC_ADJUST) {
		replay->tsc_adjust = v[1];
	} else {
		struct pvclock_stamp stamp = pvclock_stamp_of(&replay->line, record->host_tsc, replay->tsc_adjust);

		replay->page_hidden = true;
		pvclock_write_msr(&replay->pvclock, (uint32_t)v[0], v[1], &stamp);
		replay->page_hidden = false;
	}
	return true;
}

/* Compares with what the models came out with first; ignored: a value that depends on guest memory, or TRACE_VALUES. */
static bool is_expected(struct replay *replay, const struct trace_record *record, unsigned ignored)
{
	struct trace_record first = replay->expected[0];
	char text[200];

	if (!replay->expected_count)
		return differs(replay, "the models have nothing of the kind");
	replay->expected_count--;
	memmove(replay->expected, replay->expected + 1, replay->expected_count * sizeof first);
	for (unsigned i = 0; i < trace_value_count(record->kind); i++)
		if (first.kind != record->kind || (i != ignored && first.values[i] != record->values[i])) {
			replay_text(&first, text, sizeof text);
			return differs(replay, "the models: %s", text);
		}
	return true;
}

static bool take_stamp(struct replay *replay, const struct trace_record *record)
{
	struct pvclock_stamp stamp = pvclock_stamp_of(&replay->line, record->host_tsc, replay->tsc_adjust);

	replay->counts[REPLAY_STAMPS]++;
	pvclock_update(&replay->pvclock, &stamp);
	return is_expected(replay, record, 5); /* GUEST_STOPPED is the guest's to clear */
}

static bool take_due(struct replay *replay, const struct trace_record *record)
{
	const uint64_t *v = record->values;
	const struct tick *tick = v[0] == TRACE_PIT ? &replay->pit.tick : &replay->rtc.tick;

	if (v[0] >= TRACE_TIMER_COUNT)
		return differs(replay, "no such timer");
	if (!replay->expected_count)
		event_run(&replay->queue, record->guest_ns);
	if (!is_expected(replay, record, TRACE_VALUES))
		return false;
	replay->counts[v[0] == TRACE_PIT ? REPLAY_PIT_TICKS : REPLAY_RTC_TICKS] += v[2] - v[1] + 1;
	for (uint64_t n = v[1]; replay->on_tick && n <= v[2]; n++)
		replay->on_tick(replay->on_tick_context, (enum trace_timer)v[0], tick, n);
	return true;
}

static bool take_date(struct replay *replay, const struct trace_record *record)
{
	int64_t unix_seconds = (int64_t)record->values[0];

	if (date_check(unix_seconds) != DATE_FINE)
		return differs(replay, "no date of the calendar");
	return rtc_set_unix(&replay->rtc, unix_seconds, record->guest_ns) || differs(replay, "the model's calendar is held");
}

static bool take_exits(struct replay *replay, const struct trace_record *record)
{
	struct replay_exit *exit = &replay->exits[replay->exit_count];

	if (replay->exit_count == REPLAY_EXITS)
		return differs(replay, "more than %u kinds of exits", REPLAY_EXITS);
	replay->exit_count++;
	exit->count = record->values[0];
	memcpy(exit->name, &record->values[1], REPLAY_NAME_BYTES);
	return true;
}

static bool take(struct replay *replay, const struct trace_record *record)
{
	switch (record->kind) {
	case TRACE_START:
		return start(replay, record);
	case TRACE_LINE:
		return take_line(replay, record);
	case TRACE_READ:
		return read_port(replay, record);
	case TRACE_WRITE:
		return write_port(replay, record);
	case TRACE_TSC:
		return read_tsc(replay, record);
	case TRACE_MSR:
		return write_msr(replay, record);
	case TRACE_STAMP:
		return take_stamp(replay, record);
	case TRACE_DUE:
		return take_due(replay, record);
	case TRACE_DATE:
		return take_date(replay, record);
	case TRACE_EXITS:
		return take_exits(replay, record);
	case TRACE_END:
		replay->ended = true;
		return true;
	case TRACE_KIND_COUNT:
		break;
	}
	return differs(replay, "no such kind");
}

/* The run loop serves what is due before it lets the guest on: so a tick that was due at the record before has been told by now. */
static bool no_tick_is_missing(struct replay *replay)
{
	const struct tick *const ticks[] = { &replay->pit.tick, &replay->rtc.tick };

	for (unsigned i = 0; i < 2; i++)
		if (ticks[i]->event.queued && ticks[i]->event.due_ns <= replay->now_ns)
			return differs(replay, "%s tick %" PRIu64 ", due at %" PRIu64 " ns, is not there", i ? "RTC" : "PIT", ticks[i]->next,
				       ticks[i]->event.due_ns);
	return true;
}

static bool advance(struct replay *replay, const struct trace_record *record)
{
	char text[200];

	if (replay->ended || (!replay->started && record->kind != TRACE_START))
		return differs(replay, "before the start or after the end");
	if (record->guest_ns < replay->now_ns)
		return differs(replay, "guest time goes back, from %" PRIu64, replay->now_ns);
	if (record->guest_ns > replay->now_ns && !no_tick_is_missing(replay))
		return false;
	if (replay->expected_count && record->kind != TRACE_DUE) {
		replay_text(&replay->expected[0], text, sizeof text);
		return differs(replay, "before it the models have: %s", text);
	}
	replay->now_ns = record->guest_ns;
	replay->host_tsc = record->host_tsc;
	if (replay->has_line && record->kind != TRACE_LINE && line_guest_ns(&replay->line, record->host_tsc) != record->guest_ns)
		return differs(replay, "the line there is at %" PRIu64 " ns", line_guest_ns(&replay->line, record->host_tsc));
	return true;
}

bool replay_record(struct replay *replay, const struct trace_record *record)
{
	return advance(replay, record) && take(replay, record);
}

bool replay_bytes(struct replay *replay, const uint8_t *bytes, size_t count)
{
	struct trace_record last = { 0 }, record;
	char text[200], why[sizeof replay->why];
	size_t number = 0, taken;

	for (; count; bytes += taken, count -= taken) {
		number++;
		taken = trace_decode(&last, bytes, count, &record);
		if (!taken)
			return differs(replay, "record %zu: %zu bytes that are no record", number, count);
		if (!replay_record(replay, &record)) {
			replay_text(&record, text, sizeof text);
			memcpy(why, replay->why, sizeof why);
			return differs(replay, "record %zu: %s; %.*s", number, text, (int)sizeof why / 2, why);
		}
	}
	return replay->ended || differs(replay, "the trace has no end: %zu records", number);
}
