/*
 * io: see io.h.
 */
#include "fs/ops/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/change.h"
#include "fs/ops/file.h"
#include "fs/ops/store.h"

/* How soon after its look-up a write is taken without another look: `echo >`
 * is there long before any watch could be. */
#define AT_ONCE_MS 2

struct write_op {
	struct zkfs_store_op store;
	char *data;
	size_t len;
	off_t off;
};

static struct zkfs_file *file_get(fuse_req_t req,
				  const struct fuse_file_info *fi)
{
	struct zkfs_handle *handle =
		zkfs_handle_get(zkfs_fs_of(req), fi->fh, ZKFS_HANDLE_FILE);

	return handle ? zkfs_file_of(handle) : NULL;
}

static bool is_base(const struct zkfs_file *file,
		    const struct zkfs_zk_reply *reply)
{
	return !reply->error && reply->stat->version == file->commit.version &&
	       reply->stat->czxid == file->stat.czxid;
}

/* Whether a look at `path` tells nothing of the file: this mount is moving or
 * removing its name, or has done so since the look was sent. Then the watch
 * that it has set is no use either. */
static bool looked_aside(struct zkfs_file *file, const char *path)
{
	const struct zkfs_node *node = file->handle.node;

	if (node->n_own_changes == 0 && zkfs_tree_is_at(node, path))
		return false;
	zkfs_zk_unwatch(file->fs->zk, &file->watch);
	return true;
}

void zkfs_io_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		  struct fuse_file_info *fi)
{
	struct zkfs_file *file = file_get(req, fi);
	const void *data = NULL;
	struct zkfs_op *op;
	size_t len;

	if (!file) {
		zkfs_reply_now(req, ZKFS_OP_READ, -EBADF);
		return;
	}
	if ((file->changed && off == 0) ||
	    zkfs_change_grown(file, (size_t)off)) {
		zkfs_change_reread(req, ino, size, (size_t)off, file);
		return;
	}
	op = zkfs_op_new(req, ZKFS_OP_READ, ino, sizeof(*op));
	if (!op)
		return;
	len = zkfs_commit_read(&file->commit, (size_t)off, size, &data);
	zkfs_reply_buf(op, data, len);
}

/* A write that there is no room for fails the file, as one that does not fit
 * the znode does: no half of it is to be committed. */
static int make_room(struct zkfs_file *file, size_t size, size_t off)
{
	size_t have = zkfs_commit_size(&file->commit), end;
	int error;

	if (file->append)
		off = have;
	end = off > SIZE_MAX - size ? SIZE_MAX : off + size;
	/* A longer one is refused as such. */
	error = zkfs_file_holds(file, zkfs_min_size(end, file->commit.limit));
	return error ? zkfs_commit_no_room(&file->commit, error) : 0;
}

int zkfs_io_starved(struct zkfs_file *file)
{
	return file ? zkfs_commit_no_room(&file->commit, -ENOMEM) : -ENOMEM;
}

static void write_collect(struct zkfs_store_op *op, const char *data,
			  size_t size, off_t off)
{
	struct zkfs_file *file = op->file;
	int error = make_room(file, size, (size_t)off);

	if (!error)
		error = zkfs_commit_write(&file->commit, data, size,
					  (size_t)off, op->owner);
	if (error) {
		zkfs_store_answer(op, error);
		return;
	}
	file->writer = fuse_req_ctx(op->op.req)->pid;
	op->written = size;
	if (file->sync)
		zkfs_store(op);
	else
		zkfs_reply_write(op, size);
}

static void write_fini(struct zkfs_op *op)
{
	struct write_op *write = zkfs_container_of(
		zkfs_container_of(op, struct zkfs_store_op, op),
		struct write_op, store);

	zkfs_list_remove(&write->store.waiting);
	free(write->data);
}

/* The write is lost to the handle: what came before it is no file. */
static void write_refuse(struct write_op *write, int error)
{
	zkfs_commit_refused(&write->store.file->commit, error);
	zkfs_reply_error(write, error);
}

static void on_looked(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct write_op *write = zkfs_container_of(
		zkfs_container_of(op, struct zkfs_store_op, op),
		struct write_op, store);
	struct zkfs_file *file = write->store.file;

	if (reply->error && reply->error != ZKFS_E_NONODE) {
		write_refuse(write, zkfs_error_to_errno(reply->error));
		return;
	}
	if (!looked_aside(file, op->path)) {
		if (is_base(file, reply))
			file->told_ms = zkfs_clock_ms();
		else if (!file->commit.in_flight)
			zkfs_commit_conflict(&file->commit);
	}
	write_collect(&write->store, write->data, write->len, write->off);
}

/* The watch is used up or lost: look once before the write is taken. */
static void write_look(struct write_op *write, const char *data, size_t size,
		       off_t off)
{
	struct zkfs_op *op = &write->store.op;

	struct zkfs_file *file = write->store.file;

	write->data = malloc(size ? size : 1);
	if (!write->data) {
		zkfs_reply_error(op, zkfs_io_starved(file));
		return;
	}
	memcpy(write->data, data, size);
	write->len = size;
	write->off = off;
	if (!zkfs_op_path(op, NULL)) {
		(void)zkfs_io_starved(file);
		return;
	}
	op->zk.kind = ZKFS_ZK_EXISTS;
	op->zk.watch = &file->watch;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_looked);
}

static bool knows(const struct zkfs_file *file)
{
	return zkfs_file_is_watched(file) || file->append ||
	       zkfs_clock_ms() - file->told_ms <= AT_ONCE_MS ||
	       file->commit.in_flight || file->commit.unlinked ||
	       zkfs_commit_failed(&file->commit);
}

static struct zkfs_store_op *store_op(fuse_req_t req, fuse_ino_t ino,
				      enum zkfs_op_kind kind, size_t size,
				      enum zkfs_commit_cause cause,
				      const struct fuse_file_info *fi)
{
	struct zkfs_store_op *op = zkfs_op_new(req, kind, ino, size);

	if (!op)
		return NULL;
	op->cause = cause;
	op->owner = fi->lock_owner;
	op->file = file_get(req, fi);
	if (op->file)
		return op;
	zkfs_reply_error(op, -EBADF);
	return NULL;
}

void zkfs_io_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		   size_t size, off_t off, struct fuse_file_info *fi)
{
	struct zkfs_file *file = file_get(req, fi);
	struct zkfs_store_op *op =
		store_op(req, ino, ZKFS_OP_WRITE, sizeof(struct write_op),
			 ZKFS_COMMIT_WRITE, fi);

	if (!op) {
		(void)zkfs_io_starved(file);
		return;
	}
	op->op.fini = write_fini;
	if (knows(op->file))
		write_collect(op, data, size, off);
	else
		write_look(zkfs_container_of(op, struct write_op, store), data,
			   size, off);
}

void zkfs_io_truncate(struct zkfs_store_op *op, struct zkfs_file *file,
		      size_t size, uint64_t owner)
{
	int error = make_room(file, size, 0);

	if (!error)
		error = zkfs_commit_truncate(&file->commit, size, owner);
	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
	(void)zkfs_file_holds(file, 0);
	file->writer = fuse_req_ctx(op->op.req)->pid;
	op->file = file;
	op->owner = owner;
	op->cause = ZKFS_COMMIT_WRITE;
	op->answer_attr = true;
	zkfs_node_stat(file->fs, op->op.node, op->op.path, &file->stat,
		       &op->st);
	op->st.st_size = (off_t)size;
	if (file->sync)
		zkfs_store(op);
	else
		zkfs_store_answer(op, 0);
}

/* Close */

void zkfs_io_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_store_op *op = store_op(req, ino, ZKFS_OP_FLUSH,
					    sizeof(*op), ZKFS_COMMIT_FLUSH, fi);
	pid_t tid;

	if (!op)
		return;
	tid = fuse_req_ctx(req)->pid;
	if (zkfs_commit_pending(&op->file->commit) && zkfs_caller_killed(tid)) {
		zkfs_commit_killed(&op->file->commit, op->owner);
		zkfs_reply_error(op, 0);
		return;
	}
	zkfs_store(op);
}

void zkfs_io_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		   struct fuse_file_info *fi)
{
	struct zkfs_store_op *op = store_op(req, ino, ZKFS_OP_FSYNC,
					    sizeof(*op), ZKFS_COMMIT_FSYNC, fi);

	if (op)
		zkfs_store(op);
}

void zkfs_io_lock_lost(struct zkfs_handle *handle)
{
	zkfs_commit_refused(&zkfs_file_of(handle)->commit, -EIO);
}

void zkfs_io_release(struct zkfs_handle *handle)
{
	struct zkfs_file *file = zkfs_file_of(handle);

	zkfs_zk_unwatch(file->fs->zk, &file->watch);
	if (file->commit.in_flight)
		file->released = true;
	else
		zkfs_store_released(file);
}
