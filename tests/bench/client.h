/*
 * client: a ZooKeeper client with nothing around it: one session, one poll
 * loop, no name resolution in the loop (a numeric address and a resolution
 * delay of -1), no cache, no check. What it needs for an operation is what the
 * library and the server need.
 *
 * Requests are sent with the library's own calls, whose result goes to
 * client_sent(), and whose completion is one of those below.
 */
#ifndef ZKFS_BENCH_CLIENT_H
#define ZKFS_BENCH_CLIENT_H

#include <stddef.h>
#include <zookeeper/zookeeper.h>

struct client {
	zhandle_t *zh;
	size_t in_flight;
	int error; /* the first that was not expected */
};

/* A session with a server; `on_event` may be NULL. */
void client_open(struct client *client, const char *address,
		 watcher_fn on_event, void *ctx);
void client_close(struct client *client);

/* One turn of the loop: waits for the socket and takes all packets that are
 * there. */
void client_turn(struct client *client);
/* Waits until at most so many requests are unanswered. */
void client_wait(struct client *client, size_t in_flight);
void client_sent(struct client *client, int rc);
void client_answered(struct client *client, int rc);

/* Completions; their context is the client. */
void client_on_data(int rc, const char *value, int len, const struct Stat *stat,
		    const void *client);
void client_on_stat(int rc, const struct Stat *stat, const void *client);
/* That it is there already is as good. */
void client_on_made(int rc, const char *value, const void *client);
void client_on_list(int rc, const struct String_vector *names,
		    const void *client);
void client_on_void(int rc, const void *client);

#endif
