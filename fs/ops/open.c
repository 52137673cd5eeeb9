/*
 * open: see open.h.
 */
#include "fs/ops/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/ops/file.h"

/* How old the Stat of a look-up may be for an open that needs no data. The
 * kernel looks a name up right before it opens it. */
#define FRESH_MS 20

struct open_op {
	struct zkfs_op op;
	struct zkfs_file *file;
	struct fuse_file_info fi;
};

static void open_fini(struct zkfs_op *op)
{
	struct open_op *open = zkfs_container_of(op, struct open_op, op);

	zkfs_file_drop(open->file);
}

static struct zkfs_file *file_new(struct open_op *open)
{
	struct zkfs_fs *fs = open->op.fs;
	struct zkfs_file *file = calloc(1, sizeof(*file));
	int flags = open->fi.flags;
	unsigned commit_flags = 0;

	if (!file)
		return NULL;
	file->fs = fs;
	file->writable = (flags & O_ACCMODE) != O_RDONLY;
	file->append = file->writable && (flags & O_APPEND);
	file->sync = fs->config.sync || (flags & (O_SYNC | O_DSYNC));
	file->watch.fired = zkfs_file_fired;
	zkfs_list_init(&file->waiters);
	if (file->append)
		commit_flags |= ZKFS_COMMIT_APPEND;
	if (file->writable && (flags & O_TRUNC))
		commit_flags |= ZKFS_COMMIT_TRUNC;
	zkfs_commit_init(&file->commit, commit_flags,
			 zkfs_zk_data_max(fs->zk, open->op.path));
	return file;
}

static void open_answer(struct open_op *open)
{
	struct zkfs_file *file = open->file;
	int error = zkfs_handle_add(&open->op, &file->handle, ZKFS_HANDLE_FILE);

	if (!error)
		error = zkfs_file_holds(file, 0);

	file->handle.nonblock = open->fi.flags & O_NONBLOCK;
	if (error) {
		zkfs_reply_error(open, error);
		return;
	}
	open->file = NULL; /* the kernel's from here on */
	open->fi.fh = file->handle.fh;
	/* The snapshot is the cache; pages beside it would tear reads. */
	open->fi.direct_io = 1;
	open->fi.noflush = !file->writable && !open->op.node->tell_closes;
	if (!zkfs_reply_open(open, &open->fi))
		zkfs_file_drop(file);
}

/* Whether what was found is what the kernel means by this node. */
static bool is_node(struct zkfs_node *node, const struct zkfs_stat *stat)
{
	if (node->adopt) {
		node->adopt = false;
		node->czxid = stat->czxid;
	}
	if (node->czxid != stat->czxid)
		return false;
	return node->type == ZKFS_TYPE_DATA ||
	       zkfs_attr_type(stat, false) != ZKFS_TYPE_DIR;
}

/* The data of the version that was found; false: there is none yet, or it was
 * answered. */
static bool get_data(struct open_op *open, const struct zkfs_zk_reply *reply,
		     struct zkfs_buf **ret_data)
{
	struct zkfs_op *op = &open->op;

	if (open->file->commit.flags & ZKFS_COMMIT_TRUNC)
		return true;
	if (op->zk.kind == ZKFS_ZK_EXISTS) {
		struct zkfs_buf *data = zkfs_cache_data(op->fs, op->node);

		/* Not what was kept through the time without a watch. */
		if (!data) {
			op->zk.kind = ZKFS_ZK_GET;
			op->zk.watch = NULL;
			zkfs_zk_submit(op->fs->zk, &op->zk);
			return false;
		}
		*ret_data = zkfs_buf_ref(data);
		return true;
	}
	*ret_data = zkfs_buf_new(reply->data, reply->len);
	if (!*ret_data) {
		zkfs_reply_error(op, -ENOMEM);
		return false;
	}
	if (zkfs_cache_has_version(op->node))
		zkfs_cache_keep(op->fs, op->node, *ret_data);
	return true;
}

static void on_open(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct open_op *open = zkfs_container_of(op, struct open_op, op);
	struct zkfs_buf *data = NULL;

	/* ESTALE makes the kernel look the name up again, once, and then find
	 * that it is gone or another. */
	if (reply->error == ZKFS_E_NONODE) {
		zkfs_reply_error(op, -ESTALE);
		return;
	}
	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	if (!is_node(op->node, reply->stat)) {
		zkfs_reply_error(op, -ESTALE);
		return;
	}
	open->file->stat = *reply->stat;
	open->file->told_ms = zkfs_clock_ms();
	zkfs_tree_saw(op->node, reply->stat, zkfs_clock_ms());
	zkfs_cache_answered(op->fs, &op->ask, req, reply, op->node);
	if (!get_data(open, reply, &data))
		return;
	zkfs_commit_base(&open->file->commit, data, reply->stat->version);
	zkfs_buf_unref(data);
	open_answer(open);
}

/* What is covered by a watch needs no round trip. */
static bool open_cached(struct open_op *open)
{
	struct zkfs_node *node = open->op.node;
	struct zkfs_file *file = open->file;
	bool trunc = file->commit.flags & ZKFS_COMMIT_TRUNC;
	struct zkfs_buf *data =
		trunc ? NULL : zkfs_cache_data(open->op.fs, node);

	/* A write does not rest on what may be stale. */
	if ((!trunc && !data) ||
	    (file->writable && !zkfs_cache_has_version(node)))
		return false;
	file->stat = node->stat;
	file->told_ms = zkfs_clock_ms(); /* to this moment, by the watch */
	zkfs_commit_base(&file->commit, data, node->stat.version);
	open_answer(open);
	return true;
}

/* Of the version that was seen last, and without its data. */
static void answer_as_seen(struct open_op *open)
{
	const struct zkfs_node *node = open->op.node;
	struct zkfs_file *file = open->file;

	file->stat = node->stat;
	zkfs_commit_base(&file->commit, NULL, node->stat.version);
	file->told_ms = node->seen_ms;
	open_answer(open);
}

/* A truncating open needs the version alone, and the kernel has had that
 * looked up a moment ago: no round trip. Nor a watch, which the write that
 * comes next would only use up; a write that comes later looks, and sets it. */
static bool open_fresh(struct open_op *open)
{
	const struct zkfs_node *node = open->op.node;

	if (!(open->file->commit.flags & ZKFS_COMMIT_TRUNC) || !node->seen_ms ||
	    !node->current || node->adopt || node->n_own_changes > 0 ||
	    node->cached || /* then the kernel may not have looked it up */
	    zkfs_clock_ms() - node->seen_ms > FRESH_MS ||
	    !zkfs_zk_connected(open->op.fs->zk))
		return false;
	answer_as_seen(open);
	return true;
}

/* The second half of an open that has made the file. */
static bool open_made(struct open_op *open)
{
	if (!zkfs_made_take(open->op.fs, open->op.node,
			    fuse_req_ctx(open->op.req)->pid))
		return false;
	answer_as_seen(open);
	return true;
}

static void open_now(struct open_op *open)
{
	struct zkfs_op *op = &open->op;
	bool synced = op->fs->config.sync_open;

	if (open_cached(open) || (!synced && open_fresh(open)))
		return;
	zkfs_cache_ask(op->fs, &op->ask, &op->zk, op->node,
		       !(open->file->commit.flags & ZKFS_COMMIT_TRUNC));
	if (!op->zk.watch && open->file->writable && !open->file->append)
		op->zk.watch = &open->file->watch;
	op->zk.done = on_open;
	if (synced) /* the op waits already */
		zkfs_zk_submit(op->fs->zk, &op->zk);
	else
		(void)zkfs_op_submit(op, zkfs_fs_patience(op->fs), on_open);
}

/* All that any client did before is known here now, by its events. */
static void on_synced(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	if (reply->error)
		zkfs_reply_zk_error(op, reply->error);
	else
		open_now(zkfs_container_of(op, struct open_op, op));
}

void zkfs_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_op *open =
		zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(struct open_op));

	if (!open)
		return;
	open->fi = *fi;
	if (!zkfs_op_path(&open->op, NULL))
		return;
	open->op.fini = open_fini;
	open->file = file_new(open);
	if (!open->file) {
		zkfs_reply_error(open, -ENOMEM);
		return;
	}
	if (open_made(open))
		return;
	if (open->op.fs->config.sync_open) {
		open->op.zk.kind = ZKFS_ZK_SYNC;
		(void)zkfs_op_submit(&open->op, zkfs_fs_patience(open->op.fs),
				     on_synced);
		return;
	}
	open_now(open);
}
