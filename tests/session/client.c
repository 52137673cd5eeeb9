/* client: see client.h. */
#include "client.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/util.h"

static void changed(struct zkfs_zk_listener *listener)
{
	struct client *client =
		zkfs_container_of(listener, struct client, listener);
	bool connected = zkfs_zk_connected(client->zk);

	if (connected && !client->connected)
		client->n_connects++;
	if (!connected && client->connected)
		client->n_losses++;
	client->connected = connected;
}

static void open_config(struct client *client,
			const struct zkfs_session_config *config)
{
	*client = (struct client){.listener.changed = changed};
	assert_int_equal(zkfs_session_open(config, &client->zk), 0);
	zkfs_zk_listen(client->zk, &client->listener);
}

void client_open(struct client *client, const char *servers, const char *chroot,
		 int timeout_ms)
{
	open_config(client, &(struct zkfs_session_config){
				    .servers = servers,
				    .chroot = chroot,
				    .timeout_ms = timeout_ms,
			    });
}

void client_open_auth(struct client *client, const char *servers,
		      int timeout_ms, const struct zkfs_auth *auth)
{
	open_config(client, &(struct zkfs_session_config){
				    .servers = servers,
				    .chroot = "",
				    .timeout_ms = timeout_ms,
				    .auth = auth,
			    });
}

void client_connect(struct client *client, const char *servers,
		    const char *chroot, int timeout_ms)
{
	client_open(client, servers, chroot, timeout_ms);
	client_wait_connected(client, SOON_MS);
}

void client_close(struct client *client, int drain_ms)
{
	client->zk = zkfs_session_close(client->zk, drain_ms);
	assert_null(client->zk);
}

void client_dispatch(struct client *client, short revents)
{
	zkfs_session_receive(client->zk, revents);
	zkfs_session_send(client->zk);
}

void client_turn(struct client *client, int64_t max_ms)
{
	int64_t deadline, now = zkfs_clock_ms(), wait;
	struct pollfd pfd = {.fd = -1};

	zkfs_session_prepare(client->zk, &pfd.fd, &pfd.events, &deadline);
	wait = deadline == ZKFS_NEVER ? max_ms : deadline - now;
	if (wait > max_ms)
		wait = max_ms;
	if (poll(&pfd, 1, wait > 0 ? (int)wait : 0) < 0)
		pfd.revents = 0;
	client_dispatch(client, pfd.revents);
}

void client_wait(struct client *client, bool (*cond)(void *ctx), void *ctx,
		 int64_t limit_ms)
{
	int64_t end = zkfs_clock_ms() + limit_ms;

	while (!cond(ctx)) {
		int64_t left = end - zkfs_clock_ms();

		if (left <= 0)
			fail_msg("waited for %lld ms in vain, %s",
				 (long long)limit_ms,
				 zkfs_session_state(client->zk));
		client_turn(client, left);
	}
}

static bool is_connected(void *ctx)
{
	const struct client *client = ctx;

	return zkfs_zk_connected(client->zk);
}

void client_wait_connected(struct client *client, int64_t limit_ms)
{
	client_wait(client, is_connected, client, limit_ms);
}

void client_barrier(struct client *client)
{
	struct ask sync = ask_for(client, ZKFS_ZK_SYNC, "/");

	assert_int_equal(ask_run(&sync), ZKFS_E_OK);
	ask_fini(&sync);
}

void client_check_session(const struct client *client, unsigned connects)
{
	assert_int_equal(zkfs_zk_generation(client->zk), 1);
	assert_int_equal(client->n_connects, connects);
	assert_int_equal(client->n_losses, connects - 1);
}

int client_fd(struct client *client)
{
	int64_t deadline;
	short events;
	int fd;

	zkfs_session_prepare(client->zk, &fd, &events, &deadline);
	return fd;
}

/* Copies what the reply points to: it is valid during the call only. */
static void keep(struct ask *ask, const struct zkfs_zk_reply *reply)
{
	if (reply->stat)
		ask->stat = *reply->stat;
	ask->len = reply->len;
	ask->data = malloc(reply->len + 1);
	assert_non_null(ask->data);
	if (reply->len > 0)
		memcpy(ask->data, reply->data, reply->len);
	ask->data[reply->len] = '\0';
	ask->n_names = reply->n_names;
	if (!ask->keep_names || reply->n_names == 0)
		return;
	ask->names = calloc(reply->n_names, sizeof(char *));
	assert_non_null(ask->names);
	for (size_t i = 0; i < reply->n_names; i++) {
		ask->names[i] = strdup(reply->names[i]);
		assert_non_null(ask->names[i]);
	}
}

static void done(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct ask *ask = zkfs_container_of(req, struct ask, req);

	ask_fini(ask);
	keep(ask, reply);
	ask->n_done++;
	ask->order = ++ask->client->n_events;
	ask->error = reply->error;
	ask->failed = reply->failed;
	ask->generation = reply->generation;
	if (ask->hook)
		ask->hook(ask);
}

struct ask ask_for(struct client *client, enum zkfs_zk_kind kind,
		   const char *path)
{
	return (struct ask){
		.client = client,
		.keep_names = true,
		.req =
			{
				.kind = kind,
				.path = path,
				.version = ZKFS_ZK_ANY_VERSION,
				.deadline_ms = ZKFS_NEVER,
				.done = done,
			},
	};
}

struct ask ask_set(struct client *client, const char *path, const void *data,
		   size_t len, int32_t version)
{
	struct ask ask = ask_for(client, ZKFS_ZK_SET, path);

	ask.req.data = data;
	ask.req.len = len;
	ask.req.version = version;
	return ask;
}

struct ask ask_multi(struct client *client, struct zkfs_zk_op *ops, size_t n)
{
	struct ask ask = ask_for(client, ZKFS_ZK_MULTI, NULL);

	ask.req.ops = ops;
	ask.req.n_ops = n;
	return ask;
}

void ask_submit(struct ask *ask)
{
	unsigned n_done = ask->n_done;

	zkfs_zk_submit(ask->client->zk, &ask->req);
	assert_int_equal(ask->n_done, n_done); /* never from inside submit */
}

static bool is_done(void *ctx)
{
	const struct ask *ask = ctx;

	return ask->n_done > 0 && !ask->req.active;
}

void ask_wait(struct ask *ask)
{
	client_wait(ask->client, is_done, ask, SOON_MS);
}

enum zkfs_error ask_run(struct ask *ask)
{
	ask_submit(ask);
	ask_wait(ask);
	return ask->error;
}

void ask_fini(struct ask *ask)
{
	free(ask->data);
	ask->data = NULL;
	for (size_t i = 0; ask->names && i < ask->n_names; i++)
		free(ask->names[i]);
	free(ask->names);
	ask->names = NULL;
}

struct many {
	struct ask *asks;
	size_t n;
};

static bool are_done(void *ctx)
{
	struct many *many = ctx;

	while (many->n > 0 && is_done(&many->asks[many->n - 1]))
		many->n--;
	return many->n == 0;
}

void ask_wait_all(struct ask *asks, size_t n, int64_t limit_ms)
{
	struct many many = {.asks = asks, .n = n};

	if (n > 0)
		client_wait(asks[0].client, are_done, &many, limit_ms);
}

static void fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct look *look = zkfs_container_of(watch, struct look, watch);

	assert_false(watch->live);
	look->n_fired++;
	look->order = ++look->client->n_events;
	look->event = event;
	if (look->hook)
		look->hook(look);
}

struct look look_for(struct client *client)
{
	return (struct look){.client = client, .watch.fired = fired};
}

void make(struct client *client, const char *path, const char *data, int flags)
{
	struct zkfs_zk_op op = {
		.kind = ZKFS_ZK_OP_CREATE,
		.path = path,
		.data = data,
		.len = strlen(data),
		.flags = flags,
	};
	struct ask ask = ask_multi(client, &op, 1);

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
}

void set(struct client *client, const char *path, const char *data)
{
	struct ask ask =
		ask_set(client, path, data, strlen(data), ZKFS_ZK_ANY_VERSION);

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
}

void drop(struct client *client, const char *path)
{
	struct ask ask = ask_for(client, ZKFS_ZK_DELETE, path);

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
}

bool exists(struct client *client, const char *path)
{
	struct ask ask = ask_for(client, ZKFS_ZK_EXISTS, path);
	enum zkfs_error error = ask_run(&ask);

	ask_fini(&ask);
	assert_true(error == ZKFS_E_OK || error == ZKFS_E_NONODE);
	return error == ZKFS_E_OK;
}

int32_t check_data(struct client *client, const char *path, const char *data)
{
	struct ask ask = ask_for(client, ZKFS_ZK_GET, path);

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.len, strlen(data));
	assert_memory_equal(ask.data, data, ask.len);
	ask_fini(&ask);
	return ask.stat.version;
}
