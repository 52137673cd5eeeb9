/*
 * io: reading, writing and closing an open file. Reads are served from its
 * snapshot, writes are collected and committed by ops/store.
 *
 * Conflicts are looked for in three places, each cheaper and earlier than the
 * set that would fail: the watch of the handle, commits of other handles of
 * this mount, and, when no watch is live (a truncating open sets none, our own
 * commit has used it up, or the connection was lost), one look before a write
 * is taken. Shells report the errors of open and write only, so that write has
 * to know.
 */
#ifndef ZKFS_OPS_IO_H
#define ZKFS_OPS_IO_H

#include <fuse_lowlevel.h>

#include "fs/ops/handle.h"

struct zkfs_file;     /* ops/file.h */
struct zkfs_store_op; /* ops/store.h */

void zkfs_io_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		  struct fuse_file_info *fi);
void zkfs_io_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		   size_t size, off_t off, struct fuse_file_info *fi);
void zkfs_io_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_io_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		   struct fuse_file_info *fi);
/* The lock that its writer relied on is lost: what is not committed yet never
 * will be, and the commit says EIO. */
void zkfs_io_lock_lost(struct zkfs_handle *handle);
/* The last close. */
void zkfs_io_release(struct zkfs_handle *handle);
/* A write or an ftruncate(2) for which there is no memory: what comes behind it
 * would be no file either, so the handle fails with -ENOMEM, which is returned.
 * The file may be NULL. */
int zkfs_io_starved(struct zkfs_file *file);
/* ftruncate(2), for ops/meta: takes the op over. */
void zkfs_io_truncate(struct zkfs_store_op *op, struct zkfs_file *file,
		      size_t size, uint64_t owner);

#endif
