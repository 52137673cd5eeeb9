/*
 * prometheus: the lines, letter by letter.
 */
#include "fs/core/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(struct zkfs_text *text, const char *expected)
{
	assert_false(text->failed);
	assert_string_equal(text->data, expected);
	zkfs_text_fini(text);
}

static void test_family(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_prometheus_family(&text, "a_total", "counter", "How many a.");
	check(&text, "# HELP a_total How many a.\n# TYPE a_total counter\n");
}

static void test_numbers(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_prometheus_number(&text, "a", "", 0);
	zkfs_prometheus_number(&text, "a", "op=\"READ\"", UINT64_MAX);
	check(&text, "a 0\na{op=\"READ\"} 18446744073709551615\n");
}

static void test_seconds(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{0, "s 0\n"},	      {1, "s 0.000001\n"},
		{50, "s 0.00005\n"},  {2500000, "s 2.5\n"},
		{60000000, "s 60\n"}, {1234567890123, "s 1234567.890123\n"},
		{-1, "s 0\n"},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct zkfs_text text = {0};

		zkfs_prometheus_seconds(&text, "s", "", rows[i].us);
		check(&text, rows[i].text);
	}
}

/* Buckets are cumulative here, and the last one is the count. */
static void test_histogram(void **state)
{
	struct zkfs_histogram histogram = {0};
	struct zkfs_text text = {0};
	const char *first = "h_bucket{k=\"v\",le=\"0.00005\"} 1\n";

	(void)state;
	zkfs_histogram_add(&histogram, 50);
	zkfs_histogram_add(&histogram, 51);
	zkfs_histogram_add(&histogram, 700000000);
	zkfs_prometheus_histogram(&text, "h", "k=\"v\"", &histogram);
	assert_non_null(strstr(text.data, "h_bucket{k=\"v\",le=\"0.00005\"} 1\n"
					  "h_bucket{k=\"v\",le=\"0.0001\"} 2\n"
					  "h_bucket{k=\"v\",le=\"0.00025\"} "
					  "2\n"));
	assert_non_null(strstr(text.data, "h_bucket{k=\"v\",le=\"600\"} 2\n"
					  "h_bucket{k=\"v\",le=\"+Inf\"} 3\n"
					  "h_sum{k=\"v\"} 700.000101\n"
					  "h_count{k=\"v\"} 3\n"));
	assert_memory_equal(text.data, first, strlen(first));
	zkfs_text_fini(&text);

	zkfs_prometheus_histogram(&text, "h", "", &histogram);
	assert_non_null(strstr(text.data, "h_bucket{le=\"1\"} 2\n"));
	assert_non_null(strstr(text.data, "\nh_count 3\n"));
	zkfs_text_fini(&text);
}

static void test_labels(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_prometheus_label(&text, "a", "plain");
	zkfs_prometheus_label(&text, "b", "\"\\\n\xc3\xa4");
	check(&text, "a=\"plain\",b=\"\\\"\\\\\\n\xc3\xa4\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
