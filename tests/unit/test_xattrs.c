/*
 * test_xattrs: every attribute's text, and that the list names all of them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/util.h"
#include "fs/core/xattrs.h"

/* No two fields alike, so that none can stand for another. */
static const struct zkfs_stat sample = {
	.czxid = 0x1a,
	.mzxid = 0x20000000b,
	.pzxid = 0x7fffffffffffffff,
	.ctime_ms = 1700000000123,
	.mtime_ms = -1,
	.version = 7,
	.cversion = -8,
	.aversion = -1,
	.data_length = 1048551,
	.num_children = 2147483647,
	.ephemeral_owner = (int64_t)0x9000000000000001,
};

static const struct {
	const char *name;
	const char *value;
} expected[] = {
	{"user.zk.version", "7"},
	{"user.zk.cversion", "-8"},
	{"user.zk.aversion", "-1"},
	{"user.zk.czxid", "0x1a"},
	{"user.zk.mzxid", "0x20000000b"},
	{"user.zk.pzxid", "0x7fffffffffffffff"},
	{"user.zk.ctime", "1700000000123"},
	{"user.zk.mtime", "-1"},
	{"user.zk.ephemeralOwner", "0x9000000000000001"},
	{"user.zk.dataLength", "1048551"},
	{"user.zk.numChildren", "2147483647"},
	{"user.zk.path", "/app/conf"},
};

static void test_values(void **state)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(expected); i++) {
		size_t len = strlen(expected[i].value);
		char buf[64];

		memset(buf, '#', sizeof(buf));
		assert_true(zkfs_xattrs_known(expected[i].name));
		assert_int_equal(zkfs_xattrs_get(expected[i].name, "/app/conf",
						 &sample, buf, sizeof(buf)),
				 len);
		assert_memory_equal(buf, expected[i].value, len);
		assert_int_equal(buf[len], '#'); /* no NUL */
	}
}

static void test_size_must_fit(void **state)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(expected); i++) {
		size_t len = strlen(expected[i].value);
		char buf[64] = "";

		assert_int_equal(zkfs_xattrs_get(expected[i].name, "/app/conf",
						 &sample, buf, len),
				 len);
		buf[0] = '#';
		assert_int_equal(zkfs_xattrs_get(expected[i].name, "/app/conf",
						 &sample, buf, len - 1),
				 -ERANGE);
		assert_int_equal(buf[0], '#');
	}
}

static void test_list_is_the_table(void **state)
{
	size_t len, n = 0;
	const char *list = zkfs_xattrs_list(&len);

	for (const char *it = list; it < list + len; it += strlen(it) + 1) {
		assert_true(n < ZKFS_ARRAY_SIZE(expected));
		assert_string_equal(it, expected[n++].name);
	}
	assert_int_equal(n, ZKFS_ARRAY_SIZE(expected));
	assert_int_equal(list[len - 1], '\0');
}

static void test_others_are_not_ours(void **state)
{
	static const char *const names[] = {"",
					    "user.zk.",
					    "user.zk.versio",
					    "user.zk.version2",
					    "user.zk.VERSION",
					    "user.zkversion",
					    "user.version",
					    "version",
					    "user.zk.token",
					    "security.selinux",
					    "user.zk. path",
					    "user",
					    "trusted.zk.version"};
	char buf[64];

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(names); i++) {
		assert_false(zkfs_xattrs_known(names[i]));
		assert_int_equal(zkfs_xattrs_get(names[i], "/", &sample, buf,
						 sizeof(buf)),
				 -ENODATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_size_must_fit),
		cmocka_unit_test(test_list_is_the_table),
		cmocka_unit_test(test_others_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
