/*
 * file: open takes a snapshot, reads are served from it, writes are collected
 * and committed by ops/store.
 *
 * Conflicts are looked for in three places, each cheaper and earlier than the
 * set that would fail: the watch of the handle, commits of other handles of
 * this mount, and, when no watch is live (a truncating open sets none, our own
 * commit has used it up, or the connection was lost), one look before a write
 * is taken. Shells report the errors of open and write only, so that write has
 * to know.
 */
#include "fs/ops/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/change.h"
#include "fs/ops/name.h"
#include "fs/ops/notify.h"
#include "fs/ops/poll.h"
#include "fs/ops/store.h"

/* How old the Stat of a look-up may be for an open that needs no data. The
 * kernel looks a name up right before it opens it. */
#define FRESH_MS 20
/* How soon after that look-up a write is taken without another look: `echo >`
 * is there long before any watch could be. */
#define AT_ONCE_MS 2

struct open_op {
	struct zkfs_op op;
	struct zkfs_file *file;
	struct fuse_file_info fi;
};

struct write_op {
	struct zkfs_store_op store;
	char *data;
	size_t len;
	off_t off;
};

static struct zkfs_file *file_of(struct zkfs_handle *handle)
{
	return zkfs_container_of(handle, struct zkfs_file, handle);
}

static struct zkfs_file *file_get(fuse_req_t req,
				  const struct fuse_file_info *fi)
{
	struct zkfs_handle *handle =
		zkfs_handle_get(zkfs_fs_of(req), fi->fh, ZKFS_HANDLE_FILE);

	return handle ? file_of(handle) : NULL;
}

void zkfs_file_drop(struct zkfs_file *file)
{
	struct zkfs_fs *fs;

	if (!file)
		return;
	fs = file->fs;
	zkfs_zk_cancel(fs->zk, &file->req);
	zkfs_zk_unwatch(fs->zk, &file->watch);
	zkfs_handle_remove(fs, &file->handle);
	zkfs_commit_fini(&file->commit);
	free(file->req_path);
	free(file);
}

/* Conflicts */

static void conflict(struct zkfs_file *file)
{
	zkfs_commit_conflict(&file->commit);
	zkfs_poll_wake(file->fs, file->handle.fh);
}

static void on_watch(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_file *file =
		zkfs_container_of(watch, struct zkfs_file, watch);

	if (!file->writable) {
		zkfs_change_fired(file, event);
		return;
	}
	/* Our own set fires our own watch, before its reply: the reply will
	 * tell. Likewise our own unlink or rename of the name. */
	if (event == ZKFS_ZK_UNWATCHED || file->commit.in_flight ||
	    file->handle.node->n_own_changes > 0)
		return;
	conflict(file);
	zkfs_notify_attr(file->fs, file->handle.node);
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
	zkfs_autofree char *now = zkfs_tree_path(node);

	if (node->n_own_changes == 0 && (!now || strcmp(now, path) == 0))
		return false;
	zkfs_zk_unwatch(file->fs->zk, &file->watch);
	return true;
}

void zkfs_file_committed(struct zkfs_fs *fs, struct zkfs_node *node,
			 const struct zkfs_stat *stat,
			 const struct zkfs_file *by)
{
	zkfs_tree_saw(node, stat, zkfs_clock_ms());
	zkfs_observe_own_data(fs, node, stat);
	if (node->type == ZKFS_TYPE_DATA) {
		zkfs_name_keep_dir(node->parent);
		zkfs_notify_attr(fs, node->parent);
	}
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = file_of(handle);
		if (file != by && file->writable && !file->commit.in_flight &&
		    file->commit.version < stat->version)
			conflict(file);
	}
	zkfs_notify_attr(fs, node);
}

void zkfs_file_changed(struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    file_of(handle)->writable &&
		    !file_of(handle)->commit.in_flight)
			conflict(file_of(handle));
	}
}

bool zkfs_file_pending(const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_commit_pending(&file_of(handle)->commit))
			return true;
	}
	return false;
}

void zkfs_file_unlinked(struct zkfs_node *node)
{
	node->unlinked = true;
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE)
			zkfs_commit_unlink(&file_of(handle)->commit);
	}
}

void zkfs_file_moved(struct zkfs_node *node, const struct zkfs_stat *was,
		     const struct zkfs_stat *is)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = file_of(handle);
		if (!file->writable)
			continue;
		if (file->commit.version == was->version &&
		    file->stat.czxid == was->czxid) {
			file->stat = *is;
			file->commit.version = is->version;
		} else {
			zkfs_commit_conflict(&file->commit);
		}
	}
}

struct zkfs_file *zkfs_file_dirty_by(const struct zkfs_node *node, pid_t tid)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = file_of(handle);
		if (file->writer == tid && zkfs_commit_pending(&file->commit))
			return file;
	}
	return NULL;
}

struct zkfs_file *zkfs_file_any(const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE)
			return file_of(handle);
	}
	return NULL;
}

void zkfs_file_session(struct zkfs_fs *fs)
{
	struct zkfs_hash_link *it = NULL;

	if (zkfs_zk_generation(fs->zk) == fs->generation)
		return;
	/* Not at the first: nothing rests on the time before it. */
	while (fs->generation > 0 && (it = zkfs_hash_next(&fs->handles, it))) {
		struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    file_of(handle)->writable && !file_of(handle)->append &&
		    !file_of(handle)->commit.in_flight)
			zkfs_commit_conflict(&file_of(handle)->commit);
	}
	fs->generation = zkfs_zk_generation(fs->zk);
}

/* Open */

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
	file->watch.fired = on_watch;
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
	int error = zkfs_handle_add(open->op.fs, &file->handle,
				    ZKFS_HANDLE_FILE, open->op.node);

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
	if (req->kind == ZKFS_ZK_GET) {
		data = zkfs_buf_new(reply->data, reply->len);
		if (!data) {
			zkfs_reply_error(op, -ENOMEM);
			return;
		}
	}
	open->file->stat = *reply->stat;
	zkfs_tree_saw(op->node, reply->stat, zkfs_clock_ms());
	zkfs_cache_answered(op->fs, &op->ask, req, reply, op->node);
	if (data && zkfs_cache_has_version(op->node))
		zkfs_cache_keep(op->fs, op->node, data);
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

	if (trunc ? !zkfs_cache_has_version(node) : !data)
		return false;
	file->stat = node->stat;
	zkfs_commit_base(&file->commit, data, node->stat.version);
	open_answer(open);
	return true;
}

/* A truncating open needs the version alone, and the kernel has had that
 * looked up a moment ago: no round trip. Nor a watch, which the write that
 * comes next would only use up; a write that comes later looks, and sets it. */
static bool open_fresh(struct open_op *open)
{
	struct zkfs_node *node = open->op.node;
	struct zkfs_file *file = open->file;

	if (!(file->commit.flags & ZKFS_COMMIT_TRUNC) || !node->seen_ms ||
	    !node->current || node->adopt || node->n_own_changes > 0 ||
	    node->cached || /* then the kernel may not have looked it up */
	    zkfs_clock_ms() - node->seen_ms > FRESH_MS ||
	    !zkfs_zk_connected(open->op.fs->zk))
		return false;
	file->stat = node->stat;
	zkfs_commit_base(&file->commit, NULL, node->stat.version);
	file->fresh_ms = node->seen_ms;
	open_answer(open);
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

void zkfs_file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
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
	if (open->op.fs->config.sync_open) {
		open->op.zk.kind = ZKFS_ZK_SYNC;
		(void)zkfs_op_submit(&open->op, zkfs_fs_patience(open->op.fs),
				     on_synced);
		return;
	}
	open_now(open);
}

/* Read, write */

void zkfs_file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
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
	if (file->changed && off == 0) {
		zkfs_change_reread(req, ino, size, file);
		return;
	}
	op = zkfs_op_new(req, ZKFS_OP_READ, ino, sizeof(*op));
	if (!op)
		return;
	len = zkfs_commit_read(&file->commit, (size_t)off, size, &data);
	zkfs_reply_buf(op, data, len);
}

static void write_collect(struct zkfs_store_op *op, const char *data,
			  size_t size, off_t off)
{
	struct zkfs_file *file = op->file;
	int error = zkfs_commit_write(&file->commit, data, size, (size_t)off,
				      op->owner);

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
	if (!looked_aside(file, op->path) && !is_base(file, reply) &&
	    !file->commit.in_flight)
		zkfs_commit_conflict(&file->commit);
	write_collect(&write->store, write->data, write->len, write->off);
}

/* The watch is used up or lost: look once before the write is taken. */
static void write_look(struct write_op *write, const char *data, size_t size,
		       off_t off)
{
	struct zkfs_op *op = &write->store.op;

	write->data = malloc(size ? size : 1);
	if (!write->data) {
		write_refuse(write, -ENOMEM);
		return;
	}
	memcpy(write->data, data, size);
	write->len = size;
	write->off = off;
	if (!zkfs_op_path(op, NULL))
		return;
	op->zk.kind = ZKFS_ZK_EXISTS;
	op->zk.watch = &write->store.file->watch;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_looked);
}

static bool is_covered(const struct zkfs_file *file)
{
	const struct zkfs_node *node = file->handle.node;

	return zkfs_cache_watches_version(node) &&
	       node->stat.version == file->commit.version;
}

static bool knows(const struct zkfs_file *file)
{
	return file->watch.live || file->append || is_covered(file) ||
	       zkfs_clock_ms() - file->fresh_ms <= AT_ONCE_MS ||
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

void zkfs_file_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	struct zkfs_store_op *op =
		store_op(req, ino, ZKFS_OP_WRITE, sizeof(struct write_op),
			 ZKFS_COMMIT_WRITE, fi);

	if (!op)
		return;
	op->op.fini = write_fini;
	if (knows(op->file))
		write_collect(op, data, size, off);
	else
		write_look(zkfs_container_of(op, struct write_op, store), data,
			   size, off);
}

void zkfs_file_truncate(struct zkfs_store_op *op, struct zkfs_file *file,
			size_t size, uint64_t owner)
{
	int error = zkfs_commit_truncate(&file->commit, size, owner);

	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
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

void zkfs_file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
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

void zkfs_file_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	struct zkfs_store_op *op = store_op(req, ino, ZKFS_OP_FSYNC,
					    sizeof(*op), ZKFS_COMMIT_FSYNC, fi);

	if (op)
		zkfs_store(op);
}

void zkfs_file_lock_lost(struct zkfs_handle *handle)
{
	zkfs_commit_refused(&file_of(handle)->commit, -EIO);
}

void zkfs_file_release(struct zkfs_handle *handle)
{
	struct zkfs_file *file = file_of(handle);

	zkfs_zk_unwatch(file->fs->zk, &file->watch);
	if (file->commit.in_flight)
		file->released = true;
	else
		zkfs_store_released(file);
}
