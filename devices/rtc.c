/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MC146818A. The ten time bytes are the only record of the time: they are brought up to date from the number
 * of whole seconds that the divider chain has counted, when somebody looks, and so have the format in which they
 * were last written. */
#include "devices/rtc.h"

#include "base/assert.h"
#include "base/mem.h"
#include "timekeeping/calendar.h"
#include "timekeeping/date.h"

#define SECOND_NS 1000000000ull
#define DAY_SECONDS 86400
#define LEFT_NEVER UINT64_MAX
#define ENABLES (RTC_B_PIE | RTC_B_AIE | RTC_B_UIE)
#define DONT_CARE 0xc0 /* an alarm byte from here on matches always (MC146818A, "Alarm bytes") */
#define ANY (-1)

static bool is_running(const struct rtc *rtc)
{
	return (rtc->cmos[RTC_A] & RTC_A_DV) == RTC_A_DV_RUN;
}

static bool is_counting(const struct rtc *rtc)
{
	return is_running(rtc) && !(rtc->cmos[RTC_B] & RTC_B_SET);
}

/* The bytes and their values (MC146818A, table 4). A byte that is no BCD number has a value all the same: tens
 * times ten plus ones. */

static int decode(const struct rtc *rtc, uint8_t byte)
{
	return rtc->cmos[RTC_B] & RTC_B_DM ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t encode(const struct rtc *rtc, int value)
{
	return (uint8_t)(rtc->cmos[RTC_B] & RTC_B_DM ? value : value / 10 * 16 + value % 10);
}

static int decode_hour(const struct rtc *rtc, uint8_t byte)
{
	if (rtc->cmos[RTC_B] & RTC_B_24H)
		return decode(rtc, byte);
	return decode(rtc, byte & 0x7f) % 12 + (byte & 0x80 ? 12 : 0);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	if (rtc->cmos[RTC_B] & RTC_B_24H)
		return encode(rtc, hour);
	return (uint8_t)(encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0));
}

static int64_t clamp_unix(int64_t unix_seconds)
{
	if (unix_seconds < 0)
		return 0;
	return unix_seconds > DATE_LAST_UNIX ? DATE_LAST_UNIX : unix_seconds;
}

/* The time in the bytes. What is too large carries over, as mktime does it: 31 February is 3 March, and 13h:75 is
 * 14h:15. Day 0 is the last of the month before, month 0 December of the year before; what lies before 1970 or
 * after 9999 becomes the nearest end. */
__attribute__((noinline, cold)) static int64_t decode_time(const struct rtc *rtc)
{
	const uint8_t *cmos = rtc->cmos;
	int month = decode(rtc, cmos[RTC_MONTH]) + 11; /* counted from January of the year before */
	int year = decode(rtc, cmos[RTC_CENTURY]) * 100 + decode(rtc, cmos[RTC_YEAR]) - 1 + month / 12;
	struct calendar first = { .year = year, .month = month % 12 + 1, .day = 1 };

	if (year < 1970)
		return 0;
	if (year > 9999)
		return DATE_LAST_UNIX;
	return clamp_unix(calendar_to_unix(&first) + (decode(rtc, cmos[RTC_DAY]) - 1) * (int64_t)DAY_SECONDS +
			  decode_hour(rtc, cmos[RTC_HOURS]) * 3600 + decode(rtc, cmos[RTC_MINUTES]) * 60 +
			  decode(rtc, cmos[RTC_SECONDS]));
}

__attribute__((noinline, cold)) static void encode_time(struct rtc *rtc, int64_t unix_seconds, int weekday)
{
	struct calendar date;

	calendar_from_unix(unix_seconds, &date);
	rtc->cmos[RTC_SECONDS] = encode(rtc, date.second);
	rtc->cmos[RTC_MINUTES] = encode(rtc, date.minute);
	rtc->cmos[RTC_HOURS] = encode_hour(rtc, date.hour);
	rtc->cmos[RTC_WEEKDAY] = encode(rtc, weekday ? weekday : date.weekday);
	rtc->cmos[RTC_DAY] = encode(rtc, date.day);
	rtc->cmos[RTC_MONTH] = encode(rtc, date.month);
	rtc->cmos[RTC_YEAR] = encode(rtc, date.year % 100);
	rtc->cmos[RTC_CENTURY] = encode(rtc, date.year / 100);
}

/* The weekday counts by itself, whatever the date is (MC146818A, "Time, calendar and alarm locations"). 0: the
 * byte holds none. */
static int step_weekday(const struct rtc *rtc, int64_t days)
{
	int weekday = decode(rtc, rtc->cmos[RTC_WEEKDAY]);

	if (weekday < 1 || weekday > 7)
		return 0;
	return (int)((weekday - 1 + days) % 7) + 1;
}

/* The divider chain. */

static uint64_t updates_by(const struct rtc *rtc, uint64_t now_ns)
{
	return (now_ns - rtc->chain_ns + rtc->phase_ns) / SECOND_NS;
}

static uint64_t into_second_ns(const struct rtc *rtc, uint64_t now_ns)
{
	return (now_ns - rtc->chain_ns + rtc->phase_ns) % SECOND_NS;
}

static bool is_updating(const struct rtc *rtc, uint64_t now_ns)
{
	return is_counting(rtc) && into_second_ns(rtc, now_ns) >= SECOND_NS - RTC_UIP_NS;
}

/* The period that register A selects, in 1/32768 s; 0: none (MC146818A, table 5). */
static uint64_t selected_count(const struct rtc *rtc)
{
	unsigned select = rtc->cmos[RTC_A] & RTC_A_RS;

	if (select == 0 || !is_running(rtc))
		return 0;
	return 1ull << (select <= 2 ? select + 6 : select - 1);
}

/* floor((now - chain) * 32768 / 10^9) without leaving 64 bits, in periods. */
static uint64_t periods_by(const struct rtc *rtc, uint64_t now_ns, uint64_t count)
{
	uint64_t age_ns = now_ns - rtc->chain_ns;
	uint64_t clocks = age_ns / 1953125 * 64 + age_ns % 1953125 * 64 / 1953125;

	return clocks / count;
}

/* The alarm. */

struct alarm {
	int second, minute, hour; /* ANY: don't care */
};

/* False: a byte that no time ever equals, so that the alarm never comes. */
static bool decode_alarm(const struct rtc *rtc, struct alarm *alarm)
{
	uint8_t second = rtc->cmos[RTC_SECONDS_ALARM], minute = rtc->cmos[RTC_MINUTES_ALARM];
	uint8_t hour = rtc->cmos[RTC_HOURS_ALARM];

	alarm->second = second >= DONT_CARE ? ANY : decode(rtc, second);
	alarm->minute = minute >= DONT_CARE ? ANY : decode(rtc, minute);
	alarm->hour = hour >= DONT_CARE ? ANY : decode_hour(rtc, hour);
	return (alarm->second == ANY || (alarm->second < 60 && encode(rtc, alarm->second) == second)) &&
	       (alarm->minute == ANY || (alarm->minute < 60 && encode(rtc, alarm->minute) == minute)) &&
	       (alarm->hour == ANY || (alarm->hour < 24 && encode_hour(rtc, alarm->hour) == hour));
}

/* How far it is from have to want, going up and round. */
static int up_to(int want, int have, int round)
{
	return want == ANY ? 0 : (want - have + round) % round;
}

/* In how many updates from unix_seconds on the alarm comes, 1 to 86400; or LEFT_NEVER, also where the calendar ends before.
 * Found field by field: a minute or an hour that has to be waited for begins with the lowest values below it. */
__attribute__((noinline, cold)) static uint64_t alarm_left(const struct rtc *rtc, int64_t unix_seconds)
{
	int start = (int)(unix_seconds % DAY_SECONDS), time = start + 1, wait;
	struct alarm alarm;

	if (!decode_alarm(rtc, &alarm))
		return LEFT_NEVER;
	int least_second = alarm.second == ANY ? 0 : alarm.second;
	int least_minute = alarm.minute == ANY ? 0 : alarm.minute;

	time += up_to(alarm.second, time % 60, 60);
	wait = up_to(alarm.minute, time / 60 % 60, 60);
	if (wait)
		time = (time / 60 + wait) * 60 + least_second;
	wait = up_to(alarm.hour, time / 3600 % 24, 24);
	if (wait)
		time = (time / 3600 + wait) * 3600 + least_minute * 60 + least_second;
	return unix_seconds + time - start > DATE_LAST_UNIX ? LEFT_NEVER : (uint64_t)(time - start);
}

/* Flags, line and events. */

static bool has_interrupt(const struct rtc *rtc)
{
	return rtc->cmos[RTC_C] & rtc->cmos[RTC_B] & ENABLES;
}

static void drive_line(struct rtc *rtc)
{
	bool level = has_interrupt(rtc);

	if (level == rtc->line)
		return;
	rtc->line = level;
	irq_set(rtc->router, RTC_IRQ, level);
}

/* Kept out of line: once a second, and not in the way of each access. */
__attribute__((noinline, cold)) static void step(struct rtc *rtc, uint64_t passed)
{
	int64_t before = decode_time(rtc), after = clamp_unix(before + (int64_t)passed);

	if (alarm_left(rtc, before) <= passed)
		rtc->cmos[RTC_C] |= RTC_C_AF;
	rtc->cmos[RTC_C] |= RTC_C_UF;
	encode_time(rtc, after, step_weekday(rtc, after / DAY_SECONDS - before / DAY_SECONDS));
	rtc->updates += passed;
	if (before + (int64_t)passed > DATE_LAST_UNIX && rtc->ended)
		rtc->ended(rtc->ended_context);
}

/* Does the updates that have ended since the last call. Leaves the line alone: true says that a flag may have been
 * set. */
static bool catch_up(struct rtc *rtc, uint64_t now_ns)
{
	uint64_t passed = updates_by(rtc, now_ns) - rtc->updates;

	if (passed == 0 || !is_counting(rtc))
		return false;
	step(rtc, passed);
	return true;
}

/* Sets PF for a guest that polls. While the periodic interrupt is enabled the tick engine alone decides when PF is
 * set: otherwise a tick that was polled a moment before its event would come twice. */
static void latch_period(struct rtc *rtc, uint64_t now_ns)
{
	uint64_t count = selected_count(rtc);

	if (count == 0)
		return;
	uint64_t periods = periods_by(rtc, now_ns, count);

	if (periods != rtc->periods && rtc->tick_count == 0)
		rtc->cmos[RTC_C] |= RTC_C_PF;
	rtc->periods = periods;
}

/* Queues the next update at which an enabled flag will be set that is not set yet. */
static void schedule(struct rtc *rtc)
{
	uint8_t wanted = rtc->cmos[RTC_B] & (uint8_t)~rtc->cmos[RTC_C];
	uint64_t left = LEFT_NEVER, due_ns = EVENT_NEVER;

	if (is_counting(rtc) && (wanted & RTC_B_AIE))
		left = alarm_left(rtc, decode_time(rtc));
	if (is_counting(rtc) && (wanted & RTC_B_UIE))
		left = 1;
	if (left != LEFT_NEVER)
		due_ns = rtc->chain_ns + (rtc->updates + left) * SECOND_NS - rtc->phase_ns;
	if (due_ns != (rtc->event.queued ? rtc->event.due_ns : EVENT_NEVER))
		event_set(rtc->queue, &rtc->event, due_ns);
}

/* Starts, stops or changes the periodic interrupt where registers A and B now ask for it. */
static void retime_tick(struct rtc *rtc, uint64_t now_ns)
{
	uint64_t count = rtc->cmos[RTC_B] & RTC_B_PIE ? selected_count(rtc) : 0;

	if (count == rtc->tick_count)
		return;
	if (rtc->tick_count)
		tick_stop(&rtc->tick);
	rtc->tick_count = count;
	if (count)
		tick_start(&rtc->tick, rtc->chain_ns, count, RTC_HZ, now_ns);
}

static void fire(void *owner, uint64_t now_ns)
{
	struct rtc *rtc = owner;

	catch_up(rtc, now_ns);
	drive_line(rtc);
	schedule(rtc);
}

static void raise_tick(void *device, uint64_t now_ns)
{
	struct rtc *rtc = device;

	(void)now_ns;
	rtc->cmos[RTC_C] |= RTC_C_PF;
	drive_line(rtc);
}

static bool is_tick_masked(void *device)
{
	const struct rtc *rtc = device;

	return irq_masked(rtc->router, RTC_IRQ);
}

static const struct tick_ops tick_ops = { .raise = raise_tick, .masked = is_tick_masked };

/* The registers. */

/* Reading register C is how the guest accepts an interrupt: the line falls, and where the tick engine has another
 * tick waiting it rises again. */
static uint8_t read_c(struct rtc *rtc, uint64_t now_ns)
{
	catch_up(rtc, now_ns);
	latch_period(rtc, now_ns);
	uint8_t value = (uint8_t)(rtc->cmos[RTC_C] | (has_interrupt(rtc) ? RTC_C_IRQF : 0));

	rtc->cmos[RTC_C] = 0;
	drive_line(rtc);
	if (value & RTC_C_PF)
		tick_accepted(&rtc->tick, now_ns);
	schedule(rtc);
	return value;
}

/* The divider leaves reset: the first update ends half a second later (MC146818A, "Divider stages"). */
static void write_a(struct rtc *rtc, uint8_t value, uint64_t now_ns)
{
	bool was_running = is_running(rtc);

	latch_period(rtc, now_ns);
	rtc->cmos[RTC_A] = value & (uint8_t)~RTC_A_UIP;
	if (!was_running && is_running(rtc)) {
		rtc->chain_ns = now_ns;
		rtc->phase_ns = SECOND_NS / 2;
		rtc->updates = 0;
	}
	if (selected_count(rtc))
		rtc->periods = periods_by(rtc, now_ns, selected_count(rtc));
	retime_tick(rtc, now_ns);
}

static void write_b(struct rtc *rtc, uint8_t value, uint64_t now_ns)
{
	bool was_counting = is_counting(rtc);

	latch_period(rtc, now_ns);
	if ((value & RTC_B_SET) && !(rtc->cmos[RTC_B] & RTC_B_SET))
		value &= (uint8_t)~RTC_B_UIE;
	rtc->cmos[RTC_B] = value;
	if (!was_counting && is_counting(rtc))
		rtc->updates = updates_by(rtc, now_ns);
	drive_line(rtc);
	retime_tick(rtc, now_ns);
}

static bool is_time(unsigned index)
{
	return index <= RTC_YEAR || index == RTC_CENTURY;
}

static uint32_t rtc_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct rtc *rtc = device;
	unsigned index = rtc->index;

	(void)bytes;
	if (port == RTC_PORT_INDEX)
		return 0xff; /* write-only */
	if (index == RTC_C)
		return read_c(rtc, now_ns);
	if (index == RTC_A)
		return rtc->cmos[RTC_A] | (is_updating(rtc, now_ns) ? RTC_A_UIP : 0u);
	if (is_time(index) && catch_up(rtc, now_ns))
		drive_line(rtc);
	return rtc->cmos[index];
}

static void write_register(struct rtc *rtc, unsigned index, uint8_t value, uint64_t now_ns)
{
	if (index == RTC_C || index == RTC_D)
		return;
	if (index > RTC_B && index != RTC_CENTURY) {
		rtc->cmos[index] = value;
		return;
	}
	if (catch_up(rtc, now_ns))
		drive_line(rtc);
	if (index == RTC_A)
		write_a(rtc, value, now_ns);
	else if (index == RTC_B)
		write_b(rtc, value, now_ns);
	else
		rtc->cmos[index] = value;
	schedule(rtc);
}

/* Bit 7 of port 70h masks NMI on a PC; this guest has no NMI, and the host's port is not touched. */
static void rtc_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct rtc *rtc = device;

	(void)bytes;
	if (port == RTC_PORT_INDEX)
		rtc->index = value & 0x7f;
	else
		write_register(rtc, rtc->index, (uint8_t)value, now_ns);
}

void rtc_init(struct rtc *rtc, struct bus *bus, struct irq_router *router, struct event_queue *queue,
	      int64_t unix_at_zero)
{
	struct port_range range = { .first = RTC_PORT_INDEX, .last = RTC_PORT_DATA, .widest = 1, .device = rtc,
				    .read = rtc_read, .write = rtc_write };

	ASSERT(unix_at_zero >= 0 && unix_at_zero <= DATE_LAST_UNIX);
	memset(rtc, 0, sizeof(*rtc));
	rtc->router = router;
	rtc->queue = queue;
	rtc->cmos[RTC_A] = RTC_A_DV_RUN | 6; /* 1024 Hz: what a PC's firmware leaves */
	rtc->cmos[RTC_B] = RTC_B_24H;
	rtc->cmos[RTC_D] = RTC_D_VRT;
	encode_time(rtc, unix_at_zero, 0);
	event_init(&rtc->event, fire, rtc);
	tick_init(&rtc->tick, queue, &tick_ops, rtc, TICK_SLEW);
	irq_claim(router, RTC_IRQ, rtc, NULL);
	bus_add_ports(bus, &range);
}

void rtc_reset(struct rtc *rtc, uint64_t now_ns)
{
	catch_up(rtc, now_ns);
	rtc->cmos[RTC_B] &= (uint8_t)~(ENABLES | RTC_B_SQWE);
	rtc->cmos[RTC_C] = 0;
	drive_line(rtc);
	retime_tick(rtc, now_ns);
	schedule(rtc);
}

static void store_size(struct rtc *rtc, unsigned index, unsigned bytes, uint64_t size)
{
	uint64_t most = (1ull << (8 * bytes)) - 1;

	if (size > most)
		size = most;
	for (unsigned i = 0; i < bytes; i++)
		rtc->cmos[index + i] = (uint8_t)(size >> (8 * i));
}

/* The places are those of the IBM AT (15h to 18h, 30h and 31h) and of QEMU and SeaBIOS (34h and 35h, 5Bh to 5Dh). */
void rtc_set_memory(struct rtc *rtc, uint64_t below_4g_bytes, uint64_t above_4g_bytes)
{
	uint64_t above_1m = below_4g_bytes > 0x100000 ? below_4g_bytes - 0x100000 : 0;
	uint64_t above_16m = below_4g_bytes > 0x1000000 ? below_4g_bytes - 0x1000000 : 0;
	unsigned sum = 0;

	store_size(rtc, 0x15, 2, 640);
	store_size(rtc, 0x17, 2, above_1m >> 10);
	store_size(rtc, 0x30, 2, above_1m >> 10);
	store_size(rtc, 0x34, 2, above_16m >> 16);
	store_size(rtc, 0x5b, 3, above_4g_bytes >> 16);
	for (unsigned i = 0x10; i < 0x2e; i++)
		sum += rtc->cmos[i];
	rtc->cmos[0x2e] = (uint8_t)(sum >> 8);
	rtc->cmos[0x2f] = (uint8_t)sum;
}

int64_t rtc_unix(const struct rtc *rtc, uint64_t now_ns)
{
	uint64_t passed = is_counting(rtc) ? updates_by(rtc, now_ns) - rtc->updates : 0;

	return clamp_unix(decode_time(rtc) + (int64_t)passed);
}

uint32_t rtc_unix_ns(const struct rtc *rtc, uint64_t now_ns)
{
	return is_counting(rtc) ? (uint32_t)into_second_ns(rtc, now_ns) : 0;
}

bool rtc_set_unix(struct rtc *rtc, int64_t unix_seconds, uint64_t now_ns)
{
	ASSERT(unix_seconds >= 0 && unix_seconds <= DATE_LAST_UNIX);
	if (!is_counting(rtc))
		return false;
	if (catch_up(rtc, now_ns))
		drive_line(rtc);
	encode_time(rtc, unix_seconds, 0);
	schedule(rtc);
	return true;
}
