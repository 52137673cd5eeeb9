/*
 * client: a session under test, driven as the daemon drives it, and requests
 * that remember their reply. Every wait has a limit and fails the test when it
 * is reached.
 */
#ifndef ZKFS_TESTS_SESSION_CLIENT_H
#define ZKFS_TESTS_SESSION_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/clock.h"
#include "fs/zk/session.h"
#include "include/zkfs/zk.h"

struct zkfs_auth;

/* The limit of waits for what ought to come at once. */
#define SOON_MS 20000

struct client {
	struct zkfs_zk *zk;
	struct zkfs_zk_listener listener;
	bool connected;
	unsigned n_connects; /* turned connected */
	unsigned n_losses;   /* turned not connected */
	unsigned n_events;   /* counts replies and fired watches */
};

/* One request and what came of it. */
struct ask {
	struct zkfs_zk_req req; /* first */
	struct client *client;
	void (*hook)(struct ask *ask); /* called last by `done`, or NULL */
	void *hook_ctx;
	unsigned n_done;
	unsigned order; /* client.n_events at that time */
	enum zkfs_error error;
	struct zkfs_stat stat;
	char *data; /* a copy */
	size_t len;
	char **names; /* copies, unless keep_names is false */
	bool keep_names;
	size_t n_names;
	size_t failed;
	uint64_t generation;
};

/* One watch and what came of it. */
struct look {
	struct zkfs_zk_watch watch; /* first */
	struct client *client;
	void (*hook)(struct look *look);
	void *hook_ctx;
	unsigned n_fired;
	unsigned order;
	enum zkfs_zk_event event;
};

void client_open(struct client *client, const char *servers, const char *chroot,
		 int timeout_ms);
void client_open_auth(struct client *client, const char *servers,
		      int timeout_ms, const struct zkfs_auth *auth);
/* Opens, and waits until it is connected. */
void client_connect(struct client *client, const char *servers,
		    const char *chroot, int timeout_ms);
void client_close(struct client *client, int drain_ms);

/* What a turn does after poll(2). */
void client_dispatch(struct client *client, short revents);
/* One turn of the loop, which waits for at most `max_ms`. */
void client_turn(struct client *client, int64_t max_ms);
/* Turns until `cond` holds. */
void client_wait(struct client *client, bool (*cond)(void *ctx), void *ctx,
		 int64_t limit_ms);
void client_wait_connected(struct client *client, int64_t limit_ms);
/* Turns until the server has answered a sync: all replies and events of what
 * was sent before have come. */
void client_barrier(struct client *client);
/* Still the first session, connected for the n-th time. */
void client_check_session(const struct client *client, unsigned n_connects);
/* The descriptor it polls now, or -1. */
int client_fd(struct client *client);

struct ask ask_for(struct client *client, enum zkfs_zk_kind kind,
		   const char *path);
struct ask ask_set(struct client *client, const char *path, const void *data,
		   size_t len, int32_t version);
struct ask ask_multi(struct client *client, struct zkfs_zk_op *ops, size_t n);
void ask_submit(struct ask *ask);
void ask_wait(struct ask *ask);
/* Submits, waits, and returns the error. */
enum zkfs_error ask_run(struct ask *ask);
void ask_fini(struct ask *ask);
/* Waits for all, and frees what they hold if `fini`. */
void ask_wait_all(struct ask *asks, size_t n, int64_t limit_ms);

struct look look_for(struct client *client);

/* Single operations, which must succeed. */
void make(struct client *client, const char *path, const char *data, int flags);
void set(struct client *client, const char *path, const char *data);
void drop(struct client *client, const char *path);
bool exists(struct client *client, const char *path);
/* The version, and a check of the data. */
int32_t check_data(struct client *client, const char *path, const char *data);

#endif
