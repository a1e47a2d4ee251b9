/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The line editor of the monitor: one line of printable ASCII that never reaches the edge of an 80-column screen.
 * Backspace or DEL takes a character away, Ctrl-U the line, Ctrl-C gives it up; cursor and function keys are passed
 * over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDITOR_PROMPT "foliot> "
#define EDITOR_PROMPT_LENGTH (sizeof EDITOR_PROMPT - 1)
#define EDITOR_LINE (79 - EDITOR_PROMPT_LENGTH) /* the longest line */

enum editor_result {
	EDITOR_TYPING,   /* the line is not yet ended */
	EDITOR_DONE,     /* Enter: text is the line */
	EDITOR_GIVEN_UP, /* Ctrl-C */
	EDITOR_TOO_LONG, /* Enter, but it was longer than EDITOR_LINE */
	EDITOR_NOISE,    /* Enter, but it had bytes that are no text, such as a bad cable makes */
};

struct editor {
	void (*echo)(void *context, const char *text, size_t bytes);
	void *context;
	char text[EDITOR_LINE + 1]; /* ends in a NUL */
	size_t length;
	bool too_long, noise;
	bool after_cr; /* a line feed now belongs to the line that has just ended */
	enum { EDITOR_PLAIN, EDITOR_ESCAPE, EDITOR_SEQUENCE } key; /* within a function key's bytes (ECMA-48 5.4) */
};

void editor_init(struct editor *editor, void (*echo)(void *context, const char *text, size_t bytes), void *context);

/* Takes one byte from the terminal and echoes what is to be seen of it. After any result but EDITOR_TYPING the
 * caller reads text, then calls editor_clear. */
enum editor_result editor_input(struct editor *editor, uint8_t byte);

/* An empty line. */
void editor_clear(struct editor *editor);

/* Has a line been begun? */
bool editor_is_typing(const struct editor *editor);
