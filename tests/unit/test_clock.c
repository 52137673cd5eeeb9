/*
 * clock: it is CLOCK_BOOTTIME, in both units, and does not go back.
 */
#include "fs/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static int64_t boottime_us(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void test_is_boottime(void **state)
{
	for (int i = 0; i < 1000; i++) {
		int64_t before = boottime_us();
		int64_t us = zkfs_clock_us();
		int64_t ms = zkfs_clock_ms();
		int64_t after = boottime_us();

		assert_true(before <= us && us <= after);
		assert_true(before / 1000 <= ms && ms <= after / 1000);
	}
}

static void test_calendar(void **state)
{
	time_t before = time(NULL);
	int64_t ms = zkfs_clock_unix_ms();
	time_t after = time(NULL);

	/* time(2) may be a tick behind clock_gettime(2). */
	assert_true(before <= ms / 1000 && ms / 1000 <= after + 1);
}

static void test_earlier(void **state)
{
	assert_true(zkfs_clock_earlier(1, 2) == 1);
	assert_true(zkfs_clock_earlier(2, 1) == 1);
	assert_true(zkfs_clock_earlier(ZKFS_NEVER, 5) == 5);
	assert_true(zkfs_clock_earlier(ZKFS_NEVER, ZKFS_NEVER) == ZKFS_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_boottime),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_earlier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
