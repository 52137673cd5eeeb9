/*
 * watch: who is called for what, exactly once, with callbacks that take each
 * other and themselves away; and that the bytes are counted right, which a
 * table that leaks or forgets a charge would not survive.
 */
#include "fs/zk/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"

#define CHROOT_LEN 3

struct watcher {
	struct zkfs_zk_watch watch; /* first: what fired() is given */
	struct zkfs_watch_table *table;
	struct watcher *take_back; /* leaves this one when it fires */
	struct watcher *place_of;  /* and frees this one */
	unsigned n_fired;
	enum zkfs_zk_event event;
};

static void fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct watcher *watcher =
		zkfs_container_of(watch, struct watcher, watch);

	assert_false(watch->live);
	watcher->n_fired++;
	watcher->event = event;
	if (watcher->take_back)
		zkfs_watch_leave(watcher->table, &watcher->take_back->watch);
	if (watcher->place_of) {
		zkfs_watch_leave(watcher->table, &watcher->place_of->watch);
		free(watcher->place_of);
	}
}

static struct watcher watcher_of(struct zkfs_watch_table *table)
{
	return (struct watcher){.table = table, .watch.fired = fired};
}

static int setup(void **state)
{
	struct zkfs_watch_table *table = calloc(1, sizeof(*table));

	if (!table || zkfs_watch_init(table, 1000, CHROOT_LEN) < 0)
		return -1;
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	struct zkfs_watch_table *table = *state;

	zkfs_watch_fini(table);
	assert_int_equal(table->bytes, 0);
	assert_int_equal(table->n_idle, 0);
	free(table);
	return 0;
}

static void set(struct zkfs_watch_table *table, const char *path,
		enum zkfs_watch_kind kind, struct watcher *watcher)
{
	struct zkfs_watch_half *half = zkfs_watch_reserve(table, path, kind);

	assert_non_null(half);
	assert_false(watcher->watch.live);
	zkfs_watch_settle(table, half, true, &watcher->watch);
	assert_true(watcher->watch.live);
}

static void assert_fired(const struct watcher *watcher, unsigned n,
			 enum zkfs_zk_event event)
{
	assert_int_equal(watcher->n_fired, n);
	assert_int_equal(watcher->event, event);
	assert_false(watcher->watch.live);
}

static void assert_live(const struct watcher *watcher)
{
	assert_int_equal(watcher->n_fired, 0);
	assert_true(watcher->watch.live);
}

static void test_kinds_are_kept_apart(void **state)
{
	static const struct {
		enum zkfs_zk_event event;
		bool data, child;
	} rows[] = {
		{ZKFS_ZK_CREATED, true, false},
		{ZKFS_ZK_CHANGED, true, false},
		{ZKFS_ZK_CHILD, false, true},
		{ZKFS_ZK_DELETED, true, true},
	};
	struct zkfs_watch_table *table = *state;

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct watcher data = watcher_of(table);
		struct watcher child = watcher_of(table);
		struct watcher other = watcher_of(table);

		set(table, "/a", ZKFS_WATCH_DATA, &data);
		set(table, "/a", ZKFS_WATCH_CHILD, &child);
		set(table, "/ab", ZKFS_WATCH_DATA, &other);
		zkfs_watch_event(table, "/a", rows[i].event);
		assert_int_equal(data.n_fired, rows[i].data);
		assert_int_equal(child.n_fired, rows[i].child);
		assert_int_equal(data.watch.live, !rows[i].data);
		assert_int_equal(child.watch.live, !rows[i].child);
		assert_live(&other);
		zkfs_watch_event(table, "/a", rows[i].event); /* one shot */
		assert_int_equal(data.n_fired, rows[i].data);
		zkfs_watch_leave(table, &data.watch);
		zkfs_watch_leave(table, &child.watch);
		zkfs_watch_leave(table, &other.watch);
	}
}

static void test_unknown_paths_are_ignored(void **state)
{
	zkfs_watch_event(*state, "/nobody", ZKFS_ZK_CHANGED);
}

static void test_several_on_one_path(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher first = watcher_of(table), second = watcher_of(table);

	set(table, "/a", ZKFS_WATCH_DATA, &first);
	set(table, "/a", ZKFS_WATCH_DATA, &second);
	assert_int_equal(table->bytes, CHROOT_LEN + 2 + 4); /* once */
	zkfs_watch_event(table, "/a", ZKFS_ZK_CHANGED);
	assert_fired(&first, 1, ZKFS_ZK_CHANGED);
	assert_fired(&second, 1, ZKFS_ZK_CHANGED);
	assert_int_equal(table->bytes, 0);
}

/* The event belongs to the first; the reply that sets the second comes after
 * it and covers what follows. */
static void test_event_between_two_replies(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher first = watcher_of(table), second = watcher_of(table);
	struct zkfs_watch_half *half;

	set(table, "/a", ZKFS_WATCH_DATA, &first);
	half = zkfs_watch_reserve(table, "/a", ZKFS_WATCH_DATA);
	assert_non_null(half);
	zkfs_watch_event(table, "/a", ZKFS_ZK_CHANGED);
	assert_fired(&first, 1, ZKFS_ZK_CHANGED);
	zkfs_watch_settle(table, half, true, &second.watch);
	assert_live(&second);
	zkfs_watch_event(table, "/a", ZKFS_ZK_DELETED);
	assert_fired(&second, 1, ZKFS_ZK_DELETED);
}

static void test_not_set(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher watcher = watcher_of(table);
	struct zkfs_watch_half *half =
		zkfs_watch_reserve(table, "/a", ZKFS_WATCH_DATA);

	assert_string_equal(zkfs_watch_path(half), "/a");
	assert_int_equal(table->bytes, CHROOT_LEN + 2 + 4);
	zkfs_watch_settle(table, half, false, &watcher.watch);
	assert_false(watcher.watch.live);
	assert_int_equal(table->bytes, 0);
	zkfs_watch_leave(table, &watcher.watch); /* harmless */
}

static void test_callback_takes_the_next_away(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher first = watcher_of(table), third = watcher_of(table);
	struct watcher *second = malloc(sizeof(*second));

	assert_non_null(second);
	*second = watcher_of(table);
	first.place_of = second;
	set(table, "/a", ZKFS_WATCH_DATA, &first);
	set(table, "/a", ZKFS_WATCH_DATA, second);
	set(table, "/a", ZKFS_WATCH_DATA, &third);
	zkfs_watch_event(table, "/a", ZKFS_ZK_CHANGED);
	assert_fired(&first, 1, ZKFS_ZK_CHANGED);
	assert_fired(&third, 1, ZKFS_ZK_CHANGED);
}

static void test_callback_takes_the_other_kind_away(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher data = watcher_of(table), child = watcher_of(table);

	data.take_back = &child;
	set(table, "/a", ZKFS_WATCH_DATA, &data);
	set(table, "/a", ZKFS_WATCH_CHILD, &child);
	zkfs_watch_event(table, "/a", ZKFS_ZK_DELETED);
	assert_fired(&data, 1, ZKFS_ZK_DELETED);
	assert_int_equal(child.n_fired, 0);
	assert_false(child.watch.live);
}

static void test_leave(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher watcher = watcher_of(table);

	set(table, "/a", ZKFS_WATCH_DATA, &watcher);
	zkfs_watch_leave(table, &watcher.watch);
	assert_false(watcher.watch.live);
	zkfs_watch_leave(table, &watcher.watch);
	assert_int_equal(table->n_idle, 1);
	assert_true(table->bytes > 0); /* the server still has it */
	/* Set again, it is not idle; and what fires then is told once. */
	set(table, "/a", ZKFS_WATCH_DATA, &watcher);
	assert_int_equal(table->n_idle, 0);
	zkfs_watch_leave(table, &watcher.watch);
	zkfs_watch_event(table, "/a", ZKFS_ZK_CHANGED);
	assert_int_equal(watcher.n_fired, 0);
	assert_int_equal(table->n_idle, 0);
}

static void test_budget(void **state)
{
	struct zkfs_watch_table *table = *state;
	/* 1000 bytes in all, 20 for each: CHROOT_LEN + 13 + 4. */
	static struct watcher watchers[50];
	char path[32];

	for (int i = 0; i < 50; i++) {
		(void)snprintf(path, sizeof(path), "/%012d", i);
		watchers[i] = watcher_of(table);
		set(table, path, ZKFS_WATCH_DATA, &watchers[i]);
	}
	assert_int_equal(table->bytes, 1000);
	assert_null(zkfs_watch_reserve(table, "/x", ZKFS_WATCH_DATA));
	/* A path that is charged already costs nothing more. */
	zkfs_watch_settle(table,
			  zkfs_watch_reserve(table, path, ZKFS_WATCH_DATA),
			  true, NULL);
	assert_null(zkfs_watch_reserve(table, path, ZKFS_WATCH_CHILD));
	zkfs_watch_event(table, path, ZKFS_ZK_CHANGED);
	assert_int_equal(table->bytes, 980);
	watchers[49] = watcher_of(table);
	set(table, "/x", ZKFS_WATCH_DATA, &watchers[49]);
}

static void test_victims(void **state)
{
	struct zkfs_watch_table *table = *state;
	static struct watcher watchers[50];
	struct zkfs_watch_half *half;
	char path[32];

	for (int i = 0; i < 44; i++) { /* up to 880 bytes, under 7/8 + 5 */
		(void)snprintf(path, sizeof(path), "/%012d", i);
		watchers[i] = watcher_of(table);
		set(table, path, ZKFS_WATCH_CHILD, &watchers[i]);
	}
	assert_null(zkfs_watch_victim(table)); /* nobody is idle */
	zkfs_watch_leave(table, &watchers[7].watch);
	zkfs_watch_leave(table, &watchers[3].watch);
	half = zkfs_watch_victim(table);
	assert_non_null(half);
	assert_string_equal(zkfs_watch_path(half), "/000000000007");
	assert_int_equal(half->kind, ZKFS_WATCH_CHILD);
	assert_int_equal(table->n_idle, 1);
	assert_int_equal(table->bytes, 880);
	zkfs_watch_removed(table, half, true);
	assert_int_equal(table->bytes, 860);
	/* 860 < 875: there is room enough, the idle one may stay. */
	assert_null(zkfs_watch_victim(table));
	assert_int_equal(table->n_idle, 1);
}

static void test_many_idle_are_in_the_way(void **state)
{
	struct zkfs_watch_table *table = *state;
	static struct watcher watchers[ZKFS_WATCH_IDLE_MAX + 1];
	struct zkfs_watch_half *half;
	char path[32];

	table->budget = SIZE_MAX;
	for (int i = 0; i <= ZKFS_WATCH_IDLE_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%d", i);
		watchers[i] = watcher_of(table);
		set(table, path, ZKFS_WATCH_DATA, &watchers[i]);
		assert_null(zkfs_watch_victim(table));
		zkfs_watch_leave(table, &watchers[i].watch);
	}
	half = zkfs_watch_victim(table);
	assert_non_null(half);
	assert_string_equal(zkfs_watch_path(half), "/0");
	assert_null(zkfs_watch_victim(table));
	zkfs_watch_removed(table, half, false); /* it failed: idle again */
	assert_int_equal(table->n_idle, ZKFS_WATCH_IDLE_MAX + 1);
}

/* The removal is on its way when the path is watched again. */
static void test_watched_again_during_removal(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher watcher = watcher_of(table);
	struct zkfs_watch_half *half, *again;

	table->budget = 10;
	set(table, "/a", ZKFS_WATCH_DATA, &watcher);
	zkfs_watch_leave(table, &watcher.watch);
	half = zkfs_watch_victim(table);
	assert_non_null(half);
	again = zkfs_watch_reserve(table, "/a", ZKFS_WATCH_DATA);
	assert_non_null(again);
	zkfs_watch_removed(table, half, true);
	zkfs_watch_settle(table, again, true, &watcher.watch);
	assert_live(&watcher);
	zkfs_watch_event(table, "/a", ZKFS_ZK_CHANGED);
	assert_fired(&watcher, 1, ZKFS_ZK_CHANGED);
}

static void count_paths(void *ctx, const char *path)
{
	size_t *n = ctx;

	assert_int_equal(path[0], '/');
	(*n)++;
}

static void test_disconnect(void **state)
{
	struct zkfs_watch_table *table = *state;
	struct watcher data = watcher_of(table), child = watcher_of(table);
	struct watcher other = watcher_of(table), late = watcher_of(table);
	struct zkfs_watch_half *pending;
	size_t n_forgotten = 0;

	set(table, "/a", ZKFS_WATCH_DATA, &data);
	set(table, "/a", ZKFS_WATCH_CHILD, &child);
	set(table, "/b", ZKFS_WATCH_DATA, &other);
	pending = zkfs_watch_reserve(table, "/c", ZKFS_WATCH_DATA);
	assert_non_null(pending);
	zkfs_watch_leave(table, &other.watch);
	zkfs_watch_disconnect(table, count_paths, &n_forgotten);
	assert_int_equal(n_forgotten, 2); /* not /c: it is not set yet */
	assert_fired(&data, 1, ZKFS_ZK_UNWATCHED);
	assert_fired(&child, 1, ZKFS_ZK_UNWATCHED);
	assert_int_equal(other.n_fired, 0);
	assert_int_equal(table->bytes, CHROOT_LEN + 2 + 4); /* /c */
	zkfs_watch_settle(table, pending, false, &late.watch);
	assert_int_equal(table->bytes, 0);
}

static void test_no_memory(void **state)
{
	struct zkfs_watch_table *table = *state, other;

	fault_arm(1);
	assert_null(zkfs_watch_reserve(table, "/a", ZKFS_WATCH_DATA));
	assert_true(fault_disarm());
	assert_int_equal(table->bytes, 0);
	fault_arm(1);
	assert_true(zkfs_watch_init(&other, 1, 0) < 0);
	assert_true(fault_disarm());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds_are_kept_apart),
		TEST(test_unknown_paths_are_ignored),
		TEST(test_several_on_one_path),
		TEST(test_event_between_two_replies),
		TEST(test_not_set),
		TEST(test_callback_takes_the_next_away),
		TEST(test_callback_takes_the_other_kind_away),
		TEST(test_leave),
		TEST(test_budget),
		TEST(test_victims),
		TEST(test_many_idle_are_in_the_way),
		TEST(test_watched_again_during_removal),
		TEST(test_disconnect),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
