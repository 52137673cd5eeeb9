/*
 * glance: what a look-up saw counts for the same call, once, and not for any
 * other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/ops/glance.h"

#define DIR 7

static void none(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
		 const char *name)
{
	bool busy;

	assert_false(zkfs_glance_take(glances, tid, lock, name, &busy));
}

static void seen(struct zkfs_glances *glances, pid_t tid, const char *name,
		 bool expected)
{
	bool busy = !expected;

	assert_true(zkfs_glance_take(glances, tid, DIR, name, &busy));
	assert_int_equal(busy, expected);
}

static void test_once(void **state)
{
	struct zkfs_glances glances = {0};

	(void)state;
	none(&glances, 1, DIR, "me");
	zkfs_glance_keep(&glances, 1, DIR, "me", true, false);
	seen(&glances, 1, "me", true);
	none(&glances, 1, DIR, "me");
}

static void test_of_the_same_call_only(void **state)
{
	struct zkfs_glances glances = {0};

	(void)state;
	zkfs_glance_keep(&glances, 1, DIR, "me", false, false);
	none(&glances, 2, DIR, "me");
	none(&glances, 1, DIR + 1, "me");
	none(&glances, 1, DIR, "you");
	seen(&glances, 1, "me", false);

	zkfs_glance_keep(&glances, 1, DIR, "me", false, false);
	zkfs_glance_forget(&glances, 1);
	none(&glances, 1, DIR, "me");
}

static void test_newest_counts(void **state)
{
	struct zkfs_glances glances = {0};

	(void)state;
	zkfs_glance_keep(&glances, 1, DIR, "me", false, false);
	zkfs_glance_keep(&glances, 2, DIR, "me", false, false);
	zkfs_glance_keep(&glances, 1, DIR, "me", true, false);
	seen(&glances, 1, "me", true);
	none(&glances, 1, DIR, "me");
	seen(&glances, 2, "me", false);
}

static void test_echo_once(void **state)
{
	struct zkfs_glances glances = {0};

	(void)state;
	zkfs_glance_keep(&glances, 1, DIR, "me", true, true);
	assert_false(zkfs_glance_echoes(&glances, 1, DIR, "you"));
	assert_false(zkfs_glance_echoes(&glances, 2, DIR, "me"));
	assert_true(zkfs_glance_echoes(&glances, 1, DIR, "me"));
	assert_false(zkfs_glance_echoes(&glances, 1, DIR, "me"));
	seen(&glances, 1, "me", true);

	zkfs_glance_keep(&glances, 1, DIR, "me", true, false);
	assert_false(zkfs_glance_echoes(&glances, 1, DIR, "me"));
}

/* Threads of another pid namespace are all 0. */
static void test_unknown_threads(void **state)
{
	struct zkfs_glances glances = {0};

	(void)state;
	zkfs_glance_keep(&glances, 0, DIR, "me", true, true);
	none(&glances, 0, DIR, "me");
	assert_false(zkfs_glance_echoes(&glances, 0, DIR, "me"));
}

static void test_limits(void **state)
{
	struct zkfs_glances glances = {0};
	char name[ZKFS_LABEL_MAX + 2];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	zkfs_glance_keep(&glances, 1, DIR, name, true, false);
	none(&glances, 1, DIR, name);
	zkfs_glance_keep(&glances, 1, DIR, name + 1, true, false);
	seen(&glances, 1, name + 1, true);

	for (pid_t tid = 1; tid <= ZKFS_GLANCES + 1; tid++)
		zkfs_glance_keep(&glances, tid, DIR, "me", true, false);
	none(&glances, 1, DIR, "me");
	for (pid_t tid = 2; tid <= ZKFS_GLANCES + 1; tid++)
		seen(&glances, tid, "me", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_of_the_same_call_only),
		cmocka_unit_test(test_newest_counts),
		cmocka_unit_test(test_echo_once),
		cmocka_unit_test(test_unknown_threads),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
