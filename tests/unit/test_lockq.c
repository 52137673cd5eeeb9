/*
 * lockq: each way through the recipe by hand: what is asked, in which order,
 * and what each answer leads to. Chance and many at once are the simulation's
 * (tests/sim/lockq_sim.c).
 */
#include "include/zkfs/lockq.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

#define GENERATION 3
#define SESSION	   INT64_C(0x1000deadbeef0001)
#define RANDOM	   UINT64_C(0x0123456789abcdef)
/* Of the two above. */
#define PREFIX	 "_c_1000dead-beef-8000-9123-456789abcdef-"
#define OWN(n)	 PREFIX "host.7.me-lock-000000000" #n
#define KAZOO(n) PREFIX "kazoo__lock__000000000" #n
#define WRIT(n)	 PREFIX "__WRIT__000000000" #n
#define OURS	 OWN(3), KAZOO(4), WRIT(5)

#define JOIN	ZKFS_LOCKQ_ASK_JOIN
#define SYNC	ZKFS_LOCKQ_ASK_SYNC
#define LIST	ZKFS_LOCKQ_ASK_LIST
#define BLOCKER ZKFS_LOCKQ_ASK_BLOCKER
#define OWNER	ZKFS_LOCKQ_ASK_OWN
#define LEAVE	ZKFS_LOCKQ_ASK_LEAVE

static struct zkfs_lockq *make(enum zkfs_lock_mode mode, bool try)
{
	struct zkfs_lockq_config config = {
		.lock = "/locks/job",
		.label = "me",
		.host = "host",
		.pid = 7,
		.mode = mode,
		.families = ZKFS_FAMILY_ALL,
		.try = try,
		.random = RANDOM,
		.data = "host=host",
	};

	return zkfs_lockq_new(&config);
}

static struct zkfs_lockq *start(enum zkfs_lock_mode mode, bool try)
{
	struct zkfs_lockq *lockq = make(mode, try);

	assert_non_null(lockq);
	zkfs_lockq_start(lockq, GENERATION, SESSION);
	return lockq;
}

/* The next request is `ask`, and of `path` (NULL: any). */
static struct zkfs_lockq_request next(struct zkfs_lockq *lockq,
				      enum zkfs_lockq_ask ask, const char *path)
{
	struct zkfs_lockq_request request;

	assert_true(zkfs_lockq_next(lockq, &request));
	assert_int_equal(request.ask, ask);
	assert_int_equal(request.generation, GENERATION);
	if (path)
		assert_string_equal(request.path, path);
	return request;
}

static void silent(struct zkfs_lockq *lockq)
{
	struct zkfs_lockq_request request;

	assert_false(zkfs_lockq_next(lockq, &request));
}

static void is(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	assert_string_equal(zkfs_lockq_state_name(zkfs_lockq_state(lockq)),
			    zkfs_lockq_state_name(state));
}

static void ended(struct zkfs_lockq *lockq, enum zkfs_lockq_state state,
		  int error)
{
	silent(lockq);
	is(lockq, state);
	assert_int_equal(zkfs_lockq_error(lockq), error);
	zkfs_lockq_free(lockq);
}

static void answer(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		   enum zkfs_error error)
{
	struct zkfs_stat stat = {.czxid = 0x1234};
	struct zkfs_zk_reply reply = {.error = error,
				      .stat = error ? NULL : &stat,
				      .generation = GENERATION};

	zkfs_lockq_reply(lockq, ask, &reply);
}

static void answer_list(struct zkfs_lockq *lockq, const char *const *names,
			size_t n_names)
{
	struct zkfs_zk_reply reply = {
		.names = names, .n_names = n_names, .generation = GENERATION};

	zkfs_lockq_reply(lockq, LIST, &reply);
}

#define list(lockq, ...)                                                       \
	do {                                                                   \
		const char *const names_[] = {__VA_ARGS__};                    \
		answer_list(lockq, names_,                                     \
			    sizeof(names_) / sizeof(names_[0]));               \
	} while (0)
#define empty_list(lockq) answer_list(lockq, NULL, 0)

/* The server makes the names, with numbers from `first` on. */
static void make_names(const struct zkfs_lockq_request *request, int64_t first)
{
	for (size_t i = 0; i < request->n_ops; i++)
		(void)snprintf(request->ops[i].name,
			       sizeof(request->ops[i].name), "%s%010lld",
			       strrchr(request->ops[i].path, '/') + 1,
			       (long long)first + (long long)i);
}

static void expect_join(struct zkfs_lockq *lockq)
{
	struct zkfs_lockq_request request = next(lockq, JOIN, NULL);

	make_names(&request, 3);
	(void)next(lockq, LIST, "/locks/job");
	silent(lockq);
}

static void take_join(struct zkfs_lockq *lockq)
{
	answer(lockq, JOIN, ZKFS_E_OK);
	is(lockq, ZKFS_LOCKQ_LISTING);
	assert_int_equal(next(lockq, OWNER, "/locks/job/" OWN(3)).kind,
			 ZKFS_ZK_CHILDREN);
	silent(lockq);
}

/* Joined as 3, 4, 5; the list is still under way. */
static struct zkfs_lockq *join(void)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	expect_join(lockq);
	take_join(lockq);
	return lockq;
}

static struct zkfs_lockq *hold(void)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OURS);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_HELD);
	answer(lockq, OWNER, ZKFS_E_OK);
	return lockq;
}

static struct zkfs_lockq *wait_for_one(void)
{
	struct zkfs_lockq *lockq = join();

	answer(lockq, OWNER, ZKFS_E_OK);
	list(lockq, OURS, "x-0000000001");
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
	is(lockq, ZKFS_LOCKQ_WAITING);
	return lockq;
}

/* The three deletes go out, and succeed. */
static void delete_all(struct zkfs_lockq *lockq, enum zkfs_lockq_state after,
		       int error)
{
	struct zkfs_lockq_request request = next(lockq, LEAVE, NULL);

	assert_int_equal(request.kind, ZKFS_ZK_MULTI);
	assert_int_equal(request.n_ops, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(request.ops[i].kind, ZKFS_ZK_OP_DELETE);
		assert_int_equal(request.ops[i].version, ZKFS_ZK_ANY_VERSION);
	}
	assert_string_equal(request.ops[0].path, "/locks/job/" OWN(3));
	assert_string_equal(request.ops[1].path, "/locks/job/" KAZOO(4));
	assert_string_equal(request.ops[2].path, "/locks/job/" WRIT(5));
	is(lockq, ZKFS_LOCKQ_LEAVING);
	answer(lockq, LEAVE, ZKFS_E_OK);
	ended(lockq, after, error);
}

static void leave(struct zkfs_lockq *lockq)
{
	zkfs_lockq_leave(lockq);
	delete_all(lockq, ZKFS_LOCKQ_GONE, 0);
}

/* -- joining -- */

static void test_names_on_the_wire(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	struct zkfs_lockq_request request = next(lockq, JOIN, NULL);
	static const char *const paths[] = {
		"/locks/job/" PREFIX "host.7.me-lock-",
		"/locks/job/" PREFIX "kazoo__lock__",
		"/locks/job/" PREFIX "__WRIT__"};

	assert_string_equal(zkfs_lockq_prefix(lockq), PREFIX);
	assert_null(zkfs_lockq_primary(lockq));
	assert_int_equal(request.kind, ZKFS_ZK_MULTI);
	assert_int_equal(request.n_ops, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(request.ops[i].kind, ZKFS_ZK_OP_CREATE);
		assert_int_equal(request.ops[i].flags,
				 ZKFS_ZK_EPHEMERAL | ZKFS_ZK_SEQUENCE);
		assert_string_equal(request.ops[i].path, paths[i]);
		assert_int_equal(request.ops[i].len, i == 0 ? 9 : 0);
	}
	assert_memory_equal(request.ops[0].data, "host=host", 9);
	zkfs_lockq_free(lockq);
}

static void test_shared_names(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_SHARED, false);
	struct zkfs_lockq_request request = next(lockq, JOIN, NULL);

	assert_int_equal(request.n_ops, 2);
	assert_string_equal(request.ops[0].path,
			    "/locks/job/" PREFIX "__READ__");
	assert_string_equal(request.ops[1].path,
			    "/locks/job/" PREFIX "kazoo__rlock__");
	zkfs_lockq_free(lockq);
}

/* One round trip to hold a free lock, one more behind it for the token. */
static void test_uncontended(void **state)
{
	struct zkfs_lockq *lockq = join();
	struct zkfs_lockq_request request;

	assert_string_equal(zkfs_lockq_primary(lockq), "/locks/job/" OWN(3));
	assert_int_equal(zkfs_lockq_token(lockq), 0);
	list(lockq, OURS);
	is(lockq, ZKFS_LOCKQ_HELD);
	assert_false(zkfs_lockq_next(lockq, &request));
	answer(lockq, OWNER, ZKFS_E_OK);
	assert_int_equal(zkfs_lockq_token(lockq), 0x1234);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* The watch on ourselves must be on its way before the grant. */
static void test_grant_needs_own_watch(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	expect_join(lockq);
	answer(lockq, JOIN, ZKFS_E_OK);
	list(lockq, OURS);
	is(lockq, ZKFS_LOCKQ_LISTING);
	(void)next(lockq, OWNER, "/locks/job/" OWN(3));
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_join_refused(void **state)
{
	static const struct {
		enum zkfs_error error;
		int expected;
	} rows[] = {
		{ZKFS_E_NONODE, -ENOENT},	 {ZKFS_E_NOAUTH, -EACCES},
		{ZKFS_E_TIMEDOUT, -ETIMEDOUT},	 {ZKFS_E_QUOTA, -EDQUOT},
		{ZKFS_E_NOCHILDREN, -EPERM},	 {ZKFS_E_EXPIRED, -EIO},
		{ZKFS_E_NODEEXISTS, -EOVERFLOW},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

		expect_join(lockq);
		answer(lockq, JOIN, rows[i].error);
		is(lockq, ZKFS_LOCKQ_FAILED);
		empty_list(lockq); /* behind it: says nothing */
		ended(lockq, ZKFS_LOCKQ_FAILED, rows[i].expected);
	}
}

static void test_number_near_its_end(void **state)
{
	static const struct {
		int64_t number;
		bool taken;
	} rows[] = {
		{INT64_C(2147483648) - 1000000, true},
		{INT64_C(2147483648) - 999999, false},
		{INT64_C(2147483647), false},
		{INT64_C(-2147483648), false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
		struct zkfs_lockq_request request = next(lockq, JOIN, NULL);

		make_names(&request, rows[i].number);
		(void)next(lockq, LIST, NULL);
		answer(lockq, JOIN, ZKFS_E_OK);
		if (rows[i].taken) {
			is(lockq, ZKFS_LOCKQ_LISTING);
			zkfs_lockq_free(lockq);
			continue;
		}
		(void)next(lockq, ZKFS_LOCKQ_ASK_DIR, "/locks/job");
		answer(lockq, ZKFS_LOCKQ_ASK_DIR, ZKFS_E_NOAUTH);
		(void)next(lockq, LEAVE, NULL);
		answer(lockq, LEAVE, ZKFS_E_OK);
		empty_list(lockq);
		ended(lockq, ZKFS_LOCKQ_FAILED, -EOVERFLOW);
	}
}

/* With a name gone, one family of clients does not see us. */
static void test_own_name_missing(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OWN(3), WRIT(5));
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LOST);
	assert_int_equal(zkfs_lockq_error(lockq), -EIO);

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	answer(lockq, LEAVE, ZKFS_E_NONODE);
	(void)next(lockq, LIST, NULL);
	list(lockq, OWN(3), WRIT(5), "x-0000000009");
	assert_int_equal(next(lockq, LEAVE, NULL).n_ops, 2);
	answer(lockq, LEAVE, ZKFS_E_OK);
	ended(lockq, ZKFS_LOCKQ_GONE, -EIO);
}

/* -- a lost reply -- */

static void lose_join(struct zkfs_lockq *lockq, enum zkfs_error error)
{
	expect_join(lockq);
	answer(lockq, JOIN, error);
	is(lockq, ZKFS_LOCKQ_JOINING);
}

static void search(struct zkfs_lockq *lockq)
{
	(void)next(lockq, SYNC, "/locks/job");
	(void)next(lockq, LIST, "/locks/job");
	silent(lockq);
	answer(lockq, SYNC, ZKFS_E_OK);
}

static void test_lost_join_found(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	/* The list from before is under way, and proves nothing. */
	(void)next(lockq, SYNC, "/locks/job");
	silent(lockq);
	empty_list(lockq);
	(void)next(lockq, LIST, "/locks/job");
	answer(lockq, SYNC, ZKFS_E_OK);
	list(lockq, OURS);
	(void)next(lockq, OWNER, "/locks/job/" OWN(3));
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_lost_join_not_done(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	empty_list(lockq);
	search(lockq);
	list(lockq, "x-0000000001");
	is(lockq, ZKFS_LOCKQ_JOINING);
	expect_join(lockq);
	take_join(lockq);
	list(lockq, OURS);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* A sync that failed makes the list behind it worthless. */
static void test_lost_join_and_sync(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	empty_list(lockq);
	(void)next(lockq, SYNC, NULL);
	(void)next(lockq, LIST, NULL);
	answer(lockq, SYNC, ZKFS_E_TIMEDOUT);
	(void)next(lockq, SYNC, NULL);
	silent(lockq);
	empty_list(lockq);
	is(lockq, ZKFS_LOCKQ_JOINING);
	(void)next(lockq, LIST, NULL);
	answer(lockq, SYNC, ZKFS_E_OK);
	answer(lockq, LIST, ZKFS_E_TIMEDOUT);
	search(lockq);
	list(lockq, OURS);
	(void)next(lockq, OWNER, NULL);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_lost_join_session_over(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	zkfs_lockq_session(lockq, false, GENERATION);
	silent(lockq);
	zkfs_lockq_session(lockq, true, GENERATION + 1);
	ended(lockq, ZKFS_LOCKQ_FAILED, -EIO);
}

/* The lock itself is gone: so is what was in it. */
static void test_lost_join_no_lock(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	empty_list(lockq);
	search(lockq);
	answer(lockq, LIST, ZKFS_E_NONODE);
	expect_join(lockq);
	answer(lockq, JOIN, ZKFS_E_NONODE);
	ended(lockq, ZKFS_LOCKQ_FAILED, -ENOENT);
}

/* An odd error: nothing was made, most likely; looked up all the same. */
static void test_odd_join(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_NOMEM);
	empty_list(lockq);
	search(lockq);
	empty_list(lockq);
	ended(lockq, ZKFS_LOCKQ_FAILED, -ENOMEM);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	lose_join(lockq, ZKFS_E_OTHER);
	empty_list(lockq);
	search(lockq);
	list(lockq, OURS);
	(void)next(lockq, OWNER, NULL);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* A server that tells names we have not asked for is not believed. */
static void test_join_of_other_names(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	struct zkfs_lockq_request request = next(lockq, JOIN, NULL);

	make_names(&request, 3);
	memcpy(request.ops[1].name, "z", 1);
	(void)next(lockq, LIST, NULL);
	answer(lockq, JOIN, ZKFS_E_OK);
	is(lockq, ZKFS_LOCKQ_JOINING);
	list(lockq, OURS);
	search(lockq);
	list(lockq, OURS);
	(void)next(lockq, OWNER, NULL);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* We may make and not list: what was made must not stay. */
static void test_lost_join_list_refused(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	lose_join(lockq, ZKFS_E_LOST);
	empty_list(lockq);
	search(lockq);
	answer(lockq, LIST, ZKFS_E_NOAUTH);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	assert_int_equal(zkfs_lockq_error(lockq), -EACCES);
	(void)next(lockq, SYNC, NULL);
	silent(lockq); /* not at once again */
	answer(lockq, SYNC, ZKFS_E_OK);
	silent(lockq);
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, LIST, NULL);
	list(lockq, OURS);
	delete_all(lockq, ZKFS_LOCKQ_FAILED, -EACCES);
}

/* -- waiting -- */

static void test_waits_for_the_nearest(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, "x-0000000001", OURS, "x-0000000002", "x-0000000006");
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000002");
	silent(lockq);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	silent(lockq);

	/* One left: it is asked for, and has gone, too. */
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
	is(lockq, ZKFS_LOCKQ_WAITING);
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* Granted by the event itself, without another round trip. */
static void test_hand_over(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_WAITING);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_HELD);
	silent(lockq);
	leave(lockq);
}

/* Several left of an old list: it is read again, once. */
static void test_long_queue(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, "x-0000000000", "x-0000000001", "x-0000000002", OURS);
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000002");
	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	(void)next(lockq, LIST, NULL);
	silent(lockq);
	list(lockq, OURS, "x-0000000009");
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_shared_passes_shared(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_SHARED, false);
	struct zkfs_lockq_request request = next(lockq, JOIN, NULL);
	const char *read = PREFIX "__READ__0000000003";
	const char *rlock = PREFIX "kazoo__rlock__0000000004";

	make_names(&request, 3);
	(void)next(lockq, LIST, NULL);
	answer(lockq, JOIN, ZKFS_E_OK);
	(void)next(lockq, OWNER, NULL);
	list(lockq, "a__rlock__0000000002", "b__lock__0000000001", read, rlock);
	(void)next(lockq, BLOCKER, "/locks/job/b__lock__0000000001");
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_free(lockq);
}

/* A touched blocker still blocks: its watch was used up, no more. */
static void test_blocker_changed(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_CHANGED);
	is(lockq, ZKFS_LOCKQ_WAITING);
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
	answer(lockq, BLOCKER, ZKFS_E_OK);
	silent(lockq);
	leave(lockq);
}

/* Nothing that came before a break grants after it. */
static void test_blocker_unwatched(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_session(lockq, false, GENERATION);
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_UNWATCHED);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_UNWATCHED);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_WAITING);

	/* Our own first: its end must be heard before a grant. */
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, OWNER, "/locks/job/" OWN(3));
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
	answer(lockq, OWNER, ZKFS_E_OK);
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_not_granted_while_disconnected(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_session(lockq, false, GENERATION);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_WAITING);

	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_UNWATCHED);
	zkfs_lockq_session(lockq, true, GENERATION);
	is(lockq, ZKFS_LOCKQ_WAITING);
	(void)next(lockq, OWNER, NULL);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* An event overtook the reply: what it answers was asked before. */
static void test_event_before_reply(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_CHANGED);
	silent(lockq);
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	is(lockq, ZKFS_LOCKQ_WAITING);
	(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
	leave(lockq);
}

static void test_blocker_unanswered(void **state)
{
	static const enum zkfs_error errors[] = {ZKFS_E_TIMEDOUT, ZKFS_E_LOST};

	for (size_t i = 0; i < 2; i++) {
		struct zkfs_lockq *lockq = wait_for_one();

		answer(lockq, BLOCKER, errors[i]);
		is(lockq, ZKFS_LOCKQ_WAITING);
		(void)next(lockq, BLOCKER, "/locks/job/x-0000000001");
		leave(lockq);
	}
}

/* Not ours to read: EXISTS asks for no permission. */
static void test_blocker_hidden(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	answer(lockq, BLOCKER, ZKFS_E_NOAUTH);
	assert_int_equal(next(lockq, BLOCKER, "/locks/job/x-0000000001").kind,
			 ZKFS_ZK_EXISTS);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);

	lockq = wait_for_one();
	answer(lockq, BLOCKER, ZKFS_E_NOAUTH);
	(void)next(lockq, BLOCKER, NULL);
	answer(lockq, BLOCKER, ZKFS_E_NOAUTH);
	delete_all(lockq, ZKFS_LOCKQ_FAILED, -EACCES);
}

static void test_blocker_odd(void **state)
{
	struct zkfs_lockq *lockq = wait_for_one();

	answer(lockq, BLOCKER, ZKFS_E_OTHER);
	delete_all(lockq, ZKFS_LOCKQ_FAILED, -EIO);
}

/* Curator's writer may come back as a reader, with its own old number. */
static void test_downgrade(void **state)
{
	const char *writer =
		"_c_aaaaaaaa-0000-4000-9000-000000000000-__WRIT__0000000001";
	const char *reader =
		"_c_bbbbbbbb-0000-4000-9000-000000000000-__READ__0000000001";
	struct zkfs_lockq *lockq = join();
	char path[100];

	list(lockq, writer, OURS);
	(void)snprintf(path, sizeof(path), "/locks/job/%s", writer);
	(void)next(lockq, BLOCKER, path);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_WAITING);
	(void)next(lockq, LIST, NULL);
	list(lockq, reader, OURS);
	(void)snprintf(path, sizeof(path), "/locks/job/%s", reader);
	(void)next(lockq, BLOCKER, path);
	answer(lockq, BLOCKER, ZKFS_E_OK);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

/* The same number as ours, by somebody else: wait, do not guess. */
static void test_equal_number(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OURS, "zz__lock__0000000003");
	(void)next(lockq, BLOCKER, "/locks/job/zz__lock__0000000003");
	is(lockq, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_free(lockq);
}

static void test_list_errors_in_the_queue(void **state)
{
	struct zkfs_lockq *lockq = join();

	answer(lockq, LIST, ZKFS_E_TIMEDOUT);
	is(lockq, ZKFS_LOCKQ_LISTING);
	(void)next(lockq, LIST, NULL);
	answer(lockq, LIST, ZKFS_E_NOAUTH);
	delete_all(lockq, ZKFS_LOCKQ_FAILED, -EACCES);

	/* No lock, hence no contender in it. */
	lockq = join();
	answer(lockq, LIST, ZKFS_E_NONODE);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);
}

/* -- try -- */

static void test_try_busy(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, true);

	(void)next(lockq, LIST, "/locks/job");
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LOOKING);
	list(lockq, "a__rlock__0000000002");
	ended(lockq, ZKFS_LOCKQ_BUSY, -EAGAIN);
}

static void test_try_free(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, true);

	(void)next(lockq, LIST, NULL);
	list(lockq, "README");
	expect_join(lockq);
	take_join(lockq);
	list(lockq, OURS);
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_try_shared(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_SHARED, true);

	(void)next(lockq, LIST, NULL);
	list(lockq, "a__rlock__0000000002");
	is(lockq, ZKFS_LOCKQ_JOINING);
	zkfs_lockq_free(lockq);

	lockq = start(ZKFS_LOCK_SHARED, true);
	(void)next(lockq, LIST, NULL);
	list(lockq, "a__lock__0000000002");
	ended(lockq, ZKFS_LOCKQ_BUSY, -EAGAIN);
}

static void test_try_loses_the_race(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, true);

	(void)next(lockq, LIST, NULL);
	empty_list(lockq);
	expect_join(lockq);
	take_join(lockq);
	list(lockq, "x-0000000002", OURS);
	delete_all(lockq, ZKFS_LOCKQ_BUSY, -EAGAIN);
}

static void test_try_refused(void **state)
{
	static const struct {
		enum zkfs_error error;
		int expected;
	} rows[] = {
		{ZKFS_E_NONODE, -ENOENT},      {ZKFS_E_NOAUTH, -EACCES},
		{ZKFS_E_TIMEDOUT, -ETIMEDOUT}, {ZKFS_E_LOST, -EIO},
		{ZKFS_E_EXPIRED, -EIO},	       {ZKFS_E_OTHER, -EIO},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, true);

		(void)next(lockq, LIST, NULL);
		answer(lockq, LIST, rows[i].error);
		ended(lockq, ZKFS_LOCKQ_FAILED, rows[i].expected);
	}
}

/* -- loss -- */

static void test_own_deleted(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_DELETED);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LOST);
	assert_int_equal(zkfs_lockq_error(lockq), -EIO);
	zkfs_lockq_leave(lockq);
	delete_all(lockq, ZKFS_LOCKQ_GONE, -EIO);

	lockq = wait_for_one();
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_DELETED);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);
}

static void test_own_gone_before_watched(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OURS);
	is(lockq, ZKFS_LOCKQ_HELD);
	answer(lockq, OWNER, ZKFS_E_NONODE);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);
}

/* A note was written to our own entry: still held, and watched again. */
static void test_own_changed(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_CHANGED);
	(void)next(lockq, OWNER, "/locks/job/" OWN(3));
	is(lockq, ZKFS_LOCKQ_HELD);
	leave(lockq);
}

static void test_own_unwatched(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_session(lockq, false, GENERATION);
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_UNWATCHED);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_HELD);
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, OWNER, NULL);
	answer(lockq, OWNER, ZKFS_E_NONODE);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);
}

static void test_own_unanswered(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OURS);
	answer(lockq, OWNER, ZKFS_E_TIMEDOUT);
	is(lockq, ZKFS_LOCKQ_HELD);
	(void)next(lockq, OWNER, NULL);
	answer(lockq, OWNER, ZKFS_E_OTHER);
	silent(lockq); /* refused: not at once again */
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, OWNER, NULL);
	answer(lockq, OWNER, ZKFS_E_OK);
	assert_int_equal(zkfs_lockq_token(lockq), 0x1234);
	leave(lockq);
}

/* What we make may not be ours to read: then EXISTS, at once and from then on;
 * refused that as well, not at once again. */
static void test_own_hidden(void **state)
{
	struct zkfs_lockq *lockq = join();

	list(lockq, OURS);
	answer(lockq, OWNER, ZKFS_E_NOAUTH);
	assert_int_equal(next(lockq, OWNER, "/locks/job/" OWN(3)).kind,
			 ZKFS_ZK_EXISTS);
	answer(lockq, OWNER, ZKFS_E_OK);
	assert_int_equal(zkfs_lockq_token(lockq), 0x1234);
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_UNWATCHED);
	zkfs_lockq_session(lockq, true, GENERATION);
	assert_int_equal(next(lockq, OWNER, NULL).kind, ZKFS_ZK_EXISTS);
	answer(lockq, OWNER, ZKFS_E_NOAUTH);
	silent(lockq);
	leave(lockq);
}

static void test_session_over(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_session(lockq, true, GENERATION + 1);
	is(lockq, ZKFS_LOCKQ_LOST);
	silent(lockq);
	zkfs_lockq_leave(lockq); /* nothing is there to delete */
	ended(lockq, ZKFS_LOCKQ_GONE, -EIO);

	lockq = wait_for_one();
	answer(lockq, BLOCKER, ZKFS_E_EXPIRED);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);

	lockq = join();
	zkfs_lockq_session(lockq, false, GENERATION + 1);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, true);
	zkfs_lockq_session(lockq, true, GENERATION + 1);
	ended(lockq, ZKFS_LOCKQ_FAILED, -EIO);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	expect_join(lockq);
	zkfs_lockq_session(lockq, true, GENERATION + 1);
	is(lockq, ZKFS_LOCKQ_FAILED);
	answer(lockq, JOIN, ZKFS_E_LOST); /* too late to matter */
	ended(lockq, ZKFS_LOCKQ_FAILED, -EIO);
}

static void test_lease_over(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_lose(lockq);
	is(lockq, ZKFS_LOCKQ_LOST);
	zkfs_lockq_leave(lockq);
	delete_all(lockq, ZKFS_LOCKQ_GONE, -EIO);

	/* Waiting: the blocker may go now, and grants nothing. */
	lockq = wait_for_one();
	zkfs_lockq_lose(lockq);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	answer(lockq, BLOCKER, ZKFS_E_NONODE);
	ended(lockq, ZKFS_LOCKQ_LOST, -EIO);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, true);
	zkfs_lockq_lose(lockq);
	ended(lockq, ZKFS_LOCKQ_FAILED, -EIO);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	expect_join(lockq);
	zkfs_lockq_lose(lockq);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	answer(lockq, JOIN, ZKFS_E_OK);
	delete_all(lockq, ZKFS_LOCKQ_FAILED, -EIO);
}

/* -- leaving -- */

static void test_leave_before_anything(void **state)
{
	struct zkfs_lockq *lockq = make(ZKFS_LOCK_EXCLUSIVE, false);

	zkfs_lockq_session(lockq, true, 9); /* not bound yet: nothing */
	zkfs_lockq_leave(lockq);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	zkfs_lockq_leave(lockq); /* the join has not gone out */
	ended(lockq, ZKFS_LOCKQ_GONE, 0);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, true);
	(void)next(lockq, LIST, NULL);
	zkfs_lockq_leave(lockq);
	zkfs_lockq_leave(lockq);
	empty_list(lockq);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

static void test_leave_while_joining(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	expect_join(lockq);
	zkfs_lockq_leave(lockq);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	answer(lockq, JOIN, ZKFS_E_OK);
	list(lockq, OURS); /* grants nothing */
	is(lockq, ZKFS_LOCKQ_LEAVING);
	delete_all(lockq, ZKFS_LOCKQ_GONE, 0);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	expect_join(lockq);
	zkfs_lockq_leave(lockq);
	answer(lockq, JOIN, ZKFS_E_TIMEDOUT);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

static void test_leave_while_searching(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, false);

	expect_join(lockq);
	zkfs_lockq_leave(lockq);
	answer(lockq, JOIN, ZKFS_E_LOST);
	(void)next(lockq, SYNC, NULL);
	empty_list(lockq);
	(void)next(lockq, LIST, NULL);
	answer(lockq, SYNC, ZKFS_E_OK);
	list(lockq, OURS);
	delete_all(lockq, ZKFS_LOCKQ_GONE, 0);

	/* Asked to leave when the search has begun: it begins again. */
	lockq = start(ZKFS_LOCK_EXCLUSIVE, false);
	lose_join(lockq, ZKFS_E_LOST);
	empty_list(lockq);
	(void)next(lockq, SYNC, NULL);
	(void)next(lockq, LIST, NULL);
	zkfs_lockq_leave(lockq);
	answer(lockq, SYNC, ZKFS_E_OK);
	list(lockq, OURS);
	search(lockq);
	empty_list(lockq);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

static void test_leave_lost(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	zkfs_lockq_session(lockq, false, GENERATION);
	answer(lockq, LEAVE, ZKFS_E_LOST);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, LEAVE, NULL);
	answer(lockq, LEAVE, ZKFS_E_NONODE); /* the first one did it */
	(void)next(lockq, LIST, NULL);
	list(lockq, "x-0000000009");
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

/* Somebody took a part of us: the rest goes name by name, as listed. */
static void test_leave_the_rest(void **state)
{
	struct zkfs_lockq *lockq = hold();
	struct zkfs_lockq_request request;

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	answer(lockq, LEAVE, ZKFS_E_NONODE);
	(void)next(lockq, LIST, NULL);
	answer(lockq, LIST, ZKFS_E_LOST);
	(void)next(lockq, LIST, NULL);
	list(lockq, KAZOO(4));
	request = next(lockq, LEAVE, NULL);
	assert_int_equal(request.n_ops, 1);
	assert_string_equal(request.ops[0].path, "/locks/job/" KAZOO(4));
	answer(lockq, LEAVE, ZKFS_E_NONODE);
	(void)next(lockq, LIST, NULL);
	answer(lockq, LIST, ZKFS_E_NONODE); /* the lock is gone, too */
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

static void test_leave_session_over(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	zkfs_lockq_session(lockq, true, GENERATION + 1);
	answer(lockq, LEAVE, ZKFS_E_LOST);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);

	lockq = hold();
	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	answer(lockq, LEAVE, ZKFS_E_EXPIRED);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

/* No right to delete: not asked in a loop, and not given up. */
static void test_leave_refused(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	assert_int_equal(zkfs_lockq_put_off(lockq), 0);
	answer(lockq, LEAVE, ZKFS_E_NOAUTH);
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	assert_int_equal(zkfs_lockq_put_off(lockq), -EACCES);
	zkfs_lockq_session(lockq, true, GENERATION);
	delete_all(lockq, ZKFS_LOCKQ_GONE, 0);
}

/* Interrupted on the way to BUSY: then it is gone. */
static void test_leave_while_leaving(void **state)
{
	struct zkfs_lockq *lockq = start(ZKFS_LOCK_EXCLUSIVE, true);

	(void)next(lockq, LIST, NULL);
	empty_list(lockq);
	expect_join(lockq);
	take_join(lockq);
	list(lockq, "x-0000000002", OURS);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	zkfs_lockq_leave(lockq);
	delete_all(lockq, ZKFS_LOCKQ_GONE, -EAGAIN);

	lockq = start(ZKFS_LOCK_EXCLUSIVE, true);
	(void)next(lockq, LIST, NULL);
	list(lockq, "x-0000000002");
	is(lockq, ZKFS_LOCKQ_BUSY);
	zkfs_lockq_leave(lockq);
	zkfs_lockq_leave(lockq);
	ended(lockq, ZKFS_LOCKQ_GONE, -EAGAIN);
}

/* Replies that come late find no request they belong to. */
static void test_late_replies(void **state)
{
	struct zkfs_lockq *lockq = join();

	zkfs_lockq_leave(lockq);
	list(lockq, OURS);
	answer(lockq, OWNER, ZKFS_E_NONODE);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	zkfs_lockq_fired(lockq, OWNER, ZKFS_ZK_DELETED);
	zkfs_lockq_fired(lockq, BLOCKER, ZKFS_ZK_DELETED);
	delete_all(lockq, ZKFS_LOCKQ_GONE, 0);
}

/* -- memory -- */

static void test_memory_short_new(void **state)
{
	unsigned n;

	for (n = 1;; n++) {
		struct zkfs_lockq *lockq;

		fault_arm(n);
		lockq = make(ZKFS_LOCK_EXCLUSIVE, false);
		if (!fault_disarm()) {
			zkfs_lockq_free(lockq);
			break;
		}
		assert_null(lockq);
	}
	assert_int_equal(n, 1 + 1 + 4 + 3);
}

/* In the queue and out of memory: nothing stays behind. */
static void test_memory_short_list(void **state)
{
	unsigned n, kept_all = 0;

	for (n = 1;; n++) {
		struct zkfs_lockq *lockq = join();
		struct zkfs_lockq_request request;
		bool yielded;

		fault_arm(n);
		list(lockq, "x-0000000001", OURS);
		yielded = zkfs_lockq_next(lockq, &request);
		if (!fault_disarm()) {
			zkfs_lockq_free(lockq);
			break;
		}
		assert_true(yielded);
		/* Without memory to keep less it keeps all, and waits. */
		if (request.ask == BLOCKER) {
			kept_all++;
			zkfs_lockq_free(lockq);
			continue;
		}
		assert_int_equal(request.ask, LEAVE);
		answer(lockq, LEAVE, ZKFS_E_OK);
		ended(lockq, ZKFS_LOCKQ_FAILED, -ENOMEM);
	}
	assert_int_equal(kept_all, 3);
	assert_true(n > 4);
}

/* While looking for what is left, the search goes on later. */
static void test_memory_short_search(void **state)
{
	struct zkfs_lockq *lockq = hold();

	zkfs_lockq_leave(lockq);
	(void)next(lockq, LEAVE, NULL);
	answer(lockq, LEAVE, ZKFS_E_NONODE);
	(void)next(lockq, LIST, NULL);
	fault_arm(1);
	list(lockq, KAZOO(4));
	assert_true(fault_disarm());
	silent(lockq);
	is(lockq, ZKFS_LOCKQ_LEAVING);
	zkfs_lockq_session(lockq, true, GENERATION);
	(void)next(lockq, LIST, NULL);
	empty_list(lockq);
	ended(lockq, ZKFS_LOCKQ_GONE, 0);
}

static void test_state_names(void **state)
{
	for (int i = 0; i < _ZKFS_LOCKQ_STATE_N; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(zkfs_lockq_state_name(i),
						zkfs_lockq_state_name(j));
	assert_null(zkfs_lockq_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_on_the_wire),
		cmocka_unit_test(test_shared_names),
		cmocka_unit_test(test_uncontended),
		cmocka_unit_test(test_grant_needs_own_watch),
		cmocka_unit_test(test_join_refused),
		cmocka_unit_test(test_number_near_its_end),
		cmocka_unit_test(test_own_name_missing),
		cmocka_unit_test(test_lost_join_found),
		cmocka_unit_test(test_lost_join_not_done),
		cmocka_unit_test(test_lost_join_and_sync),
		cmocka_unit_test(test_lost_join_session_over),
		cmocka_unit_test(test_lost_join_no_lock),
		cmocka_unit_test(test_odd_join),
		cmocka_unit_test(test_join_of_other_names),
		cmocka_unit_test(test_lost_join_list_refused),
		cmocka_unit_test(test_waits_for_the_nearest),
		cmocka_unit_test(test_hand_over),
		cmocka_unit_test(test_long_queue),
		cmocka_unit_test(test_shared_passes_shared),
		cmocka_unit_test(test_blocker_changed),
		cmocka_unit_test(test_blocker_unwatched),
		cmocka_unit_test(test_not_granted_while_disconnected),
		cmocka_unit_test(test_event_before_reply),
		cmocka_unit_test(test_blocker_unanswered),
		cmocka_unit_test(test_blocker_hidden),
		cmocka_unit_test(test_blocker_odd),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_equal_number),
		cmocka_unit_test(test_list_errors_in_the_queue),
		cmocka_unit_test(test_try_busy),
		cmocka_unit_test(test_try_free),
		cmocka_unit_test(test_try_shared),
		cmocka_unit_test(test_try_loses_the_race),
		cmocka_unit_test(test_try_refused),
		cmocka_unit_test(test_own_deleted),
		cmocka_unit_test(test_own_gone_before_watched),
		cmocka_unit_test(test_own_changed),
		cmocka_unit_test(test_own_unwatched),
		cmocka_unit_test(test_own_unanswered),
		cmocka_unit_test(test_own_hidden),
		cmocka_unit_test(test_session_over),
		cmocka_unit_test(test_lease_over),
		cmocka_unit_test(test_leave_before_anything),
		cmocka_unit_test(test_leave_while_joining),
		cmocka_unit_test(test_leave_while_searching),
		cmocka_unit_test(test_leave_lost),
		cmocka_unit_test(test_leave_the_rest),
		cmocka_unit_test(test_leave_session_over),
		cmocka_unit_test(test_leave_refused),
		cmocka_unit_test(test_leave_while_leaving),
		cmocka_unit_test(test_late_replies),
		cmocka_unit_test(test_memory_short_new),
		cmocka_unit_test(test_memory_short_list),
		cmocka_unit_test(test_memory_short_search),
		cmocka_unit_test(test_state_names),
	};

	return cmocka_run_group_tests_name("lockq", tests, NULL, NULL);
}
