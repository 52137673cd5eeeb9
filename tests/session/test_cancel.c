/*
 * session, cancelling: at each stage of a request, from inside callbacks, and
 * by the close of the session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/base/util.h"

/* Its memory is the caller's at once: here it is freed. */
static void test_cancel_queued(void **state)
{
	struct client *client = *state;
	struct ask *ask = malloc(sizeof(*ask));

	make(client, "/cq", "", 0);
	*ask = ask_set(client, "/cq", "x", 1, ZKFS_ZK_ANY_VERSION);
	zkfs_zk_cancel(client->zk, &ask->req); /* not under way: harmless */
	ask_submit(ask);
	zkfs_zk_cancel(client->zk, &ask->req);
	zkfs_zk_cancel(client->zk, &ask->req);
	free(ask);
	client_barrier(client);
	assert_int_equal(check_data(client, "/cq", ""), 0);
}

static void test_cancel_sent(void **state)
{
	struct client *client = *state;
	struct zkfs_zk_op *ops = calloc(2, sizeof(*ops));
	struct ask *multi = malloc(sizeof(*multi));
	struct ask *get = malloc(sizeof(*get));
	struct look *look = malloc(sizeof(*look));

	make(client, "/cs", "", 0);
	ops[0] = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_SET,
				     .path = "/cs",
				     .data = "x",
				     .len = 1,
				     .version = -1};
	ops[1] = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
				     .path = "/cs/"
					     "created"};
	*multi = ask_multi(client, ops, 2);
	*get = ask_for(client, ZKFS_ZK_GET, "/cs");
	*look = look_for(client);
	get->req.watch = &look->watch;
	server_stop(&server);
	ask_submit(multi);
	ask_submit(get);
	client_turn(client, 0);
	zkfs_zk_cancel(client->zk, &multi->req);
	zkfs_zk_cancel(client->zk, &get->req);
	free(ops);
	free(multi);
	free(get);
	free(look);
	server_continue(&server);
	/* It was sent, and is done; its watch has nobody to call. */
	assert_int_equal(check_data(client, "/cs", "x"), 1);
	assert_true(exists(client, "/cs/created"));
	set(client, "/cs", "y");
}

static void test_cancel_decided(void **state)
{
	struct client *client = *state;
	struct ask *ask = malloc(sizeof(*ask));

	*ask = ask_for(client, ZKFS_ZK_GET, "not a path");
	ask_submit(ask);
	zkfs_zk_cancel(client->zk, &ask->req);
	free(ask);
	client_barrier(client);
}

static void cancel_the_other(struct ask *ask)
{
	struct ask *other = ask->hook_ctx;

	zkfs_zk_cancel(ask->client->zk, &other->req);
	ask_fini(other);
	free(other);
}

/* One that is sent, one that is queued, one that is decided. */
static void test_cancel_in_done(void **state)
{
	struct client *client = *state;
	struct ask *others[3], asks[3];

	for (int i = 0; i < 3; i++) {
		asks[i] = ask_for(client, ZKFS_ZK_EXISTS, i < 2 ? "/" : "x");
		others[i] = malloc(sizeof(struct ask));
		*others[i] = ask_for(client, ZKFS_ZK_GET, i < 2 ? "/" : "y");
		asks[i].hook = cancel_the_other;
		asks[i].hook_ctx = others[i];
	}
	ask_submit(&asks[0]);
	ask_submit(others[0]);
	ask_submit(&asks[1]);
	ask_submit(&asks[2]);
	ask_submit(others[2]);
	client_turn(client, 0);
	ask_submit(others[1]); /* is not sent before the reply to asks[1] */
	ask_wait_all(asks, 3, SOON_MS);
	for (int i = 0; i < 3; i++)
		ask_fini(&asks[i]);
	client_barrier(client);
}

static void submit_again(struct ask *ask)
{
	if (ask->n_done < 100)
		ask_submit(ask);
}

static void free_myself(struct ask *ask)
{
	unsigned *n = ask->hook_ctx;

	(*n)++;
	ask_fini(ask);
	free(ask);
}

static void test_done_may_submit_and_free(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_EXISTS, "/");
	struct ask *own = malloc(sizeof(*own));
	unsigned n = 0;

	ask.hook = submit_again;
	ask_submit(&ask);
	*own = ask_for(client, ZKFS_ZK_GET, "/");
	own->hook = free_myself;
	own->hook_ctx = &n;
	ask_submit(own);
	ask_wait(&ask);
	assert_int_equal(ask.n_done, 100);
	assert_int_equal(n, 1);
	ask_fini(&ask);
}

static void test_bound_to_no_such_session(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/");

	ask.req.generation = 1;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask.req.generation = 2;
	assert_int_equal(ask_run(&ask), ZKFS_E_EXPIRED);
	ask_fini(&ask);
}

/* A close that drains sends what was queued, and the ephemerals go at once,
 * not when the session would time out. */
static void test_close_drains(void **state)
{
	struct client *client = *state, other;
	struct ask asks[600], get;

	make(client, "/cd", "", 0);
	client_connect(&other, server.address, "", FIXTURE_TIMEOUT_MS);
	make(&other, "/cd/eph", "", ZKFS_ZK_EPHEMERAL);
	for (int i = 0; i < 600; i++) {
		asks[i] = ask_set(&other, "/cd", "z", 1, i);
		ask_submit(&asks[i]);
	}
	get = ask_for(&other, ZKFS_ZK_GET, "/cd");
	ask_submit(&get);
	client_close(&other, 5000);
	for (int i = 0; i < 600; i++)
		assert_int_equal(asks[i].n_done, 0);
	assert_int_equal(get.n_done, 0);
	assert_int_equal(check_data(client, "/cd", "z"), 600);
	assert_false(exists(client, "/cd/eph"));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_still_connected)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cancel_queued),
		TEST(test_cancel_sent),
		TEST(test_cancel_decided),
		TEST(test_cancel_in_done),
		TEST(test_done_may_submit_and_free),
		TEST(test_bound_to_no_such_session),
		TEST(test_close_drains),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
