/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event log: the newest records are kept in order, overwritten ones are counted, and each kind has its text. */
#include "monitor/eventlog.h"

#include "tests/support.h"

#define LINES 2048

struct lines {
	size_t count;
	char text[LINES][160];
};

static struct eventlog eventlog;
static struct lines lines;

static void keep_line(void *context, const char *text)
{
	struct lines *to = context;

	assert_true(to->count < LINES);
	strcpy(to->text[to->count++], text);
}

static void fill(uint64_t count)
{
	memset(&eventlog, 0, sizeof eventlog);
	memset(&lines, 0, sizeof lines);
	for (uint64_t i = 0; i < count; i++)
		eventlog_add(&eventlog, LOG_RATE, i, 2 * i, i, i + 1);
}

static void an_empty_log_shows_nothing(void **state)
{
	(void)state;
	fill(0);
	eventlog_last(&eventlog, 10, keep_line, &lines);
	assert_int_equal(lines.count, 0);
	assert_int_equal(eventlog_overwritten(&eventlog), 0);
}

static void the_last_records_come_oldest_first(void **state)
{
	(void)state;
	fill(5);
	eventlog_last(&eventlog, 2, keep_line, &lines);
	assert_int_equal(lines.count, 3);
	assert_string_equal(lines.text[0], "(3 earlier records, 0 of them overwritten)");
	assert_string_equal(lines.text[1], "     0.000000003 0000000000000006 rate num=3 den=4");
	assert_string_equal(lines.text[2], "     0.000000004 0000000000000008 rate num=4 den=5");
}

static void all_records_come_without_a_remark(void **state)
{
	(void)state;
	fill(5);
	eventlog_last(&eventlog, 5, keep_line, &lines);
	assert_int_equal(lines.count, 5);
	eventlog_last(&eventlog, SIZE_MAX, keep_line, &lines);
	assert_int_equal(lines.count, 10);
}

/* Any number of records: the newest are there, each with its own place, and the others are counted. */
static void overwritten_records_are_counted(void **state)
{
	static const uint64_t counts[] = { EVENTLOG_RECORDS - 1, EVENTLOG_RECORDS, EVENTLOG_RECORDS + 1,
					   3 * EVENTLOG_RECORDS + 17 };

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		uint64_t held = counts[i] < EVENTLOG_RECORDS ? counts[i] : EVENTLOG_RECORDS;
		char expected[160];

		fill(counts[i]);
		assert_int_equal(eventlog_overwritten(&eventlog), counts[i] - held);
		eventlog_last(&eventlog, SIZE_MAX, keep_line, &lines);
		assert_int_equal(lines.count, held + (counts[i] > held));
		for (uint64_t back = 1; back <= held; back++) {
			uint64_t n = counts[i] - back;

			snprintf(expected, sizeof expected, "     0.%09lu %016lx rate num=%lu den=%lu", n, 2 * n, n,
				 n + 1);
			assert_string_equal(lines.text[lines.count - back], expected);
		}
	}
}

static void each_kind_has_its_text(void **state)
{
	(void)state;
	for (int kind = 0; kind < LOG_KIND_COUNT; kind++) {
		struct eventlog_record record = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
						  (enum eventlog_kind)kind };
		char text[160];

		assert_true(eventlog_format(&record, text, sizeof text) < sizeof text - 1);
		assert_null(strstr(text, "null"));
		assert_null(strstr(text, "damaged"));
		assert_int_equal(strncmp(text, "18446744073.709551615 ffffffffffffffff ", 39), 0);
	}
}

static void hexadecimal_is_marked(void **state)
{
	struct eventlog_record record = { 1500000000, 0x1234, 0x10, 0xff, LOG_REFUSED_MSR };
	char text[160];

	(void)state;
	eventlog_format(&record, text, sizeof text);
	assert_string_equal(text, "     1.500000000 0000000000001234 refused-msr msr=10h write=ffh");
}

/* The panic dump must not fall over what a wild write left. */
static void a_damaged_log_is_shown_all_the_same(void **state)
{
	(void)state;
	memset(&eventlog, 0xa5, sizeof eventlog);
	memset(&lines, 0, sizeof lines);
	eventlog_last(&eventlog, SIZE_MAX, keep_line, &lines);
	assert_int_equal(lines.count, EVENTLOG_RECORDS + 1);
	assert_non_null(strstr(lines.text[1], "damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_log_shows_nothing),
		cmocka_unit_test(the_last_records_come_oldest_first),
		cmocka_unit_test(all_records_come_without_a_remark),
		cmocka_unit_test(overwritten_records_are_counted),
		cmocka_unit_test(each_kind_has_its_text),
		cmocka_unit_test(hexadecimal_is_marked),
		cmocka_unit_test(a_damaged_log_is_shown_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
