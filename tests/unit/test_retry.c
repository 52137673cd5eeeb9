/*
 * retry: the whole table, kind by code by sent. What it must never say: that
 * a change which may have happened is to be sent again.
 */
#include "fs/zk/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zookeeper/zookeeper.h>

#include "fs/base/util.h"

static const enum zkfs_zk_kind reads[] = {ZKFS_ZK_EXISTS, ZKFS_ZK_GET,
					  ZKFS_ZK_CHILDREN, ZKFS_ZK_GET_ACL,
					  ZKFS_ZK_SYNC};
static const enum zkfs_zk_kind changes[] = {ZKFS_ZK_SET, ZKFS_ZK_SET_ACL,
					    ZKFS_ZK_DELETE, ZKFS_ZK_MULTI};

static void expect(enum zkfs_zk_kind kind, int code, bool sent,
		   enum zkfs_retry retry, enum zkfs_error error)
{
	enum zkfs_error got_error = _ZKFS_ERROR_N;
	enum zkfs_retry got = zkfs_retry_decide(kind, code, sent, &got_error);

	if (got != retry)
		fail_msg("kind %d, code %d, %s: %d instead of %d", (int)kind,
			 code, sent ? "sent" : "not sent", (int)got,
			 (int)retry);
	if (retry != ZKFS_RETRY_AGAIN)
		assert_int_equal(got_error, error);
}

static void expect_reads(int code, bool sent, enum zkfs_retry retry,
			 enum zkfs_error error)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(reads); i++)
		expect(reads[i], code, sent, retry, error);
}

static void expect_changes(int code, bool sent, enum zkfs_retry retry,
			   enum zkfs_error error)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(changes); i++)
		expect(changes[i], code, sent, retry, error);
}

static void test_kinds(void **state)
{
	(void)state;
	assert_int_equal(ZKFS_ARRAY_SIZE(reads) + ZKFS_ARRAY_SIZE(changes),
			 _ZKFS_ZK_KIND_N);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(reads); i++)
		assert_false(zkfs_retry_changes(reads[i]));
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(changes); i++)
		assert_true(zkfs_retry_changes(changes[i]));
}

static void test_broken_link(void **state)
{
	static const int codes[] = {
		ZCONNECTIONLOSS,    ZOPERATIONTIMEOUT, ZRUNTIMEINCONSISTENCY,
		ZDATAINCONSISTENCY, ZSESSIONEXPIRED,   ZCLOSING,
		ZINVALIDSTATE,
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(codes); i++) {
		expect_reads(codes[i], true, ZKFS_RETRY_AGAIN, ZKFS_E_OK);
		expect_reads(codes[i], false, ZKFS_RETRY_AGAIN, ZKFS_E_OK);
		expect_changes(codes[i], true, ZKFS_RETRY_LOST, ZKFS_E_LOST);
		expect_changes(codes[i], false, ZKFS_RETRY_AGAIN, ZKFS_E_OK);
	}
}

static void test_not_done(void **state)
{
	static const int codes[] = {ZSESSIONMOVED, ZTHROTTLEDOP};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(codes); i++) {
		expect_reads(codes[i], true, ZKFS_RETRY_AGAIN, ZKFS_E_OK);
		expect_changes(codes[i], true, ZKFS_RETRY_AGAIN, ZKFS_E_OK);
	}
}

static void test_internal(void **state)
{
	static const int codes[] = {ZSYSTEMERROR, ZMARSHALLINGERROR};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(codes); i++) {
		expect_reads(codes[i], true, ZKFS_RETRY_ANSWER, ZKFS_E_OTHER);
		expect_reads(codes[i], false, ZKFS_RETRY_ANSWER, ZKFS_E_NOMEM);
		expect_changes(codes[i], true, ZKFS_RETRY_LOST, ZKFS_E_LOST);
		expect_changes(codes[i], false, ZKFS_RETRY_ANSWER,
			       ZKFS_E_NOMEM);
	}
}

static void test_answers(void **state)
{
	static const struct {
		int code;
		enum zkfs_error error;
	} answers[] = {
		{ZOK, ZKFS_E_OK},
		{ZNONODE, ZKFS_E_NONODE},
		{ZNOAUTH, ZKFS_E_NOAUTH},
		{ZBADVERSION, ZKFS_E_BADVERSION},
		{ZNOCHILDRENFOREPHEMERALS, ZKFS_E_NOCHILDREN},
		{ZNODEEXISTS, ZKFS_E_NODEEXISTS},
		{ZNOTEMPTY, ZKFS_E_NOTEMPTY},
		{ZINVALIDACL, ZKFS_E_INVALIDACL},
		{ZAUTHFAILED, ZKFS_E_AUTHFAILED},
		{ZBADARGUMENTS, ZKFS_E_BADARGUMENTS},
		{ZUNIMPLEMENTED, ZKFS_E_UNIMPLEMENTED},
		{-125, ZKFS_E_QUOTA},
		{ZNOTREADONLY, ZKFS_E_OTHER},
		{ZRECONFIGDISABLED, ZKFS_E_OTHER},
		{-4711, ZKFS_E_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(answers); i++) {
		expect_reads(answers[i].code, true, ZKFS_RETRY_ANSWER,
			     answers[i].error);
		expect_changes(answers[i].code, true, ZKFS_RETRY_ANSWER,
			       answers[i].error);
	}
}

/* The promise itself, over every code there could be. */
static void test_changes_are_not_doubled(void **state)
{
	(void)state;
	for (int code = -200; code <= 0; code++) {
		bool undone = code == ZSESSIONMOVED || code == ZTHROTTLEDOP;

		for (size_t i = 0; i < ZKFS_ARRAY_SIZE(changes); i++) {
			enum zkfs_error error;
			enum zkfs_retry retry = zkfs_retry_decide(
				changes[i], code, true, &error);

			assert_int_equal(retry == ZKFS_RETRY_AGAIN, undone);
			assert_int_equal(retry == ZKFS_RETRY_LOST,
					 error == ZKFS_E_LOST &&
						 retry != ZKFS_RETRY_AGAIN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_broken_link),
		cmocka_unit_test(test_not_done),
		cmocka_unit_test(test_internal),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_changes_are_not_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
