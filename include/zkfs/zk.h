/*
 * zk: the port. It says what zkfs asks of a ZooKeeper client, and nothing of
 * how. fs/zk implements it over libzookeeper_st; tests/sim implements it over
 * a server in memory with virtual time. Neither libfuse nor the client's types
 * appear here.
 *
 * Requests. The caller embeds a `struct zkfs_zk_req`, fills it (zeroed first)
 * and submits it. Path, data and operations must stay as they are until `done`
 * is called or the request is cancelled. Submitting cannot fail: every failure
 * comes as a reply, never from inside submit, so `done` runs from the loop
 * only. After `done` has been called the memory is the caller's again, and may
 * be freed or submitted anew from inside it.
 *
 * Order. Requests of one session are sent in the order they are submitted, and
 * the server executes and answers them in that order. Across a reconnect
 * reads are sent again by the port, in order; changes that were sent and not
 * answered are not: they come back as ZKFS_E_LOST.
 *
 * Waiting. A request that cannot be sent, or is not answered, by `deadline_ms`
 * comes back as ZKFS_E_TIMEDOUT if it certainly did not happen (reads, and
 * changes that were never sent), else as ZKFS_E_LOST.
 *
 * Connections. What a change rests on, by a version that may be another znode's
 * tomorrow, is known while the connection lasts over which it was watched or
 * read. `zkfs_zk_connection()` counts them; while there is none it is the next
 * one's number. A change may be bound to one: it comes back as ZKFS_E_UNSENT
 * when that is lost before it was sent.
 *
 * Sessions. A session ends by expiry; the port then opens the next one by
 * itself. `zkfs_zk_generation()` counts them. A request may be bound to one
 * generation: it comes back as ZKFS_E_EXPIRED when that session is over before
 * it was sent. One that was sent and unanswered when the session ended comes
 * back as ZKFS_E_LOST if it changes something.
 */
#ifndef ZKFS_ZK_H
#define ZKFS_ZK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/error.h"
#include "include/zkfs/link.h"

struct zkfs_zk;
struct zkfs_zk_req;
struct zkfs_zk_watch;

/* ZooKeeper's Stat. Times in milliseconds since 1970. */
struct zkfs_stat {
	int64_t czxid;
	int64_t mzxid;
	int64_t pzxid;
	int64_t ctime_ms;
	int64_t mtime_ms;
	int32_t version;
	int32_t cversion;
	int32_t aversion;
	int32_t data_length;
	int32_t num_children;
	int64_t ephemeral_owner;
};

enum zkfs_zk_kind {
	ZKFS_ZK_EXISTS,	  /* reply: stat */
	ZKFS_ZK_GET,	  /* reply: data, stat */
	ZKFS_ZK_CHILDREN, /* reply: names, stat */
	ZKFS_ZK_GET_ACL,  /* reply: data (the ACL), stat; NOAUTH also when only
			   * a part of it may be seen */
	ZKFS_ZK_SET,	  /* path, data, version; reply: stat */
	ZKFS_ZK_SET_ACL,  /* path, data (as GET_ACL gives it), version: that of
			   * the ACL, `aversion` */
	ZKFS_ZK_DELETE,	  /* path, version */
	ZKFS_ZK_MULTI,	  /* ops, n_ops; reply: their results */
	ZKFS_ZK_SYNC,	  /* path; through the leader, changes nothing */
	_ZKFS_ZK_KIND_N
};

/* One operation of a multi. A single create is a multi of one. */
enum zkfs_zk_op_kind {
	ZKFS_ZK_OP_CREATE, /* path, data, flags, acl; result: name */
	ZKFS_ZK_OP_SET,	   /* path, data, version; result: stat */
	ZKFS_ZK_OP_DELETE, /* path, version */
	ZKFS_ZK_OP_CHECK,  /* path, version */
};

#define ZKFS_ZK_EPHEMERAL 1
#define ZKFS_ZK_SEQUENCE  2 /* the server appends ten digits to the path */

#define ZKFS_ZK_ANY_VERSION (-1)
/* Room for a created name with its ten digits and the NUL. */
#define ZKFS_ZK_NAME_MAX 512

struct zkfs_zk_op {
	enum zkfs_zk_op_kind kind;
	const char *path;
	const void *data;
	size_t len;
	int32_t version;
	int flags;
	/* As GET_ACL gave it, for this port alone to read; NULL: everything to
	 * everybody. */
	const void *acl;
	size_t acl_len;

	/* Results, filled before `done`. When the transaction has failed: the
	 * error of the operation at fault, ROLLEDBACK for all others. */
	enum zkfs_error error;
	struct zkfs_stat stat; /* of a set */
	char name[ZKFS_ZK_NAME_MAX];
};

/* What happened to a watched znode. */
enum zkfs_zk_event {
	ZKFS_ZK_CREATED,
	ZKFS_ZK_DELETED,
	ZKFS_ZK_CHANGED,
	ZKFS_ZK_CHILD,
	/* The connection is gone: what the watch covered may have changed. */
	ZKFS_ZK_UNWATCHED,
};

/*
 * A one-shot watch, embedded by the caller and handed to an EXISTS, GET or
 * CHILDREN request. It is live from before that request's `done` (when the
 * server has set it: EXISTS always, GET and CHILDREN when the znode exists)
 * until `fired` is called or zkfs_zk_unwatch(). It is never called after
 * either. One's own changes fire it too, before the change's own reply.
 */
struct zkfs_zk_watch {
	void (*fired)(struct zkfs_zk_watch *watch, enum zkfs_zk_event event);
	bool live; /* read only for the caller */

	/* The port's. */
	struct zkfs_link link;
	void *slot;
};

struct zkfs_zk_reply {
	enum zkfs_error error;
	const struct zkfs_stat *stat; /* NULL where there is none */
	const void *data;	      /* GET; may be NULL when len is 0 */
	size_t len;
	const char *const *names; /* CHILDREN: not sorted */
	size_t n_names;
	size_t failed; /* MULTI: index of the operation that failed */
	bool watched;  /* the request's watch is live */
	uint64_t generation;
};

struct zkfs_zk_req {
	enum zkfs_zk_kind kind;
	const char *path;
	const void *data;
	size_t len;
	int32_t version;
	struct zkfs_zk_op *ops;
	size_t n_ops;
	struct zkfs_zk_watch *watch; /* or NULL */
	int64_t deadline_ms;	     /* zkfs_clock_ms(); ZKFS_NEVER: none */
	uint64_t generation;	     /* 0: any session will do */
	uint64_t connection;	     /* 0: any will do */
	/* The reply and all it points to are valid for this call only. */
	void (*done)(struct zkfs_zk_req *req,
		     const struct zkfs_zk_reply *reply);

	/* The port's. */
	struct zkfs_link link;
	void *call;
	uint64_t seq;		 /* place in the order of submission */
	enum zkfs_error verdict; /* the answer, once it is decided */
	bool active;
};

/* A listener of the session's state, called from the loop. */
struct zkfs_zk_listener {
	/* `connected` turned, or the generation grew. */
	void (*changed)(struct zkfs_zk_listener *listener);
	struct zkfs_link link;
};

void zkfs_zk_submit(struct zkfs_zk *zk, struct zkfs_zk_req *req);
/* Sends what was submitted, as far as that goes, and not only at the end of the
 * loop's turn: for what others wait for. Not from inside `done`. */
void zkfs_zk_push(struct zkfs_zk *zk);
/* Forgets a request: `done` will not be called, its memory and watch are the
 * caller's at once. Harmless on one that is not under way. What was sent may
 * still be executed by the server. */
void zkfs_zk_cancel(struct zkfs_zk *zk, struct zkfs_zk_req *req);
/* Takes a watch back; harmless on one that is not live. */
void zkfs_zk_unwatch(struct zkfs_zk *zk, struct zkfs_zk_watch *watch);

/* Half of the watches there is room for are set: who can do without one should.
 * What is over is not set, and the reply says so. */
bool zkfs_zk_watches_scarce(const struct zkfs_zk *zk);

bool zkfs_zk_connected(const struct zkfs_zk *zk);
/* 1, 2, ...: grows when the connection is lost. */
uint64_t zkfs_zk_connection(const struct zkfs_zk *zk);
/* 0 before the first session, then 1, 2, ... */
uint64_t zkfs_zk_generation(const struct zkfs_zk *zk);
/* The server's id of the current session, as `ephemeralOwner` shows it. */
int64_t zkfs_zk_session_id(const struct zkfs_zk *zk);
/* Negotiated session timeout; what was asked for before the first session. */
int64_t zkfs_zk_timeout_ms(const struct zkfs_zk *zk);
/* When the attempt began that led to the present connection, or a moment before
 * (zkfs_clock_ms()): the server has heard of us since. NEVER: not known. */
int64_t zkfs_zk_begun_ms(const struct zkfs_zk *zk);
/* Bytes of data one `set` of `path` can carry: jute.maxbuffer less the
 * request's own bytes, chroot included. */
size_t zkfs_zk_data_max(const struct zkfs_zk *zk, const char *path);

void zkfs_zk_listen(struct zkfs_zk *zk, struct zkfs_zk_listener *listener);
void zkfs_zk_unlisten(struct zkfs_zk *zk, struct zkfs_zk_listener *listener);

#endif
