/*
 * notify: see notify.h.
 */
#include "fs/ops/notify.h"

#include <fuse_lowlevel.h>

void zkfs_notify_attr(struct zkfs_fs *fs, const struct zkfs_node *node)
{
	if (!fs->session || node->n_lookups == 0)
		return;
	/* ENOENT: the kernel has forgotten it meanwhile; nothing to tell. */
	(void)fuse_lowlevel_notify_inval_inode(fs->session, node->id, -1, 0);
}
