/*
 * walk: a thread that looks at what it lists is told from one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/ops/walk.h"

#define DIR   7
#define OTHER 8
#define NOW   1000

static void look(struct zkfs_walkers *walkers, pid_t tid, uint64_t dir,
		 unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		zkfs_walk_looked(walkers, tid, dir, NOW);
}

static void test_looks(void **state)
{
	struct zkfs_walkers walkers = {0};

	(void)state;
	assert_false(zkfs_walk_is_on(&walkers, 1, NOW));
	look(&walkers, 1, DIR, ZKFS_WALK_LOOKS);
	assert_false(zkfs_walk_is_on(&walkers, 1, NOW)); /* not listed */
	zkfs_walk_listed(&walkers, 1, DIR);
	look(&walkers, 1, DIR, ZKFS_WALK_LOOKS - 1);
	look(&walkers, 1, OTHER, ZKFS_WALK_LOOKS);
	look(&walkers, 2, DIR, ZKFS_WALK_LOOKS);
	assert_false(zkfs_walk_is_on(&walkers, 1, NOW));
	look(&walkers, 1, DIR, 1);
	assert_true(zkfs_walk_is_on(&walkers, 1, NOW));
	assert_false(zkfs_walk_is_on(&walkers, 2, NOW));
}

/* In the next directory it is one from the beginning, and for a time only. */
static void test_goes_on(void **state)
{
	struct zkfs_walkers walkers = {0};

	(void)state;
	zkfs_walk_listed(&walkers, 1, DIR);
	look(&walkers, 1, DIR, ZKFS_WALK_LOOKS);
	zkfs_walk_listed(&walkers, 1, OTHER);
	assert_true(zkfs_walk_is_on(&walkers, 1, NOW + ZKFS_WALK_MS - 1));
	assert_false(zkfs_walk_is_on(&walkers, 1, NOW + ZKFS_WALK_MS));
}

/* A look here and there, each in a directory of its own, is none. */
static void test_starts_anew(void **state)
{
	struct zkfs_walkers walkers = {0};

	(void)state;
	for (uint64_t dir = 1; dir < 20; dir++) {
		zkfs_walk_listed(&walkers, 1, dir);
		look(&walkers, 1, dir, ZKFS_WALK_LOOKS - 1);
	}
	assert_false(zkfs_walk_is_on(&walkers, 1, NOW));
}

static void test_many(void **state)
{
	struct zkfs_walkers walkers = {0};

	(void)state;
	for (pid_t tid = 1; tid <= 2 * ZKFS_WALKERS; tid++) {
		zkfs_walk_listed(&walkers, tid, DIR);
		look(&walkers, tid, DIR, ZKFS_WALK_LOOKS);
	}
	for (pid_t tid = 1; tid <= 2 * ZKFS_WALKERS; tid++)
		assert_int_equal(zkfs_walk_is_on(&walkers, tid, NOW),
				 tid > ZKFS_WALKERS);
	/* Of other namespaces' threads nothing is known. */
	zkfs_walk_listed(&walkers, 0, DIR);
	look(&walkers, 0, DIR, ZKFS_WALK_LOOKS);
	assert_false(zkfs_walk_is_on(&walkers, 0, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_starts_anew),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
