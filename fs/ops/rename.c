/*
 * rename: ZooKeeper cannot move a znode, so the transaction makes the new one
 * and deletes the old one, each with the version that was read:
 *
 *   read     the source with everything below it (subtree.h), and the target's
 *            Stat
 *   move     one multi; parents are made before and deleted after their
 *            children; a child that came or changed since the reading makes
 *            the multi fail as a whole (NOTEMPTY, BADVERSION). It is bound to
 *            the connection by which the reading began (UNSENT): while there
 *            is none others may make a znode anew, of the same version
 *   again    then everything is read anew, a few times
 *
 * An existing target file is set, not replaced: its watchers see one change
 * and never a moment without it, and it keeps its ACL. What is made anew gets
 * the ACL of what it was; if that may not be read, nothing moves.
 */
#include "fs/ops/rename.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/core/move.h"
#include "fs/ops/carried.h"
#include "fs/ops/file.h"
#include "fs/ops/kept.h"
#include "fs/ops/lock.h"
#include "fs/ops/lost.h"
#include "fs/ops/notify.h"
#include "fs/ops/own.h"
#include "fs/ops/reply.h"
#include "fs/ops/subtree.h"
#include "include/zkfs/path.h"

/* Steps a znode may need: create, set; delete; and the target's own. */
#define STEPS_A_NODE 3

struct move_op {
	struct zkfs_op op; /* node: the old parent */
	struct zkfs_node *new_parent;
	char *new_name;
	char *target; /* path; for DATA the directory's */
	bool onto_data;
	bool no_replace;
	struct zkfs_move next;
	struct zkfs_node *source;   /* what the kernel moves; or NULL */
	struct zkfs_node *replaced; /* what it replaces; or NULL */

	struct zkfs_subtree tree; /* the source, as it was read */
	struct zkfs_carried carried;
	uint64_t connection; /* that was the present one when it began */
	unsigned n_pending;  /* of this round: it, and the look */
	int error;	     /* the first of this round */

	struct zkfs_zk_req look; /* the target's Stat */
	bool target_exists;
	struct zkfs_stat target_stat;

	struct zkfs_zk_op *steps;
	size_t n_steps;
	bool acl_hidden; /* of one that has to be made */
	size_t result;	 /* index of the step whose Stat is the new file's */
	struct zkfs_lost lost;
	bool relied; /* the kernel relies on the absence of the target */
	bool moved;
};

static void move_read(struct move_op *move);

static const struct zkfs_subtree_node *first_node(const struct move_op *move)
{
	return zkfs_subtree_at(move->tree.nodes.next);
}

static void move_reset(struct move_op *move)
{
	zkfs_zk_cancel(move->op.fs->zk, &move->look);
	zkfs_lost_cancel(&move->lost);
	zkfs_carried_fini(&move->carried, move->op.fs);
	zkfs_subtree_reset(&move->tree);
	free(move->steps);
	move->steps = NULL;
	move->n_steps = 0;
	move->acl_hidden = false;
	move->n_pending = 0;
	move->error = 0;
}

static struct zkfs_node *own_change(struct zkfs_fs *fs,
				    struct zkfs_node *parent, const char *name)
{
	struct zkfs_node *node = zkfs_tree_find(&fs->tree, parent, name);

	return node ? zkfs_own_change(node) : NULL;
}

static void move_fini(struct zkfs_op *op)
{
	struct move_op *move = zkfs_container_of(op, struct move_op, op);

	if (move->relied && !move->moved)
		zkfs_notify_entry(op->fs, move->new_parent->id, move->new_name);
	move_reset(move);
	zkfs_own_change_end(op->fs, move->source);
	zkfs_own_change_end(op->fs, move->replaced);
	zkfs_tree_unref(&op->fs->tree, move->new_parent);
	free(move->new_name);
	free(move->target);
}

/* The transaction */

static struct zkfs_zk_op *add_step(struct move_op *move,
				   enum zkfs_zk_op_kind kind, const char *path)
{
	struct zkfs_zk_op *step = &move->steps[move->n_steps++];

	*step = (struct zkfs_zk_op){
		.kind = kind, .path = path, .version = ZKFS_ZK_ANY_VERSION};
	return step;
}

static void carry(struct zkfs_zk_op *step, const struct zkfs_buf *data)
{
	step->data = data->data;
	step->len = data->len;
}

/* A znode that was written keeps a version above 0, so that its type stays. One
 * that goes along is set to learn its Stat; of the first the version tells
 * whether all this was done (core/outcome). */
static void add_create(struct move_op *move,
		       const struct zkfs_subtree_node *node)
{
	struct zkfs_zk_op *step = add_step(move, ZKFS_ZK_OP_CREATE, node->to);

	move->acl_hidden |= node->acl_hidden;
	step->acl = node->acl;
	step->acl_len = node->acl_len;
	if (node->stat.version == 0 &&
	    (node == first_node(move) ||
	     !zkfs_carried_has(&move->carried, node))) {
		carry(step, node->data);
		return;
	}
	move->result = move->n_steps;
	carry(add_step(move, ZKFS_ZK_OP_SET, node->to), node->data);
}

/* The first node takes the target's place. */
static void add_target(struct move_op *move,
		       const struct zkfs_subtree_node *first)
{
	bool is_file = zkfs_attr_type(&first->stat, false) == ZKFS_TYPE_FILE;
	struct zkfs_zk_op *step;

	if (move->target_exists && (is_file || move->onto_data)) {
		move->result = move->n_steps;
		step = add_step(move, ZKFS_ZK_OP_SET, move->target);
		step->version = move->target_stat.version;
		carry(step, first->data);
		return;
	}
	if (move->target_exists) {
		step = add_step(move, ZKFS_ZK_OP_DELETE, move->target);
		step->version = move->target_stat.version;
	}
	add_create(move, first);
	if (is_file && first->stat.version == 0) {
		/* A file with data that was never set: one set makes it known
		 * as a file, and gives the Stat. */
		move->result = move->n_steps;
		carry(add_step(move, ZKFS_ZK_OP_SET, move->target),
		      first->data);
	}
}

static int build(struct move_op *move)
{
	const struct zkfs_subtree_node *first = first_node(move);

	if (move->source && zkfs_carried_find(&move->carried, move->op.fs,
					      move->source, &move->tree))
		return -ENOMEM;
	move->steps = calloc(move->tree.n_nodes * STEPS_A_NODE + 3,
			     sizeof(*move->steps));
	if (!move->steps)
		return -ENOMEM;
	move->result = SIZE_MAX;
	add_target(move, first);
	zkfs_list_for_each(it, &move->tree.nodes) {
		if (zkfs_subtree_at(it) != first)
			add_create(move, zkfs_subtree_at(it));
	}
	for (struct zkfs_link *it = move->tree.nodes.prev;
	     it != &move->tree.nodes; it = it->prev)
		add_step(move, ZKFS_ZK_OP_DELETE, zkfs_subtree_at(it)->from)
			->version = zkfs_subtree_at(it)->stat.version;
	if (zkfs_attr_type(&first->stat, false) != ZKFS_TYPE_FILE)
		move->result = SIZE_MAX;
	return move->acl_hidden ? -EACCES : 0;
}

static void note_move(struct move_op *move, const struct zkfs_stat *stat)
{
	struct zkfs_fs *fs = move->op.fs;

	zkfs_observe_own_removal(fs, move->op.node, move->op.name);
	if (move->onto_data && stat)
		zkfs_observe_own_data(fs, move->new_parent, stat);
	else if (!move->onto_data)
		zkfs_observe_own_name(fs, move->new_parent, move->new_name,
				      stat);
}

/* Found by looking, after a lost reply, there is no Stat of them. */
static void tell_carried(const struct move_op *move)
{
	for (size_t i = 0; i < move->n_steps; i++) {
		const struct zkfs_zk_op *step = &move->steps[i];

		if (step->kind == ZKFS_ZK_OP_SET && step->stat.czxid)
			zkfs_carried_moved(&move->carried, step->path,
					   &step->stat);
	}
}

/* The kernel moves the inode to the new name; so does the tree. */
static void follow(struct move_op *move)
{
	struct zkfs_fs *fs = move->op.fs;
	const struct zkfs_stat *stat =
		move->result == SIZE_MAX ? NULL
					 : &move->steps[move->result].stat;

	move->moved = true;
	zkfs_kept_note(fs, move->op.node);
	note_move(move, stat);
	if (move->replaced && move->replaced != move->source &&
	    !move->onto_data)
		zkfs_file_unlinked(move->replaced);
	if (!move->source)
		return;
	if (move->onto_data) {
		/* The moved inode has no name of its own any more. */
		zkfs_kept_note(fs, move->new_parent);
		zkfs_file_unlinked(move->source);
		zkfs_tree_detach(&fs->tree, move->source);
		return;
	}
	/* Without memory the kernel is told by ESTALE later on. */
	if (zkfs_tree_rename(&fs->tree, move->source, move->new_parent,
			     move->new_name) < 0) {
		zkfs_tree_detach(&fs->tree, move->source);
		return;
	}
	zkfs_absent_moved(fs, move->source);
	zkfs_observe_moved(fs, move->source);
	tell_carried(move);
	if (!stat)
		return;
	zkfs_file_moved(move->source, &first_node(move)->stat, stat);
	zkfs_tree_saw(move->source, stat, zkfs_clock_ms());
}

static void on_source_found(struct zkfs_lost *lost, bool known,
			    const struct zkfs_stat *stat);
static void on_target_found(struct zkfs_lost *lost, bool known,
			    const struct zkfs_stat *stat);
static void submit(struct move_op *move);

static void fail(struct move_op *move, const char *path)
{
	if (move->next.unknown)
		zkfs_lost_reply(move, path);
	else
		zkfs_reply_error(move, move->next.error);
}

/* `path`: what the last step was about. */
static void go_on(struct move_op *move, enum zkfs_move_next next,
		  const char *path)
{
	struct zkfs_op *op = &move->op;

	switch (next) {
	case ZKFS_MOVE_READ:
		move_read(move);
		break;
	case ZKFS_MOVE_SEND:
		submit(move);
		break;
	case ZKFS_MOVE_LOOK_SOURCE:
		zkfs_lost_look(&move->lost, op->fs, op->path,
			       op->zk.deadline_ms, on_source_found);
		break;
	case ZKFS_MOVE_LOOK_TARGET:
		zkfs_lost_look(&move->lost, op->fs, move->target,
			       op->zk.deadline_ms, on_target_found);
		break;
	case ZKFS_MOVE_DONE:
		follow(move);
		zkfs_reply_error(move, 0);
		break;
	case ZKFS_MOVE_FAILED:
		fail(move, path);
		break;
	}
}

static void on_target_found(struct zkfs_lost *lost, bool known,
			    const struct zkfs_stat *stat)
{
	struct move_op *move = zkfs_container_of(lost, struct move_op, lost);

	if (stat && move->result != SIZE_MAX)
		move->steps[move->result].stat = *stat;
	go_on(move, zkfs_move_found_target(&move->next, known, stat),
	      move->target);
}

static void on_source_found(struct zkfs_lost *lost, bool known,
			    const struct zkfs_stat *stat)
{
	struct move_op *move = zkfs_container_of(lost, struct move_op, lost);

	go_on(move, zkfs_move_found_source(&move->next, known, stat),
	      move->op.path);
}

static void on_moved(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct move_op *move = zkfs_container_of(op, struct move_op, op);

	go_on(move, zkfs_move_sent(&move->next, reply->error), op->path);
}

static void submit(struct move_op *move)
{
	struct zkfs_op *op = &move->op;
	int error = build(move);

	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
	op->zk = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_MULTI,
		.path = move->target,
		.ops = move->steps,
		.n_ops = move->n_steps,
		.connection = move->connection,
		.deadline_ms = zkfs_fs_short_patience(op->fs),
		.done = on_moved,
	};
	zkfs_zk_submit(op->fs->zk, &op->zk);
}

/* The reading */

/* Whether the target may be replaced by what was read. */
static int check_target(const struct move_op *move)
{
	const struct zkfs_stat *source = &first_node(move)->stat;
	const struct zkfs_stat *target = &move->target_stat;
	bool file = zkfs_attr_type(source, false) == ZKFS_TYPE_FILE;

	if (move->onto_data && !move->target_exists)
		return -ENOENT;
	if (move->onto_data)
		return file ? 0 : -ENOTDIR;
	if (!move->target_exists)
		return 0;
	if (move->no_replace)
		return -EEXIST;
	if (target->ephemeral_owner)
		return -EPERM;
	if (target->num_children > 0)
		return -ENOTEMPTY;
	if (file && zkfs_attr_type(target, false) == ZKFS_TYPE_DIR)
		return -EISDIR;
	if (!file && zkfs_attr_type(target, false) == ZKFS_TYPE_FILE)
		return -ENOTDIR;
	return 0;
}

static int check_sources(const struct move_op *move)
{
	/* An ephemeral lives by the session that made it. */
	zkfs_list_for_each(it, &move->tree.nodes) {
		if (zkfs_subtree_at(it)->stat.ephemeral_owner)
			return -EPERM;
	}
	return check_target(move);
}

static enum zkfs_move_next was_read(struct move_op *move)
{
	const struct zkfs_stat *source = &first_node(move)->stat;

	return zkfs_move_read(&move->next, source,
			      zkfs_attr_type(source, false) == ZKFS_TYPE_FILE,
			      move->target_exists ? &move->target_stat : NULL);
}

static void one_done(struct move_op *move, int error)
{
	if (error && !move->error)
		move->error = error;
	if (--move->n_pending > 0)
		return;
	if (!move->error)
		move->error = check_sources(move);
	if (move->error == -EAGAIN)
		go_on(move, zkfs_move_again(&move->next), move->op.path);
	else if (move->error)
		zkfs_reply_error(move, move->error);
	else
		go_on(move, was_read(move), move->op.path);
}

static void on_tree(struct zkfs_subtree *tree, int error)
{
	one_done(zkfs_container_of(tree, struct move_op, tree), error);
}

static void on_target(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct move_op *move = zkfs_container_of(req, struct move_op, look);

	move->target_exists = !reply->error;
	if (!reply->error)
		move->target_stat = *reply->stat;
	one_done(move, reply->error == ZKFS_E_NONODE
			       ? 0
			       : zkfs_error_to_errno(reply->error));
}

static void move_read(struct move_op *move)
{
	struct zkfs_op *op = &move->op;
	int error;

	move_reset(move);
	move->connection = zkfs_zk_connection(op->fs->zk);
	error = zkfs_subtree_read(&move->tree, op->path, move->target,
				  ZKFS_RENAME_NODES_MAX,
				  zkfs_fs_short_patience(op->fs));
	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
	move->n_pending = 2;
	move->look = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_EXISTS,
		.path = move->target,
		.deadline_ms = zkfs_fs_short_patience(op->fs),
		.done = on_target,
	};
	zkfs_zk_submit(op->fs->zk, &move->look);
}

/* Nothing is moved into a lock, or out of it. */
static bool is_in_lock(const struct zkfs_fs *fs, const struct zkfs_node *dir)
{
	return dir->type == ZKFS_TYPE_LOCKDIR ||
	       zkfs_lock_is_lock_node(fs, dir);
}

/* What can be refused without asking the server. */
static int check_names(struct move_op *move, unsigned flags)
{
	const struct zkfs_fs *fs = move->op.fs;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	if (is_in_lock(fs, move->op.node) || is_in_lock(fs, move->new_parent))
		return -EPERM;
	/* The data of a directory has no znode of its own to move. */
	if (strcmp(move->op.name, fs->config.dataname) == 0)
		return -EXDEV;
	if (strlen(move->new_name) > ZKFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (!zkfs_path_name_valid(move->new_name))
		return -EINVAL;
	if (move->no_replace && move->onto_data)
		return -EEXIST;
	return 0;
}

static bool move_paths(struct move_op *move, const char *newname)
{
	zkfs_autofree char *dir = zkfs_tree_path(move->new_parent);

	move->new_name = strdup(newname);
	if (!dir || !move->new_name)
		return false;
	move->onto_data = strcmp(newname, move->op.fs->config.dataname) == 0;
	move->target = move->onto_data ? zkfs_steal(&dir)
				       : zkfs_path_join(dir, newname);
	return move->target;
}

void zkfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		 fuse_ino_t newparent, const char *newname, unsigned flags)
{
	struct move_op *move =
		zkfs_op_new(req, ZKFS_OP_RENAME, parent, sizeof(*move));
	struct zkfs_node *new_parent;
	struct zkfs_fs *fs;
	int error;

	if (!move)
		return;
	fs = move->op.fs;
	zkfs_subtree_init(&move->tree, fs, on_tree);
	move->op.fini = move_fini;
	new_parent = zkfs_tree_get(&fs->tree, newparent);
	if (!new_parent) {
		zkfs_reply_error(move, -ESTALE);
		return;
	}
	move->new_parent = zkfs_tree_ref(new_parent);
	if (!zkfs_op_path(&move->op, name))
		return;
	if (!move_paths(move, newname)) {
		zkfs_reply_error(move, -ENOMEM);
		return;
	}
	move->no_replace = flags & RENAME_NOREPLACE;
	error = check_names(move, flags);
	if (error) {
		zkfs_reply_error(move, error);
		return;
	}
	move->relied = zkfs_absent_forget(fs, new_parent, newname);
	move->source = own_change(fs, move->op.node, name);
	move->replaced = own_change(fs, new_parent, newname);
	if (zkfs_op_park(&move->op))
		go_on(move, zkfs_move_begin(&move->next), move->op.path);
}
