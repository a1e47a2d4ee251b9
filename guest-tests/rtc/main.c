/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MC146818A real-time clock (Motorola data sheet): its second by the TSC, roll-overs in BCD and binary, 12 and
 * 24 hours, mode bits that convert nothing, all periodic rates, alarms, update-in-progress, SET, the divider chain, flags
 * without enables, CMOS bytes. */
#include "guest-tests/lib/rtc.h"

#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define UIP_LEAST_NS (244 * NS_PER_US)          /* data sheet, "Update Cycle": UIP precedes the update by tBUC */
#define UIP_MOST_NS ((244 + 1984) * NS_PER_US)  /* and the update itself takes tUC */

const char test_name[] = "rtc";

/* How much later than its cause a handler may run here, in guest ns. */
static uint64_t latency_ns(void)
{
	return 20 * port_cost_ns() + 100 * NS_PER_US;
}

static bool close_to(uint64_t value, uint64_t wanted, uint64_t slack)
{
	return value + slack >= wanted && value <= wanted + slack;
}

static void registers(void)
{
	rtc_write(RTC_B, RTC_B_24H);
	report(rtc_read(RTC_D) == 0x80, "register D says valid: %x", rtc_read(RTC_D));
	report(rtc_read(RTC_B) == RTC_B_24H, "register B reads back: %x", rtc_read(RTC_B));
	rtc_write(RTC_A, RTC_A_RUN | 6);
	report((rtc_read(RTC_A) & 0x7F) == (RTC_A_RUN | 6), "register A reads back: %x", rtc_read(RTC_A));
	rtc_write(RTC_D, 0);
	rtc_write(RTC_C, 0xFF);
	report(rtc_read(RTC_D) == 0x80 && !(rtc_read(RTC_C) & 0x0F), "registers C and D cannot be written");
	rtc_write(RTC_B, RTC_B_24H | RTC_B_DSE);
	report(rtc_read(RTC_B) == (RTC_B_24H | RTC_B_DSE), "DSE is kept: %x", rtc_read(RTC_B));
	rtc_write(RTC_B, RTC_B_24H);
	rtc_write(0x60, 0x5A);
	rtc_write(0x61, 0xA5);
	report(rtc_read(0x60) == 0x5A && rtc_read(0xE1) == 0xA5,
	       "CMOS bytes keep their values; bit 7 of port 70h selects nothing");
}

static void one_second(void)
{
	uint64_t first, last;
	unsigned updates = 0;

	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	first = rtc_tsc;
	while (updates < 4 && rtc_wait_update())
		updates++;
	last = rtc_tsc;
	rtc_deafen();
	if (option_number("control", 0))
		last += NS_PER_SECOND / 20; /* the control: a wrong second must be seen */
	report(updates == 4 && close_to(last - first, 4 * NS_PER_SECOND, latency_ns()),
	       "4 update-ended interrupts in %llu ns", last - first);
}

struct instant {
	uint8_t century, year, month, day, weekday, hour, minute, second;
};

static void put_instant(const struct instant *t, uint8_t mode)
{
	rtc_write(RTC_B, RTC_B_SET | mode);
	rtc_write(RTC_CENTURY, t->century);
	rtc_write(RTC_YEAR, t->year);
	rtc_write(RTC_MONTH, t->month);
	rtc_write(RTC_DAY, t->day);
	rtc_write(RTC_WEEKDAY, t->weekday);
	rtc_write(RTC_HOURS, t->hour);
	rtc_write(RTC_MINUTES, t->minute);
	rtc_write(RTC_SECONDS, t->second);
	rtc_write(RTC_B, mode);
}

static bool shows_instant(const struct instant *t)
{
	return rtc_read(RTC_CENTURY) == t->century && rtc_read(RTC_YEAR) == t->year &&
		rtc_read(RTC_MONTH) == t->month &&
	       rtc_read(RTC_DAY) == t->day && rtc_read(RTC_WEEKDAY) == t->weekday && rtc_read(RTC_HOURS) == t->hour &&
	       rtc_read(RTC_MINUTES) == t->minute && rtc_read(RTC_SECONDS) == t->second;
}

struct roll_over {
	const char *what;
	uint8_t mode;
	struct instant before, after;
};

static const struct roll_over roll_overs[] = {
	{ "century", RTC_B_24H,
	  { 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59 }, { 0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0 } },
	{ "year", RTC_B_24H,
	  { 0x20, 0x24, 0x12, 0x31, 3, 0x23, 0x59, 0x59 }, { 0x20, 0x25, 0x01, 0x01, 4, 0, 0, 0 } },
	{ "leap day", RTC_B_24H,
	  { 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x59 }, { 0x20, 0x24, 0x02, 0x29, 5, 0, 0, 0 } },
	{ "no leap day", RTC_B_24H,
	  { 0x20, 0x23, 0x02, 0x28, 3, 0x23, 0x59, 0x59 }, { 0x20, 0x23, 0x03, 0x01, 4, 0, 0, 0 } },
	{ "Saturday", RTC_B_24H,
	  { 0x20, 0x25, 0x03, 0x29, 7, 0x23, 0x59, 0x59 }, { 0x20, 0x25, 0x03, 0x30, 1, 0, 0, 0 } },
	{ "BCD digits", RTC_B_24H,
	  { 0x20, 0x25, 0x03, 0x09, 1, 0x09, 0x09, 0x59 }, { 0x20, 0x25, 0x03, 0x09, 1, 0x09, 0x10, 0 } },
	{ "binary", RTC_B_24H | RTC_B_BINARY,
	  { 20, 24, 12, 31, 3, 23, 59, 59 }, { 20, 25, 1, 1, 4, 0, 0, 0 } },
	{ "12 hours, to noon", 0,
	  { 0x20, 0x25, 0x06, 0x15, 1, 0x11, 0x59, 0x59 }, { 0x20, 0x25, 0x06, 0x15, 1, 0x92, 0, 0 } },
	{ "12 hours, to 1 PM", 0,
	  { 0x20, 0x25, 0x06, 0x15, 1, 0x92, 0x59, 0x59 }, { 0x20, 0x25, 0x06, 0x15, 1, 0x81, 0, 0 } },
	{ "12 hours, to midnight", 0,
	  { 0x20, 0x25, 0x06, 0x15, 1, 0x91, 0x59, 0x59 }, { 0x20, 0x25, 0x06, 0x16, 2, 0x12, 0, 0 } },
	{ "12 hours, binary", RTC_B_BINARY,
	  { 20, 25, 6, 15, 1, 0x8B, 59, 59 }, { 20, 25, 6, 16, 2, 12, 0, 0 } },
};

static void rolls_over(const struct roll_over *r)
{
	put_instant(&r->before, r->mode);
	report(shows_instant(&r->before), "%s: what is set is shown", r->what);
	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	report(shows_instant(&r->after), "%s: rolls over; day %x, hour %x, second %x", r->what, rtc_read(RTC_DAY),
	       rtc_read(RTC_HOURS), rtc_read(RTC_SECONDS));
	rtc_deafen();
}

/* Data sheet, register B: the mode bits say what the bytes mean; they change none of them. And with DSE the clock goes on by
 * standard time through the last Sunday of April, 1:59:59, where the first chips made it 3:00:00. */
static void modes_convert_nothing(void)
{
	static const struct instant t = { 0x20, 0x25, 0x04, 0x27, 1, 0x12, 0x58, 0x57 };
	static const struct instant april = { 0x19, 0x86, 0x04, 0x27, 1, 0x01, 0x59, 0x59 };
	static const uint8_t modes[] = { 0, RTC_B_BINARY, RTC_B_24H, RTC_B_24H | RTC_B_BINARY };
	bool same = true;

	put_instant(&t, RTC_B_24H);
	rtc_write(RTC_B, RTC_B_24H | RTC_B_SET);
	for (unsigned i = 0; i < sizeof modes; i++) {
		rtc_write(RTC_B, modes[i] | RTC_B_SET);
		same &= shows_instant(&t);
	}
	report(same, "flips of the 12/24-hour and binary bits convert no byte");
	put_instant(&april, RTC_B_24H | RTC_B_DSE);
	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	report(rtc_read(RTC_HOURS) == 0x02 && rtc_read(RTC_MINUTES) == 0, "DSE moves no hour: %x", rtc_read(RTC_HOURS));
	rtc_deafen();
	rtc_write(RTC_B, RTC_B_24H);
}

/* Data sheet, "Divider Control": held in reset nothing counts; the first update comes half a second after it is released. */
static void divider(void)
{
	uint64_t released;
	uint8_t second;
	bool uip = false;

	rtc_write(RTC_A, 0x70 | 6);
	second = rtc_read(RTC_SECONDS);
	rtc_read(RTC_C);
	for (int i = 0; i < 24; i++) {
		sleep_us(50000);
		uip |= rtc_read(RTC_A) & RTC_A_UIP;
	}
	report_but_qemu(rtc_read(RTC_SECONDS) == second && !uip && !(rtc_read(RTC_C) & (RTC_C_UF | RTC_C_PF)),
			"with the divider held in reset no update and no period comes in 1.2 s");
	rtc_listen(RTC_B_UIE);
	rtc_write(RTC_A, RTC_A_RUN | 6);
	released = rdtsc();
	rtc_wait_update();
	report_but_qemu(close_to(rtc_tsc - released, NS_PER_SECOND / 2, latency_ns()),
			"the first update ends %llu ns after the divider is released", rtc_tsc - released);
	rtc_wait_update();
	report_but_qemu(close_to(rtc_tsc - released, NS_PER_SECOND * 3 / 2, latency_ns()), "and the next one a second later");
	rtc_deafen();
}

/* Data sheet, SET: a one that comes while UIP is set aborts the update. */
static void set_during_update(void)
{
	uint8_t second;

	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	rtc_deafen();
	second = rtc_read(RTC_SECONDS);
	sleep_us(997000 - (uint32_t)(40 * port_cost_least_ns() / NS_PER_US));
	while (!(rtc_read(RTC_A) & RTC_A_UIP))
		;
	rtc_write(RTC_B, RTC_B_24H | RTC_B_SET);
	report(!(rtc_read(RTC_A) & RTC_A_UIP), "SET while UIP is set ends it");
	sleep_us(5000);
	report_but_qemu(rtc_read(RTC_SECONDS) == second, "and the update does not come: %x, then %x", second, rtc_read(RTC_SECONDS));
	rtc_write(RTC_B, RTC_B_24H);
}

/* The interrupts of one rate over a time; where one period is too short for this machine to take an interrupt in
 * it, there must be none too many only. The handler ends it, because then it is the only code that runs. */
static void periodic(uint8_t select)
{
	uint32_t hz = select < 3 ? 512u >> select : 32768u >> (select - 1), before = irq_counts[8], count;
	uint64_t begin, end, run_ns = (hz < 32 ? 4 * NS_PER_SECOND / hz : NS_PER_SECOND / 8);
	bool attainable = NS_PER_SECOND / hz > 15 * port_cost_least_ns();

	rtc_write(RTC_A, RTC_A_RUN | select);
	begin = rdtsc();
	rtc_stop_tsc = begin + run_ns;
	rtc_listen(RTC_B_PIE);
	while (rtc_stop_tsc && rdtsc() - begin < 3 * run_ns)
		sti_hlt_cli();
	end = rtc_tsc;
	rtc_deafen();
	count = irq_counts[8] - before;
	report(count && count <= ticks_ceil(end - begin, hz) + 2, "%u Hz: %u interrupts in %llu ns, none too many", hz,
	       count, end - begin);
	/* QEMU under -icount merges two ticks into one while the processor is halted. */
	if (attainable)
		report_but_qemu(count + 2 >= ticks_floor(end - begin, hz), "%u Hz: none too few", hz);
	else
		report_skip("%u Hz is more than this machine takes at this rate: only the upper bound was judged", hz);
}

static uint8_t bcd_plus(uint8_t bcd, unsigned more)
{
	unsigned n = ((bcd >> 4) * 10u + (bcd & 15) + more) % 60;

	return (uint8_t)(n / 10 << 4 | n % 10);
}

/* An alarm at noon in 12-hour format, from two seconds before it. */
static void alarm_at_noon(uint8_t hour, uint8_t minute, uint8_t second, bool comes, const char *what)
{
	static const struct instant before = { 0x20, 0x25, 0x06, 0x15, 1, 0x11, 0x59, 0x58 };

	put_instant(&before, 0);
	rtc_write(RTC_HOURS_ALARM, hour);
	rtc_write(RTC_MINUTES_ALARM, minute);
	rtc_write(RTC_SECONDS_ALARM, second);
	rtc_listen(RTC_B_UIE | RTC_B_AIE);
	rtc_wait_update();
	rtc_causes = 0;
	rtc_wait_update();
	report_but_qemu(!!(rtc_causes & RTC_C_AF) == comes, "in 12 hours, an alarm for %s: causes %x at noon", what, rtc_causes);
	rtc_deafen();
}

static void alarms_of_12_hours(void)
{
	alarm_at_noon(0x92, 0x00, 0x00, true, "12:00:00 PM");
	alarm_at_noon(0x12, 0x00, 0x00, false, "12:00:00 AM");
	alarm_at_noon(0xC0, 0x00, 0x00, true, "any hour's 00:00");
	alarm_at_noon(0x92, 0xFF, 0x00, true, "any minute's 00 from 12 PM on");
	alarm_at_noon(0x92, 0x00, 0xE7, true, "any second of 12:00 PM");
	alarm_at_noon(0xC0, 0xC0, 0x30, false, "each second 30");
}

static void alarms(void)
{
	uint64_t from;
	uint32_t before;

	rtc_write(RTC_B, RTC_B_24H);
	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	from = rtc_tsc;
	rtc_write(RTC_SECONDS_ALARM, bcd_plus(rtc_read(RTC_SECONDS), 2));
	rtc_write(RTC_MINUTES_ALARM, 0xFF);
	rtc_write(RTC_HOURS_ALARM, 0xC0);
	rtc_listen(RTC_B_AIE);
	rtc_causes = 0;
	sleep_until_changed(&irq_counts[8], irq_counts[8], 5000000);
	report(rtc_causes & RTC_C_AF && close_to(rtc_tsc - from, 2 * NS_PER_SECOND, latency_ns()),
	       "an alarm 2 s ahead comes after %llu ns, causes %x", rtc_tsc - from, rtc_causes);
	rtc_write(RTC_SECONDS_ALARM, 0xC5);
	before = irq_counts[8];
	sleep_us(3000000);
	report(irq_counts[8] - before == 3, "with \"don't care\" everywhere it comes every second: %u in 3 s",
	       irq_counts[8] - before);
	rtc_deafen();
}

/* UIP rises 244 us before the update and falls when it is done; QEMU's updates take no time, the chip's 1984 us. */
static void update_in_progress(void)
{
	uint64_t edge, rise, fall, slack = 4 * port_cost_ns() + NS_PER_US;

	rtc_listen(RTC_B_UIE);
	rtc_wait_update();
	edge = rtc_tsc;
	rtc_deafen();
	report(!(rtc_read(RTC_A) & RTC_A_UIP), "UIP is clear after an update");
	/* Polling is dear where RDTSC exits: sleep until shortly before it begins. */
	sleep_us(997000 - (uint32_t)(40 * port_cost_least_ns() / NS_PER_US));
	while (!(rtc_read(RTC_A) & RTC_A_UIP) && rdtsc() - edge < 2 * NS_PER_SECOND)
		;
	rise = rdtsc();
	while (rtc_read(RTC_A) & RTC_A_UIP && rdtsc() - edge < 2 * NS_PER_SECOND)
		;
	fall = rdtsc();
	report(fall - rise + slack >= UIP_LEAST_NS && fall - rise <= UIP_MOST_NS + slack, "UIP is set for %llu ns",
	       fall - rise);
	report(close_to(fall - edge, NS_PER_SECOND, latency_ns()),
	       "and falls one second after the last update: %llu ns", fall - edge);
}

static void set_stops(void)
{
	uint8_t second;
	bool uip = false;

	rtc_write(RTC_B, RTC_B_24H | RTC_B_SET);
	second = rtc_read(RTC_SECONDS);
	for (int i = 0; i < 24; i++) {
		sleep_us(50000);
		uip |= rtc_read(RTC_A) & RTC_A_UIP;
	}
	report(rtc_read(RTC_SECONDS) == second && !uip, "with SET no update comes in 1.2 s, and UIP stays clear");
	rtc_write(RTC_B, RTC_B_24H | RTC_B_UIE);
	rtc_write(RTC_B, RTC_B_24H | RTC_B_UIE | RTC_B_SET);
	report(!(rtc_read(RTC_B) & RTC_B_UIE), "SET going high clears UIE: %x", rtc_read(RTC_B));
	rtc_write(RTC_B, RTC_B_24H);
}

static void flags(void)
{
	uint8_t c;

	rtc_write(RTC_A, RTC_A_RUN | 6);
	rtc_read(RTC_C);
	sleep_us(1100000);
	c = rtc_read(RTC_C);
	report_but_qemu((c & (RTC_C_IRQF | RTC_C_PF | RTC_C_UF)) == (RTC_C_PF | RTC_C_UF),
			"PF and UF are set without enables, IRQF is not: %x", c);
	c = rtc_read(RTC_C);
	report(!(c & RTC_C_UF), "reading register C clears it: %x", c);
}

/* What is no time at all must do no harm: a second passes, and a good time can be set afterwards. */
static void nonsense(void)
{
	static const struct instant bad[] = {
		{ 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF },
		{ 0x20, 0x25, 0x02, 0x31, 1, 0x23, 0x59, 0x59 },
		{ 0x20, 0x25, 0x00, 0x00, 0, 0x3A, 0x7B, 0x6C },
	};

	for (unsigned i = 0; i < 3; i++) {
		put_instant(&bad[i], RTC_B_24H);
		rtc_listen(RTC_B_UIE);
		report(rtc_wait_update(), "updates go on after nonsense %u was set", i);
		rtc_deafen();
	}
	put_instant(&roll_overs[1].before, RTC_B_24H);
	report(shows_instant(&roll_overs[1].before), "and a good time can be set again");
}

void test_main(void)
{
	registers();
	one_second();
	for (unsigned i = 0; i < sizeof roll_overs / sizeof roll_overs[0]; i++)
		rolls_over(&roll_overs[i]);
	modes_convert_nothing();
	for (uint8_t select = 1; select < 16; select++)
		periodic(select);
	alarms();
	alarms_of_12_hours();
	update_in_progress();
	set_stops();
	set_during_update();
	divider();
	flags();
	nonsense();
}
