/*
 * list: order, removal while walking, and removal of what is in no list.
 */
#include "fs/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
	int number;
	struct zkfs_link link;
};

static int number_of(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct item, link)->number;
}

/* The numbers in order as one: 1, 2, 3 is 123. */
static int digits(struct zkfs_link *head)
{
	int forward = 0;
	int backward = 0;
	int unit = 1;

	zkfs_list_for_each(it, head)
		forward = forward * 10 + number_of(it);
	for (struct zkfs_link *it = head->prev; it != head; it = it->prev) {
		backward += number_of(it) * unit;
		unit *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void test_empty(void **state)
{
	struct zkfs_link head;

	zkfs_list_init(&head);
	assert_true(zkfs_list_empty(&head));
	assert_null(zkfs_list_first(&head));
	assert_false(zkfs_list_linked(&head));
	assert_int_equal(digits(&head), 0);
}

static void test_order(void **state)
{
	struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
	struct zkfs_link head;

	zkfs_list_init(&head);
	zkfs_list_append(&head, &a.link);
	zkfs_list_append(&head, &b.link);
	zkfs_list_prepend(&head, &c.link);
	assert_int_equal(digits(&head), 312);
	assert_ptr_equal(zkfs_list_first(&head), &c.link);
	assert_false(zkfs_list_empty(&head));
}

static void test_remove(void **state)
{
	struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
	struct zkfs_link head;

	zkfs_list_init(&head);
	zkfs_list_append(&head, &a.link);
	zkfs_list_append(&head, &b.link);
	zkfs_list_append(&head, &c.link);
	zkfs_list_remove(&b.link);
	assert_int_equal(digits(&head), 13);
	assert_false(zkfs_list_linked(&b.link));
	assert_true(zkfs_list_linked(&a.link));
	zkfs_list_append(&head, &b.link);
	assert_int_equal(digits(&head), 132);
	zkfs_list_remove(&a.link);
	zkfs_list_remove(&c.link);
	zkfs_list_remove(&b.link);
	assert_true(zkfs_list_empty(&head));
}

static void test_remove_twice_or_never_added(void **state)
{
	struct item a = {.number = 1}, zeroed = {.number = 2};
	struct zkfs_link head;

	zkfs_list_init(&head);
	zkfs_list_append(&head, &a.link);
	assert_false(zkfs_list_linked(&zeroed.link));
	zkfs_list_remove(&zeroed.link);
	zkfs_list_remove(&a.link);
	zkfs_list_remove(&a.link);
	assert_true(zkfs_list_empty(&head));
}

static void test_walk_may_remove_the_current(void **state)
{
	struct item items[9];
	struct zkfs_link head;
	int n = 0;

	zkfs_list_init(&head);
	for (int i = 0; i < 9; i++) {
		items[i] = (struct item){.number = i + 1};
		zkfs_list_append(&head, &items[i].link);
	}
	zkfs_list_for_each_safe(it, &head) {
		n++;
		if (number_of(it) % 2)
			zkfs_list_remove(it);
	}
	assert_int_equal(n, 9);
	assert_int_equal(digits(&head), 2468);
	zkfs_list_for_each_safe(it, &head)
		zkfs_list_remove(it);
	assert_true(zkfs_list_empty(&head));
}

static void test_splice(void **state)
{
	struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
	struct zkfs_link to, from;

	zkfs_list_init(&to);
	zkfs_list_init(&from);
	zkfs_list_splice(&to, &from);
	assert_true(zkfs_list_empty(&to));
	zkfs_list_append(&from, &a.link);
	zkfs_list_append(&from, &b.link);
	zkfs_list_splice(&to, &from);
	assert_int_equal(digits(&to), 12);
	assert_true(zkfs_list_empty(&from));
	zkfs_list_append(&from, &c.link);
	zkfs_list_splice(&to, &from);
	assert_int_equal(digits(&to), 123);
	zkfs_list_splice(&to, &from);
	assert_int_equal(digits(&to), 123);
	/* Each is a member of the list it is now in. */
	zkfs_list_remove(&b.link);
	assert_int_equal(digits(&to), 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_twice_or_never_added),
		cmocka_unit_test(test_walk_may_remove_the_current),
		cmocka_unit_test(test_splice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
