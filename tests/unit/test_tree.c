/*
 * test_tree: nodes by id, by name and by incarnation; both counts; renames.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/core/tree.h"
#include "tests/unit/fault.h"

static struct zkfs_tree tree;

static int set_up(void **state)
{
	return zkfs_tree_init(&tree);
}

static int tear_down(void **state)
{
	zkfs_tree_fini(&tree);
	return 0;
}

static struct zkfs_node *look_up(struct zkfs_node *parent, const char *name,
				 enum zkfs_type type, int64_t czxid)
{
	struct zkfs_node *node =
		zkfs_tree_intern(&tree, parent, name, type, czxid);

	assert_non_null(node);
	zkfs_tree_looked_up(node);
	zkfs_tree_unref(&tree, node);
	return node;
}

static void assert_path(const struct zkfs_node *node, const char *expected)
{
	char *path = zkfs_tree_path(node);

	assert_string_equal(path, expected);
	free(path);
	fault_arm(1);
	assert_true(zkfs_tree_is_at(node, expected));
	assert_false(fault_disarm());
}

static void test_root(void **state)
{
	assert_ptr_equal(zkfs_tree_get(&tree, ZKFS_TREE_ROOT_ID), tree.root);
	assert_path(tree.root, "/");
	assert_null(zkfs_tree_get(&tree, 2));
	assert_null(zkfs_tree_find(&tree, tree.root, "a"));
}

static void test_same_incarnation_is_same_node(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);

	assert_ptr_equal(look_up(tree.root, "a", ZKFS_TYPE_FILE, 7), a);
	assert_int_equal(a->n_lookups, 2);
	assert_int_equal(a->n_refs, 1);
	assert_ptr_equal(zkfs_tree_get(&tree, a->id), a);
	zkfs_tree_forget(&tree, a->id, 2);
}

static void test_new_incarnation_is_new_node(void **state)
{
	struct zkfs_node *old = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);
	struct zkfs_node *new = look_up(tree.root, "a", ZKFS_TYPE_FILE, 9);

	assert_ptr_not_equal(old, new);
	assert_true(new->id > old->id);
	assert_false(old->current);
	assert_true(new->current);
	assert_path(old, "/a");
	assert_ptr_equal(zkfs_tree_find(&tree, tree.root, "a"), new);
	/* The old one lives while the kernel knows it, and no longer. */
	assert_ptr_equal(zkfs_tree_get(&tree, old->id), old);
	{
		uint64_t id = old->id;

		zkfs_tree_forget(&tree, id, 1);
		assert_null(zkfs_tree_get(&tree, id));
	}
	assert_ptr_equal(zkfs_tree_find(&tree, tree.root, "a"), new);
}

static void test_new_type_is_new_node(void **state)
{
	struct zkfs_node *file = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);
	struct zkfs_node *dir = look_up(tree.root, "a", ZKFS_TYPE_DIR, 7);

	assert_ptr_not_equal(file, dir);
	assert_ptr_not_equal(look_up(tree.root, "a", ZKFS_TYPE_FILE, 7), file);
}

static void test_ids_are_not_used_again(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);
	uint64_t id = a->id;

	zkfs_tree_forget(&tree, id, 1);
	a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);
	assert_true(a->id > id);
}

static void test_forget_of_what_is_not_known(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);

	zkfs_tree_forget(&tree, 4711, 1);
	zkfs_tree_forget(&tree, ZKFS_TREE_ROOT_ID, 5);
	assert_non_null(zkfs_tree_get(&tree, ZKFS_TREE_ROOT_ID));
	/* More than were counted is as many as were counted. */
	zkfs_tree_forget(&tree, a->id, 100);
	assert_null(zkfs_tree_find(&tree, tree.root, "a"));
}

static void test_reference_outlives_forget(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 7);
	uint64_t id = a->id;

	zkfs_tree_ref(a);
	zkfs_tree_forget(&tree, id, 1);
	assert_ptr_equal(zkfs_tree_get(&tree, id), a);
	assert_null(zkfs_tree_unref(&tree, a));
	assert_null(zkfs_tree_get(&tree, id));
}

static void test_children_hold_their_parents(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_DIR, 1);
	struct zkfs_node *b = look_up(a, "b", ZKFS_TYPE_DIR, 2);
	struct zkfs_node *c = look_up(b, "c", ZKFS_TYPE_FILE, 3);
	uint64_t ids[] = {a->id, b->id, c->id};

	assert_path(c, "/a/b/c");
	zkfs_tree_forget(&tree, ids[0], 1);
	zkfs_tree_forget(&tree, ids[1], 1);
	assert_non_null(zkfs_tree_get(&tree, ids[0]));
	zkfs_tree_forget(&tree, ids[2], 1);
	for (size_t i = 0; i < 3; i++)
		assert_null(zkfs_tree_get(&tree, ids[i]));
}

static void test_data_has_the_path_of_its_directory(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_DIR, 1);

	assert_path(look_up(a, ".data", ZKFS_TYPE_DATA, 1), "/a");
	assert_path(look_up(tree.root, ".data", ZKFS_TYPE_DATA, 0), "/");
}

static void test_rename_moves_all_below(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_DIR, 1);
	struct zkfs_node *b = look_up(a, "b", ZKFS_TYPE_FILE, 2);
	struct zkfs_node *t = look_up(tree.root, "t", ZKFS_TYPE_DIR, 3);
	struct zkfs_node *old = look_up(t, "z", ZKFS_TYPE_DIR, 4);

	a->dir_until_ms = INT64_MAX;
	assert_int_equal(zkfs_tree_rename(&tree, a, t, "z"), 0);
	assert_path(b, "/t/z/b");
	assert_int_equal(a->dir_until_ms, 0);
	assert_null(zkfs_tree_find(&tree, tree.root, "a"));
	assert_ptr_equal(zkfs_tree_find(&tree, t, "z"), a);
	assert_false(old->current);
	/* What was moved was made anew: the kernel's inodes go on. */
	assert_ptr_equal(look_up(t, "z", ZKFS_TYPE_DIR, 10), a);
	assert_int_equal(a->czxid, 10);
	assert_ptr_equal(look_up(a, "b", ZKFS_TYPE_FILE, 11), b);
	/* Once only: the next incarnation is another one again. */
	assert_ptr_not_equal(look_up(a, "b", ZKFS_TYPE_FILE, 12), b);
}

static void test_is_at(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_DIR, 1);
	struct zkfs_node *bc = look_up(a, "bc", ZKFS_TYPE_DIR, 2);

	assert_true(zkfs_tree_is_at(tree.root, "/"));
	assert_false(zkfs_tree_is_at(tree.root, "/a"));
	assert_true(zkfs_tree_is_at(a, "/a"));
	assert_false(zkfs_tree_is_at(a, "/"));
	assert_false(zkfs_tree_is_at(a, "/a/bc"));
	assert_true(zkfs_tree_is_at(bc, "/a/bc"));
	assert_false(zkfs_tree_is_at(bc, "/bc"));
	assert_false(zkfs_tree_is_at(bc, "bc"));
	assert_false(zkfs_tree_is_at(bc, "/a/c"));
	assert_false(zkfs_tree_is_at(bc, "/a/xbc"));
	assert_false(zkfs_tree_is_at(bc, "/ba/bc"));
	assert_false(zkfs_tree_is_at(bc, "/x/a/bc"));
}

static void test_below(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_DIR, 1);
	struct zkfs_node *b = look_up(a, "b", ZKFS_TYPE_FILE, 2);

	assert_true(zkfs_tree_below(b, a));
	assert_true(zkfs_tree_below(a, a));
	assert_true(zkfs_tree_below(b, tree.root));
	assert_false(zkfs_tree_below(a, b));
}

static void test_deep_chain_is_freed_without_recursion(void **state)
{
	struct zkfs_node *node = tree.root;
	uint64_t first = tree.last_id + 1;

	for (int i = 0; i < 100000; i++) {
		struct zkfs_node *child = zkfs_tree_intern(
			&tree, node, "d", ZKFS_TYPE_DIR, i + 1);

		assert_non_null(child);
		if (node != tree.root)
			zkfs_tree_unref(&tree, node);
		node = child;
	}
	zkfs_tree_unref(&tree, node);
	assert_null(zkfs_tree_get(&tree, first));
}

static void test_no_memory(void **state)
{
	struct zkfs_node *a = look_up(tree.root, "a", ZKFS_TYPE_FILE, 1);

	fault_arm(1);
	assert_null(zkfs_tree_intern(&tree, tree.root, "a", ZKFS_TYPE_FILE, 2));
	assert_true(fault_disarm());
	assert_true(a->current);
	fault_arm(1);
	assert_int_equal(zkfs_tree_rename(&tree, a, tree.root, "b"), -ENOMEM);
	assert_true(fault_disarm());
	assert_path(a, "/a");
	fault_arm(1);
	assert_null(zkfs_tree_path(a));
	assert_true(fault_disarm());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_root),
		TEST(test_same_incarnation_is_same_node),
		TEST(test_new_incarnation_is_new_node),
		TEST(test_new_type_is_new_node),
		TEST(test_ids_are_not_used_again),
		TEST(test_forget_of_what_is_not_known),
		TEST(test_reference_outlives_forget),
		TEST(test_children_hold_their_parents),
		TEST(test_data_has_the_path_of_its_directory),
		TEST(test_rename_moves_all_below),
		TEST(test_is_at),
		TEST(test_below),
		TEST(test_deep_chain_is_freed_without_recursion),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
