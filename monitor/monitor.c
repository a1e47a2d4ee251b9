/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The monitor's commands. The table at the end is the contents page. */
#include "monitor/monitor.h"

#include "base/format.h"
#include "base/mem.h"
#include "monitor/figures.h"
#include "timekeeping/date.h"
#include "vm/quantity.h"

#define SCREEN_COLUMNS 79
#define LONGEST_LINE 255 /* of do=; a typed line is shorter */

struct command {
	const char *name;
	const char *arguments; /* for the usage line; "": it takes none */
	const char *help;
	const char *example;
	enum monitor_result (*run)(struct monitor *monitor, const char *arguments, const struct reply *reply);
};

static const struct command *find_command(const char *name, size_t length);
static void list_commands(const struct reply *reply);

static void say(const struct reply *reply, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct reply *reply, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	format_v(text, sizeof text, fmt, args);
	va_end(args);
	reply->line(reply->context, text);
}

static enum monitor_result say_usage(const char *name, const struct reply *reply)
{
	const struct command *command = find_command(name, strlen(name));

	say(reply, "usage: %s%s%s, as in: %s", name, *command->arguments ? " " : "", command->arguments,
	    command->example);
	return MONITOR_REFUSED;
}

static const char *trap_text(const struct control_rate *rate)
{
	if (rate->native)
		return "the host's own; kvm-clock carries the rate (native)";
	return rate->trapped ? "each read exits (trapped)" : "read without an exit";
}

static enum monitor_result show_rate(struct monitor *monitor, const struct reply *reply)
{
	struct control_rate rate;
	char figure[FIGURE_BYTES], error[FIGURE_BYTES];

	control_get_rate(monitor->machine, &rate);
	figure_rate(figure, sizeof figure, rate.asked);
	say(reply, "asked              %s%s", figure, rate.paused ? " (paused)" : "");
	figure_e12(figure, sizeof figure, rate.effective_e12, 12);
	figure_ppm(error, sizeof error, rate.error_e12);
	say(reply, "effective          %s (error %s)", figure, error);
	figure_measured_e12(figure, sizeof figure, rate.attained_e12);
	say(reply, "attained           %s since the last change", figure);
	if (rate.untrapped_limit)
		say(reply, "highest untrapped  %lu", rate.untrapped_limit);
	else
		say(reply, "highest untrapped  none (no TSC multiplier, or tsc=trap)");
	say(reply, "TSC                %s", trap_text(&rate));
	return MONITOR_DONE;
}

static enum monitor_result run_rate(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	struct control_rate now;
	struct rate rate;
	char asked[FIGURE_BYTES], effective[FIGURE_BYTES], error[FIGURE_BYTES], text[3 * FIGURE_BYTES];

	if (!*arguments)
		return show_rate(monitor, reply);
	if (!parse_rate(arguments, &rate) || !control_set_rate(monitor->machine, rate))
		return say_usage("rate", reply);
	control_get_rate(monitor->machine, &now);
	figure_rate(asked, sizeof asked, now.asked);
	figure_e12(effective, sizeof effective, now.effective_e12, 12);
	figure_ppm(error, sizeof error, now.error_e12);
	if (format(text, sizeof text, "asked %s, effective %s, error %s%s", asked, effective, error,
		   now.paused ? ", paused" : "") <= SCREEN_COLUMNS) {
		say(reply, "%s", text);
		return MONITOR_DONE;
	}
	say(reply, "asked %s,", asked);
	say(reply, "effective %s, error %s%s", effective, error, now.paused ? ", paused" : "");
	return MONITOR_DONE;
}

/* Why pause, resume, stall or date was refused. */
static enum monitor_result say_refused(struct monitor *monitor, const char *otherwise, const struct reply *reply)
{
	struct control_time time;

	control_get_time(monitor->machine, &time);
	say(reply, "%s", time.ended ? "the guest has ended" : otherwise);
	return MONITOR_REFUSED;
}

static enum monitor_result say_state(struct monitor *monitor, const char *state, const struct reply *reply)
{
	struct control_time time;
	char figure[FIGURE_BYTES];

	control_get_time(monitor->machine, &time);
	figure_duration(figure, sizeof figure, time.guest_ns);
	say(reply, "%s at guest time %s", state, figure);
	return MONITOR_DONE;
}

static enum monitor_result run_pause(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	(void)arguments;
	if (!control_pause(monitor->machine))
		return say_refused(monitor, "paused already", reply);
	return say_state(monitor, "paused", reply);
}

static enum monitor_result run_resume(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	(void)arguments;
	if (!control_resume(monitor->machine))
		return say_refused(monitor, "running already", reply);
	return say_state(monitor, "running", reply);
}

static const char *state_text(const struct control_time *time)
{
	if (time->ended)
		return "ended";
	if (time->paused)
		return "paused";
	return time->halted ? "running (the processor waits in HLT)" : "running";
}

static void show_ticks(const struct control_time *time, const struct reply *reply)
{
	if (time->tick_count)
		say(reply, "%-8s %11s %11s %9s %9s %9s %9s", "timer", "due", "accepted", "merged", "dropped", "masked",
		    "backlog");
	for (size_t i = 0; i < time->tick_count; i++)
		say(reply, "%-8s %11lu %11lu %9lu %9lu %9lu %9lu", time->ticks[i].name, time->ticks[i].due,
		    time->ticks[i].accepted, time->ticks[i].merged, time->ticks[i].dropped, time->ticks[i].masked,
		    time->ticks[i].backlog);
}

static enum monitor_result run_time(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	struct control_time time;
	char figure[FIGURE_BYTES];

	(void)arguments;
	control_get_time(monitor->machine, &time);
	figure_duration(figure, sizeof figure, time.guest_ns);
	say(reply, "guest time  %s since power-on", figure);
	figure_date(figure, sizeof figure, time.calendar_unix);
	say(reply, "calendar    %s", figure);
	figure_duration(figure, sizeof figure, time.host_ns);
	say(reply, "real time   %s since the guest's start", figure);
	say(reply, "host TSC    %lu.%06lu MHz", time.host_hz / 1000000, time.host_hz % 1000000);
	figure_duration(figure, sizeof figure, time.bed_ns);
	say(reply, "bed clock   %s (%s)", figure, time.bed_name);
	say(reply, "state       %s", state_text(&time));
	show_ticks(&time, reply);
	return MONITOR_DONE;
}

static enum monitor_result show_date(struct monitor *monitor, const struct reply *reply)
{
	struct control_date date;
	char figure[FIGURE_BYTES];

	control_get_date(monitor->machine, &date);
	figure_date(figure, sizeof figure, date.rtc_unix);
	say(reply, "calendar    %s (RTC)", figure);
	figure_date(figure, sizeof figure, date.wall_unix);
	say(reply, "wall clock  %s and %09u ns (kvm-clock)", figure, date.wall_ns);
	return MONITOR_DONE;
}

static enum monitor_result run_date(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	struct control_date now;
	enum date_fault fault;
	int64_t unix_seconds;
	char from[FIGURE_BYTES], to[FIGURE_BYTES];

	if (!*arguments)
		return show_date(monitor, reply);
	control_get_date(monitor->machine, &now);
	fault = date_move(arguments, now.rtc_unix, &unix_seconds);
	if (fault == DATE_UNREADABLE)
		return say_usage("date", reply);
	if (fault != DATE_FINE) {
		say(reply, "%s", date_fault_text(fault));
		return MONITOR_REFUSED;
	}
	if (!control_set_date(monitor->machine, unix_seconds))
		return say_refused(monitor, "the guest is setting its clock: try again", reply);
	figure_date(from, sizeof from, now.rtc_unix);
	figure_date(to, sizeof to, unix_seconds);
	say(reply, "the calendar goes from %s to %s", from, to);
	return MONITOR_DONE;
}

static enum monitor_result run_exits(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	struct control_exits exits;

	(void)arguments;
	control_get_exits(monitor->machine, &exits);
	for (size_t i = 0; i < exits.count; i++)
		if (exits.kinds[i].count)
			say(reply, "%-20s %20lu", exits.kinds[i].name, exits.kinds[i].count);
	say(reply, "%-20s %20lu", "all exits", exits.total);
	say(reply, "%-20s %20lu", "injections", exits.injections);
	say(reply, "%-20s %20lu", "unclaimed ports", exits.unclaimed_ports);
	say(reply, "%-20s %20lu", "refused MSRs", exits.refused_msrs);
	return MONITOR_DONE;
}

static enum monitor_result run_stall(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	char figure[FIGURE_BYTES];
	uint64_t host_ns;

	if (!parse_duration_ns(arguments, &host_ns))
		return say_usage("stall", reply);
	if (!control_stall(monitor->machine, host_ns))
		return say_refused(monitor, "cannot be stalled now", reply);
	figure_duration(figure, sizeof figure, host_ns);
	say(reply, "the guest is stalled for %s of real time", figure);
	return MONITOR_DONE;
}

static enum monitor_result run_quit(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	(void)arguments;
	say(reply, "ending the run");
	control_quit(monitor->machine);
	return MONITOR_DONE;
}

static enum monitor_result run_guest(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	(void)monitor;
	(void)arguments;
	(void)reply;
	return MONITOR_LEAVE;
}

static enum monitor_result run_version(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	(void)arguments;
	say(reply, "Foliot %.20s (build %.24s, engine %.12s)", monitor->identity->version, monitor->identity->build,
	    monitor->identity->engine);
	return MONITOR_DONE;
}

static enum monitor_result run_help(struct monitor *monitor, const char *arguments, const struct reply *reply)
{
	const struct command *command;

	(void)monitor;
	if (!*arguments) {
		list_commands(reply);
		return MONITOR_DONE;
	}
	command = find_command(arguments, strlen(arguments));
	if (!command)
		return say_usage("help", reply);
	say(reply, "%s %s", command->name, command->arguments);
	say(reply, "  %s", command->help);
	say(reply, "  as in: %s", command->example);
	return MONITOR_DONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The line without blanks around it, in out, where it is printable ASCII and not too long. */
static bool copy_line(const char *line, char out[LONGEST_LINE + 1])
{
	size_t length = 0;

	while (is_blank(*line))
		line++;
	for (; *line; line++) {
		if (length == LONGEST_LINE || (!is_blank(*line) && (*line < 0x20 || *line > 0x7e)))
			return false;
		out[length++] = *line;
	}
	while (length && is_blank(out[length - 1]))
		length--;
	out[length] = 0;
	return true;
}

enum monitor_result monitor_execute(struct monitor *monitor, const char *line, const struct reply *reply)
{
	char text[LONGEST_LINE + 1];
	const struct command *command;
	const char *arguments;
	size_t length = 0;

	if (!copy_line(line, text)) {
		say(reply, "a command is at most %d printable ASCII characters: nothing done", LONGEST_LINE);
		return MONITOR_REFUSED;
	}
	while (text[length] && !is_blank(text[length]))
		length++;
	if (!length)
		return MONITOR_DONE;
	for (arguments = text + length; is_blank(*arguments);)
		arguments++;
	command = find_command(text, length);
	if (!command) {
		say(reply, "no command is called '%.*s'; help lists them", length < 32 ? (int)length : 32, text);
		return MONITOR_REFUSED;
	}
	if (*arguments && !*command->arguments)
		return say_usage(command->name, reply);
	return command->run(monitor, arguments, reply);
}

static const struct command commands[] = {
	{ "rate", "[0 | 1/1000000 .. 1000000]", "how fast guest time goes; alone: asked, effective and attained rate",
	  "rate 2.5, rate 1d/1m", run_rate },
	{ "pause", "", "stop the guest and its time", "pause", run_pause },
	{ "resume", "", "let a paused guest run on", "resume", run_resume },
	{ "time", "", "guest time, calendar, real time and the timers' ticks", "time", run_time },
	{ "date", "[DATE | +STEP | -STEP]", "the guest's calendar: reads, sets or moves it by y, mo, d, h, m or s",
	  "date 2038-01-19, date +1mo, date -2h", run_date },
	{ "exits", "", "how often the guest came to Foliot, and why", "exits", run_exits },
	{ "stall", "DURATION", "withhold the processor while guest time goes on (for tests)", "stall 1.5ms",
	  run_stall },
	{ "quit", "", "end the run", "quit", run_quit },
	{ "guest", "", "back to the guest's console, as Ctrl-D does", "guest", run_guest },
	{ "version", "", "which Foliot this is", "version", run_version },
	{ "help", "[COMMAND]", "the commands, or one of them with an example", "help rate", run_help },
};

static const struct command *find_command(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strlen(commands[i].name) == length && !strncmp(commands[i].name, name, length))
			return &commands[i];
	return NULL;
}

static void list_commands(const struct reply *reply)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		say(reply, "%-8s %s", commands[i].name, commands[i].help);
}
