/*
 * size: the sizes that a server was seen to take to the byte, and that a
 * length from above cannot wrap round. That one byte more is refused by a
 * server is asked in tests/session.
 */
#include "fs/zk/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/base/util.h"

static size_t op_size(struct zkfs_zk_op op, size_t chroot_len)
{
	struct zkfs_zk_req req = {
		.kind = ZKFS_ZK_MULTI, .ops = &op, .n_ops = 1};
	struct zkfs_zk_req none = {.kind = ZKFS_ZK_MULTI};

	return zkfs_size_request(&req, chroot_len) -
	       zkfs_size_request(&none, chroot_len);
}

static void test_paths(void **state)
{
	(void)state;
	assert_int_equal(zkfs_size_path("/", 0), 1);
	assert_int_equal(zkfs_size_path("/abc", 0), 4);
	assert_int_equal(zkfs_size_path("/", 6), 6);
	assert_int_equal(zkfs_size_path("/abc", 6), 10);
}

static void test_single_requests(void **state)
{
	static const struct {
		enum zkfs_zk_kind kind;
		size_t size; /* with the path "/abc" and ten bytes of data */
	} kinds[] = {
		{ZKFS_ZK_EXISTS, 17},	{ZKFS_ZK_GET, 17},
		{ZKFS_ZK_CHILDREN, 17}, {ZKFS_ZK_SET, 34},
		{ZKFS_ZK_DELETE, 20},	{ZKFS_ZK_SYNC, 16},
		{ZKFS_ZK_GET_ACL, 16},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(kinds); i++) {
		struct zkfs_zk_req req = {
			.kind = kinds[i].kind, .path = "/abc", .len = 10};

		assert_int_equal(zkfs_size_request(&req, 0), kinds[i].size);
		assert_int_equal(zkfs_size_request(&req, 5), kinds[i].size + 5);
	}
}

static void test_set_acl(void **state)
{
	struct zkfs_zk_req req = {
		.kind = ZKFS_ZK_SET_ACL,
		.path = "/abc",
		.data = "\1\0\0\0digest\0me:secret",
		.len = 21,
	};

	(void)state;
	/* header, path, count, perms, scheme, id, version */
	assert_int_equal(zkfs_size_request(&req, 0),
			 8 + 8 + 4 + 4 + 10 + 13 + 4);
	assert_int_equal(zkfs_size_request(&req, 5),
			 8 + 8 + 4 + 4 + 10 + 13 + 4 + 5);
}

static void test_operations(void **state)
{
	(void)state;
	assert_int_equal(op_size((struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
						     .path = "/abc",
						     .len = 10},
				 0),
			 9 + 39 + 4 + 10);
	/* perms, "digest" and "me:secret" with their NULs */
	assert_int_equal(
		op_size((struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
					    .path = "/abc",
					    .len = 10,
					    .acl = "\1\0\0\0digest\0me:secret",
					    .acl_len = 21},
			0),
		9 + 12 + 4 + 4 + (4 + 4 + 6 + 4 + 9) + 10);
	assert_int_equal(op_size((struct zkfs_zk_op){.kind = ZKFS_ZK_OP_SET,
						     .path = "/abc",
						     .len = 10},
				 0),
			 9 + 12 + 4 + 10);
	assert_int_equal(op_size((struct zkfs_zk_op){.kind = ZKFS_ZK_OP_DELETE,
						     .path = "/abc"},
				 3),
			 9 + 8 + 4 + 3);
	assert_int_equal(op_size((struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CHECK,
						     .path = "/"},
				 3),
			 9 + 8 + 3);
}

/* Two sets of four-byte paths in a multi: 1,048,508 bytes of data were taken,
 * one more was not. */
static void test_measured_multi(void **state)
{
	struct zkfs_zk_op ops[] = {
		{.kind = ZKFS_ZK_OP_SET, .path = "/abc", .len = 500000},
		{.kind = ZKFS_ZK_OP_SET, .path = "/abd", .len = 548508},
	};
	struct zkfs_zk_req req = {
		.kind = ZKFS_ZK_MULTI, .ops = ops, .n_ops = 2};

	(void)state;
	assert_int_equal(zkfs_size_request(&req, 0), ZKFS_SIZE_MAX);
}

static void test_data_max(void **state)
{
	(void)state;
	assert_int_equal(zkfs_size_data_max("/abc", 0), 1048551);
	assert_int_equal(zkfs_size_data_max("/abc", 10), 1048541);
	assert_int_equal(zkfs_size_data_max("/abc", 2 * ZKFS_SIZE_MAX), 0);
}

static void test_absurd_lengths(void **state)
{
	struct zkfs_zk_op ops[] = {
		{.kind = ZKFS_ZK_OP_SET, .path = "/a", .len = SIZE_MAX},
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/a", .len = SIZE_MAX - 1},
	};
	struct zkfs_zk_req multi = {
		.kind = ZKFS_ZK_MULTI, .ops = ops, .n_ops = 2};
	struct zkfs_zk_req set = {
		.kind = ZKFS_ZK_SET, .path = "/a", .len = SIZE_MAX - 3};

	(void)state;
	assert_int_equal(zkfs_size_request(&set, 0), SIZE_MAX);
	assert_int_equal(zkfs_size_request(&multi, 0), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_single_requests),
		cmocka_unit_test(test_set_acl),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_measured_multi),
		cmocka_unit_test(test_data_max),
		cmocka_unit_test(test_absurd_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
