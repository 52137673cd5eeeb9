/*
 * rename: moving files and directories, each in one transaction.
 */
#ifndef ZKFS_OPS_RENAME_H
#define ZKFS_OPS_RENAME_H

#include <fuse_lowlevel.h>

/* What one transaction carries of a directory; beyond it, EXDEV makes mv(1)
 * copy. */
#define ZKFS_RENAME_NODES_MAX 1000

void zkfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		 fuse_ino_t newparent, const char *newname, unsigned flags);

#endif
