/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading Foliot's command line: a word at a time, each key by its own small function from one table. */
#include "vm/cmdline.h"

#include "base/format.h"
#include "base/mem.h"
#include "timekeeping/date.h"
#include "vm/hpet_shape.h"
#include "vm/quantity.h"
#include "vm/test_hooks.h"

#define POLL_LEAST_NS 1000000ull
#define POLL_MOST_NS 20000000ull
#define VALUE_BYTES 256
#define SHOWN_BYTES 60

struct parser {
	struct settings *settings;
	void (*warn)(void *context, const char *line);
	void *context;
	uint64_t seen; /* a bit for each key of the table */
};

struct key {
	const char *name;
	bool (*set)(struct settings *settings, const char *value);
	bool repeats;
	const char *expects;
};

struct word {
	const char *name;
	int value;
};

static bool choose(const struct word *words, const char *value, int *chosen)
{
	for (; words->name; words++)
		if (!strcmp(words->name, value)) {
			*chosen = words->value;
			return true;
		}
	return false;
}

static bool set_rate(struct settings *settings, const char *value)
{
	return parse_rate(value, &settings->rate);
}

static bool set_mode(struct settings *settings, const char *value)
{
	(void)settings;
	return !strcmp(value, "wall");
}

static bool set_tsc(struct settings *settings, const char *value)
{
	static const struct word words[] = {
		{ "auto", TSC_AUTO }, { "scale", TSC_SCALE }, { "trap", TSC_TRAP },
		{ "native", TSC_NATIVE }, { 0 },
	};
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	settings->tsc = (enum tsc_delivery)chosen;
	return true;
}

/* Foliot's words, and those of QEMU and libvirt. */
static bool parse_policy(const char *value, enum tick_policy *policy)
{
	static const struct word words[] = {
		{ "discard", TICK_DISCARD }, { "merge", TICK_MERGE }, { "delay", TICK_DELAY }, { "slew", TICK_SLEW },
		{ "none", TICK_DISCARD }, { "catchup", TICK_SLEW }, { 0 },
	};
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	*policy = (enum tick_policy)chosen;
	return true;
}

static bool set_tick_pit(struct settings *settings, const char *value)
{
	settings->own_pit = parse_policy(value, &settings->tick_pit);
	return settings->own_pit;
}

static bool set_tick_rtc(struct settings *settings, const char *value)
{
	settings->own_rtc = parse_policy(value, &settings->tick_rtc);
	return settings->own_rtc;
}

static bool set_tick_hpet(struct settings *settings, const char *value)
{
	settings->own_hpet = parse_policy(value, &settings->tick_hpet);
	return settings->own_hpet;
}

static bool set_tick_lapic(struct settings *settings, const char *value)
{
	settings->own_lapic = parse_policy(value, &settings->tick_lapic);
	return settings->own_lapic;
}

/* For all timers that are not given one of their own, wherever in the line. */
static bool set_tick(struct settings *settings, const char *value)
{
	enum tick_policy policy;

	if (!parse_policy(value, &policy))
		return false;
	if (!settings->own_pit)
		settings->tick_pit = policy;
	if (!settings->own_rtc)
		settings->tick_rtc = policy;
	if (!settings->own_hpet)
		settings->tick_hpet = policy;
	if (!settings->own_lapic)
		settings->tick_lapic = policy;
	return true;
}

static bool set_hpet(struct settings *settings, const char *value)
{
	return hpet_shape_parse(value, &settings->hpet);
}

static bool set_rtc(struct settings *settings, const char *value)
{
	uint64_t seconds;

	if (!strcmp(value, "host")) {
		settings->rtc_from_host = true;
		return true;
	}
	if (parse_number(value, DATE_LAST_UNIX, &seconds))
		settings->rtc_unix = (int64_t)seconds;
	else if (date_parse(value, &settings->rtc_unix) != DATE_FINE)
		return false;
	settings->rtc_from_host = false;
	return true;
}

static bool set_mem(struct settings *settings, const char *value)
{
	return parse_number(value, UINT64_MAX >> 20, &settings->mem_mib) && settings->mem_mib;
}

static bool set_poll(struct settings *settings, const char *value)
{
	uint64_t ns;

	if (!parse_duration_ns(value, &ns) || ns < POLL_LEAST_NS || ns > POLL_MOST_NS)
		return false;
	settings->poll_ns = ns;
	return true;
}

/* "^]" as terminal programs write it, a number, or none. */
static bool set_escape(struct settings *settings, const char *value)
{
	uint64_t number;

	if (!strcmp(value, "none")) {
		settings->escape = -1;
	} else if (value[0] == '^' && value[1] >= '@' && value[1] <= '_' && !value[2]) {
		settings->escape = value[1] - '@';
	} else {
		if (!parse_number(value, 255, &number))
			return false;
		settings->escape = (int)number;
	}
	return true;
}

static bool set_hide(bool *hide, const char *show, const char *value)
{
	const struct word words[] = { { show, false }, { "hide", true }, { 0 } };
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	*hide = chosen;
	return true;
}

static bool set_rdrand(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_random, "pass", value);
}

static bool set_tsc_invariant(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_invariant, "show", value);
}

static bool set_tsc_constant(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_constant, "show", value);
}

static bool set_tsc_frequency(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_tsc_frequency, "show", value);
}

static bool set_tsc_adjust(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_tsc_adjust, "show", value);
}

static bool set_tsc_deadline(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_tsc_deadline, "show", value);
}

static bool set_x2apic(struct settings *settings, const char *value)
{
	return set_hide(&settings->hide_x2apic, "show", value);
}

static bool set_hv(struct settings *settings, const char *value)
{
	static const struct word words[] = {
		{ "kvm", HV_KVM }, { "hyperv", HV_HYPERV }, { "both", HV_BOTH }, { "none", HV_NONE }, { 0 },
	};
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	settings->hv = (enum hv_interface)chosen;
	settings->own_hv = true;
	return true;
}

static bool set_clocks(struct settings *settings, const char *value)
{
	settings->own_clocks = clocks_parse(value, &settings->clocks);
	return settings->own_clocks;
}

static bool set_port(uint16_t *port, const char *value)
{
	uint64_t number;

	if (!parse_number(value, UINT16_MAX, &number) || !number)
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool set_exit_port(struct settings *settings, const char *value)
{
	return set_port(&settings->exit_port, value);
}

static bool set_trace_port(struct settings *settings, const char *value)
{
	return set_port(&settings->trace_port, value);
}

static bool set_on_reset(struct settings *settings, const char *value)
{
	static const struct word words[] = { { "stop", RESET_STOP }, { "restart", RESET_RESTART }, { 0 } };
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	settings->on_reset = (enum on_reset)chosen;
	return true;
}

static bool set_on_death(struct settings *settings, const char *value)
{
	static const struct word words[] = { { "stay", DEATH_STAY }, { "leave", DEATH_LEAVE }, { 0 } };
	int chosen;

	if (!choose(words, value, &chosen))
		return false;
	settings->on_death = (enum on_death)chosen;
	return true;
}

/* Keeps the list sorted; a command with the time of an earlier one comes after it. */
static void insert_do(struct settings *settings, uint64_t at_ns, const char *command, size_t bytes)
{
	size_t at = settings->do_count++;

	for (; at && settings->dos[at - 1].at_ns > at_ns; at--)
		settings->dos[at] = settings->dos[at - 1];
	settings->dos[at].at_ns = at_ns;
	memcpy(settings->dos[at].command, command, bytes);
}

static bool set_do(struct settings *settings, const char *value)
{
	const char *colon = strchr(value, ':');
	char duration[32];
	uint64_t at_ns;
	size_t bytes;

	if (!colon || (size_t)(colon - value) >= sizeof duration || settings->do_count == SETTINGS_DOS)
		return false;
	memcpy(duration, value, (size_t)(colon - value));
	duration[colon - value] = 0;
	bytes = strlen(colon + 1) + 1;
	if (!parse_duration_ns(duration, &at_ns) || bytes < 2 || bytes > SETTINGS_DO_BYTES)
		return false;
	insert_do(settings, at_ns, colon + 1, bytes);
	return true;
}

static const struct key keys[] = {
	{ "rate", set_rate, false, "a rate: 10, 2.5, 1/4, 1d/1m, at most 1000000 and at least 1/1000000, or 0" },
	{ "mode", set_mode, false, "wall" },
	{ "tsc", set_tsc, false, "auto, scale, trap or native" },
	{ "tick", set_tick, false, "discard, merge, delay or slew" },
	{ "tick.pit", set_tick_pit, false, "discard, merge, delay or slew" },
	{ "tick.rtc", set_tick_rtc, false, "discard, merge, delay or slew" },
	{ "tick.hpet", set_tick_hpet, false, "discard, merge, delay or slew" },
	{ "tick.lapic", set_tick_lapic, false, "discard, merge, delay or slew" },
	{ "hpet", set_hpet, false, HPET_SHAPE_EXPECTED },
	{ "rtc", set_rtc, false, "host, a date like 2025-01-31T12:00:00, or seconds since 1970" },
	{ "mem", set_mem, false, "a number of MiB" },
	{ "rdrand", set_rdrand, false, "pass or hide" },
	{ "clocks", set_clocks, false, CLOCKS_EXPECTED },
	{ "hv", set_hv, false, "kvm, hyperv, both or none" },
	{ "tsc-invariant", set_tsc_invariant, false, "show or hide" },
	{ "tsc-constant", set_tsc_constant, false, "show or hide" },
	{ "tsc-frequency", set_tsc_frequency, false, "show or hide" },
	{ "tsc-adjust", set_tsc_adjust, false, "show or hide" },
	{ "tsc-deadline", set_tsc_deadline, false, "show or hide" },
	{ "x2apic", set_x2apic, false, "show or hide" },
	{ "poll", set_poll, false, "a duration from 1ms to 20ms" },
	{ "escape", set_escape, false, "^A to ^_, a number to 255, or none" },
	{ "exit-port", set_exit_port, false, "an I/O port" },
	{ "trace-port", set_trace_port, false, "an I/O port" },
	{ "on-reset", set_on_reset, false, "stop or restart" },
	{ "on-death", set_on_death, false, "stay or leave" },
	{ "do", set_do, true, "<guest time>:<command>, as in do=\"5s:rate 10\"; at most 64 of 127 characters" },
#ifdef FOLIOT_TEST_BUILD
	{ "spoil", test_hooks_set_spoil, true, "<clock>,<n>ppm or <clock>,<n>ns, as in spoil=hpet,1000ppm" },
#endif
};

#define KEY_COUNT (sizeof keys / sizeof *keys)

/* What is shown of the operator's own text: printable and not too long. */
static void show(char out[SHOWN_BYTES], const char *text)
{
	size_t i = 0;

	for (; text[i] && i < SHOWN_BYTES - 1; i++)
		out[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	out[i] = 0;
}

static void complain(struct parser *parser, const char *what, const char *word, const char *remedy)
{
	char line[320], shown[SHOWN_BYTES];

	show(shown, word);
	format(line, sizeof line, "command line: %s: \"%s\"%s%s", what, shown, *remedy ? ": expected " : "", remedy);
	parser->warn(parser->context, line);
}

static void take_pair(struct parser *parser, const char *name, const char *value)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].name, name))
			continue;
		if (!keys[i].repeats && parser->seen & 1ull << i)
			complain(parser, "given twice, the first one counts", name, "");
		else if (!keys[i].set(parser->settings, value))
			complain(parser, name, value, keys[i].expects);
		else
			parser->seen |= 1ull << i;
		return;
	}
	complain(parser, "unknown key, ignored", name, "");
}

static void take_word(struct parser *parser, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals) {
		complain(parser, "no key=value, ignored", word, "");
		return;
	}
	*equals = 0;
	take_pair(parser, word, equals + 1);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies the next word, quotes taken out; a backslash keeps the next character as it is (GRUB writes them).
 * Returns where the word ends. *fits: whether all of it was copied. */
static const char *next_word(const char *text, char *word, bool *fits)
{
	size_t bytes = 0;
	bool quoted = false;

	*fits = true;
	for (; *text && (quoted || !is_blank(*text)); text++) {
		if (*text == '"') {
			quoted = !quoted;
			continue;
		}
		if (*text == '\\' && text[1])
			text++;
		if (bytes < VALUE_BYTES - 1)
			word[bytes++] = *text;
		else
			*fits = false;
	}
	word[bytes] = 0;
	return text;
}

static const struct settings defaults = {
	.rate = { 1, 1 },
	.tsc = TSC_AUTO,
	.tick_pit = TICK_SLEW,
	.tick_rtc = TICK_SLEW,
	.tick_hpet = TICK_SLEW,
	.tick_lapic = TICK_SLEW,
	.hpet = { 3, 0, 100000000 },
	.rtc_from_host = true,
	.clocks = CLOCKS_ALL,
	.poll_ns = POLL_LEAST_NS,
	.escape = 0x1d,
};

/* clocks= and hv= are two words for the paravirtual clocks. Where only the former names them, the interface follows. */
static void settle_clocks(struct parser *parser)
{
	struct settings *settings = parser->settings;

	if (!settings->own_clocks)
		return;
	if (settings->clocks & CLOCK_HPET && !settings->hpet.wide && !settings->hpet.narrow) {
		complain(parser, "clocks names the HPET, hpet is ignored", "none", HPET_SHAPE_EXPECTED);
		settings->hpet = defaults.hpet;
	}
	if (!settings->own_hv) {
		settings->hv = clocks_interface(settings->clocks);
	} else if (!clocks_fit(settings->clocks, settings->hv)) {
		complain(parser, "clocks names a clock that hv has not, clocks is ignored", "hv", "pvclock with kvm or both, hyperv with hyperv or both");
		settings->clocks = defaults.clocks;
		settings->own_clocks = false;
	}
}

void cmdline_parse(const char *text, struct settings *settings, void (*warn)(void *context, const char *line),
		   void *context)
{
	struct parser parser = { settings, warn, context, 0 };
	char word[VALUE_BYTES];
	bool fits;

	*settings = defaults;
	for (;;) {
		while (is_blank(*text))
			text++;
		if (!*text)
			break;
		text = next_word(text, word, &fits);
		if (fits)
			take_word(&parser, word);
		else
			complain(&parser, "a word longer than 255 characters, ignored", word, "");
	}
	settle_clocks(&parser);
}
