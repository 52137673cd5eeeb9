/*
 * lockq_renew: who leaves with a large number asks whether it is alone, and if
 * so makes the directory anew; whatever comes between, it leaves.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "include/zkfs/lockq.h"

#define LOCK	"/locks/job"
#define LARGE	(INT64_C(1) << 30)
#define NEITHER (INT64_C(2147483648) - 1000000) /* refused beyond */

#define DIR   ZKFS_LOCKQ_ASK_DIR
#define ACL   ZKFS_LOCKQ_ASK_ACL
#define LEAVE ZKFS_LOCKQ_ASK_LEAVE

static const struct zkfs_stat alone = {
	.czxid = 7, .version = 4, .aversion = 2, .num_children = 3};

static struct zkfs_lockq_request next(struct zkfs_lockq *lockq,
				      enum zkfs_lockq_ask ask)
{
	struct zkfs_lockq_request request;

	assert_true(zkfs_lockq_next(lockq, &request));
	assert_int_equal(request.ask, ask);
	return request;
}

static void answer(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		   enum zkfs_error error, const struct zkfs_stat *stat,
		   const char *data)
{
	struct zkfs_zk_reply reply = {.error = error,
				      .stat = stat,
				      .data = data,
				      .len = data ? strlen(data) : 0};

	zkfs_lockq_reply(lockq, ask, &reply);
}

static void list(struct zkfs_lockq *lockq, const char *const *names, size_t n)
{
	struct zkfs_zk_reply reply = {.names = names, .n_names = n};

	(void)next(lockq, ZKFS_LOCKQ_ASK_LIST);
	zkfs_lockq_reply(lockq, ZKFS_LOCKQ_ASK_LIST, &reply);
}

/* One that has joined with this number, and listed nothing yet. */
static struct zkfs_lockq *join(int64_t number)
{
	struct zkfs_lockq_config config = {
		.lock = LOCK,
		.label = "me",
		.host = "host",
		.pid = 7,
		.families = ZKFS_FAMILY_ALL,
		.data = "",
	};
	struct zkfs_lockq *lockq = zkfs_lockq_new(&config);
	struct zkfs_lockq_request request;

	assert_non_null(lockq);
	zkfs_lockq_start(lockq, 1, 1);
	request = next(lockq, ZKFS_LOCKQ_ASK_JOIN);
	for (size_t i = 0; i < request.n_ops; i++)
		(void)snprintf(request.ops[i].name, sizeof(request.ops[i].name),
			       "%s%010lld",
			       strrchr(request.ops[i].path, '/') + 1,
			       (long long)number + (long long)i);
	(void)next(lockq, ZKFS_LOCKQ_ASK_LIST);
	answer(lockq, ZKFS_LOCKQ_ASK_JOIN, ZKFS_E_OK, NULL, NULL);
	return lockq;
}

static struct zkfs_lockq *leaving(int64_t number)
{
	struct zkfs_lockq *lockq = join(number);

	zkfs_lockq_leave(lockq);
	/* The list behind the join: says nothing any more. */
	answer(lockq, ZKFS_LOCKQ_ASK_LIST, ZKFS_E_OK, NULL, NULL);
	return lockq;
}

/* Asked about the directory and its ACL: it is alone. */
static struct zkfs_lockq *renewing(void)
{
	struct zkfs_lockq *lockq = leaving(LARGE + 1);
	struct zkfs_lockq_request request = next(lockq, DIR);

	assert_int_equal(request.kind, ZKFS_ZK_GET);
	assert_string_equal(request.path, LOCK);
	answer(lockq, DIR, ZKFS_E_OK, &alone, "about");
	request = next(lockq, ACL);
	assert_int_equal(request.kind, ZKFS_ZK_GET_ACL);
	assert_string_equal(request.path, LOCK);
	answer(lockq, ACL, ZKFS_E_OK, &alone, "acl");
	return lockq;
}

/* The plain transaction is next, and then nothing is left. */
static void leaves(struct zkfs_lockq *lockq, int renewed)
{
	assert_int_equal(next(lockq, LEAVE).n_ops, 3);
	answer(lockq, LEAVE, ZKFS_E_OK, NULL, NULL);
	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_GONE);
	assert_int_equal(zkfs_lockq_renewed(lockq), renewed);
	zkfs_lockq_free(lockq);
}

static void test_small_number(void **state)
{
	leaves(leaving(0), 0);
	leaves(leaving(LARGE), 0);
}

static void test_renewal(void **state)
{
	struct zkfs_lockq *lockq = renewing();
	struct zkfs_lockq_request request = next(lockq, LEAVE);
	const struct zkfs_zk_op *ops = request.ops + 3;

	assert_int_equal(request.n_ops, 6);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(request.ops[i].kind, ZKFS_ZK_OP_DELETE);
	assert_int_equal(ops[0].kind, ZKFS_ZK_OP_DELETE);
	assert_string_equal(ops[0].path, LOCK);
	assert_int_equal(ops[0].version, alone.version);
	assert_int_equal(ops[1].kind, ZKFS_ZK_OP_CREATE);
	assert_string_equal(ops[1].path, LOCK);
	assert_int_equal(ops[1].flags, 0);
	assert_int_equal(ops[1].len, 5);
	assert_memory_equal(ops[1].data, "about", 5);
	assert_int_equal(ops[1].acl_len, 3);
	assert_memory_equal(ops[1].acl, "acl", 3);
	assert_int_equal(ops[2].kind, ZKFS_ZK_OP_SET);
	assert_int_equal(ops[2].len, 5);
	answer(lockq, LEAVE, ZKFS_E_OK, NULL, NULL);
	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_GONE);
	assert_int_equal(zkfs_lockq_renewed(lockq), 1);
	zkfs_lockq_free(lockq);
}

/* One that was never written stays so. */
static void test_never_written(void **state)
{
	struct zkfs_lockq *lockq = leaving(LARGE + 1);
	struct zkfs_stat stat = {.num_children = 3};

	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_OK, &stat, NULL);
	(void)next(lockq, ACL);
	answer(lockq, ACL, ZKFS_E_OK, &stat, NULL);
	assert_int_equal(next(lockq, LEAVE).n_ops, 5);
	answer(lockq, LEAVE, ZKFS_E_OK, NULL, NULL);
	zkfs_lockq_free(lockq);
}

/* Nobody joins near the end; the refused one renews, too. */
static void test_refused_join(void **state)
{
	static const int64_t numbers[] = {NEITHER + 1, INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < 3; i++) {
		struct zkfs_lockq *lockq = join(numbers[i]);

		assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_LEAVING);
		assert_int_equal(zkfs_lockq_error(lockq), -EOVERFLOW);
		(void)next(lockq, DIR);
		answer(lockq, DIR, ZKFS_E_OK, &alone, NULL);
		(void)next(lockq, ACL);
		answer(lockq, ACL, ZKFS_E_OK, &alone, NULL);
		assert_int_equal(next(lockq, LEAVE).n_ops, 6);
		answer(lockq, LEAVE, ZKFS_E_OK, NULL, NULL);
		assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_FAILED);
		assert_int_equal(zkfs_lockq_renewed(lockq), 1);
		zkfs_lockq_free(lockq);
	}
	/* It cannot be known of one that wants to leave by then. */
	zkfs_lockq_free(join(NEITHER));
}

static void test_not_alone(void **state)
{
	struct zkfs_stat others = alone, container = alone;
	struct zkfs_lockq *lockq = leaving(LARGE + 1);

	others.num_children = 4;
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_OK, &others, NULL);
	leaves(lockq, 0);

	container.ephemeral_owner = INT64_MIN;
	lockq = leaving(LARGE + 1);
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_OK, &container, NULL);
	leaves(lockq, 0);
}

static void test_changed_between(void **state)
{
	struct zkfs_stat changed[] = {alone, alone};

	changed[0].aversion++;
	changed[1].czxid++;
	for (size_t i = 0; i < 2; i++) {
		struct zkfs_lockq *lockq = leaving(LARGE + 1);

		(void)next(lockq, DIR);
		answer(lockq, DIR, ZKFS_E_OK, &alone, NULL);
		(void)next(lockq, ACL);
		answer(lockq, ACL, ZKFS_E_OK, &changed[i], NULL);
		leaves(lockq, 0);
	}
}

static void test_may_not_look(void **state)
{
	struct zkfs_lockq *lockq = leaving(LARGE + 1);

	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_NOAUTH, NULL, NULL);
	leaves(lockq, -EACCES);

	lockq = leaving(LARGE + 1);
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_OK, &alone, NULL);
	(void)next(lockq, ACL);
	answer(lockq, ACL, ZKFS_E_NOAUTH, NULL, NULL);
	leaves(lockq, -EACCES);

	/* No answer refuses nothing. */
	lockq = leaving(LARGE + 1);
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_TIMEDOUT, NULL, NULL);
	leaves(lockq, 0);
	lockq = leaving(LARGE + 1);
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_NONODE, NULL, NULL);
	leaves(lockq, 0);
}

static void test_refused(void **state)
{
	static const struct {
		enum zkfs_error error;
		int renewed;
	} rows[] = {
		{ZKFS_E_NOTEMPTY, 0},	  {ZKFS_E_BADVERSION, 0},
		{ZKFS_E_NOAUTH, -EACCES}, {ZKFS_E_INVALIDACL, -EINVAL},
		{ZKFS_E_LOST, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zkfs_lockq *lockq = renewing();

		assert_int_equal(next(lockq, LEAVE).n_ops, 6);
		answer(lockq, LEAVE, rows[i].error, NULL, NULL);
		leaves(lockq, rows[i].renewed);
	}
}

/* Done, and the reply lost: the plain one meets names that are gone, and the
 * list tells that nothing is left. */
static void test_lost_reply(void **state)
{
	struct zkfs_lockq *lockq = renewing();

	(void)next(lockq, LEAVE);
	answer(lockq, LEAVE, ZKFS_E_LOST, NULL, NULL);
	(void)next(lockq, LEAVE);
	answer(lockq, LEAVE, ZKFS_E_NONODE, NULL, NULL);
	list(lockq, NULL, 0);
	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_GONE);
	zkfs_lockq_free(lockq);
}

/* Somebody has taken one of our names: nothing is renewed, the rest goes. */
static void test_name_taken(void **state)
{
	struct zkfs_lockq *lockq = renewing();
	const char *names[3];
	char name[128];

	(void)snprintf(name, sizeof(name), "%skazoo__lock__1073741826",
		       zkfs_lockq_prefix(lockq));
	names[0] = name;
	(void)next(lockq, LEAVE);
	answer(lockq, LEAVE, ZKFS_E_NONODE, NULL, NULL);
	list(lockq, names, 1);
	assert_int_equal(next(lockq, LEAVE).n_ops, 1);
	answer(lockq, LEAVE, ZKFS_E_OK, NULL, NULL);
	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_GONE);
	zkfs_lockq_free(lockq);
}

static void test_session_over(void **state)
{
	struct zkfs_lockq *lockq = leaving(LARGE + 1);

	(void)next(lockq, DIR);
	zkfs_lockq_session(lockq, true, 2);
	assert_int_equal(zkfs_lockq_state(lockq), ZKFS_LOCKQ_GONE);
	answer(lockq, DIR, ZKFS_E_OK, &alone, NULL);
	assert_int_equal(zkfs_lockq_renewed(lockq), 0);
	zkfs_lockq_free(lockq);
}

static void test_no_memory(void **state)
{
	struct zkfs_lockq *lockq = leaving(LARGE + 1);

	(void)next(lockq, DIR);
	fault_arm(1);
	answer(lockq, DIR, ZKFS_E_OK, &alone, "about");
	assert_true(fault_disarm());
	leaves(lockq, -ENOMEM);

	lockq = leaving(LARGE + 1);
	(void)next(lockq, DIR);
	answer(lockq, DIR, ZKFS_E_OK, &alone, "about");
	(void)next(lockq, ACL);
	fault_arm(1);
	answer(lockq, ACL, ZKFS_E_OK, &alone, "acl");
	assert_true(fault_disarm());
	leaves(lockq, -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_number),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_never_written),
		cmocka_unit_test(test_refused_join),
		cmocka_unit_test(test_not_alone),
		cmocka_unit_test(test_changed_between),
		cmocka_unit_test(test_may_not_look),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lost_reply),
		cmocka_unit_test(test_name_taken),
		cmocka_unit_test(test_session_over),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
