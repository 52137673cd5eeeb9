/*
 * meta: see meta.h.
 */
#include "fs/ops/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/entry.h"
#include "fs/ops/file.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "include/zkfs/path.h"

/* What statfs answers: it has no server to ask (df must answer at once with
 * every server dead), and installers want to see room. */
#define STATFS_BLOCK  4096
#define STATFS_BLOCKS (1ULL << 28)

/* Look-up */

/* A lock's directory is made anew when its sequence numbers have grown large,
 * by us or by others (core/lockq_renew): it goes on being the lock that a shell
 * stands in or has a `.lock` open of. */
static void adopt_lock(const struct zkfs_fs *fs, struct zkfs_node *node)
{
	if (node->current && !node->unlinked &&
	    zkfs_lock_is_lock_node(fs, node))
		node->adopt = true;
}

struct zkfs_node *zkfs_meta_intern(struct zkfs_fs *fs, struct zkfs_node *parent,
				   const char *name,
				   const struct zkfs_stat *stat)
{
	enum zkfs_type type = zkfs_attr_type(stat, false);
	struct zkfs_node *old = zkfs_tree_find(&fs->tree, parent, name);
	int64_t now = zkfs_clock_ms();
	struct zkfs_node *node;

	if (old && old->czxid != stat->czxid)
		adopt_lock(fs, old);
	if (type == ZKFS_TYPE_FILE && old && old->type == ZKFS_TYPE_DIR &&
	    (old->adopt || old->czxid == stat->czxid) &&
	    now < old->dir_until_ms)
		type = ZKFS_TYPE_DIR;
	node = zkfs_tree_intern(&fs->tree, parent, name, type, stat->czxid);
	if (node)
		zkfs_tree_saw(node, stat, now);
	return node;
}

static void answer_node(struct zkfs_op *op, struct zkfs_node *node,
			const struct zkfs_stat *stat)
{
	struct stat st;

	if (!node) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	zkfs_observe(op->fs, node);
	zkfs_node_stat(op->fs, node, op->path, stat, &st);
	(void)zkfs_reply_entry(op, node, &st);
}

void zkfs_meta_answer(struct zkfs_op *op, const struct zkfs_stat *stat)
{
	answer_node(op, zkfs_meta_intern(op->fs, op->node, op->name, stat),
		    stat);
}

/* There is no such name. From the second time on that is under a watch. */
static void answer_absent(struct zkfs_op *op)
{
	struct zkfs_fs *fs = op->fs;
	struct zkfs_node *old = zkfs_tree_find(&fs->tree, op->node, op->name);

	if (old)
		zkfs_tree_detach(&fs->tree, old);
	zkfs_absent_answered(fs, zkfs_steal(&op->absent), true);
	if (zkfs_absent_known(fs, op->node, op->name)) {
		zkfs_reply_absent(op);
		return;
	}
	zkfs_absent_note(fs, op->node, op->name);
	zkfs_reply_error(op, -ENOENT);
}

/* The data may be asked for next: an open then needs no request. */
static void keep_data(struct zkfs_fs *fs, struct zkfs_node *node,
		      const struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_buf *data;

	if (req->kind != ZKFS_ZK_GET || node->type == ZKFS_TYPE_DIR ||
	    !zkfs_cache_has_version(node) || reply->len > ZKFS_CACHE_DATA_MAX)
		return;
	data = zkfs_buf_new(reply->data, reply->len);
	if (data)
		zkfs_cache_keep(fs, node, data);
	zkfs_buf_unref(data);
}

/* Data and children may be hidden by the ACL, the Stat never is: asks for that
 * alone. */
static bool ask_stat(struct zkfs_op *op, const struct zkfs_zk_reply *reply,
		     struct zkfs_node *node)
{
	if (reply->error != ZKFS_E_NOAUTH || op->zk.kind == ZKFS_ZK_EXISTS)
		return false;
	zkfs_cache_given_up(op->fs, &op->ask);
	zkfs_cache_ask(op->fs, &op->ask, &op->zk, node, false);
	if (op->zk.kind != ZKFS_ZK_EXISTS) {
		zkfs_cache_given_up(op->fs, &op->ask);
		op->zk.kind = ZKFS_ZK_EXISTS;
		op->zk.watch = NULL;
	}
	zkfs_zk_submit(op->fs->zk, &op->zk);
	return true;
}

static void on_lookup(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct zkfs_node *node;

	/* ENOENT is said for ZNONODE only: a name that could not be looked up
	 * is not a name that does not exist. */
	if (reply->error == ZKFS_E_NONODE) {
		answer_absent(op);
		return;
	}
	if (ask_stat(op, reply,
		     zkfs_tree_find(&op->fs->tree, op->node, op->name)))
		return;
	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	node = zkfs_meta_intern(op->fs, op->node, op->name, reply->stat);
	if (node) {
		zkfs_cache_answered(op->fs, &op->ask, req, reply, node);
		keep_data(op->fs, node, req, reply);
	}
	answer_node(op, node, reply->stat);
}

static void on_lookup_data(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	/* Tools that copy or unpack a directory make its data file, if it has
	 * one, with O_EXCL: in one that is new, or being emptied, there is none
	 * before it has data. */
	if (reply->stat->data_length == 0 &&
	    zkfs_clock_ms() < op->node->dir_until_ms) {
		zkfs_reply_error(op, -ENOENT);
		return;
	}
	zkfs_meta_answer_data(op, reply->stat);
}

void zkfs_meta_answer_data(struct zkfs_op *op, const struct zkfs_stat *stat)
{
	struct zkfs_node *node = zkfs_tree_intern(
		&op->fs->tree, op->node, op->name, ZKFS_TYPE_DATA, stat->czxid);

	if (node)
		zkfs_tree_saw(node, stat, zkfs_clock_ms());
	answer_node(op, node, stat);
}

/* The data comes with the Stat if it is likely to be wanted, and not large.
 * Under a live watch what is missing is the rest of the attributes. */
static bool wants_data(const struct zkfs_node *known)
{
	return !known || (known->type == ZKFS_TYPE_FILE &&
			  known->stat.data_length <= ZKFS_CACHE_DATA_MAX &&
			  !zkfs_cache_has_version(known));
}

static void look_up(struct zkfs_op *op)
{
	struct zkfs_fs *fs = op->fs;
	struct zkfs_node *known = zkfs_tree_find(&fs->tree, op->node, op->name);

	if (known && zkfs_cache_has_attr(fs, known)) {
		answer_node(op, zkfs_tree_ref(known), &known->stat);
		return;
	}
	if (!known && zkfs_absent_known(fs, op->node, op->name)) {
		fs->metrics.counters.name_hits++;
		zkfs_reply_absent(op);
		return;
	}
	fs->metrics.counters.name_misses += !known;
	if (!known)
		op->absent = zkfs_absent_ask(fs, op->node, op->name, &op->zk);
	if (!op->absent)
		zkfs_cache_ask(fs, &op->ask, &op->zk, known, wants_data(known));
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(fs), on_lookup);
}

static bool is_data_name(const struct zkfs_op *op)
{
	return strcmp(op->name, op->fs->config.dataname) == 0;
}

void zkfs_meta_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_LOOKUP, parent, sizeof(*op));

	if (!op || !zkfs_op_path(op, name))
		return;
	if (op->node->type != ZKFS_TYPE_DIR) {
		zkfs_reply_error(op, op->node->type == ZKFS_TYPE_LOCKDIR
					     ? -ENOENT
					     : -ENOTDIR);
		return;
	}
	if (zkfs_lock_is_lock_node(op->fs, op->node)) {
		zkfs_lock_lookup(op);
		return;
	}
	op->zk.kind = ZKFS_ZK_EXISTS;
	if (is_data_name(op)) {
		free(op->path);
		op->path = zkfs_tree_path(op->node);
		if (!op->path)
			zkfs_reply_error(op, -ENOMEM);
		else
			(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs),
					     on_lookup_data);
		return;
	}
	if (strlen(name) > ZKFS_NAME_MAX) {
		zkfs_reply_error(op, -ENAMETOOLONG);
		return;
	}
	if (!zkfs_path_name_valid(name)) {
		/* ZooKeeper has no such name, so there is no such file. */
		zkfs_reply_error(op, -ENOENT);
		return;
	}
	look_up(op);
}

static void forget(struct zkfs_fs *fs, uint64_t id, uint64_t n)
{
	struct zkfs_node *node = zkfs_tree_get(&fs->tree, id);

	if (!node)
		return;
	zkfs_tree_ref(node);
	zkfs_tree_forget(&fs->tree, id, n);
	zkfs_observe_forgotten(fs, node);
	zkfs_tree_unref(&fs->tree, node);
	zkfs_kept_sweep(fs);
}

void zkfs_meta_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	forget(zkfs_fs_of(req), ino, n);
	zkfs_reply_forget(req);
}

void zkfs_meta_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget(zkfs_fs_of(req), forgets[i].ino, forgets[i].nlookup);
	zkfs_reply_forget(req);
}

/* Attributes */

/* The size of a file that the asker itself has written to and not committed
 * is what it has written; everybody else sees the last whole version. */
void zkfs_meta_answer_attr(struct zkfs_op *op, const struct zkfs_stat *stat)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(op->req);
	struct zkfs_file *dirty = zkfs_file_dirty_by(op->node, ctx->pid);
	double timeout =
		zkfs_cache_attr_timeout(op->fs, op->node, ZKFS_ATTR_TIMEOUT);
	struct stat st;

	zkfs_node_stat(op->fs, op->node, op->path, stat, &st);
	if (op->node->unlinked)
		st.st_nlink = 0;
	if (dirty) {
		st.st_size = (off_t)zkfs_commit_size(&dirty->commit);
		timeout = 0;
	}
	zkfs_reply_attr(op, &st, timeout);
}

/* The name is gone or means something else; who has it open still has it. (The
 * kernel does not say whether it asks for a descriptor, or for a name that it
 * keeps a moment too long: nobody is shown less than was shown before.) */
void zkfs_meta_answer_gone(struct zkfs_op *op)
{
	struct zkfs_file *file = zkfs_file_any(op->node);
	const struct zkfs_stat *newest = &op->node->stat;
	struct stat st;

	if (!file) {
		zkfs_reply_error(op, -ESTALE);
		return;
	}
	if (op->node->unlinked || newest->mzxid <= file->stat.mzxid)
		newest = &file->stat;
	zkfs_node_stat(op->fs, op->node, op->path, newest, &st);
	if (newest == &file->stat)
		st.st_size = (off_t)zkfs_commit_size(&file->commit);
	st.st_nlink = 0;
	zkfs_reply_attr(op, &st, 0);
}

bool zkfs_meta_same_node(const struct zkfs_fs *fs, struct zkfs_node *node,
			 const struct zkfs_stat *stat)
{
	if (node->id == ZKFS_TREE_ROOT_ID)
		return true;
	if (node->czxid != stat->czxid)
		adopt_lock(fs, node);
	if (node->adopt) {
		node->adopt = false;
		node->czxid = stat->czxid;
	}
	return node->czxid == stat->czxid;
}

static void on_getattr(struct zkfs_zk_req *req,
		       const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	if (ask_stat(op, reply, op->node))
		return;
	if (reply->error && op->node->id == ZKFS_TREE_ROOT_ID) {
		zkfs_root_look(op->fs);
		zkfs_meta_answer_attr(op, &op->node->stat);
	} else if (reply->error == ZKFS_E_NONODE) {
		zkfs_meta_answer_gone(op);
	} else if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
	} else if (!zkfs_meta_same_node(op->fs, op->node, reply->stat)) {
		zkfs_meta_answer_gone(op);
	} else {
		zkfs_tree_saw(op->node, reply->stat, zkfs_clock_ms());
		zkfs_cache_answered(op->fs, &op->ask, req, reply, op->node);
		zkfs_meta_answer_attr(op, &op->node->stat);
	}
}

void zkfs_meta_ask_attr(struct zkfs_op *op, int64_t deadline_ms)
{
	op->zk.kind = ZKFS_ZK_EXISTS;
	(void)zkfs_op_submit(op, deadline_ms, on_getattr);
}

void zkfs_meta_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_GETATTR, ino, sizeof(*op));
	int64_t deadline;
	struct stat st;

	if (!op || !zkfs_op_path(op, NULL))
		return;
	if (op->node->type == ZKFS_TYPE_ENTRY) {
		zkfs_entry_stat(op->fs, op->node, &st);
		zkfs_reply_attr(op, &st, 0);
		return;
	}
	if (op->node->type == ZKFS_TYPE_LOCKDIR) {
		zkfs_lockdir_answer_attr(op);
		return;
	}
	if (op->node->unlinked) {
		zkfs_meta_answer_gone(op);
		return;
	}
	if (zkfs_cache_has_attr(op->fs, op->node)) {
		zkfs_meta_answer_attr(op, &op->node->stat);
		return;
	}
	deadline = zkfs_fs_patience(op->fs);
	if (ino == ZKFS_TREE_ROOT_ID &&
	    !zkfs_root_may_wait(op->fs, &deadline)) {
		zkfs_meta_answer_attr(op, &op->node->stat);
		return;
	}
	zkfs_cache_ask(op->fs, &op->ask, &op->zk, op->node, false);
	(void)zkfs_op_submit(op, deadline, on_getattr);
}

void zkfs_meta_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs vfs = {
		.f_bsize = STATFS_BLOCK,
		.f_frsize = STATFS_BLOCK,
		.f_blocks = STATFS_BLOCKS,
		.f_bfree = STATFS_BLOCKS,
		.f_bavail = STATFS_BLOCKS,
		.f_namemax = ZKFS_NAME_MAX,
	};

	zkfs_reply_statfs(req, &vfs);
}
