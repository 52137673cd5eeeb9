/*
 * lockview: what is known of a lock without asking: that nobody is in it but
 * contenders of this mount. It is known by a list under a child watch, until
 * that fires; the list is the one that a join sends behind its transaction
 * anyway, or a look-up. A look-up of a name and a try need no request then,
 * and taking a free lock is one round trip.
 *
 * A lock in which others have been met is not watched: its queue changes all
 * the time, and each change would tell each host. It is again when a list
 * shows nobody else.
 *
 * No lock is granted by what is here; and it is never older than any answer of
 * a server that this client has had, as events come before.
 */
#ifndef ZKFS_OPS_LOCKVIEW_H
#define ZKFS_OPS_LOCKVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/base/hash.h"
#include "include/zkfs/link.h"
#include "include/zkfs/lockq.h"
#include "include/zkfs/zk.h"

struct zkfs_contender;
struct zkfs_fs;

/* Locks remembered: of those that this mount has joined the most recent. */
#define ZKFS_LOCKVIEWS_MAX 1024

struct zkfs_lockviews {
	struct zkfs_hash by_path;
	struct zkfs_link recent; /* the oldest first */
	size_t n;
};

int zkfs_lockviews_init(struct zkfs_lockviews *views);
void zkfs_lockviews_fini(struct zkfs_fs *fs);

/* Nobody is in the lock but contenders of this mount. */
bool zkfs_lockview_alone(struct zkfs_fs *fs, const char *lock);

enum zkfs_lockview_try {
	ZKFS_LOCKVIEW_UNKNOWN,
	ZKFS_LOCKVIEW_FREE,
	ZKFS_LOCKVIEW_BUSY,
};
/* What a try would find. */
enum zkfs_lockview_try zkfs_lockview_try(struct zkfs_fs *fs, const char *lock,
					 enum zkfs_lock_mode mode);

/* Who of this mount has held it; NULL: nobody, or there is no room to `make` it
 * known. */
struct zkfs_lockq_holders *zkfs_lockview_holders(const struct zkfs_fs *fs,
						 const char *lock, bool make);

/* A contender is about to join. */
void zkfs_lockview_joining(struct zkfs_fs *fs, const char *lock);
/* ... to leave: the list is read again when that has happened. */
void zkfs_lockview_leaving(const struct zkfs_contender *contender);
/* A list of the lock is about to be asked for: the watch it should set, or
 * NULL. Its answer is told with _listed, or that it is given up. */
struct zkfs_zk_watch *zkfs_lockview_watch(struct zkfs_fs *fs, const char *lock);
void zkfs_lockview_given_up(struct zkfs_zk_watch *watch);
void zkfs_lockview_listed(struct zkfs_fs *fs, const char *lock,
			  struct zkfs_zk_watch *watch,
			  const struct zkfs_zk_reply *reply);

#endif
