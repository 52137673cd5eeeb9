/*
 * lock: see lock.h. Which directories are locks, what their names mean, and
 * what the passing of time and of sessions does to contenders.
 */
#include "fs/ops/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/entry.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/owner.h"
#include "fs/ops/queuefile.h"
#include "include/zkfs/path.h"
#include "include/zkfs/queue.h"

#define RESERVED_MS 2000

/* `rm` of an entry. */
struct unlink_op {
	struct zkfs_op op;
	char *lock; /* path */
	struct zkfs_zk_op steps[ZKFS_NAMES_MAX];
	char *paths[ZKFS_NAMES_MAX];
	size_t n_steps;
	struct zkfs_link link; /* fs->unlinkers */
	int64_t answer_by_ms;  /* while in there */
};

/* Which directories are locks */

static bool is_child_of(const char *path, const char *dir)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/' &&
	       path[len + 1] != '\0' && !strchr(path + len + 1, '/');
}

bool zkfs_lock_is_lock(const struct zkfs_fs *fs, const char *path)
{
	for (size_t i = 0; i < fs->config.n_lockroots; i++)
		if (is_child_of(path, fs->config.lockroots[i]))
			return true;
	return false;
}

bool zkfs_lock_is_lock_node(const struct zkfs_fs *fs,
			    const struct zkfs_node *node)
{
	if (node->type != ZKFS_TYPE_DIR || !node->parent)
		return false;
	/* What is taken for an ordinary directory would be filled with strays:
	 * this is told without any memory. */
	for (size_t i = 0; i < fs->config.n_lockroots; i++)
		if (zkfs_tree_is_at(node->parent, fs->config.lockroots[i]))
			return true;
	return false;
}

bool zkfs_lock_is_virtual(const char *name)
{
	return strcmp(name, ".lock") == 0 || zkfs_queuefile_is(name);
}

/* Contenders of this mount by name */

static bool is_ours(const struct zkfs_contender *contender, const char *lock,
		    const char *label)
{
	return strcmp(contender->label, label) == 0 &&
	       strcmp(contender->lock, lock) == 0 &&
	       zkfs_contender_joined(contender);
}

struct zkfs_contender *zkfs_lock_find_ours(const struct zkfs_fs *fs,
					   const char *lock, const char *label)
{
	zkfs_list_for_each(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (is_ours(contender, lock, label))
			return contender;
	}
	return NULL;
}

bool zkfs_lock_is_lost(const struct zkfs_fs *fs, const struct zkfs_node *node)
{
	bool lost = false;

	zkfs_list_for_each(it, &fs->contenders) {
		const struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (strcmp(contender->label, node->name) != 0 ||
		    !zkfs_tree_is_at(node->parent, contender->lock))
			continue;
		if (!contender->broken)
			return false; /* another of that name lives */
		lost |= contender->owner != NULL;
	}
	return lost;
}

/* Look-up. It takes over the op that ops/meta has made; its needs are small
 * enough for the generic one. */

static struct zkfs_node *entry_node(const struct zkfs_op *op)
{
	return zkfs_tree_intern(&op->fs->tree, op->node, op->name,
				ZKFS_TYPE_ENTRY, 0);
}

/* Takes the caller's reference on the node; NULL: no memory. */
static void answer_entry(struct zkfs_op *op, struct zkfs_node *node)
{
	struct stat st;

	if (!node) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	node->denied = false;
	zkfs_entry_stat(op->fs, node, &st);
	(void)zkfs_reply_entry(op, node, &st);
}

static char *lock_path(const struct zkfs_op *op)
{
	return zkfs_tree_path(op->node);
}

static void lookup_fini(struct zkfs_op *op)
{
	zkfs_lockview_given_up(zkfs_steal(&op->zk.watch));
}

/* For the try that may follow in the same system call. */
static void keep_glance(struct zkfs_op *op, const struct zkfs_queue *queue,
			bool found)
{
	bool busy =
		zkfs_queue_blocker(queue, INT64_MAX, ZKFS_LOCK_EXCLUSIVE, NULL);
	struct zkfs_node *old =
		zkfs_tree_find(&op->fs->tree, op->node, op->name);
	bool echo = !found && old && old->n_lookups > 0 && !old->denied;

	if (echo)
		old->denied = true;
	zkfs_glance_keep(&op->fs->glances, fuse_req_ctx(op->req)->pid,
			 op->node->id, op->name, busy, echo);
}

static void on_lookup(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	zkfs_autofree char *lock = lock_path(op);
	struct zkfs_queue queue;
	bool found;

	zkfs_lockview_listed(op->fs, op->path, zkfs_steal(&req->watch), reply);
	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	if (!lock || zkfs_queue_parse(reply->names, reply->n_names, &queue)) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	found = zkfs_entry_find(op->fs, lock, &queue, op->name) ||
		zkfs_entry_listed(reply, op->name);
	keep_glance(op, &queue, found);
	zkfs_queue_fini(&queue);
	if (found)
		answer_entry(op, entry_node(op));
	else
		zkfs_reply_error(op, -ENOENT);
}

/* It is no contender of ours. A znode's own name may still be one's. */
static bool is_known_absent(struct zkfs_op *op, const char *lock)
{
	struct zkfs_glances *glances = &op->fs->glances;
	pid_t tid = fuse_req_ctx(op->req)->pid;

	if (zkfs_glance_echoes(glances, tid, op->node->id, op->name))
		return true;
	zkfs_glance_forget(glances, tid);
	return zkfs_lockview_alone(op->fs, lock) &&
	       strncmp(op->name, "_c_", 3) != 0;
}

void zkfs_lock_lookup(struct zkfs_op *op)
{
	zkfs_autofree char *lock = lock_path(op);
	struct zkfs_node *old =
		zkfs_tree_find(&op->fs->tree, op->node, op->name);
	bool absent = lock && is_known_absent(op, lock);

	/* A daemon that was stopped shows no directory of a lock that it has
	 * lost meanwhile. */
	zkfs_heartbeat_check(op->fs);
	if (lock && zkfs_lockdir_lookup(op, lock))
		return;
	if (lock && (zkfs_lock_is_virtual(op->name) ||
		     zkfs_lock_find_ours(op->fs, lock, op->name) ||
		     (old && old->reserved_until_ms > zkfs_clock_ms()))) {
		answer_entry(op, entry_node(op));
		return;
	}
	if (!lock || absent) {
		zkfs_reply_error(op, lock ? -ENOENT : -ENOMEM);
		return;
	}
	free(op->path);
	op->path = zkfs_steal(&lock);
	op->fini = lookup_fini;
	op->zk.kind = ZKFS_ZK_CHILDREN;
	op->zk.watch = zkfs_lockview_watch(op->fs, op->path);
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_lookup);
}

int zkfs_lock_check_label(const char *name)
{
	if (strlen(name) > ZKFS_LABEL_MAX)
		return -ENAMETOOLONG;
	if (!zkfs_names_label_valid(name))
		return name[0] == '.' ? -EPERM : -EINVAL;
	return 0;
}

/* The kernel makes a name before it opens it: that is kept here, for a moment,
 * and nothing is sent. A name that is never opened just fades. */
void zkfs_lock_mknod(struct zkfs_op *op)
{
	int error = zkfs_lock_check_label(op->name);
	struct zkfs_node *node;

	if (error) {
		zkfs_reply_error(op, error);
		return;
	}
	node = entry_node(op);
	if (node)
		node->reserved_until_ms = zkfs_clock_ms() + RESERVED_MS;
	answer_entry(op, node);
}

/* Removing a name: leaving the queue oneself, or breaking another's lock */

static struct unlink_op *unlink_from_zk(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_op_from_zk(req), struct unlink_op, op);
}

static void unlink_fini(struct zkfs_op *op)
{
	struct unlink_op *rm = zkfs_container_of(op, struct unlink_op, op);

	zkfs_list_remove(&rm->link);
	for (size_t i = 0; i < rm->n_steps; i++)
		free(rm->paths[i]);
	free(rm->lock);
}

void zkfs_lock_left(struct zkfs_fs *fs)
{
	zkfs_list_for_each_safe(it, &fs->unlinkers) {
		struct unlink_op *rm =
			zkfs_list_entry(it, struct unlink_op, link);

		if (!zkfs_lock_find_ours(fs, rm->lock, rm->op.name))
			zkfs_reply_error(rm, 0);
	}
}

/* Several users may have asked for the lock by one name. */
static bool may_end_ours(const struct unlink_op *rm)
{
	zkfs_list_for_each(it, &rm->op.fs->contenders) {
		const struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (is_ours(contender, rm->lock, rm->op.name) &&
		    !zkfs_owner_or(&rm->op, contender->uid))
			return false;
	}
	return true;
}

/* Those of ours with this name leave; the op is answered by the last. */
static void leave_ours(struct unlink_op *rm)
{
	struct zkfs_fs *fs = rm->op.fs;
	struct zkfs_contender *contender;
	struct zkfs_link leaving, *first;

	/* Settling may free any contender, so one at a time is moved aside. */
	zkfs_list_init(&leaving);
	zkfs_list_for_each_safe(it, &fs->contenders) {
		contender = zkfs_list_entry(it, struct zkfs_contender, link);
		if (is_ours(contender, rm->lock, rm->op.name)) {
			zkfs_list_remove(it);
			zkfs_list_append(&leaving, it);
		}
	}
	/* It holds the directory, and the server may be away for long. */
	rm->answer_by_ms = zkfs_fs_short_patience(fs);
	zkfs_lock_wake(fs, rm->answer_by_ms);
	zkfs_list_append(&fs->unlinkers, &rm->link);
	if (!zkfs_op_park(&rm->op)) {
		zkfs_list_splice(&fs->contenders, &leaving);
		return;
	}
	while ((first = zkfs_list_first(&leaving))) {
		contender = zkfs_list_entry(first, struct zkfs_contender, link);
		zkfs_list_remove(first);
		zkfs_list_append(&fs->contenders, first);
		zkfs_contender_leave(contender, -ECANCELED);
	}
}

static void on_broken(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	zkfs_reply_zk_error(zkfs_op_from_zk(req), reply->error);
}

static int add_step(struct unlink_op *rm, const char *name)
{
	size_t i = rm->n_steps;

	rm->paths[i] = zkfs_path_join(rm->lock, name);
	if (!rm->paths[i])
		return -ENOMEM;
	rm->steps[i] = (struct zkfs_zk_op){
		.kind = ZKFS_ZK_OP_DELETE,
		.path = rm->paths[i],
		.version = ZKFS_ZK_ANY_VERSION,
	};
	rm->n_steps++;
	return 0;
}

static int break_steps(struct unlink_op *rm, const struct zkfs_zk_reply *reply)
{
	const struct zkfs_queue_entry *entry;
	struct zkfs_queue queue;
	int error = zkfs_queue_parse(reply->names, reply->n_names, &queue);

	if (error)
		return error;
	entry = zkfs_entry_find(rm->op.fs, rm->lock, &queue, rm->op.name);
	if (entry)
		for (size_t i = 0; i < entry->n_names && !error; i++)
			error = add_step(rm, entry->names[i]);
	else if (zkfs_entry_listed(reply, rm->op.name))
		error = add_step(rm, rm->op.name);
	else
		error = -ENOENT;
	zkfs_queue_fini(&queue);
	return error;
}

static void on_unlink_list(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct unlink_op *rm = unlink_from_zk(req);
	int error = zkfs_error_to_errno(reply->error);

	if (!error)
		error = break_steps(rm, reply);
	if (error) {
		zkfs_reply_error(rm, error);
		return;
	}
	req->kind = ZKFS_ZK_MULTI;
	req->ops = rm->steps;
	req->n_ops = rm->n_steps;
	req->done = on_broken;
	zkfs_zk_submit(rm->op.fs->zk, req);
}

void zkfs_lock_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct unlink_op *rm =
		zkfs_op_new(req, ZKFS_OP_UNLINK, parent, sizeof(*rm));
	struct zkfs_fs *fs;
	struct zkfs_node *node;

	if (!rm)
		return;
	fs = rm->op.fs;
	rm->op.fini = unlink_fini;
	if (!zkfs_op_path(&rm->op, name))
		return;
	if (zkfs_lock_is_virtual(name)) {
		zkfs_reply_error(rm, -EPERM);
		return;
	}
	rm->lock = lock_path(&rm->op);
	if (!rm->lock) {
		zkfs_reply_error(rm, -ENOMEM);
		return;
	}
	node = zkfs_tree_find(&fs->tree, rm->op.node, name);
	if (zkfs_lock_find_ours(fs, rm->lock, name)) {
		if (may_end_ours(rm))
			leave_ours(rm);
		else
			zkfs_reply_error(rm, -EPERM);
		return;
	}
	if (node && node->reserved_until_ms > zkfs_clock_ms()) {
		node->reserved_until_ms = 0;
		zkfs_reply_error(rm, 0);
		return;
	}
	/* Whose it is on its own host is not known here. */
	if (!zkfs_owner_calls(&rm->op)) {
		zkfs_reply_error(rm, -EPERM);
		return;
	}
	rm->op.zk.kind = ZKFS_ZK_CHILDREN;
	rm->op.zk.path = rm->lock;
	(void)zkfs_op_submit(&rm->op, zkfs_fs_short_patience(fs),
			     on_unlink_list);
}

/* The session, time */

void zkfs_lock_session(struct zkfs_fs *fs)
{
	bool connected = zkfs_zk_connected(fs->zk);
	uint64_t generation = zkfs_zk_generation(fs->zk);

	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (!contender->started)
			continue;
		zkfs_lockq_session(contender->lockq, connected, generation);
		zkfs_contender_settle(contender);
	}
}

/* A turn of the loop must not look at thousands who wait: this is the earliest
 * time at which any of them may be due, and all are looked at only then. It may
 * be too early, when who set it is gone, but never too late. */
void zkfs_lock_wake(struct zkfs_fs *fs, int64_t at_ms)
{
	fs->lock_scan_ms = zkfs_clock_earlier(fs->lock_scan_ms, at_ms);
}

int64_t zkfs_lock_deadline(const struct zkfs_fs *fs)
{
	return fs->lock_scan_ms;
}

static int64_t next_deadline(const struct zkfs_fs *fs)
{
	int64_t deadline = ZKFS_NEVER;

	zkfs_list_for_each(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms)
			deadline = zkfs_clock_earlier(
				deadline, contender->grace_until_ms);
		if (contender->claim || !zkfs_list_empty(&contender->leavers))
			deadline = zkfs_clock_earlier(deadline,
						      contender->answer_by_ms);
	}
	zkfs_list_for_each(it, &fs->unlinkers) {
		deadline = zkfs_clock_earlier(
			deadline, zkfs_list_entry(it, struct unlink_op, link)
					  ->answer_by_ms);
	}
	return deadline;
}

void zkfs_lock_tick(struct zkfs_fs *fs, int64_t now_ms)
{
	if (now_ms < fs->lock_scan_ms)
		return;
	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms &&
		    contender->grace_until_ms <= now_ms)
			zkfs_contender_leave(contender, -EINTR);
		else if (contender->claim && contender->answer_by_ms <= now_ms)
			zkfs_contender_leave(contender, -ETIMEDOUT);
		else if (contender->answer_by_ms <= now_ms)
			zkfs_contender_tell(contender);
	}
	zkfs_list_for_each_safe(it, &fs->unlinkers) {
		struct unlink_op *rm =
			zkfs_list_entry(it, struct unlink_op, link);

		if (rm->answer_by_ms <= now_ms)
			zkfs_reply_error(rm, -ETIMEDOUT);
	}
	fs->lock_scan_ms = next_deadline(fs);
}
