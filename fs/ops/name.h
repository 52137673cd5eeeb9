/*
 * name: making and removing names, one at a time. Moving them is ops/rename.
 */
#ifndef ZKFS_OPS_NAME_H
#define ZKFS_OPS_NAME_H

#include <fuse_lowlevel.h>
#include <sys/types.h>

#include "fs/ops/fs.h"

void zkfs_name_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev);
void zkfs_name_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode);
void zkfs_name_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_name_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_name_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		       const char *name);
void zkfs_name_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		    const char *name);

#endif
