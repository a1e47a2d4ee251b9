/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The serial console's multiplexer. */
#include "monitor/mux.h"

#include "base/format.h"
#include "base/mem.h"
#include "monitor/figures.h"

#define CTRL_D 0x04

static void print(void *context, const char *text, size_t bytes)
{
	struct mux *mux = context;

	for (size_t i = 0; i < bytes; i++) {
		size_t needed = text[i] == '\n' ? 2 : 1;

		if (ring_room(&mux->output) < needed) {
			mux->dropped_output++;
			continue;
		}
		if (text[i] == '\n')
			ring_put(&mux->output, '\r');
		ring_put(&mux->output, (uint8_t)text[i]);
	}
}

static void print_text(struct mux *mux, const char *text)
{
	print(mux, text, strlen(text));
}

static void print_line(void *context, const char *text)
{
	print_text(context, text);
	print_text(context, "\n");
}

void mux_init(struct mux *mux, const struct sink *line, const struct mux_guest *guest, struct monitor *monitor,
	      int escape)
{
	*mux = (struct mux){ .line = *line, .guest = *guest, .monitor = monitor, .escape = escape };
	editor_init(&mux->editor, print, mux);
	ring_init(&mux->input, mux->input_bytes, sizeof mux->input_bytes);
	ring_init(&mux->output, mux->output_bytes, sizeof mux->output_bytes);
}

/* Makes the cursor stand at the start of an empty line. The prompt is wiped with blanks: every terminal can do that. */
static void clear_line(struct mux *mux)
{
	if (mux->prompted) {
		print_text(mux, "\r");
		for (size_t i = 0; i < EDITOR_PROMPT_LENGTH + mux->editor.length; i++)
			print_text(mux, " ");
		print_text(mux, "\r");
	} else if (mux->mid_line) {
		print_text(mux, "\n");
	}
	mux->prompted = mux->mid_line = false;
}

static void prompt(struct mux *mux)
{
	clear_line(mux);
	print_text(mux, EDITOR_PROMPT);
	print(mux, mux->editor.text, mux->editor.length);
	mux->prompted = true;
}

static void leave(struct mux *mux)
{
	if (mux->prompted)
		clear_line(mux);
	editor_clear(&mux->editor);
	mux->in_monitor = false;
}

static void send_to_guest(struct mux *mux, uint8_t byte)
{
	if (!ring_put(&mux->input, byte))
		mux->dropped_input++;
}

static void drain_input(struct mux *mux)
{
	while (ring_used(&mux->input) && mux->guest.receive(mux->guest.context, ring_peek(&mux->input)))
		ring_drop(&mux->input);
}

/* The line is taken out of the editor first, so that it does not hold back the guest's output when the command ends
 * the run. */
static void execute_typed(struct mux *mux)
{
	struct reply reply = { mux, print_line };
	struct editor typed = mux->editor;

	editor_clear(&mux->editor);
	mux->executing = true;
	if (monitor_execute(mux->monitor, typed.text, &reply) == MONITOR_LEAVE)
		leave(mux);
	mux->executing = false;
}

static void type(struct mux *mux, uint8_t byte)
{
	enum editor_result result;

	if (!mux->prompted)
		prompt(mux);
	result = editor_input(&mux->editor, byte);
	if (result == EDITOR_TYPING)
		return;
	mux->prompted = false;
	if (result == EDITOR_DONE)
		execute_typed(mux);
	else if (result == EDITOR_TOO_LONG)
		print_text(mux, "the line was too long: nothing done\n");
	else if (result == EDITOR_NOISE)
		print_text(mux, "the line had bytes that are no text: nothing done\n");
	editor_clear(&mux->editor);
	if (mux->in_monitor)
		prompt(mux);
}

void mux_enter(struct mux *mux)
{
	if (mux->in_monitor)
		return;
	mux->in_monitor = true;
	prompt(mux);
	ring_drain(&mux->output, &mux->line);
}

void mux_input(struct mux *mux, uint8_t byte)
{
	if (!mux->in_monitor && byte == mux->escape) {
		mux_enter(mux);
	} else if (!mux->in_monitor) {
		send_to_guest(mux, byte);
	} else if (byte == mux->escape) {
		leave(mux);
		send_to_guest(mux, byte);
	} else if (byte == CTRL_D) {
		leave(mux);
	} else {
		type(mux, byte);
	}
	drain_input(mux);
	ring_drain(&mux->output, &mux->line);
}

/* Is the screen busy with a line of ours? */
static bool is_held(const struct mux *mux)
{
	return ring_used(&mux->output) || (mux->in_monitor && editor_is_typing(&mux->editor));
}

size_t mux_guest_output(struct mux *mux, const uint8_t *bytes, size_t count)
{
	size_t room;

	if (!count || is_held(mux))
		return 0;
	if (mux->prompted) {
		clear_line(mux);
		ring_drain(&mux->output, &mux->line);
		if (ring_used(&mux->output))
			return 0;
	}
	room = mux->line.room(mux->line.context);
	if (count > room)
		count = room;
	if (!count)
		return 0;
	mux->line.write(mux->line.context, bytes, count);
	mux->mid_line = bytes[count - 1] != '\n';
	mux->guest_wrote = true;
	return count;
}

void mux_say(struct mux *mux, const char *text)
{
	clear_line(mux);
	print_line(mux, text);
	if (mux->in_monitor && !mux->executing)
		prompt(mux);
	ring_drain(&mux->output, &mux->line);
}

struct do_reply {
	struct mux *mux;
	const char *time, *command;
	bool answered;
};

static void do_line(void *context, const char *text)
{
	struct do_reply *to = context;
	char line[320];

	if (to->answered)
		format(line, sizeof line, "foliot:   %s", text);
	else
		format(line, sizeof line, "foliot: do %s: %s -> %s", to->time, to->command, text);
	to->answered = true;
	mux_say(to->mux, line);
}

/* GRUB lets any byte into the command line. */
static void copy_printable(char *out, size_t bytes, const char *text)
{
	size_t i;

	for (i = 0; text[i] && i < bytes - 1; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = 0;
}

void mux_do(struct mux *mux, uint64_t at_ns, const char *command)
{
	char time[FIGURE_BYTES], shown[128];
	struct do_reply to = { .mux = mux, .time = time, .command = shown };
	struct reply reply = { &to, do_line };
	enum monitor_result result;

	copy_printable(shown, sizeof shown, command);
	figure_duration(time, sizeof time, at_ns);
	result = monitor_execute(mux->monitor, command, &reply);
	if (!to.answered)
		do_line(&to, "done");
	if (result == MONITOR_LEAVE && mux->in_monitor) {
		leave(mux);
		ring_drain(&mux->output, &mux->line);
	}
}

static bool wants_prompt(const struct mux *mux)
{
	return mux->in_monitor && !mux->prompted && !mux->executing && !mux->mid_line && !mux->guest_wrote &&
	       !ring_used(&mux->output);
}

void mux_poll(struct mux *mux)
{
	drain_input(mux);
	ring_drain(&mux->output, &mux->line);
	if (wants_prompt(mux)) {
		prompt(mux);
		ring_drain(&mux->output, &mux->line);
	}
	mux->guest_wrote = false;
}

bool mux_is_drained(const struct mux *mux)
{
	return !ring_used(&mux->output);
}
