/*
 * hold: opening an entry of a lock for writing joins the queue and returns when
 * the lock is ours; the handle then is the lock. Reading it tells the token,
 * writing it leaves a note for others to read, its last close gives it up.
 */
#ifndef ZKFS_OPS_HOLD_H
#define ZKFS_OPS_HOLD_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/handle.h"

void zkfs_hold_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_hold_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
/* Answered when the note stands on the server: shells look at the errors of
 * write(2), not at those of close(2). */
void zkfs_hold_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi);
/* FSYNC and FLUSH: EIO once the lock is lost. */
void zkfs_hold_sync(fuse_req_t req, enum zkfs_op_kind kind,
		    const struct fuse_file_info *fi);
/* Whether the lock is lost. */
bool zkfs_hold_broken(const struct zkfs_handle *handle);
/* The last close: the lock is given up. */
void zkfs_hold_drop(struct zkfs_fs *fs, struct zkfs_handle *handle);

#endif
