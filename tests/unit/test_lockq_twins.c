/*
 * lockq_twins: when the names beside the primary are asked for, and what
 * follows when one of them is gone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "include/zkfs/lockq.h"

#define JOIN	ZKFS_LOCKQ_ASK_JOIN
#define LIST	ZKFS_LOCKQ_ASK_LIST
#define BLOCKER ZKFS_LOCKQ_ASK_BLOCKER
#define OWNER	ZKFS_LOCKQ_ASK_OWN
#define SECOND	ZKFS_LOCKQ_ASK_SECOND
#define THIRD	ZKFS_LOCKQ_ASK_THIRD
#define LEAVE	ZKFS_LOCKQ_ASK_LEAVE
#define NUMBER	3

static struct zkfs_lockq_request next(struct zkfs_lockq *lockq,
				      enum zkfs_lockq_ask ask)
{
	struct zkfs_lockq_request request;

	assert_true(zkfs_lockq_next(lockq, &request));
	assert_int_equal(request.ask, ask);
	return request;
}

/* Another name of ours is looked for. */
static void looks(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask, bool watch)
{
	struct zkfs_lockq_request request = next(lockq, ask);

	assert_int_equal(request.kind, ZKFS_ZK_EXISTS);
	assert_int_equal(request.watch, watch);
	assert_non_null(strstr(request.path,
			       ask == SECOND ? "kazoo__lock__" : "__WRIT__"));
}

static void is(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	struct zkfs_lockq_request request;

	assert_false(zkfs_lockq_next(lockq, &request));
	assert_string_equal(zkfs_lockq_state_name(zkfs_lockq_state(lockq)),
			    zkfs_lockq_state_name(state));
}

static void answer_unwatched(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			     enum zkfs_error error, bool watched)
{
	struct zkfs_stat stat = {.czxid = 1};
	struct zkfs_zk_reply reply = {.error = error,
				      .stat = error ? NULL : &stat,
				      .watched = watched};

	zkfs_lockq_reply(lockq, ask, &reply);
}

static void answer(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		   enum zkfs_error error)
{
	answer_unwatched(lockq, ask, error, true);
}

static struct zkfs_lockq *join(unsigned families)
{
	struct zkfs_lockq_config config = {
		.lock = "/locks/job",
		.label = "me",
		.host = "host",
		.pid = 7,
		.families = families,
		.random = 5,
	};
	struct zkfs_lockq *lockq = zkfs_lockq_new(&config);
	struct zkfs_lockq_request request;

	assert_non_null(lockq);
	zkfs_lockq_start(lockq, 1, 1);
	request = next(lockq, JOIN);
	for (size_t i = 0; i < request.n_ops; i++)
		(void)snprintf(request.ops[i].name, sizeof(request.ops[i].name),
			       "%s%010lld",
			       strrchr(request.ops[i].path, '/') + 1,
			       (long long)(NUMBER + i));
	(void)next(lockq, LIST);
	answer(lockq, JOIN, ZKFS_E_OK);
	(void)next(lockq, OWNER);
	answer(lockq, OWNER, ZKFS_E_OK);
	return lockq;
}

/* Answers its list: itself and up to three others. */
static void list(struct zkfs_lockq *lockq, size_t n_others)
{
	static const char *const others[] = {"x-0000000000", "x-0000000001",
					     "x-0000000002"};
	const char *prefix = zkfs_lockq_prefix(lockq);
	char own[3][128];
	const char *names[6] = {own[0], own[1], own[2]};
	struct zkfs_zk_reply reply = {.names = names, .n_names = 3 + n_others};

	(void)snprintf(own[0], sizeof(own[0]), "%shost.7.me-lock-%010d", prefix,
		       NUMBER);
	(void)snprintf(own[1], sizeof(own[1]), "%skazoo__lock__%010d", prefix,
		       NUMBER + 1);
	(void)snprintf(own[2], sizeof(own[2]), "%s__WRIT__%010d", prefix,
		       NUMBER + 2);
	for (size_t i = 0; i < n_others; i++)
		names[3 + i] = others[i];
	zkfs_lockq_reply(lockq, LIST, &reply);
}

static struct zkfs_lockq *hold(void)
{
	struct zkfs_lockq *lockq = join(ZKFS_FAMILY_ALL);

	list(lockq, 0);
	is(lockq, ZKFS_LOCKQ_HELD);
	return lockq;
}

static struct zkfs_lockq *wait_behind(size_t n)
{
	struct zkfs_lockq *lockq = join(ZKFS_FAMILY_ALL);

	list(lockq, n);
	(void)next(lockq, BLOCKER);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	is(lockq, ZKFS_LOCKQ_WAITING);
	return lockq;
}

static void beat(struct zkfs_lockq *lockq, bool due)
{
	assert_int_equal(zkfs_lockq_beat(lockq), due);
}

/* A heartbeat, after which both are watched. */
static struct zkfs_lockq *watching(struct zkfs_lockq *lockq)
{
	beat(lockq, true);
	looks(lockq, SECOND, true);
	looks(lockq, THIRD, true);
	answer(lockq, SECOND, ZKFS_E_OK);
	answer(lockq, THIRD, ZKFS_E_OK);
	return lockq;
}

static void is_lost(struct zkfs_lockq *lockq)
{
	is(lockq, ZKFS_LOCKQ_LOST);
	assert_int_equal(zkfs_lockq_error(lockq), -EIO);
	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE);
	zkfs_lockq_free(lockq);
}

static void test_held_watches_with_the_heartbeat(void **state)
{
	struct zkfs_lockq *lockq = watching(hold());

	(void)state;
	is(lockq, ZKFS_LOCKQ_HELD);
	beat(lockq, false);
	zkfs_lockq_free(lockq);
}

static void test_held_is_lost_with_any(void **state)
{
	(void)state;
	for (int ask = SECOND; ask <= THIRD; ask++) {
		struct zkfs_lockq *lockq = watching(hold());

		zkfs_lockq_fired(lockq, (enum zkfs_lockq_ask)ask,
				 ZKFS_ZK_DELETED);
		is_lost(lockq);

		/* Gone before the heartbeat. */
		lockq = hold();
		beat(lockq, true);
		looks(lockq, SECOND, true);
		looks(lockq, THIRD, true);
		answer(lockq, (enum zkfs_lockq_ask)ask, ZKFS_E_NONODE);
		is_lost(lockq);
	}
}

/* As that of the primary: when somebody writes to it, and at a reconnect. */
static void test_watches_come_back(void **state)
{
	struct zkfs_lockq *lockq = watching(hold());

	(void)state;
	zkfs_lockq_fired(lockq, SECOND, ZKFS_ZK_CHANGED);
	looks(lockq, SECOND, true);
	answer(lockq, SECOND, ZKFS_E_OK);
	zkfs_lockq_session(lockq, false, 1);
	zkfs_lockq_fired(lockq, SECOND, ZKFS_ZK_UNWATCHED);
	zkfs_lockq_fired(lockq, THIRD, ZKFS_ZK_UNWATCHED);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_session(lockq, true, 1);
	looks(lockq, SECOND, true);
	looks(lockq, THIRD, true);
	answer(lockq, SECOND, ZKFS_E_LOST);
	looks(lockq, SECOND, true);
	answer(lockq, THIRD, ZKFS_E_NONODE);
	is_lost(lockq);
}

/* No room for them: every heartbeat asks. */
static void test_polled_without_a_watch(void **state)
{
	struct zkfs_lockq *lockq = hold();

	(void)state;
	for (int i = 0; i < 3; i++) {
		beat(lockq, true);
		looks(lockq, SECOND, true);
		looks(lockq, THIRD, true);
		beat(lockq, false); /* under way */
		answer_unwatched(lockq, SECOND, ZKFS_E_OK, false);
		answer_unwatched(lockq, THIRD, ZKFS_E_OK, false);
		is(lockq, ZKFS_LOCKQ_HELD);
	}
	zkfs_lockq_free(lockq);
}

/* Nor for the two that each contender has. */
static void test_own_and_blocker_are_polled(void **state)
{
	struct zkfs_lockq *lockq = join(ZKFS_FAMILY_ALL);

	(void)state;
	list(lockq, 3);
	(void)next(lockq, BLOCKER);
	answer_unwatched(lockq, BLOCKER, ZKFS_E_OK, false);
	beat(lockq, true);
	(void)next(lockq, BLOCKER);
	is(lockq, ZKFS_LOCKQ_WAITING);
	answer_unwatched(lockq, BLOCKER, ZKFS_E_OK, true);
	beat(lockq, false);

	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_CHANGED);
	(void)next(lockq, OWNER);
	answer_unwatched(lockq, OWNER, ZKFS_E_OK, false);
	beat(lockq, true);
	(void)next(lockq, OWNER);
	answer(lockq, OWNER, ZKFS_E_NONODE);
	is_lost(lockq);
}

static void test_next_watches_and_is_told(void **state)
{
	struct zkfs_lockq *lockq = watching(wait_behind(1));

	(void)state;
	zkfs_lockq_fired(lockq, THIRD, ZKFS_ZK_DELETED);
	is_lost(lockq);
}

/* With the watches set there is nothing to look for when its turn comes. */
static void test_next_is_granted_at_once(void **state)
{
	struct zkfs_lockq *lockq = watching(wait_behind(1));

	(void)state;
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(lockq);
}

static void test_short_wait_costs_nothing(void **state)
{
	struct zkfs_lockq *lockq = wait_behind(1);

	(void)state;
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(lockq);
}

/* Two before it: it is not the next, and has waited for a heartbeat. */
static struct zkfs_lockq *turn_after_long_wait(void)
{
	struct zkfs_lockq *lockq = wait_behind(2);

	beat(lockq, false);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(lockq, BLOCKER);
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	looks(lockq, SECOND, false);
	looks(lockq, THIRD, false);
	is(lockq, ZKFS_LOCKQ_WAITING);
	return lockq;
}

static void test_long_wait_looks_before_the_grant(void **state)
{
	struct zkfs_lockq *lockq = turn_after_long_wait();

	(void)state;
	answer_unwatched(lockq, THIRD, ZKFS_E_OK, false);
	is(lockq, ZKFS_LOCKQ_WAITING);
	answer_unwatched(lockq, SECOND, ZKFS_E_OK, false);
	is(lockq, ZKFS_LOCKQ_HELD);
	(void)watching(lockq);
	zkfs_lockq_free(lockq);

	lockq = turn_after_long_wait();
	answer_unwatched(lockq, SECOND, ZKFS_E_OK, false);
	answer_unwatched(lockq, THIRD, ZKFS_E_NONODE, false);
	is_lost(lockq);
}

/* A heartbeat in between makes what was seen old. */
static void test_seen_before_a_heartbeat_is_old(void **state)
{
	struct zkfs_lockq *lockq = turn_after_long_wait();

	(void)state;
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_CHANGED);
	(void)next(lockq, OWNER);
	answer_unwatched(lockq, SECOND, ZKFS_E_OK, false);
	answer_unwatched(lockq, THIRD, ZKFS_E_OK, false);
	is(lockq, ZKFS_LOCKQ_WAITING);
	beat(lockq, false);
	answer(lockq, OWNER, ZKFS_E_OK);
	looks(lockq, SECOND, false);
	looks(lockq, THIRD, false);
	answer_unwatched(lockq, SECOND, ZKFS_E_OK, false);
	answer_unwatched(lockq, THIRD, ZKFS_E_OK, false);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(lockq);
}

/* The list shows them. */
static void test_list_is_a_look(void **state)
{
	struct zkfs_lockq *lockq = wait_behind(3);

	(void)state;
	beat(lockq, false);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(lockq, LIST);
	list(lockq, 0);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(lockq);
}

/* Short of memory, say. Until it is answered nobody would hear of the loss of
 * what is held, and nobody be told the token. */
static void test_refused_is_asked_again(void **state)
{
	struct zkfs_lockq *lockq = watching(hold());

	(void)state;
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_CHANGED);
	(void)next(lockq, OWNER);
	answer(lockq, OWNER, ZKFS_E_NOMEM);
	zkfs_lockq_fired(lockq, SECOND, ZKFS_ZK_CHANGED);
	looks(lockq, SECOND, true);
	answer(lockq, SECOND, ZKFS_E_OTHER);
	is(lockq, ZKFS_LOCKQ_HELD);
	beat(lockq, true);
	assert_true(next(lockq, OWNER).watch);
	looks(lockq, SECOND, true);
	answer(lockq, OWNER, ZKFS_E_NONODE);
	is_lost(lockq);
}

static void test_one_name_is_enough(void **state)
{
	struct zkfs_lockq *lockq = join(ZKFS_FAMILY_CURATOR);
	const char *prefix = zkfs_lockq_prefix(lockq);
	char own[128];
	const char *names[] = {own};
	struct zkfs_zk_reply reply = {.names = names, .n_names = 1};

	(void)state;
	(void)snprintf(own, sizeof(own), "%shost.7.me-lock-%010d", prefix,
		       NUMBER);
	zkfs_lockq_reply(lockq, LIST, &reply);
	is(lockq, ZKFS_LOCKQ_HELD);
	beat(lockq, false);
	zkfs_lockq_free(lockq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_watches_with_the_heartbeat),
		cmocka_unit_test(test_held_is_lost_with_any),
		cmocka_unit_test(test_watches_come_back),
		cmocka_unit_test(test_polled_without_a_watch),
		cmocka_unit_test(test_own_and_blocker_are_polled),
		cmocka_unit_test(test_next_watches_and_is_told),
		cmocka_unit_test(test_next_is_granted_at_once),
		cmocka_unit_test(test_short_wait_costs_nothing),
		cmocka_unit_test(test_long_wait_looks_before_the_grant),
		cmocka_unit_test(test_seen_before_a_heartbeat_is_old),
		cmocka_unit_test(test_list_is_a_look),
		cmocka_unit_test(test_refused_is_asked_again),
		cmocka_unit_test(test_one_name_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
