/*
 * xattr: the user.zk.* attributes, read-only.
 */
#ifndef ZKFS_OPS_XATTR_H
#define ZKFS_OPS_XATTR_H

#include <fuse_lowlevel.h>

void zkfs_xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
		    size_t size);
void zkfs_xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
void zkfs_xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
		    const char *value, size_t size, int flags);
void zkfs_xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
