/*
 * histogram: which bucket a time falls into, and what the sums come to.
 */
#include "include/zkfs/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static size_t bucket_of(int64_t us)
{
	struct zkfs_histogram histogram = {0};
	size_t found = SIZE_MAX;

	zkfs_histogram_add(&histogram, us);
	for (size_t i = 0; i <= ZKFS_HISTOGRAM_N_BOUNDS; i++) {
		if (histogram.buckets[i] == 0)
			continue;
		assert_int_equal(found, SIZE_MAX);
		assert_int_equal(histogram.buckets[i], 1);
		found = i;
	}
	return found;
}

static void test_bounds_grow(void **state)
{
	(void)state;
	for (size_t i = 1; i < ZKFS_HISTOGRAM_N_BOUNDS; i++)
		assert_true(zkfs_histogram_bound_us(i) >
			    zkfs_histogram_bound_us(i - 1));
}

static void test_bounds_are_included(void **state)
{
	(void)state;
	for (size_t i = 0; i < ZKFS_HISTOGRAM_N_BOUNDS; i++) {
		assert_int_equal(bucket_of(zkfs_histogram_bound_us(i)), i);
		assert_int_equal(bucket_of(zkfs_histogram_bound_us(i) + 1),
				 i + 1);
	}
}

static void test_extremes(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	assert_int_equal(bucket_of(-5), 0);
	assert_int_equal(bucket_of(INT64_MIN), 0);
	assert_int_equal(bucket_of(INT64_MAX), ZKFS_HISTOGRAM_N_BOUNDS);
}

static void test_sums(void **state)
{
	struct zkfs_histogram histogram = {0};

	(void)state;
	assert_int_equal(zkfs_histogram_count(&histogram), 0);
	zkfs_histogram_add(&histogram, 7);
	zkfs_histogram_add(&histogram, 1000000000);
	zkfs_histogram_add(&histogram, -3);
	assert_int_equal(zkfs_histogram_count(&histogram), 3);
	assert_int_equal(histogram.sum_us, 1000000007);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_grow),
		cmocka_unit_test(test_bounds_are_included),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
