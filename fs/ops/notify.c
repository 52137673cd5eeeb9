/*
 * notify: see notify.h.
 */
#include "fs/ops/notify.h"

#include <fuse_lowlevel.h>

#include "fs/ops/notifier.h"

int zkfs_notify_start(struct zkfs_fs *fs)
{
	return zkfs_notifier_new(fuse_session_fd(fs->session), &fs->notifier);
}

void zkfs_notify_attr(struct zkfs_fs *fs, const struct zkfs_node *node)
{
	if (!fs->session || node->n_lookups == 0)
		return;
	/* ENOENT: the kernel has forgotten it meanwhile; nothing to tell. */
	(void)fuse_lowlevel_notify_inval_inode(fs->session, node->id, -1, 0);
}

void zkfs_notify_entry(struct zkfs_fs *fs, uint64_t parent_id, const char *name)
{
	if (!fs->notifier)
		return;
	if (zkfs_notifier_push(fs->notifier, parent_id, name) < 0 &&
	    !zkfs_notify_all(fs))
		fs->names_lost = true;
}

bool zkfs_notify_all(struct zkfs_fs *fs)
{
	return !fs->notifier || zkfs_notifier_expire_all(fs->notifier) == 0;
}

void zkfs_notify_settle(struct zkfs_fs *fs, bool all)
{
	struct zkfs_notifier_counts counts = {0};

	if (fs->notifier)
		zkfs_notifier_count(fs->notifier, &counts);
	if (all || counts.queued > 0)
		(void)zkfs_notify_all(fs);
}
