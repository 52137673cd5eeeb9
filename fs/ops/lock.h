/*
 * lock: contenders behind file handles. A directory right below a lock root is
 * a lock; opening a name in it for writing joins its queue and returns when
 * the lock is ours; the last close, death or rm release it. The recipe is
 * core/lockq; here are its requests, the waiting opens, and what the entries of
 * a lock look like.
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

/* Whether the path is a lock: a directory right below a lock root. */
bool zkfs_lock_is_lock(const struct zkfs_fs *fs, const char *path);
/* Whether the node is one (by its path; false when memory is short). */
bool zkfs_lock_is_lock_node(const struct zkfs_fs *fs,
			    const struct zkfs_node *node);

/* Look-up and mknod of a name in a lock. They take over an op whose node is
 * the lock and whose path and name are set (zkfs_op_path). */
void zkfs_lock_lookup(struct zkfs_op *op);
void zkfs_lock_mknod(struct zkfs_op *op);
/* `rm` of an entry: leaves the queue, or breaks somebody else's lock. */
void zkfs_lock_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);

/* Operations on an entry or its handle. */
void zkfs_lock_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_lock_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void zkfs_lock_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi);
void zkfs_lock_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_lock_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi);
/* Forgets an entry opened for reading: the mount is gone. */
void zkfs_lock_drop_text(struct zkfs_fs *fs, struct zkfs_handle *handle);
void zkfs_lock_entry_stat(const struct zkfs_fs *fs,
			  const struct zkfs_node *node, struct stat *ret_st);

/* The names `ls` shows for the children of a lock: one a contender, in the
 * order of the queue, children that are no contenders last. A new array of new
 * strings; 0 or -ENOMEM. */
int zkfs_lock_display(const struct zkfs_fs *fs, const char *lock,
		      const char *const *names, size_t n_names,
		      char ***ret_display, size_t *ret_n);

/* For ops/fs: the session changed; time passed; the next deadline. */
void zkfs_lock_session(struct zkfs_fs *fs);
void zkfs_lock_tick(struct zkfs_fs *fs, int64_t now_ms);
int64_t zkfs_lock_deadline(const struct zkfs_fs *fs);
/* A contender has left: an `rm` may have waited for that. */
void zkfs_lock_left(struct zkfs_fs *fs);

#endif
