/*
 * queue: a child list becomes contenders in order, and the right one blocks.
 */
#include "include/zkfs/queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

#define A "_c_aaaaaaaa-0000-8000-8000-000000000000-"
#define B "_c_bbbbbbbb-0000-8000-8000-000000000000-"
#define C "_c_cccccccc-0000-8000-8000-000000000000-"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A exclusive with three names, B shared with two, a kazoo lock, a stock
 * Curator writer C, and what is no contender; not in order. */
static const char *const mixed[] = {
	B "kazoo__rlock__0000000005",
	"README",
	A "__WRIT__0000000002",
	"686a7a6d5f46de883dca095b937b567c__lock__0000000003",
	A "h.1.me-lock-0000000000",
	C "__WRIT__0000000006",
	B "__READ__0000000004",
	A "kazoo__lock__0000000001",
};

static struct zkfs_queue parse(const char *const *names, size_t n)
{
	struct zkfs_queue queue;

	assert_int_equal(zkfs_queue_parse(names, n, &queue), 0);
	return queue;
}

static void test_order_and_groups(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));
	const struct zkfs_queue_entry *e = queue.entries;

	assert_int_equal(queue.n_entries, 4);

	assert_int_equal(e[0].sequence, 0);
	assert_int_equal(e[0].mode, ZKFS_LOCK_EXCLUSIVE);
	assert_int_equal(e[0].n_names, 3);
	assert_string_equal(e[0].names[0], A "h.1.me-lock-0000000000");
	assert_string_equal(e[0].names[1], A "kazoo__lock__0000000001");
	assert_string_equal(e[0].names[2], A "__WRIT__0000000002");
	assert_string_equal(e[0].label, "me");
	assert_false(e[0].may_downgrade);

	assert_int_equal(e[1].sequence, 3);
	assert_int_equal(e[1].n_names, 1);
	assert_null(e[1].label);
	assert_false(e[1].may_downgrade);

	assert_int_equal(e[2].sequence, 4);
	assert_int_equal(e[2].mode, ZKFS_LOCK_SHARED);
	assert_int_equal(e[2].n_names, 2);

	assert_int_equal(e[3].sequence, 6);
	assert_true(e[3].may_downgrade);
	zkfs_queue_fini(&queue);
}

static void test_names_are_copied(void **state)
{
	char name[] = "x-0000000001";
	const char *const names[] = {name};
	struct zkfs_queue queue = parse(names, 1);

	memset(name, '?', sizeof(name) - 1);
	assert_string_equal(queue.entries[0].names[0], "x-0000000001");
	zkfs_queue_fini(&queue);
}

static void test_empty(void **state)
{
	static const char *const none[] = {"README"};
	struct zkfs_queue queue = parse(NULL, 0);

	assert_int_equal(queue.n_entries, 0);
	assert_null(zkfs_queue_find(&queue, A));
	assert_null(zkfs_queue_blocker(&queue, 9, ZKFS_LOCK_EXCLUSIVE, NULL));
	zkfs_queue_fini(&queue);

	queue = parse(none, 1);
	assert_int_equal(queue.n_entries, 0);
	zkfs_queue_fini(&queue);
	zkfs_queue_fini(&queue);
}

/* Two readers' names and a writer's under one UUID: nobody makes that, and
 * the safe reading is exclusive. */
static void test_mixed_group_is_exclusive(void **state)
{
	static const char *const names[] = {A "__READ__0000000001",
					    A "__WRIT__0000000002"};
	struct zkfs_queue queue = parse(names, N(names));

	assert_int_equal(queue.n_entries, 1);
	assert_int_equal(queue.entries[0].mode, ZKFS_LOCK_EXCLUSIVE);
	assert_false(queue.entries[0].may_downgrade);
	zkfs_queue_fini(&queue);
}

static void test_big_group_is_split(void **state)
{
	static const char *const names[] = {
		A "a-0000000003", A "b-0000000001", A "c-0000000005",
		A "d-0000000002", A "e-0000000004", A "f-0000000006",
		A "g-0000000007",
	};
	struct zkfs_queue queue = parse(names, N(names));

	assert_int_equal(queue.n_entries, 3);
	assert_int_equal(queue.entries[0].sequence, 1);
	assert_int_equal(queue.entries[0].n_names, 3);
	assert_int_equal(queue.entries[1].sequence, 4);
	assert_int_equal(queue.entries[1].n_names, 3);
	assert_int_equal(queue.entries[2].sequence, 7);
	assert_int_equal(queue.entries[2].n_names, 1);
	zkfs_queue_fini(&queue);
}

static void test_negative_is_first(void **state)
{
	static const char *const names[] = {"a__lock__0000000000",
					    "b__lock__-2147483648",
					    "c__lock__2147483647"};
	struct zkfs_queue queue = parse(names, N(names));

	assert_string_equal(queue.entries[0].names[0], names[1]);
	assert_string_equal(queue.entries[1].names[0], names[0]);
	assert_string_equal(queue.entries[2].names[0], names[2]);
	zkfs_queue_fini(&queue);
}

static void test_equal_numbers_by_name(void **state)
{
	static const char *const names[] = {"b__lock__2147483647",
					    "a__lock__2147483647"};
	struct zkfs_queue queue = parse(names, N(names));

	assert_string_equal(queue.entries[0].names[0], names[1]);
	assert_string_equal(queue.entries[1].names[0], names[0]);
	zkfs_queue_fini(&queue);
}

static void test_find(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));

	assert_ptr_equal(zkfs_queue_find(&queue, A), &queue.entries[0]);
	assert_ptr_equal(zkfs_queue_find(&queue, B), &queue.entries[2]);
	assert_ptr_equal(zkfs_queue_find(&queue, A "__WRIT__"),
			 &queue.entries[0]);
	assert_null(zkfs_queue_find(&queue, "_c_dddddddd"));
	zkfs_queue_fini(&queue);
}

static int64_t blocker(const struct zkfs_queue *queue, int64_t sequence,
		       enum zkfs_lock_mode mode, const char *own)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_blocker(queue, sequence, mode, own);

	return entry ? entry->sequence : -1;
}

static void test_blocker(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));
	const enum zkfs_lock_mode ex = ZKFS_LOCK_EXCLUSIVE;
	const enum zkfs_lock_mode sh = ZKFS_LOCK_SHARED;

	/* The nearest of all; a reader passes readers. */
	assert_int_equal(blocker(&queue, 9, ex, NULL), 6);
	assert_int_equal(blocker(&queue, 9, sh, NULL), 6);
	assert_int_equal(blocker(&queue, 6, ex, C), 4);
	assert_int_equal(blocker(&queue, 6, sh, C), 3);
	assert_int_equal(blocker(&queue, 4, sh, B), 3);
	assert_int_equal(blocker(&queue, 3, ex, "686a"), 0);
	assert_int_equal(blocker(&queue, 0, ex, A), -1);
	assert_int_equal(blocker(&queue, -5, ex, NULL), -1);

	zkfs_queue_fini(&queue);
}

/* The same number twice, at the end of the server's counter: each waits. */
static void test_equal_number_blocks(void **state)
{
	static const char *const names[] = {"a__lock__2147483647",
					    "b__lock__2147483647"};
	struct zkfs_queue queue = parse(names, N(names));
	const struct zkfs_queue_entry *entry;

	entry = zkfs_queue_blocker(&queue, INT32_MAX, ZKFS_LOCK_EXCLUSIVE,
				   "a__");
	assert_string_equal(entry->names[0], names[1]);
	entry = zkfs_queue_blocker(&queue, INT32_MAX, ZKFS_LOCK_EXCLUSIVE,
				   "b__");
	assert_string_equal(entry->names[0], names[0]);
	zkfs_queue_fini(&queue);
}

/* Those that block and are nearest, in order; their strings are copies. */
static void nearest(const struct zkfs_queue *queue, int64_t sequence,
		    enum zkfs_lock_mode mode, const char *own, size_t max,
		    size_t expected, bool more)
{
	struct zkfs_queue kept;
	bool others = !more;

	assert_int_equal(zkfs_queue_nearest(queue, sequence, mode, own, max,
					    &kept, &others),
			 0);
	assert_int_equal(kept.n_entries, expected);
	assert_int_equal(others, more);
	for (size_t i = 0; i < expected; i++) {
		const struct zkfs_queue_entry *entry = &kept.entries[i];
		const struct zkfs_queue_entry *same = zkfs_queue_find_at(
			queue, entry->sequence, entry->names[0]);

		assert_non_null(same);
		assert_ptr_not_equal(entry->names[0], same->names[0]);
		assert_int_equal(entry->n_names, 1);
		assert_int_equal(entry->mode, same->mode);
		assert_null(entry->label);
		assert_true(i == 0 ||
			    kept.entries[i - 1].sequence < entry->sequence);
	}
	if (expected)
		assert_int_equal(kept.entries[expected - 1].sequence,
				 blocker(queue, sequence, mode, own));
	zkfs_queue_fini(&kept);
}

static void test_nearest(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));
	const enum zkfs_lock_mode ex = ZKFS_LOCK_EXCLUSIVE;
	const enum zkfs_lock_mode sh = ZKFS_LOCK_SHARED;

	nearest(&queue, 9, ex, NULL, 99, 4, false);
	nearest(&queue, 9, ex, NULL, 4, 4, false);
	nearest(&queue, 9, ex, NULL, 3, 3, true);
	nearest(&queue, 9, sh, NULL, 3, 3, false);
	nearest(&queue, 9, sh, NULL, 1, 1, true);
	nearest(&queue, 6, sh, C, 2, 2, false);
	nearest(&queue, 0, ex, A, 2, 0, false);
	nearest(&queue, -5, ex, NULL, 2, 0, false);
	zkfs_queue_fini(&queue);
}

static void test_nearest_memory_short(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));
	struct zkfs_queue kept = {.n_entries = 77};
	bool more = true;
	unsigned n;

	for (n = 1;; n++) {
		int r;

		fault_arm(n);
		r = zkfs_queue_nearest(&queue, 9, ZKFS_LOCK_EXCLUSIVE, NULL, 9,
				       &kept, &more);
		if (!fault_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(kept.n_entries, 77);
		assert_true(more);
	}
	assert_true(n > 2);
	zkfs_queue_fini(&kept);
	zkfs_queue_fini(&queue);
}

/* By the number and the name, as numbers repeat at their end. */
static void test_find_at(void **state)
{
	static const char *const names[] = {
		"a__lock__0000000001", "a__lock__2147483647",
		"b__lock__2147483647", "c__lock__0000000001"};
	struct zkfs_queue queue = parse(names, N(names));

	assert_string_equal(
		zkfs_queue_find_at(&queue, INT32_MAX, "a__")->names[0],
		names[1]);
	assert_string_equal(
		zkfs_queue_find_at(&queue, INT32_MAX, "b__")->names[0],
		names[2]);
	assert_string_equal(zkfs_queue_find_at(&queue, 1, "c__")->names[0],
			    names[3]);
	assert_null(zkfs_queue_find_at(&queue, 1, "b__"));
	assert_null(zkfs_queue_find_at(&queue, 2, "a__"));
	zkfs_queue_fini(&queue);
}

static void test_any_may_downgrade(void **state)
{
	static const char *const stock[] = {
		"a-0000000001",
		"_c_00000000-0000-4000-8000-000000000000-__WRIT__0000000002"};
	struct zkfs_queue queue = parse(stock, N(stock));

	assert_true(queue.may_downgrade);
	zkfs_queue_fini(&queue);
	queue = parse(stock, 1);
	assert_false(queue.may_downgrade);
	zkfs_queue_fini(&queue);
}

static void test_remove(void **state)
{
	struct zkfs_queue queue = parse(mixed, N(mixed));

	zkfs_queue_remove(&queue, &queue.entries[1]);
	assert_int_equal(queue.n_entries, 3);
	assert_int_equal(queue.entries[0].sequence, 0);
	assert_int_equal(queue.entries[1].sequence, 4);
	assert_int_equal(queue.entries[2].sequence, 6);
	zkfs_queue_remove(&queue, &queue.entries[2]);
	zkfs_queue_remove(&queue, &queue.entries[0]);
	zkfs_queue_remove(&queue, &queue.entries[0]);
	assert_int_equal(queue.n_entries, 0);
	zkfs_queue_fini(&queue);
}

static void test_memory_short(void **state)
{
	struct zkfs_queue queue = {.n_entries = 77};
	unsigned n;

	for (n = 1;; n++) {
		int r;

		fault_arm(n);
		r = zkfs_queue_parse(mixed, N(mixed), &queue);
		if (!fault_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(queue.n_entries, 77);
	}
	assert_true(n > 1);
	zkfs_queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_groups),
		cmocka_unit_test(test_names_are_copied),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_mixed_group_is_exclusive),
		cmocka_unit_test(test_big_group_is_split),
		cmocka_unit_test(test_negative_is_first),
		cmocka_unit_test(test_equal_numbers_by_name),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_blocker),
		cmocka_unit_test(test_equal_number_blocks),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_nearest_memory_short),
		cmocka_unit_test(test_find_at),
		cmocka_unit_test(test_any_may_downgrade),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_memory_short),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
