/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON reader accepts what RFC 8259 calls an object, within its bounds, and nothing else; jansson is the judge.
 * The writer's text is read back by jansson. */
#include "monitor/json.h"

#include "tests/support.h"

#include <jansson.h>

static struct json_object object;

static enum json_error parse(const char *line)
{
	size_t at;

	return json_parse(line, strlen(line), &object, &at);
}

static void reads_each_kind_of_value(void **state)
{
	(void)state;
	assert_int_equal(parse(" {\"a\":null,\"b\":false, \"c\" : true,\"d\":12,\"e\":1.5,\"f\":\"x\",\"g\":[1,{}],"
			       "\"h\":{\"a\":[]}}\r"),
			 JSON_OK);
	assert_int_equal(object.count, 8);
	for (int kind = JSON_IS_NULL; kind <= JSON_IS_OBJECT; kind++)
		assert_int_equal(object.members[kind].kind, kind);
	assert_string_equal(json_find(&object, "f")->string, "x");
	assert_int_equal(json_find(&object, "d")->magnitude, 12);
	assert_null(json_find(&object, "i"));
}

static void integers_are_exact_to_64_bits(void **state)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		bool negative;
		uint64_t magnitude;
	} rows[] = {
		{ "0", JSON_IS_INTEGER, false, 0 },
		{ "-0", JSON_IS_INTEGER, false, 0 },
		{ "-1", JSON_IS_INTEGER, true, 1 },
		{ "9223372036854775807", JSON_IS_INTEGER, false, INT64_MAX },
		{ "18446744073709551615", JSON_IS_INTEGER, false, UINT64_MAX },
		{ "18446744073709551616", JSON_IS_NUMBER, false, 0 },
		{ "18446744073709551620", JSON_IS_NUMBER, false, 0 },
		{ "99999999999999999999999999999999999999999", JSON_IS_NUMBER, false, 0 },
		{ "1.0", JSON_IS_NUMBER, false, 0 },
		{ "1e2", JSON_IS_NUMBER, false, 0 },
		{ "0.5E-7", JSON_IS_NUMBER, false, 0 },
		{ "-0e0", JSON_IS_NUMBER, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[128];

		snprintf(line, sizeof line, "{\"n\":%s}", rows[i].text);
		assert_int_equal(parse(line), JSON_OK);
		assert_int_equal(object.members[0].kind, rows[i].kind);
		if (rows[i].kind != JSON_IS_INTEGER)
			continue;
		assert_int_equal(object.members[0].negative, rows[i].negative);
		assert_true(object.members[0].magnitude == rows[i].magnitude);
	}
}

static void decodes_escapes(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00 \xc3\xa9\"}"),
			 JSON_OK);
	assert_string_equal(json_find(&object, "a")->string,
			    "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3\xa9");
}

static void refuses_what_is_no_object(void **state)
{
	static const char *const lines[] = {
		"", " ", "{", "}", "{}{}", "{} x", "[]", "1", "\"a\"", "null", "{a:1}", "{'a':1}", "{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}",
		"{\"a\":1e}", "{\"a\":-}", "{\"a\":0x10}", "{\"a\":nul}", "{\"a\":True}", "{\"a\":\"x}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\udc00\"}",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\t\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "{\"a\":[1,]}",
		"{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":{1:2}}", "{\"a\":{\"b\":1,}}", "{\"a\":[1}}",
		"//\n{}", "\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (parse(lines[i]) != JSON_SYNTAX)
			fail_msg("accepted: %s", lines[i]);
}

static void refuses_a_nul_byte_anywhere(void **state)
{
	static const char line[] = "{\"ab\":\"cd\"}";
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof line - 1; i++) {
		char copy[sizeof line];

		memcpy(copy, line, sizeof line);
		copy[i] = 0;
		assert_int_equal(json_parse(copy, sizeof line - 1, &object, &at), JSON_SYNTAX);
		assert_int_equal(at, i);
	}
}

#define TEN_MEMBERS \
	"\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,"

static void keeps_its_bounds(void **state)
{
	char line[JSON_LINE + 8];
	size_t at;

	(void)state;
	assert_int_equal(parse("{\"a\":1,\"a\":2}"), JSON_DUPLICATE);
	assert_int_equal(parse("{\"a\":[[[[[[[]]]]]]]}"), JSON_OK);
	assert_int_equal(parse("{\"a\":[[[[[[[[]]]]]]]]}"), JSON_TOO_DEEP);
	assert_int_equal(parse("{\"a\":[[],[],[],{},{},{},[],[],[]],\"b\":[[[[[[[]]]]]]]}"), JSON_OK);
	assert_int_equal(parse("{" TEN_MEMBERS "\"a\":0,\"b\":0}"), JSON_OK);
	assert_int_equal(parse("{" TEN_MEMBERS "\"a\":0,\"b\":0,\"c\":0}"), JSON_TOO_MANY);
	memset(line, 'x', sizeof line);
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + JSON_LINE - 2, "\"}}", 3);
	assert_int_equal(json_parse(line, JSON_LINE, &object, &at), JSON_OK);
	assert_int_equal(strlen(object.members[0].string), JSON_LINE - 8);
	assert_int_equal(json_parse(line, JSON_LINE + 1, &object, &at), JSON_SYNTAX);
}

/* A line made by changing a good one a little: such lines find the corners that random bytes never reach. */
static size_t mutate(uint64_t *random, char *line)
{
	static const char *const seeds[] = {
		"{\"id\":1,\"cmd\":\"rate\",\"num\":10,\"den\":1}",
		"{ \"a\" : [ 1 , -2.5e+3, true,false, null ], \"b\":{\"c\":\"\\u00e9\\ud83d\\ude00\"} }",
		"{\"\":\"\xe2\x82\xac\",\"x\":18446744073709551615,\"y\":[[[[{}]]]]}",
	};
	static const char alphabet[] = "{}[]:,\"\\u0e-+.19 ntfaD8\x80\xbf\xc3\xe2\xf0\x01";
	const char *seed = seeds[random_next(random) % 3];
	size_t length = strlen(seed);

	memcpy(line, seed, length);
	for (uint64_t changes = random_next(random) % 4; changes; changes--) {
		size_t at = random_next(random) % length;
		char byte = alphabet[random_next(random) % (sizeof alphabet - 1)];

		switch (random_next(random) % 3) {
		case 0:
			line[at] = byte;
			break;
		case 1:
			memmove(line + at + 1, line + at, length++ - at);
			line[at] = byte;
			break;
		default:
			memmove(line + at, line + at + 1, --length - at);
		}
	}
	line[length] = 0;
	return length;
}

/* jansson refuses numbers that its own types cannot hold; what RFC 8259 says of those is that a reader may choose. */
static bool is_number_beyond_jansson(const json_error_t *error)
{
	return json_error_code(error) == json_error_numeric_overflow;
}

static void agrees_with_jansson_on_changed_lines(void **state)
{
	uint64_t random = 0x6a736f6e;
	unsigned long good = 0;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		char line[256];
		size_t length = mutate(&random, line), at;
		enum json_error ours = json_parse(line, length, &object, &at);
		json_error_t error;
		json_t *theirs = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);

		assert_true(at <= length);
		if (ours == JSON_OK) {
			good++;
			assert_true(theirs || is_number_beyond_jansson(&error));
			if (theirs)
				assert_int_equal(json_object_size(theirs), object.count);
		} else if (ours == JSON_SYNTAX && json_is_object(theirs)) {
			fail_msg("refused: %s", line);
		}
		json_decref(theirs);
	}
	assert_true(good > share(1000000) / 10);
}

static void survives_noise(void **state)
{
	uint64_t random = 0x6e6f697365;

	(void)state;
	for (unsigned long i = 0; i < share(1000000); i++) {
		char line[JSON_LINE];
		size_t length = random_next(&random) % 64, at;

		for (size_t k = 0; k < length; k++)
			line[k] = (char)random_next(&random);
		line[0] = '{';
		json_parse(line, length, &object, &at);
		assert_true(at <= length);
	}
}

static void writes_what_jansson_reads(void **state)
{
	char text[256];
	struct json_writer writer;
	json_t *root;

	(void)state;
	json_write_init(&writer, text, sizeof text);
	json_write_open(&writer, NULL, '{');
	json_write_string(&writer, "s", "a\"b\\c\n\x01 \xc3\xa9{");
	json_write_u64(&writer, "u", UINT64_MAX);
	json_write_i64(&writer, "i", INT64_MIN);
	json_write_open(&writer, "a", '[');
	json_write_bool(&writer, NULL, true);
	json_write_bool(&writer, NULL, false);
	json_write_null(&writer, NULL);
	json_write_open(&writer, NULL, '{');
	json_write_close(&writer, '}');
	json_write_close(&writer, ']');
	json_write_close(&writer, '}');
	assert_false(writer.full);
	assert_string_equal(text, "{\"s\":\"a\\\"b\\\\c\\u000a\\u0001 ??{\",\"u\":18446744073709551615,"
				  "\"i\":-9223372036854775808,\"a\":[true,false,null,{}]}");
	root = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
	assert_non_null(root);
	assert_true(json_real_value(json_object_get(root, "u")) == 0x1p64);
	assert_true(json_real_value(json_object_get(root, "i")) == -0x1p63);
	assert_string_equal(json_string_value(json_object_get(root, "s")), "a\"b\\c\n\x01 ??{");
	assert_int_equal(json_array_size(json_object_get(root, "a")), 4);
	json_decref(root);
}

static void a_full_writer_says_so_and_stays_inside(void **state)
{
	char text[16];
	struct json_writer writer;

	(void)state;
	memset(text, 'x', sizeof text);
	json_write_init(&writer, text, 8);
	json_write_string(&writer, "name", "value");
	assert_true(writer.full);
	assert_int_equal(strlen(text), 7);
	assert_int_equal(text[8], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_kind_of_value),
		cmocka_unit_test(integers_are_exact_to_64_bits),
		cmocka_unit_test(decodes_escapes),
		cmocka_unit_test(refuses_what_is_no_object),
		cmocka_unit_test(refuses_a_nul_byte_anywhere),
		cmocka_unit_test(keeps_its_bounds),
		cmocka_unit_test(agrees_with_jansson_on_changed_lines),
		cmocka_unit_test(survives_noise),
		cmocka_unit_test(writes_what_jansson_reads),
		cmocka_unit_test(a_full_writer_says_so_and_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
