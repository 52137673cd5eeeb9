/*
 * lock: the names in a lock. A directory right below a lock root is
 * a lock; opening a name in it for writing joins its queue and returns when
 * the lock is ours; the last close, death or rm release it.
 *
 *   lock       which directories are locks; look-up, mknod, rm of a name
 *   hold       opening to join, and the handle of what was joined
 *   entry      opening to read, and what the entries look like
 *   lockdir    mkdir of a name to try, rmdir to release
 *   queuefile  who holds it and who waits, as a table
 *   contender  one core/lockq with its requests to the server
 *
 * Names in a lock are not znodes: an entry exists while a contender of that
 * name does, or for a moment after MKNOD, since the kernel makes a name before
 * it opens it.
 */
#ifndef ZKFS_OPS_LOCK_H
#define ZKFS_OPS_LOCK_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/handle.h"
#include "fs/ops/reply.h"

struct zkfs_contender; /* ops/contender.h */

/* Whether the path is a lock: a directory right below a lock root. */
bool zkfs_lock_is_lock(const struct zkfs_fs *fs, const char *path);
/* Whether the node is one (by its path; false when memory is short). */
bool zkfs_lock_is_lock_node(const struct zkfs_fs *fs,
			    const struct zkfs_node *node);

/* Whether it is a file that each lock has and that is no contender: ".lock", to
 * call flock(2) on, or ".queue" (ops/queuefile). They are not listed. */
bool zkfs_lock_is_virtual(const char *name);

/* Whether a user may call a contender so: 0, or the errno. */
int zkfs_lock_check_label(const char *name);

/* Look-up and mknod of a name in a lock. They take over an op whose node is
 * the lock and whose path and name are set (zkfs_op_path). */
void zkfs_lock_lookup(struct zkfs_op *op);
void zkfs_lock_mknod(struct zkfs_op *op);
/* `rm` of an entry: leaves the queue, or breaks somebody else's lock. */
void zkfs_lock_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);

/* A contender of this mount by that name, in the queue or on its way there or
 * out; or NULL. */
struct zkfs_contender *zkfs_lock_find_ours(const struct zkfs_fs *fs,
					   const char *lock, const char *label);

/* Whether the entry was of this mount and is lost, while it is still open. */
bool zkfs_lock_is_lost(const struct zkfs_fs *fs, const struct zkfs_node *node);

/* For ops/fs: the session changed; time passed; the next deadline. */
void zkfs_lock_session(struct zkfs_fs *fs);
void zkfs_lock_tick(struct zkfs_fs *fs, int64_t now_ms);
int64_t zkfs_lock_deadline(const struct zkfs_fs *fs);
/* A contender or an `rm` has got a deadline: tick by then. */
void zkfs_lock_wake(struct zkfs_fs *fs, int64_t at_ms);
/* A contender has left: an `rm` may have waited for that. */
void zkfs_lock_left(struct zkfs_fs *fs);

#endif
