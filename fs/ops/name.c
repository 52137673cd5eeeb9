/*
 * name: see name.h.
 *
 * Each operation is one transaction. A create that lost a race answers ESTALE
 * and not EEXIST: the kernel then looks the name up again and gives open(2)
 * with O_CREAT the file, and O_EXCL and mkdir(2) their EEXIST (do_filp_open()
 * retries with LOOKUP_REVAL).
 */
#include "fs/ops/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "fs/core/outcome.h"
#include "fs/ops/file.h"
#include "fs/ops/kept.h"
#include "fs/ops/lock.h"
#include "fs/ops/lost.h"
#include "fs/ops/meta.h"
#include "fs/ops/notify.h"
#include "fs/ops/own.h"
#include "fs/ops/reply.h"
#include "include/zkfs/path.h"

struct create_op {
	struct zkfs_op op;
	struct zkfs_zk_op steps[2];
	struct zkfs_zk_req look; /* mkdir: the Stat, right behind the create */
	struct zkfs_lost lost;
	bool relied; /* the kernel relies on the absence of the name */
	bool made;
};

struct remove_op {
	struct zkfs_op op;
	struct zkfs_node *victim; /* referenced; NULL if it is not known */
	struct zkfs_lost lost;
};

static bool is_data_name(const struct zkfs_op *op)
{
	return strcmp(op->name, op->fs->config.dataname) == 0;
}

/* Whether a user may make this name in the op's directory; answers if not. */
static bool may_make(struct zkfs_op *op)
{
	int error = 0;

	if (op->node->type == ZKFS_TYPE_LOCKDIR)
		error = -EPERM;
	else if (strlen(op->name) > ZKFS_NAME_MAX)
		error = -ENAMETOOLONG;
	else if (!zkfs_path_name_valid(op->name))
		error = -EINVAL;
	else if (is_data_name(op))
		error = -EEXIST;
	if (error)
		zkfs_reply_error(op, error);
	return !error;
}

static int create_errno(enum zkfs_error error)
{
	if (error == ZKFS_E_NODEEXISTS)
		return -ESTALE;
	if (error == ZKFS_E_NOCHILDREN)
		return -ENOTDIR; /* the directory has become an ephemeral */
	return zkfs_error_to_errno(error);
}

static void create_fini(struct zkfs_op *op)
{
	struct create_op *create = zkfs_container_of(op, struct create_op, op);

	zkfs_zk_cancel(op->fs->zk, &create->look);
	zkfs_lost_cancel(&create->lost);
	if (create->relied && !create->made)
		zkfs_notify_entry(op->fs, op->node->id, op->name);
}

/* It is not absent for much longer. */
static void end_absence(struct create_op *create)
{
	struct zkfs_op *op = &create->op;

	create->relied = zkfs_absent_forget(op->fs, op->node, op->name);
}

static void create_again(struct create_op *create)
{
	struct zkfs_zk *zk = create->op.fs->zk;

	zkfs_zk_submit(zk, &create->op.zk);
	if (create->look.done)
		zkfs_zk_submit(zk, &create->look);
}

static void on_create_found(struct zkfs_lost *lost, bool known,
			    const struct zkfs_stat *stat)
{
	struct create_op *create =
		zkfs_container_of(lost, struct create_op, lost);

	if (known && zkfs_outcome_create(stat) == ZKFS_OUTCOME_NOT_DONE)
		create_again(create);
	else
		zkfs_lost_reply(create, create->op.path);
}

static void create_failed(struct create_op *create, enum zkfs_error error)
{
	struct zkfs_op *op = &create->op;

	if (error != ZKFS_E_LOST) {
		zkfs_reply_error(op, create_errno(error));
		return;
	}
	zkfs_zk_cancel(op->fs->zk, &create->look);
	zkfs_lost_look(&create->lost, op->fs, op->path, op->zk.deadline_ms,
		       on_create_found);
}

/* The caller's reference keeps the node, and its id, until it is answered. */
static struct zkfs_node *note_made(struct zkfs_op *op,
				   const struct zkfs_stat *stat)
{
	struct zkfs_node *node =
		zkfs_meta_intern(op->fs, op->node, op->name, stat);

	if (node && node->type == ZKFS_TYPE_FILE)
		zkfs_made_note(op->fs, node, fuse_req_ctx(op->req)->pid);
	return node;
}

static void on_mknod(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct create_op *create = zkfs_container_of(op, struct create_op, op);
	struct zkfs_fs *fs = op->fs;
	struct zkfs_node *node;

	if (reply->error) {
		create_failed(create, reply->error);
		return;
	}
	create->made = true;
	zkfs_observe_own_name(op->fs, op->node, op->name,
			      &create->steps[1].stat);
	node = note_made(op, &create->steps[1].stat);
	zkfs_meta_answer(op, &create->steps[1].stat);
	zkfs_tree_unref(&fs->tree, node);
}

/* A file is made and set to empty in one transaction: its version is 1, so
 * that every mount sees a file at once (the type rule), and the set's Stat
 * saves a round trip. */
static void make_file(struct create_op *create)
{
	struct zkfs_op *op = &create->op;

	op->fini = create_fini;
	end_absence(create);
	create->steps[0] =
		(struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
				    .path = op->path,
				    .acl = op->fs->config.acl,
				    .acl_len = op->fs->config.acl_len};
	create->steps[1] = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_SET,
					       .path = op->path,
					       .version = ZKFS_ZK_ANY_VERSION};
	op->zk.kind = ZKFS_ZK_MULTI;
	op->zk.ops = create->steps;
	op->zk.n_ops = 2;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_mknod);
}

static void on_data_found(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	if (reply->error)
		zkfs_reply_zk_error(op, reply->error);
	else
		zkfs_meta_answer_data(op, reply->stat);
}

/* A directory's data file is there as soon as somebody asks for it. */
static void make_data(struct zkfs_op *op)
{
	free(op->path);
	op->path = zkfs_tree_path(op->node);
	if (!op->path) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	op->zk.kind = ZKFS_ZK_EXISTS;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_data_found);
}

void zkfs_name_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev)
{
	struct create_op *create =
		zkfs_op_new(req, ZKFS_OP_MKNOD, parent, sizeof(*create));

	if (!create || !zkfs_op_path(&create->op, name))
		return;
	if ((mode & S_IFMT) != S_IFREG && (mode & S_IFMT) != 0)
		zkfs_reply_error(create, -EPERM);
	else if (zkfs_lock_is_lock_node(create->op.fs, create->op.node))
		zkfs_lock_mknod(&create->op);
	else if (create->op.node->type == ZKFS_TYPE_DIR &&
		 is_data_name(&create->op))
		make_data(&create->op);
	else if (may_make(&create->op))
		make_file(create);
}

/* Its data, if it gets any, may come before its children. */
static void answer_mkdir(struct zkfs_op *op, const struct zkfs_stat *stat)
{
	struct zkfs_fs *fs = op->fs;
	struct zkfs_node *node = zkfs_meta_intern(fs, op->node, op->name, stat);

	zkfs_observe_own_name(fs, op->node, op->name, stat);
	if (node && node->type != ZKFS_TYPE_DIR) {
		/* Somebody has made a file of it: mkdir(2) would be EIO. */
		zkfs_tree_unref(&fs->tree, node);
		zkfs_reply_error(op, -ESTALE);
		return;
	}
	if (node)
		zkfs_kept_note(fs, node);
	zkfs_meta_answer(op, stat);
	zkfs_tree_unref(&fs->tree, node);
}

static void on_mkdir_look(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct create_op *create =
		zkfs_container_of(req, struct create_op, look);

	if (reply->error) {
		/* NONODE: removed meanwhile. */
		if (reply->error == ZKFS_E_NONODE)
			zkfs_reply_error(create, -ESTALE);
		else
			zkfs_reply_zk_error(create, reply->error);
		return;
	}
	create->made = true;
	answer_mkdir(&create->op, reply->stat);
}

static void on_mkdir(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	if (reply->error)
		create_failed(zkfs_container_of(op, struct create_op, op),
			      reply->error);
	/* else the look-up behind it answers */
}

void zkfs_name_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	struct create_op *create =
		zkfs_op_new(req, ZKFS_OP_MKDIR, parent, sizeof(*create));
	struct zkfs_op *op;
	int64_t deadline;

	if (!create || !zkfs_op_path(&create->op, name))
		return;
	op = &create->op;
	op->fini = create_fini;
	if (!may_make(op))
		return;
	end_absence(create);
	deadline = zkfs_fs_short_patience(op->fs);
	create->steps[0] =
		(struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
				    .path = op->path,
				    .acl = op->fs->config.acl,
				    .acl_len = op->fs->config.acl_len};
	op->zk.kind = ZKFS_ZK_MULTI;
	op->zk.ops = create->steps;
	op->zk.n_ops = 1;
	create->look = (struct zkfs_zk_req){.kind = ZKFS_ZK_EXISTS,
					    .path = op->path,
					    .deadline_ms = deadline,
					    .done = on_mkdir_look};
	if (!zkfs_op_submit(op, deadline, on_mkdir))
		return;
	zkfs_zk_submit(op->fs->zk, &create->look);
}

/* Removing */

static void remove_fini(struct zkfs_op *op)
{
	struct remove_op *rm = zkfs_container_of(op, struct remove_op, op);

	zkfs_lost_cancel(&rm->lost);
	rm->victim = zkfs_own_change_end(op->fs, rm->victim);
}

/* The name is gone; who has it open may go on, to no effect. */
static void forget_victim(struct remove_op *rm)
{
	if (!rm->victim)
		return;
	zkfs_file_unlinked(rm->victim);
	zkfs_tree_detach(&rm->op.fs->tree, rm->victim);
}

static void removed(struct remove_op *rm)
{
	zkfs_kept_note(rm->op.fs, rm->op.node);
	zkfs_observe_own_removal(rm->op.fs, rm->op.node, rm->op.name);
	forget_victim(rm);
	zkfs_reply_error(rm, 0);
}

static void on_removal_found(struct zkfs_lost *lost, bool known,
			     const struct zkfs_stat *stat)
{
	struct remove_op *rm = zkfs_container_of(lost, struct remove_op, lost);
	const struct zkfs_node *victim = rm->victim;
	int64_t czxid = victim && !victim->adopt ? victim->czxid : 0;
	enum zkfs_outcome outcome =
		known ? zkfs_outcome_delete(stat, czxid) : ZKFS_OUTCOME_UNKNOWN;

	if (outcome == ZKFS_OUTCOME_NOT_DONE)
		zkfs_zk_submit(rm->op.fs->zk, &rm->op.zk);
	else if (outcome == ZKFS_OUTCOME_DONE)
		removed(rm);
	else
		zkfs_lost_reply(rm, rm->op.path);
}

static void on_removed(struct zkfs_zk_req *req,
		       const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct remove_op *rm = zkfs_container_of(op, struct remove_op, op);

	if (!reply->error) {
		removed(rm);
		return;
	}
	if (reply->error == ZKFS_E_LOST) {
		zkfs_lost_look(&rm->lost, op->fs, op->path, req->deadline_ms,
			       on_removal_found);
		return;
	}
	/* rmdir: it has been written to meanwhile, and may be a file now. */
	if (reply->error == ZKFS_E_BADVERSION)
		zkfs_reply_error(op, -ESTALE);
	else
		zkfs_reply_zk_error(op, reply->error);
}

static struct remove_op *remove_new(fuse_req_t req, enum zkfs_op_kind kind,
				    fuse_ino_t parent, const char *name)
{
	struct remove_op *rm = zkfs_op_new(req, kind, parent, sizeof(*rm));

	if (!rm || !zkfs_op_path(&rm->op, name))
		return NULL;
	rm->op.fini = remove_fini;
	rm->op.zk.kind = ZKFS_ZK_DELETE;
	rm->op.zk.version = ZKFS_ZK_ANY_VERSION;
	rm->victim = zkfs_tree_find(&rm->op.fs->tree, rm->op.node, name);
	if (rm->victim)
		rm->victim = zkfs_own_change(rm->victim);
	return rm;
}

static void data_removed(struct remove_op *rm, const struct zkfs_stat *stat)
{
	struct zkfs_op *op = &rm->op;

	zkfs_tree_made(op->node, stat, zkfs_clock_ms());
	zkfs_observe_own_data(op->fs, op->node, stat);
	forget_victim(rm);
	zkfs_reply_error(op, 0);
}

/* Done twice it is not the same: what was written in between would go, too. */
static void on_emptied_found(struct zkfs_lost *lost, bool known,
			     const struct zkfs_stat *stat)
{
	struct remove_op *rm = zkfs_container_of(lost, struct remove_op, lost);
	const struct zkfs_node *dir = rm->op.node;
	enum zkfs_outcome outcome =
		known ? zkfs_outcome_empty(stat,
					   dir->seen_ms ? &dir->stat : NULL)
		      : ZKFS_OUTCOME_UNKNOWN;

	if (outcome == ZKFS_OUTCOME_NOT_DONE)
		zkfs_zk_submit(rm->op.fs->zk, &rm->op.zk);
	else if (outcome == ZKFS_OUTCOME_DONE)
		data_removed(rm, stat);
	else
		zkfs_lost_reply(rm, rm->op.path);
}

static void on_data_removed(struct zkfs_zk_req *req,
			    const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct remove_op *rm = zkfs_container_of(op, struct remove_op, op);

	if (reply->error == ZKFS_E_LOST)
		zkfs_lost_look(&rm->lost, op->fs, op->path, req->deadline_ms,
			       on_emptied_found);
	else if (reply->error)
		zkfs_reply_zk_error(op, reply->error);
	else
		data_removed(rm, reply->stat);
}

/* `rm DIR/.data` leaves the directory without data. */
static void remove_data(struct zkfs_op *op)
{
	free(op->path);
	op->path = zkfs_tree_path(op->node);
	if (!op->path) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	zkfs_kept_note(op->fs, op->node);
	op->zk.kind = ZKFS_ZK_SET;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs),
			     on_data_removed);
}

void zkfs_name_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct remove_op *rm = remove_new(req, ZKFS_OP_UNLINK, parent, name);

	if (!rm)
		return;
	if (strcmp(name, rm->op.fs->config.dataname) == 0)
		remove_data(&rm->op);
	else if (!zkfs_path_name_valid(name))
		zkfs_reply_error(rm, -ENOENT);
	else
		(void)zkfs_op_submit(&rm->op, zkfs_fs_short_patience(rm->op.fs),
				     on_removed);
}

void zkfs_name_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct remove_op *rm = remove_new(req, ZKFS_OP_RMDIR, parent, name);

	if (!rm)
		return;
	if (!zkfs_path_name_valid(name)) {
		zkfs_reply_error(rm, -ENOENT);
		return;
	}
	/* The version seen a moment ago: what has been written since is not
	 * removed unseen. */
	if (rm->victim && rm->victim->seen_ms)
		rm->op.zk.version = rm->victim->stat.version;
	(void)zkfs_op_submit(&rm->op, zkfs_fs_short_patience(rm->op.fs),
			     on_removed);
}

void zkfs_name_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		       const char *name)
{
	zkfs_reply_now(req, ZKFS_OP_SYMLINK, -EPERM);
}

void zkfs_name_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		    const char *name)
{
	zkfs_reply_now(req, ZKFS_OP_LINK, -EPERM);
}
