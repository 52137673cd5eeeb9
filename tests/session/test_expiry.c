/*
 * session, its end: by expiry, and by credentials that the server refuses. What
 * was bound to it is told so; the rest goes on in the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/base/util.h"
#include "fs/zk/auth.h"
#include "fs/zk/private.h"

/*
 * Expiry.
 */

static bool is_second_session(void *ctx)
{
	const struct client *client = ctx;

	return zkfs_zk_connected(client->zk) &&
	       zkfs_zk_generation(client->zk) == 2;
}

static void test_expiry(void **state)
{
	struct client *client = *state;
	int64_t id = zkfs_zk_session_id(client->zk);
	struct look look = look_for(client);
	struct ask get = ask_for(client, ZKFS_ZK_GET, "/xp");

	make(client, "/xp", "data", 0);
	make(client, "/xp/eph", "", ZKFS_ZK_EPHEMERAL);
	get.req.watch = &look.watch;
	assert_int_equal(ask_run(&get), ZKFS_E_OK);
	ask_fini(&get);
	fixture_expire(client);
	client_wait(client, is_second_session, client, SOON_MS);
	assert_int_equal(look.n_fired, 1);
	assert_int_equal(look.event, ZKFS_ZK_UNWATCHED);
	assert_true(zkfs_zk_session_id(client->zk) != id);
	assert_int_equal(client->n_connects, 2);
	assert_int_equal(client->n_losses, 1);
	assert_false(exists(client, "/xp/eph"));
	assert_int_equal(check_data(client, "/xp", "data"), 0);
	/* What is bound to the old one is told so; to the new one, done. */
	get.req.watch = NULL;
	get.req.generation = 1;
	assert_int_equal(ask_run(&get), ZKFS_E_EXPIRED);
	get.req.generation = 2;
	assert_int_equal(ask_run(&get), ZKFS_E_OK);
	ask_fini(&get);
}

/* In flight, and queued, when the session ends. */
static void test_requests_across_expiry(void **state)
{
	enum {
		READ,
		CHANGE,
		_N_KINDS
	};
	struct client *client = *state;
	/* [bound or not][kind] */
	struct ask sent[2][_N_KINDS], queued[2][_N_KINDS];

	make(client, "/rx", "", 0);
	server_stop(&server);
	for (unsigned bound = 0; bound < 2; bound++) {
		sent[bound][READ] = ask_for(client, ZKFS_ZK_GET, "/rx");
		sent[bound][CHANGE] =
			ask_set(client, "/rx", "sent", 4, ZKFS_ZK_ANY_VERSION);
		queued[bound][READ] = ask_for(client, ZKFS_ZK_GET, "/rx");
		queued[bound][CHANGE] = ask_set(client, "/rx", "queued", 6,
						ZKFS_ZK_ANY_VERSION);
		for (int kind = 0; kind < _N_KINDS; kind++) {
			sent[bound][kind].req.generation = bound;
			queued[bound][kind].req.generation = bound;
			ask_submit(&sent[bound][kind]);
		}
	}
	client_turn(client, 0);
	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_losses == 0)
		client_turn(client, SOON_MS);
	for (unsigned bound = 0; bound < 2; bound++)
		for (int kind = 0; kind < _N_KINDS; kind++)
			ask_submit(&queued[bound][kind]);
	server_continue(&server);
	fixture_expire(client);
	client_wait(client, is_second_session, client, SOON_MS);
	for (unsigned bound = 0; bound < 2; bound++) {
		enum zkfs_error want = bound ? ZKFS_E_EXPIRED : ZKFS_E_OK;

		ask_wait_all(sent[bound], _N_KINDS, SOON_MS);
		ask_wait_all(queued[bound], _N_KINDS, SOON_MS);
		assert_int_equal(sent[bound][READ].error, want);
		assert_int_equal(sent[bound][CHANGE].error, ZKFS_E_LOST);
		assert_int_equal(queued[bound][READ].error, want);
		assert_int_equal(queued[bound][CHANGE].error, want);
		for (int kind = 0; kind < _N_KINDS; kind++) {
			ask_fini(&sent[bound][kind]);
			ask_fini(&queued[bound][kind]);
		}
	}
	(void)check_data(client, "/rx", "queued");
}

static void unlisten_myself(struct zkfs_zk_listener *listener);

struct once {
	struct zkfs_zk_listener listener;
	struct client *client;
	struct once *other;
	unsigned n;
};

static void unlisten_myself(struct zkfs_zk_listener *listener)
{
	struct once *once = zkfs_container_of(listener, struct once, listener);

	once->n++;
	zkfs_zk_unlisten(once->client->zk, listener);
	if (once->other)
		zkfs_zk_unlisten(once->client->zk, &once->other->listener);
}

static void test_listeners_may_leave(void **state)
{
	struct client *client = *state;
	struct once second = {.listener.changed = unlisten_myself,
			      .client = client};
	struct once first = {.listener.changed = unlisten_myself,
			     .client = client,
			     .other = &second};

	zkfs_zk_listen(client->zk, &first.listener);
	zkfs_zk_listen(client->zk, &second.listener);
	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_connects < 2)
		client_turn(client, SOON_MS);
	assert_int_equal(first.n, 1);
	assert_int_equal(second.n, 0);
	client_check_session(client, 2);
}

/*
 * Credentials.
 */

static void test_good_credentials(void **state)
{
	struct zkfs_auth_entry entries[] = {
		{(char *)(uintptr_t) "digest", (char *)(uintptr_t) "a:b", 3},
		{(char *)(uintptr_t) "digest", (char *)(uintptr_t) "c:d", 3},
	};
	struct zkfs_auth auth = {.entries = entries, .n_entries = 2};
	struct client client;

	(void)state;
	client_open_auth(&client, server.address, FIXTURE_TIMEOUT_MS, &auth);
	client_wait_connected(&client, SOON_MS);
	client_barrier(&client);
	assert_int_equal(shutdown(client_fd(&client), SHUT_RDWR), 0);
	while (client.n_connects < 2)
		client_turn(&client, SOON_MS);
	client_barrier(&client);
	client_check_session(&client, 2);
	client_close(&client, 1000);
}

static bool is_refused(void *ctx)
{
	const struct client *client = ctx;

	return strcmp(zkfs_session_state(client->zk), "refused") == 0;
}

static void test_refused_credentials(void **state)
{
	struct zkfs_auth_entry entry = {(char *)(uintptr_t) "no-such-scheme",
					(char *)(uintptr_t) "x", 1};
	struct zkfs_auth auth = {.entries = &entry, .n_entries = 1};
	struct client client;
	struct ask asks[3];

	(void)state;
	client_open_auth(&client, server.address, FIXTURE_TIMEOUT_MS, &auth);
	asks[0] = ask_for(&client, ZKFS_ZK_GET, "/");
	asks[1] = ask_set(&client, "/refused", "x", 1, ZKFS_ZK_ANY_VERSION);
	asks[2] = ask_for(&client, ZKFS_ZK_SYNC, "/");
	ask_submit(&asks[0]);
	ask_submit(&asks[1]);
	client_wait(&client, is_refused, &client, SOON_MS);
	ask_submit(&asks[2]);
	ask_wait_all(asks, 3, SOON_MS);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(asks[i].error, ZKFS_E_AUTHFAILED);
		ask_fini(&asks[i]);
	}
	assert_false(zkfs_zk_connected(client.zk));
	client_close(&client, 1000);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expiry),
		TEST(test_requests_across_expiry),
		TEST(test_listeners_may_leave),
		cmocka_unit_test(test_good_credentials),
		cmocka_unit_test(test_refused_credentials),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
