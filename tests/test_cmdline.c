/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's command line: what each key does, that everything else is named in a warning and has no effect, and
 * that no text whatever makes the parser read or write where it must not. */
#include "vm/cmdline.h"

#include "tests/support.h"

static char warnings[4096];
static unsigned warning_count;

static void warn(void *context, const char *line)
{
	assert_ptr_equal(context, warnings);
	assert_true(strlen(line) < 320);
	for (const char *c = line; *c; c++)
		assert_in_range(*c, ' ', '~');
	warning_count++;
	if (strlen(warnings) + strlen(line) + 2 < sizeof warnings)
		strcat(strcat(warnings, line), "\n");
}

static struct settings parse(const char *text)
{
	struct settings settings;

	memset(&settings, 0xee, sizeof settings);
	warnings[0] = 0;
	warning_count = 0;
	cmdline_parse(text, &settings, warn, warnings);
	return settings;
}

static void an_empty_line_gives_the_defaults(void **state)
{
	static const char *const blank[] = { "", " ", "\t \r\n " };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct settings s = parse(blank[i]);

		assert_int_equal(warning_count, 0);
		assert_int_equal(s.rate.num, 1);
		assert_int_equal(s.rate.den, 1);
		assert_int_equal(s.tsc, TSC_AUTO);
		assert_int_equal(s.tick_pit, TICK_SLEW);
		assert_int_equal(s.tick_rtc, TICK_SLEW);
		assert_true(s.rtc_from_host);
		assert_int_equal(s.mem_mib, 0);
		assert_int_equal(s.escape, 0x1d);
		assert_false(s.hide_random);
		assert_int_equal(s.clocks, CLOCKS_ALL);
		assert_int_equal(s.hv, HV_KVM);
		assert_false(s.hide_invariant || s.hide_constant || s.hide_tsc_frequency || s.hide_tsc_adjust || s.hide_tsc_deadline || s.hide_x2apic);
		assert_int_equal(s.exit_port, 0);
		assert_int_equal(s.trace_port, 0);
		assert_int_equal(s.on_reset, RESET_STOP);
		assert_int_equal(s.on_death, DEATH_STAY);
		assert_int_equal(s.do_count, 0);
	}
}

static void each_key_sets_its_value(void **state)
{
	struct settings s = parse("rate=1/4 mode=wall tsc=trap tick=merge tick.rtc=discard "
				  "rtc=2025-01-01T00:00:00 mem=512\tescape=^A exit-port=0xf4 trace-port=0x378 on-reset=restart "
				  "on-death=leave rdrand=hide");

	(void)state;
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.rate.num, 1);
	assert_int_equal(s.rate.den, 4);
	assert_int_equal(s.tsc, TSC_TRAP);
	assert_int_equal(s.tick_pit, TICK_MERGE);
	assert_int_equal(s.tick_rtc, TICK_DISCARD);
	assert_false(s.rtc_from_host);
	assert_int_equal(s.rtc_unix, 1735689600);
	assert_int_equal(s.mem_mib, 512);
	assert_int_equal(s.escape, 1);
	assert_true(s.hide_random);
	assert_int_equal(s.exit_port, 0xf4);
	assert_int_equal(s.trace_port, 0x378);
	assert_int_equal(s.on_reset, RESET_RESTART);
	assert_int_equal(s.on_death, DEATH_LEAVE);
	s = parse("tick.pit=none tick.rtc=catchup tsc=scale escape=none rtc=86400 rate=0");
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.tick_pit, TICK_DISCARD);
	assert_int_equal(s.tick_rtc, TICK_SLEW);
	assert_int_equal(s.tsc, TSC_SCALE);
	assert_int_equal(s.escape, -1);
	assert_int_equal(s.rtc_unix, 86400);
	assert_int_equal(s.rate.num, 0);
	s = parse("tick=delay escape=29 rtc=host rdrand=pass");
	assert_false(s.hide_random);
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.tick_pit, TICK_DELAY);
	assert_int_equal(s.tick_rtc, TICK_DELAY);
	assert_int_equal(s.escape, 29);
}

static void each_feature_is_hidden_by_its_key(void **state)
{
	static const struct { const char *key; size_t offset; } keys[] = {
		{ "rdrand", offsetof(struct settings, hide_random) },
		{ "tsc-invariant", offsetof(struct settings, hide_invariant) },
		{ "tsc-constant", offsetof(struct settings, hide_constant) },
		{ "tsc-frequency", offsetof(struct settings, hide_tsc_frequency) },
		{ "tsc-adjust", offsetof(struct settings, hide_tsc_adjust) },
		{ "tsc-deadline", offsetof(struct settings, hide_tsc_deadline) },
		{ "x2apic", offsetof(struct settings, hide_x2apic) },
	};
	struct settings defaults = parse(""), wanted, s;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char text[40];

		snprintf(text, sizeof text, "%s=hide", keys[i].key);
		s = parse(text);
		wanted = defaults;
		*(bool *)((char *)&wanted + keys[i].offset) = true;
		assert_memory_equal(&s, &wanted, sizeof s);
		snprintf(text, sizeof text, "%s=%s", keys[i].key, i ? "show" : "pass");
		s = parse(text);
		assert_memory_equal(&s, &defaults, sizeof s);
		assert_int_equal(warning_count, 0);
	}
}

static void an_hpet_has_the_shape_that_was_asked_for(void **state)
{
	static const struct { const char *text; struct hpet_shape shape; } shapes[] = {
		{ "", { 3, 0, 100000000 } },
		{ "hpet=none", { 0, 0, 100000000 } },
		{ "hpet=4x32@14318180", { 0, 4, 14318180 } },
		{ "hpet=3x64+29x32", { 3, 29, 100000000 } },
		{ "hpet=29x32+3x64@10000000", { 3, 29, 10000000 } },
		{ "hpet=32x64@1000000000", { 32, 0, 1000000000 } },
		{ "hpet=1x64+2x32", { 1, 2, 100000000 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct settings s = parse(shapes[i].text);

		assert_int_equal(warning_count, 0);
		assert_int_equal(s.hpet.wide, shapes[i].shape.wide);
		assert_int_equal(s.hpet.narrow, shapes[i].shape.narrow);
		assert_int_equal(s.hpet.hz, shapes[i].shape.hz);
		assert_int_equal(s.tick_hpet, TICK_SLEW);
	}
	assert_int_equal(parse("tick=merge").tick_hpet, TICK_MERGE);
	assert_int_equal(parse("tick.hpet=discard tick=merge").tick_hpet, TICK_DISCARD);
	assert_int_equal(parse("tick.hpet=discard").tick_pit, TICK_SLEW);
	assert_int_equal(parse("").tick_lapic, TICK_SLEW);
	assert_int_equal(parse("tick=merge tick.hpet=delay").tick_lapic, TICK_MERGE);
	assert_int_equal(parse("tick.lapic=discard tick=merge").tick_lapic, TICK_DISCARD);
	assert_int_equal(parse("tick.lapic=discard").tick_hpet, TICK_SLEW);
}

static void clocks_are_a_list_of_names(void **state)
{
	static const struct { const char *text; uint32_t clocks; enum hv_interface hv; } sets[] = {
		{ "clocks=pit", CLOCK_PIT, HV_KVM },
		{ "clocks=rtc,pit", CLOCK_PIT | CLOCK_RTC, HV_KVM },
		{ "clocks=hpet", CLOCK_HPET, HV_KVM },
		{ "clocks=lapic,pmtimer", CLOCK_LAPIC | CLOCK_PMTIMER, HV_KVM },
		{ "clocks=lapic,tsc-deadline,tsc", CLOCK_LAPIC | CLOCK_TSC | CLOCK_TSC_DEADLINE, HV_KVM },
		{ "clocks=pit,tsc,pvclock", CLOCK_PIT | CLOCK_TSC | CLOCK_PVCLOCK, HV_KVM },
		{ "clocks=pit,hyperv", CLOCK_PIT | CLOCK_HYPERV, HV_HYPERV },
		{ "clocks=pit,tsc,hyperv,pvclock", CLOCK_PIT | CLOCK_TSC | CLOCK_HYPERV | CLOCK_PVCLOCK, HV_BOTH },
		{ "clocks=pit hv=none", CLOCK_PIT, HV_NONE },
		{ "hv=both clocks=pit", CLOCK_PIT, HV_BOTH },
		{ "hv=hyperv clocks=pit,hyperv", CLOCK_PIT | CLOCK_HYPERV, HV_HYPERV },
		{ "clocks=pit,rtc,hpet,pmtimer,tsc,lapic,tsc-deadline,pvclock,hyperv", CLOCKS_ALL, HV_BOTH },
		{ "hv=both", CLOCKS_ALL, HV_BOTH }, { "hv=hyperv", CLOCKS_ALL, HV_HYPERV }, { "hv=none", CLOCKS_ALL, HV_NONE },
		{ "hv=kvm", CLOCKS_ALL, HV_KVM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		struct settings s = parse(sets[i].text);

		if (warning_count || s.clocks != sets[i].clocks || s.hv != sets[i].hv)
			fail_msg("%s: %x, %d: %s", sets[i].text, s.clocks, s.hv, warnings);
	}
}

/* Refused sets name what was wrong and all that there is. */
static void a_refused_set_is_told_what_there_is(void **state)
{
	static const char *const names[] = { "pit", "rtc", "hpet", "pmtimer", "tsc", "lapic", "tsc-deadline", "pvclock", "hyperv" };

	(void)state;
	parse("clocks=pit,sundial");
	assert_non_null(strstr(warnings, "clocks: \"pit,sundial\""));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_non_null(strstr(warnings, names[i]));
}

static void clocks_with_the_hpet_has_one(void **state)
{
	struct settings s = parse("hpet=none clocks=hpet");

	(void)state;
	assert_int_equal(warning_count, 1);
	assert_non_null(strstr(warnings, "clocks names the HPET, hpet is ignored: \"none\""));
	assert_int_equal(s.hpet.wide, 3);
	assert_int_equal(s.clocks, CLOCK_HPET);
	s = parse("hpet=none clocks=pit");
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.hpet.wide + s.hpet.narrow, 0);
}

static void clocks_that_hv_has_not_are_refused(void **state)
{
	static const char *const texts[] = { "hv=kvm clocks=pit,hyperv", "clocks=pit,tsc,pvclock hv=hyperv", "clocks=pit,hyperv hv=none" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct settings s = parse(texts[i]);

		assert_int_equal(warning_count, 1);
		assert_non_null(strstr(warnings, "hyperv with hyperv or both"));
		assert_int_equal(s.clocks, CLOCKS_ALL);
		assert_int_not_equal(s.hv, HV_BOTH);
	}
}

static void the_policy_of_one_timer_counts_before_or_after_that_of_all(void **state)
{
	struct settings s = parse("tick.pit=delay tick=merge");

	(void)state;
	assert_int_equal(s.tick_pit, TICK_DELAY);
	assert_int_equal(s.tick_rtc, TICK_MERGE);
	assert_int_equal(warning_count, 0);
}

static const struct {
	const char *text, *named;
} wrong[] = {
	{ "rate=1e99", "rate: \"1e99\"" },
	{ "rate=0/0", "rate: \"0/0\"" },
	{ "rate=nan", "rate: \"nan\"" },
	{ "rate=-1", "rate: \"-1\"" },
	{ "rate=", "rate: \"\"" },
	{ "rate=\"1 0\"", "rate: \"1 0\"" },
	{ "rat=10", "unknown key, ignored: \"rat\"" },
	{ "RATE=10", "unknown key, ignored: \"RATE\"" },
	{ "=10", "unknown key, ignored: \"\"" },
	{ "rate", "\"rate\"" },
	{ "mode=warp", "mode: \"warp\"" },
	{ "tsc=fast", "tsc: \"fast\"" },
	{ "tick=fast", "tick: \"fast\"" },
	{ "rtc=2025-02-31", "rtc: \"2025-02-31\"" },
	{ "rtc=-1", "rtc: \"-1\"" },
	{ "rtc=253402300800", "rtc: \"253402300800\"" },
	{ "mem=0", "mem: \"0\"" },
	{ "mem=1G", "mem: \"1G\"" },
	{ "mem=18446744073709551615", "mem: \"18446744073709551615\"" },
	{ "rdrand=1", "rdrand: \"1\"" },
	{ "hv=xen", "hv: \"xen\"" },
	{ "hv=", "hv: \"\"" },
	{ "tick.hpet=never", "tick.hpet: \"never\"" },
	{ "hpet=", "hpet: \"\"" },
	{ "hpet=2x64", "hpet: \"2x64\"" },
	{ "hpet=33x32", "hpet: \"33x32\"" },
	{ "hpet=3x64+30x32", "hpet: \"3x64+30x32\"" },
	{ "hpet=3x64+3x64", "hpet: \"3x64+3x64\"" },
	{ "hpet=3x64+0x32", "hpet: \"3x64+0x32\"" },
	{ "hpet=3x16", "hpet: \"3x16\"" },
	{ "hpet=3x64+", "hpet: \"3x64+\"" },
	{ "hpet=3x64@", "hpet: \"3x64@\"" },
	{ "hpet=3x64@9999999", "hpet: \"3x64@9999999\"" },
	{ "hpet=3x64@1000000001", "hpet: \"3x64@1000000001\"" },
	{ "hpet=3x64@100000000000000000000000", "hpet: \"3x64@100000000000000000000000\"" },
	{ "hpet=-3x64", "hpet: \"-3x64\"" },
	{ "hpet=x64", "hpet: \"x64\"" },
	{ "hpet=3x", "hpet: \"3x\"" },
	{ "hpet=3", "hpet: \"3\"" },
	{ "hpet=None", "hpet: \"None\"" },
	{ "clocks=", "clocks: \"\"" },
	{ "clocks=pit,", "clocks: \"pit,\"" },
	{ "clocks=,pit", "clocks: \",pit\"" },
	{ "clocks=PIT", "clocks: \"PIT\"" },
	{ "clocks=pi", "clocks: \"pi\"" },
	{ "clocks=pitt", "clocks: \"pitt\"" },
	{ "clocks=all", "clocks: \"all\"" },
	{ "clocks=tsc,pvclock,pmtimer", "clocks: \"tsc,pvclock,pmtimer\"" }, /* nothing interrupts */
	{ "clocks=pit,pvclock", "clocks: \"pit,pvclock\"" },                 /* pvclock counts by the TSC */
	{ "clocks=pit,tsc,tsc-deadline", "clocks: \"pit,tsc,tsc-deadline\"" },
	{ "clocks=lapic,tsc-deadline", "clocks: \"lapic,tsc-deadline\"" },
	{ "tsc-invariant=1", "tsc-invariant: \"1\"" },
	{ "tsc-constant=no", "tsc-constant: \"no\"" },
	{ "tsc-frequency=1", "tsc-frequency: \"1\"" },
	{ "tsc-adjust=pass", "tsc-adjust: \"pass\"" },
	{ "tsc-deadline=", "tsc-deadline: \"\"" },
	{ "x2apic=off", "x2apic: \"off\"" },
	{ "escape=^", "escape: \"^\"" },
	{ "escape=^a", "escape: \"^a\"" },
	{ "escape=256", "escape: \"256\"" },
	{ "exit-port=65536", "exit-port: \"65536\"" },
	{ "exit-port=0", "exit-port: \"0\"" },
	{ "trace-port=0x10000", "trace-port: \"0x10000\"" },
	{ "on-reset=never", "on-reset: \"never\"" },
	{ "on-death=never", "on-death: \"never\"" },
	{ "do=rate", "do: \"rate\"" },
	{ "do=5s:", "do: \"5s:\"" },
	{ "do=5:rate", "do: \"5:rate\"" },
	{ "do=:rate", "do: \":rate\"" },
	{ "do=-5s:rate", "do: \"-5s:rate\"" },
	{ "\x01\x7f\x80\xff=1", "unknown key, ignored: \"????\"" },
};

static void what_is_wrong_is_named_and_has_no_effect(void **state)
{
	struct settings defaults = parse("");

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct settings s = parse(wrong[i].text);

		if (warning_count != 1 || !strstr(warnings, wrong[i].named))
			fail_msg("%s: %u warnings: %s", wrong[i].text, warning_count, warnings);
		assert_memory_equal(&s, &defaults, sizeof s);
	}
}

static void of_a_key_given_twice_the_first_counts(void **state)
{
	struct settings s = parse("rate=2 rate=3");

	(void)state;
	assert_int_equal(s.rate.num, 2);
	assert_int_equal(warning_count, 1);
	assert_non_null(strstr(warnings, "twice"));
	assert_non_null(strstr(warnings, "rate"));
	s = parse("rate=x rate=3"); /* the first is no rate: it does not count */
	assert_int_equal(s.rate.num, 3);
	assert_int_equal(warning_count, 1);
}

static void commands_are_sorted_by_their_time(void **state)
{
	struct settings s = parse("do=\"2m:rate 10\" do=100ms:pause \"do=5s:rate 1d/1m\" do=5s:time do=0ns:exits "
				  "do=\"1s:say key=value: x\"");

	(void)state;
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.do_count, 6);
	assert_string_equal(s.dos[0].command, "exits");
	assert_int_equal(s.dos[1].at_ns, 100000000);
	assert_string_equal(s.dos[1].command, "pause");
	assert_string_equal(s.dos[2].command, "say key=value: x");
	assert_string_equal(s.dos[3].command, "rate 1d/1m");
	assert_string_equal(s.dos[4].command, "time"); /* as written where the times are equal */
	assert_int_equal(s.dos[5].at_ns, 120000000000);
	assert_string_equal(s.dos[5].command, "rate 10");
}

static void there_are_at_most_64_commands_of_127_characters(void **state)
{
	char text[2048] = "", word[300] = "do=1s:";
	struct settings s;

	(void)state;
	for (unsigned i = 0; i < SETTINGS_DOS + 1; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "do=%us:time ", 100 - i);
	s = parse(text);
	assert_int_equal(s.do_count, SETTINGS_DOS);
	assert_int_equal(warning_count, 1);
	assert_non_null(strstr(warnings, "36s:time"));
	for (unsigned i = 1; i < SETTINGS_DOS; i++)
		assert_true(s.dos[i - 1].at_ns <= s.dos[i].at_ns);
	memset(word + 6, 'x', 127);
	s = parse(word);
	assert_int_equal(s.do_count, 1);
	assert_int_equal(strlen(s.dos[0].command), 127);
	word[6 + 127] = 'x';
	s = parse(word);
	assert_int_equal(s.do_count, 0);
	assert_int_equal(warning_count, 1);
}

static void quotes_and_backslashes_are_taken_out(void **state)
{
	(void)state;
	assert_int_equal(parse("\"rate=10\"").rate.num, 10);
	assert_int_equal(parse("ra\"te=1\"0").rate.num, 10);
	assert_string_equal(parse("do=1s:rate\\ 10").dos[0].command, "rate 10");
	assert_string_equal(parse("do=\"1s:say \\\"x\\\"\"").dos[0].command, "say \"x\"");
	assert_int_equal(parse("rate=10\\").rate.num, 1); /* a backslash at the end is kept: no rate */
	assert_int_equal(parse("rate=10 \"mem=5").mem_mib, 5); /* a quote that is never closed ends with the line */
}

static void a_line_of_8_kib_is_read_to_its_end(void **state)
{
	static char text[8193];
	struct settings s;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	s = parse(text);
	assert_int_equal(warning_count, 1);
	assert_int_equal(s.rate.num, 1);
	memset(text, ' ', sizeof text - 1);
	memcpy(text + 8192 - 7, "rate=10", 7);
	s = parse(text);
	assert_int_equal(warning_count, 0);
	assert_int_equal(s.rate.num, 10);
	memset(text, 'x', 1000);
	s = parse(text);
	assert_int_equal(warning_count, 1);
	assert_int_equal(s.rate.num, 10);
}

/* Random lines of pieces of the grammar and of any other bytes. */
static void random_text_is_safe(void **state)
{
	static const char *const pieces[] = {
		"rate=", "tsc=", "tick=", "tick.pit=", "rtc=", "mem=", "escape=", "rdrand=", "exit-port=", "trace-port=",
		"on-reset=", "do=", "do=\"5s:",
		"=", " ", "\"", "\\", "1/4", "10", "scale", "slew", "2025-01-01", "^]", "0xf4", ":", "5s:",
		"restart", "\t", "host", "clocks=", "hv=", "pit", "hpet=", "3x64", "29x32", "@", "+", "14318180", "hyperv", ",", "tsc", "none",
	};
	unsigned long count = share(20000000), warned = 0;
	uint64_t seed = 41;

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		char text[200], *exact;
		size_t bytes = 0;
		struct settings s;

		for (uint64_t n = random_next(&seed) % 16; n > 0; n--) {
			if (random_next(&seed) % 8) {
				const char *piece = pieces[random_next(&seed) % (sizeof pieces / sizeof *pieces)];

				memcpy(text + bytes, piece, strlen(piece));
				bytes += strlen(piece);
			} else {
				text[bytes++] = (char)(1 + random_next(&seed) % 255);
			}
		}
		exact = malloc(bytes + 1); /* for the address sanitizer */
		memcpy(exact, text, bytes);
		exact[bytes] = 0;
		s = parse(exact);
		assert_true(s.rate.den > 0 && s.do_count <= SETTINGS_DOS && s.escape >= -1 && s.escape <= 255);
		assert_in_range(s.tsc, TSC_AUTO, TSC_NATIVE);
		assert_in_range(s.hv, HV_KVM, HV_NONE);
		assert_true(s.clocks & (CLOCK_PIT | CLOCK_RTC | CLOCK_HPET | CLOCK_LAPIC) && s.clocks <= CLOCKS_ALL);
		for (size_t k = 0; k < s.do_count; k++)
			assert_true(s.dos[k].command[0] && memchr(s.dos[k].command, 0, SETTINGS_DO_BYTES));
		warned += warning_count > 0;
		free(exact);
	}
	assert_true(warned > 0 && warned < count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_line_gives_the_defaults),
		cmocka_unit_test(each_key_sets_its_value),
		cmocka_unit_test(each_feature_is_hidden_by_its_key),
		cmocka_unit_test(an_hpet_has_the_shape_that_was_asked_for),
		cmocka_unit_test(clocks_are_a_list_of_names),
		cmocka_unit_test(a_refused_set_is_told_what_there_is),
		cmocka_unit_test(clocks_with_the_hpet_has_one),
		cmocka_unit_test(clocks_that_hv_has_not_are_refused),
		cmocka_unit_test(the_policy_of_one_timer_counts_before_or_after_that_of_all),
		cmocka_unit_test(what_is_wrong_is_named_and_has_no_effect),
		cmocka_unit_test(of_a_key_given_twice_the_first_counts),
		cmocka_unit_test(commands_are_sorted_by_their_time),
		cmocka_unit_test(there_are_at_most_64_commands_of_127_characters),
		cmocka_unit_test(quotes_and_backslashes_are_taken_out),
		cmocka_unit_test(a_line_of_8_kib_is_read_to_its_end),
		cmocka_unit_test(random_text_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
