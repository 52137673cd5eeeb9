/*
 * session: the ZooKeeper client behind the port (include/zkfs/zk.h), over
 * libzookeeper_st, driven by the daemon's poll(2) loop.
 *
 * Each turn of the loop: zkfs_session_prepare() gives the descriptor, events
 * and deadline; after poll, zkfs_session_receive() reads what came, runs
 * completions and watches, and opens a new session when the old one has
 * expired; zkfs_session_send() ends the turn. The descriptor must be asked for
 * anew each turn: the client reopens its socket under the same number.
 *
 * What submits requests belongs between the two: it knows what the server has
 * said by then, and what it asks is sent in the same turn. `done`, `fired` and
 * `changed` are called from these two only, and may do anything but call the
 * functions of this file.
 */
#ifndef ZKFS_ZK_SESSION_H
#define ZKFS_ZK_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/zk.h"

struct zkfs_tls;  /* fs/zk/tls.h */
struct zkfs_auth; /* fs/zk/auth.h: credentials from -o authfile= */

/* The shortest session timeout that may be asked for. */
#define ZKFS_SESSION_TIMEOUT_MIN_MS 500

struct zkfs_session_config {
	const char *servers; /* "1.2.3.4:2181,[::1]:2182", numeric only */
	const char *hosts;   /* as they were given, by name; or NULL */
	const char *chroot;  /* "" or "/a/b" */
	int timeout_ms;	     /* asked for; the server clamps it */
	size_t watch_budget; /* bytes of watched paths; 0: the default */
	const struct zkfs_auth *auth; /* or NULL; must outlive the session */
	struct zkfs_tls *tls;	      /* the same; NULL: without TLS */
};

/* Returns 0 and the port, or a negative errno. No I/O yet but a socket. */
int zkfs_session_open(const struct zkfs_session_config *config,
		      struct zkfs_zk **ret_zk);
/* Closes: sends what is queued while connected for up to `drain_ms`, then the
 * session's end, so that ephemerals vanish at once; blocks for that long plus
 * the client's own limit (facts/zookeeper.md, 1: at most 4.5 s). No `done` is
 * called any more. Returns NULL. */
struct zkfs_zk *zkfs_session_close(struct zkfs_zk *zk, int drain_ms);

/* What to poll: *ret_fd is -1 when there is none; *ret_deadline_ms is
 * zkfs_clock_ms() time, ZKFS_NEVER if none. Never calls back. */
void zkfs_session_prepare(struct zkfs_zk *zk, int *ret_fd, short *ret_events,
			  int64_t *ret_deadline_ms);
/* Both are to be called after every poll; `revents` of the descriptor given
 * before. */
void zkfs_session_receive(struct zkfs_zk *zk, short revents);
/* Sends what was submitted; time-outs, and answers that need no server. */
void zkfs_session_send(struct zkfs_zk *zk);

/* What another client needs to take the session over, and so to end it. For
 * tests only: it is as good as the session itself. Returns 0, or -ENOTCONN
 * before the first session. */
int zkfs_session_secret(const struct zkfs_zk *zk, int64_t *ret_id,
			char ret_passwd[16]);

/* Credentials that are new: those of `auth` that `old`, which the session has,
 * does not have. What it has it keeps to its end. */
void zkfs_session_add_auth(struct zkfs_zk *zk, const struct zkfs_auth *auth,
			   const struct zkfs_auth *old);

/* Why there is no connection, a line that names the last server that was tried,
 * or NULL; `*ret_final`: all have been tried, and it will not be otherwise. To
 * be asked before the first connection. */
const char *zkfs_session_failure(const struct zkfs_zk *zk, bool *ret_final);

/* A word for the log and the status: "connected", "connecting", ... */
const char *zkfs_session_state(const struct zkfs_zk *zk);

#endif
