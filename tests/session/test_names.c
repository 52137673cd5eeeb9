/*
 * session, names: a server whose name leads elsewhere is followed with the same
 * session, and a name server that does not answer keeps nobody waiting.
 * getaddrinfo() is wrapped (meson.build): the name "zk.test" has the address
 * that the test says, when it says so.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/zk/names.h"
#include "fs/zk/servers.h"

#define TIMEOUT_MS 3000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static char address[32];
static bool silent;
static unsigned n_asked;

int __real_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);

int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res)
{
	char now[sizeof(address)];

	if (!node || strcmp(node, "zk.test") != 0 ||
	    (hints && hints->ai_flags & AI_NUMERICHOST))
		return __real_getaddrinfo(node, service, hints, res);
	(void)pthread_mutex_lock(&lock);
	n_asked++;
	while (silent)
		(void)pthread_cond_wait(&turned, &lock);
	memcpy(now, address, sizeof(now));
	(void)pthread_mutex_unlock(&lock);
	if (now[0] == '\0')
		return EAI_AGAIN;
	return __real_getaddrinfo(now, service, hints, res);
}

static void name_is(const char *ip, bool is_silent)
{
	(void)pthread_mutex_lock(&lock);
	(void)snprintf(address, sizeof(address), "%s", ip);
	silent = is_silent;
	(void)pthread_cond_broadcast(&turned);
	(void)pthread_mutex_unlock(&lock);
}

static bool was_asked(void *ctx)
{
	bool asked;

	(void)pthread_mutex_lock(&lock);
	asked = n_asked >= *(unsigned *)ctx;
	(void)pthread_mutex_unlock(&lock);
	return asked;
}

/* Of "zk.test" at the server's port. At 127.0.0.2 nobody listens: the server
 * is bound to 127.0.0.1. */
static void open_by_name(struct client *client)
{
	static char hosts[64];
	char numeric[64];

	(void)snprintf(hosts, sizeof(hosts), "zk.test:%u", server.port);
	(void)snprintf(numeric, sizeof(numeric), "%s:%u", address, server.port);
	*client = (struct client){0};
	assert_int_equal(zkfs_session_open(
				 &(struct zkfs_session_config){
					 .servers = numeric,
					 .hosts = hosts,
					 .timeout_ms = TIMEOUT_MS,
				 },
				 &client->zk),
			 0);
}

static bool is_connected(void *ctx)
{
	return zkfs_zk_connected(ctx);
}

static void test_first_session(void **state)
{
	struct client client;

	(void)state;
	name_is("127.0.0.2", false);
	open_by_name(&client);
	name_is("127.0.0.1", false);
	client_wait(&client, is_connected, client.zk, SOON_MS);
	make(&client, "/by-name", "x", 0);
	client_close(&client, 1000);
}

/* The session goes along, and what was asked meanwhile is done. */
static void test_moves_with_the_session(void **state)
{
	struct client client;
	struct ask ask;
	uint64_t generation;
	int64_t id;

	(void)state;
	name_is("127.0.0.1", false);
	open_by_name(&client);
	client_wait(&client, is_connected, client.zk, SOON_MS);
	generation = zkfs_zk_generation(client.zk);
	id = zkfs_zk_session_id(client.zk);
	make(&client, "/moved", "1", ZKFS_ZK_EPHEMERAL);
	/* To where nobody is, as the connection breaks; and back. */
	name_is("127.0.0.2", false);
	server_kill(&server);
	n_asked = 0;
	ask = ask_set(&client, "/moved", "2", 1, 0);
	ask_submit(&ask);
	client_wait(&client, was_asked, &(unsigned){2}, SOON_MS);
	server_start(&server, 0);
	name_is("127.0.0.1", false);
	client_wait(&client, is_connected, client.zk, SOON_MS);
	assert_int_equal(zkfs_zk_generation(client.zk), generation);
	assert_int_equal(zkfs_zk_session_id(client.zk), id);
	ask_wait(&ask);
	assert_int_equal(check_data(&client, "/moved", "2"), 1);
	ask_fini(&ask);
	client_close(&client, 1000);
}

/* The loop goes round while nobody resolves, and so does the end. */
static void test_nobody_waits_for_names(void **state)
{
	struct client client;
	int64_t begin;

	(void)state;
	name_is("127.0.0.1", true);
	open_by_name(&client);
	client_wait(&client, is_connected, client.zk, SOON_MS);
	server_kill(&server);
	n_asked = 0;
	client_wait(&client, was_asked, &(unsigned){1}, SOON_MS);
	begin = zkfs_clock_ms();
	for (int i = 0; i < 20; i++)
		client_turn(&client, 10);
	assert_true(zkfs_clock_ms() - begin < SOON_MS);
	/* It comes back where it was, while the question is still open. */
	server_start(&server, 0);
	client_wait(&client, is_connected, client.zk, SOON_MS);
	assert_true(silent);
	client_close(&client, 1000);
	name_is("127.0.0.1", false);
}

static void test_same(void **state)
{
	(void)state;
	assert_true(zkfs_names_same("a:1,b:2", "b:2,a:1"));
	assert_true(zkfs_names_same("a:1", "a:1"));
	assert_false(zkfs_names_same("a:1,b:2", "b:2"));
	assert_false(zkfs_names_same("a:1", "a:12"));
	assert_false(zkfs_names_same("a:12", "a:1"));
}

static void test_named(void **state)
{
	(void)state;
	assert_false(zkfs_servers_named("127.0.0.1:2181,[::1]:2182"));
	assert_true(zkfs_servers_named("127.0.0.1:2181,zk.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_first_session),
		cmocka_unit_test(test_moves_with_the_session),
		cmocka_unit_test(test_nobody_waits_for_names),
	};

	return cmocka_run_group_tests_name("names", tests, fixture_start_server,
					   fixture_stop_server);
}
