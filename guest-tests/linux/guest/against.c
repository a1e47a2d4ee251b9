/* SPDX-License-Identifier: BSD-2-Clause
 *
 * For the Linux guest: `against SECONDS SLEEPS LINE` reads every clock that a program can reach, sleeps SLEEPS times to random
 * absolute deadlines of CLOCK_MONOTONIC, sleeps until SECONDS are over, reads the clocks again, and prints
 *     clock <name> <TSC before> <value> <TSC after>      raw (CLOCK_MONOTONIC_RAW, ns, just reached), pm and hpet (their counters)
 *     ticks <TSC before> <interrupts of that LINE of /proc/interrupts> <TSC after>
 *     sleeps <how many> early <of them, by CLOCK_MONOTONIC> interrupts <how many> ticks <of the TSC> least <ns> most <ns>
 * least and most: TSC ticks from before a reading of the clock to the wake-up, less what the deadline was ahead of that
 * reading. Where the TSC counts ns and the clock is right, that is never negative.
 * ACPI 6.5 5.2.9 (PM_TMR_BLK), 4.8.3.3; IA-PC HPET 1.0a 2.3.7; Linux Documentation/timers/hpet.rst (/dev/hpet). */

#include "tiny.h"

enum { SYS_READ = 0, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_MMAP = 9, SYS_PREAD = 17, SYS_IOPL = 172, SYS_CLOCK_NANOSLEEP = 230 };
enum { TIMER_ABSTIME = 1, PROT_READ = 1, MAP_SHARED = 1, EINTR = 4 };
enum { FADT_PM_TMR_BLK = 76, HPET_COUNTER = 0xf0 };
enum { TRIES = 32, SHORTEST_NS = 20000, LONGEST_NS = 16000000 };

static const char *interrupt_line;
static unsigned short pm_port;
static const volatile u64 *hpet_counter;
static char interrupts[16384];

static u64 read_tsc(void)
{
	unsigned low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

static u64 clock_ns(int clock)
{
	struct time time = { 0, 0 };

	system_call(SYS_CLOCK_GETTIME, clock, (long)&time, 0, 0, 0, 0);
	return (u64)time.s * 1000000000 + (u64)time.ns;
}

static u64 read_raw(void)
{
	return clock_ns(CLOCK_MONOTONIC_RAW);
}

static u64 read_monotonic(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static u64 read_pm(void)
{
	unsigned value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(pm_port));
	return value;
}

static u64 read_hpet(void)
{
	return *hpet_counter;
}

/* The count of the first processor in the line "LINE: count ..." of /proc/interrupts. */
static u64 read_interrupts(void)
{
	long file = system_call(SYS_OPEN, (long)"/proc/interrupts", 0, 0, 0, 0, 0);
	long bytes = 0, more;

	while ((more = system_call(SYS_READ, file, (long)interrupts + bytes, (long)sizeof interrupts - 1 - bytes, 0, 0, 0)) > 0)
		bytes += more;
	interrupts[bytes] = 0;
	system_call(SYS_CLOSE, file, 0, 0, 0, 0, 0);
	for (char *at = interrupts; *at; at++) {
		const char *name = interrupt_line;

		while (*at == ' ')
			at++;
		for (; *name && *at == *name; at++)
			name++;
		if (!*name && *at == ':') {
			u64 value = 0;

			for (at++; *at == ' ';)
				at++;
			for (; *at >= '0' && *at <= '9'; at++)
				value = value * 10 + (u64)(*at - '0');
			return value;
		}
		while (*at && *at != '\n')
			at++;
	}
	return 0;
}

struct reading {
	u64 before_tsc, value, after_tsc;
};

/* Of some readings that between whose bracket the least time passed. */
static struct reading bracket(u64 (*read)(void), unsigned tries)
{
	struct reading best = { 0, 0, ~0ul };

	while (tries--) {
		struct reading one;

		one.before_tsc = read_tsc();
		one.value = read();
		one.after_tsc = read_tsc();
		if (one.after_tsc - one.before_tsc < best.after_tsc - best.before_tsc)
			best = one;
	}
	return best;
}

/* As bracket, but each value was just reached: of a clock that steps seldom, that tells when. */
static struct reading edge(u64 (*read)(void), unsigned tries)
{
	struct reading best = { 0, 0, ~0ul };

	while (tries--) {
		struct reading one = { read_tsc(), read(), 0 }, next = { read_tsc(), read(), 0 };

		for (; next.value == one.value; next.before_tsc = read_tsc(), next.value = read())
			one = next;
		next.after_tsc = read_tsc();
		next.before_tsc = one.before_tsc;
		if (next.after_tsc - next.before_tsc < best.after_tsc - best.before_tsc)
			best = next;
	}
	return best;
}

static void say_reading(const char *name, struct reading reading)
{
	char line[120], *at = put(line, name);

	at = put_number(put(at, " "), reading.before_tsc);
	at = put_number(put(at, " "), reading.value);
	at = put_number(put(at, " "), reading.after_tsc);
	say(line, put(at, "\n"));
}

/* All are read before any is printed: printing takes long. */
static void look(void)
{
	struct reading raw = edge(read_raw, TRIES), pm = { 0, 0, 0 }, hpet = { 0, 0, 0 };
	struct reading ticks = bracket(read_interrupts, 4);

	if (pm_port)
		pm = bracket(read_pm, TRIES);
	if (hpet_counter)
		hpet = bracket(read_hpet, TRIES);
	say_reading("clock raw", raw);
	if (pm_port)
		say_reading("clock pm", pm);
	if (hpet_counter)
		say_reading("clock hpet", hpet);
	say_reading("ticks", ticks);
}

static void sleep_to(u64 deadline_ns)
{
	struct time deadline = { (long)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000) };

	while (system_call(SYS_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&deadline, 0, 0, 0) == -EINTR)
		;
}

static char *put_signed(char *at, long value)
{
	return put_number(put(at, value < 0 ? "-" : ""), value < 0 ? -(u64)value : (u64)value);
}

static void sleep_often(long count)
{
	u64 random = 88172645463325252;
	u64 interrupts_before = read_interrupts(), begin_tsc = read_tsc();
	long least = 1L << 62, most = -least, early = 0;
	char line[200], *at = line;

	for (long i = 0; i < count; i++) {
		struct reading now = bracket(read_monotonic, 3);
		u64 ahead_ns;
		long late;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* xorshift64, G. Marsaglia 2003 */
		ahead_ns = SHORTEST_NS + (random >> 32) % (i % 8 ? LONGEST_NS / 16 : LONGEST_NS);
		sleep_to(now.value + ahead_ns);
		late = (long)(read_tsc() - now.before_tsc - ahead_ns);
		early += read_monotonic() < now.value + ahead_ns;
		least = late < least ? late : least;
		most = late > most ? late : most;
	}
	at = put_number(put(at, "sleeps "), (u64)count);
	at = put_number(put(at, " early "), (u64)early);
	at = put_number(put(at, " interrupts "), read_interrupts() - interrupts_before);
	at = put_number(put(at, " ticks "), read_tsc() - begin_tsc);
	at = put_signed(put(at, " least "), count ? least : 0);
	at = put_signed(put(at, " most "), count ? most : 0);
	say(line, put(at, "\n"));
}

static void find_clocks(void)
{
	long fadt = system_call(SYS_OPEN, (long)"/sys/firmware/acpi/tables/FACP", 0, 0, 0, 0, 0);
	long hpet = system_call(SYS_OPEN, (long)"/dev/hpet", 0, 0, 0, 0, 0);
	unsigned port = 0;

	if (fadt >= 0 && system_call(SYS_PREAD, fadt, (long)&port, 4, FADT_PM_TMR_BLK, 0, 0) == 4 && !system_call(SYS_IOPL, 3, 0, 0, 0, 0, 0))
		pm_port = (unsigned short)port;
	if (hpet >= 0) {
		long page = system_call(SYS_MMAP, 0, 4096, PROT_READ, MAP_SHARED, hpet, 0);

		if (page > 0)
			hpet_counter = (const volatile u64 *)(page + HPET_COUNTER);
	}
}

__attribute__((used)) static void start(long count, char **arguments)
{
	static const char usage[] = "usage: against SECONDS SLEEPS LINE\n";
	u64 began_ns;

	if (count != 4) {
		say(usage, usage + sizeof usage - 1);
		leave(2);
	}
	interrupt_line = arguments[3];
	find_clocks();
	began_ns = read_monotonic();
	look();
	sleep_often(number(arguments[2]));
	sleep_to(began_ns + (u64)number(arguments[1]) * 1000000000);
	look();
	leave(0);
}
