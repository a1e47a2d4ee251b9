/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The control port. The table of commands stands at the end. */
#include "monitor/protocol.h"

#include "base/assert.h"
#include "base/format.h"
#include "base/mem.h"
#include "monitor/facts.h"
#include "timekeeping/date.h"
#include "vm/quantity.h"

#include <stdarg.h>

enum error_type {
	ERROR_NONE,
	ERROR_BAD_JSON,
	ERROR_TOO_LONG,
	ERROR_BAD_REQUEST,
	ERROR_UNKNOWN_COMMAND,
	ERROR_BAD_ARGUMENT,
	ERROR_REFUSED,
};

static const char *const error_names[] = {
	[ERROR_NONE] = "",
	[ERROR_BAD_JSON] = "bad-json",
	[ERROR_TOO_LONG] = "too-long",
	[ERROR_BAD_REQUEST] = "bad-request",
	[ERROR_UNKNOWN_COMMAND] = "unknown-command",
	[ERROR_BAD_ARGUMENT] = "bad-argument",
	[ERROR_REFUSED] = "refused",
};

/* A reply in the making: the members of "ok" go to the writer; an error takes their place. */
struct answer {
	struct json_writer writer;
	enum error_type error;
	char message[160];
};

struct command {
	const char *name;
	const char *arguments[4]; /* the members that it knows, besides id and cmd */
	const char *help;
	void (*run)(struct protocol *protocol, struct answer *answer);
};

static void list_commands(struct json_writer *writer);
static void list_capabilities(struct json_writer *writer);
static const struct command *find_command(const char *name);

static void fail(struct answer *answer, enum error_type error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct answer *answer, enum error_type error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_v(answer->message, sizeof answer->message, fmt, args);
	va_end(args);
	answer->error = error;
}

/* Queues the writer's text as one line; false: there was no room. */
static bool send(struct protocol *protocol, const struct json_writer *writer)
{
	ASSERT(!writer->full);
	if (ring_room(&protocol->output) < writer->used + 1)
		return false;
	ring_write(&protocol->output, writer->out, writer->used);
	ring_put(&protocol->output, '\n');
	return true;
}

static const struct json_member *argument(const struct protocol *protocol, const char *name)
{
	return json_find(&protocol->object, name);
}

/* An integer from 0 to limit. */
static bool is_natural(const struct json_member *member, uint64_t limit)
{
	return member->kind == JSON_IS_INTEGER && !member->negative && member->magnitude <= limit;
}

/* The rate that the request asks for; false: it is none. */
static bool read_rate(struct protocol *protocol, struct rate *rate)
{
	const struct json_member *text = argument(protocol, "rate");
	const struct json_member *num = argument(protocol, "num"), *den = argument(protocol, "den");

	if (text)
		return !num && !den && text->kind == JSON_IS_STRING && parse_rate(text->string, rate);
	if (!num || !is_natural(num, UINT64_MAX) || (den && !is_natural(den, UINT64_MAX)))
		return false;
	*rate = (struct rate){ num->magnitude, den ? den->magnitude : 1 };
	return rate_reduce(rate);
}

static void run_rate(struct protocol *protocol, struct answer *answer)
{
	struct rate rate;

	if (argument(protocol, "rate") || argument(protocol, "num") || argument(protocol, "den")) {
		if (!read_rate(protocol, &rate) || !control_set_rate(protocol->machine, rate)) {
			fail(answer, ERROR_BAD_ARGUMENT,
			     "a rate is num and den, or a text as \"10\", \"2.5\", \"1/4\", \"1d/1m\": "
			     "0, or 1/1000000 to 1000000");
			return;
		}
	}
	facts_rate(protocol->machine, &answer->writer);
}

/* Why pause, resume, stall or date was refused. */
static void fail_refused(struct protocol *protocol, struct answer *answer, const char *otherwise)
{
	struct control_time time;

	control_get_time(protocol->machine, &time);
	fail(answer, ERROR_REFUSED, "%s", time.ended ? "the guest has ended" : otherwise);
}

static void run_pause(struct protocol *protocol, struct answer *answer)
{
	if (control_pause(protocol->machine))
		facts_state(protocol->machine, &answer->writer);
	else
		fail_refused(protocol, answer, "paused already");
}

static void run_resume(struct protocol *protocol, struct answer *answer)
{
	if (control_resume(protocol->machine))
		facts_state(protocol->machine, &answer->writer);
	else
		fail_refused(protocol, answer, "running already");
}

static void run_time(struct protocol *protocol, struct answer *answer)
{
	facts_time(protocol->machine, &answer->writer);
}

static void run_exits(struct protocol *protocol, struct answer *answer)
{
	facts_exits(protocol->machine, &answer->writer);
}

/* The date that the request asks for. */
static enum date_fault read_date(struct protocol *protocol, int64_t *unix_seconds)
{
	const struct json_member *text = argument(protocol, "date"), *number = argument(protocol, "unix");
	struct control_date now;

	control_get_date(protocol->machine, &now);
	if (text)
		return number || text->kind != JSON_IS_STRING ? DATE_UNREADABLE : date_move(text->string, now.rtc_unix, unix_seconds);
	if (number->kind != JSON_IS_INTEGER)
		return DATE_UNREADABLE;
	if (number->negative)
		return DATE_BEFORE_1970;
	if (number->magnitude > DATE_LAST_UNIX)
		return DATE_AFTER_9999;
	*unix_seconds = (int64_t)number->magnitude;
	return DATE_FINE;
}

static void run_date(struct protocol *protocol, struct answer *answer)
{
	enum date_fault fault = DATE_FINE;
	int64_t unix_seconds;

	if (argument(protocol, "date") || argument(protocol, "unix")) {
		fault = read_date(protocol, &unix_seconds);
		if (fault == DATE_UNREADABLE)
			fail(answer, ERROR_BAD_ARGUMENT, "a date is unix, or a text as \"2038-01-19T03:14:00Z\", \"+1y\", \"-2h\"");
		else if (fault != DATE_FINE)
			fail(answer, ERROR_BAD_ARGUMENT, "%s", date_fault_text(fault));
		else if (!control_set_date(protocol->machine, unix_seconds))
			fail_refused(protocol, answer, "the guest is setting its clock");
	}
	facts_state(protocol->machine, &answer->writer);
	facts_date(protocol->machine, &answer->writer);
}

/* The duration that the request asks for; false: it is none. */
static bool read_duration(struct protocol *protocol, uint64_t *ns)
{
	const struct json_member *number = argument(protocol, "ns"), *text = argument(protocol, "duration");

	if (text)
		return !number && text->kind == JSON_IS_STRING && parse_duration_ns(text->string, ns);
	if (!number || !is_natural(number, INT64_MAX))
		return false;
	*ns = number->magnitude;
	return true;
}

static void run_stall(struct protocol *protocol, struct answer *answer)
{
	uint64_t host_ns;

	if (!read_duration(protocol, &host_ns)) {
		fail(answer, ERROR_BAD_ARGUMENT, "a stall is ns, or a duration as \"1.5ms\"");
		return;
	}
	if (control_stall(protocol->machine, host_ns))
		json_write_u64(&answer->writer, "host_ns", host_ns);
	else
		fail_refused(protocol, answer, "cannot be stalled now");
}

static void run_quit(struct protocol *protocol, struct answer *answer)
{
	(void)answer;
	protocol->quit = true;
}

static void put_identity(const struct protocol *protocol, struct json_writer *writer)
{
	json_write_string(writer, "foliot", protocol->identity->version);
	json_write_u64(writer, "protocol", PROTOCOL_NUMBER);
	json_write_string(writer, "build", protocol->identity->build);
	json_write_string(writer, "engine", protocol->identity->engine);
	list_capabilities(writer);
}

static void run_version(struct protocol *protocol, struct answer *answer)
{
	put_identity(protocol, &answer->writer);
}

static void run_help(struct protocol *protocol, struct answer *answer)
{
	(void)protocol;
	list_commands(&answer->writer);
}

static const char *json_error_text(enum json_error error)
{
	switch (error) {
	case JSON_OK:
		break;
	case JSON_SYNTAX:
		return "not one JSON object";
	case JSON_TOO_DEEP:
		return "too many levels";
	case JSON_TOO_MANY:
		return "too many members";
	case JSON_DUPLICATE:
		return "a member appears twice";
	}
	return "";
}

static bool parse_request(struct protocol *protocol, struct answer *answer)
{
	enum json_error error;
	size_t at;

	if (protocol->request_bytes > PROTOCOL_LINE) {
		protocol->object.count = 0;
		fail(answer, ERROR_TOO_LONG, "a request has at most %d bytes", PROTOCOL_LINE);
		return false;
	}
	error = json_parse(protocol->request, protocol->request_bytes, &protocol->object, &at);
	if (error == JSON_OK)
		return true;
	protocol->object.count = 0;
	fail(answer, ERROR_BAD_JSON, "%s, from byte %lu on", json_error_text(error), at);
	return false;
}

/* The id of a request that has a good one. */
static const struct json_member *find_id(const struct protocol *protocol)
{
	const struct json_member *id = argument(protocol, "id");

	return id && is_natural(id, INT64_MAX) ? id : NULL;
}

static bool knows_argument(const struct command *command, const char *name)
{
	if (!strcmp(name, "id") || !strcmp(name, "cmd"))
		return true;
	for (size_t i = 0; i < sizeof command->arguments / sizeof *command->arguments && command->arguments[i]; i++)
		if (!strcmp(name, command->arguments[i]))
			return true;
	return false;
}

/* The command of a request whose form is right, or NULL. */
static const struct command *check_request(struct protocol *protocol, struct answer *answer)
{
	const struct json_object *object = &protocol->object;
	const struct json_member *cmd;
	const struct command *command;

	if (!parse_request(protocol, answer))
		return NULL;
	cmd = argument(protocol, "cmd");
	if (!find_id(protocol) || !cmd || cmd->kind != JSON_IS_STRING) {
		fail(answer, ERROR_BAD_REQUEST, "a request has an id, from 0 to 2^63 - 1, and a cmd, a string");
		return NULL;
	}
	command = find_command(cmd->string);
	if (!command) {
		fail(answer, ERROR_UNKNOWN_COMMAND, "no command is called '%.32s'", cmd->string);
		return NULL;
	}
	for (size_t i = 0; i < object->count; i++)
		if (!knows_argument(command, object->members[i].name)) {
			fail(answer, ERROR_BAD_ARGUMENT, "%s has no argument '%.32s'", command->name,
			     object->members[i].name);
			return NULL;
		}
	return command;
}

static void begin_reply(struct protocol *protocol, struct json_writer *writer)
{
	const struct json_member *id = find_id(protocol);

	json_write_init(writer, protocol->reply, sizeof protocol->reply);
	json_write_open(writer, NULL, '{');
	if (id)
		json_write_u64(writer, "id", id->magnitude);
	else
		json_write_null(writer, "id");
}

static void put_error(const struct answer *answer, struct json_writer *writer)
{
	json_write_open(writer, "error", '{');
	json_write_string(writer, "type", error_names[answer->error]);
	json_write_string(writer, "message", answer->message);
	json_write_close(writer, '}');
}

static void execute(struct protocol *protocol)
{
	struct answer answer = { .error = ERROR_NONE };
	const struct command *command = check_request(protocol, &answer);

	if (command) {
		begin_reply(protocol, &answer.writer);
		json_write_open(&answer.writer, "ok", '{');
		command->run(protocol, &answer);
		json_write_close(&answer.writer, '}');
	}
	if (answer.error) {
		begin_reply(protocol, &answer.writer);
		put_error(&answer, &answer.writer);
	}
	json_write_close(&answer.writer, '}');
	send(protocol, &answer.writer);
}

/* Ends the line that was received: nothing but blanks is no request, and gets no answer. */
static void end_line(struct protocol *protocol)
{
	bool blank = protocol->request_bytes <= PROTOCOL_LINE;

	for (size_t i = 0; blank && i < protocol->request_bytes; i++)
		blank = protocol->request[i] == ' ' || protocol->request[i] == '\t' || protocol->request[i] == '\r';
	if (!blank)
		execute(protocol);
	protocol->request_bytes = 0;
}

bool protocol_input(struct protocol *protocol, uint8_t byte)
{
	if (byte == '\n') {
		if (ring_room(&protocol->output) < PROTOCOL_REPLY)
			return false;
		end_line(protocol);
		protocol_poll(protocol);
		if (protocol->quit)
			control_quit(protocol->machine);
		protocol->quit = false;
		return true;
	}
	if (protocol->request_bytes < PROTOCOL_LINE)
		protocol->request[protocol->request_bytes] = (char)byte;
	if (protocol->request_bytes <= PROTOCOL_LINE)
		protocol->request_bytes++;
	return true;
}

void protocol_poll(struct protocol *protocol)
{
	ring_drain(&protocol->output, &protocol->line);
}

bool protocol_is_drained(const struct protocol *protocol)
{
	return !ring_used(&protocol->output);
}

void protocol_init(struct protocol *protocol, struct machine *machine, const struct identity *identity,
		   const struct sink *line)
{
	struct json_writer writer;

	*protocol = (struct protocol){ .machine = machine, .identity = identity, .line = *line };
	ring_init(&protocol->output, protocol->output_bytes, sizeof protocol->output_bytes);
	ring_put(&protocol->output, '\n'); /* firmware may have left half a line: UEFI's console can be on both ports */
	json_write_init(&writer, protocol->reply, sizeof protocol->reply);
	json_write_open(&writer, NULL, '{');
	put_identity(protocol, &writer);
	json_write_close(&writer, '}');
	send(protocol, &writer);
	protocol_poll(protocol);
}

#define EVENT_BYTES 512

/* Events have a text of their own: one may come up while a reply is being written. */
static void begin_event(struct protocol *protocol, const char *name, struct json_writer *writer, char *text)
{
	struct control_time time;

	control_get_time(protocol->machine, &time);
	json_write_init(writer, text, EVENT_BYTES);
	json_write_open(writer, NULL, '{');
	json_write_string(writer, "event", name);
	json_write_u64(writer, "seq", ++protocol->sequence);
	json_write_u64(writer, "guest_ns", time.guest_ns);
}

/* The room of one reply is left to a request that is being answered right now. */
static void end_event(struct protocol *protocol, struct json_writer *writer)
{
	json_write_close(writer, '}');
	if (ring_room(&protocol->output) < PROTOCOL_REPLY + EVENT_BYTES || !send(protocol, writer))
		protocol->dropped_events++;
	protocol_poll(protocol);
}

void protocol_rate_changed(struct protocol *protocol)
{
	struct json_writer writer;
	char text[EVENT_BYTES];

	begin_event(protocol, "rate", &writer, text);
	facts_rate(protocol->machine, &writer);
	end_event(protocol, &writer);
}

void protocol_date_changed(struct protocol *protocol, int64_t from_unix)
{
	struct json_writer writer;
	char text[EVENT_BYTES];

	begin_event(protocol, "date", &writer, text);
	json_write_i64(&writer, "from_unix", from_unix);
	facts_date(protocol->machine, &writer);
	end_event(protocol, &writer);
}

static void simple_event(struct protocol *protocol, const char *name)
{
	struct json_writer writer;
	char text[EVENT_BYTES];

	begin_event(protocol, name, &writer, text);
	end_event(protocol, &writer);
}

void protocol_paused(struct protocol *protocol)
{
	simple_event(protocol, "paused");
}

void protocol_resumed(struct protocol *protocol)
{
	simple_event(protocol, "resumed");
}

void protocol_guest_ended(struct protocol *protocol, const char *reason, unsigned status)
{
	struct json_writer writer;
	char text[EVENT_BYTES];

	begin_event(protocol, "guest-ended", &writer, text);
	json_write_string(&writer, "reason", reason);
	json_write_u64(&writer, "status", status);
	end_event(protocol, &writer);
}

static const struct command commands[] = {
	{ "rate", { "num", "den", "rate" }, "sets the rate of guest time; without arguments reads it", run_rate },
	{ "pause", { NULL }, "stops the guest and its time", run_pause },
	{ "resume", { NULL }, "lets a paused guest run on", run_resume },
	{ "time", { NULL }, "reads guest time, calendar, real time and the timers' ticks", run_time },
	{ "date", { "date", "unix" }, "sets the calendar; without arguments reads it", run_date },
	{ "exits", { NULL }, "counts the guest's exits by kind", run_exits },
	{ "stall", { "ns", "duration" }, "withholds the processor while guest time goes on (for tests)", run_stall },
	{ "quit", { NULL }, "ends the run", run_quit },
	{ "version", { NULL }, "says what the greeting says", run_version },
	{ "help", { NULL }, "lists the commands", run_help },
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void list_capabilities(struct json_writer *writer)
{
	json_write_open(writer, "capabilities", '[');
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		json_write_string(writer, NULL, commands[i].name);
	json_write_close(writer, ']');
}

static void put_arguments(struct json_writer *writer, const struct command *command)
{
	json_write_open(writer, "arguments", '[');
	for (size_t i = 0; i < sizeof command->arguments / sizeof *command->arguments && command->arguments[i]; i++)
		json_write_string(writer, NULL, command->arguments[i]);
	json_write_close(writer, ']');
}

static void list_commands(struct json_writer *writer)
{
	json_write_open(writer, "commands", '[');
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		json_write_open(writer, NULL, '{');
		json_write_string(writer, "name", commands[i].name);
		put_arguments(writer, &commands[i]);
		json_write_string(writer, "help", commands[i].help);
		json_write_close(writer, '}');
	}
	json_write_close(writer, ']');
}
