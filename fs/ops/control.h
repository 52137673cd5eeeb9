/*
 * control: the mount's own directory, /.zkfs (-o ctlname=), and its files:
 * `status` and `metrics` (core/status). It is found by name and not listed; a
 * znode of that name is hidden by it. Nothing in it can be changed, and
 * nothing of it asks a server: it answers at once with every server dead.
 */
#ifndef ZKFS_OPS_CONTROL_H
#define ZKFS_OPS_CONTROL_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/fs.h"

/* Whether a name in a directory is the control directory, or in it. */
bool zkfs_control_has(const struct zkfs_fs *fs, const struct zkfs_node *dir,
		      const char *name);

/* For names and nodes of which that is so, or zkfs_attr_is_control(). */
void zkfs_control_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_control_getattr(fuse_req_t req, fuse_ino_t ino);
void zkfs_control_open(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi);
void zkfs_control_opendir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi);
void zkfs_control_readdir(fuse_req_t req, fuse_ino_t ino, size_t size,
			  off_t off);
void zkfs_control_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			      off_t off);
void zkfs_control_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

#endif
