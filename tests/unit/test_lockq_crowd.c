/*
 * lockq_meet in a crowd: waiting behind the nearest of one's own though others
 * are in between, another one's list, and who is known to have gone.
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
#define LEAVE	ZKFS_LOCKQ_ASK_LEAVE

/* Of others, each in front of the number it ends in. */
#define X(n) "x-000000000" #n

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
	struct zkfs_zk_reply reply = {
		.error = error, .stat = error ? NULL : &stat, .watched = true};

	zkfs_lockq_reply(lockq, ask, &reply);
}

/* One that has joined as `number`, with one name; nothing is answered yet. */
static struct zkfs_lockq *join_as(int number, enum zkfs_lock_mode mode)
{
	struct zkfs_lockq_config config = {
		.lock = "/locks/job",
		.label = "me",
		.host = "host",
		.pid = 7,
		.mode = mode,
		.families = ZKFS_FAMILY_CURATOR,
		.behind = true,
		.crowd = true,
		.random = (uint64_t)number,
	};
	struct zkfs_lockq *lockq = zkfs_lockq_new(&config);
	struct zkfs_lockq_request request;

	assert_non_null(lockq);
	zkfs_lockq_start(lockq, 1, 1);
	request = next(lockq, JOIN);
	(void)snprintf(request.ops[0].name, sizeof(request.ops[0].name),
		       "%s%010d", strrchr(request.ops[0].path, '/') + 1,
		       number);
	answer(lockq, JOIN, ZKFS_E_OK);
	return lockq;
}

static struct zkfs_lockq *join(int number)
{
	return join_as(number, ZKFS_LOCK_EXCLUSIVE);
}

static const char *name_of(const struct zkfs_lockq *lockq)
{
	return strrchr(zkfs_lockq_primary(lockq), '/') + 1;
}

#define answer_list(lockq, ...)                                                \
	do {                                                                   \
		const char *names_[] = {name_of(lockq), __VA_ARGS__};          \
		struct zkfs_zk_reply reply_ = {.names = names_,                \
					       .n_names = sizeof(names_) /     \
							  sizeof(names_[0])};  \
		zkfs_lockq_reply(lockq, LIST, &reply_);                        \
	} while (0)

static void share(struct zkfs_lockq *lockq, const char *const *names, size_t n)
{
	struct zkfs_queue queue;

	assert_int_equal(zkfs_queue_parse(names, n, &queue), 0);
	zkfs_lockq_share(lockq, &queue);
	zkfs_queue_fini(&queue);
}

static void waits_for(struct zkfs_lockq *lockq, const char *name)
{
	struct zkfs_lockq_request request = next(lockq, BLOCKER);

	assert_string_equal(strrchr(request.path, '/') + 1, name);
	is(lockq, ZKFS_LOCKQ_WAITING);
	answer(lockq, BLOCKER, ZKFS_E_OK);
}

/* It has the lock; the first there is. */
static struct zkfs_lockq *holder(int number)
{
	struct zkfs_lockq *lockq = join(number);

	(void)next(lockq, LIST);
	(void)next(lockq, OWNER);
	answer(lockq, OWNER, ZKFS_E_OK);
	answer_list(lockq, "other");
	is(lockq, ZKFS_LOCKQ_HELD);
	return lockq;
}

/* Joined as `number`, behind `before` and whoever is in between. */
static struct zkfs_lockq *far_behind(const struct zkfs_lockq *before,
				     int number)
{
	struct zkfs_lockq *lockq = join(number);

	zkfs_lockq_meet(lockq, before);
	(void)next(lockq, OWNER);
	answer(lockq, OWNER, ZKFS_E_OK);
	waits_for(lockq, name_of(before));
	assert_true(zkfs_lockq_needs_list(lockq));
	return lockq;
}

/* One holds, and has let go; what is between is looked for then. */
static void test_list_is_left_for_later(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 4);

	(void)state;
	zkfs_lockq_meet(second, first);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(second, LIST);
	answer_list(second, X(3), X(2));
	waits_for(second, X(3));
	assert_false(zkfs_lockq_needs_list(second));
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

static void test_nearest_of_all(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 3);
	struct zkfs_lockq *third = far_behind(second, 5), *last;

	(void)state;
	last = join(8);
	zkfs_lockq_meet(last, first);
	zkfs_lockq_meet(last, third);
	zkfs_lockq_meet(last, second);
	zkfs_lockq_meet(last, last);
	(void)next(last, OWNER);
	waits_for(last, name_of(third));
	/* Asked for by now. */
	zkfs_lockq_meet(last, second);
	is(last, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(last);

	/* Right before us is not far. */
	last = join(6);
	zkfs_lockq_meet(last, second);
	zkfs_lockq_meet(last, third);
	(void)next(last, OWNER);
	waits_for(last, name_of(third));
	assert_false(zkfs_lockq_needs_list(last));
	zkfs_lockq_free(last);
	zkfs_lockq_free(third);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* A reader does not wait for readers, and nobody for who leaves or is behind.
 */
static void test_not_behind(void **state)
{
	struct zkfs_lockq *reader = join_as(1, ZKFS_LOCK_SHARED);
	struct zkfs_lockq *lockq = join_as(4, ZKFS_LOCK_SHARED);
	struct zkfs_lockq *later = join(7), *gone = join(2);

	(void)state;
	zkfs_lockq_leave(gone);
	zkfs_lockq_meet(lockq, reader);
	zkfs_lockq_meet(lockq, later);
	zkfs_lockq_meet(lockq, gone);
	(void)next(lockq, LIST);
	zkfs_lockq_free(gone);
	zkfs_lockq_free(later);
	zkfs_lockq_free(lockq);
	zkfs_lockq_free(reader);
}

static void test_shared_list(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 4);
	const char *names[] = {name_of(first), X(2), X(3), name_of(second)};

	(void)state;
	share(second, names, 4);
	waits_for(second, X(3));
	assert_false(zkfs_lockq_needs_list(second));
	/* It has what it needs. */
	share(second, names, 1);
	is(second, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Read before it joined. */
static void test_shared_list_is_too_old(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 4);
	const char *names[] = {name_of(first), X(2)};

	(void)state;
	share(second, names, 2);
	assert_true(zkfs_lockq_needs_list(second));
	is(second, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* While its own list, or the look at the one before, is under way. */
static void test_shared_list_comes_first(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 4);
	const char *names[] = {X(3), name_of(second)};

	(void)state;
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_CHANGED);
	(void)next(second, BLOCKER);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(second, LIST);
	share(second, names, 2);
	answer(second, BLOCKER, ZKFS_E_NONODE);
	waits_for(second, X(3));
	answer_list(second, X(2));
	is(second, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_fired(second, BLOCKER, ZKFS_ZK_DELETED);
	is(second, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

static void test_shared_list_without_memory(void **state)
{
	struct zkfs_lockq *first = holder(1), *second = far_behind(first, 4);
	const char *names[] = {X(3), name_of(second)};
	struct zkfs_queue queue;

	(void)state;
	assert_int_equal(zkfs_queue_parse(names, 2, &queue), 0);
	fault_arm(1);
	zkfs_lockq_share(second, &queue);
	assert_true(fault_disarm());
	zkfs_queue_fini(&queue);
	(void)next(second, LIST);
	answer_list(second, X(3));
	waits_for(second, X(3));
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Behind the holder are x2 and x3, then the second. */
static struct zkfs_lockq *behind_three(const struct zkfs_lockq *first)
{
	struct zkfs_lockq *second = far_behind(first, 4);
	const char *names[] = {X(0), name_of(first), X(2), X(3),
			       name_of(second)};

	share(second, names, 5);
	waits_for(second, X(3));
	return second;
}

static void gone_as_recalled(struct zkfs_lockq *lockq,
			     struct zkfs_lockq_holders *holders)
{
	zkfs_lockq_recall(lockq, holders);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
}

static void leave(struct zkfs_lockq *lockq)
{
	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE);
	answer(lockq, LEAVE, ZKFS_E_OK);
	is(lockq, ZKFS_LOCKQ_GONE);
}

/* Who was between the holder and us is asked for, and nobody else. */
static void test_holder_that_has_gone(void **state)
{
	struct zkfs_lockq_holders holders = {0};
	struct zkfs_lockq *first = holder(1), *second = behind_three(first);

	(void)state;
	zkfs_lockq_note(&holders, first);
	leave(first);
	zkfs_lockq_note(&holders, first);
	gone_as_recalled(second, &holders);
	waits_for(second, X(2));
	gone_as_recalled(second, &holders);
	is(second, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

static void test_holder_that_holds(void **state)
{
	struct zkfs_lockq_holders holders = {0};
	struct zkfs_lockq *first = holder(1), *second = behind_three(first);

	(void)state;
	zkfs_lockq_note(&holders, first);
	gone_as_recalled(second, &holders);
	waits_for(second, X(2));
	gone_as_recalled(second, &holders);
	waits_for(second, name_of(first));
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

/* Without one the list is read: there were many. */
static void test_no_holder(void **state)
{
	struct zkfs_lockq_holders holders = {0};
	struct zkfs_lockq *first = join(1), *second;

	(void)state;
	zkfs_lockq_note(&holders, first); /* waits, too */
	second = behind_three(first);
	gone_as_recalled(second, &holders);
	(void)next(second, LIST);
	/* Not before it waits for anybody again. */
	zkfs_lockq_recall(second, &holders);
	zkfs_lockq_free(second);
	zkfs_lockq_free(first);
}

static void test_newest_holders(void **state)
{
	struct zkfs_lockq_holders holders = {0};
	struct zkfs_lockq *lockq = NULL;

	(void)state;
	for (int i = 0; i < ZKFS_LOCKQ_HOLDERS + 1; i++) {
		zkfs_lockq_free(lockq);
		lockq = holder(i);
		zkfs_lockq_note(&holders, lockq);
		zkfs_lockq_note(&holders, lockq);
	}
	assert_int_equal(holders.next, ZKFS_LOCKQ_HOLDERS + 1);
	assert_string_equal(holders.all[0].prefix, zkfs_lockq_prefix(lockq));
	assert_false(holders.all[0].gone);
	zkfs_lockq_free(lockq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_is_left_for_later),
		cmocka_unit_test(test_nearest_of_all),
		cmocka_unit_test(test_not_behind),
		cmocka_unit_test(test_shared_list),
		cmocka_unit_test(test_shared_list_is_too_old),
		cmocka_unit_test(test_shared_list_comes_first),
		cmocka_unit_test(test_shared_list_without_memory),
		cmocka_unit_test(test_holder_that_has_gone),
		cmocka_unit_test(test_holder_that_holds),
		cmocka_unit_test(test_no_holder),
		cmocka_unit_test(test_newest_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
