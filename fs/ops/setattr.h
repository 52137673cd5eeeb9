/*
 * setattr: changing attributes. truncate(2) and touch(1) on a name that the
 * caller has not open are a read-modify-write loop; ftruncate(2) goes on in the
 * open file (ops/io); owner, mode and explicit times have no place in a znode.
 */
#ifndef ZKFS_OPS_SETATTR_H
#define ZKFS_OPS_SETATTR_H

#include <fuse_lowlevel.h>

void zkfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		  struct fuse_file_info *fi);

#endif
