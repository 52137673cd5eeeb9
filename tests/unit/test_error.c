/*
 * error: each code a server can send has its errno, and what is unknown is
 * EIO.
 */
#include "include/zkfs/error.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a program sees, said a second time and by hand: KeeperException.Code
 * against errno. */
static void test_protocol_to_errno(void **state)
{
	static const struct {
		int code;
		enum zkfs_error error;
		int err;
	} cases[] = {
		{0, ZKFS_E_OK, 0},
		{-101, ZKFS_E_NONODE, -ENOENT},
		{-102, ZKFS_E_NOAUTH, -EACCES},
		{-103, ZKFS_E_BADVERSION, -ESTALE},
		{-108, ZKFS_E_NOCHILDREN, -EPERM},
		{-110, ZKFS_E_NODEEXISTS, -EEXIST},
		{-111, ZKFS_E_NOTEMPTY, -ENOTEMPTY},
		{-112, ZKFS_E_EXPIRED, -EIO},
		{-114, ZKFS_E_INVALIDACL, -EINVAL},
		{-115, ZKFS_E_AUTHFAILED, -EACCES},
		{-125, ZKFS_E_QUOTA, -EDQUOT},
		{-8, ZKFS_E_BADARGUMENTS, -EINVAL},
		{-6, ZKFS_E_UNIMPLEMENTED, -EOPNOTSUPP},
		{-2, ZKFS_E_ROLLEDBACK, -EIO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(zkfs_error_from_protocol(cases[i].code),
				 cases[i].error);
		assert_int_equal(zkfs_error_to_errno(cases[i].error),
				 cases[i].err);
	}
}

static void test_own_errors_to_errno(void **state)
{
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_TOOBIG), -EFBIG);
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_TIMEDOUT), -ETIMEDOUT);
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_LOST), -EIO);
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_NOMEM), -ENOMEM);
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_OTHER), -EIO);
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_UNSENT), -EIO);
}

static void test_unknown_code(void **state)
{
	static const int codes[] = {1,	  -1,	  -3,	   -99,
				    -100, -12345, INT_MIN, INT_MAX};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(zkfs_error_from_protocol(codes[i]),
				 ZKFS_E_OTHER);
}

static void test_each_has_words_of_its_own(void **state)
{
	for (int i = 0; i < _ZKFS_ERROR_N; i++) {
		const char *words = zkfs_error_words((enum zkfs_error)i);

		assert_non_null(words);
		assert_true(strlen(words) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				words, zkfs_error_words((enum zkfs_error)j));
	}
}

static void test_all_but_ok_are_errors(void **state)
{
	assert_int_equal(zkfs_error_to_errno(ZKFS_E_OK), 0);
	for (int i = 1; i < _ZKFS_ERROR_N; i++)
		assert_true(zkfs_error_to_errno((enum zkfs_error)i) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocol_to_errno),
		cmocka_unit_test(test_own_errors_to_errno),
		cmocka_unit_test(test_unknown_code),
		cmocka_unit_test(test_each_has_words_of_its_own),
		cmocka_unit_test(test_all_but_ok_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
