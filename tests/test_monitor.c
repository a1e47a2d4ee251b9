/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The monitor's commands do what they say, say it in at most 79 columns, and change nothing on bad input. Also the
 * figures in their answers. */
#include "monitor/monitor.h"

#include "monitor/figures.h"
#include "tests/fake_control.h"
#include "tests/support.h"

#include <ctype.h>

static const struct identity identity = { "0.1.0", "abcdef", "svm" };
static struct machine machine;
static struct monitor monitor = { &machine, &identity };
static char answer[8192];
static unsigned lines;

static void keep_line(void *context, const char *text)
{
	(void)context;
	assert_true(strlen(text) <= 79);
	for (const char *at = text; *at; at++)
		assert_in_range(*at, 0x20, 0x7e);
	strcat(strcat(answer, text), "\n");
	lines++;
}

static enum monitor_result execute(const char *line)
{
	static const struct reply reply = { NULL, keep_line };

	answer[0] = 0;
	lines = 0;
	return monitor_execute(&monitor, line, &reply);
}

static int reset(void **state)
{
	(void)state;
	machine = fake_machine;
	return 0;
}

static bool is_untouched(void)
{
	return !memcmp(&machine, &fake_machine, sizeof machine);
}

#define RATE_USAGE "usage: rate [0 | 1/1000000 .. 1000000], as in: rate 2.5, rate 1d/1m\n"

static void rate_sets_and_tells_asked_and_effective(void **state)
{
	(void)state;
	assert_int_equal(execute("rate 10"), MONITOR_DONE);
	assert_string_equal(answer, "asked 10, effective 10, error -0.000003 ppm\n");
	assert_int_equal(machine.rate.asked.num, 10);
	execute("  rate\t1/4 ");
	assert_string_equal(answer, "asked 1/4, effective 0.25, error -0.000003 ppm\n");
	execute("rate 1d/1m");
	assert_int_equal(machine.rate.asked.num, 1440);
	assert_int_equal(machine.rate.asked.den, 1);
	execute("rate 2.5");
	assert_string_equal(answer, "asked 5/2, effective 2.5, error -0.000003 ppm\n");
	assert_int_equal(machine.rates, 4);
}

static void rate_alone_reads(void **state)
{
	(void)state;
	assert_int_equal(execute("rate"), MONITOR_DONE);
	assert_string_equal(answer, "asked              1\n"
				    "effective          1.000000000233 (error +0.000233 ppm)\n"
				    "attained           0.999871 since the last change\n"
				    "highest untrapped  255\n"
				    "TSC                read without an exit\n");
	assert_true(is_untouched());
	machine.rate.untrapped_limit = 0;
	machine.rate.trapped = machine.rate.paused = true;
	execute("rate");
	assert_non_null(strstr(answer, "asked              1 (paused)\n"));
	assert_non_null(strstr(answer, "highest untrapped  none (no TSC multiplier, or tsc=trap)\n"));
	assert_non_null(strstr(answer, "TSC                each read exits (trapped)\n"));
}

static void the_longest_rate_takes_two_lines(void **state)
{
	(void)state;
	execute("pause");
	execute("rate 999999/1000000");
	assert_string_equal(answer, "asked 999999/1000000, effective 0.999999, error -0.000003 ppm, paused\n");
	execute("rate 999999999999999/1000000000000000");
	assert_string_equal(answer, "asked 999999999999999/1000000000000000,\n"
				    "effective 0.999999999999, error -0.000003 ppm, paused\n");
}

static void bad_rates_get_the_usage_line(void **state)
{
	static const char *const bad[] = { "0/0", "1e99", "-1", "ten", "nan", "1/0", "1000001", "1/1000001", "1 2", "/",
					   "1/",  "/1", "+1", "1,5", "0x10", "1d",
					   "99999999999999999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[80];

		snprintf(line, sizeof line, "rate %s", bad[i]);
		assert_int_equal(execute(line), MONITOR_REFUSED);
		assert_string_equal(answer, RATE_USAGE);
		assert_true(is_untouched());
	}
	machine.refuse = true;
	assert_int_equal(execute("rate 10"), MONITOR_REFUSED);
	assert_string_equal(answer, RATE_USAGE);
}

static void pause_and_resume(void **state)
{
	(void)state;
	assert_int_equal(execute("resume"), MONITOR_REFUSED);
	assert_string_equal(answer, "running already\n");
	assert_int_equal(execute("pause"), MONITOR_DONE);
	assert_string_equal(answer, "paused at guest time 5s\n");
	assert_int_equal(execute("pause"), MONITOR_REFUSED);
	assert_string_equal(answer, "paused already\n");
	assert_int_equal(execute("resume"), MONITOR_DONE);
	assert_string_equal(answer, "running at guest time 5s\n");
	machine.time.ended = true;
	assert_int_equal(execute("pause"), MONITOR_REFUSED);
	assert_string_equal(answer, "the guest has ended\n");
	assert_int_equal(machine.pauses, 1);
	assert_int_equal(machine.resumes, 1);
}

static void time_tells_every_clock(void **state)
{
	(void)state;
	assert_int_equal(execute("time"), MONITOR_DONE);
	assert_string_equal(
		answer,
		"guest time  5s since power-on\n"
		"calendar    2025-01-31T12:34:56Z\n"
		"real time   4.999000001s since the guest's start\n"
		"host TSC    2999.999123 MHz\n"
		"bed clock   6.000000002s (hpet)\n"
		"state       running\n"
		"timer            due    accepted    merged   dropped    masked   backlog\n"
		"pit              100          90         1         2         3         7\n"
		"rtc               20          20         0         0         0         0\n");
	assert_true(is_untouched());
	machine.time.halted = true;
	execute("time");
	assert_non_null(strstr(answer, "state       running (the processor waits in HLT)\n"));
	machine.time.paused = true;
	execute("time");
	assert_non_null(strstr(answer, "state       paused\n"));
	machine.time.ended = true;
	execute("time");
	assert_non_null(strstr(answer, "state       ended\n"));
}

static void date_reads_sets_and_moves(void **state)
{
	(void)state;
	assert_int_equal(execute("date"), MONITOR_DONE);
	assert_string_equal(answer, "calendar    2025-01-31T12:34:56Z (RTC)\n"
				    "wall clock  2025-01-31T12:34:55Z and 999999999 ns (kvm-clock)\n");
	assert_true(is_untouched());
	assert_int_equal(execute("date +1mo"), MONITOR_DONE);
	assert_string_equal(answer, "the calendar goes from 2025-01-31T12:34:56Z to 2025-02-28T12:34:56Z\n");
	assert_int_equal(execute("date 2038-01-19T03:14:07Z"), MONITOR_DONE);
	assert_int_equal(machine.date.rtc_unix, INT32_MAX);
	assert_int_equal(execute("date -2h"), MONITOR_DONE);
	assert_string_equal(answer, "the calendar goes from 2038-01-19T03:14:07Z to 2038-01-19T01:14:07Z\n");
	assert_int_equal(machine.dates, 3);
}

static void bad_dates_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{ "date 2025-02-31", "that month has no such day\n" },
		{ "date 2025-13-01", "there is no such month: they are 01 to 12\n" },
		{ "date 2025-01-01T24:00:00Z", "no day has such a time: 00:00:00 to 23:59:59\n" },
		{ "date 1969-12-31", "the calendar begins at 1970-01-01T00:00:00Z\n" },
		{ "date -99999999999999999999d", "the calendar begins at 1970-01-01T00:00:00Z\n" },
		{ "date +8000y", "the calendar ends at 9999-12-31T23:59:59Z\n" },
		{ "date tomorrow", "usage: date [DATE | +STEP | -STEP], as in: date 2038-01-19, date +1mo, date -2h\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(execute(rows[i].line), MONITOR_REFUSED);
		assert_string_equal(answer, rows[i].answer);
		assert_true(is_untouched());
	}
	machine.refuse = true;
	assert_int_equal(execute("date +1y"), MONITOR_REFUSED);
	assert_string_equal(answer, "the guest is setting its clock: try again\n");
	machine.time.ended = true;
	assert_int_equal(execute("date +1y"), MONITOR_REFUSED);
	assert_string_equal(answer, "the guest has ended\n");
}

static void exits_lists_the_kinds_that_occurred(void **state)
{
	(void)state;
	assert_int_equal(execute("exits"), MONITOR_DONE);
	assert_string_equal(answer, "cpuid                                  12\n"
				    "port                 18446744073709551615\n"
				    "all exits                              34\n"
				    "injections                              5\n"
				    "unclaimed ports                         6\n"
				    "refused MSRs                            7\n");
	assert_true(is_untouched());
}

static void stall_takes_a_duration(void **state)
{
	(void)state;
	assert_int_equal(execute("stall 1.5ms"), MONITOR_DONE);
	assert_string_equal(answer, "the guest is stalled for 0.0015s of real time\n");
	assert_int_equal(machine.stalled_ns, 1500000);
	assert_int_equal(execute("stall"), MONITOR_REFUSED);
	assert_string_equal(answer, "usage: stall DURATION, as in: stall 1.5ms\n");
	assert_int_equal(execute("stall 5"), MONITOR_REFUSED);
	assert_int_equal(execute("stall -1s"), MONITOR_REFUSED);
	machine.refuse = true;
	assert_int_equal(execute("stall 1s"), MONITOR_REFUSED);
	assert_string_equal(answer, "cannot be stalled now\n");
	assert_int_equal(machine.stalls, 1);
}

static void quit_guest_and_version(void **state)
{
	(void)state;
	assert_int_equal(execute("version"), MONITOR_DONE);
	assert_string_equal(answer, "Foliot 0.1.0 (build abcdef, engine svm)\n");
	assert_int_equal(execute("guest"), MONITOR_LEAVE);
	assert_int_equal(lines, 0);
	assert_true(is_untouched());
	assert_int_equal(execute("quit"), MONITOR_DONE);
	assert_string_equal(answer, "ending the run\n");
	assert_int_equal(machine.quits, 1);
}

static void help_has_one_line_and_an_example_for_each_command(void **state)
{
	static const char *const names[] = { "rate", "pause", "resume", "time",    "date", "exits",
					     "stall", "quit",  "guest",  "version", "help" };
	char list[8192], line[80];

	(void)state;
	assert_int_equal(execute("help"), MONITOR_DONE);
	assert_int_equal(lines, sizeof names / sizeof *names);
	strcpy(list, answer);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(line, sizeof line, "help %s", names[i]);
		assert_non_null(strstr(list, names[i]));
		assert_int_equal(execute(line), MONITOR_DONE);
		assert_int_equal(strncmp(answer, names[i], strlen(names[i])), 0);
		assert_non_null(strstr(answer, "\n  as in: "));
	}
	assert_int_equal(execute("help no"), MONITOR_REFUSED);
	assert_string_equal(answer, "usage: help [COMMAND], as in: help rate\n");
	assert_true(is_untouched());
}

static void what_is_no_command_gets_one_line(void **state)
{
	char longest[400];

	(void)state;
	assert_int_equal(execute(""), MONITOR_DONE);
	assert_int_equal(execute(" \t "), MONITOR_DONE);
	assert_int_equal(lines, 0);
	assert_int_equal(execute("rat 10"), MONITOR_REFUSED);
	assert_string_equal(answer, "no command is called 'rat'; help lists them\n");
	assert_int_equal(execute("RATE 10"), MONITOR_REFUSED);
	assert_int_equal(execute("pause now"), MONITOR_REFUSED);
	assert_string_equal(answer, "usage: pause, as in: pause\n");
	assert_int_equal(execute("pause\r"), MONITOR_REFUSED);
	assert_int_equal(execute("rate 10\x80"), MONITOR_REFUSED);
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(execute(longest), MONITOR_REFUSED);
	assert_int_equal(lines, 1);
	longest[255] = 0;
	assert_int_equal(execute(longest), MONITOR_REFUSED);
	assert_int_equal(lines, 1);
	assert_true(is_untouched());
}

static void figures_are_exact(void **state)
{
	char text[FIGURE_BYTES];

	(void)state;
#define EXPECT(text_, call) \
	do { \
		assert_int_equal(call, strlen(text_)); \
		assert_string_equal(text, text_); \
	} while (0)
	EXPECT("0", figure_e12(text, sizeof text, 0, 12));
	EXPECT("0.000000000001", figure_e12(text, sizeof text, 1, 12));
	EXPECT("18446744.073709551615", figure_e12(text, sizeof text, UINT64_MAX, 12));
	EXPECT("18446744", figure_e12(text, sizeof text, UINT64_MAX, 0));
	EXPECT("1", figure_e12(text, sizeof text, 999999999999, 6));
	EXPECT("0.000001", figure_e12(text, sizeof text, 500000, 6));
	EXPECT("0", figure_e12(text, sizeof text, 499999, 6));
	EXPECT("0.999999", figure_e12(text, sizeof text, 999999499999, 6));
	EXPECT("1000000", figure_e12(text, sizeof text, 1000000000000000000, 12));
	EXPECT("0.000000001234", figure_measured_e12(text, sizeof text, 1234));
	EXPECT("0.123457", figure_measured_e12(text, sizeof text, 123456789012));
	EXPECT("9.99988", figure_measured_e12(text, sizeof text, 9999876543210));
	EXPECT("123457", figure_measured_e12(text, sizeof text, 123456789012345678));
	EXPECT("18446744", figure_measured_e12(text, sizeof text, UINT64_MAX));
	EXPECT("0 ppm", figure_ppm(text, sizeof text, 0));
	EXPECT("+1 ppm", figure_ppm(text, sizeof text, 1000000));
	EXPECT("-0.000001 ppm", figure_ppm(text, sizeof text, -1));
	EXPECT("-9223372036854.775808 ppm", figure_ppm(text, sizeof text, INT64_MIN));
	EXPECT("0s", figure_duration(text, sizeof text, 0));
	EXPECT("0.000000001s", figure_duration(text, sizeof text, 1));
	EXPECT("59.999999999s", figure_duration(text, sizeof text, 59999999999));
	EXPECT("1m", figure_duration(text, sizeof text, 60000000000));
	EXPECT("1d 30m", figure_duration(text, sizeof text, 88200000000000));
	EXPECT("2h 3.25s", figure_duration(text, sizeof text, 7203250000000));
	EXPECT("213503d 23h 34m 33.709551615s", figure_duration(text, sizeof text, UINT64_MAX));
	EXPECT("1970-01-01T00:00:00Z", figure_date(text, sizeof text, 0));
	EXPECT("9999-12-31T23:59:59Z", figure_date(text, sizeof text, 253402300799));
	EXPECT("253402300800", figure_date(text, sizeof text, 253402300800));
	EXPECT("-1", figure_date(text, sizeof text, -1));
	EXPECT("7", figure_rate(text, sizeof text, (struct rate){ 7, 1 }));
	EXPECT("1/1000000", figure_rate(text, sizeof text, (struct rate){ 1, 1000000 }));
#undef EXPECT
}

/* A line of words that nearly make a command, with any bytes between them that are no letters or digits. */
static void make_noise(uint64_t *random, char *line)
{
	static const char *const words[] = { "rate", "pause", "resume", "stall", "quit", "time",  "help", "x", "-1",
					     "0/0",  "1e99",  "ten",    "5",     "\t",   "1y",   ";", "99999999999" };
	size_t length = 0;

	for (uint64_t count = 1 + random_next(random) % 4; count; count--) {
		uint64_t pick = random_next(random);
		const char *word = words[pick / 512 % (sizeof words / sizeof *words)];
		char byte = (char)(1 + pick % 255);

		if (pick & 256)
			length += (size_t)sprintf(line + length, "%s ", word);
		else
			line[length++] = isalnum((unsigned char)byte) ? '#' : byte;
	}
	line[length] = 0;
}

/* The lines of the noise that are good commands after all. */
static bool is_command(const char *line)
{
	char a[64], b[64], c[64];
	int words = sscanf(line, " %63[^ \t] %63[^ \t] %63[^ \t]", a, b, c);

	return (words == 1 && (!strcmp(a, "pause") || !strcmp(a, "quit"))) ||
	       (words == 2 && !strcmp(a, "rate") && b[strspn(b, "0123456789./")] == 0);
}

static void noise_changes_nothing(void **state)
{
	uint64_t random = 0x6d6f6e;
	unsigned long tried = 0;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		char line[128];

		make_noise(&random, line);
		if (is_command(line))
			continue;
		tried++;
		execute(line);
		if (!is_untouched())
			fail_msg("taken for a command: %s", line);
	}
	assert_true(tried > share(1000000) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rate_sets_and_tells_asked_and_effective, reset),
		cmocka_unit_test_setup(rate_alone_reads, reset),
		cmocka_unit_test_setup(the_longest_rate_takes_two_lines, reset),
		cmocka_unit_test_setup(bad_rates_get_the_usage_line, reset),
		cmocka_unit_test_setup(pause_and_resume, reset),
		cmocka_unit_test_setup(time_tells_every_clock, reset),
		cmocka_unit_test_setup(date_reads_sets_and_moves, reset),
		cmocka_unit_test_setup(bad_dates_are_refused_with_the_reason, reset),
		cmocka_unit_test_setup(exits_lists_the_kinds_that_occurred, reset),
		cmocka_unit_test_setup(stall_takes_a_duration, reset),
		cmocka_unit_test_setup(quit_guest_and_version, reset),
		cmocka_unit_test_setup(help_has_one_line_and_an_example_for_each_command, reset),
		cmocka_unit_test_setup(what_is_no_command_gets_one_line, reset),
		cmocka_unit_test_setup(figures_are_exact, reset),
		cmocka_unit_test_setup(noise_changes_nothing, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
