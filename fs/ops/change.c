/*
 * change: see change.h.
 */
#include "fs/ops/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "fs/ops/poll.h"

/* A READ that takes a new snapshot. */
struct reread_op {
	struct zkfs_op op;
	struct zkfs_file *file; /* cannot be closed while it is read */
	size_t size;
	size_t off;
};

bool zkfs_change_seen(const struct zkfs_file *file)
{
	/* A writer's conflict is what it would be told by write. */
	return file->changed || zkfs_commit_failed(&file->commit);
}

static void note(struct zkfs_file *file)
{
	file->changed = true;
	zkfs_poll_wake(file->fs, file->handle.fh);
}

static bool is_same(const struct zkfs_file *file,
		    const struct zkfs_zk_reply *reply)
{
	return !reply->error && reply->stat->version == file->stat.version &&
	       reply->stat->czxid == file->stat.czxid;
}

static void on_looked(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_file *file = zkfs_container_of(req, struct zkfs_file, req);

	if (!is_same(file, reply))
		note(file);
}

static void look(struct zkfs_file *file)
{
	free(file->req_path);
	file->req_path = zkfs_tree_path(file->handle.node);
	if (!file->req_path)
		return;
	file->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_EXISTS,
		.path = file->req_path,
		.watch = &file->watch,
		.deadline_ms = ZKFS_NEVER,
		.done = on_looked,
	};
	zkfs_zk_submit(file->fs->zk, &file->req);
}

void zkfs_change_polled(struct zkfs_file *file)
{
	if (!file->writable && !file->changed && !file->watch.live &&
	    !file->req.active)
		look(file);
}

void zkfs_change_fired(struct zkfs_file *file, enum zkfs_zk_event event)
{
	if (event != ZKFS_ZK_UNWATCHED)
		note(file);
	else if (file->handle.poll)
		look(file);
}

bool zkfs_change_grown(const struct zkfs_file *file, size_t off)
{
	const struct zkfs_stat *newest = &file->handle.node->stat;
	size_t len = zkfs_commit_size(&file->commit);

	return !file->writable && off >= len &&
	       newest->czxid == file->stat.czxid &&
	       newest->version > file->stat.version &&
	       newest->version != file->other &&
	       (size_t)newest->data_length > len;
}

/* The new version is what is read from now on. */
static int adopt(struct zkfs_file *file, const struct zkfs_zk_reply *reply)
{
	struct zkfs_buf *data = zkfs_buf_new(reply->data, reply->len);

	if (!data)
		return -ENOMEM;
	/* An old snapshot is better than more than there is room for. */
	if (zkfs_file_holds(file, reply->len) < 0) {
		zkfs_buf_unref(data);
		return -ENOMEM;
	}
	file->stat = *reply->stat;
	file->changed = false;
	zkfs_commit_fini(&file->commit);
	zkfs_commit_init(&file->commit, 0, 0);
	zkfs_commit_base(&file->commit, data, reply->stat->version);
	zkfs_buf_unref(data);
	(void)zkfs_file_holds(file, 0);
	return 0;
}

static void answer(struct reread_op *read)
{
	const void *bytes = NULL;
	size_t len = zkfs_commit_read(&read->file->commit, read->off,
				      read->size, &bytes);

	zkfs_reply_buf(read, bytes, len);
}

static void on_reread(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct reread_op *read =
		zkfs_container_of(zkfs_op_from_zk(req), struct reread_op, op);
	struct zkfs_file *file = read->file;
	int error;

	if (reply->error == ZKFS_E_NONODE ||
	    (!reply->error && reply->stat->czxid != file->stat.czxid)) {
		zkfs_reply_error(read, -ESTALE);
		return;
	}
	if (reply->error) {
		zkfs_reply_zk_error(read, reply->error);
		return;
	}
	error = adopt(file, reply);
	if (error) {
		zkfs_reply_error(read, error);
		return;
	}
	zkfs_tree_saw(read->op.node, reply->stat, zkfs_clock_ms());
	answer(read);
}

/* Whether the reply is what the file was, with something behind it. */
static bool is_appended(const struct zkfs_file *file,
			const struct zkfs_zk_reply *reply)
{
	const void *old = NULL;
	size_t size = zkfs_commit_size(&file->commit);
	size_t len = zkfs_commit_read(&file->commit, 0, size, &old);

	return reply->stat->czxid == file->stat.czxid && reply->len >= len &&
	       (len == 0 || memcmp(reply->data, old, len) == 0);
}

/* Whatever else came of it, here the file ends, as it did before. */
static void on_more(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct reread_op *read =
		zkfs_container_of(zkfs_op_from_zk(req), struct reread_op, op);
	struct zkfs_file *file = read->file;

	if (!reply->error) {
		if (is_appended(file, reply))
			(void)adopt(file, reply);
		else
			file->other = reply->stat->version;
		zkfs_tree_saw(read->op.node, reply->stat, zkfs_clock_ms());
	}
	answer(read);
}

void zkfs_change_reread(fuse_req_t req, fuse_ino_t ino, size_t size, size_t off,
			struct zkfs_file *file)
{
	struct reread_op *read =
		zkfs_op_new(req, ZKFS_OP_READ, ino, sizeof(*read));
	struct zkfs_zk *zk = file->fs->zk;

	if (!read || !zkfs_op_path(&read->op, NULL))
		return;
	read->file = file;
	read->size = size;
	read->off = off;
	read->op.zk.kind = ZKFS_ZK_GET;
	if (file->changed) { /* its watch has fired */
		zkfs_zk_cancel(zk, &file->req);
		zkfs_zk_unwatch(zk, &file->watch);
		read->op.zk.watch = &file->watch;
	}
	(void)zkfs_op_submit(&read->op, zkfs_fs_patience(read->op.fs),
			     file->changed && off == 0 ? on_reread : on_more);
}
