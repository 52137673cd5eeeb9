/*
 * dir: listing directories.
 */
#ifndef ZKFS_OPS_DIR_H
#define ZKFS_OPS_DIR_H

#include <fuse_lowlevel.h>

#include "fs/ops/handle.h"

struct zkfs_dir;

void zkfs_dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_dir_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi);
void zkfs_dir_readplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi);
void zkfs_dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		    struct fuse_file_info *fi);
void zkfs_dir_release(fuse_req_t req, fuse_ino_t ino,
		      struct fuse_file_info *fi);
/* Forgets an open directory: the mount is gone. */
void zkfs_dir_drop(struct zkfs_fs *fs, struct zkfs_handle *handle);

#endif
