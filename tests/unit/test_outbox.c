/*
 * outbox: the order of submission is kept whatever comes back, each request is
 * in one place at a time, and deadlines are met.
 */
#include "fs/zk/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"

#define N_REQS 8

struct fixture {
	struct zkfs_outbox outbox;
	struct zkfs_zk_req reqs[N_REQS];
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){0};
	zkfs_outbox_init(&fixture.outbox);
	for (size_t i = 0; i < N_REQS; i++)
		fixture.reqs[i].deadline_ms = ZKFS_NEVER;
	*state = &fixture;
	return 0;
}

static void add_all(struct fixture *fixture)
{
	for (size_t i = 0; i < N_REQS; i++)
		zkfs_outbox_add(&fixture->outbox, &fixture->reqs[i]);
}

static size_t take(struct fixture *fixture)
{
	struct zkfs_zk_req *req = zkfs_outbox_first(&fixture->outbox);

	assert_non_null(req);
	zkfs_outbox_take(&fixture->outbox, req);
	return (size_t)(req - fixture->reqs);
}

/* The decided requests, by index, ended by -1. */
static void assert_answers(struct fixture *fixture, const int *want,
			   enum zkfs_error verdict)
{
	struct zkfs_link batch, *link;

	zkfs_list_init(&batch);
	zkfs_outbox_take_answers(&fixture->outbox, &batch);
	while ((link = zkfs_list_first(&batch))) {
		struct zkfs_zk_req *req =
			zkfs_list_entry(link, struct zkfs_zk_req, link);

		zkfs_list_remove(link);
		assert_int_equal(req - fixture->reqs, *want++);
		assert_int_equal(req->verdict, verdict);
		assert_true(req->active);
	}
	assert_int_equal(*want, -1);
}

static void test_fifo(void **state)
{
	struct fixture *fixture = *state;

	assert_null(zkfs_outbox_first(&fixture->outbox));
	add_all(fixture);
	for (size_t i = 0; i < N_REQS; i++) {
		assert_true(fixture->reqs[i].active);
		assert_int_equal(take(fixture), i);
	}
	assert_null(zkfs_outbox_first(&fixture->outbox));
}

/* Sent in vain: back in front of what was never sent, in the old order, also
 * when a second link breaks in the middle of the repetition. */
static void test_again_keeps_the_order(void **state)
{
	struct fixture *fixture = *state;

	add_all(fixture);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(take(fixture), i);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[1]);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[3]);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[4]);
	assert_int_equal(take(fixture), 1);
	assert_int_equal(take(fixture), 3);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[1]);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[3]);
	assert_int_equal(take(fixture), 1);
	assert_int_equal(take(fixture), 3);
	assert_int_equal(take(fixture), 4);
	assert_int_equal(take(fixture), 5);
}

static void test_again_into_an_empty_queue(void **state)
{
	struct fixture *fixture = *state;

	zkfs_outbox_add(&fixture->outbox, &fixture->reqs[0]);
	assert_int_equal(take(fixture), 0);
	zkfs_outbox_again(&fixture->outbox, &fixture->reqs[0]);
	assert_int_equal(take(fixture), 0);
}

static void test_decide(void **state)
{
	struct fixture *fixture = *state;

	add_all(fixture);
	assert_int_equal(take(fixture), 0);
	zkfs_outbox_decide(&fixture->outbox, &fixture->reqs[2], ZKFS_E_TOOBIG);
	zkfs_outbox_decide(&fixture->outbox, &fixture->reqs[0], ZKFS_E_TOOBIG);
	assert_answers(fixture, (const int[]){2, 0, -1}, ZKFS_E_TOOBIG);
	assert_answers(fixture, (const int[]){-1}, ZKFS_E_OK);
	assert_int_equal(take(fixture), 1);
	assert_int_equal(take(fixture), 3);
}

static void test_deadlines(void **state)
{
	struct fixture *fixture = *state;

	fixture->reqs[1].deadline_ms = 300;
	fixture->reqs[4].deadline_ms = 100;
	fixture->reqs[5].deadline_ms = 101;
	assert_true(fixture->outbox.scan_ms == ZKFS_NEVER);
	add_all(fixture);
	assert_int_equal(fixture->outbox.scan_ms, 100);
	zkfs_outbox_expire(&fixture->outbox, 99);
	assert_answers(fixture, (const int[]){-1}, ZKFS_E_OK);
	zkfs_outbox_expire(&fixture->outbox, 101);
	assert_answers(fixture, (const int[]){4, 5, -1}, ZKFS_E_TIMEDOUT);
	assert_int_equal(fixture->outbox.scan_ms, 300);
	zkfs_outbox_expire(&fixture->outbox, 300);
	assert_answers(fixture, (const int[]){1, -1}, ZKFS_E_TIMEDOUT);
	assert_true(fixture->outbox.scan_ms == ZKFS_NEVER);
	assert_int_equal(take(fixture), 0);
	assert_int_equal(take(fixture), 2);
}

static void test_fail(void **state)
{
	struct fixture *fixture = *state;

	fixture->reqs[3].generation = 1;
	fixture->reqs[6].generation = 1;
	fixture->reqs[1].connection = 1;
	fixture->reqs[5].connection = 1;
	add_all(fixture);
	zkfs_outbox_fail(&fixture->outbox, ZKFS_OUTBOX_OF_SESSION,
			 ZKFS_E_EXPIRED);
	assert_answers(fixture, (const int[]){3, 6, -1}, ZKFS_E_EXPIRED);
	zkfs_outbox_fail(&fixture->outbox, ZKFS_OUTBOX_OF_CONNECTION,
			 ZKFS_E_UNSENT);
	assert_answers(fixture, (const int[]){1, 5, -1}, ZKFS_E_UNSENT);
	zkfs_outbox_fail(&fixture->outbox, ZKFS_OUTBOX_ALL, ZKFS_E_AUTHFAILED);
	assert_answers(fixture, (const int[]){0, 2, 4, 7, -1},
		       ZKFS_E_AUTHFAILED);
	assert_null(zkfs_outbox_first(&fixture->outbox));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fifo, setup),
		cmocka_unit_test_setup(test_again_keeps_the_order, setup),
		cmocka_unit_test_setup(test_again_into_an_empty_queue, setup),
		cmocka_unit_test_setup(test_decide, setup),
		cmocka_unit_test_setup(test_deadlines, setup),
		cmocka_unit_test_setup(test_fail, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
