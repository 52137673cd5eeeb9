/*
 * session, faults: servers that stop, die and come back, and sends that fail
 * half way. What is asked each time: is every request answered exactly once,
 * and is the answer true?
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/base/util.h"
#include "fs/zk/private.h"

/*
 * Deadlines.
 */

/* The server stands still. What was sent and changes something may happen yet;
 * a read does not matter; what is still queued certainly did not happen. */
static void test_deadlines(void **state)
{
	enum {
		N = ZKFS_CALLS_MAX + 50
	};
	struct client *client = *state;
	struct ask sets[N], get;
	int64_t start;

	make(client, "/dl", "", 0);
	server_stop(&server);
	start = zkfs_clock_ms();
	get = ask_for(client, ZKFS_ZK_GET, "/dl");
	get.req.deadline_ms = start + 100;
	ask_submit(&get);
	for (int i = 0; i < N; i++) {
		sets[i] = ask_set(client, "/dl", "x", 1, ZKFS_ZK_ANY_VERSION);
		sets[i].req.deadline_ms = start + 200;
		ask_submit(&sets[i]);
	}
	ask_wait(&get);
	assert_int_equal(get.error, ZKFS_E_TIMEDOUT);
	assert_true(zkfs_clock_ms() >= start + 100);
	assert_int_equal(sets[0].n_done, 0);
	ask_wait_all(sets, N, SOON_MS);
	assert_true(zkfs_clock_ms() >= start + 200);
	for (int i = 0; i < N; i++) /* the get has one of the places */
		assert_int_equal(sets[i].error, i < ZKFS_CALLS_MAX - 1
							? ZKFS_E_LOST
							: ZKFS_E_TIMEDOUT);
	server_continue(&server);
	/* And so it was: each that was sent was executed, none else. */
	assert_int_equal(check_data(client, "/dl", "x"), ZKFS_CALLS_MAX - 1);
	client_check_session(client, 1);
	for (int i = 0; i < N; i++)
		ask_fini(&sets[i]);
	ask_fini(&get);
}

static void test_deadline_of_a_multi(void **state)
{
	struct client *client = *state;
	struct zkfs_zk_op ops[] = {
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/dm"},
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/dm/a"},
	};
	struct ask ask = ask_multi(client, ops, 2);

	server_stop(&server);
	ask.req.deadline_ms = zkfs_clock_ms() + 50;
	assert_int_equal(ask_run(&ask), ZKFS_E_LOST);
	assert_int_equal(ops[0].error, ZKFS_E_LOST);
	assert_int_equal(ops[1].error, ZKFS_E_LOST);
	server_continue(&server);
	assert_true(exists(client, "/dm/a"));
	ask_fini(&ask);
}

/* Nobody there at all, and never was. */
static void test_deadline_without_a_server(void **state)
{
	struct client client;
	struct ask asks[2];
	char address[32];
	unsigned port;
	int fd = tcp_socket(0, &port);

	(void)state;
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	client_open(&client, address, "", FIXTURE_TIMEOUT_MS);
	assert_string_equal(zkfs_session_state(client.zk), "connecting");
	assert_int_equal(zkfs_zk_generation(client.zk), 0);
	assert_int_equal(zkfs_zk_timeout_ms(client.zk), FIXTURE_TIMEOUT_MS);
	asks[0] = ask_for(&client, ZKFS_ZK_GET, "/");
	asks[1] = ask_set(&client, "/", "x", 1, ZKFS_ZK_ANY_VERSION);
	for (int i = 0; i < 2; i++) {
		asks[i].req.deadline_ms = zkfs_clock_ms() + 150;
		ask_submit(&asks[i]);
	}
	ask_wait_all(asks, 2, SOON_MS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(asks[i].error, ZKFS_E_TIMEDOUT);
		ask_fini(&asks[i]);
	}
	client_close(&client, 1000);
	close(fd);
}

/* One that is over already is told from the loop, like any other. */
static void test_deadline_in_the_past(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/");

	ask.req.deadline_ms = 1;
	assert_int_equal(ask_run(&ask), ZKFS_E_TIMEDOUT);
	ask_fini(&ask);
}

/*
 * Servers that die.
 */

static void test_restart(void **state)
{
	struct client *client = *state;
	int64_t id = zkfs_zk_session_id(client->zk);
	struct look look = look_for(client);
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/rs");

	make(client, "/rs", "data", 0);
	make(client, "/rs/eph", "", ZKFS_ZK_EPHEMERAL);
	ask.req.watch = &look.watch;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_true(look.watch.live);
	ask_fini(&ask);

	server_kill(&server);
	while (client->n_losses == 0)
		client_turn(client, SOON_MS);
	assert_string_equal(zkfs_session_state(client->zk), "reconnecting");
	assert_int_equal(look.n_fired, 1);
	assert_int_equal(look.event, ZKFS_ZK_UNWATCHED);
	/* While there is nobody, both wait. */
	ask = ask_for(client, ZKFS_ZK_GET, "/rs");
	ask_submit(&ask);
	server_start(&server, 0);
	ask_wait(&ask);
	assert_int_equal(ask.error, ZKFS_E_OK);
	assert_string_equal(ask.data, "data");
	client_check_session(client, 2);
	assert_int_equal(zkfs_zk_session_id(client->zk), id);
	assert_true(exists(client, "/rs/eph"));
	ask_fini(&ask);
}

/* In flight when the server dies: reads are sent again and answered, in order;
 * changes are LOST, whether they happened or not; what was queued behind them
 * is done. */
static void test_kill_with_requests_in_flight(void **state)
{
	enum {
		N = 100
	};
	struct client *client = *state;
	struct ask sets[N], gets[N], queued;
	int32_t version;

	make(client, "/kf", "0", 0);
	server_stop(&server);
	for (int i = 0; i < N; i++) {
		gets[i] = ask_for(client, ZKFS_ZK_GET, "/kf");
		sets[i] = ask_set(client, "/kf", "1", 1, ZKFS_ZK_ANY_VERSION);
		ask_submit(&gets[i]);
		ask_submit(&sets[i]);
	}
	client_turn(client, 0); /* sends them */
	assert_int_equal(client->zk->n_calls, 2 * N);
	server_kill(&server);
	server_start(&server, 0);
	queued = ask_set(client, "/kf", "2", 1, ZKFS_ZK_ANY_VERSION);
	ask_submit(&queued);
	ask_wait(&queued);
	assert_int_equal(queued.error, ZKFS_E_OK);
	version = queued.stat.version;
	assert_true(version >= 1 && version <= N + 1);
	for (int i = 0; i < N; i++) {
		assert_int_equal(sets[i].n_done, 1);
		assert_int_equal(sets[i].error, ZKFS_E_LOST);
		assert_int_equal(gets[i].n_done, 1);
		assert_int_equal(gets[i].error, ZKFS_E_OK);
		if (i > 0)
			assert_int_equal(gets[i].order, gets[i - 1].order + 1);
		/* They were sent again before what was queued behind. */
		assert_int_equal(gets[i].stat.version, version - 1);
		ask_fini(&sets[i]);
		ask_fini(&gets[i]);
	}
	ask_fini(&queued);
	client_check_session(client, 2);
	assert_int_equal(check_data(client, "/kf", "2"), version);
}

static void test_cancel_of_what_is_to_be_sent_again(void **state)
{
	struct client *client = *state;
	struct ask *asks[2], get = ask_for(client, ZKFS_ZK_GET, "/");

	server_stop(&server);
	for (int i = 0; i < 2; i++) {
		asks[i] = malloc(sizeof(struct ask));
		*asks[i] = ask_for(client, ZKFS_ZK_GET, "/");
		ask_submit(asks[i]);
	}
	client_turn(client, 0);
	zkfs_zk_cancel(client->zk, &asks[0]->req); /* sent */
	free(asks[0]);
	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_losses == 0)
		client_turn(client, SOON_MS);
	zkfs_zk_cancel(client->zk, &asks[1]->req); /* queued again */
	free(asks[1]);
	server_continue(&server);
	assert_int_equal(ask_run(&get), ZKFS_E_OK);
	ask_fini(&get);
	client_check_session(client, 2);
}

/* A server that goes silent is left after two thirds of the timeout, and the
 * session is kept. */
static void test_silent_server(void **state)
{
	struct client client;
	struct ask get;
	int64_t start;

	(void)state;
	client_connect(&client, server.address, "", 1500);
	server_stop(&server);
	get = ask_for(&client, ZKFS_ZK_GET, "/");
	ask_submit(&get);
	start = zkfs_clock_ms();
	while (client.n_losses == 0)
		client_turn(&client, SOON_MS);
	assert_in_range(zkfs_clock_ms() - start, 900, 3000);
	server_continue(&server);
	ask_wait(&get);
	assert_int_equal(get.error, ZKFS_E_OK);
	ask_fini(&get);
	client_close(&client, 1000);
}

/* The first attempt after a loss is made at once, also where there is no other
 * server; of those that follow the library sees to it that they do not. */
static void test_prompt_attempt(void **state)
{
	struct client *client = *state;

	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
		while (client->n_losses < i)
			client_turn(client, SOON_MS);
		assert_true(client_fd(client) >= 0);
		client_wait_connected(client, SOON_MS);
		client_barrier(client);
	}
	server_kill(&server);
	while (client->n_losses < 4)
		client_turn(client, SOON_MS);
	while (client_fd(client) >= 0)
		client_turn(client, SOON_MS);
	client_dispatch(client, 0);
	assert_true(client_fd(client) < 0);
	server_start(&server, 0);
	client_wait_connected(client, SOON_MS);
	client_check_session(client, 5);
}

/* What is bound to a connection is not sent by the next: what was queued
 * behind others comes back, and so does what is submitted while there is none.
 * The rest waits for it. */
static void test_bound(void **state)
{
	enum {
		N = ZKFS_CALLS_MAX
	};
	struct client *client = *state;
	struct ask sets[N], bound[3], free_one;

	make(client, "/bd", "", 0);
	make(client, "/bd/x", "", 0);
	server_stop(&server);
	for (int i = 0; i < N; i++) {
		sets[i] = ask_set(client, "/bd", "x", 1, ZKFS_ZK_ANY_VERSION);
		ask_submit(&sets[i]);
	}
	for (int i = 0; i < 3; i++) {
		bound[i] = ask_set(client, "/bd/x", "x", 1, i);
		bound[i].req.connection = 1;
	}
	assert_int_equal(zkfs_zk_connection(client->zk), 1);
	ask_submit(&bound[0]);
	free_one = ask_set(client, "/bd/x", "free", 4, 0);
	ask_submit(&free_one);
	client_turn(client, 0);
	assert_int_equal(client->zk->n_calls, N);
	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_losses < 1)
		client_turn(client, SOON_MS);
	assert_int_equal(zkfs_zk_connection(client->zk), 2);
	ask_submit(&bound[1]);
	bound[2].req.connection = 2;
	bound[2].req.version = 1;
	ask_submit(&bound[2]);
	ask_wait_all(bound, 2, SOON_MS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(bound[i].error, ZKFS_E_UNSENT);
	assert_int_equal(free_one.n_done, 0);
	server_continue(&server);
	ask_wait_all(sets, N, SOON_MS);
	ask_wait(&free_one);
	assert_int_equal(free_one.error, ZKFS_E_OK);
	/* What is bound to the next connection has waited for it. */
	ask_wait(&bound[2]);
	assert_int_equal(bound[2].error, ZKFS_E_OK);
	assert_int_equal(check_data(client, "/bd/x", "x"), 2);
	client_check_session(client, 2);
	for (int i = 0; i < N; i++)
		ask_fini(&sets[i]);
	for (int i = 0; i < 3; i++)
		ask_fini(&bound[i]);
	ask_fini(&free_one);
}

/*
 * Sends that fail.
 */

/* The socket is closed for sending behind the library's back, so that what goes
 * out next does not. Everything must come out as after any other loss, at the
 * first reconnect, and the replies must be those of their requests. */
static void test_failed_send(void **state)
{
	enum {
		N = 20
	};
	struct client *client = *state;
	struct ask sets[N], gets[N];
	char path[N][16], text[N][16];

	make(client, "/fs", "", 0);
	for (int i = 0; i < N; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "/fs/%d", i);
		make(client, path[i], path[i], 0);
	}
	server_stop(&server);
	for (int i = 0; i < N; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "new %d", i);
		gets[i] = ask_for(client, ZKFS_ZK_GET, path[i]);
		sets[i] = ask_set(client, path[i], text[i], strlen(text[i]), 0);
	}
	for (int i = 0; i < N / 2; i++) {
		ask_submit(&gets[i]);
		ask_submit(&sets[i]);
	}
	client_turn(client, 0);
	assert_int_equal(shutdown(client_fd(client), SHUT_WR), 0);
	for (int i = N / 2; i < N; i++) {
		ask_submit(&gets[i]);
		ask_submit(&sets[i]);
	}
	client_dispatch(client, 0); /* sends, with no look before */
	assert_int_equal(client->n_losses, 1);
	assert_false(zkfs_zk_connected(client->zk));
	assert_int_equal(client->zk->n_calls, 0); /* cleaned up at once */
	server_continue(&server);
	ask_wait_all(gets, N, SOON_MS);
	ask_wait_all(sets, N, SOON_MS);
	for (int i = 0; i < N; i++) {
		bool sent = i < N / 2;

		assert_int_equal(sets[i].error, ZKFS_E_LOST);
		assert_int_equal(gets[i].error, ZKFS_E_OK);
		assert_true(strcmp(gets[i].data, path[i]) == 0 ||
			    (sent && strcmp(gets[i].data, text[i]) == 0));
		ask_fini(&sets[i]);
		ask_fini(&gets[i]);
	}
	client_check_session(client, 2);
}

/* The same inside zoo_a*(), as it is for what is too long to be gathered, which
 * the library answers by closing the socket and nothing else; and in the middle
 * of a packet: a megabyte is stuck in it when the link breaks. Its rest must
 * not be sent over the next connection, where it would be read as requests: the
 * server would close that one too, or do what the data says. */
static void half_a_packet(struct client *client, const char *path, bool pushed)
{
	enum {
		N = 12
	};
	size_t len = zkfs_zk_data_max(client->zk, path);
	char *data = malloc(len);
	struct ask sets[N], last;
	int n_ok = 0;

	assert_non_null(data);
	memset(data, 0x7f, len);
	make(client, path, "", 0);
	server_stop(&server);
	for (int i = 0; i < N; i++) {
		sets[i] = ask_set(client, path, data, len, ZKFS_ZK_ANY_VERSION);
		ask_submit(&sets[i]);
	}
	client_turn(client, 0);
	assert_true(client->zk->n_calls == N);
	assert_int_equal(shutdown(client_fd(client), SHUT_WR), 0);
	last = ask_set(client, path, "end", 3, ZKFS_ZK_ANY_VERSION);
	ask_submit(&last);
	if (pushed)
		zkfs_zk_push(client->zk);
	/* Of the socket that is closed by then poll(2) had told this. */
	client_dispatch(client, pushed ? POLLIN | POLLHUP : 0);
	assert_int_equal(client->zk->n_calls, 0);
	server_continue(&server);
	ask_wait(&last);
	for (int i = 0; i < N; i++) {
		assert_int_equal(sets[i].n_done, 1);
		n_ok += sets[i].error == ZKFS_E_OK;
		if (sets[i].error != ZKFS_E_OK)
			assert_int_equal(sets[i].error, ZKFS_E_LOST);
		ask_fini(&sets[i]);
	}
	if (last.error == ZKFS_E_LOST)
		set(client, path, "end");
	else
		assert_int_equal(last.error, ZKFS_E_OK);
	assert_true(check_data(client, path, "end") >= n_ok + 1);
	client_check_session(client, 2);
	ask_fini(&last);
	free(data);
}

static void test_half_a_packet(void **state)
{
	half_a_packet(*state, "/hp", false);
}

/* It is sent before the turn comes to the connection. */
static void test_half_a_packet_pushed(void **state)
{
	half_a_packet(*state, "/hpp", true);
}

/* A ping that cannot be sent, from inside the question what to wait for: the
 * library says so and does nothing about it. */
static void test_failed_ping(void **state)
{
	struct client client;
	int64_t start;
	unsigned n = 0;

	(void)state;
	client_connect(&client, server.address, "", 6000);
	client_barrier(&client);
	start = zkfs_clock_ms();
	server_stop(&server);
	assert_int_equal(shutdown(client_fd(&client), SHUT_WR), 0);
	for (; client.n_losses == 0; n++)
		client_turn(&client, SOON_MS);
	/* At a third, not at the two thirds of a silent server; no spinning. */
	assert_in_range(zkfs_clock_ms() - start, 1900, 3500);
	assert_in_range(n, 1, 10);
	server_continue(&server);
	client_wait_connected(&client, SOON_MS);
	client_barrier(&client);
	client_check_session(&client, 2);
	client_close(&client, 1000);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_deadlines),
		TEST(test_deadline_of_a_multi),
		cmocka_unit_test(test_deadline_without_a_server),
		TEST(test_deadline_in_the_past),
		TEST(test_restart),
		TEST(test_kill_with_requests_in_flight),
		TEST(test_cancel_of_what_is_to_be_sent_again),
		cmocka_unit_test(test_silent_server),
		TEST(test_prompt_attempt),
		TEST(test_bound),
		TEST(test_failed_send),
		TEST(test_half_a_packet),
		TEST(test_half_a_packet_pushed),
		cmocka_unit_test(test_failed_ping),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
