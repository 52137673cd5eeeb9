/*
 * hold: see hold.h.
 */
#include "fs/ops/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/entry.h"
#include "fs/ops/line.h"
#include "fs/ops/poll.h"

#define NOTE_MAX 4096

/* The handle of a lock that is ours. */
struct hold {
	struct zkfs_contender_owner owner;
	struct zkfs_handle handle;
	struct zkfs_contender *contender;
	struct zkfs_line line;
	struct zkfs_buf *note; /* what was written to the handle last */
	bool unfinished;       /* it had no line end: the next write goes on */
	struct zkfs_link noting; /* the note_ops that are under way */
};

/* An OPEN that waits for the lock. */
struct open_op {
	struct zkfs_claim claim;
	struct fuse_file_info fi;
	char *lock; /* path */
};

/* A WRITE, whose note is on its way. */
struct note_op {
	struct zkfs_op op;
	struct zkfs_link link;
	size_t size;
	char *text;
};

/* Their lock is lost: nobody has to wait for the server to hear of that. */
static void refuse_notes(struct hold *hold)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&hold->noting)))
		zkfs_reply_error(zkfs_list_entry(first, struct note_op, link),
				 -EIO); /* which takes it out */
}

/* Opening to join */

static void on_changed(struct zkfs_contender_owner *owner)
{
	struct hold *hold = zkfs_container_of(owner, struct hold, owner);

	if (hold->contender->broken)
		refuse_notes(hold);
	zkfs_line_changed(&hold->line, hold->contender);
	zkfs_poll_wake(hold->contender->fs, hold->handle.fh);
}

static void hold_free(struct zkfs_fs *fs, struct hold *hold)
{
	refuse_notes(hold);
	zkfs_line_fini(&hold->line);
	zkfs_handle_remove(fs, &hold->handle);
	zkfs_buf_unref(hold->note);
	free(hold);
}

static bool on_granted(struct zkfs_claim *claim,
		       struct zkfs_contender *contender)
{
	struct open_op *open = zkfs_container_of(claim, struct open_op, claim);
	struct zkfs_fs *fs = claim->op.fs;
	struct hold *hold = calloc(1, sizeof(*hold));
	int error = -ENOMEM;

	if (hold)
		error = zkfs_handle_add(&claim->op, &hold->handle,
					ZKFS_HANDLE_LOCK);
	if (error) {
		free(hold);
		zkfs_reply_error(open, error);
		return false;
	}
	zkfs_line_init(&hold->line);
	zkfs_list_init(&hold->noting);
	hold->owner.changed = on_changed;
	hold->contender = contender;
	contender->owner = &hold->owner;
	open->fi.fh = hold->handle.fh;
	open->fi.direct_io = 1;
	/* What close(2) would wait for keeps the next contender waiting too. */
	open->fi.noflush = !claim->op.node->tell_closes;
	if (zkfs_reply_open(open, &open->fi))
		return true;
	hold_free(fs, hold);
	return false;
}

static void on_failed(struct zkfs_claim *claim, int error)
{
	zkfs_reply_error(claim, error);
}

static void open_fini(struct zkfs_op *op)
{
	struct open_op *open =
		zkfs_container_of(zkfs_container_of(op, struct zkfs_claim, op),
				  struct open_op, claim);

	if (open->claim.contender)
		open->claim.contender->claim = NULL;
	free(open->lock);
}

void zkfs_hold_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_op *open =
		zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(*open));
	struct zkfs_node *node;

	if (!open || !zkfs_op_path(&open->claim.op, NULL))
		return;
	open->claim.op.fini = open_fini;
	open->claim.granted = on_granted;
	open->claim.failed = on_failed;
	open->fi = *fi;
	node = open->claim.op.node;
	/* An entry may be shown by its znode's own name, which is no label. */
	if (!zkfs_names_label_valid(node->name)) {
		zkfs_reply_error(open, -EPERM);
		return;
	}
	open->lock = zkfs_tree_path(node->parent);
	if (!open->lock) {
		zkfs_reply_error(open, -ENOMEM);
		return;
	}
	node->reserved_until_ms = 0;
	zkfs_contender_claim(&open->claim,
			     &(struct zkfs_contender_config){
				     .lock = open->lock,
				     .label = node->name,
				     .mode = ZKFS_LOCK_EXCLUSIVE,
				     .try = fi->flags & O_NONBLOCK,
				     .key = node->id,
				     .dir = node->parent->id,
			     });
}

/* The handle */

static struct hold *hold_get(const struct zkfs_fs *fs,
			     const struct fuse_file_info *fi)
{
	struct zkfs_handle *handle =
		zkfs_handle_get(fs, fi->fh, ZKFS_HANDLE_LOCK);

	return handle ? zkfs_container_of(handle, struct hold, handle) : NULL;
}

void zkfs_hold_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct hold *hold = hold_get(zkfs_fs_of(req), fi);

	if (hold)
		zkfs_line_read(&hold->line, req, ino, size, off,
			       hold->contender, hold->note);
	else
		zkfs_reply_now(req, ZKFS_OP_READ, -EBADF);
}

/* Each write is a note of its own, but for what goes on with an unfinished
 * line. */
static int collect_note(struct hold *hold, const char *data, size_t size)
{
	size_t len = hold->unfinished ? hold->note->len : 0;

	if (hold->contender->broken)
		return -EIO;
	if (len + size > NOTE_MAX)
		return -EFBIG;
	if (zkfs_buf_pwrite(&hold->note, data, size, len) < 0 ||
	    zkfs_buf_resize(&hold->note, len + size) < 0)
		return -ENOMEM;
	hold->unfinished = data[size - 1] != '\n';
	zkfs_entry_sanitise(hold->note->data + len, size);
	return 0;
}

static void note_fini(struct zkfs_op *op)
{
	struct note_op *note = zkfs_container_of(op, struct note_op, op);

	zkfs_list_remove(&note->link);
	free(note->text);
}

static void on_noted(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct note_op *note =
		zkfs_container_of(zkfs_op_from_zk(req), struct note_op, op);

	/* EIO is for a lock that is lost. A note may be set twice. */
	if (reply->error == ZKFS_E_LOST && req->deadline_ms > zkfs_clock_ms())
		zkfs_zk_submit(note->op.fs->zk, req);
	else if (reply->error == ZKFS_E_LOST)
		zkfs_reply_error(note, -ETIMEDOUT);
	/* The contender is gone: so is the lock, as its watch will say. */
	else if (reply->error == ZKFS_E_NONODE)
		zkfs_reply_error(note, -EIO);
	else if (reply->error)
		zkfs_reply_zk_error(note, reply->error);
	else
		zkfs_reply_write(note, note->size);
}

static int note_request(struct note_op *note, const struct hold *hold)
{
	const struct zkfs_contender *contender = hold->contender;
	const char *primary = zkfs_lockq_primary(contender->lockq);

	if (asprintf(&note->text, "%s note=%.*s", contender->info,
		     zkfs_line_note_len(hold->note), hold->note->data) < 0) {
		note->text = NULL;
		return -ENOMEM;
	}
	note->op.path = primary ? strdup(primary) : NULL;
	if (!note->op.path)
		return -ENOMEM;
	note->op.zk.kind = ZKFS_ZK_SET;
	note->op.zk.data = note->text;
	note->op.zk.len = strlen(note->text);
	note->op.zk.version = ZKFS_ZK_ANY_VERSION;
	return 0;
}

void zkfs_hold_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	struct note_op *note =
		zkfs_op_new(req, ZKFS_OP_WRITE, ino, sizeof(*note));
	struct hold *hold;
	int error;

	if (!note)
		return;
	note->op.fini = note_fini;
	note->size = size;
	hold = hold_get(note->op.fs, fi);
	error = hold ? collect_note(hold, data, size) : -EBADF;
	if (!error)
		error = note_request(note, hold);
	if (error) {
		zkfs_reply_error(note, error);
		return;
	}
	zkfs_list_append(&hold->noting, &note->link);
	(void)zkfs_op_submit(&note->op, zkfs_fs_patience(note->op.fs),
			     on_noted);
}

void zkfs_hold_sync(fuse_req_t req, enum zkfs_op_kind kind,
		    const struct fuse_file_info *fi)
{
	const struct hold *hold = hold_get(zkfs_fs_of(req), fi);

	zkfs_reply_now(req, kind, hold && hold->contender->broken ? -EIO : 0);
}

bool zkfs_hold_broken(const struct zkfs_handle *handle)
{
	return zkfs_container_of(handle, struct hold, handle)
		->contender->broken;
}

void zkfs_hold_drop(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	struct hold *hold = zkfs_container_of(handle, struct hold, handle);
	struct zkfs_contender *contender = hold->contender;

	hold_free(fs, hold);
	zkfs_contender_release(contender);
}
