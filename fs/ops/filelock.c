/*
 * filelock: see filelock.h.
 */
#include "fs/ops/filelock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "include/zkfs/path.h"

/* Its name */

static char *shown_path(const struct zkfs_node *node)
{
	zkfs_autofree char *path = zkfs_tree_path(node);

	if (!path || node->type != ZKFS_TYPE_DATA)
		return zkfs_steal(&path);
	return zkfs_path_join(path, node->name);
}

int zkfs_filelock_path(const struct zkfs_fs *fs, const struct zkfs_node *node,
		       char **ret_lock)
{
	zkfs_autofree char *path = shown_path(node);
	zkfs_autofree char *name = path ? zkfs_path_escape(path) : NULL;
	char *lock;

	if (fs->config.n_lockroots == 0)
		return -ENOLCK;
	if (!name)
		return -ENOMEM;
	if (strlen(name) > ZKFS_NAME_MAX)
		return -ENAMETOOLONG;
	lock = zkfs_path_join(fs->config.lockroots[0], name);
	if (!lock)
		return -ENOMEM;
	*ret_lock = lock;
	return 0;
}

/* Making it */

int zkfs_filelock_begin(struct zkfs_filelock_making *making, const char *lock)
{
	if (!making->path)
		making->path = malloc(strlen(lock) + 1);
	if (!making->path)
		return -ENOMEM;
	making->path[0] = '\0';
	return 0;
}

bool zkfs_filelock_next(struct zkfs_filelock_making *making,
			const struct zkfs_fs *fs, const char *lock,
			struct zkfs_zk_req *ret_req)
{
	size_t done = strlen(making->path);
	const char *next;

	if (lock[done] == '\0')
		return false;
	next = strchr(lock + done + 1, '/');
	done = next ? (size_t)(next - lock) : strlen(lock);
	memcpy(making->path, lock, done);
	making->path[done] = '\0';
	making->step = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
					   .path = making->path,
					   .acl = fs->config.acl,
					   .acl_len = fs->config.acl_len};
	*ret_req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_MULTI,
		.path = making->path,
		.ops = &making->step,
		.n_ops = 1,
		.deadline_ms = zkfs_fs_patience(fs),
	};
	return true;
}

void zkfs_filelock_end(struct zkfs_filelock_making *making)
{
	free(zkfs_steal(&making->path));
}
