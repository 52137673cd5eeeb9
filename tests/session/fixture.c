/* fixture: see fixture.h. */
#include "fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zookeeper/zookeeper.h>

#include "fs/base/log.h"

struct server server;

int fixture_start_server(void **state)
{
	(void)state;
	zkfs_log_set_level(ZKFS_LOG_ERROR);
	server_make(&server);
	return 0;
}

int fixture_stop_server(void **state)
{
	(void)state;
	server_destroy(&server);
	return 0;
}

int fixture_connect(void **state)
{
	struct client *client = calloc(1, sizeof(*client));

	client_connect(client, server.address, "", FIXTURE_TIMEOUT_MS);
	*state = client;
	return 0;
}

int fixture_disconnect(void **state)
{
	struct client *client = *state;

	client_close(client, 1000);
	free(client);
	return 0;
}

int fixture_still_connected(void **state)
{
	const struct client *client = *state;

	assert_int_equal(client->n_losses, 0);
	assert_int_equal(zkfs_zk_generation(client->zk), 1);
	return fixture_disconnect(state);
}

static void ignore_event(zhandle_t *zh, int type, int state, const char *path,
			 void *ctx)
{
	(void)zh;
	(void)type;
	(void)state;
	(void)path;
	(void)ctx;
}

static void ignore_log(const char *message)
{
	(void)message;
}

static int if_set(int bits, int bit, int result)
{
	return (bits & bit) ? result : 0;
}

/* Turns a bare handle of the library until it is connected. */
static void bare_connect(zhandle_t *zh)
{
	int64_t end = zkfs_clock_ms() + SOON_MS;

	while (zoo_state(zh) != ZOO_CONNECTED_STATE) {
		struct pollfd pfd = {.fd = -1};
		struct timeval tv = {0};
		int want = 0;

		assert_true(zkfs_clock_ms() < end && zoo_state(zh) >= 0);
		(void)zookeeper_interest(zh, &pfd.fd, &want, &tv);
		pfd.events = (short)(if_set(want, ZOOKEEPER_READ, POLLIN) |
				     if_set(want, ZOOKEEPER_WRITE, POLLOUT));
		(void)poll(&pfd, 1,
			   (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000));
		(void)zookeeper_process(
			zh,
			if_set(pfd.revents, POLLIN, ZOOKEEPER_READ) |
				if_set(pfd.revents, POLLOUT, ZOOKEEPER_WRITE));
	}
}

void fixture_expire(const struct client *client)
{
	clientid_t id;
	zhandle_t *zh;

	assert_int_equal(
		zkfs_session_secret(client->zk, &id.client_id, id.passwd), 0);
	zh = zookeeper_init2(server.address, ignore_event, FIXTURE_TIMEOUT_MS,
			     &id, NULL, ZOO_NO_LOG_CLIENTENV, ignore_log);
	assert_non_null(zh);
	bare_connect(zh);
	assert_int_equal(zookeeper_close(zh), ZOK);
}
