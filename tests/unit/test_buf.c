/*
 * buf: what is shared is never written, holes are zero, and a lack of memory
 * changes nothing.
 */
#include "fs/base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

static struct zkfs_buf *make(const char *text)
{
	struct zkfs_buf *buf = zkfs_buf_new(text, strlen(text));

	assert_non_null(buf);
	return buf;
}

static void assert_holds(const struct zkfs_buf *buf, const char *bytes,
			 size_t len)
{
	assert_int_equal(buf->len, len);
	assert_true(buf->cap >= len);
	assert_memory_equal(buf->data, bytes, len);
}

static void test_new_copies(void **state)
{
	char text[] = "abc";
	struct zkfs_buf *buf = zkfs_buf_new(text, 3);

	text[0] = 'x';
	assert_int_equal(buf->n_refs, 1);
	assert_holds(buf, "abc", 3);
	assert_null(zkfs_buf_unref(buf));
}

static void test_new_empty(void **state)
{
	struct zkfs_buf *buf = zkfs_buf_new(NULL, 0);

	assert_non_null(buf);
	assert_int_equal(buf->len, 0);
	assert_null(zkfs_buf_unref(buf));
	assert_null(zkfs_buf_unref(NULL));
}

static void test_new_without_memory(void **state)
{
	fault_arm(1);
	assert_null(zkfs_buf_new("abc", 3));
	assert_true(fault_disarm());
	assert_null(zkfs_buf_new(NULL, SIZE_MAX));
	assert_null(zkfs_buf_new(NULL, SIZE_MAX - sizeof(struct zkfs_buf)));
}

static void test_refs_are_counted(void **state)
{
	struct zkfs_buf *buf = make("abc");

	assert_ptr_equal(zkfs_buf_ref(buf), buf);
	assert_int_equal(buf->n_refs, 2);
	(void)zkfs_buf_unref(buf);
	assert_int_equal(buf->n_refs, 1);
	assert_holds(buf, "abc", 3);
	(void)zkfs_buf_unref(buf);
}

static void test_own_of_private_is_itself(void **state)
{
	struct zkfs_buf *buf = make("abc");
	struct zkfs_buf *before = buf;

	assert_int_equal(zkfs_buf_own(&buf, 2), 0);
	assert_ptr_equal(buf, before);
	assert_int_equal(zkfs_buf_own(&buf, 4096), 0);
	assert_true(buf->cap >= 4096);
	assert_holds(buf, "abc", 3);
	(void)zkfs_buf_unref(buf);
}

static void test_own_of_shared_copies(void **state)
{
	struct zkfs_buf *shared = make("abc");
	struct zkfs_buf *mine = zkfs_buf_ref(shared);

	/* Its contents are kept even when less is asked for. */
	assert_int_equal(zkfs_buf_own(&mine, 1), 0);
	assert_ptr_not_equal(mine, shared);
	assert_int_equal(shared->n_refs, 1);
	assert_holds(mine, "abc", 3);
	mine->data[0] = 'x';
	assert_holds(shared, "abc", 3);
	(void)zkfs_buf_unref(mine);
	(void)zkfs_buf_unref(shared);
}

static void test_own_of_nothing(void **state)
{
	struct zkfs_buf *buf = NULL;

	assert_int_equal(zkfs_buf_own(&buf, 10), 0);
	assert_int_equal(buf->len, 0);
	assert_true(buf->cap >= 10);
	(void)zkfs_buf_unref(buf);
}

static void test_resize(void **state)
{
	struct zkfs_buf *buf = make("abcdef");

	assert_int_equal(zkfs_buf_resize(&buf, 2), 0);
	assert_holds(buf, "ab", 2);
	/* What was cut off does not come back. */
	assert_int_equal(zkfs_buf_resize(&buf, 8), 0);
	assert_holds(buf, "ab\0\0\0\0\0\0", 8);
	assert_int_equal(zkfs_buf_resize(&buf, 0), 0);
	assert_int_equal(buf->len, 0);
	(void)zkfs_buf_unref(buf);
}

static void test_resize_of_shared(void **state)
{
	struct zkfs_buf *shared = make("abcdef");
	struct zkfs_buf *mine = zkfs_buf_ref(shared);

	assert_int_equal(zkfs_buf_resize(&mine, 3), 0);
	assert_holds(mine, "abc", 3);
	assert_holds(shared, "abcdef", 6);
	(void)zkfs_buf_unref(mine);
	(void)zkfs_buf_unref(shared);
}

static void test_resize_of_nothing(void **state)
{
	struct zkfs_buf *buf = NULL;

	assert_int_equal(zkfs_buf_resize(&buf, 3), 0);
	assert_holds(buf, "\0\0\0", 3);
	(void)zkfs_buf_unref(buf);
}

static void test_pwrite(void **state)
{
	struct zkfs_buf *buf = NULL;

	assert_int_equal(zkfs_buf_pwrite(&buf, "hello", 5, 0), 0);
	assert_holds(buf, "hello", 5);
	assert_int_equal(zkfs_buf_pwrite(&buf, "L", 1, 2), 0);
	assert_holds(buf, "heLlo", 5);
	assert_int_equal(zkfs_buf_pwrite(&buf, "p!", 2, 4), 0);
	assert_holds(buf, "heLlp!", 6);
	assert_int_equal(zkfs_buf_pwrite(&buf, "x", 1, 9), 0);
	assert_holds(buf, "heLlp!\0\0\0x", 10);
	(void)zkfs_buf_unref(buf);
}

static void test_pwrite_of_nothing_changes_nothing(void **state)
{
	struct zkfs_buf *buf = NULL;

	assert_int_equal(zkfs_buf_pwrite(&buf, "", 0, 100), 0);
	assert_null(buf);
	buf = make("abc");
	assert_int_equal(zkfs_buf_pwrite(&buf, NULL, 0, 100), 0);
	assert_holds(buf, "abc", 3);
	(void)zkfs_buf_unref(buf);
}

static void test_pwrite_to_shared_copies(void **state)
{
	struct zkfs_buf *shared = make("abc");
	struct zkfs_buf *mine = zkfs_buf_ref(shared);

	assert_int_equal(zkfs_buf_pwrite(&mine, "X", 1, 1), 0);
	assert_holds(mine, "aXc", 3);
	assert_holds(shared, "abc", 3);
	(void)zkfs_buf_unref(mine);
	(void)zkfs_buf_unref(shared);
}

/* A file written byte by byte costs a logarithm of allocations. */
static void test_growth_is_geometric(void **state)
{
	struct zkfs_buf *buf = NULL;
	unsigned n_grown = 0;
	size_t cap = 0;

	for (size_t i = 0; i < 100000; i++) {
		char byte = (char)i;

		assert_int_equal(zkfs_buf_pwrite(&buf, &byte, 1, i), 0);
		n_grown += buf->cap != cap;
		cap = buf->cap;
	}
	assert_in_range(n_grown, 2, 50);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(buf->data[i], (char)i);
	(void)zkfs_buf_unref(buf);
}

static void test_without_memory_all_is_as_it_was(void **state)
{
	struct zkfs_buf *shared = make("abc");
	struct zkfs_buf *alone = make("def");
	struct zkfs_buf *mine = zkfs_buf_ref(shared);
	struct zkfs_buf *none = NULL;
	struct {
		struct zkfs_buf **buf;
		struct zkfs_buf *was;
		const char *bytes;
	} cases[] = {
		{&mine, shared, "abc"},
		{&alone, alone, "def"},
		{&none, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fault_arm(1);
		assert_int_equal(zkfs_buf_own(cases[i].buf, 99), -ENOMEM);
		fault_arm(1);
		assert_int_equal(zkfs_buf_resize(cases[i].buf, 99), -ENOMEM);
		fault_arm(1);
		assert_int_equal(zkfs_buf_pwrite(cases[i].buf, "x", 1, 98),
				 -ENOMEM);
		assert_true(fault_disarm());
		assert_ptr_equal(*cases[i].buf, cases[i].was);
		if (cases[i].was)
			assert_holds(cases[i].was, cases[i].bytes, 3);
	}
	assert_int_equal(shared->n_refs, 2);
	(void)zkfs_buf_unref(mine);
	(void)zkfs_buf_unref(shared);
	(void)zkfs_buf_unref(alone);
}

static void test_offsets_past_all_memory(void **state)
{
	struct zkfs_buf *buf = make("abc");

	assert_int_equal(zkfs_buf_pwrite(&buf, "xy", 2, SIZE_MAX), -ENOMEM);
	assert_int_equal(zkfs_buf_pwrite(&buf, "x", 1, SIZE_MAX - 1), -ENOMEM);
	assert_int_equal(zkfs_buf_resize(&buf, SIZE_MAX), -ENOMEM);
	assert_int_equal(zkfs_buf_own(&buf, SIZE_MAX), -ENOMEM);
	assert_holds(buf, "abc", 3);
	(void)zkfs_buf_unref(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_copies),
		cmocka_unit_test(test_new_empty),
		cmocka_unit_test(test_new_without_memory),
		cmocka_unit_test(test_refs_are_counted),
		cmocka_unit_test(test_own_of_private_is_itself),
		cmocka_unit_test(test_own_of_shared_copies),
		cmocka_unit_test(test_own_of_nothing),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_resize_of_shared),
		cmocka_unit_test(test_resize_of_nothing),
		cmocka_unit_test(test_pwrite),
		cmocka_unit_test(test_pwrite_of_nothing_changes_nothing),
		cmocka_unit_test(test_pwrite_to_shared_copies),
		cmocka_unit_test(test_growth_is_geometric),
		cmocka_unit_test(test_without_memory_all_is_as_it_was),
		cmocka_unit_test(test_offsets_past_all_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
