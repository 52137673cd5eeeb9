/*
 * metrics: what an answer adds to.
 */
#include "fs/core/metrics.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(zkfs_op_name(ZKFS_OP_LOOKUP), "LOOKUP");
	assert_string_equal(zkfs_op_name(ZKFS_OP_POLL), "POLL");
}

static void test_success(void **state)
{
	static struct zkfs_metrics metrics;

	(void)state;
	zkfs_metrics_answered(&metrics, ZKFS_OP_READ, 70, 0);
	assert_int_equal(
		zkfs_histogram_count(&metrics.ops[ZKFS_OP_READ].latency), 1);
	assert_int_equal(metrics.ops[ZKFS_OP_READ].latency.sum_us, 70);
	for (int i = 0; i <= ZKFS_METRICS_ERRNO_MAX; i++)
		assert_int_equal(metrics.ops[ZKFS_OP_READ].errors[i], 0);
}

static void test_errors(void **state)
{
	static struct zkfs_metrics metrics;
	const uint64_t *errors = metrics.ops[ZKFS_OP_OPEN].errors;

	(void)state;
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 1, -ENOENT);
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 1, -ENOENT);
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 1,
			      -ZKFS_METRICS_ERRNO_MAX);
	assert_int_equal(errors[ENOENT], 2);
	assert_int_equal(errors[ZKFS_METRICS_ERRNO_MAX], 1);
	/* What is no errno known has a place too. */
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 1,
			      -ZKFS_METRICS_ERRNO_MAX - 1);
	assert_int_equal(errors[0], 1);
	assert_int_equal(
		zkfs_histogram_count(&metrics.ops[ZKFS_OP_OPEN].latency), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
