/*
 * acl: there and back again, and what must not be taken for the whole.
 */
#include "fs/zk/acl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"

/* The library's type has no const, and nothing here writes. */
static struct ACL entry(int perms, const char *scheme, const char *id)
{
	return (struct ACL){.perms = perms,
			    .id = {.scheme = (char *)(uintptr_t)scheme,
				   .id = (char *)(uintptr_t)id}};
}

static struct ACL_vector of(struct ACL *data, size_t n)
{
	return (struct ACL_vector){.data = data, .count = (int32_t)n};
}

static void test_there_and_back(void **state)
{
	struct ACL entries[] = {
		entry(ZOO_PERM_ALL, "digest", "me:ab=="),
		entry(ZOO_PERM_READ, "world", "anyone"),
		entry(ZOO_PERM_CREATE, "auth", ""),
	};
	struct ACL_vector acl = of(entries, ZKFS_ARRAY_SIZE(entries));
	struct ACL got[ZKFS_ARRAY_SIZE(entries)];
	zkfs_autofree char *bytes = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(zkfs_acl_pack(&acl, &bytes, &len), 0);
	assert_int_equal(zkfs_acl_count(bytes, len), ZKFS_ARRAY_SIZE(entries));
	zkfs_acl_view(bytes, len, got);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(entries); i++) {
		assert_int_equal(got[i].perms, entries[i].perms);
		assert_string_equal(got[i].id.scheme, entries[i].id.scheme);
		assert_string_equal(got[i].id.id, entries[i].id.id);
	}
	/* A count, and for each: perms and two strings with their length. */
	assert_int_equal(zkfs_acl_size(bytes, len),
			 4 + 3 * 12 + (6 + 7) + (5 + 6) + 4);
}

static void test_empty(void **state)
{
	struct ACL_vector acl = of(NULL, 0);
	zkfs_autofree char *bytes = NULL;
	size_t len = 1;

	(void)state;
	assert_int_equal(zkfs_acl_pack(&acl, &bytes, &len), 0);
	assert_non_null(bytes);
	assert_int_equal(len, 0);
	assert_int_equal(zkfs_acl_count(bytes, len), 0);
	assert_int_equal(zkfs_acl_size(bytes, len), 4);
}

static void test_hidden(void **state)
{
	static const struct {
		const char *scheme, *id;
		int result;
	} ids[] = {
		{"digest", "me:x", -EACCES}, {"digest", ":x", -EACCES},
		{"digest", "x", 0},	     {"digest", "me:xx", 0},
		{"sasl", "me:x", 0},	     {"digest", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(ids); i++) {
		struct ACL two[] = {
			entry(ZOO_PERM_READ, "world", "anyone"),
			entry(ZOO_PERM_READ, ids[i].scheme, ids[i].id),
		};
		struct ACL_vector acl = of(two, 2);
		zkfs_autofree char *bytes = NULL;
		size_t len;

		assert_int_equal(zkfs_acl_pack(&acl, &bytes, &len),
				 ids[i].result);
		assert_true(ids[i].result == 0 || !bytes);
	}
}

static void test_no_memory(void **state)
{
	struct ACL one = entry(ZOO_PERM_READ, "world", "anyone");
	struct ACL_vector acl = of(&one, 1);
	char *bytes = NULL;
	size_t len;

	(void)state;
	fault_arm(1);
	assert_int_equal(zkfs_acl_pack(&acl, &bytes, &len), -ENOMEM);
	assert_true(fault_disarm());
	assert_null(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
