/*
 * server: a ZooKeeper ensemble in memory, for simulations. It has what the
 * recipes lean on: znodes with their Stat, ephemerals, sequence numbers,
 * atomic multis, one-shot watches, sessions that expire, and replicas that lag.
 *
 * Time is the transaction id. Every change gets the next zxid; a znode exists
 * from its czxid to its dzxid, and stays in memory after that until nobody can
 * see the past in which it lived. Each session reads through a replica of its
 * own, at `view`: reads see the tree as of that zxid, a write or a sync brings
 * the view up to the newest first (as a follower answers a write only when it
 * has applied it), and sim_server_advance() lets it catch up one transaction.
 * Watches fire when the view passes the change. So each session sees the one
 * order of all changes, each at its own pace, which is all that ZooKeeper
 * promises ("Consistency Guarantees" in its programmer's guide).
 *
 * Only existence is remembered over time: data and Stat are read as they are
 * newest.
 */
#ifndef ZKFS_SIM_SERVER_H
#define ZKFS_SIM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/hash.h"
#include "fs/base/list.h"
#include "include/zkfs/zk.h"

#define SIM_FOREVER INT64_MAX

struct sim_node {
	struct zkfs_hash_link by_path;
	struct zkfs_link sibling; /* in the parent's children */
	struct zkfs_link children;
	struct sim_node *parent;
	char *path;
	const char *name; /* inside path */
	int64_t dzxid;	  /* SIM_FOREVER while it lives */
	/* Of the sequence numbers: the next, as it is stored and as the
	 * changes under way make it. The first never falls. */
	int32_t counter, outstanding;
	int64_t counted; /* zxid of the newest transaction that counted */
	struct zkfs_stat stat;
	char *data;
	char *acl;
	size_t acl_len;
	uint64_t tag; /* the simulation's; 0 at first */
};

struct sim_session {
	struct zkfs_link link;
	int64_t id;
	bool alive;
	bool linked; /* a client is connected; else only `seen` holds */
	int64_t view;
	int64_t seen; /* the newest zxid its client has been told */
	struct zkfs_link watches;
	struct zkfs_link events; /* struct sim_event, not yet taken */
};

/* A notification on its way. */
struct sim_event {
	struct zkfs_link link;
	enum zkfs_zk_event event;
	bool child; /* for child watches */
	char *path;
};

/* A request as the server has it: a copy. */
struct sim_call {
	enum zkfs_zk_kind kind;
	char *path;
	bool watch;
	struct zkfs_zk_op *ops;
	size_t n_ops;
};

struct sim_answer {
	enum zkfs_error error;
	int64_t zxid;
	bool has_stat;
	struct zkfs_stat stat;
	char *data;
	size_t len;
	char **names;
	size_t n_names;
	size_t failed;
};

struct sim_server {
	struct zkfs_hash nodes;
	struct sim_node *root;
	struct zkfs_link sessions;
	int64_t zxid;
	int64_t now_ms;
	int64_t last_session;
	bool pipelined; /* creates follow each other closely: see make() */

	/* What happened, oldest first, as far back as any view is. */
	struct sim_change *log;
	size_t log_len;
	size_t log_cap;
};

struct sim_change {
	int64_t zxid;
	enum zkfs_zk_event event; /* CREATED, DELETED or CHANGED */
	struct sim_node *node;
};

struct sim_server *sim_server_new(void);
struct sim_server *sim_server_free(struct sim_server *server);

struct sim_session *sim_server_open(struct sim_server *server);
/* The session ends: its ephemerals go in one transaction. The object stays
 * until the server is freed. */
void sim_server_expire(struct sim_server *server, struct sim_session *session);
/* The client's connection: watches and notifications end with it. */
void sim_server_unlink(struct sim_session *session);
/* Connected again, to a replica at `view`, no older than what it has seen. */
void sim_server_relink(struct sim_session *session, int64_t view);

/* Executes a call; results of its ops are stored in them. Events it causes are
 * in the session's queue before this returns. */
void sim_server_execute(struct sim_server *server, struct sim_session *session,
			struct sim_call *call, struct sim_answer *ret_answer);
void sim_answer_fini(struct sim_answer *answer);
/* Lets the session's replica apply one transaction. False: it is up to date. */
bool sim_server_advance(struct sim_server *server, struct sim_session *session);

/* The newest truth, for simulations and their checks: NULL if there is none. */
struct sim_node *sim_server_find(const struct sim_server *server,
				 const char *path);
static inline bool sim_node_lives(const struct sim_node *node)
{
	return node->dzxid == SIM_FOREVER;
}

/* Single changes made by somebody outside. They return the znode, or false,
 * when it cannot be. `owner` may be NULL: a persistent znode. */
struct sim_node *sim_server_create(struct sim_server *server,
				   struct sim_session *owner, const char *path,
				   bool sequence);
bool sim_server_delete(struct sim_server *server, struct sim_node *node);
bool sim_server_touch(struct sim_server *server, struct sim_node *node);
bool sim_server_set(struct sim_server *server, struct sim_node *node,
		    const char *text);
void sim_server_set_acl(struct sim_node *node, const void *acl, size_t len);

#endif
