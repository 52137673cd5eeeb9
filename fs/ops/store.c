/*
 * store: see store.h.
 */
#include "fs/ops/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/notify.h"

/* What the server has said so lately need not be asked again. */
#define TOLD_MS 1000

static void run(struct zkfs_file *file, enum zkfs_commit_next next);
static void set(struct zkfs_file *file);
static void look(struct zkfs_file *file);

/* Once an open file: each call on it fails from then on. */
static void count_conflict(struct zkfs_file *file, int error)
{
	if (error != -ESTALE || file->in_conflict)
		return;
	file->in_conflict = true;
	file->fs->metrics.counters.conflicts++;
}

void zkfs_store_answer(struct zkfs_store_op *op, int error)
{
	count_conflict(op->file, error);
	if (error)
		zkfs_reply_error(op, error);
	else if (op->answer_attr)
		zkfs_reply_attr(op, &op->st, 0);
	else if (op->cause == ZKFS_COMMIT_WRITE)
		zkfs_reply_write(op, op->written);
	else
		zkfs_reply_error(op, 0);
}

/* Each waiter's turn comes again: what was written while the last commit was
 * under way is committed by the next. An error is everybody's. */
static void wake(struct zkfs_file *file)
{
	int error = zkfs_commit_error(&file->commit);
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&file->waiters))) {
		struct zkfs_store_op *op =
			zkfs_list_entry(first, struct zkfs_store_op, waiting);
		enum zkfs_commit_next next = ZKFS_COMMIT_DONE;

		if (!error)
			next = zkfs_commit_begin(&file->commit, op->cause,
						 op->owner);
		if (next != ZKFS_COMMIT_DONE) {
			run(file, next);
			return;
		}
		zkfs_list_remove(&op->waiting);
		zkfs_store_answer(op, zkfs_commit_error(&file->commit));
	}
}

/* The commit is over. */
static void finish(struct zkfs_file *file)
{
	int error = zkfs_commit_error(&file->commit);

	if (error == -EIO)
		zkfs_warning("\"%s\": whether it was stored cannot be known: "
			     "the server's answer was lost; who wrote it gets "
			     "EIO",
			     file->req_path);
	else if (error && zkfs_list_empty(&file->waiters))
		zkfs_warning("\"%s\" was not stored: %s; nobody waits for it "
			     "any more, the old version stays",
			     file->req_path, strerror(-error));
	if (error)
		zkfs_notify_attr(file->fs, file->handle.node);
	file->last_error = error;
	(void)zkfs_file_holds(file, 0);
	count_conflict(file, error);
	wake(file);
	if (file->released && !file->commit.in_flight)
		zkfs_store_released(file);
}

static int find_path(struct zkfs_file *file)
{
	char *path = zkfs_tree_path(file->handle.node);

	if (!path)
		return -ENOMEM;
	free(file->req_path);
	file->req_path = path;
	return 0;
}

/* Whether the request went to a name that the file has lost meanwhile: this
 * mount was renaming it. */
static bool went_astray(const struct zkfs_file *file)
{
	const struct zkfs_node *node = file->handle.node;

	return node->current && !zkfs_tree_is_at(node, file->req_path);
}

static void on_set(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_file *file = zkfs_container_of(req, struct zkfs_file, req);
	int32_t version = reply->stat ? reply->stat->version : 0;
	enum zkfs_error error = reply->error;
	enum zkfs_commit_next next;

	if (error == ZKFS_E_NONODE && went_astray(file)) {
		/* zkfs_file_moved() has given it the new version, if it rested
		 * on the one that was moved. */
		if (file->stat.czxid == file->handle.node->stat.czxid) {
			run(file, ZKFS_COMMIT_SET);
			return;
		}
		error = ZKFS_E_BADVERSION;
	}
	/* What made it certain is over. */
	if (error == ZKFS_E_UNSENT) {
		look(file);
		return;
	}
	next = zkfs_commit_set_done(&file->commit, error, version);
	if (reply->stat) {
		file->stat = *reply->stat;
		file->told_ms = zkfs_clock_ms();
		zkfs_file_committed(file->fs, file->handle.node, reply->stat,
				    file);
	}
	run(file, next);
}

static void on_get(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_file *file = zkfs_container_of(req, struct zkfs_file, req);
	enum zkfs_error error = reply->error;
	struct zkfs_buf *data = NULL;
	enum zkfs_commit_next next;

	/* Another may be there by now. */
	if ((!error || error == ZKFS_E_NONODE) && went_astray(file)) {
		run(file, ZKFS_COMMIT_GET);
		return;
	}
	/* A set in doubt was about the znode that was opened. */
	if (!error && file->commit.doubt &&
	    reply->stat->czxid != file->stat.czxid)
		error = ZKFS_E_NONODE;
	if (file->handle.node->shared)
		zkfs_commit_shared(&file->commit);
	if (!error) {
		data = zkfs_buf_new(reply->data, reply->len);
		if (!data)
			error = ZKFS_E_NOMEM;
	}
	next = zkfs_commit_get_done(&file->commit, error, data,
				    error ? 0 : reply->stat->version);
	if (!error)
		file->told_ms = zkfs_clock_ms();
	if (!error && next == ZKFS_COMMIT_DONE) {
		file->stat = *reply->stat;
		if (!zkfs_commit_error(&file->commit) && !file->commit.behind)
			zkfs_file_committed(file->fs, file->handle.node,
					    reply->stat, file);
	}
	zkfs_buf_unref(data);
	run(file, next);
}

/*
 * A version does not say which znode has it: one that was made anew may be of
 * the same, and no request can check for more. Where a watch lies over it we
 * would know. Else it is looked at before it is set: then only what others do
 * in the time that a request takes can escape. Either holds for the connection
 * over which it was learnt, to which the set is bound.
 */

static bool is_certain(const struct zkfs_file *file)
{
	return zkfs_file_is_watched(file) || file->commit.unlinked ||
	       (file->told_ms > file->fs->cache.lost_ms &&
		zkfs_clock_ms() - file->told_ms <= TOLD_MS);
}

static void on_looked(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_file *file = zkfs_container_of(req, struct zkfs_file, req);
	enum zkfs_error error = reply->error;

	if ((!error || error == ZKFS_E_NONODE) && went_astray(file)) {
		run(file, ZKFS_COMMIT_SET); /* and look there */
		return;
	}
	if (!error && reply->stat->czxid != file->stat.czxid)
		error = ZKFS_E_BADVERSION;
	/* Of what is gone the set itself is told. */
	if (!error || error == ZKFS_E_NONODE)
		set(file);
	else
		run(file, zkfs_commit_set_done(&file->commit, error, 0));
}

/* Whoever writes or syncs keeps the file locked in the kernel. (One that comes
 * when a close is under way already waits with it.) */
static int64_t patience(const struct zkfs_file *file)
{
	zkfs_list_for_each(it, &file->waiters) {
		const struct zkfs_store_op *op =
			zkfs_list_entry(it, struct zkfs_store_op, waiting);

		if (op->cause != ZKFS_COMMIT_FLUSH)
			return zkfs_fs_bounded_patience(file->fs);
	}
	return zkfs_fs_patience(file->fs);
}

static void submit(struct zkfs_file *file, enum zkfs_zk_kind kind,
		   void (*done)(struct zkfs_zk_req *req,
				const struct zkfs_zk_reply *reply))
{
	/* The name may have moved since the last step: ask the tree anew. If
	 * it cannot tell (no memory) the last one must do. */
	(void)find_path(file);
	file->req.kind = kind;
	file->req.connection =
		kind == ZKFS_ZK_SET ? zkfs_zk_connection(file->fs->zk) : 0;
	file->req.path = file->req_path;
	file->req.deadline_ms = patience(file);
	file->req.done = done;
	zkfs_zk_submit(file->fs->zk, &file->req);
}

static void set(struct zkfs_file *file)
{
	zkfs_commit_payload(&file->commit, &file->req.data, &file->req.len,
			    &file->req.version);
	submit(file, ZKFS_ZK_SET, on_set);
}

static void look(struct zkfs_file *file)
{
	submit(file, ZKFS_ZK_EXISTS, on_looked);
}

static void run(struct zkfs_file *file, enum zkfs_commit_next next)
{
	switch (next) {
	case ZKFS_COMMIT_DONE:
		finish(file);
		break;
	case ZKFS_COMMIT_BUSY:
		break;
	case ZKFS_COMMIT_SET:
		if (is_certain(file))
			set(file);
		else
			look(file);
		break;
	case ZKFS_COMMIT_GET:
		submit(file, ZKFS_ZK_GET, on_get);
		break;
	}
}

static void stop_waiting(struct zkfs_op *op)
{
	struct zkfs_store_op *store =
		zkfs_container_of(op, struct zkfs_store_op, op);

	zkfs_list_remove(&store->waiting);
}

void zkfs_store(struct zkfs_store_op *op)
{
	struct zkfs_file *file = op->file;
	enum zkfs_commit_next next;

	if (!file->req_path && find_path(file) < 0) {
		zkfs_store_answer(op, -ENOMEM);
		return;
	}
	next = zkfs_commit_begin(&file->commit, op->cause, op->owner);
	if (next == ZKFS_COMMIT_DONE) {
		zkfs_store_answer(op, zkfs_commit_error(&file->commit));
		return;
	}
	zkfs_list_append(&file->waiters, &op->waiting);
	if (!op->op.fini)
		op->op.fini = stop_waiting;
	run(file, next);
	(void)zkfs_op_park(&op->op);
}

void zkfs_store_released(struct zkfs_file *file)
{
	enum zkfs_commit_next next = ZKFS_COMMIT_DONE;

	file->released = true;
	/* Whoever closed it was told that it failed: it must not be stored
	 * behind his back later. */
	if (!file->last_error && (file->req_path || find_path(file) == 0))
		next = zkfs_commit_begin(&file->commit, ZKFS_COMMIT_RELEASE, 0);
	if (next == ZKFS_COMMIT_DONE)
		zkfs_file_drop(file);
	else
		run(file, next);
}
