/*
 * lockq_meet: when what one contender knows spares another one a list, and all
 * that looks like it and does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "include/zkfs/lockq.h"

#define JOIN	ZKFS_LOCKQ_ASK_JOIN
#define LIST	ZKFS_LOCKQ_ASK_LIST
#define BLOCKER ZKFS_LOCKQ_ASK_BLOCKER
#define OWNER	ZKFS_LOCKQ_ASK_OWN

static struct zkfs_lockq_request next(struct zkfs_lockq *lockq,
				      enum zkfs_lockq_ask ask)
{
	struct zkfs_lockq_request request;

	assert_true(zkfs_lockq_next(lockq, &request));
	assert_int_equal(request.ask, ask);
	return request;
}

static void is(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	struct zkfs_lockq_request request;

	assert_false(zkfs_lockq_next(lockq, &request));
	assert_string_equal(zkfs_lockq_state_name(zkfs_lockq_state(lockq)),
			    zkfs_lockq_state_name(state));
}

static void answer(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		   enum zkfs_error error)
{
	struct zkfs_stat stat = {.czxid = 1};
	struct zkfs_zk_reply reply = {.error = error,
				      .stat = error ? NULL : &stat};

	zkfs_lockq_reply(lockq, ask, &reply);
}

struct options {
	const char *lock; /* NULL: the usual one */
	bool shared, try, behind;
	uint64_t generation; /* 0: the usual one */
};

/* One that has joined as `number` and the two behind; of each pair of numbers
 * and locks a different one. */
static struct zkfs_lockq *join(int64_t number, struct options options)
{
	struct zkfs_lockq_config config = {
		.lock = options.lock ? options.lock : "/locks/job",
		.label = "me",
		.host = "host",
		.pid = 7,
		.mode = options.shared ? ZKFS_LOCK_SHARED : ZKFS_LOCK_EXCLUSIVE,
		.families = ZKFS_FAMILY_ALL,
		.try = options.try,
		.behind = options.behind,
		.random = (uint64_t)number,
	};
	struct zkfs_lockq *lockq = zkfs_lockq_new(&config);
	struct zkfs_lockq_request request;

	assert_non_null(lockq);
	zkfs_lockq_start(lockq, options.generation ? options.generation : 1, 1);
	if (options.try) {
		(void)next(lockq, LIST);
		answer(lockq, LIST, ZKFS_E_OK);
	}
	request = next(lockq, JOIN);
	for (size_t i = 0; i < request.n_ops; i++)
		(void)snprintf(request.ops[i].name, sizeof(request.ops[i].name),
			       "%s%010lld",
			       strrchr(request.ops[i].path, '/') + 1,
			       (long long)number + (long long)i);
	if (!options.behind)
		(void)next(lockq, LIST);
	answer(lockq, JOIN, ZKFS_E_OK);
	return lockq;
}

/* Answers its list: itself and `others`. */
static void list(struct zkfs_lockq *lockq, int64_t number, const char *other)
{
	const char *prefix = zkfs_lockq_prefix(lockq);
	char own[3][128];
	const char *names[] = {own[0], own[1], own[2], other};
	struct zkfs_zk_reply reply = {.names = names, .n_names = other ? 4 : 3};

	(void)snprintf(own[0], sizeof(own[0]), "%shost.7.me-lock-%010lld",
		       prefix, (long long)number);
	(void)snprintf(own[1], sizeof(own[1]), "%skazoo__lock__%010lld", prefix,
		       (long long)number + 1);
	(void)snprintf(own[2], sizeof(own[2]), "%s__WRIT__%010lld", prefix,
		       (long long)number + 2);
	zkfs_lockq_reply(lockq, LIST, &reply);
}

static struct zkfs_lockq *holder(int64_t number)
{
	struct zkfs_lockq *lockq = join(number, (struct options){0});

	(void)next(lockq, OWNER);
	list(lockq, number, NULL);
	is(lockq, ZKFS_LOCKQ_HELD);
	return lockq;
}

static const struct options behind = {.behind = true};

/* Joined as 3, right behind the holder 0, without a list. */
static struct zkfs_lockq *waiter(const struct zkfs_lockq *before)
{
	struct zkfs_lockq *lockq = join(3, behind);
	struct zkfs_lockq_request request;

	zkfs_lockq_meet(lockq, lockq);
	zkfs_lockq_meet(lockq, before);
	(void)next(lockq, OWNER);
	request = next(lockq, BLOCKER);
	assert_string_equal(request.path, zkfs_lockq_primary(before));
	is(lockq, ZKFS_LOCKQ_WAITING);
	return lockq;
}

static void test_no_list_at_all(void **state)
{
	struct zkfs_lockq *first = holder(0), *second = waiter(first);

	answer(second, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_meet(second, first);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	is(second, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Its number alone does not say that it is in the same directory. */
static void test_never_seen(void **state)
{
	struct zkfs_lockq *first = holder(0), *second = waiter(first);

	zkfs_lockq_meet(second, first);
	answer(second, BLOCKER, ZKFS_E_NONODE);
	(void)next(second, LIST);
	list(second, 3, "x-0000000002");
	(void)next(second, BLOCKER);
	is(second, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Who goes without having held says nothing of others; who held when it was
 * met does. */
static void test_never_held(void **state)
{
	struct zkfs_lockq *first = join(0, behind), *second = waiter(first);

	answer(second, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_meet(second, first);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(second, LIST);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);

	first = holder(0);
	second = waiter(first);
	answer(second, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	is(second, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Others may have held it beside a reader. */
static void test_reader_held(void **state)
{
	struct options shared = {.shared = true};
	struct zkfs_lockq *first = join(0, shared), *second;
	const char *prefix = zkfs_lockq_prefix(first);
	char own[2][128];
	const char *names[] = {own[0], own[1]};
	struct zkfs_zk_reply reply = {.names = names, .n_names = 2};

	(void)next(first, OWNER);
	(void)snprintf(own[0], sizeof(own[0]), "%s__READ__0000000000", prefix);
	(void)snprintf(own[1], sizeof(own[1]), "%skazoo__rlock__0000000001",
		       prefix);
	zkfs_lockq_reply(first, LIST, &reply);
	is(first, ZKFS_LOCKQ_HELD);
	second = join(2, behind);
	zkfs_lockq_meet(second, first);
	(void)next(second, OWNER);
	(void)next(second, BLOCKER);
	answer(second, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_meet(second, first);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(second, LIST);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* A reader's place behind another reader is not its turn. */
static void test_readers(void **state)
{
	struct options shared = {.shared = true, .behind = true};
	struct zkfs_lockq *first = join(0, shared), *second = join(2, shared);

	zkfs_lockq_meet(second, first);
	(void)next(second, LIST);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);

	first = holder(0);
	second = join(3, shared);
	zkfs_lockq_meet(second, first);
	(void)next(second, OWNER);
	(void)next(second, BLOCKER);
	is(second, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

static void test_not_right_before(void **state)
{
	static const struct {
		int64_t number;
		struct options options;
	} rows[] = {
		{.number = 1}, /* somebody is between */
		{.number = 5}, /* behind */
		{.number = 2, .options.lock = "/locks/other"},
		{.number = 2, .options.generation = 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_lockq *other =
			join(rows[i].number, rows[i].options);
		struct zkfs_lockq *lockq = join(5, behind);

		zkfs_lockq_meet(lockq, other);
		(void)next(lockq, LIST);
		zkfs_lockq_free(lockq);
		zkfs_lockq_free(other);
	}
}

/* One whose list is on its way takes that; one that tries has to be told that
 * it is not the first. */
static void test_list_under_way(void **state)
{
	struct zkfs_lockq *first = holder(0);
	struct zkfs_lockq *second = join(3, (struct options){0});
	struct options try = {.try = true, .behind = true};

	zkfs_lockq_meet(second, first);
	(void)next(second, OWNER);
	is(second, ZKFS_LOCKQ_LISTING);
	zkfs_lockq_free(second);

	second = join(3, try);
	zkfs_lockq_meet(second, first);
	(void)next(second, LIST);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* What a list has shown beside us is in our directory. With a Curator writer
 * in it, it is read again. */
static void test_blocker_of_a_list(void **state)
{
	struct zkfs_lockq *first = holder(0), *second;

	for (int writer = 0; writer < 2; writer++) {
		const char *primary =
			strrchr(zkfs_lockq_primary(first), '/') + 1;
		const char *names[] = {
			primary,
			"_c_00000000-0000-4000-9000-000000000000-"
			"__WRIT__0000000002",
		};
		char own[3][128];
		const char *all[6] = {names[0], own[0], own[1], own[2],
				      names[1]};
		struct zkfs_zk_reply reply = {.names = all,
					      .n_names = 4 + (size_t)writer};

		second = join(5, behind);
		(void)next(second, LIST);
		(void)next(second, OWNER);
		(void)snprintf(own[0], sizeof(own[0]),
			       "%shost.7.me-lock-0000000005",
			       zkfs_lockq_prefix(second));
		(void)snprintf(own[1], sizeof(own[1]),
			       "%skazoo__lock__0000000006",
			       zkfs_lockq_prefix(second));
		(void)snprintf(own[2], sizeof(own[2]), "%s__WRIT__0000000007",
			       zkfs_lockq_prefix(second));
		zkfs_lockq_reply(second, LIST, &reply);
		(void)next(second, BLOCKER);
		if (writer) {
			/* The writer is nearer. */
			answer(second, BLOCKER, ZKFS_E_NONODE);
			(void)next(second, BLOCKER);
		}
		zkfs_lockq_meet(second, first);
		answer(second, BLOCKER, ZKFS_E_NONODE);
		if (writer)
			(void)next(second, LIST);
		else
			is(second, ZKFS_LOCKQ_HELD);
		zkfs_lockq_free(second);
	}
	zkfs_lockq_free(first);
}

static void test_no_memory(void **state)
{
	struct zkfs_lockq *first = holder(0), *second = join(3, behind);

	fault_arm(1);
	zkfs_lockq_meet(second, first);
	assert_true(fault_disarm());
	(void)next(second, LIST);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_list_at_all),
		cmocka_unit_test(test_never_seen),
		cmocka_unit_test(test_never_held),
		cmocka_unit_test(test_reader_held),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_not_right_before),
		cmocka_unit_test(test_list_under_way),
		cmocka_unit_test(test_blocker_of_a_list),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
