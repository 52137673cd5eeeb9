/*
 * watch: who wants to hear of which znode. The library is given one watcher
 * function and one context for everything (with several, each lost connection
 * costs it the square of their number), so it can only say "this path"; this
 * table knows the subscribers.
 *
 * A path has two halves, as in the server: the data watch (set by EXISTS and
 * GET) and the child watch (set by CHILDREN). A half is in one of these
 * conditions:
 *
 *   pending  requests under way may set it (or remove it)
 *   armed    the library and the server hold it; it fires once
 *   idle     armed, not pending, and its last subscriber has left: it is
 *            kept for the next one, or removed when it is in the way
 *
 * A half that is pending or armed is charged the bytes it would take in the
 * library's SetWatches packet. What is over the budget is not watched. Since
 * every watch is dropped when the connection is lost the packet stays small in
 * any case; the budget then bounds the memory of server and client.
 *
 * The table knows nothing of the library.
 */
#ifndef ZKFS_ZK_WATCH_H
#define ZKFS_ZK_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/base/hash.h"
#include "include/zkfs/zk.h"

/* SetWatches is one packet, and the server takes 1 MiB. */
#define ZKFS_WATCH_BUDGET 900000
/* Idle watches kept before they are removed, oldest first. */
#define ZKFS_WATCH_IDLE_MAX 1024

enum zkfs_watch_kind {
	ZKFS_WATCH_DATA,
	ZKFS_WATCH_CHILD,
	_ZKFS_WATCH_KIND_N
};

struct zkfs_watch_half {
	/* Its subscribers (zkfs_zk_watch.link). One that is idle has none, and
	 * then this is its place in the table's list of those. */
	struct zkfs_link link;
	unsigned n_pending;
	enum zkfs_watch_kind kind : 8;
	bool armed : 1;
	bool charged : 1;
	bool idle : 1;
};

struct zkfs_watch_table {
	struct zkfs_hash slots; /* by path */
	struct zkfs_link idle;	/* zkfs_watch_half.link, oldest first */
	size_t n_idle;
	size_t n_charged; /* halves */
	size_t bytes;
	size_t budget;
	size_t prefix_len; /* of the chroot */
};

/* Returns 0 or -ENOMEM. */
int zkfs_watch_init(struct zkfs_watch_table *table, size_t budget,
		    size_t prefix_len);
/* Subscribers are made not live and not called. */
void zkfs_watch_fini(struct zkfs_watch_table *table);

/* Before a request that is to set a watch is sent: the half becomes pending.
 * Returns NULL when it is over budget or memory is short: the request is then
 * to be sent without a watch. */
struct zkfs_watch_half *zkfs_watch_reserve(struct zkfs_watch_table *table,
					   const char *path,
					   enum zkfs_watch_kind kind);
/* That request was answered. `set` says whether the server has set the watch;
 * `watch` (may be NULL: cancelled) then becomes live. */
void zkfs_watch_settle(struct zkfs_watch_table *table,
		       struct zkfs_watch_half *half, bool set,
		       struct zkfs_zk_watch *watch);

/* zkfs_zk_unwatch(). */
void zkfs_watch_leave(struct zkfs_watch_table *table,
		      struct zkfs_zk_watch *watch);
/* An event came: its subscribers become not live and are called. */
void zkfs_watch_event(struct zkfs_watch_table *table, const char *path,
		      enum zkfs_zk_event event);
/* The connection is gone: `forget` is called for each path that the library
 * holds, then all subscribers with ZKFS_ZK_UNWATCHED. */
void zkfs_watch_disconnect(struct zkfs_watch_table *table,
			   void (*forget)(void *ctx, const char *path),
			   void *ctx);

/* An idle half to remove from the server, which becomes pending, or NULL when
 * none is in the way. */
struct zkfs_watch_half *zkfs_watch_victim(struct zkfs_watch_table *table);
/* That removal was answered; `gone` says whether the server has none now. */
void zkfs_watch_removed(struct zkfs_watch_table *table,
			struct zkfs_watch_half *half, bool gone);

const char *zkfs_watch_path(const struct zkfs_watch_half *half);

#endif
