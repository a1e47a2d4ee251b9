/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A libFuzzer target: what an operator's line, the control port and Foliot's command line can be sent. The first
 * byte chooses among the three. Beyond the sanitizers it checks that only rates are set that Foliot can run, that
 * each line of the port gets one reply, and that the commands of do= are sorted.
 *
 *     clang -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -o build/fuzz_monitor \
 *         tests/fuzz_monitor.c monitor/[!.]*.c vm/cmdline.c vm/quantity.c base/format.c \
 *         timekeeping/rate.c timekeeping/arith.c timekeeping/calendar.c
 *     build/fuzz_monitor -max_len=2048 -max_total_time=60 -dict=tests/fuzz_monitor.dict
 */
#include "monitor/mux.h"
#include "monitor/protocol.h"
#include "tests/fake_control.h"
#include "vm/cmdline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct identity identity = { "0.1.0", "abcdef", "svm" };
static struct machine machine;
static struct monitor monitor = { &machine, &identity };
static struct mux mux;
static struct protocol protocol;
static size_t lines_sent;

_Noreturn void assert_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
	abort();
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static size_t line_room(void *context)
{
	(void)context;
	return 64;
}

static void line_write(void *context, const uint8_t *bytes, size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		lines_sent += bytes[i] == '\n';
}

static bool guest_receive(void *context, uint8_t byte)
{
	(void)context;
	return byte & 1;
}

static const struct sink line = { NULL, line_room, line_write };

/* Any rate that was set is one that Foliot can run, in lowest terms. */
static void check_machine(void)
{
	struct rate rate = machine.rate.asked;

	require(rate_reduce(&rate) && rate.num == machine.rate.asked.num && rate.den == machine.rate.asked.den);
	require(machine.stalled_ns <= INT64_MAX);
}

static void fuzz_console(const uint8_t *data, size_t bytes)
{
	static const struct mux_guest guest = { NULL, guest_receive };

	mux_init(&mux, &line, &guest, &monitor, MUX_ESCAPE_DEFAULT);
	mux_enter(&mux);
	for (size_t i = 0; i < bytes; i++) {
		mux_input(&mux, data[i]);
		require(mux.editor.length <= EDITOR_LINE && strlen(mux.editor.text) == mux.editor.length);
		if (data[i] & 8)
			require(mux_guest_output(&mux, data + i, bytes - i) <= bytes - i);
		if (data[i] & 4)
			mux_poll(&mux);
	}
}

static void fuzz_protocol(const uint8_t *data, size_t bytes)
{
	size_t requests = 0, expected;
	bool blank = true;

	protocol_init(&protocol, &machine, &identity, &line);
	while (!protocol_is_drained(&protocol))
		protocol_poll(&protocol);
	expected = lines_sent;
	for (size_t i = 0; i < bytes; i++) {
		while (!protocol_input(&protocol, data[i]))
			protocol_poll(&protocol);
		if (data[i] == '\n')
			requests += !blank;
		blank = data[i] == '\n' || (blank && strchr(" \t\r", data[i]) && data[i]);
	}
	while (!protocol_is_drained(&protocol))
		protocol_poll(&protocol);
	require(lines_sent == expected + requests);
}

static void count_warning(void *context, const char *text)
{
	(void)context;
	require(strlen(text) < 320);
}

static void fuzz_command_line(const uint8_t *data, size_t bytes)
{
	static struct settings settings;
	char text[4096];

	if (bytes >= sizeof text)
		bytes = sizeof text - 1;
	memcpy(text, data, bytes);
	text[bytes] = 0;
	cmdline_parse(text, &settings, count_warning, NULL);
	require(settings.escape >= -1 && settings.escape <= 255 && settings.do_count <= SETTINGS_DOS);
	mux_init(&mux, &line, &(struct mux_guest){ NULL, guest_receive }, &monitor, settings.escape);
	for (size_t i = 0; i < settings.do_count; i++) {
		require(!i || settings.dos[i - 1].at_ns <= settings.dos[i].at_ns);
		mux_do(&mux, settings.dos[i].at_ns, settings.dos[i].command);
		while (!mux_is_drained(&mux))
			mux_poll(&mux);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (!bytes)
		return 0;
	machine = fake_machine;
	switch (data[0] % 3) {
	case 0:
		fuzz_console(data + 1, bytes - 1);
		break;
	case 1:
		fuzz_protocol(data + 1, bytes - 1);
		break;
	default:
		fuzz_command_line(data + 1, bytes - 1);
	}
	check_machine();
	return 0;
}
