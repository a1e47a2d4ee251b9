/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Jumps of the calendar as a guest sees them. Foliot's do= makes them at known guest times (table.py, CALENDAR); the RTC and
 * kvm-clock's wall clock show them at once, no other clock does, no interrupt of the RTC is lost, doubled or moved, and an
 * alarm comes only for a time that the calendar reaches. The guest's TSC is guest time. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/pvclock.h"
#include "guest-tests/lib/report.h"
#include "guest-tests/lib/rtc.h"

#define PERIODIC_HZ 64
#define PERIOD_NS (NS_PER_SECOND / PERIODIC_HZ)
#define RS_64_HZ 10
#define SECONDS 14 /* that the whole takes */

const char test_name[] = "calendar";

static volatile struct pvclock_page page __attribute__((aligned(64)));
static volatile struct pvclock_wall wall __attribute__((aligned(64)));

/* What the handler saw; and how long after its time the promptest periodic interrupt since the last look came: what makes
 * one late does not make all of them late, but a jump that moves their phase would. */
static volatile uint32_t periodics, updates, alarms;
static volatile uint64_t least_late_ns;
static uint64_t most_late_ns; /* of those leasts */

static void on_interrupt(void)
{
	uint64_t tsc = rdtsc();
	uint8_t causes = rtc_read(RTC_C);

	if (causes & RTC_C_PF) {
		periodics++;
		if (tsc % PERIOD_NS < least_late_ns)
			least_late_ns = tsc % PERIOD_NS;
	}
	updates += !!(causes & RTC_C_UF);
	alarms += !!(causes & RTC_C_AF);
}

static void wait_until(uint32_t ms)
{
	least_late_ns = PERIOD_NS;
	while (rdtsc() < ms * NS_PER_MS)
		sti_hlt_cli();
	if (least_late_ns > most_late_ns)
		most_late_ns = least_late_ns;
}

/* The date at that guest time, well away from the ends of a second. */
static void expect_date(uint32_t ms, int64_t wanted, const char *what)
{
	int64_t shown;

	wait_until(ms);
	shown = rtc_unix();
	report(shown == wanted, "%s: %lld at %u ms", what, shown, ms);
}

/* The date by kvm-clock, as Linux adds it up. */
static void expect_wall(int64_t wanted, const char *what)
{
	uint64_t ns;

	if (!pvclock_present()) {
		report_skip("no kvm-clock");
		return;
	}
	wrmsr(MSR_KVM_WALL_CLOCK, (uint32_t)&wall);
	ns = wall.ns + pvclock_read(&page);
	report((int64_t)(wall.seconds + ns / NS_PER_SECOND) == wanted && !(wall.version & 1) && wall.ns < NS_PER_SECOND,
	       "%s by kvm-clock: %u s and %u ns at guest time 0", what, wall.seconds, wall.ns);
}

static void set_alarm(uint8_t hour, uint8_t minute, uint8_t second)
{
	rtc_write(RTC_HOURS_ALARM, hour);
	rtc_write(RTC_MINUTES_ALARM, minute);
	rtc_write(RTC_SECONDS_ALARM, second);
	alarms = 0;
}

/* 1500 ms: to 2038-01-19T03:14:05Z, two seconds before signed 32-bit time ends. */
static void over_2038(void)
{
	expect_date(1250, 1735689601, "the date at power-on, and a second");
	expect_date(1750, 2147483645, "a date is set");
	expect_wall(2147483645, "it is set");
	expect_date(4250, 2147483648, "the calendar goes on over the end of 32-bit time");
	expect_wall(2147483648, "it goes on");
}

/* 5500 ms: to 2024-02-28T23:59:58Z; the alarm is at 23:59:59. 8500 ms: a year further, where no such day is. */
static void over_a_leap_day(void)
{
	set_alarm(0x23, 0x59, 0x59);
	expect_date(5750, 1709164798, "before the leap day");
	report(!alarms, "no alarm for the time that a jump skips");
	expect_date(7250, 1709164800, "the leap day comes");
	report(alarms == 1, "an alarm that the calendar reaches comes: %u", alarms);
	expect_date(8750, 1740700801, "a year from 29 February on is 28 February");
	expect_wall(1740700801, "it is");
}

/* 9500 ms: dates that are none. 10500 ms: 20 s further, over the alarm at 00:00:10. */
static void refusals_and_a_skipped_alarm(void)
{
	set_alarm(0x00, 0x00, 0x10);
	expect_date(9750, 1740700802, "a bad date changes nothing");
	expect_wall(1740700802, "it changes nothing");
	expect_date(10750, 1740700823, "20 s further");
	report(!alarms, "no alarm that was jumped over");
}

/* 11500 ms: to the last day of the calendar, while the format is binary with 12 hours. */
static void in_another_format(void)
{
	uint8_t b = rtc_read(RTC_B);

	wait_until(11250);
	rtc_write(RTC_B, (uint8_t)(b & ~RTC_B_24H) | RTC_B_BINARY | RTC_B_SET);
	rtc_write(RTC_HOURS, 11 | 0x80);
	rtc_write(RTC_B, (uint8_t)(b & ~RTC_B_24H) | RTC_B_BINARY);
	wait_until(11750);
	report(rtc_read(RTC_HOURS) == (11 | 0x80) && rtc_read(RTC_DAY) == 31 && rtc_read(RTC_CENTURY) == 99 && rtc_read(RTC_SECONDS) == 50,
	       "a jump keeps the guest's format: hour %x, day %u, century %u, second %u", rtc_read(RTC_HOURS), rtc_read(RTC_DAY),
	       rtc_read(RTC_CENTURY), rtc_read(RTC_SECONDS));
	rtc_write(RTC_B, b | RTC_B_SET);
	rtc_write(RTC_B, b);
}

static void judge_interrupts(uint32_t updates_wanted, uint32_t periodics_wanted)
{
	uint64_t slack_ns = 20 * port_cost_ns() + 100 * NS_PER_US;

	report(updates == updates_wanted, "an update ended each second, and none twice: %u of %u", updates, updates_wanted);
	report(periodics == periodics_wanted, "no periodic interrupt was lost or doubled: %u of %u", periodics, periodics_wanted);
	report(most_late_ns <= slack_ns, "no jump moved their phase: the promptest of each span came at most %llu ns after its time", most_late_ns);
}

void test_main(void)
{
	struct sample start = { 0 }, end = { 0 };
	uint32_t missed, pm_ticks;

	irq_handlers[8] = on_interrupt;
	rtc_write(RTC_A, RTC_A_RUN | RS_64_HZ);
	rtc_write(RTC_B, RTC_B_24H);
	rtc_read(RTC_C);
	irq_mask(8, false);
	while (rdtsc() % PERIOD_NS > PERIOD_NS / 2)
		; /* the first one is not to fall between the next lines */
	rtc_read(RTC_C);
	rtc_write(RTC_B, RTC_B_24H | RTC_B_PIE | RTC_B_UIE | RTC_B_AIE);
	set_alarm(0x23, 0x59, 0x59);
	missed = (uint32_t)(rdtsc() * PERIODIC_HZ / NS_PER_SECOND);
	start.before = rdtsc();
	start.value = pm_timer_read();
	start.after = rdtsc();
	if (pvclock_present())
		wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
	over_2038();
	over_a_leap_day();
	refusals_and_a_skipped_alarm();
	in_another_format();
	end.before = rdtsc();
	end.value = pm_timer_read();
	end.after = rdtsc();
	pm_ticks = pm_timer_ticks((uint32_t)start.value, (uint32_t)end.value);
	report(ticks_agree(&start, &end, pm_ticks, PM_TIMER_HZ, 1), "the PM timer went with the TSC through all jumps: %u ticks", pm_ticks);
	wait_until(SECONDS * 1000 - 250);
	judge_interrupts(SECONDS - 1, (SECONDS * 1000 - 250) * PERIODIC_HZ / 1000 - missed + !!option_number("control", 0));
}
