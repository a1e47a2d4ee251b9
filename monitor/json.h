/* SPDX-License-Identifier: BSD-2-Clause
 *
 * As much of JSON (RFC 8259) as the control port needs: reading one object from one line, and writing one. Nothing
 * is allocated. Values inside of the object that are themselves arrays or objects are checked and passed over: no
 * request has any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_LINE 1024  /* the longest text that is read, in bytes */
#define JSON_MEMBERS 12 /* the most members of the outermost object */
#define JSON_DEPTH 8    /* the most objects and arrays inside of each other, the outermost one counted */

enum json_kind {
	JSON_IS_NULL,
	JSON_IS_FALSE,
	JSON_IS_TRUE,
	JSON_IS_INTEGER, /* from -(2^64 - 1) to 2^64 - 1 */
	JSON_IS_NUMBER,  /* any other: it has a fraction or an exponent, or more than 64 bits */
	JSON_IS_STRING,
	JSON_IS_ARRAY,
	JSON_IS_OBJECT,
};

struct json_member {
	const char *name;
	enum json_kind kind;
	const char *string;  /* JSON_IS_STRING: decoded to UTF-8, no NUL inside */
	bool negative;       /* JSON_IS_INTEGER */
	uint64_t magnitude;
};

struct json_object {
	struct json_member members[JSON_MEMBERS];
	size_t count;
	char text[JSON_LINE]; /* the decoded names and strings */
	size_t used;
};

enum json_error {
	JSON_OK,
	JSON_SYNTAX,    /* not one JSON object; also bad UTF-8, NUL, a lone surrogate, more than JSON_LINE bytes */
	JSON_TOO_DEEP,
	JSON_TOO_MANY,  /* more than JSON_MEMBERS */
	JSON_DUPLICATE, /* a name appears twice */
};

/* Reads one object from bytes bytes at line, with nothing but white space around it. On an error *at is the place of
 * the first wrong byte, counted from 0, and *object is not to be used. */
enum json_error json_parse(const char *line, size_t bytes, struct json_object *object, size_t *at);

/* The member of that name, or NULL. */
const struct json_member *json_find(const struct json_object *object, const char *name);

/* A text in the making. It always ends in a NUL; full says that something did not fit and was left out. */
struct json_writer {
	char *out;
	size_t bytes, used;
	bool full;
};

void json_write_init(struct json_writer *writer, char *out, size_t bytes);

/* Each adds one value, with its name and comma; the name is NULL inside of an array and for the outermost value. */
void json_write_open(struct json_writer *writer, const char *name, char bracket);
void json_write_close(struct json_writer *writer, char bracket);
void json_write_u64(struct json_writer *writer, const char *name, uint64_t value);
void json_write_i64(struct json_writer *writer, const char *name, int64_t value);
void json_write_bool(struct json_writer *writer, const char *name, bool value);
void json_write_null(struct json_writer *writer, const char *name);

/* Our own texts are ASCII; any other byte becomes a question mark, so that a cut-off character cannot spoil the
 * line. */
void json_write_string(struct json_writer *writer, const char *name, const char *text);
