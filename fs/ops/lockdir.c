/*
 * lockdir: see lockdir.h.
 */
#include "fs/ops/lockdir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/lock.h"
#include "fs/ops/owner.h"

#define MS_PER_S 1000

/* A lock that mkdir has taken. It lasts as long as its contender, so that an
 * rmdir which no server has answered can be tried again. */
struct lockdir {
	struct zkfs_contender_owner owner;
	struct zkfs_contender *contender;
	int64_t number; /* for the inode: one that is taken anew is another */
	int64_t since_ms;
	bool releasing;	       /* by rmdir: it is shown until that is done */
	struct zkfs_link link; /* fs->lockdirs */
};

struct mkdir_op {
	struct zkfs_claim claim;
	char *lock; /* path */
};

struct rmdir_op {
	struct zkfs_op op;
	char *lock; /* path */
	struct zkfs_contender_leaver leaver;
};

/* What is held */

static struct lockdir *lockdir_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct lockdir, link);
}

static bool is_shown(const struct lockdir *dir)
{
	return dir->releasing || !dir->contender->broken;
}

static bool is_called(const struct lockdir *dir, const char *lock,
		      const char *name)
{
	return strcmp(dir->contender->label, name) == 0 &&
	       strcmp(dir->contender->lock, lock) == 0;
}

static struct lockdir *find(const struct zkfs_fs *fs, const char *lock,
			    const char *name)
{
	zkfs_list_for_each(it, &fs->lockdirs) {
		if (is_shown(lockdir_at(it)) &&
		    is_called(lockdir_at(it), lock, name))
			return lockdir_at(it);
	}
	return NULL;
}

static bool is_lost(const struct zkfs_fs *fs, const char *lock,
		    const char *name)
{
	zkfs_list_for_each(it, &fs->lockdirs) {
		if (!is_shown(lockdir_at(it)) &&
		    is_called(lockdir_at(it), lock, name))
			return true;
	}
	return false;
}

const char *zkfs_lockdir_held_in(const struct zkfs_fs *fs, const char *lock)
{
	zkfs_list_for_each(it, &fs->lockdirs) {
		const struct lockdir *dir = lockdir_at(it);

		if (is_shown(dir) && strcmp(dir->contender->lock, lock) == 0)
			return dir->contender->label;
	}
	return NULL;
}

static void lockdir_free(struct lockdir *dir)
{
	zkfs_list_remove(&dir->link);
	dir->contender->owner = NULL;
	free(dir);
}

/* Nothing of it is left on the server, or will be. */
static void on_changed(struct zkfs_contender_owner *owner)
{
	struct lockdir *dir = zkfs_container_of(owner, struct lockdir, owner);

	if (!zkfs_contender_joined(dir->contender))
		lockdir_free(dir);
}

static struct lockdir *lockdir_new(struct zkfs_contender *contender)
{
	struct zkfs_fs *fs = contender->fs;
	struct lockdir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->owner.changed = on_changed;
	dir->contender = contender;
	dir->number = ++fs->last_lockdir;
	dir->since_ms = (int64_t)time(NULL) * MS_PER_S;
	contender->owner = &dir->owner;
	zkfs_list_append(&fs->lockdirs, &dir->link);
	return dir;
}

void zkfs_lockdir_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&fs->lockdirs)))
		lockdir_free(lockdir_at(first));
}

/* What it looks like */

static struct zkfs_node *node_of(struct zkfs_fs *fs, struct zkfs_node *parent,
				 const struct lockdir *dir)
{
	struct zkfs_node *node =
		zkfs_tree_intern(&fs->tree, parent, dir->contender->label,
				 ZKFS_TYPE_LOCKDIR, dir->number);

	if (node)
		node->stat = (struct zkfs_stat){
			.czxid = dir->number,
			.ctime_ms = dir->since_ms,
			.mtime_ms = dir->since_ms,
		};
	return node;
}

struct zkfs_node *zkfs_lockdir_node(struct zkfs_fs *fs,
				    struct zkfs_node *parent, const char *lock,
				    const char *name)
{
	const struct lockdir *dir = find(fs, lock, name);

	return dir ? node_of(fs, parent, dir) : NULL;
}

/* Takes the caller's reference on the node; NULL: no memory. Whether the caller
 * heard of it. */
static bool answer_entry(struct zkfs_op *op, struct zkfs_node *node)
{
	struct stat st;

	if (!node) {
		zkfs_reply_error(op, -ENOMEM);
		return false;
	}
	zkfs_node_stat(op->fs, node, op->path, &node->stat, &st);
	return zkfs_reply_entry(op, node, &st);
}

bool zkfs_lockdir_lookup(struct zkfs_op *op, const char *lock)
{
	const struct lockdir *dir = find(op->fs, lock, op->name);

	if (dir)
		(void)answer_entry(op, node_of(op->fs, op->node, dir));
	else if (is_lost(op->fs, lock, op->name))
		zkfs_reply_error(op, -ENOENT);
	else
		return false;
	return true;
}

void zkfs_lockdir_answer_attr(struct zkfs_op *op)
{
	const struct zkfs_node *node = op->node;
	struct stat st;

	zkfs_list_for_each(it, &op->fs->lockdirs) {
		if (lockdir_at(it)->number != node->czxid ||
		    !is_shown(lockdir_at(it)))
			continue;
		zkfs_node_stat(op->fs, node, op->path, &node->stat, &st);
		zkfs_reply_attr(op, &st, 0);
		return;
	}
	zkfs_reply_error(op, -ESTALE);
}

/* Taking */

static bool on_granted(struct zkfs_claim *claim,
		       struct zkfs_contender *contender)
{
	struct zkfs_op *op = &claim->op;
	struct lockdir *dir = lockdir_new(contender);

	if (answer_entry(op, dir ? node_of(op->fs, op->node, dir) : NULL))
		return true;
	if (dir)
		lockdir_free(dir);
	return false;
}

static void on_failed(struct zkfs_claim *claim, int error)
{
	zkfs_reply_error(claim, error == -EAGAIN ? -EEXIST : error);
}

static void mkdir_fini(struct zkfs_op *op)
{
	struct mkdir_op *make =
		zkfs_container_of(zkfs_container_of(op, struct zkfs_claim, op),
				  struct mkdir_op, claim);

	if (make->claim.contender)
		make->claim.contender->claim = NULL;
	free(make->lock);
}

void zkfs_lockdir_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mkdir_op *make =
		zkfs_op_new(req, ZKFS_OP_MKDIR, parent, sizeof(*make));
	int error;

	if (!make || !zkfs_op_path(&make->claim.op, name))
		return;
	make->claim.op.fini = mkdir_fini;
	make->claim.granted = on_granted;
	make->claim.failed = on_failed;
	make->lock = zkfs_tree_path(make->claim.op.node);
	error = make->lock ? zkfs_lock_check_label(name) : -ENOMEM;
	if (error) {
		zkfs_reply_error(make, error);
		return;
	}
	zkfs_contender_claim(&make->claim, &(struct zkfs_contender_config){
						   .lock = make->lock,
						   .label = make->claim.op.name,
						   .mode = ZKFS_LOCK_EXCLUSIVE,
						   .try = true,
						   .hurry = true,
						   .dir = parent,
					   });
}

/* Giving back */

static void rmdir_fini(struct zkfs_op *op)
{
	struct rmdir_op *rm = zkfs_container_of(op, struct rmdir_op, op);

	zkfs_list_remove(&rm->leaver.link);
	free(rm->lock);
}

/* The lock is free, or no server has said so in time: then it is given back as
 * soon as there is one, and the directory is there until then. */
static void on_left(struct zkfs_contender_leaver *leaver)
{
	struct rmdir_op *rm =
		zkfs_container_of(leaver, struct rmdir_op, leaver);
	bool there = find(rm->op.fs, rm->lock, rm->op.name);

	zkfs_reply_error(rm, there ? -ETIMEDOUT : 0);
}

static void give_back(struct rmdir_op *rm, struct lockdir *dir)
{
	struct zkfs_contender *contender = dir->contender;
	struct zkfs_fs *fs = rm->op.fs;

	rm->leaver.left = on_left;
	zkfs_contender_await(contender, &rm->leaver);
	/* The kernel holds the directory. */
	contender->answer_by_ms = zkfs_fs_short_patience(fs);
	zkfs_lock_wake(fs, contender->answer_by_ms);
	if (!zkfs_op_park(&rm->op))
		return;
	dir->releasing = true;
	zkfs_contender_leave(contender, -ECANCELED);
}

void zkfs_lockdir_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct rmdir_op *rm =
		zkfs_op_new(req, ZKFS_OP_RMDIR, parent, sizeof(*rm));
	struct lockdir *dir;

	if (!rm || !zkfs_op_path(&rm->op, name))
		return;
	rm->op.fini = rmdir_fini;
	rm->lock = zkfs_tree_path(rm->op.node);
	if (!rm->lock) {
		zkfs_reply_error(rm, -ENOMEM);
		return;
	}
	dir = find(rm->op.fs, rm->lock, name);
	if (!dir)
		zkfs_reply_error(rm, -ENOENT);
	else if (!zkfs_owner_or(&rm->op, dir->contender->uid))
		zkfs_reply_error(rm, -EPERM);
	else
		give_back(rm, dir);
}
