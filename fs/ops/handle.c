/*
 * handle: see handle.h.
 */
#include "fs/ops/handle.h"

#include <errno.h>
#include <fuse_lowlevel.h>

#include "fs/base/list.h"
#include "fs/base/util.h"

int zkfs_handle_add(struct zkfs_fs *fs, struct zkfs_handle *handle,
		    enum zkfs_handle_kind kind, struct zkfs_node *node)
{
	if (fs->handles.n >= ZKFS_HANDLES_MAX)
		return -ENFILE;
	handle->kind = kind;
	handle->fh = ++fs->last_fh;
	handle->node = zkfs_tree_ref(node);
	zkfs_list_append(&node->handles, &handle->in_node);
	zkfs_hash_add(&fs->handles, &handle->by_fh,
		      zkfs_hash_u64(0, handle->fh));
	return 0;
}

void zkfs_handle_remove(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	if (!handle->fh)
		return;
	zkfs_hash_remove(&fs->handles, &handle->by_fh);
	zkfs_list_remove(&handle->in_node);
	handle->node = zkfs_tree_unref(&fs->tree, handle->node);
	handle->fh = 0;
	fuse_pollhandle_destroy(zkfs_steal(&handle->poll));
}

struct zkfs_handle *zkfs_handle_any(const struct zkfs_fs *fs, uint64_t fh)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&fs->handles, zkfs_hash_u64(0, fh));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);

		if (handle->fh == fh)
			return handle;
	}
	return NULL;
}

struct zkfs_handle *zkfs_handle_get(const struct zkfs_fs *fs, uint64_t fh,
				    enum zkfs_handle_kind kind)
{
	struct zkfs_handle *handle = zkfs_handle_any(fs, fh);

	return handle && handle->kind == kind ? handle : NULL;
}
