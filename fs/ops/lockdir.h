/*
 * lockdir: `mkdir LOCK/NAME` is a try-lock, as in many a shell script: it takes
 * the lock for the mount, not for a process, or fails with EEXIST while anybody
 * else has it or waits for it; `rmdir` gives it back. While it is held the name
 * is an empty directory on this mount, and an ordinary entry on others. Once
 * the lock is lost the directory is gone.
 *
 * A mkdir that finds the lock busy costs reads, and changes nothing. It never
 * waits for the lock, nor long for a server: the kernel holds the directory
 * all the while.
 */
#ifndef ZKFS_OPS_LOCKDIR_H
#define ZKFS_OPS_LOCKDIR_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/reply.h"

/* In a lock. */
void zkfs_lockdir_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_lockdir_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

/* Answers the look-up of a name in the lock (its path) if it is that of a
 * directory; one that is lost and not yet taken out of the queue is there no
 * more. False: it is not such a name. */
bool zkfs_lockdir_lookup(struct zkfs_op *op, const char *lock);
/* Answers with the attributes of the LOCKDIR op->node, or ESTALE. */
void zkfs_lockdir_answer_attr(struct zkfs_op *op);
/* The name of the directory by which this mount holds the lock, or NULL. */
const char *zkfs_lockdir_held_in(const struct zkfs_fs *fs, const char *lock);
/* The node of that directory, its Stat set; NULL if it is none (any more) or
 * memory is short. The reference is the caller's. */
struct zkfs_node *zkfs_lockdir_node(struct zkfs_fs *fs,
				    struct zkfs_node *parent, const char *lock,
				    const char *name);

/* The mount is gone; the contenders are left to their own end. */
void zkfs_lockdir_fini(struct zkfs_fs *fs);

#endif
