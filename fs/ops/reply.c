/*
 * reply: see reply.h.
 */
#include "fs/ops/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/limit.h"
#include "include/zkfs/path.h"

/* Whether it looks at an entry of a directory that it has listed: ops/walk. */
static void note_look(struct zkfs_fs *fs, fuse_req_t req,
		      enum zkfs_op_kind kind, const struct zkfs_node *node)
{
	const struct zkfs_node *dir = NULL;

	if (kind == ZKFS_OP_LOOKUP)
		dir = node;
	else if (kind == ZKFS_OP_GETATTR || kind == ZKFS_OP_GETXATTR ||
		 kind == ZKFS_OP_LISTXATTR || kind == ZKFS_OP_OPEN)
		dir = node->parent;
	if (dir)
		zkfs_walk_looked(&fs->walkers, fuse_req_ctx(req)->pid, dir->id,
				 zkfs_clock_ms());
}

void *zkfs_op_new(fuse_req_t req, enum zkfs_op_kind kind, uint64_t ino,
		  size_t size)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_node *node = NULL;
	struct zkfs_op *op;

	if (ino) {
		node = zkfs_tree_get(&fs->tree, ino);
		if (!node) {
			zkfs_reply_now(req, kind, -ESTALE);
			return NULL;
		}
	}
	op = calloc(1, size);
	if (!op) {
		zkfs_reply_now(req, kind, -ENOMEM);
		return NULL;
	}
	/* Who asks is not in our pid namespace: nor would who watches be. */
	if (fuse_req_ctx(req)->pid == 0 && kind == ZKFS_OP_LOOKUP)
		zkfs_observer_all(fs);
	if (node)
		note_look(fs, req, kind, node);
	op->fs = fs;
	op->req = req;
	op->kind = kind;
	op->started_us = fs->received_us;
	op->node = node ? zkfs_tree_ref(node) : NULL;
	zkfs_list_append(&fs->ops, &op->link);
	return op;
}

bool zkfs_op_path(struct zkfs_op *op, const char *name)
{
	int error = 0;

	op->path = zkfs_tree_path(op->node);
	if (op->path && name) {
		char *dir = op->path;

		op->path = zkfs_path_join(dir, name);
		free(dir);
		op->name = strdup(name);
	}
	if (op->path && name)
		error = zkfs_limit_check(op->fs, ZKFS_LIMIT_path,
					 strlen(op->path));
	if (!op->path || (name && !op->name))
		error = -ENOMEM;
	if (error)
		zkfs_reply_error(op, error);
	return !error;
}

static void op_free(struct zkfs_op *op)
{
	struct zkfs_fs *fs = op->fs;

	if (op->fini)
		op->fini(op);
	zkfs_zk_cancel(fs->zk, &op->zk);
	zkfs_cache_given_up(fs, &op->ask);
	zkfs_absent_answered(fs, zkfs_steal(&op->absent), false);
	zkfs_list_remove(&op->link);
	zkfs_tree_unref(&fs->tree, op->node);
	free(op->name);
	free(op->path);
	free(op);
}

static void interrupt(struct zkfs_op *op)
{
	if (op->cancel)
		op->cancel(op);
	zkfs_zk_cancel(op->fs->zk, &op->zk);
	zkfs_reply_error(op, -EINTR);
}

/*
 * libfuse calls the function from inside fuse_req_interrupt_func(), with the
 * request's lock held, when the interrupt came first; a reply from there would
 * free the lock that libfuse is about to release. So it only takes a note.
 */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct zkfs_op *op = data;

	if (op->registering)
		op->interrupted = true;
	else
		interrupt(op);
}

bool zkfs_op_park(struct zkfs_op *op)
{
	op->registering = true;
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	op->registering = false;
	if (!op->interrupted)
		return true;
	interrupt(op);
	return false;
}

bool zkfs_op_submit(struct zkfs_op *op, int64_t deadline_ms,
		    void (*done)(struct zkfs_zk_req *req,
				 const struct zkfs_zk_reply *reply))
{
	op->zk.done = done;
	op->zk.deadline_ms = deadline_ms;
	if (!op->zk.path)
		op->zk.path = op->path;
	zkfs_zk_submit(op->fs->zk, &op->zk);
	return zkfs_op_park(op);
}

/* Every request ends here, once, just before its answer; with that it belongs
 * to libfuse, which frees it. */
static void count(struct zkfs_fs *fs, enum zkfs_op_kind kind,
		  int64_t started_us, int error)
{
	assert(error <= 0);
	zkfs_metrics_answered(&fs->metrics, kind, zkfs_clock_us() - started_us,
			      error);
}

static void end(const struct zkfs_op *op, int error)
{
	count(op->fs, op->kind, op->started_us, error);
	if (!zkfs_log_enabled(ZKFS_LOG_DEBUG))
		return;
	zkfs_debug("%s node %llu \"%s\": %s (%lld us)", zkfs_op_name(op->kind),
		   op->node ? (unsigned long long)op->node->id : 0,
		   op->path ? op->path : "", error ? strerror(-error) : "ok",
		   (long long)(zkfs_clock_us() - op->started_us));
}

static void end_now(fuse_req_t req, enum zkfs_op_kind kind, int error)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);

	count(fs, kind, fs->received_us, error);
	zkfs_debug("%s: %s", zkfs_op_name(kind),
		   error ? strerror(-error) : "ok");
}

void zkfs_reply_now(fuse_req_t req, enum zkfs_op_kind kind, int error)
{
	end_now(req, kind, error);
	(void)fuse_reply_err(req, -error);
}

void zkfs_reply_forget(fuse_req_t req)
{
	end_now(req, ZKFS_OP_FORGET, 0);
	fuse_reply_none(req);
}

void zkfs_reply_statfs(fuse_req_t req, const struct statvfs *vfs)
{
	end_now(req, ZKFS_OP_STATFS, 0);
	(void)fuse_reply_statfs(req, vfs);
}

void zkfs_reply_poll_now(fuse_req_t req, unsigned events)
{
	end_now(req, ZKFS_OP_POLL, 0);
	(void)fuse_reply_poll(req, events);
}

void zkfs_reply_error(void *ptr, int error)
{
	struct zkfs_op *op = ptr;

	end(op, error);
	(void)fuse_reply_err(op->req, -error);
	op_free(op);
}

bool zkfs_reply_done(void *ptr)
{
	struct zkfs_op *op = ptr;
	bool heard;

	end(op, 0);
	heard = fuse_reply_err(op->req, 0) >= 0;
	op_free(op);
	return heard;
}

void zkfs_reply_lock(void *ptr, const struct flock *lock)
{
	struct zkfs_op *op = ptr;

	end(op, 0);
	(void)fuse_reply_lock(op->req, lock);
	op_free(op);
}

void zkfs_reply_zk_error(void *op, enum zkfs_error error)
{
	zkfs_reply_error(op, zkfs_error_to_errno(error));
}

void zkfs_reply_buf(void *ptr, const void *data, size_t len)
{
	struct zkfs_op *op = ptr;

	end(op, 0);
	if (op->kind == ZKFS_OP_READ)
		op->fs->metrics.counters.read_bytes += len;
	(void)fuse_reply_buf(op->req, data, len);
	op_free(op);
}

void zkfs_reply_write(void *ptr, size_t len)
{
	struct zkfs_op *op = ptr;

	end(op, 0);
	op->fs->metrics.counters.written_bytes += len;
	(void)fuse_reply_write(op->req, len);
	op_free(op);
}

static void reply_xattr_len(struct zkfs_op *op, size_t len)
{
	end(op, 0);
	(void)fuse_reply_xattr(op->req, len);
	op_free(op);
}

void zkfs_reply_xattr(void *ptr, const void *value, size_t len, size_t size)
{
	if (size == 0)
		reply_xattr_len(ptr, len);
	else if (len > size)
		zkfs_reply_error(ptr, -ERANGE);
	else
		zkfs_reply_buf(ptr, value, len);
}

void zkfs_reply_attr(void *ptr, const struct stat *st, double timeout_s)
{
	struct zkfs_op *op = ptr;

	end(op, 0);
	(void)fuse_reply_attr(op->req, st, timeout_s);
	op_free(op);
}

bool zkfs_reply_entry(void *ptr, struct zkfs_node *node, const struct stat *st)
{
	struct zkfs_op *op = ptr;
	struct fuse_entry_param entry = {
		.ino = node->id,
		.attr = *st,
		.attr_timeout = ZKFS_ATTR_TIMEOUT,
	};
	bool heard;

	if (node->type == ZKFS_TYPE_DIR) {
		entry.attr_timeout = ZKFS_DIR_TIMEOUT;
		entry.entry_timeout = ZKFS_DIR_TIMEOUT;
	} else if (zkfs_attr_is_control(node->type)) {
		entry.attr_timeout = ZKFS_CONTROL_TIMEOUT;
		entry.entry_timeout = ZKFS_CONTROL_TIMEOUT;
	}
	if (op->unasked)
		entry.attr_timeout = entry.entry_timeout = 0;
	entry.attr_timeout =
		zkfs_cache_attr_timeout(op->fs, node, entry.attr_timeout);
	entry.entry_timeout =
		zkfs_cache_name_timeout(op->fs, node, entry.entry_timeout);
	end(op, 0);
	zkfs_tree_looked_up(node);
	heard = fuse_reply_entry(op->req, &entry) >= 0;
	if (!heard)
		zkfs_tree_forget(&op->fs->tree, node->id, 1);
	zkfs_tree_unref(&op->fs->tree, node);
	op_free(op);
	return heard;
}

void zkfs_reply_absent(void *ptr)
{
	struct zkfs_op *op = ptr;
	struct fuse_entry_param entry = {
		.entry_timeout = zkfs_cache_timeout(op->fs),
	};

	end(op, -ENOENT);
	zkfs_absent_promise(op->fs, op->node, op->name);
	(void)fuse_reply_entry(op->req, &entry);
	op_free(op);
}

bool zkfs_reply_open(void *ptr, const struct fuse_file_info *fi)
{
	struct zkfs_op *op = ptr;
	bool heard;

	end(op, 0);
	heard = fuse_reply_open(op->req, fi) >= 0;
	op_free(op);
	return heard;
}

void zkfs_node_stat(const struct zkfs_fs *fs, const struct zkfs_node *node,
		    const char *path, const struct zkfs_stat *stat,
		    struct stat *ret_st)
{
	zkfs_attr_fill(&fs->config.style, path, node->type, stat, ret_st);
}
