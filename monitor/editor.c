/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The line editor. */
#include "monitor/editor.h"

#include "base/mem.h"

enum {
	CTRL_C = 0x03,
	BELL = 0x07,
	BACKSPACE = 0x08,
	CTRL_U = 0x15,
	ESC = 0x1b,
	DEL = 0x7f,
};

void editor_init(struct editor *editor, void (*echo)(void *context, const char *text, size_t bytes), void *context)
{
	*editor = (struct editor){ .echo = echo, .context = context };
}

void editor_clear(struct editor *editor)
{
	editor->length = 0;
	editor->text[0] = 0;
	editor->too_long = editor->noise = false;
	editor->key = EDITOR_PLAIN;
}

bool editor_is_typing(const struct editor *editor)
{
	return editor->length || editor->too_long || editor->noise;
}

static void echo(struct editor *editor, const char *text)
{
	editor->echo(editor->context, text, strlen(text));
}

static void erase_one(struct editor *editor)
{
	if (!editor->length)
		return;
	editor->text[--editor->length] = 0;
	echo(editor, "\b \b");
}

static void erase_all(struct editor *editor)
{
	while (editor->length)
		erase_one(editor);
	editor_clear(editor);
}

static void add(struct editor *editor, uint8_t byte)
{
	if (editor->length == EDITOR_LINE) {
		editor->too_long = true;
		echo(editor, "\a");
		return;
	}
	editor->text[editor->length++] = (char)byte;
	editor->text[editor->length] = 0;
	editor->echo(editor->context, &editor->text[editor->length - 1], 1);
}

/* Function keys send ESC [ parameters final, or ESC and one or two letters. */
static void skip_key(struct editor *editor, uint8_t byte)
{
	if (editor->key == EDITOR_ESCAPE && (byte == '[' || byte == 'O'))
		editor->key = EDITOR_SEQUENCE;
	else if (editor->key == EDITOR_ESCAPE || byte >= 0x40)
		editor->key = EDITOR_PLAIN;
}

static enum editor_result end_line(struct editor *editor)
{
	echo(editor, "\n");
	if (editor->noise)
		return EDITOR_NOISE;
	return editor->too_long ? EDITOR_TOO_LONG : EDITOR_DONE;
}

enum editor_result editor_input(struct editor *editor, uint8_t byte)
{
	bool after_cr = editor->after_cr;

	editor->after_cr = byte == '\r';
	if (editor->key != EDITOR_PLAIN && byte >= 0x20 && byte < DEL) {
		skip_key(editor, byte);
		return EDITOR_TYPING;
	}
	editor->key = EDITOR_PLAIN;
	switch (byte) {
	case '\n':
		return after_cr ? EDITOR_TYPING : end_line(editor);
	case '\r':
		return end_line(editor);
	case BACKSPACE:
	case DEL:
		erase_one(editor);
		break;
	case CTRL_U:
		erase_all(editor);
		break;
	case CTRL_C:
		echo(editor, "^C\n");
		return EDITOR_GIVEN_UP;
	case ESC:
		editor->key = EDITOR_ESCAPE;
		break;
	case '\t':
	case BELL:
		break;
	default:
		if (byte >= 0x20 && byte < DEL) {
			add(editor, byte);
			break;
		}
		editor->noise = true;
		echo(editor, "\a");
	}
	return EDITOR_TYPING;
}
