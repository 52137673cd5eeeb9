/*
 * quota: what is taken adds up, in all and by user; what does not fit changes
 * nothing and says which limit it was.
 */
#include "fs/core/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault.h"

static const struct zkfs_limits limits = {
	.open = 5,
	.open_user = 3,
	.locks = 1,
	.locks_user = 1,
	.data = SIZE_MAX,
	.data_user = 100,
	.listing = 7,
};

static int charge(struct zkfs_quota *quota, struct zkfs_charge *charge,
		  enum zkfs_quota_kind kind, size_t n, int want)
{
	enum zkfs_limit limit = _ZKFS_LIMIT_N;
	int error = zkfs_quota_charge(quota, charge, kind, n, &limit);

	assert_int_equal((int)limit, want);
	assert_int_equal(error,
			 want == _ZKFS_LIMIT_N ? 0 : zkfs_limit_error(limit));
	return error;
}

static void test_all_and_each(void **state)
{
	struct zkfs_charge a = {0}, b = {0}, c = {0};
	struct zkfs_quota quota;

	(void)state;
	assert_int_equal(zkfs_quota_init(&quota, &limits), 0);
	assert_int_equal(zkfs_quota_bind(&quota, &a, 1), 0);
	assert_int_equal(zkfs_quota_bind(&quota, &b, 1), 0);
	assert_int_equal(zkfs_quota_bind(&quota, &c, 2), 0);
	charge(&quota, &a, ZKFS_QUOTA_OPEN, 2, _ZKFS_LIMIT_N);
	charge(&quota, &b, ZKFS_QUOTA_OPEN, 2, ZKFS_LIMIT_open_user);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open), 2);
	charge(&quota, &b, ZKFS_QUOTA_OPEN, 1, _ZKFS_LIMIT_N);
	charge(&quota, &c, ZKFS_QUOTA_OPEN, 3, ZKFS_LIMIT_open);
	charge(&quota, &c, ZKFS_QUOTA_OPEN, 2, _ZKFS_LIMIT_N);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open), 5);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open_user), 3);
	assert_int_equal(quota.refused[ZKFS_LIMIT_open], 1);
	assert_int_equal(quota.refused[ZKFS_LIMIT_open_user], 1);
	/* Less always is, and makes room for others. */
	charge(&quota, &a, ZKFS_QUOTA_OPEN, 1, _ZKFS_LIMIT_N);
	charge(&quota, &c, ZKFS_QUOTA_OPEN, 3, _ZKFS_LIMIT_N);
	zkfs_quota_close(&quota, &a);
	zkfs_quota_close(&quota, &a);
	zkfs_quota_close(&quota, &b);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open), 3);
	zkfs_quota_close(&quota, &c);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open), 0);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open_user), 0);
	assert_int_equal(quota.users.n, 0);
	zkfs_quota_fini(&quota);
}

/* The kinds do not mix, and no sum runs over. */
static void test_kinds(void **state)
{
	struct zkfs_charge a = {0}, b = {0};
	struct zkfs_quota quota;

	(void)state;
	assert_int_equal(zkfs_quota_init(&quota, &limits), 0);
	assert_int_equal(zkfs_quota_bind(&quota, &a, 7), 0);
	assert_int_equal(zkfs_quota_bind(&quota, &b, 7), 0);
	charge(&quota, &a, ZKFS_QUOTA_DATA, 100, _ZKFS_LIMIT_N);
	charge(&quota, &b, ZKFS_QUOTA_DATA, SIZE_MAX, ZKFS_LIMIT_data_user);
	charge(&quota, &b, ZKFS_QUOTA_LOCKS, 1, _ZKFS_LIMIT_N);
	charge(&quota, &a, ZKFS_QUOTA_LOCKS, 1, ZKFS_LIMIT_locks_user);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_data), 100);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_locks), 1);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_open), 0);
	assert_int_equal(zkfs_quota_used(&quota, ZKFS_LIMIT_path), 0);
	assert_int_equal(zkfs_quota_refused(&quota, ZKFS_LIMIT_listing),
			 -EFBIG);
	assert_int_equal(quota.refused[ZKFS_LIMIT_listing], 1);
	zkfs_quota_close(&quota, &a);
	zkfs_quota_close(&quota, &b);
	zkfs_quota_fini(&quota);
}

static void test_without_memory(void **state)
{
	struct zkfs_charge a = {0};
	struct zkfs_quota quota;

	(void)state;
	assert_int_equal(zkfs_quota_init(&quota, &limits), 0);
	fault_arm(1);
	assert_int_equal(zkfs_quota_bind(&quota, &a, 7), -ENOMEM);
	assert_true(fault_disarm());
	assert_null(a.user);
	zkfs_quota_close(&quota, &a);
	zkfs_quota_fini(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_and_each),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
