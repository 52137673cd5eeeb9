/*
 * private: the client's one structure, for the files of this layer only.
 *
 *   port.c        what include/zkfs/zk.h promises: submit, cancel, ask
 *   send.c        requests become calls of the library
 *   call.c        those that are under way
 *   completion.c  what the library calls
 *   connection.c  the socket
 *   report.c      numbers for operators
 *   session.c     handle, state, and the turn of the loop
 */
#ifndef ZKFS_ZK_PRIVATE_H
#define ZKFS_ZK_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zookeeper/zookeeper.h>

#include "fs/zk/names.h"
#include "fs/zk/outbox.h"
#include "fs/zk/watch.h"
#include "include/zkfs/report.h"
#include "include/zkfs/zk.h"

struct zkfs_auth;
struct zkfs_tls;

/* The server throttles beyond 1000; more than this only adds latency. */
#define ZKFS_CALLS_MAX 256
/* Bytes the library may hold of what it has not sent or heard of. */
#define ZKFS_CALLS_BYTES_MAX (16 * 1024 * 1024)

enum zkfs_session_state {
	ZKFS_SESSION_CONNECTING, /* no session yet */
	ZKFS_SESSION_CONNECTED,
	ZKFS_SESSION_RECONNECTING, /* the session may still live */
	ZKFS_SESSION_EXPIRED,	   /* the next is about to be opened */
	ZKFS_SESSION_REFUSED,	   /* authentication failed */
	ZKFS_SESSION_CLOSED,
	_ZKFS_SESSION_STATE_N
};

struct zkfs_zk {
	char *hosts; /* for the library, chroot included */
	unsigned n_hosts;
	char *chroot;
	size_t chroot_len;
	struct zkfs_names names;
	int asked_ms; /* the session timeout we ask for */
	const struct zkfs_auth *auth;
	struct zkfs_tls *tls; /* or NULL */

	zhandle_t *zh; /* NULL between two sessions */
	enum zkfs_session_state state;
	int64_t since_ms; /* it is that */
	uint64_t generation;
	uint64_t connection; /* the one there is, or the next */
	int64_t session_id;
	char server[64]; /* connected last; "" before the first */
	clientid_t id;	 /* of the same session, for another handle */
	bool moved;	 /* this handle has never seen what the last one has */
	int timeout_ms;	 /* negotiated */
	bool over;	 /* the session that `generation` counts has ended */
	bool closing;	 /* zkfs_session_close(): `done` is not called */

	int fd;
	short events;
	int64_t interest_ms; /* the library wants to be asked again */
	int64_t attempt_ms;  /* the connect under way began; ZKFS_NEVER: none */
	int64_t begun_ms;    /* when the one that succeeded last began */
	int64_t reopen_ms;   /* without a handle: make one no sooner */
	unsigned n_cuts;     /* connects cut short since the last success */
	bool torn;	     /* a send failed; see connection.c */
	bool cut;	     /* this connection is to be given up */
	bool prompt;	     /* none was attempted since the last good one */

	struct zkfs_outbox outbox;
	struct zkfs_link calls; /* zkfs_call.link, in the order of sending */
	size_t n_calls;
	size_t calls_bytes;
	struct zkfs_watch_table watches;
	struct zkfs_link listeners;
	struct zkfs_zk_metrics metrics;
};

/* Whether requests can be handed to the library. */
bool zkfs_session_usable(const struct zkfs_zk *zk);
/* Whether `generation`, as a request names it, can (still) be served. */
bool zkfs_session_serves(const struct zkfs_zk *zk, uint64_t generation);

/* Follows the library's state. To be called after each call into it that may
 * have changed that, and outside of its callbacks. */
void zkfs_session_settle(struct zkfs_zk *zk);

#endif
