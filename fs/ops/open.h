/*
 * open: opening a file takes a snapshot: one version of its data, from the
 * cache where a watch covers it, else by one get.
 */
#ifndef ZKFS_OPS_OPEN_H
#define ZKFS_OPS_OPEN_H

#include <fuse_lowlevel.h>

void zkfs_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
