/*
 * session, report: what is counted against what was done, to the last one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fixture.h"
#include "include/zkfs/report.h"

static struct zkfs_zk_report report(const struct client *client)
{
	struct zkfs_zk_report report;

	zkfs_zk_report(client->zk, &report);
	return report;
}

static uint64_t told(const struct client *client, enum zkfs_zk_kind kind,
		     enum zkfs_error error)
{
	return report(client).metrics->kinds[kind].outcomes[error];
}

static uint64_t answered(const struct client *client, enum zkfs_zk_kind kind)
{
	return zkfs_histogram_count(
		&report(client).metrics->kinds[kind].latency);
}

static void test_connected(void **state)
{
	struct client *client = *state;
	struct zkfs_zk_report now = report(client);

	assert_string_equal(now.state, "connected");
	assert_string_equal(now.server, server.address);
	assert_int_equal(now.session_id, zkfs_zk_session_id(client->zk));
	assert_int_equal(now.timeout_ms, FIXTURE_TIMEOUT_MS);
	assert_true(now.connected);
	assert_true(now.since_ms <= zkfs_clock_ms());
	assert_int_equal(now.metrics->connections, 1);
	assert_int_equal(now.metrics->expiries, 0);
	assert_int_equal(now.metrics->sent_bytes, 0);
	assert_int_equal(now.n_queued, 0);
	assert_int_equal(now.n_sent, 0);
	assert_int_equal(now.n_watches, 0);
	assert_int_equal(now.watch_bytes, 0);
	assert_true(now.watch_budget > 0);
}

static void test_requests(void **state)
{
	struct client *client = *state;

	make(client, "/rq", "1", 0);
	set(client, "/rq", "22");
	assert_true(exists(client, "/rq"));
	assert_false(exists(client, "/rq/none"));
	assert_false(exists(client, "/rq/no"));
	drop(client, "/rq");
	assert_int_equal(told(client, ZKFS_ZK_EXISTS, ZKFS_E_OK), 1);
	assert_int_equal(told(client, ZKFS_ZK_EXISTS, ZKFS_E_NONODE), 2);
	assert_int_equal(answered(client, ZKFS_ZK_EXISTS), 3);
	assert_int_equal(answered(client, ZKFS_ZK_SET), 1);
	assert_int_equal(answered(client, ZKFS_ZK_MULTI), 1);
	assert_int_equal(answered(client, ZKFS_ZK_DELETE), 1);
	assert_int_equal(answered(client, ZKFS_ZK_GET), 0);
	assert_true(report(client).metrics->sent_bytes > 0);
}

/* One that is refused before it is sent is told, but was never answered. */
static void test_never_sent(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "no path");

	assert_int_equal(ask_run(&ask), ZKFS_E_BADARGUMENTS);
	ask_fini(&ask);
	assert_int_equal(told(client, ZKFS_ZK_GET, ZKFS_E_BADARGUMENTS), 1);
	assert_int_equal(answered(client, ZKFS_ZK_GET), 0);
	assert_int_equal(report(client).metrics->sent_bytes, 0);
}

static void test_watches(void **state)
{
	struct client *client = *state;
	struct look look = look_for(client);
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/wt");

	make(client, "/wt", "", 0);
	ask.req.watch = &look.watch;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
	assert_int_equal(report(client).n_watches, 1);
	assert_true(report(client).watch_bytes > 0);
	set(client, "/wt", "x");
	assert_int_equal(look.n_fired, 1);
	assert_int_equal(report(client).metrics->watch_events, 1);
	assert_int_equal(report(client).n_watches, 0);
	assert_int_equal(report(client).watch_bytes, 0);
	assert_int_equal(report(client).metrics->watches_refused, 0);
}

/* Each takes a third of the budget, and a little more. */
static void test_refused_watches(void **state)
{
	enum {
		N = 4
	};
	static char paths[N][310000];
	struct client *client = *state;
	struct look looks[N];

	for (int i = 0; i < N; i++) {
		struct ask ask = ask_for(client, ZKFS_ZK_EXISTS, paths[i]);

		memset(paths[i], 'a' + i, sizeof(paths[i]) - 1);
		paths[i][0] = '/';
		looks[i] = look_for(client);
		ask.req.watch = &looks[i].watch;
		assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
		ask_fini(&ask);
	}
	assert_int_equal(report(client).metrics->watches_refused, N - 2);
	assert_int_equal(report(client).n_watches, 2);
	for (int i = 0; i < N; i++)
		zkfs_zk_unwatch(client->zk, &looks[i].watch);
}

/* While the server stands still one is under way; it is told in time, and not
 * counted as answered. */
static void test_no_answer(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/");

	server_stop(&server);
	ask.req.deadline_ms = zkfs_clock_ms() + 100;
	ask_submit(&ask);
	assert_int_equal(report(client).n_queued, 1);
	client_turn(client, 0);
	assert_int_equal(report(client).n_queued, 0);
	assert_int_equal(report(client).n_sent, 1);
	ask_wait(&ask);
	server_continue(&server);
	client_barrier(client);
	ask_fini(&ask);
	assert_int_equal(report(client).n_sent, 0);
	assert_int_equal(told(client, ZKFS_ZK_GET, ZKFS_E_TIMEDOUT), 1);
	assert_int_equal(answered(client, ZKFS_ZK_GET), 0);
}

static void test_reconnect(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_GET, "/");
	int64_t since = report(client).since_ms;

	server_stop(&server);
	ask_submit(&ask);
	client_turn(client, 0);
	assert_int_equal(shutdown(client_fd(client), SHUT_RDWR), 0);
	while (client->n_losses == 0)
		client_turn(client, SOON_MS);
	assert_false(report(client).connected);
	assert_string_equal(report(client).state, "reconnecting");
	assert_string_equal(report(client).server, "");
	assert_true(report(client).since_ms >= since);
	since = report(client).since_ms;
	server_continue(&server);
	ask_wait(&ask);
	assert_int_equal(ask.error, ZKFS_E_OK);
	ask_fini(&ask);
	assert_true(report(client).since_ms >= since);
	assert_int_equal(report(client).metrics->connections, 2);
	assert_int_equal(report(client).metrics->resent, 1);
	assert_int_equal(report(client).metrics->expiries, 0);
	assert_int_equal(answered(client, ZKFS_ZK_GET), 1);
}

static bool is_second_session(void *ctx)
{
	const struct client *client = ctx;

	return zkfs_zk_connected(client->zk) &&
	       zkfs_zk_generation(client->zk) == 2;
}

static void test_expiry(void **state)
{
	struct client *client = *state;

	fixture_expire(client);
	client_wait(client, is_second_session, client, SOON_MS);
	assert_int_equal(report(client).metrics->expiries, 1);
	assert_int_equal(report(client).metrics->connections, 2);
	assert_int_equal(report(client).session_id,
			 zkfs_zk_session_id(client->zk));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connected),	    TEST(test_requests),
		TEST(test_never_sent),	    TEST(test_watches),
		TEST(test_refused_watches), TEST(test_no_answer),
		TEST(test_reconnect),	    TEST(test_expiry),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
