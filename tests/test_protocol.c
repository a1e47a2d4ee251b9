/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The control port: each request gets exactly one reply, each reply and event is JSON to jansson, and what is not a
 * whole, correct request does nothing. */
#include "monitor/protocol.h"

#include "tests/fake_control.h"
#include "tests/support.h"

#include <jansson.h>

#define SENT_BYTES (1 << 17)

static const struct identity identity = { "0.1.0", "abcdef", "svm" };
static struct machine machine;
static struct protocol protocol;

static char sent[SENT_BYTES];
static size_t sent_count, line_room, read_at;

static size_t fake_room(void *context)
{
	(void)context;
	return line_room;
}

static void fake_write(void *context, const uint8_t *bytes, size_t count)
{
	(void)context;
	assert_true(count <= line_room && count < sizeof sent - sent_count);
	memcpy(sent + sent_count, bytes, count);
	sent_count += count;
	sent[sent_count] = 0;
	line_room -= count;
}

/* The next line that was sent, or NULL. */
static json_t *next(void)
{
	char *end = strchr(sent + read_at, '\n');
	json_error_t error;
	json_t *root;

	if (!end)
		return NULL;
	root = json_loadb(sent + read_at, (size_t)(end - sent) - read_at, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s in: %s", error.text, sent + read_at);
	read_at = (size_t)(end - sent) + 1;
	return root;
}

static void forget_sent(void)
{
	sent_count = read_at = 0;
	sent[0] = 0;
}

static void say_rate_changed(struct machine *changed)
{
	(void)changed;
	protocol_rate_changed(&protocol);
}

static int reset(void **state)
{
	static const struct sink line = { NULL, fake_room, fake_write };

	(void)state;
	machine = fake_machine;
	/* jansson reads signed 64-bit integers only */
	machine.exits.kinds[1].count = INT64_MAX;
	forget_sent();
	line_room = SIZE_MAX;
	protocol_init(&protocol, &machine, &identity, &line);
	return 0;
}

static int reset_past_greeting(void **state)
{
	reset(state);
	forget_sent();
	return 0;
}

static void send_bytes(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_true(protocol_input(&protocol, (uint8_t)bytes[i]));
}

static void send(const char *text)
{
	send_bytes(text, strlen(text));
}

/* Sends one line, and expects exactly this one back. */
static void expect(const char *request, const char *reply)
{
	forget_sent();
	send(request);
	send("\n");
	assert_string_equal(sent, reply);
	json_decref(next());
}

static const char *error_type(json_t *reply)
{
	return json_string_value(json_object_get(json_object_get(reply, "error"), "type"));
}

/* Sends one line, and expects an error of that type, and nothing done. */
static void expect_error_bytes(const char *request, size_t bytes, const char *type)
{
	struct machine before = machine;
	json_t *reply;

	forget_sent();
	send_bytes(request, bytes);
	send("\n");
	reply = next();
	assert_non_null(reply);
	assert_string_equal(error_type(reply), type);
	assert_non_null(json_object_get(reply, "id"));
	assert_true(strlen(json_string_value(json_object_get(json_object_get(reply, "error"), "message"))) > 5);
	json_decref(reply);
	assert_null(next());
	assert_memory_equal(&before, &machine, sizeof machine);
}

static void expect_error(const char *request, const char *type)
{
	expect_error_bytes(request, strlen(request), type);
}

#define CAPABILITIES \
	"\"capabilities\":[\"rate\",\"pause\",\"resume\",\"time\",\"date\",\"exits\",\"stall\",\"quit\",\"version\",\"help\"]"
#define IDENTITY "\"foliot\":\"0.1.0\",\"protocol\":1,\"build\":\"abcdef\",\"engine\":\"svm\"," CAPABILITIES

static void the_greeting_comes_first(void **state)
{
	(void)state;
	assert_string_equal(sent, "\n{" IDENTITY "}\n"); /* whatever was on the line ends */
	read_at = 1;
	json_decref(next());
	expect("{\"id\":0,\"cmd\":\"version\"}", "{\"id\":0,\"ok\":{" IDENTITY "}}\n");
}

static void rate_reads_and_sets(void **state)
{
	(void)state;
	expect("{\"id\":1,\"cmd\":\"rate\"}",
	       "{\"id\":1,\"ok\":{\"asked\":{\"num\":1,\"den\":1},\"effective_e12\":1000000000233,\"error_e12\":233,"
	       "\"attained_e12\":999871234567,\"untrapped_limit\":255,\"trapped\":false,\"native\":false,\"paused\":false}}\n");
	assert_int_equal(machine.rates, 0);
	expect("{\"id\":2,\"cmd\":\"rate\",\"num\":20,\"den\":8}\r",
	       "{\"id\":2,\"ok\":{\"asked\":{\"num\":5,\"den\":2},\"effective_e12\":2500000000000,\"error_e12\":-3,"
	       "\"attained_e12\":999871234567,\"untrapped_limit\":255,\"trapped\":false,\"native\":false,\"paused\":false}}\n");
	send("{\"id\":3,\"cmd\":\"rate\",\"rate\":\"1d/1m\"}\n{\"id\":4,\"cmd\":\"rate\",\"num\":7}\n");
	assert_int_equal(machine.rates, 3);
	assert_int_equal(machine.rate.asked.num, 7);
	assert_int_equal(machine.rate.asked.den, 1);
}

static void bad_rates_are_bad_arguments(void **state)
{
	static const char *const bad[] = {
		"\"num\":0,\"den\":0", "\"num\":1,\"den\":0", "\"num\":-1", "\"num\":1.5", "\"num\":1e2",
		"\"num\":\"1\"",
		"\"den\":1", "\"num\":1,\"den\":null", "\"num\":99999999999999999999", "\"num\":1000001",
		"\"num\":1,\"den\":1000001", "\"rate\":10", "\"rate\":\"ten\"", "\"rate\":\"1e99\"", "\"rate\":\"-1\"",
		"\"rate\":\"10\",\"num\":10", "\"rate\":\"0/0\"", "\"rates\":1", "\"rate\":[]", "\"rate\":{\"num\":1}",
		"\"num\":18446744073709551615,\"den\":18446744073709551614",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[160];

		snprintf(line, sizeof line, "{\"id\":9,\"cmd\":\"rate\",%s}", bad[i]);
		expect_error(line, "bad-argument");
	}
	machine.refuse = true;
	expect_error("{\"id\":9,\"cmd\":\"rate\",\"num\":10}", "bad-argument");
}

static void pause_and_resume(void **state)
{
	(void)state;
	expect_error("{\"id\":1,\"cmd\":\"resume\"}", "refused");
	expect("{\"id\":2,\"cmd\":\"pause\"}", "{\"id\":2,\"ok\":{\"guest_ns\":5000000000,\"paused\":true}}\n");
	expect_error("{\"id\":3,\"cmd\":\"pause\"}", "refused");
	expect("{\"id\":4,\"cmd\":\"resume\"}", "{\"id\":4,\"ok\":{\"guest_ns\":5000000000,\"paused\":false}}\n");
	assert_int_equal(machine.pauses, 1);
	assert_int_equal(machine.resumes, 1);
}

static void time_and_exits_tell_all(void **state)
{
	(void)state;
	expect("{\"id\":1,\"cmd\":\"time\"}",
	       "{\"id\":1,\"ok\":{\"guest_ns\":5000000000,\"calendar_unix\":1738326896,"
	       "\"calendar\":\"2025-01-31T12:34:56Z\",\"host_ns\":4999000001,\"host_hz\":2999999123,"
	       "\"bed_ns\":6000000002,\"bed_clock\":\"hpet\",\"paused\":false,\"halted\":false,\"ended\":false,"
	       "\"ticks\":[{\"name\":\"pit\",\"due\":100,\"accepted\":90,\"merged\":1,\"dropped\":2,\"masked\":3,"
	       "\"backlog\":7},{\"name\":\"rtc\",\"due\":20,\"accepted\":20,\"merged\":0,\"dropped\":0,\"masked\":0,"
	       "\"backlog\":0}]}}\n");
	expect("{\"id\":1,\"cmd\":\"exits\"}",
	       "{\"id\":1,\"ok\":{\"total\":34,\"injections\":5,\"unclaimed_ports\":6,\"refused_msrs\":7,"
	       "\"kinds\":{\"cpuid\":12,\"port\":9223372036854775807,\"hlt\":0}}}\n");
}

/* The largest tables that vm/control.h allows, with the largest numbers. */
static void the_largest_replies_fit(void **state)
{
	json_t *reply;

	(void)state;
	memset(&machine.time, 0x7f, sizeof machine.time);
	machine.time.tick_count = 8;
	for (size_t i = 0; i < 8; i++)
		machine.time.ticks[i].name = "a-timer-with-a-name";
	machine.time.bed_name = "a-clock-with-a-name";
	machine.time.paused = machine.time.halted = machine.time.ended = false;
	machine.exits.count = 48;
	machine.exits.total = machine.exits.injections = INT64_MAX;
	for (size_t i = 0; i < 48; i++) {
		static char names[48][32];

		snprintf(names[i], sizeof names[i], "an-exit-with-a-long-name-%zu", i);
		machine.exits.kinds[i].name = names[i];
		machine.exits.kinds[i].count = INT64_MAX;
	}
	send("{\"id\":9223372036854775807,\"cmd\":\"time\"}\n{\"id\":9223372036854775807,\"cmd\":\"exits\"}\n"
	     "{\"id\":9223372036854775807,\"cmd\":\"help\"}\n");
	for (int i = 0; i < 3; i++) {
		reply = next();
		assert_true(json_integer_value(json_object_get(reply, "id")) == INT64_MAX);
		assert_non_null(json_object_get(reply, "ok"));
		json_decref(reply);
	}
}

static void stall_takes_ns_or_a_duration(void **state)
{
	(void)state;
	expect("{\"id\":1,\"cmd\":\"stall\",\"ns\":1500}", "{\"id\":1,\"ok\":{\"host_ns\":1500}}\n");
	assert_int_equal(machine.stalled_ns, 1500);
	expect("{\"id\":1,\"cmd\":\"stall\",\"duration\":\"1.5ms\"}", "{\"id\":1,\"ok\":{\"host_ns\":1500000}}\n");
	assert_int_equal(machine.stalled_ns, 1500000);
	expect_error("{\"id\":1,\"cmd\":\"stall\"}", "bad-argument");
	expect_error("{\"id\":1,\"cmd\":\"stall\",\"ns\":1,\"duration\":\"1s\"}", "bad-argument");
	expect_error("{\"id\":1,\"cmd\":\"stall\",\"ns\":\"1s\"}", "bad-argument");
	expect_error("{\"id\":1,\"cmd\":\"stall\",\"ns\":9223372036854775808}", "bad-argument");
	machine.time.ended = true;
	expect_error("{\"id\":1,\"cmd\":\"stall\",\"ns\":1}", "refused");
	assert_int_equal(machine.stalls, 2);
}

#define DATE_REPLY(id, unix, text) "{\"id\":" id ",\"ok\":{\"guest_ns\":5000000000,\"paused\":false,\"calendar_unix\":" unix \
	",\"calendar\":\"" text "\",\"wall_unix\":" unix ",\"wall_ns\":5}}\n"

static void date_reads_sets_and_moves(void **state)
{
	(void)state;
	expect("{\"id\":1,\"cmd\":\"date\"}",
	       "{\"id\":1,\"ok\":{\"guest_ns\":5000000000,\"paused\":false,\"calendar_unix\":1738326896,"
	       "\"calendar\":\"2025-01-31T12:34:56Z\",\"wall_unix\":1738326895,\"wall_ns\":999999999}}\n");
	assert_int_equal(machine.dates, 0);
	expect("{\"id\":2,\"cmd\":\"date\",\"date\":\"+1mo\"}", DATE_REPLY("2", "1740746096", "2025-02-28T12:34:56Z"));
	expect("{\"id\":3,\"cmd\":\"date\",\"date\":\"2038-01-19T03:14:07Z\"}", DATE_REPLY("3", "2147483647", "2038-01-19T03:14:07Z"));
	expect("{\"id\":4,\"cmd\":\"date\",\"unix\":2147483648}", DATE_REPLY("4", "2147483648", "2038-01-19T03:14:08Z"));
	expect("{\"id\":5,\"cmd\":\"date\",\"unix\":253402300799}", DATE_REPLY("5", "253402300799", "9999-12-31T23:59:59Z"));
	assert_int_equal(machine.dates, 4);
}

static void bad_dates_are_refused(void **state)
{
	static const char *const bad[] = {
		"\"date\":\"2025-02-29\"", "\"date\":\"2025-13-01\"", "\"date\":\"2025-01-01T24:00:00Z\"", "\"date\":\"1969-12-31\"",
		"\"date\":\"10000-01-01\"", "\"date\":\"+1\"", "\"date\":\"1y\"", "\"date\":\"+99999999999999999999y\"", "\"date\":\"\"",
		"\"date\":null", "\"date\":5", "\"date\":\"+1y\",\"unix\":5", "\"unix\":-1", "\"unix\":253402300800",
		"\"unix\":18446744073709551615", "\"unix\":99999999999999999999", "\"unix\":1.5", "\"unix\":\"5\"", "\"unix\":null", "\"when\":5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[160];

		snprintf(line, sizeof line, "{\"id\":9,\"cmd\":\"date\",%s}", bad[i]);
		expect_error(line, "bad-argument");
	}
	machine.refuse = true;
	expect_error("{\"id\":9,\"cmd\":\"date\",\"unix\":5}", "refused");
	machine.time.ended = true;
	expect_error("{\"id\":9,\"cmd\":\"date\",\"unix\":5}", "refused");
}

static void quit_replies_first(void **state)
{
	(void)state;
	expect("{\"id\":1,\"cmd\":\"quit\"}", "{\"id\":1,\"ok\":{}}\n");
	assert_int_equal(machine.quits, 1);
	expect("{\"id\":2,\"cmd\":\"pause\"}", "{\"id\":2,\"ok\":{\"guest_ns\":5000000000,\"paused\":true}}\n");
	assert_int_equal(machine.quits, 1);
}

static void help_lists_the_commands(void **state)
{
	json_t *reply, *commands;

	(void)state;
	send("{\"id\":1,\"cmd\":\"help\"}\n");
	reply = next();
	commands = json_object_get(json_object_get(reply, "ok"), "commands");
	assert_int_equal(json_array_size(commands), 10);
	assert_string_equal(json_string_value(json_object_get(json_array_get(commands, 0), "name")), "rate");
	assert_int_equal(json_array_size(json_object_get(json_array_get(commands, 0), "arguments")), 3);
	assert_non_null(json_object_get(json_array_get(commands, 9), "help"));
	json_decref(reply);
}

static void what_is_no_request_gets_one_typed_error(void **state)
{
	static const struct {
		const char *line, *type;
	} rows[] = {
		{ "{\"id\":1,\"cmd\":\"pa", "bad-json" },
		{ "{\"id\":1,\"cmd\":\"pa{\"id\":1,\"cmd\":\"pause\"}", "bad-json" },
		{ "pause", "bad-json" },
		{ "[{\"id\":1,\"cmd\":\"pause\"}]", "bad-json" },
		{ "{\"id\":1,\"cmd\":\"pause\"} {\"id\":2,\"cmd\":\"pause\"}", "bad-json" },
		{ "{\"id\":1,\"id\":2,\"cmd\":\"pause\"}", "bad-json" },
		{ "\xff\xfe", "bad-json" },
		{ "{}", "bad-request" },
		{ "{\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":1}", "bad-request" },
		{ "{\"id\":-1,\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":1.0,\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":\"1\",\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":null,\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":9223372036854775808,\"cmd\":\"pause\"}", "bad-request" },
		{ "{\"id\":1,\"cmd\":1}", "bad-request" },
		{ "{\"id\":1,\"cmd\":\"\"}", "unknown-command" },
		{ "{\"id\":1,\"cmd\":\"PAUSE\"}", "unknown-command" },
		{ "{\"id\":1,\"cmd\":\"\\u00e9\xc3\xa9\\\"\"}", "unknown-command" },
		{ "{\"id\":1,\"cmd\":\"pause\",\"now\":true}", "bad-argument" },
		{ "{\"id\":1,\"cmd\":\"pause\",\"\":null}", "bad-argument" },
		{ "{\"id\":1,\"cmd\":\"quit\",\"ns\":1}", "bad-argument" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_error(rows[i].line, rows[i].type);
	assert_true(protocol_input(&protocol, '\n'));
	assert_int_equal(machine.pauses + machine.rates + machine.quits, 0);
}

static void the_id_comes_back_where_it_can_be_read(void **state)
{
	(void)state;
	forget_sent();
	send("{\"id\":77,\"cmd\":\"x\"}\n");
	assert_string_equal(sent, "{\"id\":77,\"error\":{\"type\":\"unknown-command\","
				  "\"message\":\"no command is called 'x'\"}}\n");
	forget_sent();
	send("{\"id\":77,\"cmd\"\n");
	assert_string_equal(sent, "{\"id\":null,\"error\":{\"type\":\"bad-json\","
				  "\"message\":\"not one JSON object, from byte 14 on\"}}\n");
}

static void empty_lines_get_no_reply(void **state)
{
	(void)state;
	send("\n\r\n  \t\n");
	assert_string_equal(sent, "");
}

static void a_nul_byte_spoils_the_line(void **state)
{
	static const char line[] = "{\"id\":1,\"cmd\":\"pause\"}";

	(void)state;
	for (size_t i = 0; i < sizeof line; i++) {
		char copy[sizeof line + 1];

		memcpy(copy, line, i);
		copy[i] = 0;
		memcpy(copy + i + 1, line + i, sizeof line - 1 - i);
		expect_error_bytes(copy, sizeof line, "bad-json");
	}
}

static void an_overlong_line_gets_one_error(void **state)
{
	char line[5000];

	(void)state;
	memset(line, ' ', sizeof line);
	memcpy(line, "{\"id\":1,\"cmd\":\"time\"}", 21);
	expect_error_bytes(line, PROTOCOL_LINE + 1, "too-long");
	expect_error_bytes(line, sizeof line, "too-long");
	forget_sent();
	send_bytes(line, PROTOCOL_LINE);
	send("\n");
	assert_int_equal(strncmp(sent, "{\"id\":1,\"ok\":{\"guest_ns\"", 23), 0);
}

static void events_are_numbered(void **state)
{
	(void)state;
	protocol_rate_changed(&protocol);
	protocol_paused(&protocol);
	protocol_resumed(&protocol);
	protocol_date_changed(&protocol, -1);
	protocol_guest_ended(&protocol, "powered-off", 34);
	assert_string_equal(
		sent,
		"{\"event\":\"rate\",\"seq\":1,\"guest_ns\":5000000000,\"asked\":{\"num\":1,\"den\":1},"
		"\"effective_e12\":1000000000233,\"error_e12\":233,\"attained_e12\":999871234567,"
		"\"untrapped_limit\":255,\"trapped\":false,\"native\":false,\"paused\":false}\n"
		"{\"event\":\"paused\",\"seq\":2,\"guest_ns\":5000000000}\n"
		"{\"event\":\"resumed\",\"seq\":3,\"guest_ns\":5000000000}\n"
		"{\"event\":\"date\",\"seq\":4,\"guest_ns\":5000000000,\"from_unix\":-1,\"calendar_unix\":1738326896,"
		"\"calendar\":\"2025-01-31T12:34:56Z\",\"wall_unix\":1738326895,\"wall_ns\":999999999}\n"
		"{\"event\":\"guest-ended\",\"seq\":5,\"guest_ns\":5000000000,"
		"\"reason\":\"powered-off\",\"status\":34}\n");
	for (int i = 0; i < 5; i++)
		json_decref(next());
}

static void the_largest_event_fits(void **state)
{
	(void)state;
	memset(&machine.rate, 0xff, sizeof machine.rate);
	machine.rate.error_e12 = INT64_MIN;
	machine.rate.trapped = machine.rate.native = machine.rate.paused = false;
	machine.time.guest_ns = UINT64_MAX;
	protocol.sequence = UINT64_MAX - 1;
	protocol_rate_changed(&protocol);
	assert_int_equal(sent[sent_count - 1], '\n');
	assert_non_null(strstr(sent, "\"paused\":false}\n"));
}

static void an_event_may_come_within_a_request(void **state)
{
	json_t *event, *reply;

	(void)state;
	machine.changed = say_rate_changed;
	send("{\"id\":1,\"cmd\":\"rate\",\"num\":10}\n");
	event = next();
	reply = next();
	assert_string_equal(json_string_value(json_object_get(event, "event")), "rate");
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 1);
	json_decref(event);
	json_decref(reply);
	assert_null(next());
}

/* With nobody reading: events are dropped and leave a gap, replies never are, as the request waits. */
static void a_blocked_line_loses_events_but_no_reply(void **state)
{
	static const char request[] = "{\"id\":5,\"cmd\":\"exits\"}";
	uint64_t gap = 0, last = 0, replies = 0, asked = 0;
	json_t *line;

	(void)state;
	line_room = 0;
	for (int i = 0; i < 1000; i++)
		protocol_paused(&protocol);
	assert_true(protocol.dropped_events > 0 && protocol.dropped_events < 1000);
	do {
		send(request);
		asked++;
	} while (protocol_input(&protocol, '\n') && asked < 1000);
	assert_true(asked > 1 && asked < 1000);
	assert_false(protocol_input(&protocol, '\n'));
	line_room = SIZE_MAX;
	protocol_poll(&protocol);
	assert_true(protocol_is_drained(&protocol));
	assert_true(protocol_input(&protocol, '\n'));
	protocol_resumed(&protocol);
	while ((line = next())) {
		uint64_t seq = (uint64_t)json_integer_value(json_object_get(line, "seq"));

		if (seq) {
			gap += seq - last - 1;
			last = seq;
		} else {
			replies++;
		}
		json_decref(line);
	}
	assert_int_equal(gap, protocol.dropped_events);
	assert_int_equal(replies, asked);
}

/* Requests changed a little. Whatever comes of them: one line of JSON for each line; and a machine that changed only
 * where it says "ok". */
static void changed_requests_get_one_reply_each(void **state)
{
	static const char *const seeds[] = {
		"{\"id\":1,\"cmd\":\"rate\",\"num\":10,\"den\":1}",
		"{\"id\":2,\"cmd\":\"rate\",\"rate\":\"1d/1m\"}",
		"{\"id\":3,\"cmd\":\"pause\"}",
		"{\"id\":4,\"cmd\":\"stall\",\"duration\":\"5ms\"}",
	};
	uint64_t random = 0x70726f74;
	unsigned long good = 0;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		const char *seed = seeds[random_next(&random) % 4];
		char line[80];
		json_t *reply;

		strcpy(line, seed);
		for (uint64_t k = random_next(&random) % 4; k; k--)
			line[random_next(&random) % strlen(seed)] = (char)random_next(&random);
		machine = fake_machine;
		forget_sent();
		for (size_t k = 0; k < strlen(seed); k++)
			protocol_input(&protocol, (uint8_t)(line[k] == '\n' ? 'n' : line[k]));
		protocol_input(&protocol, '\n');
		reply = next();
		assert_non_null(reply);
		assert_null(next());
		if (json_object_get(reply, "ok"))
			good++;
		else
			assert_memory_equal(&machine, &fake_machine, sizeof machine);
		json_decref(reply);
	}
	assert_in_range(good, share(1000000) / 10, share(1000000) / 2);
}

static void noise_does_nothing(void **state)
{
	uint64_t random = 0x6e6f69;
	struct machine before = machine;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		protocol_input(&protocol, (uint8_t)random_next(&random));
		if (sent_count > SENT_BYTES / 2)
			forget_sent();
	}
	assert_memory_equal(&machine, &before, sizeof machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_greeting_comes_first, reset),
		cmocka_unit_test_setup(rate_reads_and_sets, reset_past_greeting),
		cmocka_unit_test_setup(bad_rates_are_bad_arguments, reset_past_greeting),
		cmocka_unit_test_setup(pause_and_resume, reset_past_greeting),
		cmocka_unit_test_setup(time_and_exits_tell_all, reset_past_greeting),
		cmocka_unit_test_setup(the_largest_replies_fit, reset_past_greeting),
		cmocka_unit_test_setup(stall_takes_ns_or_a_duration, reset_past_greeting),
		cmocka_unit_test_setup(date_reads_sets_and_moves, reset_past_greeting),
		cmocka_unit_test_setup(bad_dates_are_refused, reset_past_greeting),
		cmocka_unit_test_setup(quit_replies_first, reset_past_greeting),
		cmocka_unit_test_setup(help_lists_the_commands, reset_past_greeting),
		cmocka_unit_test_setup(what_is_no_request_gets_one_typed_error, reset_past_greeting),
		cmocka_unit_test_setup(the_id_comes_back_where_it_can_be_read, reset_past_greeting),
		cmocka_unit_test_setup(empty_lines_get_no_reply, reset_past_greeting),
		cmocka_unit_test_setup(a_nul_byte_spoils_the_line, reset_past_greeting),
		cmocka_unit_test_setup(an_overlong_line_gets_one_error, reset_past_greeting),
		cmocka_unit_test_setup(events_are_numbered, reset_past_greeting),
		cmocka_unit_test_setup(the_largest_event_fits, reset_past_greeting),
		cmocka_unit_test_setup(an_event_may_come_within_a_request, reset_past_greeting),
		cmocka_unit_test_setup(a_blocked_line_loses_events_but_no_reply, reset_past_greeting),
		cmocka_unit_test_setup(changed_requests_get_one_reply_each, reset_past_greeting),
		cmocka_unit_test_setup(noise_does_nothing, reset_past_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
