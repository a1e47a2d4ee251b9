/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The serial console: what is typed goes to the guest or to the monitor, never to the other one; the guest's output
 * arrives unchanged and tears no line of the monitor's. The screen of these tests is a terminal that knows CR, LF,
 * BS and nothing else. */
#include "monitor/mux.h"

#include "tests/fake_control.h"
#include "tests/support.h"

#define ESCAPE 0x1d
#define CTRL_D 0x04
#define SENT_BYTES (1 << 20)

#define TEST(name) cmocka_unit_test_setup(name, reset)

static const struct identity identity = { "0.1.0", "abcdef", "svm" };
static struct machine machine;
static struct monitor monitor = { &machine, &identity };
static struct mux mux;

/* The line to the terminal: what was sent, and how much more may be. */
static char sent[SENT_BYTES];
static size_t sent_count, line_room, line_growth; /* growth: in bytes, each time that the room is asked for */

/* The guest's UART. */
static uint8_t received[65536];
static size_t received_count, uart_room;

static size_t fake_room(void *context)
{
	(void)context;
	line_room += line_growth;
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

static bool fake_receive(void *context, uint8_t byte)
{
	(void)context;
	if (!uart_room)
		return false;
	uart_room--;
	received[received_count++ % sizeof received] = byte;
	return true;
}

static void start(int escape)
{
	static const struct sink line = { NULL, fake_room, fake_write };
	static const struct mux_guest guest = { NULL, fake_receive };

	machine = fake_machine;
	sent_count = received_count = 0;
	sent[0] = 0;
	line_room = sizeof sent / 2;
	line_growth = 0;
	uart_room = SIZE_MAX;
	mux_init(&mux, &line, &guest, &monitor, escape);
}

static int reset(void **state)
{
	(void)state;
	start(MUX_ESCAPE_DEFAULT);
	return 0;
}

static void type_bytes(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mux_input(&mux, (uint8_t)bytes[i]);
}

static void type(const char *text)
{
	type_bytes(text, strlen(text));
}

static void guest_sends(const char *text)
{
	assert_int_equal(mux_guest_output(&mux, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void expect_sent(const char *text)
{
	assert_string_equal(sent, text);
	sent_count = 0;
	sent[0] = 0;
}

static void expect_received(const char *bytes, size_t count)
{
	assert_int_equal(received_count, count);
	assert_memory_equal(received, bytes, count);
	received_count = 0;
}

#define WIPED "\r        \r"

static void every_byte_but_the_escape_reaches_the_guest(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++)
		if (byte != ESCAPE)
			mux_input(&mux, (uint8_t)byte);
	assert_int_equal(received_count, 255);
	for (int i = 0; i < 255; i++)
		assert_int_equal(received[i], i < ESCAPE ? i : i + 1);
	expect_sent("");
	assert_false(mux.in_monitor);
}

static void the_guests_output_is_passed_on_unchanged(void **state)
{
	uint8_t all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	assert_int_equal(mux_guest_output(&mux, all, 256), 256);
	assert_memory_equal(sent, all, 256);
}

static void the_escape_calls_the_monitor(void **state)
{
	(void)state;
	type("\x1d");
	expect_sent("foliot> ");
	type("rate 10\r");
	expect_sent("rate 10\r\nasked 10, effective 10, error -0.000003 ppm\r\nfoliot> ");
	assert_int_equal(machine.rates, 1);
	expect_received("", 0);
}

static void the_escape_twice_reaches_the_guest(void **state)
{
	(void)state;
	type("a\x1d\x1d" "b");
	expect_received("a\x1d" "b", 3);
	expect_sent("foliot> " WIPED);
	type("\x1drate\x1d");
	expect_received("\x1d", 1);
	assert_false(mux.in_monitor);
	assert_int_equal(machine.rates, 0);
}

static void ctrl_d_and_guest_go_back(void **state)
{
	(void)state;
	type("\x1d\x04x");
	expect_received("x", 1);
	expect_sent("foliot> " WIPED);
	type("\x1dguest\rx");
	expect_received("x", 1);
	expect_sent("foliot> guest\r\n");
	type("\x1drate 10\x04\r");
	expect_received("\r", 1);
	assert_int_equal(machine.rates, 0);
}

static void another_escape_and_none(void **state)
{
	(void)state;
	start(0x01);
	type("\x1d\x01");
	expect_received("\x1d", 1);
	assert_true(mux.in_monitor);
	start(MUX_ESCAPE_NONE);
	for (int byte = 0; byte < 256; byte++)
		mux_input(&mux, (uint8_t)byte);
	assert_int_equal(received_count, 256);
	assert_false(mux.in_monitor);
	start(0xff);
	type("\xff");
	assert_true(mux.in_monitor);
}

static void editing(void **state)
{
	(void)state;
	type("\x1d");
	expect_sent("foliot> ");
	type("vx\x7f" "ersionn\b\r");
	expect_sent("vx\b \bersionn\b \b\r\nFoliot 0.1.0 (build abcdef, engine svm)\r\nfoliot> ");
	type("\b\x7f" "ab\x15" "cd\x03");
	expect_sent("ab\b \b\b \bcd^C\r\nfoliot> ");
	type("\r\n\n");
	expect_sent("\r\nfoliot> \r\nfoliot> ");
	type("pau\x1b[Ase\x1bOB\x1b[1;5C\r");
	expect_sent("pause\r\npaused at guest time 5s\r\nfoliot> ");
}

static void the_line_stays_within_80_columns(void **state)
{
	char line[300];

	(void)state;
	type("\x1d");
	memset(line, ' ', sizeof line);
	memcpy(line, "rate 10", 7);
	type_bytes(line, EDITOR_LINE);
	type("\r");
	assert_int_equal(machine.rates, 1);
	expect_sent(strstr(sent, "foliot> rate"));
	type_bytes(line, EDITOR_LINE + 1);
	type("\x7f\r");
	assert_int_equal(machine.rates, 1);
	assert_non_null(strstr(sent, "\a"));
	assert_non_null(strstr(sent, "\r\nthe line was too long: nothing done\r\nfoliot> "));
	type("rate 20\r");
	assert_int_equal(machine.rates, 2);
}

static void noise_in_a_line_spoils_it(void **state)
{
	static const uint8_t noise[] = { 0x00, 0x01, 0x11, 0x13, 0x1c, 0x80, 0xff };

	(void)state;
	type("\x1d");
	for (size_t i = 0; i < sizeof noise; i++) {
		type("rate");
		mux_input(&mux, noise[i]);
		type(" 10\r");
		assert_int_equal(machine.rates, 0);
		assert_non_null(strstr(sent, "\a"));
		assert_non_null(strstr(sent, "bytes that are no text: nothing done"));
		sent_count = 0;
	}
	type("rate 10\r");
	assert_int_equal(machine.rates, 1);
}

static void a_full_uart_holds_the_input_back(void **state)
{
	(void)state;
	uart_room = 2;
	type("abcd");
	expect_received("ab", 2);
	uart_room = 1;
	mux_poll(&mux);
	expect_received("c", 1);
	uart_room = 100;
	mux_input(&mux, 'e');
	expect_received("de", 2);
}

static void input_beyond_the_ring_is_counted(void **state)
{
	(void)state;
	uart_room = 0;
	for (unsigned i = 0; i < MUX_INPUT_BYTES + 7; i++)
		mux_input(&mux, (uint8_t)('a' + i % 16));
	assert_int_equal(mux.dropped_input, 7);
	type("\x1drate 10\r");
	assert_int_equal(machine.rates, 1);
	uart_room = SIZE_MAX;
	mux_poll(&mux);
	assert_int_equal(received_count, MUX_INPUT_BYTES);
	for (unsigned i = 0; i < MUX_INPUT_BYTES; i++)
		assert_int_equal(received[i], 'a' + i % 16);
}

static void a_slow_line_takes_what_it_can(void **state)
{
	(void)state;
	line_room = 3;
	assert_int_equal(mux_guest_output(&mux, (const uint8_t *)"hello", 5), 3);
	assert_int_equal(mux_guest_output(&mux, (const uint8_t *)"lo", 2), 0);
	type("\x1d");
	assert_false(mux_is_drained(&mux));
	line_room = 4;
	mux_poll(&mux);
	assert_int_equal(mux_guest_output(&mux, (const uint8_t *)"lo", 2), 0);
	line_room = 100;
	mux_poll(&mux);
	assert_true(mux_is_drained(&mux));
	expect_sent("hel\r\nfoliot> ");
}

/* With the line always full, everything printed must be dropped in the end, and counted. */
static void output_beyond_the_ring_is_counted(void **state)
{
	(void)state;
	line_room = 0;
	type("\x1d");
	for (int i = 0; i < 100; i++)
		type("help\r");
	assert_true(mux.dropped_output > 0);
	line_room = sizeof sent / 2;
	mux_poll(&mux);
	assert_true(sent_count > MUX_OUTPUT_BYTES - 2 && sent_count <= MUX_OUTPUT_BYTES);
}

static void a_line_end_is_never_halved(void **state)
{
	static char text[MUX_OUTPUT_BYTES];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	line_room = 0;
	mux_say(&mux, text);
	line_room = sizeof sent / 2;
	mux_poll(&mux);
	expect_sent(text);
	assert_int_equal(mux.dropped_output, 1);
}

/* A line that takes a byte now and then, as a real one does: the guest's text waits until the prompt is wiped. */
static void the_prompt_is_wiped_before_the_guest_writes(void **state)
{
	const char *text = "guest\n";

	(void)state;
	type("\x1d");
	line_room = 0;
	line_growth = 1;
	while (*text) {
		text += mux_guest_output(&mux, (const uint8_t *)text, strlen(text));
		ring_drain(&mux.output, &mux.line);
	}
	expect_sent("foliot> " WIPED "guest\n");
}

static void guest_says_goodbye(struct machine *ending)
{
	(void)ending;
	mux_poll(&mux);
	guest_sends("goodbye\n");
}

static void foliot_says(struct machine *changed)
{
	(void)changed;
	mux_say(&mux, "foliot: a message");
	mux_poll(&mux);
}

static void a_message_within_a_command_brings_no_prompt(void **state)
{
	(void)state;
	machine.changed = foliot_says;
	type("\x1dpause\r");
	expect_sent("foliot> pause\r\nfoliot: a message\r\npaused at guest time 5s\r\nfoliot> ");
}

/* quit does not come back: what the guest has said must get out while the command is being executed. */
static void quit_lets_the_guests_output_go(void **state)
{
	(void)state;
	machine.changed = guest_says_goodbye;
	mux_enter(&mux);
	mux_enter(&mux);
	type("quit\r");
	assert_int_equal(machine.quits, 1);
	expect_sent("foliot> quit\r\nending the run\r\ngoodbye\nfoliot> ");
}

static void guest_output_waits_while_a_line_is_typed(void **state)
{
	(void)state;
	type("\x1dra");
	assert_int_equal(mux_guest_output(&mux, (const uint8_t *)"hello\n", 6), 0);
	type("te 10\r");
	expect_sent("foliot> rate 10\r\nasked 10, effective 10, error -0.000003 ppm\r\nfoliot> ");
	guest_sends("hello\n");
	expect_sent(WIPED "hello\n");
	mux_poll(&mux);
	expect_sent("");
	mux_poll(&mux);
	expect_sent("foliot> ");
	type("x\x15");
	guest_sends("more\n");
	expect_sent("x\b \b" WIPED "more\n");
}

static void no_prompt_after_the_start_of_a_line(void **state)
{
	(void)state;
	type("\x1d");
	guest_sends("login: ");
	mux_poll(&mux);
	mux_poll(&mux);
	expect_sent("foliot> " WIPED "login: ");
	guest_sends("root");
	expect_sent("root");
	type("pause\r");
	expect_sent("\r\nfoliot> pause\r\npaused at guest time 5s\r\nfoliot> ");
	guest_sends("# ");
	type("\x04");
	expect_sent(WIPED "# ");
}

static void our_own_lines_stand_alone(void **state)
{
	(void)state;
	guest_sends("half");
	mux_say(&mux, "foliot: one");
	guest_sends("line\r\n");
	mux_say(&mux, "foliot: two");
	expect_sent("half\r\nfoliot: one\r\nline\r\nfoliot: two\r\n");
	type("\x1drate");
	mux_say(&mux, "foliot: three");
	expect_sent("foliot> rate\r            \rfoliot: three\r\nfoliot> rate");
	type(" 10\r");
	assert_int_equal(machine.rates, 1);
}

static void do_prints_what_it_did(void **state)
{
	(void)state;
	mux_do(&mux, 5000000000, "rate 10");
	expect_sent("foliot: do 5s: rate 10 -> asked 10, effective 10, error -0.000003 ppm\r\n");
	mux_do(&mux, 90000000000, "rate 0/0");
	expect_sent("foliot: do 1m 30s: rate 0/0 -> "
		    "usage: rate [0 | 1/1000000 .. 1000000], as in: rate 2.5, rate 1d/1m\r\n");
	mux_do(&mux, 0, "help pause");
	expect_sent("foliot: do 0s: help pause -> pause \r\nfoliot:     stop the guest and its time\r\n"
		    "foliot:     as in: pause\r\n");
	mux_do(&mux, 0, "rate\x1b[2J\xff 10");
	expect_sent("foliot: do 0s: rate?[2J? 10 -> "
		    "a command is at most 255 printable ASCII characters: nothing done\r\n");
	mux_do(&mux, 1, "");
	expect_sent("foliot: do 0.000000001s:  -> done\r\n");
	type("\x1d");
	mux_do(&mux, 0, "guest");
	assert_false(mux.in_monitor);
}

static void the_guest_cannot_command(void **state)
{
	(void)state;
	guest_sends("\x1d");
	guest_sends("foliot> rate 10\r\n\x1d\x1drate 10\r\n");
	assert_false(mux.in_monitor);
	type("\x1d");
	guest_sends("\x1drate 10\r\nfoliot> rate 10\r\n");
	type("\r");
	assert_int_equal(machine.rates, 0);
}

/* What a simple terminal shows: a line that the guest had a part in (its lines here are all #) holds nothing of
 * ours. */
static void expect_no_torn_line(void)
{
	char line[512];
	size_t column = 0, width = 0;

	for (size_t i = 0; i < sent_count; i++) {
		switch (sent[i]) {
		case '\r':
			column = 0;
			break;
		case '\b':
			column -= column > 0;
			break;
		case '\a':
			break;
		case '\n':
			while (width && line[width - 1] == ' ')
				width--;
			line[width] = 0;
			if (strchr(line, '#') && strspn(line, "#") != width)
				fail_msg("torn: %s", line);
			column = width = 0;
			break;
		default:
			assert_true(column < sizeof line - 1);
			line[column++] = sent[i];
			width = column > width ? column : width;
		}
	}
}

/* The guest's output that the console has not taken yet. */
static struct {
	char bytes[256];
	size_t count;
	uint64_t offered;
} uart;

static void guest_prints_line(void)
{
	if (uart.count > 128)
		return;
	memcpy(uart.bytes + uart.count, "###########\r\n", 13);
	uart.count += 13;
	uart.offered += 11;
}

static void offer(void)
{
	size_t taken = mux_guest_output(&mux, (const uint8_t *)uart.bytes, uart.count);

	assert_true(taken <= uart.count);
	memmove(uart.bytes, uart.bytes + taken, uart.count - taken);
	uart.count -= taken;
}

/* Lets everything out, and looks at it. */
static void settle(void)
{
	uint64_t seen = 0;

	line_room = SENT_BYTES / 4;
	type(mux.in_monitor ? "\x04" : "");
	mux_poll(&mux);
	offer();
	assert_int_equal(uart.count, 0);
	expect_no_torn_line();
	for (size_t i = 0; i < sent_count; i++)
		seen += sent[i] == '#';
	assert_int_equal(seen, uart.offered);
	assert_int_equal(mux.dropped_output, 0);
	uart.offered = sent_count = 0;
}

/* Typing, commands, guest output and a slow line in any order. */
static void nothing_is_torn_or_lost_in_any_order(void **state)
{
	static const char *const typed[] = { "\x1d", "rate 10\r", "x",       "\x15", "\x04",
					     "\r",   "\x7f",      "pause\r", "\x03", "zz" };
	uint64_t random = 0x6d7578;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		uint64_t pick = random_next(&random);

		line_room = pick % 7 ? pick % 97 : 0;
		pick = random_next(&random);
		switch (pick % 4) {
		case 0:
			type(typed[pick / 4 % (sizeof typed / sizeof *typed)]);
			break;
		case 1:
			guest_prints_line();
			offer();
			break;
		case 2:
			offer();
			break;
		default:
			mux_poll(&mux);
		}
		if (i % 1000 == 999)
			settle();
	}
	settle();
}

static void random_bytes_change_nothing(void **state)
{
	uint64_t random = 0x72616e64;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		uint64_t pick = random_next(&random);
		uint8_t byte = (uint8_t)(pick >> 8);

		if (pick % 64 == 0)
			mux_input(&mux, ESCAPE);
		mux_input(&mux, byte);
		if (sent_count > sizeof sent / 4)
			sent_count = 0;
		line_room = SENT_BYTES / 4;
	}
	assert_memory_equal(&machine, &fake_machine, sizeof machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_byte_but_the_escape_reaches_the_guest),
		TEST(the_guests_output_is_passed_on_unchanged), TEST(the_escape_calls_the_monitor),
		TEST(the_escape_twice_reaches_the_guest), TEST(ctrl_d_and_guest_go_back),
		TEST(another_escape_and_none), TEST(editing), TEST(the_line_stays_within_80_columns),
		TEST(noise_in_a_line_spoils_it), TEST(a_full_uart_holds_the_input_back),
		TEST(input_beyond_the_ring_is_counted), TEST(a_slow_line_takes_what_it_can),
		TEST(output_beyond_the_ring_is_counted), TEST(a_line_end_is_never_halved),
		TEST(the_prompt_is_wiped_before_the_guest_writes),
		TEST(a_message_within_a_command_brings_no_prompt), TEST(quit_lets_the_guests_output_go),
		TEST(guest_output_waits_while_a_line_is_typed), TEST(no_prompt_after_the_start_of_a_line),
		TEST(our_own_lines_stand_alone), TEST(do_prints_what_it_did), TEST(the_guest_cannot_command),
		TEST(nothing_is_torn_or_lost_in_any_order),
		TEST(random_bytes_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
