/*
 * handle: see handle.h.
 */
#include "fs/ops/handle.h"

#include <errno.h>
#include <fuse_lowlevel.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/limit.h"
#include "fs/ops/reply.h"

int zkfs_handle_add(const struct zkfs_op *op, struct zkfs_handle *handle,
		    enum zkfs_handle_kind kind)
{
	struct zkfs_fs *fs = op->fs;
	int error = zkfs_limit_bind(fs, op->req, &handle->charge);

	if (!error)
		error = zkfs_limit_charge(fs, &handle->charge, ZKFS_QUOTA_OPEN,
					  1);
	if (error) {
		zkfs_quota_close(&fs->quota, &handle->charge);
		return error;
	}
	handle->kind = kind;
	handle->fh = ++fs->last_fh;
	handle->node = zkfs_tree_ref(op->node);
	zkfs_list_append(&op->node->handles, &handle->in_node);
	zkfs_hash_add(&fs->handles, &handle->by_fh,
		      zkfs_hash_u64(0, handle->fh));
	return 0;
}

int zkfs_handle_holds(struct zkfs_fs *fs, struct zkfs_handle *handle,
		      size_t bytes)
{
	return zkfs_limit_charge(fs, &handle->charge, ZKFS_QUOTA_DATA, bytes);
}

void zkfs_handle_remove(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	if (!handle->fh)
		return;
	zkfs_hash_remove(&fs->handles, &handle->by_fh);
	zkfs_list_remove(&handle->in_node);
	handle->node = zkfs_tree_unref(&fs->tree, handle->node);
	handle->fh = 0;
	zkfs_quota_close(&fs->quota, &handle->charge);
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
