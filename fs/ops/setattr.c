/*
 * setattr: see setattr.h.
 */
#include "fs/ops/setattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/core/rewrite.h"
#include "fs/ops/entry.h"
#include "fs/ops/file.h"
#include "fs/ops/io.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/meta.h"
#include "fs/ops/store.h"

struct setattr_op {
	struct zkfs_store_op store; /* first: an ftruncate goes on as one */
	bool resize;
	size_t size;
	struct zkfs_buf *data;
	struct zkfs_rewrite rewrite;
};

static struct setattr_op *setattr_from_zk(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_container_of(zkfs_op_from_zk(req),
						   struct zkfs_store_op, op),
				 struct setattr_op, store);
}

static void setattr_fini(struct zkfs_op *op)
{
	struct setattr_op *set = zkfs_container_of(
		zkfs_container_of(op, struct zkfs_store_op, op),
		struct setattr_op, store);

	zkfs_list_remove(&set->store.waiting);
	set->data = zkfs_buf_unref(set->data);
}

static void setattr_read(struct setattr_op *set);

static void done(struct setattr_op *set, const struct zkfs_stat *stat)
{
	struct zkfs_op *op = &set->store.op;

	zkfs_file_committed(op->fs, op->node, stat, NULL);
	zkfs_meta_answer_attr(op, stat);
}

static void on_setattr_set(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct setattr_op *set = setattr_from_zk(req);
	bool in_time = zkfs_clock_ms() < set->store.op.zk.deadline_ms;

	switch (zkfs_rewrite_set(&set->rewrite, reply->error, in_time)) {
	case ZKFS_REWRITE_READ:
		setattr_read(set);
		break;
	case ZKFS_REWRITE_DONE:
		done(set, reply->stat);
		break;
	default:
		zkfs_reply_error(set, set->rewrite.error);
	}
}

/* What was read, as it is to be. */
static void setattr_set(struct setattr_op *set,
			const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = &set->store.op;

	zkfs_buf_unref(set->data);
	set->data = zkfs_buf_new(reply->data, reply->len);
	if (!set->data ||
	    (set->resize && zkfs_buf_resize(&set->data, set->size) < 0)) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	op->zk.kind = ZKFS_ZK_SET;
	op->zk.data = set->data->data;
	op->zk.len = set->data->len;
	op->zk.version = reply->stat->version;
	op->zk.connection = zkfs_zk_connection(op->fs->zk);
	op->zk.done = on_setattr_set;
	zkfs_zk_submit(op->fs->zk, &op->zk);
}

static bool is_same(const struct setattr_op *set,
		    const struct zkfs_zk_reply *reply)
{
	return set->data && reply->len == set->data->len &&
	       (reply->len == 0 ||
		memcmp(reply->data, set->data->data, reply->len) == 0);
}

static void on_setattr_get(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct setattr_op *set = setattr_from_zk(req);
	const struct zkfs_op *op = &set->store.op;
	bool ours = !reply->error &&
		    zkfs_meta_same_node(op->fs, op->node, reply->stat);

	switch (zkfs_rewrite_read(&set->rewrite, reply->error, reply->stat,
				  !reply->error && is_same(set, reply), ours)) {
	case ZKFS_REWRITE_SET:
		setattr_set(set, reply);
		break;
	case ZKFS_REWRITE_DONE:
		done(set, reply->stat);
		break;
	default:
		zkfs_reply_error(set, set->rewrite.error);
	}
}

static void setattr_read(struct setattr_op *set)
{
	struct zkfs_op *op = &set->store.op;

	op->zk.kind = ZKFS_ZK_GET;
	op->zk.data = NULL;
	op->zk.len = 0;
	op->zk.connection = 0;
	op->zk.done = on_setattr_get;
	zkfs_zk_submit(op->fs->zk, &op->zk);
}

static void setattr_rewrite(struct setattr_op *set)
{
	struct zkfs_op *op = &set->store.op;

	if (set->resize && set->size > zkfs_zk_data_max(op->fs->zk, op->path)) {
		zkfs_reply_error(op, -EFBIG);
		return;
	}
	op->zk.path = op->path;
	op->zk.deadline_ms = zkfs_fs_short_patience(op->fs);
	setattr_read(set);
	(void)zkfs_op_park(op);
}

/* Owner, mode and explicit times: ZooKeeper has no such fields. */
static int refused(const struct zkfs_op *op, const struct stat *attr,
		   int to_set)
{
	struct stat now;

	if (!op->fs->config.strict)
		return 0;
	zkfs_node_stat(op->fs, op->node, op->path, &op->node->stat, &now);
	if ((to_set & FUSE_SET_ATTR_MODE) &&
	    (attr->st_mode & 07777) != (now.st_mode & 07777))
		return -EPERM;
	if ((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != now.st_uid)
		return -EPERM;
	if ((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != now.st_gid)
		return -EPERM;
	if ((to_set & FUSE_SET_ATTR_MTIME) &&
	    !(to_set & FUSE_SET_ATTR_MTIME_NOW) &&
	    (attr->st_mtim.tv_sec != now.st_mtim.tv_sec ||
	     attr->st_mtim.tv_nsec != now.st_mtim.tv_nsec))
		return -EPERM;
	return 0;
}

/* touch(1) makes a new version with the same data. A directory has no data to
 * touch, and a file that this caller is writing gets its new version anyway. */
static bool is_touch(const struct zkfs_op *op, int to_set)
{
	return (to_set & FUSE_SET_ATTR_MTIME_NOW) &&
	       op->node->type != ZKFS_TYPE_DIR && !op->node->unlinked &&
	       !zkfs_file_dirty_by(op->node, fuse_req_ctx(op->req)->pid);
}

/* The operation and its path; NULL, and answered, when memory is short: an
 * ftruncate(2) that is lost is one write less. */
static struct setattr_op *setattr_new(fuse_req_t req, fuse_ino_t ino,
				      struct zkfs_handle *resized)
{
	struct setattr_op *set =
		zkfs_op_new(req, ZKFS_OP_SETATTR, ino, sizeof(*set));

	if (set) {
		set->store.op.fini = setattr_fini;
		if (zkfs_op_path(&set->store.op, NULL))
			return set;
	}
	if (resized)
		(void)zkfs_io_starved(zkfs_file_of(resized));
	return NULL;
}

void zkfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		  struct fuse_file_info *fi)
{
	struct zkfs_handle *handle =
		fi && (to_set & FUSE_SET_ATTR_SIZE)
			? zkfs_handle_get(zkfs_fs_of(req), fi->fh,
					  ZKFS_HANDLE_FILE)
			: NULL;
	struct setattr_op *set = setattr_new(req, ino, handle);
	struct zkfs_op *op;
	int error;

	if (!set)
		return;
	op = &set->store.op;
	if (op->node->type == ZKFS_TYPE_ENTRY) {
		struct stat st;

		zkfs_entry_stat(op->fs, op->node, &st);
		zkfs_reply_attr(op, &st, 0);
		return;
	}
	error = refused(op, attr, to_set);
	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
	if (op->node->type == ZKFS_TYPE_LOCKDIR) {
		zkfs_lockdir_answer_attr(op);
		return;
	}
	set->resize = to_set & FUSE_SET_ATTR_SIZE;
	set->size = (size_t)attr->st_size;
	if (handle) {
		zkfs_io_truncate(&set->store, zkfs_file_of(handle), set->size,
				 fi->lock_owner);
	} else if (set->resize || is_touch(op, to_set)) {
		setattr_rewrite(set);
	} else if (op->node->unlinked) {
		zkfs_meta_answer_gone(op);
	} else {
		zkfs_meta_ask_attr(op, zkfs_fs_short_patience(op->fs));
	}
}
