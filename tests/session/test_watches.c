/*
 * session, watches: what sets them, what fires them and when, what takes them
 * away, and how many there can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/base/util.h"
#include "fs/zk/private.h"

/* Runs a request that carries the watch; returns its error. */
static enum zkfs_error watch(struct client *client, enum zkfs_zk_kind kind,
			     const char *path, struct look *look)
{
	struct ask ask = ask_for(client, kind, path);
	enum zkfs_error error;

	ask.req.watch = &look->watch;
	error = ask_run(&ask);
	ask_fini(&ask);
	return error;
}

static void assert_fired(const struct look *look, enum zkfs_zk_event event)
{
	assert_int_equal(look->n_fired, 1);
	assert_int_equal(look->event, event);
	assert_false(look->watch.live);
}

static void assert_live(const struct look *look)
{
	assert_int_equal(look->n_fired, 0);
	assert_true(look->watch.live);
}

static void test_what_sets_a_watch(void **state)
{
	static const struct {
		enum zkfs_zk_kind kind;
		bool there, live;
	} rows[] = {
		{ZKFS_ZK_EXISTS, true, true},
		{ZKFS_ZK_EXISTS, false, true},
		{ZKFS_ZK_GET, true, true},
		{ZKFS_ZK_GET, false, false},
		{ZKFS_ZK_CHILDREN, true, true},
		{ZKFS_ZK_CHILDREN, false, false},
	};
	struct client *client = *state;

	make(client, "/ws", "", 0);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct look look = look_for(client);
		enum zkfs_error error =
			watch(client, rows[i].kind,
			      rows[i].there ? "/ws" : "/ws/none", &look);

		assert_int_equal(error,
				 rows[i].there ? ZKFS_E_OK : ZKFS_E_NONODE);
		assert_int_equal(look.watch.live, rows[i].live);
		zkfs_zk_unwatch(client->zk, &look.watch);
		assert_false(look.watch.live);
	}
}

/* Live before `done`. */
static void is_live(struct ask *ask)
{
	assert_true(ask->req.watch->live);
}

static void test_live_before_done(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client);
	struct ask ask = ask_for(client, ZKFS_ZK_EXISTS, "/");

	ask.req.watch = &look.watch;
	ask.hook = is_live;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
	zkfs_zk_unwatch(client->zk, &look.watch);
}

static void test_events(void **state)
{
	struct client *client = *state;
	struct look data = look_for(client), child = look_for(client);

	assert_int_equal(watch(client, ZKFS_ZK_EXISTS, "/ev", &data),
			 ZKFS_E_NONODE);
	make(client, "/ev", "", 0);
	assert_fired(&data, ZKFS_ZK_CREATED);

	data = look_for(client);
	(void)watch(client, ZKFS_ZK_GET, "/ev", &data);
	(void)watch(client, ZKFS_ZK_CHILDREN, "/ev", &child);
	make(client, "/ev/a", "", 0);
	assert_live(&data);
	assert_fired(&child, ZKFS_ZK_CHILD);
	set(client, "/ev", "x");
	assert_fired(&data, ZKFS_ZK_CHANGED);

	data = look_for(client);
	child = look_for(client);
	(void)watch(client, ZKFS_ZK_EXISTS, "/ev", &data);
	(void)watch(client, ZKFS_ZK_CHILDREN, "/ev", &child);
	set(client, "/ev/a", "not a change of /ev");
	assert_live(&data);
	assert_live(&child);
	drop(client, "/ev/a");
	assert_live(&data);
	assert_fired(&child, ZKFS_ZK_CHILD);
	child = look_for(client);
	(void)watch(client, ZKFS_ZK_CHILDREN, "/ev", &child);
	drop(client, "/ev");
	assert_fired(&data, ZKFS_ZK_DELETED);
	assert_fired(&child, ZKFS_ZK_DELETED);
}

/* One's own change fires before its reply; and once. */
static void test_own_changes(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client);
	struct ask ask;

	make(client, "/ow", "", 0);
	(void)watch(client, ZKFS_ZK_GET, "/ow", &look);
	ask = ask_set(client, "/ow", "x", 1, ZKFS_ZK_ANY_VERSION);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_fired(&look, ZKFS_ZK_CHANGED);
	assert_true(look.order < ask.order);
	set(client, "/ow", "y");
	assert_int_equal(look.n_fired, 1);
	ask_fini(&ask);
}

/* Somebody else's change, and a read that was sent behind it: the event comes
 * before the reply that shows the change. */
static void test_event_before_the_new_data(void **state)
{
	struct client *client = *state, other;
	struct look look;
	struct ask ask;

	client_connect(&other, server.address, "", FIXTURE_TIMEOUT_MS);
	make(client, "/bd", "0", 0);
	for (int i = 1; i <= 50; i++) {
		char text[16];

		look = look_for(client);
		(void)watch(client, ZKFS_ZK_GET, "/bd", &look);
		(void)snprintf(text, sizeof(text), "%d", i);
		set(&other, "/bd", text);
		ask = ask_for(client, ZKFS_ZK_GET, "/bd");
		assert_int_equal(ask_run(&ask), ZKFS_E_OK);
		assert_string_equal(ask.data, text);
		assert_fired(&look, ZKFS_ZK_CHANGED);
		assert_true(look.order < ask.order);
		ask_fini(&ask);
	}
	client_close(&other, 0);
}

static void test_two_on_a_path(void **state)
{
	struct client *client = *state;
	struct look a = look_for(client), b = look_for(client);
	struct look c = look_for(client);

	make(client, "/tw", "", 0);
	(void)watch(client, ZKFS_ZK_GET, "/tw", &a);
	(void)watch(client, ZKFS_ZK_EXISTS, "/tw", &b);
	(void)watch(client, ZKFS_ZK_GET, "/tw", &c);
	zkfs_zk_unwatch(client->zk, &c.watch);
	set(client, "/tw", "x");
	assert_fired(&a, ZKFS_ZK_CHANGED);
	assert_fired(&b, ZKFS_ZK_CHANGED);
	assert_int_equal(c.n_fired, 0);
}

static void test_unwatch(void **state)
{
	struct client *client = *state;
	struct look *look = malloc(sizeof(*look));
	struct look next = look_for(client);

	make(client, "/un", "", 0);
	*look = look_for(client);
	zkfs_zk_unwatch(client->zk, &look->watch); /* harmless */
	(void)watch(client, ZKFS_ZK_GET, "/un", look);
	zkfs_zk_unwatch(client->zk, &look->watch);
	zkfs_zk_unwatch(client->zk, &look->watch);
	free(look);
	set(client, "/un", "x");
	/* And a path can be watched again. */
	(void)watch(client, ZKFS_ZK_GET, "/un", &next);
	zkfs_zk_unwatch(client->zk, &next.watch);
	(void)watch(client, ZKFS_ZK_GET, "/un", &next);
	set(client, "/un", "y");
	assert_fired(&next, ZKFS_ZK_CHANGED);
}

static void unwatch_the_other(struct look *look)
{
	struct look *other = look->hook_ctx;

	zkfs_zk_unwatch(look->client->zk, &other->watch);
	free(other);
}

static void test_unwatch_in_fired(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client), *other = malloc(sizeof(*other));

	make(client, "/uf", "", 0);
	*other = look_for(client);
	look.hook = unwatch_the_other;
	look.hook_ctx = other;
	(void)watch(client, ZKFS_ZK_GET, "/uf", &look);
	(void)watch(client, ZKFS_ZK_GET, "/uf", other);
	set(client, "/uf", "x");
	assert_fired(&look, ZKFS_ZK_CHANGED);
}

static void cancel_in_fired(struct look *look)
{
	struct ask *ask = look->hook_ctx;

	zkfs_zk_cancel(look->client->zk, &ask->req);
	free(ask);
}

static void test_cancel_in_fired(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client);
	struct ask *ask = malloc(sizeof(*ask)), change;

	make(client, "/cf", "", 0);
	(void)watch(client, ZKFS_ZK_GET, "/cf", &look);
	look.hook = cancel_in_fired;
	look.hook_ctx = ask;
	/* The event comes first, then this reply, then that. */
	change = ask_set(client, "/cf", "x", 1, 0);
	*ask = ask_for(client, ZKFS_ZK_GET, "/cf");
	ask_submit(&change);
	ask_submit(ask);
	ask_wait(&change);
	assert_fired(&look, ZKFS_ZK_CHANGED);
	client_barrier(client);
	ask_fini(&change);
}

static void watch_again(struct look *look)
{
	struct ask *ask = look->hook_ctx;

	ask->req.watch = &look->watch;
	ask_submit(ask);
}

/* The usual loop of a watcher: read again from inside the callback. Nothing is
 * missed, and the last data is seen. */
static void test_rearm_in_fired(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client);
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/rf");

	make(client, "/rf", "", 0);
	look.hook = watch_again;
	look.hook_ctx = &ask;
	watch_again(&look);
	ask_wait(&ask);
	assert_int_equal(ask.error, ZKFS_E_OK);
	for (int i = 0; i < 100; i++)
		set(client, "/rf", "x");
	client_barrier(client);
	assert_true(look.n_fired >= 1);
	assert_int_equal(ask.n_done, look.n_fired + 1);
	assert_int_equal(ask.stat.version, 100);
	assert_true(look.watch.live);
	zkfs_zk_unwatch(client->zk, &look.watch);
	ask_fini(&ask);
}

/*
 * Many.
 */

struct many {
	struct client *client;
	size_t n;
	char (*paths)[48];
	struct ask *asks;
	struct look *looks;
};

static void many_make(struct many *many, struct client *client, const char *dir,
		      size_t n)
{
	struct zkfs_zk_op *ops = calloc(n, sizeof(*ops));
	struct ask ask;

	*many = (struct many){.client = client, .n = n};
	many->paths = calloc(n, sizeof(*many->paths));
	many->asks = calloc(n, sizeof(*many->asks));
	many->looks = calloc(n, sizeof(*many->looks));
	make(client, dir, "", 0);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(many->paths[i], sizeof(many->paths[i]),
			       "%s/%0*zu", dir, (int)(43 - strlen(dir)), i);
		ops[i].kind = ZKFS_ZK_OP_CREATE;
		ops[i].path = many->paths[i];
	}
	for (size_t i = 0; i < n; i += 10000) {
		ask = ask_multi(client, ops + i, n - i < 10000 ? n - i : 10000);
		assert_int_equal(ask_run(&ask), ZKFS_E_OK);
		ask_fini(&ask);
	}
	free(ops);
}

static void many_watch(struct many *many)
{
	for (size_t i = 0; i < many->n; i++) {
		many->looks[i] = look_for(many->client);
		many->asks[i] =
			ask_for(many->client, ZKFS_ZK_EXISTS, many->paths[i]);
		many->asks[i].req.watch = &many->looks[i].watch;
		ask_submit(&many->asks[i]);
	}
	ask_wait_all(many->asks, many->n, SOON_MS);
	for (size_t i = 0; i < many->n; i++) {
		assert_int_equal(many->asks[i].error, ZKFS_E_OK);
		ask_fini(&many->asks[i]);
	}
}

static size_t many_live(const struct many *many)
{
	size_t n = 0;

	for (size_t i = 0; i < many->n; i++)
		n += many->looks[i].watch.live;
	return n;
}

static size_t many_fired(const struct many *many, enum zkfs_zk_event event)
{
	size_t n = 0;

	for (size_t i = 0; i < many->n; i++)
		n += many->looks[i].n_fired == 1 &&
		     many->looks[i].event == event;
	return n;
}

static void many_unwatch(struct many *many)
{
	for (size_t i = 0; i < many->n; i++)
		zkfs_zk_unwatch(many->client->zk, &many->looks[i].watch);
}

static void many_fini(struct many *many)
{
	many_unwatch(many);
	free(many->paths);
	free(many->asks);
	free(many->looks);
}

/* Breaks the connection, and waits until it is made again. */
static void reconnect(struct client *client)
{
	unsigned n = client->n_losses;

	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_losses == n)
		client_turn(client, SOON_MS);
	client_wait_connected(client, SOON_MS);
}

/* 30,000 watches of 48 bytes are 1.4 MB of SetWatches, which a server refuses
 * for ever: what is over the budget is not watched, what is lost is told, and
 * the session comes back at the first attempt. */
static void test_budget(void **state)
{
	struct client *client = *state;
	struct many many;
	size_t limit = ZKFS_WATCH_BUDGET / (44 + 4);

	many_make(&many, client, "/bu", 30000);
	many_watch(&many);
	assert_int_equal(many_live(&many), limit);
	assert_int_equal(server_watches(&server), limit);
	reconnect(client);
	client_barrier(client);
	assert_int_equal(server_watches(&server), 0);
	assert_int_equal(many_live(&many), 0);
	assert_int_equal(many_fired(&many, ZKFS_ZK_UNWATCHED), limit);
	for (int i = 0; i < 10; i++)
		client_barrier(client);
	assert_int_equal(client->n_losses, 1);
	assert_int_equal(client->n_connects, 2);
	/* The library has forgotten them too: nothing fires twice. */
	set(client, many.paths[0], "x");
	assert_int_equal(many.looks[0].n_fired, 1);
	many_watch(&many);
	assert_int_equal(many_live(&many), limit);
	many_fini(&many);
}

/* Watches that nobody wants any more give their place to new ones, and are
 * removed from the server. */
static void test_idle_make_room(void **state)
{
	struct client *client = *state;
	struct many first, second;

	many_make(&first, client, "/im", 18000);
	many_make(&second, client, "/in", 18000);
	many_watch(&first);
	assert_int_equal(many_live(&first), 18000);
	many_unwatch(&first);
	many_watch(&second);
	assert_true(many_live(&second) > 17000);
	many_unwatch(&second);
	while (client->zk->watches.n_idle > ZKFS_WATCH_IDLE_MAX)
		client_barrier(client);
	client_barrier(client);
	assert_int_equal(server_watches(&server), ZKFS_WATCH_IDLE_MAX);
	set(client, first.paths[17999], "x");
	set(client, second.paths[0], "x");
	assert_int_equal(many_fired(&first, ZKFS_ZK_CHANGED), 0);
	many_fini(&first);
	many_fini(&second);
}

/* The server keeps watches by connection: none is left there after one is
 * lost, so a change made afterwards fires nothing that was not set again. */
static void test_set_again_after_a_loss(void **state)
{
	struct client *client = *state;
	struct look data = look_for(client), child = look_for(client);

	make(client, "/sa", "", 0);
	(void)watch(client, ZKFS_ZK_GET, "/sa", &data);
	(void)watch(client, ZKFS_ZK_CHILDREN, "/sa", &child);
	assert_int_equal(server_watches(&server), 1); /* counts no children's */
	reconnect(client);
	assert_fired(&data, ZKFS_ZK_UNWATCHED);
	assert_fired(&child, ZKFS_ZK_UNWATCHED);
	client_barrier(client);
	assert_int_equal(server_watches(&server), 0);
	set(client, "/sa", "x");
	assert_int_equal(data.n_fired, 1);
	data = look_for(client);
	child = look_for(client);
	(void)watch(client, ZKFS_ZK_GET, "/sa", &data);
	(void)watch(client, ZKFS_ZK_CHILDREN, "/sa", &child);
	drop(client, "/sa");
	assert_fired(&data, ZKFS_ZK_DELETED);
	assert_fired(&child, ZKFS_ZK_DELETED);
}

/* A close takes the watches too, without a call. */
static void test_close(void **state)
{
	struct client *client = *state, other;
	struct look look;

	client_connect(&other, server.address, "", FIXTURE_TIMEOUT_MS);
	look = look_for(&other);
	make(client, "/cl", "", 0);
	(void)watch(&other, ZKFS_ZK_GET, "/cl", &look);
	client_close(&other, 0);
	assert_false(look.watch.live);
	assert_int_equal(look.n_fired, 0);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_sets_a_watch),
		TEST(test_live_before_done),
		TEST(test_events),
		TEST(test_own_changes),
		TEST(test_event_before_the_new_data),
		TEST(test_two_on_a_path),
		TEST(test_unwatch),
		TEST(test_unwatch_in_fired),
		TEST(test_cancel_in_fired),
		TEST(test_rearm_in_fired),
		TEST(test_budget),
		TEST(test_idle_make_room),
		TEST(test_set_again_after_a_loss),
		TEST(test_close),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
