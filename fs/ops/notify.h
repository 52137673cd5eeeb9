/*
 * notify: telling the kernel what has changed behind its back.
 */
#ifndef ZKFS_OPS_NOTIFY_H
#define ZKFS_OPS_NOTIFY_H

#include "fs/ops/fs.h"

/* The node's attributes are not what the kernel was told. Safe in the loop:
 * an offset of -1 touches no page and takes no lock (fuse_reverse_inval_inode
 * returns before it looks at pages); names must not be invalidated from here,
 * that waits for the directory's lock. */
void zkfs_notify_attr(struct zkfs_fs *fs, const struct zkfs_node *node);

#endif
