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
#include "fs/ops/caller.h"
#include "fs/ops/contender.h"
#include "fs/ops/entry.h"
#include "fs/ops/lock.h"

#define NOTE_MAX 4096

/* A note on its way. */
struct note_op {
	struct zkfs_op op;
	char *text;
};

/* Opening to join */

static void on_interrupted(struct zkfs_op *op)
{
	struct zkfs_opener *opener =
		zkfs_container_of(op, struct zkfs_opener, op);
	struct zkfs_contender *contender = opener->contender;

	if (!contender)
		return;
	contender->opener = NULL;
	opener->contender = NULL;
	/* One that does not wait has no place to keep; an open that waits must
	 * not get its EAGAIN. */
	if (!contender->started || (opener->fi.flags & O_NONBLOCK) ||
	    zkfs_caller_dying(contender->tid)) {
		zkfs_contender_leave(contender, -EINTR);
		return;
	}
	contender->grace_until_ms = zkfs_clock_ms() + ZKFS_CONTENDER_GRACE_MS;
	zkfs_lock_wake(contender->fs, contender->grace_until_ms);
}

static void opener_fini(struct zkfs_op *op)
{
	struct zkfs_opener *opener =
		zkfs_container_of(op, struct zkfs_opener, op);

	if (opener->contender)
		opener->contender->opener = NULL;
}

/* A shell whose open was interrupted by a signal it handles tries again at
 * once, from the same thread: it finds its place kept. */
static struct zkfs_contender *find_kept(const struct zkfs_opener *opener)
{
	pid_t tid = fuse_req_ctx(opener->op.req)->pid;

	/* 0: of another pid namespace, and so are others. */
	if (tid == 0 || (opener->fi.flags & O_NONBLOCK))
		return NULL;
	zkfs_list_for_each(it, &opener->op.fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms && !contender->broken &&
		    contender->tid == tid && contender->node == opener->op.node)
			return contender;
	}
	return NULL;
}

static void on_connected(struct zkfs_zk_req *req,
			 const struct zkfs_zk_reply *reply)
{
	struct zkfs_opener *opener =
		zkfs_container_of(zkfs_op_from_zk(req), struct zkfs_opener, op);

	if (reply->error)
		zkfs_contender_leave(opener->contender,
				     zkfs_error_to_errno(reply->error));
	else
		zkfs_contender_start(opener->contender);
}

static void join(struct zkfs_opener *opener)
{
	struct zkfs_fs *fs = opener->op.fs;
	struct zkfs_contender *kept = find_kept(opener);

	opener->op.cancel = on_interrupted;
	opener->op.fini = opener_fini;
	opener->op.node->reserved_until_ms = 0;
	if (kept) {
		kept->grace_until_ms = 0;
		zkfs_lock_wake(fs, kept->answer_by_ms);
		kept->opener = opener;
		opener->contender = kept;
		if (zkfs_op_park(&opener->op))
			zkfs_contender_settle(kept);
		return;
	}
	if (!zkfs_contender_new(opener)) {
		zkfs_reply_error(opener, -ENOMEM);
		return;
	}
	if (zkfs_zk_connected(fs->zk)) {
		if (zkfs_op_park(&opener->op))
			zkfs_contender_start(opener->contender);
		return;
	}
	/* A contender belongs to one session: wait until there is one. */
	opener->op.zk.kind = ZKFS_ZK_EXISTS;
	opener->op.zk.path = opener->contender->lock;
	(void)zkfs_op_submit(&opener->op, zkfs_fs_patience(fs), on_connected);
}

void zkfs_hold_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_opener *opener =
		zkfs_op_new(req, "OPEN", ino, sizeof(*opener));

	if (!opener || !zkfs_op_path(&opener->op, NULL))
		return;
	/* An entry may be shown by its znode's own name, which is no label. */
	if (!zkfs_names_label_valid(opener->op.node->name)) {
		zkfs_reply_error(opener, -EPERM);
		return;
	}
	opener->fi = *fi;
	join(opener);
}

/* The handle */

static struct zkfs_contender *contender_get(const struct zkfs_fs *fs,
					    const struct fuse_file_info *fi)
{
	struct zkfs_handle *handle =
		zkfs_handle_get(fs, fi->fh, ZKFS_HANDLE_LOCK);

	return handle ? zkfs_container_of(handle, struct zkfs_contender, handle)
		      : NULL;
}

static void reader_fini(struct zkfs_op *op)
{
	struct zkfs_reader *reader =
		zkfs_container_of(op, struct zkfs_reader, op);

	zkfs_list_remove(&reader->waiting);
}

void zkfs_hold_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct zkfs_reader *reader =
		zkfs_op_new(req, "READ", ino, sizeof(*reader));

	if (!reader)
		return;
	reader->op.fini = reader_fini;
	reader->size = size;
	reader->off = off;
	reader->contender = contender_get(reader->op.fs, fi);
	if (!reader->contender) {
		zkfs_reply_error(reader, -EBADF);
		return;
	}
	/* The token is fetched behind the grant. */
	if (reader->contender->broken ||
	    zkfs_lockq_token(reader->contender->lockq)) {
		zkfs_contender_answer_read(reader);
		return;
	}
	zkfs_list_append(&reader->contender->readers, &reader->waiting);
	(void)zkfs_op_park(&reader->op);
}

static int collect_note(struct zkfs_contender *contender, const char *data,
			size_t size)
{
	size_t len = contender->note_dirty ? contender->note->len : 0;

	if (contender->broken)
		return -EIO;
	if (len + size > NOTE_MAX)
		return -EFBIG;
	if (zkfs_buf_pwrite(&contender->note, data, size, len) < 0 ||
	    zkfs_buf_resize(&contender->note, len + size) < 0)
		return -ENOMEM;
	zkfs_entry_sanitise(contender->note->data + len, size);
	contender->note_dirty = true;
	return 0;
}

void zkfs_hold_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	struct zkfs_op *op = zkfs_op_new(req, "WRITE", ino, sizeof(*op));
	struct zkfs_contender *contender;
	int error;

	if (!op)
		return;
	contender = contender_get(op->fs, fi);
	error = contender ? collect_note(contender, data, size) : -EBADF;
	if (error)
		zkfs_reply_error(op, error);
	else
		zkfs_reply_write(op, size);
}

static void note_fini(struct zkfs_op *op)
{
	free(zkfs_container_of(op, struct note_op, op)->text);
}

static void on_noted(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct note_op *note =
		zkfs_container_of(zkfs_op_from_zk(req), struct note_op, op);

	/* The contender is gone: so is the lock, as its watch will say. */
	if (reply->error == ZKFS_E_NONODE)
		zkfs_reply_error(note, -EIO);
	else
		zkfs_reply_zk_error(note, reply->error);
}

static int note_request(struct note_op *note, struct zkfs_contender *contender)
{
	const char *primary = zkfs_lockq_primary(contender->lockq);

	if (asprintf(&note->text, "%s note=%.*s", contender->info,
		     (int)zkfs_contender_note_len(contender),
		     contender->note->data) < 0) {
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

void zkfs_hold_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct note_op *note = zkfs_op_new(req, "FLUSH", ino, sizeof(*note));
	struct zkfs_contender *contender;
	int error = 0;

	if (!note)
		return;
	note->op.fini = note_fini;
	contender = contender_get(note->op.fs, fi);
	if (!contender || contender->broken || !contender->note_dirty) {
		if (contender && contender->broken)
			error = -EIO;
		zkfs_reply_error(note, error);
		return;
	}
	contender->note_dirty = false;
	error = note_request(note, contender);
	if (error)
		zkfs_reply_error(note, error);
	else
		(void)zkfs_op_submit(&note->op, zkfs_fs_patience(note->op.fs),
				     on_noted);
}

void zkfs_hold_drop(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	struct zkfs_contender *contender =
		zkfs_container_of(handle, struct zkfs_contender, handle);

	contender->open = false;
	zkfs_handle_remove(fs, handle);
	zkfs_contender_leave(contender, -EIO);
}
