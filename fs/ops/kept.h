/*
 * kept: directories that this mount works on stay directories for a while,
 * though the type rule may call them files: childless, with data or a history.
 * `rm -r`, `tar -x` and `cp -a` need it (core/tree.h, dir_until_ms). That must
 * not depend on whether the kernel remembers the directory meanwhile, so the
 * newest of them are held.
 */
#ifndef ZKFS_OPS_KEPT_H
#define ZKFS_OPS_KEPT_H

#include <stddef.h>

/* As deep as a tree may be, that is emptied from below; of more the oldest are
 * left to the kernel's memory. */
#define ZKFS_KEPT_N 64

struct zkfs_fs;
struct zkfs_node;

struct zkfs_kept {
	struct zkfs_node *dirs[ZKFS_KEPT_N]; /* referenced, the newest first */
	size_t n;
};

/* From now on it is kept for its time, again if it was. */
void zkfs_kept_note(struct zkfs_fs *fs, struct zkfs_node *dir);
/* Lets go of those whose time has come, and of those whose name is gone. */
void zkfs_kept_sweep(struct zkfs_fs *fs);
void zkfs_kept_fini(struct zkfs_fs *fs);

#endif
