/*
 * test_cover: what may be believed of a znode under which watches, what is
 * asked next, and what the kernel is told when a watch fires.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/core/cover.h"

static const struct zkfs_stat a_file = {.mzxid = 5, .version = 1};
static const struct zkfs_stat an_ephemeral = {.mzxid = 5, .ephemeral_owner = 9};
static const struct zkfs_stat a_dir = {.mzxid = 5, .num_children = 2};
static const struct zkfs_stat a_dir_with_data = {
	.mzxid = 5, .num_children = 2, .data_length = 3, .version = 1};

/* Asks, is answered, with the watch or without one. */
static struct zkfs_cover_ask ask(struct zkfs_cover *cover, enum zkfs_type type,
				 const struct zkfs_stat *stat, bool want_data,
				 bool live)
{
	struct zkfs_cover_ask next =
		zkfs_cover_next(cover, type, stat, want_data, 0);

	zkfs_cover_asked(cover, &next);
	zkfs_cover_answered(cover, &next, stat, next.arms && live);
	return next;
}

static void make_whole(struct zkfs_cover *cover, enum zkfs_type type,
		       const struct zkfs_stat *stat)
{
	zkfs_cover_init(cover);
	(void)ask(cover, type, stat, false, true);
	(void)ask(cover, type, stat, false, true);
	assert_true(zkfs_cover_has_attr(cover, type, stat));
	assert_true(zkfs_cover_has_name(cover, type, stat));
	zkfs_cover_promise(cover, ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
}

static void test_a_file_needs_both_halves(void **state)
{
	struct zkfs_cover cover;
	struct zkfs_cover_ask next;

	zkfs_cover_init(&cover);
	assert_false(zkfs_cover_has_attr(&cover, ZKFS_TYPE_FILE, &a_file));
	next = ask(&cover, ZKFS_TYPE_FILE, &a_file, true, true);
	assert_int_equal(next.kind, ZKFS_ZK_GET);
	assert_int_equal(next.half, ZKFS_COVER_DATA);
	/* A child would make a directory of it, and fires no data watch. */
	assert_false(zkfs_cover_has_attr(&cover, ZKFS_TYPE_FILE, &a_file));
	assert_false(zkfs_cover_has_name(&cover, ZKFS_TYPE_FILE, &a_file));
	next = ask(&cover, ZKFS_TYPE_FILE, &a_file, false, true);
	assert_int_equal(next.kind, ZKFS_ZK_CHILDREN);
	assert_int_equal(next.half, ZKFS_COVER_CHILD);
	assert_true(zkfs_cover_has_attr(&cover, ZKFS_TYPE_FILE, &a_file));
	assert_true(zkfs_cover_has_name(&cover, ZKFS_TYPE_FILE, &a_file));
	next = ask(&cover, ZKFS_TYPE_FILE, &a_file, false, true);
	assert_int_equal(next.kind, ZKFS_ZK_EXISTS);
	assert_false(next.arms);
	zkfs_cover_fini(&cover);
}

static void test_the_childless_need_one(void **state)
{
	struct zkfs_cover cover;

	zkfs_cover_init(&cover);
	(void)ask(&cover, ZKFS_TYPE_FILE, &an_ephemeral, false, true);
	assert_true(zkfs_cover_has_attr(&cover, ZKFS_TYPE_FILE, &an_ephemeral));
	assert_true(zkfs_cover_has_name(&cover, ZKFS_TYPE_FILE, &an_ephemeral));
	assert_true(
		zkfs_cover_has_attr(&cover, ZKFS_TYPE_DATA, &a_dir_with_data));
	/* A directory's name does not hang on its children, its times do. */
	assert_true(zkfs_cover_has_name(&cover, ZKFS_TYPE_DIR, &a_dir));
	assert_false(zkfs_cover_has_attr(&cover, ZKFS_TYPE_DIR, &a_dir));
	/* With data it becomes a file with its last child. */
	assert_false(
		zkfs_cover_has_name(&cover, ZKFS_TYPE_DIR, &a_dir_with_data));
	zkfs_cover_fini(&cover);
}

static void test_no_watch_no_cover(void **state)
{
	struct zkfs_cover cover;

	zkfs_cover_init(&cover);
	(void)ask(&cover, ZKFS_TYPE_FILE, &an_ephemeral, false, false);
	assert_false(
		zkfs_cover_has_attr(&cover, ZKFS_TYPE_FILE, &an_ephemeral));
	zkfs_cover_fini(&cover);
}

static void test_one_request_arms_a_half_at_a_time(void **state)
{
	struct zkfs_cover cover;
	struct zkfs_cover_ask first, second, third;

	zkfs_cover_init(&cover);
	first = zkfs_cover_next(&cover, ZKFS_TYPE_FILE, &a_file, false, 0);
	zkfs_cover_asked(&cover, &first);
	assert_true(first.arms);
	second = zkfs_cover_next(&cover, ZKFS_TYPE_FILE, &a_file, false, 0);
	zkfs_cover_asked(&cover, &second);
	assert_true(second.arms);
	assert_int_equal(second.half, ZKFS_COVER_CHILD);
	third = zkfs_cover_next(&cover, ZKFS_TYPE_FILE, &a_file, true, 0);
	zkfs_cover_asked(&cover, &third);
	assert_false(third.arms);
	assert_int_equal(third.kind, ZKFS_ZK_GET);
	zkfs_cover_answered(&cover, &first, NULL, false);
	third = zkfs_cover_next(&cover, ZKFS_TYPE_FILE, &a_file, true, 0);
	assert_true(third.arms);
	assert_int_equal(third.half, ZKFS_COVER_DATA);
	zkfs_cover_fini(&cover);
}

static void test_wide_directories_are_not_listed_for_their_times(void **state)
{
	static const struct zkfs_stat wide = {
		.num_children = ZKFS_COVER_CHILDREN_MAX + 1};
	struct zkfs_cover cover;
	struct zkfs_cover_ask next;

	zkfs_cover_init(&cover);
	(void)ask(&cover, ZKFS_TYPE_DIR, &wide, false, true);
	next = zkfs_cover_next(&cover, ZKFS_TYPE_DIR, &wide, false, 0);
	assert_int_equal(next.kind, ZKFS_ZK_EXISTS);
	assert_false(next.arms);
	zkfs_cover_fini(&cover);
}

static void test_busy_directories_are_not_watched_again_at_once(void **state)
{
	struct zkfs_cover cover;
	struct zkfs_cover_ask next;

	make_whole(&cover, ZKFS_TYPE_DIR, &a_dir);
	(void)zkfs_cover_fired(&cover, ZKFS_COVER_CHILD, ZKFS_ZK_CHILD,
			       ZKFS_TYPE_DIR, &a_dir, 1000);
	next = zkfs_cover_next(&cover, ZKFS_TYPE_DIR, &a_dir, false,
			       1000 + ZKFS_COVER_CALM_MS - 1);
	assert_false(next.arms);
	next = zkfs_cover_next(&cover, ZKFS_TYPE_DIR, &a_dir, false,
			       1000 + ZKFS_COVER_CALM_MS);
	assert_true(next.arms);
	assert_int_equal(next.kind, ZKFS_ZK_CHILDREN);
	zkfs_cover_fini(&cover);
}

#define ATTR	  ZKFS_COVER_ATTR
#define ATTR_NAME (ZKFS_COVER_ATTR | ZKFS_COVER_NAME)

static const struct {
	enum zkfs_cover_half half;
	enum zkfs_zk_event event;
	enum zkfs_type type;
	const struct zkfs_stat *stat;
	unsigned told;
} events[] = {
	{ZKFS_COVER_DATA, ZKFS_ZK_CHANGED, ZKFS_TYPE_FILE, &a_file,
	 ATTR | ZKFS_COVER_REARM},
	{ZKFS_COVER_DATA, ZKFS_ZK_DELETED, ZKFS_TYPE_FILE, &a_file, ATTR_NAME},
	{ZKFS_COVER_DATA, ZKFS_ZK_UNWATCHED, ZKFS_TYPE_FILE, &a_file,
	 ATTR_NAME},
	/* The first child makes a directory of a file. */
	{ZKFS_COVER_CHILD, ZKFS_ZK_CHILD, ZKFS_TYPE_FILE, &a_file, ATTR_NAME},
	{ZKFS_COVER_CHILD, ZKFS_ZK_CHILD, ZKFS_TYPE_DIR, &a_dir, ATTR},
	/* The last one that goes may make a file of a directory. */
	{ZKFS_COVER_CHILD, ZKFS_ZK_CHILD, ZKFS_TYPE_DIR, &a_dir_with_data,
	 ATTR_NAME},
	/* So may data that is written to an empty one. */
	{ZKFS_COVER_DATA, ZKFS_ZK_CHANGED, ZKFS_TYPE_DIR, &a_dir, ATTR_NAME},
	{ZKFS_COVER_CHILD, ZKFS_ZK_DELETED, ZKFS_TYPE_DIR, &a_dir, ATTR_NAME},
	{ZKFS_COVER_CHILD, ZKFS_ZK_UNWATCHED, ZKFS_TYPE_DIR, &a_dir, ATTR_NAME},
};

static void test_what_the_kernel_is_told(void **state)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct zkfs_cover cover;

		make_whole(&cover, events[i].type, events[i].stat);
		assert_int_equal(zkfs_cover_fired(&cover, events[i].half,
						  events[i].event,
						  events[i].type,
						  events[i].stat, 0),
				 events[i].told);
		assert_false(zkfs_cover_has_attr(&cover, events[i].type,
						 events[i].stat));
		/* Once; and nothing that was not promised again. */
		assert_int_equal(zkfs_cover_fired(&cover, ZKFS_COVER_DATA,
						  ZKFS_ZK_DELETED,
						  events[i].type,
						  events[i].stat, 0) &
					 events[i].told,
				 0);
		zkfs_cover_fini(&cover);
	}
}

/* Who is changed all the time costs no look each time. */
static void test_only_the_calm_are_armed_again_unasked(void **state)
{
	struct zkfs_cover cover;

	make_whole(&cover, ZKFS_TYPE_FILE, &a_file);
	assert_int_equal(zkfs_cover_fired(&cover, ZKFS_COVER_DATA,
					  ZKFS_ZK_CHANGED, ZKFS_TYPE_FILE,
					  &a_file, 1000),
			 ATTR | ZKFS_COVER_REARM);
	zkfs_cover_promise(&cover, ATTR_NAME);
	assert_int_equal(zkfs_cover_fired(&cover, ZKFS_COVER_DATA,
					  ZKFS_ZK_CHANGED, ZKFS_TYPE_FILE,
					  &a_file,
					  1000 + ZKFS_COVER_CALM_MS - 1),
			 ATTR_NAME);
	zkfs_cover_fini(&cover);
}

static void test_what_was_not_promised_is_not_told(void **state)
{
	struct zkfs_cover cover;

	zkfs_cover_init(&cover);
	(void)ask(&cover, ZKFS_TYPE_FILE, &a_file, false, true);
	assert_int_equal(zkfs_cover_fired(&cover, ZKFS_COVER_DATA,
					  ZKFS_ZK_DELETED, ZKFS_TYPE_FILE,
					  &a_file, 0),
			 0);
	zkfs_cover_fini(&cover);
}

static void test_data(void **state)
{
	struct zkfs_buf *data = zkfs_buf_new("abc", 3);
	struct zkfs_stat newer = a_file;
	struct zkfs_cover cover;

	zkfs_cover_init(&cover);
	/* Not without a watch. */
	zkfs_cover_keep(&cover, data, &a_file);
	assert_null(zkfs_cover_data(&cover));
	(void)ask(&cover, ZKFS_TYPE_FILE, &a_file, true, true);
	zkfs_cover_keep(&cover, data, &a_file);
	assert_ptr_equal(zkfs_cover_data(&cover), data);
	/* Kept while the connection is gone, and good again if unchanged. */
	(void)zkfs_cover_fired(&cover, ZKFS_COVER_DATA, ZKFS_ZK_UNWATCHED,
			       ZKFS_TYPE_FILE, &a_file, 0);
	assert_null(zkfs_cover_data(&cover));
	(void)ask(&cover, ZKFS_TYPE_FILE, &a_file, false, true);
	assert_ptr_equal(zkfs_cover_data(&cover), data);
	(void)zkfs_cover_fired(&cover, ZKFS_COVER_DATA, ZKFS_ZK_UNWATCHED,
			       ZKFS_TYPE_FILE, &a_file, 0);
	newer.mzxid++;
	(void)ask(&cover, ZKFS_TYPE_FILE, &newer, false, true);
	assert_null(zkfs_cover_data(&cover));
	/* A change ends it at once. */
	zkfs_cover_keep(&cover, data, &newer);
	(void)zkfs_cover_fired(&cover, ZKFS_COVER_DATA, ZKFS_ZK_CHANGED,
			       ZKFS_TYPE_FILE, &newer, 0);
	assert_null(zkfs_cover_data(&cover));
	zkfs_cover_fini(&cover);
	zkfs_buf_unref(data);
}

static void test_revoke(void **state)
{
	struct zkfs_buf *data = zkfs_buf_new("abc", 3);
	struct zkfs_cover cover;

	make_whole(&cover, ZKFS_TYPE_FILE, &a_file);
	zkfs_cover_keep(&cover, data, &a_file);
	assert_int_equal(zkfs_cover_revoke(&cover), ATTR_NAME);
	assert_int_equal(zkfs_cover_revoke(&cover), 0);
	assert_null(zkfs_cover_data(&cover));
	assert_false(zkfs_cover_has_name(&cover, ZKFS_TYPE_FILE, &a_file));
	zkfs_cover_fini(&cover);
	zkfs_buf_unref(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_needs_both_halves),
		cmocka_unit_test(test_the_childless_need_one),
		cmocka_unit_test(test_no_watch_no_cover),
		cmocka_unit_test(test_one_request_arms_a_half_at_a_time),
		cmocka_unit_test(
			test_wide_directories_are_not_listed_for_their_times),
		cmocka_unit_test(
			test_busy_directories_are_not_watched_again_at_once),
		cmocka_unit_test(test_what_the_kernel_is_told),
		cmocka_unit_test(test_only_the_calm_are_armed_again_unasked),
		cmocka_unit_test(test_what_was_not_promised_is_not_told),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_revoke),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
