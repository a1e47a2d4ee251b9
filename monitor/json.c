/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON (RFC 8259): a recursive descent of bounded depth, and the writer. */
#include "monitor/json.h"

#include "base/assert.h"
#include "base/format.h"
#include "base/mem.h"

struct parser {
	const char *at, *end;
	struct json_object *object;
	unsigned depth;
	enum json_error error;
};

static bool fail(struct parser *p, enum json_error error)
{
	p->error = error;
	return false;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n'))
		p->at++;
}

static bool next_is(const struct parser *p, char c)
{
	return p->at < p->end && *p->at == c;
}

static bool take(struct parser *p, char c)
{
	if (!next_is(p, c))
		return fail(p, JSON_SYNTAX);
	p->at++;
	return true;
}

/* Keeps one decoded byte. There is always room: what a string decodes to, with its NUL, is shorter than what it was
 * with its quotes. */
static void keep(struct parser *p, uint32_t byte)
{
	ASSERT(p->object->used < sizeof p->object->text);
	p->object->text[p->object->used++] = (char)byte;
}

static void keep_utf8(struct parser *p, uint32_t code)
{
	if (code < 0x80) {
		keep(p, code);
		return;
	}
	if (code < 0x800) {
		keep(p, 0xc0 | code >> 6);
	} else if (code < 0x10000) {
		keep(p, 0xe0 | code >> 12);
		keep(p, 0x80 | (code >> 6 & 0x3f));
	} else {
		keep(p, 0xf0 | code >> 18);
		keep(p, 0x80 | (code >> 12 & 0x3f));
		keep(p, 0x80 | (code >> 6 & 0x3f));
	}
	keep(p, 0x80 | (code & 0x3f));
}

static bool parse_hex4(struct parser *p, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, p->at++) {
		char c = p->at < p->end ? *p->at : 0;

		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			*code = *code << 4 | ((uint32_t)(c & 7) + 9);
		else
			return fail(p, JSON_SYNTAX);
	}
	return true;
}

/* What follows \u; a character beyond FFFFh comes as two of them (RFC 8259 7). */
static bool parse_unicode(struct parser *p)
{
	uint32_t code, low;

	if (!parse_hex4(p, &code))
		return false;
	if (code >= 0xd800 && code < 0xdc00) {
		if (!take(p, '\\') || !take(p, 'u') || !parse_hex4(p, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(p, JSON_SYNTAX);
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code == 0 || (code >= 0xdc00 && code < 0xe000)) {
		return fail(p, JSON_SYNTAX);
	}
	keep_utf8(p, code);
	return true;
}

static bool parse_escape(struct parser *p)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (p->at == p->end)
		return fail(p, JSON_SYNTAX);
	if (next_is(p, 'u')) {
		p->at++;
		return parse_unicode(p);
	}
	found = *p->at ? strchr(names, *p->at) : NULL;
	if (!found)
		return fail(p, JSON_SYNTAX);
	p->at++;
	keep(p, (uint8_t)values[found - names]);
	return true;
}

/* One character of more than one byte, in the well-formed UTF-8 of the Unicode Standard, table 3-7. */
static bool parse_utf8(struct parser *p)
{
	uint8_t lead = (uint8_t)*p->at;
	uint8_t lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	uint8_t highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;

	if (lead < 0xc2 || lead > 0xf4)
		return fail(p, JSON_SYNTAX);
	for (keep(p, lead), p->at++; more; more--, p->at++) {
		uint8_t byte = p->at < p->end ? (uint8_t)*p->at : 0;

		if (byte < lowest || byte > highest)
			return fail(p, JSON_SYNTAX);
		keep(p, byte);
		lowest = 0x80;
		highest = 0xbf;
	}
	return true;
}

static bool parse_string(struct parser *p, const char **string)
{
	bool good = take(p, '"');

	*string = &p->object->text[p->object->used];
	while (good && !next_is(p, '"')) {
		uint8_t byte = p->at < p->end ? (uint8_t)*p->at : 0;

		if (byte < 0x20)
			return fail(p, JSON_SYNTAX);
		if (byte >= 0x80) {
			good = parse_utf8(p);
			continue;
		}
		p->at++;
		if (byte == '\\')
			good = parse_escape(p);
		else
			keep(p, byte);
	}
	if (good)
		keep(p, 0);
	return good && take(p, '"');
}

static bool is_digit(const struct parser *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static bool skip_digits(struct parser *p)
{
	if (!is_digit(p))
		return fail(p, JSON_SYNTAX);
	while (is_digit(p))
		p->at++;
	return true;
}

/* Fraction and exponent, if any: then it is no integer. */
static bool parse_number_tail(struct parser *p, struct json_member *value)
{
	if (next_is(p, '.')) {
		value->kind = JSON_IS_NUMBER;
		p->at++;
		if (!skip_digits(p))
			return false;
	}
	if (next_is(p, 'e') || next_is(p, 'E')) {
		value->kind = JSON_IS_NUMBER;
		p->at++;
		if (next_is(p, '+') || next_is(p, '-'))
			p->at++;
		return skip_digits(p);
	}
	return true;
}

static bool parse_number(struct parser *p, struct json_member *value)
{
	value->kind = JSON_IS_INTEGER;
	value->magnitude = 0;
	value->negative = next_is(p, '-');
	if (value->negative)
		p->at++;
	if (!is_digit(p))
		return fail(p, JSON_SYNTAX);
	if (next_is(p, '0')) {
		p->at++;
		value->negative = false;
		return is_digit(p) ? fail(p, JSON_SYNTAX) : parse_number_tail(p, value);
	}
	for (; is_digit(p); p->at++) {
		uint64_t digit = (uint64_t)(*p->at - '0');

		if (value->magnitude > (UINT64_MAX - digit) / 10)
			value->kind = JSON_IS_NUMBER;
		value->magnitude = value->magnitude * 10 + digit;
	}
	return parse_number_tail(p, value);
}

static bool parse_word(struct parser *p, const char *word)
{
	while (*word)
		if (!take(p, *word++))
			return false;
	return true;
}

static bool parse_value(struct parser *p, struct json_member *value);

static bool parse_name(struct parser *p, const char **name)
{
	if (!parse_string(p, name))
		return false;
	skip_space(p);
	if (!take(p, ':'))
		return false;
	skip_space(p);
	return true;
}

/* What an array or an object inside of the outermost object holds is checked and forgotten. */
static bool parse_inner(struct parser *p, char close)
{
	struct json_member ignored;
	const char *name;

	p->at++;
	if (++p->depth > JSON_DEPTH)
		return fail(p, JSON_TOO_DEEP);
	skip_space(p);
	while (!next_is(p, close)) {
		if (close == '}' && !parse_name(p, &name))
			return false;
		if (!parse_value(p, &ignored))
			return false;
		skip_space(p);
		if (next_is(p, close))
			break;
		if (!take(p, ','))
			return false;
		skip_space(p);
		if (next_is(p, close))
			return fail(p, JSON_SYNTAX);
	}
	p->depth--;
	return take(p, close);
}

static bool parse_value(struct parser *p, struct json_member *value)
{
	switch (p->at < p->end ? *p->at : 0) {
	case '"':
		value->kind = JSON_IS_STRING;
		return parse_string(p, &value->string);
	case '{':
		value->kind = JSON_IS_OBJECT;
		return parse_inner(p, '}');
	case '[':
		value->kind = JSON_IS_ARRAY;
		return parse_inner(p, ']');
	case 'n':
		value->kind = JSON_IS_NULL;
		return parse_word(p, "null");
	case 't':
		value->kind = JSON_IS_TRUE;
		return parse_word(p, "true");
	case 'f':
		value->kind = JSON_IS_FALSE;
		return parse_word(p, "false");
	default:
		return parse_number(p, value);
	}
}

static bool parse_member(struct parser *p)
{
	struct json_object *object = p->object;
	struct json_member *member = &object->members[object->count];

	if (object->count == JSON_MEMBERS)
		return fail(p, JSON_TOO_MANY);
	if (!parse_name(p, &member->name))
		return false;
	if (json_find(object, member->name))
		return fail(p, JSON_DUPLICATE);
	if (!parse_value(p, member))
		return false;
	object->count++;
	skip_space(p);
	return true;
}

static bool parse_outermost(struct parser *p)
{
	skip_space(p);
	if (!take(p, '{'))
		return false;
	skip_space(p);
	if (!next_is(p, '}')) {
		if (!parse_member(p))
			return false;
		while (!next_is(p, '}')) {
			if (!take(p, ','))
				return false;
			skip_space(p);
			if (!parse_member(p))
				return false;
		}
	}
	p->at++;
	skip_space(p);
	return p->at == p->end || fail(p, JSON_SYNTAX);
}

enum json_error json_parse(const char *line, size_t bytes, struct json_object *object, size_t *at)
{
	struct parser p = { .at = line, .end = line + bytes, .object = object, .depth = 1, .error = JSON_OK };

	object->count = 0;
	object->used = 0;
	*at = JSON_LINE;
	if (bytes > JSON_LINE)
		return JSON_SYNTAX;
	parse_outermost(&p);
	*at = (size_t)(p.at - line);
	return p.error;
}

const struct json_member *json_find(const struct json_object *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (!strcmp(object->members[i].name, name))
			return &object->members[i];
	return NULL;
}

void json_write_init(struct json_writer *writer, char *out, size_t bytes)
{
	ASSERT(bytes > 0);
	*writer = (struct json_writer){ .out = out, .bytes = bytes };
	*out = 0;
}

static void put(struct json_writer *w, char c)
{
	if (w->used + 1 == w->bytes) {
		w->full = true;
		return;
	}
	w->out[w->used++] = c;
	w->out[w->used] = 0;
}

static void put_text(struct json_writer *w, const char *text)
{
	while (*text)
		put(w, *text++);
}

static void put_quoted(struct json_writer *w, const char *text)
{
	char escape[8];

	put(w, '"');
	for (; *text; text++) {
		uint8_t byte = (uint8_t)*text;

		if (byte < 0x20) {
			format(escape, sizeof escape, "\\u%04x", byte);
			put_text(w, escape);
			continue;
		}
		if (byte == '"' || byte == '\\')
			put(w, '\\');
		put(w, byte < 0x7f ? *text : '?');
	}
	put(w, '"');
}

/* A comma stands before each value but the first one of its array or object. */
static void put_name(struct json_writer *w, const char *name)
{
	if (w->used && w->out[w->used - 1] != '{' && w->out[w->used - 1] != '[')
		put(w, ',');
	if (name) {
		put_quoted(w, name);
		put(w, ':');
	}
}

void json_write_open(struct json_writer *writer, const char *name, char bracket)
{
	put_name(writer, name);
	put(writer, bracket);
}

void json_write_close(struct json_writer *writer, char bracket)
{
	put(writer, bracket);
}

void json_write_u64(struct json_writer *writer, const char *name, uint64_t value)
{
	char text[24];

	put_name(writer, name);
	format(text, sizeof text, "%lu", value);
	put_text(writer, text);
}

void json_write_i64(struct json_writer *writer, const char *name, int64_t value)
{
	char text[24];

	put_name(writer, name);
	format(text, sizeof text, "%ld", value);
	put_text(writer, text);
}

void json_write_bool(struct json_writer *writer, const char *name, bool value)
{
	put_name(writer, name);
	put_text(writer, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer, const char *name)
{
	put_name(writer, name);
	put_text(writer, "null");
}

void json_write_string(struct json_writer *writer, const char *name, const char *text)
{
	put_name(writer, name);
	put_quoted(writer, text);
}
