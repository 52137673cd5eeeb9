/*
 * filelock: the lock that a file of the tree stands for, with flock(2) and
 * fcntl(2): named after its path, in the first lock root, and made on first
 * use.
 */
#ifndef ZKFS_OPS_FILELOCK_H
#define ZKFS_OPS_FILELOCK_H

#include <stdbool.h>

#include "fs/core/tree.h"
#include "fs/ops/fs.h"

/* The path of its lock, owned by the caller. ENOLCK: there is no lock root.
 * ENAMETOOLONG: a path, with '%' and '/' as %25 and %2F, is no file name any
 * more. ENOMEM. */
int zkfs_filelock_path(const struct zkfs_fs *fs, const struct zkfs_node *node,
		       char **ret_lock);

/* Zeroed at first; ended with zkfs_filelock_end(). */
struct zkfs_filelock_making {
	char *path; /* as far as it is made */
	struct zkfs_zk_op step;
};

/* From the first level on, again too. ENOMEM. */
int zkfs_filelock_begin(struct zkfs_filelock_making *making, const char *lock);
/* Fills the request that makes the next level of the lock's path, all but
 * `done`. What is there already (NODEEXISTS) is fine. False: all of it is
 * made. */
bool zkfs_filelock_next(struct zkfs_filelock_making *making,
			const struct zkfs_fs *fs, const char *lock,
			struct zkfs_zk_req *ret_req);
void zkfs_filelock_end(struct zkfs_filelock_making *making);

#endif
