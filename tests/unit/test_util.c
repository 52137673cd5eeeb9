/*
 * util: what a scope owns goes with it, unless it was handed on.
 */
#include "fs/base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct inner {
	int number;
};

struct outer {
	char before[3];
	struct inner inner;
};

static void test_container_of(void **state)
{
	struct outer outer = {.before = "ab", .inner.number = 5};
	struct inner *inner = &outer.inner;
	struct outer *found = zkfs_container_of(inner, struct outer, inner);

	assert_ptr_equal(found, &outer);
	assert_string_equal(found->before, "ab");
	assert_int_equal(found->inner.number, 5);
}

static int open_descriptor(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_autoclose(void **state)
{
	int fd;

	{
		zkfs_autoclose int owned = open_descriptor();

		fd = owned;
		assert_true(is_open(fd));
	}
	assert_false(is_open(fd));
}

static void test_autoclose_of_none_keeps_errno(void **state)
{
	errno = ENOENT;
	{
		zkfs_autoclose zkfs_unused int none = -1;
	}
	assert_int_equal(errno, ENOENT);
	errno = ENOENT;
	{
		zkfs_autoclose int bad = open_descriptor();

		(void)close(bad);
		errno = ENOENT;
	}
	assert_int_equal(errno, ENOENT);
}

/* Yields what the scope owned; LeakSanitizer sees to the other one. */
static char *make(char **ret_stolen_from)
{
	zkfs_autofree char *kept = malloc(1);
	zkfs_autofree char *handed_on = malloc(1);
	char *result = zkfs_steal(&handed_on);

	assert_non_null(kept);
	*ret_stolen_from = handed_on;
	return result;
}

static void test_steal_hands_on(void **state)
{
	char *left = (char *)1;
	char *got = make(&left);

	assert_non_null(got);
	assert_null(left);
	*got = 'x';
	free(got);
}

static void test_sizes(void **state)
{
	int numbers[7];

	assert_int_equal(ZKFS_ARRAY_SIZE(numbers), 7);
	assert_int_equal(zkfs_min_size(3, 4), 3);
	assert_int_equal(zkfs_min_size(SIZE_MAX, 4), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container_of),
		cmocka_unit_test(test_autoclose),
		cmocka_unit_test(test_autoclose_of_none_keeps_errno),
		cmocka_unit_test(test_steal_hands_on),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
