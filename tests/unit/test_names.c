/*
 * names: what is built is read back, and the names of other clients are read
 * as those clients mean them. The foreign names are recorded ones: of Curator
 * 5.4, kazoo 2.8, the Go clients and ZooKeeper's own recipes.
 */
#include "include/zkfs/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "0123abcd-4567-89ab-8def-0123456789ab"

static void test_uuid_shows_session(void **state)
{
	char uuid[ZKFS_UUID_BYTES];

	zkfs_names_uuid(uuid, INT64_C(0x123456789abcdef0), 0);
	assert_string_equal(uuid, "12345678-9abc-8def-8000-000000000000");
	zkfs_names_uuid(uuid, INT64_C(0x123456789abcdef7), UINT64_MAX);
	assert_string_equal(uuid, "12345678-9abc-8def-b7ff-ffffffffffff");
	zkfs_names_uuid(uuid, -1, UINT64_C(0x0123456789abcdef));
	assert_string_equal(uuid, "ffffffff-ffff-8fff-9f23-456789abcdef");
}

/* All 58 bits it promises to take make a difference. */
static void test_uuid_uses_all_bits(void **state)
{
	char zero[ZKFS_UUID_BYTES], one[ZKFS_UUID_BYTES];

	zkfs_names_uuid(zero, 1, 0);
	for (int i = 0; i < 58; i++) {
		zkfs_names_uuid(one, 1, UINT64_C(1) << i);
		assert_string_not_equal(zero, one);
	}
}

static void test_labels(void **state)
{
	static const char *const good[] = {"me",      "a b",	"x.y", "lock",
					   "my-lock", "_lock_", "READ"};
	static const char *const bad[] = {
		"",	    ".",	 ".lock",     "..",	   "a/b",
		"a\x01",    "x__READ__", "__WRIT__x", "lock-0",	   "my-lock-1",
		"__lock__", "__rlock__", "\xff",      "a__lock__b"};
	char label[130];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(zkfs_names_label_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(zkfs_names_label_valid(bad[i]));

	memset(label, 'x', sizeof(label));
	label[128] = '\0';
	assert_true(zkfs_names_label_valid(label));
	label[128] = 'x';
	label[129] = '\0';
	assert_false(zkfs_names_label_valid(label));
}

static size_t build(char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES],
		    enum zkfs_lock_mode mode, unsigned families)
{
	return zkfs_names_build(names, mode, families, UUID, "db1.example", 42,
				"nightly.dump");
}

static void test_build_exclusive(void **state)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];

	assert_int_equal(build(names, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_ALL), 3);
	assert_string_equal(names[0],
			    "_c_" UUID "-db1-example.42.nightly.dump-lock-");
	assert_string_equal(names[1], "_c_" UUID "-kazoo__lock__");
	assert_string_equal(names[2], "_c_" UUID "-__WRIT__");

	assert_int_equal(build(names, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_KAZOO),
			 1);
	assert_string_equal(names[0], "_c_" UUID "-kazoo__lock__");
	assert_int_equal(build(names, ZKFS_LOCK_EXCLUSIVE,
			       ZKFS_FAMILY_CURATOR | ZKFS_FAMILY_CURATOR_RW),
			 2);
	assert_string_equal(names[1], "_c_" UUID "-__WRIT__");
}

static void test_build_shared(void **state)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];

	assert_int_equal(build(names, ZKFS_LOCK_SHARED, ZKFS_FAMILY_ALL), 2);
	assert_string_equal(names[0], "_c_" UUID "-__READ__");
	assert_string_equal(names[1], "_c_" UUID "-kazoo__rlock__");
	assert_int_equal(build(names, ZKFS_LOCK_SHARED, ZKFS_FAMILY_CURATOR),
			 1);
	assert_string_equal(names[0], "_c_" UUID "-__READ__");
	assert_int_equal(build(names, ZKFS_LOCK_SHARED, ZKFS_FAMILY_KAZOO), 1);
	assert_string_equal(names[0], "_c_" UUID "-kazoo__rlock__");
}

/* Nobody can stand in a queue without a name. */
static void test_build_never_empty(void **state)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];

	for (unsigned families = 0; families < 8; families++) {
		assert_true(build(names, ZKFS_LOCK_EXCLUSIVE, families) > 0);
		assert_true(build(names, ZKFS_LOCK_SHARED, families) > 0);
	}
}

/* As the server does. */
static void number(char name[ZKFS_NAMES_BYTES], const char *digits)
{
	size_t len = strlen(name);

	(void)snprintf(name + len, ZKFS_NAMES_BYTES - len, "%s", digits);
}

static void test_build_cleans_host(void **state)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	struct zkfs_name_parts parts;
	char host[100];

	memset(host, 'h', sizeof(host));
	host[99] = '\0';
	host[3] = '_';
	host[4] = '/';
	host[5] = '.';
	(void)zkfs_names_build(names, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_ALL,
			       UUID, host, 1, "me");
	number(names[0], "0000000001");
	assert_true(zkfs_names_parse(names[0], &parts));
	assert_true(parts.ours);
	assert_int_equal(parts.host_len, 64);
	assert_memory_equal(parts.host, "hhh---hhh", 9);

	(void)zkfs_names_build(names, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_ALL,
			       UUID, "", 1, "me");
	number(names[0], "0000000001");
	assert_true(zkfs_names_parse(names[0], &parts));
	assert_true(parts.ours);
	assert_int_equal(parts.host_len, 1);
}

/* Even the longest of everything fits, and comes back. */
static void test_build_longest(void **state)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	struct zkfs_name_parts parts;
	char host[65], label[129];

	memset(host, 'h', 64);
	host[64] = '\0';
	memset(label, 'l', 128);
	label[128] = '\0';
	(void)zkfs_names_build(names, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_ALL,
			       UUID, host, 4194304, label);
	number(names[0], "-2147483648");
	assert_true(zkfs_names_parse(names[0], &parts));
	assert_true(parts.ours);
	assert_int_equal(parts.sequence, INT32_MIN);
	assert_int_equal(parts.label_len, 128);
	assert_int_equal(parts.pid, 4194304);
}

static void test_parse_own(void **state)
{
	const char *name = "_c_" UUID "-db1-example.42.a.b-lock-0000000007";
	struct zkfs_name_parts parts;

	assert_true(zkfs_names_parse(name, &parts));
	assert_int_equal(parts.sequence, 7);
	assert_int_equal(parts.mode, ZKFS_LOCK_EXCLUSIVE);
	assert_int_equal(parts.family, ZKFS_FAMILY_CURATOR);
	assert_true(parts.ours);
	assert_ptr_equal(parts.group, name);
	assert_int_equal(parts.group_len, 40);
	assert_int_equal(parts.host_len, strlen("db1-example"));
	assert_memory_equal(parts.host, "db1-example", parts.host_len);
	assert_int_equal(parts.pid, 42);
	assert_int_equal(parts.label_len, 3);
	assert_memory_equal(parts.label, "a.b", 3);
}

/* Recorded names, and what they are. */
static void test_parse_foreign(void **state)
{
	static const struct {
		const char *name;
		int64_t sequence;
		enum zkfs_lock_mode mode;
		unsigned family;
		bool whole; /* its group is the whole name */
	} rows[] = {
		{"_c_8a4f9d9c-3bfb-4a4e-8f2e-0d5b7a0e1c22-lock-0000000012", 12,
		 ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_CURATOR, false},
		{"_c_8a4f9d9c-3bfb-4a4e-8f2e-0d5b7a0e1c22-__WRIT__0000000003",
		 3, ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_CURATOR_RW, false},
		{"_c_8a4f9d9c-3bfb-4a4e-8f2e-0d5b7a0e1c22-__READ__0000000004",
		 4, ZKFS_LOCK_SHARED, ZKFS_FAMILY_CURATOR_RW, false},
		{"_c_8a4f9d9c-3bfb-4a4e-8f2e-0d5b7a0e1c22-latch-0000000001", 1,
		 ZKFS_LOCK_EXCLUSIVE, 0, false},
		{"686a7a6d5f46de883dca095b937b567c__lock__0000000026", 26,
		 ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_KAZOO, true},
		{"686a7a6d5f46de883dca095b937b567c__rlock__0000000027", 27,
		 ZKFS_LOCK_SHARED, ZKFS_FAMILY_KAZOO, true},
		{"_c_686a7a6d5f46de883dca095b937b567c-lock-0000000005", 5,
		 ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_CURATOR, true},
		{"x-72057594037927936-0000000009", 9, ZKFS_LOCK_EXCLUSIVE, 0,
		 true},
		{"n_0000000000", 0, ZKFS_LOCK_EXCLUSIVE, 0, true},
		{"qn-0000000002", 2, ZKFS_LOCK_EXCLUSIVE, 0, true},
		{"item0000000000", 0, ZKFS_LOCK_EXCLUSIVE, 0, true},
		{"0000000001", 1, ZKFS_LOCK_EXCLUSIVE, 0, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_name_parts parts;

		assert_true(zkfs_names_parse(rows[i].name, &parts));
		assert_int_equal(parts.sequence, rows[i].sequence);
		assert_int_equal(parts.mode, rows[i].mode);
		assert_int_equal(parts.family, rows[i].family);
		assert_false(parts.ours);
		assert_ptr_equal(parts.group, rows[i].name);
		assert_int_equal(parts.group_len,
				 rows[i].whole ? strlen(rows[i].name) : 40);
	}
}

/* A '-' is the sign where the prefix is complete without it. */
static void test_parse_sign(void **state)
{
	static const struct {
		const char *name;
		int64_t sequence;
	} rows[] = {
		{"a-lock--2147483648", INT32_MIN},
		{"a-lock-2147483647", INT32_MAX},
		{"a-lock-1999999999", 1999999999},
		{"a__lock__-2147483647", -2147483647},
		{"a__lock__2147483647", INT32_MAX},
		{"_c_" UUID "-__WRIT__-2000000000", -2000000000},
		{"_c_" UUID "-__READ__-1000000000", -1000000000},
		{"x-12--2147483640", -2147483640},
		{"x-12-2147483640", 2147483640},
		{"x-2147483648", INT32_MIN},
		{"x--0000000001", 1},
		{"-0000000001", 1},
		{"-2147483648", INT32_MIN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_name_parts parts;

		assert_true(zkfs_names_parse(rows[i].name, &parts));
		assert_int_equal(parts.sequence, rows[i].sequence);
	}
}

static void test_parse_no_contender(void **state)
{
	static const char *const names[] = {
		"",	     "a",	    "README",	    "000000001",
		"lock-",     "0000000001x", "a-lock-12345", "x000000000a",
		"__lock__0", ".lock",
	};
	struct zkfs_name_parts parts = {.sequence = 99};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(zkfs_names_parse(names[i], &parts));
	assert_int_equal(parts.sequence, 99);
}

/* Near our form, and not in it: the group still holds. */
static void test_parse_not_ours(void **state)
{
	static const char *const names[] = {
		"_c_" UUID "-host.42.-lock-0000000001",
		"_c_" UUID "-host.42-lock-0000000001",
		"_c_" UUID "-host..x-lock-0000000001",
		"_c_" UUID "-.42.x-lock-0000000001",
		"_c_" UUID "-host.4x2.x-lock-0000000001",
		"_c_" UUID "-host.9999999999999999999.x-lock-0000000001",
		"_c_" UUID "-host-lock-0000000001",
		"_c_" UUID "-lock-0000000001",
		"_c_" UUID "-host.42.x__lock__0000000001",
		"_c_" UUID "-0000000001",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct zkfs_name_parts parts;

		assert_true(zkfs_names_parse(names[i], &parts));
		assert_false(parts.ours);
		assert_int_equal(parts.group_len, 40);
		assert_int_equal(parts.sequence, 1);
	}
}

/* Not a UUID behind _c_: one name, one contender. */
static void test_parse_no_group(void **state)
{
	static const char *const names[] = {
		"_c_0123abcd-4567-89ab-8def-0123456789ag-lock-0000000001",
		"_c_0123abcd_4567-89ab-8def-0123456789ab-lock-0000000001",
		"_c_0123abcd-4567-89ab-8def-0123456789ab_lock-0000000001",
		"-c-0123abcd-4567-89ab-8def-0123456789ab-lock-0000000001",
		"_c_0123abcd-4567-89ab-8def-01230000000001",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct zkfs_name_parts parts;

		assert_true(zkfs_names_parse(names[i], &parts));
		assert_int_equal(parts.group_len, strlen(names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid_shows_session),
		cmocka_unit_test(test_uuid_uses_all_bits),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_build_exclusive),
		cmocka_unit_test(test_build_shared),
		cmocka_unit_test(test_build_never_empty),
		cmocka_unit_test(test_build_cleans_host),
		cmocka_unit_test(test_build_longest),
		cmocka_unit_test(test_parse_own),
		cmocka_unit_test(test_parse_foreign),
		cmocka_unit_test(test_parse_sign),
		cmocka_unit_test(test_parse_no_contender),
		cmocka_unit_test(test_parse_not_ours),
		cmocka_unit_test(test_parse_no_group),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
