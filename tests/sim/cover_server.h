/*
 * cover_server: what the cache sees of a server, for its simulation: a handful
 * of znodes with all they ever were, and one session that looks at them from a
 * replica that lags.
 *
 * Requests are executed in order at the session's view; the view passes one
 * transaction at a time, and fires the watches that it concerns. Replies and
 * events reach the client in the order in which they were made, each with the
 * view of that moment: this is all that ZooKeeper promises (its programmer's
 * guide, "Watches" and "Consistency Guarantees").
 */
#ifndef ZKFS_SIM_COVER_SERVER_H
#define ZKFS_SIM_COVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/core/cover.h"
#include "include/zkfs/zk.h"
#include "tests/sim/random.h"

#define PATHS	    6
#define STATES_MAX  4096
#define CHANGES_MAX 16384
#define FLIGHTS_MAX 16
#define INBOUND_MAX 256

extern const struct place {
	const char *path;
	const char *name;
	int parent; /* -1: the root */
} places[PATHS];

struct state {
	int64_t zxid; /* since */
	bool exists;
	struct zkfs_stat stat;
};

struct change {
	int64_t zxid;
	int path;
	enum zkfs_zk_event event;
};

struct flight {
	enum zkfs_zk_kind kind;
	int path;
	bool watch;
	int op;		 /* the client's, */
	uint64_t serial; /* and which of those that had its place */
};

struct message {
	int64_t view;
	bool is_event;
	enum zkfs_zk_event event;
	struct flight flight;
	struct state state; /* a reply: what was found */
};

struct cover_server {
	struct sim_random *random;
	int64_t zxid;
	struct state states[PATHS][STATES_MAX];
	size_t n_states[PATHS];
	struct change changes[CHANGES_MAX];
	size_t n_changes;

	/* The session. */
	bool linked;
	int64_t view;
	size_t passed; /* changes that the view has */
	bool armed[PATHS][_ZKFS_COVER_HALF_N];
	struct flight wire[FLIGHTS_MAX];
	size_t n_wire;
	struct message inbound[INBOUND_MAX];
	size_t n_inbound;
	int64_t seen; /* the view of what was delivered last */
};

void cover_server_init(struct cover_server *server, struct sim_random *random);
/* Somebody changes something. */
void cover_server_change(struct cover_server *server);
/* Whether there is room for more. */
bool cover_server_has_room(const struct cover_server *server);

const struct state *cover_server_newest(const struct cover_server *server,
					int path);
const struct state *cover_server_at(const struct cover_server *server, int path,
				    int64_t zxid);

bool cover_server_execute(struct cover_server *server);
bool cover_server_advance(struct cover_server *server);
/* The next message, if there is one. */
bool cover_server_deliver(struct cover_server *server, struct message *ret);
/* The connection breaks: what is on its way to the server is lost, and of what
 * is on its way to the client all but the first part. */
void cover_server_cut(struct cover_server *server);
/* There is another, to a replica that has all that the client has seen. */
void cover_server_link(struct cover_server *server);

#endif
