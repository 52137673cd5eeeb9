/*
 * session, connecting: how soon it gets from a server that is dead, hung or
 * silent to one that is not, and that it does not hammer on them meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
#include "fs/base/log.h"
#include "fs/base/util.h"

#define TIMEOUT_MS 6000
/* What a loaded machine may add to any of the times below. */
#define SLACK_MS 1500

/* "A,server": the library shuffles its list, so that either may be first. */
static void with_server(char *text, size_t size, unsigned port)
{
	(void)snprintf(text, size, "127.0.0.1:%u,%s", port, server.address);
}

static void test_open_refuses(void **state)
{
	struct zkfs_session_config config = {
		.servers = "127.0.0.1:1",
		.chroot = "",
		.timeout_ms = ZKFS_SESSION_TIMEOUT_MIN_MS - 1,
	};
	struct zkfs_zk *zk = NULL;
	char passwd[16];
	int64_t id;

	(void)state;
	/* The library's limit for a connect is two thirds of it: below some 50
	 * ms it would never connect. */
	assert_int_equal(zkfs_session_open(&config, &zk), -EINVAL);
	assert_null(zk);
	config.timeout_ms++;
	assert_int_equal(zkfs_session_open(&config, &zk), 0);
	assert_int_equal(zkfs_session_secret(zk, &id, passwd), -ENOTCONN);
	zk = zkfs_session_close(zk, 1000);
	assert_null(zk);
	assert_null(zkfs_session_close(NULL, 0));
}

static void test_short_timeout(void **state)
{
	struct client client;

	(void)state;
	client_connect(&client, server.address, "", 500);
	assert_int_equal(zkfs_zk_timeout_ms(client.zk), 500);
	client_barrier(&client);
	client_close(&client, 0);
}

/* The ping is sent from inside dispatch: a session that does nothing else must
 * not be lost. */
static void test_idle_session_lives(void **state)
{
	struct client client;
	int64_t end = zkfs_clock_ms() + 2600;

	(void)state;
	client_connect(&client, server.address, "", 1200);
	while (zkfs_clock_ms() < end)
		client_turn(&client, end - zkfs_clock_ms());
	client_barrier(&client);
	assert_int_equal(client.n_losses, 0);
	assert_int_equal(zkfs_zk_generation(client.zk), 1);
	client_close(&client, 0);
}

/* Connects that a listener has seen; they are closed at once. */
static unsigned count_connects(int listener)
{
	struct pollfd pfd = {.fd = listener, .events = POLLIN};
	unsigned n = 0;

	while (poll(&pfd, 1, 0) > 0) {
		int fd = accept(listener, NULL, NULL);

		assert_true(fd >= 0);
		close(fd);
		n++;
	}
	return n;
}

/* The daemon's loop wakes for each FUSE request, whatever the library wants.
 * Asked too early the library would connect at each of them. */
static void test_no_storm(void **state)
{
	struct client client;
	char address[32];
	unsigned port, n = 0;
	int fd = tcp_socket(64, &port);
	int64_t end;

	(void)state;
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	client_open(&client, address, "", TIMEOUT_MS);
	end = zkfs_clock_ms() + 1000;
	while (zkfs_clock_ms() < end) {
		client_turn(&client, 1);
		n += count_connects(fd);
	}
	/* Back-off is a sixtieth of the timeout: 100 ms. */
	assert_in_range(n, 3, 12);
	client_close(&client, 0);
	close(fd);
}

/* And while nobody waits, it does not spin either. */
static void test_no_spin(void **state)
{
	struct client client;
	char address[32];
	unsigned port, n = 0;
	int fd = tcp_socket(0, &port);
	int64_t end;

	(void)state;
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	client_open(&client, address, "", TIMEOUT_MS);
	end = zkfs_clock_ms() + 500;
	while (zkfs_clock_ms() < end) {
		client_turn(&client, end - zkfs_clock_ms());
		n++;
	}
	assert_in_range(n, 2, 40);
	client_close(&client, 0);
	client_connect(&client, server.address, "", TIMEOUT_MS);
	end = zkfs_clock_ms() + 500;
	for (n = 0; zkfs_clock_ms() < end; n++)
		client_turn(&client, end - zkfs_clock_ms());
	assert_in_range(n, 1, 3);
	client_close(&client, 0);
	close(fd);
}

/* A server that accepts and never answers: the library would give it two
 * thirds of the timeout, 4 s; we give it a sixth. */
static void test_hung_server(void **state)
{
	char servers[64];
	unsigned port;
	int fd = tcp_socket(64, &port), n_slow = 0;

	(void)state;
	with_server(servers, sizeof(servers), port);
	/* The chance that the hung one is never first is 1 in 2^12 or so. */
	for (int i = 0; i < 12 && n_slow < 2; i++) {
		struct client client;
		int64_t start = zkfs_clock_ms(), took;

		client_connect(&client, servers, "", TIMEOUT_MS);
		took = zkfs_clock_ms() - start;
		/* Twice in a row, if that is the one named twice. */
		assert_in_range(took, 0, 2 * TIMEOUT_MS / 6 + SLACK_MS);
		n_slow += took >= TIMEOUT_MS / 6;
		client_close(&client, 0);
	}
	assert_true(n_slow > 0);
	close(fd);
}

/* A server that needs longer than a sixth of the timeout to answer, always:
 * the limit must grow, or it is cut for ever. The listener here passes what it
 * gets on after a while. */
struct slow {
	int listener, in, out;
	int64_t since; /* the connect was accepted; 0: none */
	int64_t delay_ms;
};

static void slow_drop(struct slow *slow)
{
	if (slow->in >= 0)
		close(slow->in);
	if (slow->out >= 0)
		close(slow->out);
	slow->in = slow->out = -1;
}

static int connect_to(unsigned port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
	return fd;
}

/* Copies what there is; returns false at the end of the stream. */
static bool slow_copy(int from, int to)
{
	char text[4096];
	struct pollfd pfd = {.fd = from, .events = POLLIN};
	ssize_t n;

	if (poll(&pfd, 1, 0) <= 0)
		return true;
	n = recv(from, text, sizeof(text), 0);
	return n > 0 && send(to, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static void slow_turn(struct slow *slow)
{
	struct pollfd pfd = {.fd = slow->listener, .events = POLLIN};

	if (poll(&pfd, 1, 0) > 0) {
		slow_drop(slow);
		slow->in = accept(slow->listener, NULL, NULL);
		slow->since = zkfs_clock_ms();
	}
	if (slow->in < 0)
		return;
	if (slow->out < 0) {
		if (zkfs_clock_ms() - slow->since < slow->delay_ms)
			return;
		slow->out = connect_to(server.port);
	}
	if (!slow_copy(slow->in, slow->out) || !slow_copy(slow->out, slow->in))
		slow_drop(slow);
}

static void test_slow_server(void **state)
{
	struct client client;
	char address[32];
	unsigned port;
	struct slow slow = {.listener = tcp_socket(64, &port),
			    .in = -1,
			    .out = -1,
			    .delay_ms = 700};
	int64_t end = zkfs_clock_ms() + SOON_MS;

	(void)state;
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	client_open(&client, address, "", 1500); /* a sixth: 250, then 500 */
	while (!zkfs_zk_connected(client.zk)) {
		assert_true(zkfs_clock_ms() < end);
		client_turn(&client, 5);
		slow_turn(&slow);
	}
	client_close(&client, 0);
	slow_drop(&slow);
	close(slow.listener);
}

/* A listener of one address that is dead next to one that lives, for every
 * order in which the library may have put them; then the living one dies and
 * its successor has the other address. The library, left alone, would reach
 * only every second server of an even number. */
static void test_even_number_of_servers(void **state)
{
	enum {
		N = 6
	};
	struct client clients[N];
	char servers[64];
	unsigned old_port = server.port, new_port;
	int fd = tcp_socket(0, &new_port);

	(void)state;
	with_server(servers, sizeof(servers), new_port);
	for (int i = 0; i < N; i++)
		client_connect(&clients[i], servers, "", TIMEOUT_MS);
	server_kill(&server);
	close(fd);
	server_start(&server, new_port);
	for (int i = 0; i < N; i++) {
		while (clients[i].n_losses == 0)
			client_turn(&clients[i], SOON_MS);
		client_wait_connected(&clients[i], SOON_MS);
		assert_int_equal(zkfs_zk_generation(clients[i].zk), 1);
		client_barrier(&clients[i]);
	}
	/* And back again. */
	server_kill(&server);
	server_start(&server, old_port);
	for (int i = 0; i < N; i++) {
		while (clients[i].n_losses < 2)
			client_turn(&clients[i], SOON_MS);
		client_wait_connected(&clients[i], SOON_MS);
		client_close(&clients[i], 0);
	}
}

static void test_ipv6(void **state)
{
	struct client client;
	char servers[64];

	(void)state;
	/* Nobody answers there; but the address must be understood, or the
	 * library refuses the whole list. */
	(void)snprintf(servers, sizeof(servers), "[::1]:%u,%s", server.port,
		       server.address);
	client_connect(&client, servers, "", TIMEOUT_MS);
	client_barrier(&client);
	client_close(&client, 0);
}

/* Ours is the only log that an operator sees; the library's is for -d. */
static void test_library_is_quiet(void **state)
{
	struct client client;
	char address[32], text[64] = "";
	unsigned port;
	int fd = tcp_socket(0, &port), saved, pipes[2];
	int64_t end;

	(void)state;
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	assert_int_equal(pipe(pipes), 0);
	saved = dup(STDERR_FILENO);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	zkfs_log_set_level(ZKFS_LOG_INFO);
	client_open(&client, address, "", 600);
	end = zkfs_clock_ms() + 200;
	while (zkfs_clock_ms() < end)
		client_turn(&client, end - zkfs_clock_ms());
	client_close(&client, 0);
	zkfs_log_set_level(ZKFS_LOG_ERROR);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pipes[1]);
	assert_true(read(pipes[0], text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, "");
	close(pipes[0]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_short_timeout),
		cmocka_unit_test(test_idle_session_lives),
		cmocka_unit_test(test_no_storm),
		cmocka_unit_test(test_no_spin),
		cmocka_unit_test(test_hung_server),
		cmocka_unit_test(test_slow_server),
		cmocka_unit_test(test_even_number_of_servers),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_library_is_quiet),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}
