/*
 * notify: telling the kernel what has changed behind its back.
 */
#ifndef ZKFS_OPS_NOTIFY_H
#define ZKFS_OPS_NOTIFY_H

#include "fs/ops/fs.h"

/* Starts the notifier (notifier.h) on fs->session; it is fs->notifier then, and
 * the daemon's to end. Before that the kernel has nothing to be told of. To be
 * called in the process that stays, before the first request. 0 or a negative
 * errno. */
int zkfs_notify_start(struct zkfs_fs *fs);

/* The node's attributes are not what the kernel was told. Safe in the loop:
 * an offset of -1 touches no page and takes no lock (fuse_reverse_inval_inode
 * returns before it looks at pages). */
void zkfs_notify_attr(struct zkfs_fs *fs, const struct zkfs_node *node);
/* The name in the directory with this node id leads to something else, or to
 * nothing, or to something now: the kernel is to ask again. What is mounted
 * below that name is unmounted. Told later, by the notifier, in the order of
 * the calls. Where there is no room for it, zkfs_notify_all() takes its place;
 * should the kernel not know that, fs->names_lost is set. */
void zkfs_notify_entry(struct zkfs_fs *fs, uint64_t parent_id,
		       const char *name);
/* All names and listings that the kernel keeps are to be asked for again, from
 * this call on. False: this kernel cannot be told so; the caller has to name
 * them one by one. */
bool zkfs_notify_all(struct zkfs_fs *fs);
/* A barrier: names whose end is still to be told are asked for again from this
 * call on, with all others. `all`: in any case. */
void zkfs_notify_settle(struct zkfs_fs *fs, bool all);

#endif
