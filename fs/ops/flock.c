/*
 * flock: see flock.h.
 */
#include "fs/ops/flock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/contender.h"
#include "fs/ops/filelock.h"
#include "fs/ops/handle.h"
#include "fs/ops/hold.h"
#include "fs/ops/line.h"
#include "fs/ops/poll.h"
#include "include/zkfs/queue.h"

/* A lock that is ours, or that is waited for in the background. */
struct grip {
	struct zkfs_contender_owner owner;
	struct zkfs_contender *contender;
	struct zkfs_line line;
	uint64_t fh;
	uint64_t kernel_owner;
	bool posix;
	struct zkfs_link link; /* fs->grips */
};

/* What is asked for. */
struct want {
	uint64_t fh;
	uint64_t kernel_owner;
	bool posix;
	bool unlock;
	bool wait;
	bool background; /* but not in the call: EINPROGRESS, as connect(2) */
	enum zkfs_lock_mode mode;
};

struct flock_op {
	struct zkfs_claim claim;
	struct want want;
	struct grip *grip; /* made beforehand: a grant must not fail */
	char *lock;	   /* path */
	bool of_file;	   /* named after a file: made on first use */
	struct zkfs_filelock_making making;
	unsigned made; /* so many times */
	struct zkfs_contender_leaver leaver;
};

/* Of a lock's directory that is there when it is to be made and gone when it
 * is to be joined: Curator makes it as a container, which the server removes
 * while it is empty. One that we have made stays. */
#define MAKES_MAX 16

static void claim_lock(struct flock_op *op);

static int find_lock(struct flock_op *op)
{
	const struct zkfs_node *node = op->claim.op.node;

	if (node->type != ZKFS_TYPE_ENTRY) {
		op->of_file = true;
		return zkfs_filelock_path(op->claim.op.fs, node, &op->lock);
	}
	op->lock = zkfs_tree_path(node->parent);
	return op->lock ? 0 : -ENOMEM;
}

/* What is held */

static struct grip *grip_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct grip, link);
}

static struct grip *grip_find(const struct zkfs_fs *fs, const char *lock,
			      const struct want *want)
{
	zkfs_list_for_each(it, &fs->grips) {
		struct grip *grip = grip_at(it);

		if (grip->posix == want->posix &&
		    grip->kernel_owner == want->kernel_owner &&
		    (grip->posix || grip->fh == want->fh) &&
		    strcmp(grip->contender->lock, lock) == 0)
			return grip;
	}
	return NULL;
}

static bool is_held(const struct grip *grip)
{
	return grip->contender->granted && !grip->contender->broken;
}

static void on_changed(struct zkfs_contender_owner *owner)
{
	struct grip *grip = zkfs_container_of(owner, struct grip, owner);

	zkfs_line_changed(&grip->line, grip->contender);
	zkfs_poll_wake(grip->contender->fs, grip->fh);
}

/* Lets go; `leaver`, if not NULL, is told when nothing is left. */
static void grip_release(struct grip *grip,
			 struct zkfs_contender_leaver *leaver)
{
	struct zkfs_contender *contender = grip->contender;

	zkfs_line_fini(&grip->line);
	zkfs_list_remove(&grip->link);
	free(grip);
	if (leaver)
		zkfs_contender_await(contender, leaver);
	zkfs_contender_release(contender);
}

void zkfs_flock_flushed(struct zkfs_fs *fs, uint64_t fh, uint64_t owner)
{
	const struct zkfs_handle *handle = zkfs_handle_any(fs, fh);

	zkfs_list_for_each_safe(it, &fs->grips) {
		struct grip *grip = grip_at(it);
		const struct zkfs_handle *taken = zkfs_handle_any(fs, grip->fh);

		if (grip->posix && grip->kernel_owner == owner && handle &&
		    taken && taken->node == handle->node)
			grip_release(grip, NULL);
	}
}

/* Places that were kept for an interrupted call of this owner: `flock -w` that
 * has run out of time does not come again. */
static void forget_places(struct zkfs_fs *fs, uint64_t owner)
{
	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms && contender->key == owner)
			zkfs_contender_leave(contender, -EINTR);
	}
}

void zkfs_flock_released(struct zkfs_fs *fs, uint64_t fh, uint64_t owner)
{
	zkfs_list_for_each_safe(it, &fs->grips) {
		if (grip_at(it)->fh == fh)
			grip_release(grip_at(it), NULL);
	}
	if (owner)
		forget_places(fs, owner);
}

bool zkfs_flock_broken(const struct zkfs_fs *fs, uint64_t fh)
{
	zkfs_list_for_each(it, &fs->grips) {
		if (grip_at(it)->fh == fh && grip_at(it)->contender->broken)
			return true;
	}
	return false;
}

bool zkfs_flock_waits(const struct zkfs_fs *fs, uint64_t fh)
{
	zkfs_list_for_each(it, &fs->grips) {
		if (grip_at(it)->fh == fh && !grip_at(it)->contender->granted)
			return true;
	}
	return false;
}

bool zkfs_flock_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     const struct fuse_file_info *fi)
{
	zkfs_list_for_each(it, &zkfs_fs_of(req)->grips) {
		struct grip *grip = grip_at(it);

		if (grip->fh != fi->fh || !grip->contender->granted)
			continue;
		zkfs_line_read(&grip->line, req, ino, size, off,
			       grip->contender, NULL);
		return true;
	}
	return false;
}

struct zkfs_contender *zkfs_flock_through(const struct zkfs_fs *fs,
					  const struct zkfs_node *node,
					  pid_t tid,
					  struct zkfs_line **ret_line)
{
	pid_t process = zkfs_caller_process(tid);
	struct grip *found = NULL;

	zkfs_list_for_each(it, &fs->grips) {
		struct grip *grip = grip_at(it);
		const struct zkfs_handle *taken = zkfs_handle_any(fs, grip->fh);

		if (!taken || taken->node != node)
			continue;
		if (!found || grip->contender->pid == process)
			found = grip;
	}
	if (!found)
		return NULL;
	*ret_line = &found->line;
	return found->contender;
}

/* Taking */

/* The op's grip becomes the contender's owner. */
static struct grip *take_grip(struct flock_op *op,
			      struct zkfs_contender *contender)
{
	struct grip *grip = zkfs_steal(&op->grip);

	grip->owner.changed = on_changed;
	zkfs_line_init(&grip->line);
	grip->contender = contender;
	grip->fh = op->want.fh;
	grip->kernel_owner = op->want.kernel_owner;
	grip->posix = op->want.posix;
	contender->owner = &grip->owner;
	zkfs_list_append(&op->claim.op.fs->grips, &grip->link);
	return grip;
}

static bool on_granted(struct zkfs_claim *claim,
		       struct zkfs_contender *contender)
{
	struct flock_op *op = zkfs_container_of(claim, struct flock_op, claim);
	struct grip *grip = take_grip(op, contender);

	if (zkfs_reply_done(op))
		return true;
	zkfs_list_remove(&grip->link);
	free(grip);
	return false;
}

/* Should the caller be gone, the RELEASE of its handle ends the wait. */
static void on_queued(struct zkfs_claim *claim,
		      struct zkfs_contender *contender)
{
	struct flock_op *op = zkfs_container_of(claim, struct flock_op, claim);

	(void)take_grip(op, contender);
	zkfs_reply_error(op, -EINPROGRESS);
}

static void make_lock(struct flock_op *op);

static void on_failed(struct zkfs_claim *claim, int error)
{
	struct flock_op *op = zkfs_container_of(claim, struct flock_op, claim);

	if (error == -ENOENT && op->of_file && op->made < MAKES_MAX)
		make_lock(op);
	else
		zkfs_reply_error(op, error);
}

/* "backup.4711": a name a contender may have, whatever the command's is. */
static void make_label(struct flock_op *op, char *label, size_t size)
{
	pid_t tid = fuse_req_ctx(op->claim.op.req)->pid;
	char comm[ZKFS_COMM_BYTES];

	zkfs_caller_comm(tid, comm);
	for (char *c = comm; *c; c++)
		if (*c == '/')
			*c = '_';
	(void)snprintf(label, size, "%s.%ld", comm,
		       (long)zkfs_caller_process(tid));
	if (!zkfs_names_label_valid(label))
		(void)snprintf(label, size, "flock.%ld",
			       (long)zkfs_caller_process(tid));
}

static void claim_lock(struct flock_op *op)
{
	char label[ZKFS_COMM_BYTES + 24];

	make_label(op, label, sizeof(label));
	if (!op->grip)
		op->grip = calloc(1, sizeof(*op->grip));
	if (!op->grip) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	zkfs_contender_claim(&op->claim, &(struct zkfs_contender_config){
						 .lock = op->lock,
						 .label = label,
						 .mode = op->want.mode,
						 .try = !op->want.wait,
						 .key = op->want.kernel_owner,
					 });
}

/* Making the lock of a file */

static void make_next(struct flock_op *op);

static void on_made(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct flock_op *op = zkfs_container_of(
		zkfs_container_of(zkfs_op_from_zk(req), struct zkfs_claim, op),
		struct flock_op, claim);

	switch (reply->error) {
	case ZKFS_E_OK:
	case ZKFS_E_NODEEXISTS:
		make_next(op);
		break;
	case ZKFS_E_NONODE: /* what is above it has gone meanwhile */
		on_failed(&op->claim, -ENOENT);
		break;
	default:
		zkfs_reply_zk_error(op, reply->error);
		break;
	}
}

static void make_next(struct flock_op *op)
{
	struct zkfs_op *base = &op->claim.op;

	if (!zkfs_filelock_next(&op->making, base->fs, op->lock, &base->zk)) {
		claim_lock(op);
		return;
	}
	base->zk.done = on_made;
	zkfs_zk_submit(base->fs->zk, &base->zk);
}

static void make_lock(struct flock_op *op)
{
	op->claim.op.cancel = NULL;
	op->made++;
	if (zkfs_filelock_begin(&op->making, op->lock) < 0)
		zkfs_reply_error(op, -ENOMEM);
	else
		make_next(op);
}

/* The request */

static void op_fini(struct zkfs_op *base)
{
	struct flock_op *op = zkfs_container_of(
		zkfs_container_of(base, struct zkfs_claim, op), struct flock_op,
		claim);

	if (op->claim.contender)
		op->claim.contender->claim = NULL;
	zkfs_list_remove(&op->leaver.link);
	free(op->grip);
	free(op->lock);
	zkfs_filelock_end(&op->making);
}

/* What was held before is gone from the server. */
static void on_left(struct zkfs_contender_leaver *leaver)
{
	struct flock_op *op =
		zkfs_container_of(leaver, struct flock_op, leaver);

	if (op->want.unlock)
		zkfs_reply_error(op, 0);
	else
		claim_lock(op);
}

/* The same call again, for a lock that is there: it is ours, or comes to be. */
static bool again(struct flock_op *op, const struct grip *grip)
{
	const struct zkfs_contender *contender = grip->contender;

	if (op->want.unlock || contender->broken ||
	    contender->mode != op->want.mode)
		return false;
	if (is_held(grip))
		zkfs_reply_error(op, 0);
	else
		zkfs_reply_error(op, op->want.wait ? -EALREADY : -EWOULDBLOCK);
	return true;
}

static void set_lock(struct flock_op *op)
{
	const struct zkfs_fs *fs = op->claim.op.fs;
	struct grip *grip = grip_find(fs, op->lock, &op->want);

	if (!grip && op->want.unlock) {
		zkfs_reply_error(op, 0);
	} else if (!grip) {
		claim_lock(op);
	} else if (!again(op, grip)) {
		op->leaver.left = on_left;
		if (zkfs_op_park(&op->claim.op))
			grip_release(grip, &op->leaver);
	}
}

static struct flock_op *op_new(fuse_req_t req, enum zkfs_op_kind kind,
			       fuse_ino_t ino, const struct want *want)
{
	struct flock_op *op = zkfs_op_new(req, kind, ino, sizeof(*op));
	int error;

	if (!op)
		return NULL;
	op->claim.op.fini = op_fini;
	op->claim.granted = on_granted;
	op->claim.failed = on_failed;
	op->claim.queued = want->background ? on_queued : NULL;
	op->want = *want;
	op->claim.op.node->tell_closes |= want->posix;
	error = find_lock(op);
	if (!error)
		return op;
	zkfs_reply_error(op, error);
	return NULL;
}

static void request(fuse_req_t req, enum zkfs_op_kind kind, fuse_ino_t ino,
		    const struct want *want)
{
	const struct zkfs_handle *held =
		zkfs_handle_get(zkfs_fs_of(req), want->fh, ZKFS_HANDLE_LOCK);
	struct flock_op *op;

	/* Through the handle of a lock that an open holds: it is ours, and a
	 * shared one would wait for ourselves. */
	if (held && !want->unlock) {
		zkfs_reply_now(req, kind, zkfs_hold_broken(held) ? -EIO : 0);
		return;
	}
	op = op_new(req, kind, ino, want);
	if (op)
		set_lock(op);
}

void zkfs_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		int op)
{
	const struct zkfs_handle *handle =
		zkfs_handle_any(zkfs_fs_of(req), fi->fh);
	struct want want = {
		.fh = fi->fh,
		.kernel_owner = fi->lock_owner,
		.unlock = (op & ~LOCK_NB) == LOCK_UN,
		.wait = !(op & LOCK_NB),
		.background = !(op & LOCK_NB) && handle && handle->nonblock,
		.mode = (op & ~LOCK_NB) == LOCK_SH ? ZKFS_LOCK_SHARED
						   : ZKFS_LOCK_EXCLUSIVE,
	};

	request(req, ZKFS_OP_FLOCK, ino, &want);
}

/* Only the whole file can be locked. */
static bool is_whole(const struct flock *lock)
{
	return lock->l_start == 0 && lock->l_len == 0;
}

void zkfs_flock_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock, int sleep)
{
	struct want want = {
		.fh = fi->fh,
		.kernel_owner = fi->lock_owner,
		.posix = true,
		.unlock = lock->l_type == F_UNLCK,
		.wait = sleep,
		.mode = lock->l_type == F_RDLCK ? ZKFS_LOCK_SHARED
						: ZKFS_LOCK_EXCLUSIVE,
	};

	if (is_whole(lock))
		request(req, ZKFS_OP_SETLK, ino, &want);
	else
		zkfs_reply_now(req, ZKFS_OP_SETLK, -ENOLCK);
}

/* Who would be in the way of a lock */

static void on_getlk(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct flock_op *op = zkfs_container_of(
		zkfs_container_of(zkfs_op_from_zk(req), struct zkfs_claim, op),
		struct flock_op, claim);
	const struct zkfs_queue_entry *blocker;
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	struct zkfs_name_parts parts;
	struct zkfs_queue queue;
	struct grip *grip;

	if (reply->error && reply->error != ZKFS_E_NONODE) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	if (zkfs_queue_parse(reply->names, reply->n_names, &queue) < 0) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	grip = grip_find(op->claim.op.fs, op->lock, &op->want);
	blocker = zkfs_queue_blocker(
		&queue, INT64_MAX, op->want.mode,
		grip ? zkfs_lockq_prefix(grip->contender->lockq) : NULL);
	if (blocker) {
		lock.l_type =
			blocker->mode == ZKFS_LOCK_SHARED ? F_RDLCK : F_WRLCK;
		if (zkfs_names_parse(blocker->names[0], &parts) && parts.ours)
			lock.l_pid = (pid_t)parts.pid;
	}
	zkfs_queue_fini(&queue);
	zkfs_reply_lock(op, &lock);
}

void zkfs_flock_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock)
{
	struct want want = {
		.fh = fi->fh,
		.kernel_owner = fi->lock_owner,
		.posix = true,
		.mode = lock->l_type == F_RDLCK ? ZKFS_LOCK_SHARED
						: ZKFS_LOCK_EXCLUSIVE,
	};
	struct flock_op *op;

	if (!is_whole(lock)) {
		zkfs_reply_now(req, ZKFS_OP_GETLK, -ENOLCK);
		return;
	}
	op = op_new(req, ZKFS_OP_GETLK, ino, &want);
	if (!op)
		return;
	op->claim.op.zk.kind = ZKFS_ZK_CHILDREN;
	op->claim.op.zk.path = op->lock;
	(void)zkfs_op_submit(&op->claim.op, zkfs_fs_patience(op->claim.op.fs),
			     on_getlk);
}
