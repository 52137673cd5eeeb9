/*
 * lock: see lock.h. The names of a lock's entries, and the operations on them;
 * ops/contender joins and leaves.
 */
#include "fs/ops/lock.h"

#include <assert.h>
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
#include "include/zkfs/path.h"
#include "include/zkfs/queue.h"

#define NOTE_MAX    4096
#define RESERVED_MS 2000

/* An operation on one name of a lock. */
struct lock_op {
	struct zkfs_op op;
	char *lock; /* path */
	struct zkfs_zk_op steps[ZKFS_NAMES_MAX];
	char *paths[ZKFS_NAMES_MAX];
	size_t n_steps;
	char *head; /* what is known of an entry before its data is */
	struct fuse_file_info fi;
	struct zkfs_link link; /* fs->unlinkers */
	int64_t answer_by_ms;  /* while in there */
};

/* An entry opened for reading: its text as it was then. */
struct text {
	struct zkfs_handle handle;
	size_t len;
	char data[];
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
	zkfs_autofree char *path = NULL;

	if (node->type != ZKFS_TYPE_DIR)
		return false;
	path = zkfs_tree_path(node);
	return path && zkfs_lock_is_lock(fs, path);
}

/* Contenders of this mount by name */

static bool is_ours(const struct zkfs_contender *contender, const char *lock,
		    const char *label)
{
	return strcmp(zkfs_contender_label(contender), label) == 0 &&
	       strcmp(contender->lock, lock) == 0 &&
	       zkfs_contender_joined(contender);
}

static struct zkfs_contender *find_ours(const struct zkfs_fs *fs,
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

/* Which contender a name means: ours first, then the first in the queue that
 * its owner called so, then the znode's own name. */
static const struct zkfs_queue_entry *find_entry(const struct zkfs_fs *fs,
						 const char *lock,
						 const struct zkfs_queue *queue,
						 const char *name)
{
	const struct zkfs_contender *ours = find_ours(fs, lock, name);

	if (ours)
		return zkfs_queue_find(queue, zkfs_lockq_prefix(ours->lockq));
	for (size_t i = 0; i < queue->n_entries; i++) {
		const struct zkfs_queue_entry *entry = &queue->entries[i];

		if (entry->label && strcmp(entry->label, name) == 0)
			return entry;
	}
	for (size_t i = 0; i < queue->n_entries; i++)
		for (size_t j = 0; j < queue->entries[i].n_names; j++)
			if (strcmp(queue->entries[i].names[j], name) == 0)
				return &queue->entries[i];
	return NULL;
}

static bool has_name(const struct zkfs_zk_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->n_names; i++)
		if (strcmp(reply->names[i], name) == 0)
			return true;
	return false;
}

static struct lock_op *lock_op_from_zk(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_op_from_zk(req), struct lock_op, op);
}

void zkfs_lock_entry_stat(const struct zkfs_fs *fs,
			  const struct zkfs_node *node, struct stat *ret_st)
{
	zkfs_autofree char *path = zkfs_tree_path(node);
	struct zkfs_stat stat = {
		.ctime_ms = node->parent->stat.mtime_ms,
		.mtime_ms = node->parent->stat.mtime_ms,
	};

	zkfs_attr_fill(&fs->config.style, path ? path : "", ZKFS_TYPE_FILE,
		       &stat, ret_st);
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
	zkfs_lock_entry_stat(op->fs, node, &st);
	zkfs_reply_entry(op, node, &st);
}

static char *lock_path(const struct zkfs_op *op)
{
	return zkfs_tree_path(op->node);
}

static void on_lookup(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	zkfs_autofree char *lock = lock_path(op);
	struct zkfs_queue queue;
	bool found;

	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	if (!lock || zkfs_queue_parse(reply->names, reply->n_names, &queue)) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	found = find_entry(op->fs, lock, &queue, op->name) ||
		has_name(reply, op->name);
	zkfs_queue_fini(&queue);
	if (found)
		answer_entry(op, entry_node(op));
	else
		zkfs_reply_error(op, -ENOENT);
}

void zkfs_lock_lookup(struct zkfs_op *op)
{
	zkfs_autofree char *lock = lock_path(op);
	struct zkfs_node *old =
		zkfs_tree_find(&op->fs->tree, op->node, op->name);

	if (lock && (find_ours(op->fs, lock, op->name) ||
		     (old && old->reserved_until_ms > zkfs_clock_ms()))) {
		answer_entry(op, entry_node(op));
		return;
	}
	if (!lock || op->name[0] == '.') {
		zkfs_reply_error(op, lock ? -ENOENT : -ENOMEM);
		return;
	}
	free(op->path);
	op->path = zkfs_steal(&lock);
	op->zk.kind = ZKFS_ZK_CHILDREN;
	(void)zkfs_op_submit(op, zkfs_fs_short_patience(op->fs), on_lookup);
}

/* The kernel makes a name before it opens it: that is kept here, for a moment,
 * and nothing is sent. A name that is never opened just fades. */
void zkfs_lock_mknod(struct zkfs_op *op)
{
	struct zkfs_node *node;

	if (strlen(op->name) > ZKFS_LABEL_MAX) {
		zkfs_reply_error(op, -ENAMETOOLONG);
		return;
	}
	if (!zkfs_names_label_valid(op->name)) {
		zkfs_reply_error(op, op->name[0] == '.' ? -EPERM : -EINVAL);
		return;
	}
	node = entry_node(op);
	if (node)
		node->reserved_until_ms = zkfs_clock_ms() + RESERVED_MS;
	answer_entry(op, node);
}

/* Removing a name: leaving the queue oneself, or breaking another's lock */

static void lock_op_fini(struct zkfs_op *op)
{
	struct lock_op *lock_op = zkfs_container_of(op, struct lock_op, op);

	zkfs_list_remove(&lock_op->link);
	for (size_t i = 0; i < lock_op->n_steps; i++)
		free(lock_op->paths[i]);
	free(lock_op->lock);
	free(lock_op->head);
}

void zkfs_lock_left(struct zkfs_fs *fs)
{
	zkfs_list_for_each_safe(it, &fs->unlinkers) {
		struct lock_op *lock_op =
			zkfs_list_entry(it, struct lock_op, link);

		if (!find_ours(fs, lock_op->lock, lock_op->op.name))
			zkfs_reply_error(lock_op, 0);
	}
}

/* Those of ours with this name leave; the op is answered by the last. */
static void leave_ours(struct lock_op *lock_op)
{
	struct zkfs_fs *fs = lock_op->op.fs;
	struct zkfs_contender *contender;
	struct zkfs_link leaving, *first;

	/* Settling may free any contender, so one at a time is moved aside. */
	zkfs_list_init(&leaving);
	zkfs_list_for_each_safe(it, &fs->contenders) {
		contender = zkfs_list_entry(it, struct zkfs_contender, link);
		if (is_ours(contender, lock_op->lock, lock_op->op.name)) {
			zkfs_list_remove(it);
			zkfs_list_append(&leaving, it);
		}
	}
	/* It holds the directory, and the server may be away for long. */
	lock_op->answer_by_ms = zkfs_fs_short_patience(fs);
	zkfs_list_append(&fs->unlinkers, &lock_op->link);
	if (!zkfs_op_park(&lock_op->op)) {
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

static int add_step(struct lock_op *lock_op, const char *name)
{
	size_t i = lock_op->n_steps;

	lock_op->paths[i] = zkfs_path_join(lock_op->lock, name);
	if (!lock_op->paths[i])
		return -ENOMEM;
	lock_op->steps[i] = (struct zkfs_zk_op){
		.kind = ZKFS_ZK_OP_DELETE,
		.path = lock_op->paths[i],
		.version = ZKFS_ZK_ANY_VERSION,
	};
	lock_op->n_steps++;
	return 0;
}

static int break_steps(struct lock_op *lock_op,
		       const struct zkfs_zk_reply *reply)
{
	const struct zkfs_queue_entry *entry;
	struct zkfs_queue queue;
	int error = zkfs_queue_parse(reply->names, reply->n_names, &queue);

	if (error)
		return error;
	entry = find_entry(lock_op->op.fs, lock_op->lock, &queue,
			   lock_op->op.name);
	if (entry)
		for (size_t i = 0; i < entry->n_names && !error; i++)
			error = add_step(lock_op, entry->names[i]);
	else if (has_name(reply, lock_op->op.name))
		error = add_step(lock_op, lock_op->op.name);
	else
		error = -ENOENT;
	zkfs_queue_fini(&queue);
	return error;
}

static void on_unlink_list(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct lock_op *lock_op = lock_op_from_zk(req);
	int error = zkfs_error_to_errno(reply->error);

	if (!error)
		error = break_steps(lock_op, reply);
	if (error) {
		zkfs_reply_error(lock_op, error);
		return;
	}
	req->kind = ZKFS_ZK_MULTI;
	req->ops = lock_op->steps;
	req->n_ops = lock_op->n_steps;
	req->done = on_broken;
	zkfs_zk_submit(lock_op->op.fs->zk, req);
}

void zkfs_lock_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct lock_op *lock_op =
		zkfs_op_new(req, "UNLINK", parent, sizeof(*lock_op));
	struct zkfs_fs *fs;
	struct zkfs_node *node;

	if (!lock_op)
		return;
	fs = lock_op->op.fs;
	lock_op->op.fini = lock_op_fini;
	if (!zkfs_op_path(&lock_op->op, name))
		return;
	lock_op->lock = lock_path(&lock_op->op);
	if (!lock_op->lock) {
		zkfs_reply_error(lock_op, -ENOMEM);
		return;
	}
	node = zkfs_tree_find(&fs->tree, lock_op->op.node, name);
	if (find_ours(fs, lock_op->lock, name)) {
		leave_ours(lock_op);
		return;
	}
	if (node && node->reserved_until_ms > zkfs_clock_ms()) {
		node->reserved_until_ms = 0;
		zkfs_reply_error(lock_op, 0);
		return;
	}
	lock_op->op.zk.kind = ZKFS_ZK_CHILDREN;
	lock_op->op.zk.path = lock_op->lock;
	(void)zkfs_op_submit(&lock_op->op, zkfs_fs_short_patience(fs),
			     on_unlink_list);
}

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
	if (!contender->started || zkfs_caller_dying(contender->tid))
		zkfs_contender_leave(contender, -EINTR);
	else
		contender->grace_until_ms =
			zkfs_clock_ms() + ZKFS_CONTENDER_GRACE_MS;
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

	if (opener->fi.flags & O_NONBLOCK)
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

/* Opening to read */

static void text_open(struct lock_op *lock_op, const char *data, size_t len)
{
	struct zkfs_fs *fs = lock_op->op.fs;
	struct text *text = malloc(sizeof(*text) + len);
	int error = -ENOMEM;

	if (text) {
		*text = (struct text){.len = len};
		memcpy(text->data, data, len);
		error = zkfs_handle_add(fs, &text->handle, ZKFS_HANDLE_TEXT,
					lock_op->op.node);
	}
	if (error) {
		free(text);
		zkfs_reply_error(lock_op, error);
		return;
	}
	lock_op->fi.fh = text->handle.fh;
	lock_op->fi.direct_io = 1;
	lock_op->fi.noflush = 1;
	if (!zkfs_reply_open(lock_op, &lock_op->fi)) {
		zkfs_handle_remove(fs, &text->handle);
		free(text);
	}
}

/* One line: what a contender's owner wrote may be anything. */
static void sanitise(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
		else if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

static void on_entry_data(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct lock_op *lock_op = lock_op_from_zk(req);
	zkfs_autofree char *text = NULL;
	size_t len = zkfs_min_size(reply->len, NOTE_MAX);

	if (reply->error) {
		zkfs_reply_zk_error(lock_op, reply->error);
		return;
	}
	if (asprintf(&text, "token=0x%016llx %s %.*s\n",
		     (unsigned long long)reply->stat->czxid, lock_op->head,
		     (int)len, len ? (const char *)reply->data : "") < 0) {
		text = NULL;
		zkfs_reply_error(lock_op, -ENOMEM);
		return;
	}
	sanitise(text, strlen(text) - 1);
	text_open(lock_op, text, strlen(text));
}

static char *entry_head(const struct zkfs_queue *queue,
			const struct zkfs_queue_entry *entry)
{
	const struct zkfs_queue_entry *blocker = zkfs_queue_blocker(
		queue, entry->sequence, entry->mode, entry->names[0]);
	char *head;

	if (asprintf(&head, "mode=%s state=%s",
		     entry->mode == ZKFS_LOCK_SHARED ? "shared" : "exclusive",
		     blocker ? "waiting" : "held") < 0)
		return NULL;
	return head;
}

/* Finds the znode that an entry's name means and reads it. */
static int read_entry(struct lock_op *lock_op,
		      const struct zkfs_zk_reply *reply)
{
	const char *name = lock_op->op.node->name, *primary;
	const struct zkfs_queue_entry *entry;
	struct zkfs_queue queue;
	int error = zkfs_queue_parse(reply->names, reply->n_names, &queue);

	if (error)
		return error;
	entry = find_entry(lock_op->op.fs, lock_op->lock, &queue, name);
	primary = entry ? entry->names[0] : has_name(reply, name) ? name : NULL;
	if (primary) {
		lock_op->head = entry ? entry_head(&queue, entry)
				      : strdup("mode=none state=none");
		error = add_step(lock_op, primary);
		if (!lock_op->head)
			error = -ENOMEM;
	} else {
		error = -ESTALE;
	}
	zkfs_queue_fini(&queue);
	return error;
}

static void on_entry_list(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct lock_op *lock_op = lock_op_from_zk(req);
	int error = zkfs_error_to_errno(reply->error);

	if (!error)
		error = read_entry(lock_op, reply);
	/* Not (yet, or no more) in the queue: there is nothing to tell. */
	if (error == -ESTALE && (lock_op->op.node->reserved_until_ms ||
				 find_ours(lock_op->op.fs, lock_op->lock,
					   lock_op->op.node->name))) {
		text_open(lock_op, "", 0);
		return;
	}
	if (error) {
		zkfs_reply_error(lock_op, error);
		return;
	}
	req->kind = ZKFS_ZK_GET;
	req->path = lock_op->paths[0];
	req->done = on_entry_data;
	zkfs_zk_submit(lock_op->op.fs->zk, req);
}

static void open_text(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct lock_op *lock_op =
		zkfs_op_new(req, "OPEN", ino, sizeof(*lock_op));

	if (!lock_op)
		return;
	lock_op->op.fini = lock_op_fini;
	lock_op->fi = *fi;
	lock_op->lock = zkfs_tree_path(lock_op->op.node->parent);
	if (!lock_op->lock) {
		zkfs_reply_error(lock_op, -ENOMEM);
		return;
	}
	lock_op->op.zk.kind = ZKFS_ZK_CHILDREN;
	lock_op->op.zk.path = lock_op->lock;
	(void)zkfs_op_submit(&lock_op->op, zkfs_fs_patience(lock_op->op.fs),
			     on_entry_list);
}

void zkfs_lock_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_opener *opener;

	/* Reading never joins: scanners and backups are harmless. */
	if ((fi->flags & O_ACCMODE) == O_RDONLY) {
		open_text(req, ino, fi);
		return;
	}
	opener = zkfs_op_new(req, "OPEN", ino, sizeof(*opener));
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

/* Handles */

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

static void read_text(struct zkfs_reader *reader, const struct text *text)
{
	size_t off = zkfs_min_size((size_t)reader->off, text->len);

	zkfs_reply_buf(reader, text->data + off,
		       zkfs_min_size(reader->size, text->len - off));
}

void zkfs_lock_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct zkfs_reader *reader =
		zkfs_op_new(req, "READ", ino, sizeof(*reader));
	struct zkfs_handle *handle;

	if (!reader)
		return;
	reader->op.fini = reader_fini;
	reader->size = size;
	reader->off = off;
	handle = zkfs_handle_get(reader->op.fs, fi->fh, ZKFS_HANDLE_TEXT);
	if (handle) {
		read_text(reader,
			  zkfs_container_of(handle, struct text, handle));
		return;
	}
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
	sanitise(contender->note->data + len, size);
	contender->note_dirty = true;
	return 0;
}

void zkfs_lock_write(fuse_req_t req, fuse_ino_t ino, const char *data,
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

static void on_noted(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct lock_op *lock_op = lock_op_from_zk(req);

	/* The contender is gone: so is the lock, as its watch will say. */
	if (reply->error == ZKFS_E_NONODE)
		zkfs_reply_error(lock_op, -EIO);
	else
		zkfs_reply_zk_error(lock_op, reply->error);
}

static int note_request(struct lock_op *lock_op,
			struct zkfs_contender *contender)
{
	const char *primary = zkfs_lockq_primary(contender->lockq);

	if (asprintf(&lock_op->head, "%s note=%.*s", contender->info,
		     (int)zkfs_contender_note_len(contender),
		     contender->note->data) < 0) {
		lock_op->head = NULL;
		return -ENOMEM;
	}
	lock_op->op.path = primary ? strdup(primary) : NULL;
	if (!lock_op->op.path)
		return -ENOMEM;
	lock_op->op.zk.kind = ZKFS_ZK_SET;
	lock_op->op.zk.data = lock_op->head;
	lock_op->op.zk.len = strlen(lock_op->head);
	lock_op->op.zk.version = ZKFS_ZK_ANY_VERSION;
	return 0;
}

void zkfs_lock_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct lock_op *lock_op =
		zkfs_op_new(req, "FLUSH", ino, sizeof(*lock_op));
	struct zkfs_contender *contender;
	int error = 0;

	if (!lock_op)
		return;
	lock_op->op.fini = lock_op_fini;
	contender = contender_get(lock_op->op.fs, fi);
	if (!contender || contender->broken || !contender->note_dirty) {
		if (contender && contender->broken)
			error = -EIO;
		zkfs_reply_error(lock_op, error);
		return;
	}
	contender->note_dirty = false;
	error = note_request(lock_op, contender);
	if (error)
		zkfs_reply_error(lock_op, error);
	else
		(void)zkfs_op_submit(&lock_op->op,
				     zkfs_fs_patience(lock_op->op.fs),
				     on_noted);
}

void zkfs_lock_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_handle *text =
		zkfs_handle_get(fs, fi->fh, ZKFS_HANDLE_TEXT);
	struct zkfs_contender *contender = contender_get(fs, fi);

	zkfs_reply_now(req, "RELEASE", 0);
	if (text) {
		zkfs_lock_drop_text(fs, text);
	} else if (contender) {
		contender->open = false;
		zkfs_handle_remove(fs, &contender->handle);
		zkfs_contender_leave(contender, -EIO);
	}
}

void zkfs_lock_drop_text(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	zkfs_handle_remove(fs, handle);
	free(zkfs_container_of(handle, struct text, handle));
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

int64_t zkfs_lock_deadline(const struct zkfs_fs *fs)
{
	int64_t deadline = ZKFS_NEVER;

	zkfs_list_for_each(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms)
			deadline = zkfs_clock_earlier(
				deadline, contender->grace_until_ms);
		if (contender->opener)
			deadline = zkfs_clock_earlier(deadline,
						      contender->answer_by_ms);
	}
	zkfs_list_for_each(it, &fs->unlinkers) {
		deadline = zkfs_clock_earlier(
			deadline, zkfs_list_entry(it, struct lock_op, link)
					  ->answer_by_ms);
	}
	return deadline;
}

void zkfs_lock_tick(struct zkfs_fs *fs, int64_t now_ms)
{
	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms &&
		    contender->grace_until_ms <= now_ms)
			zkfs_contender_leave(contender, -EINTR);
		else if (contender->opener && contender->answer_by_ms <= now_ms)
			zkfs_contender_leave(contender, -ETIMEDOUT);
	}
	zkfs_list_for_each_safe(it, &fs->unlinkers) {
		struct lock_op *lock_op =
			zkfs_list_entry(it, struct lock_op, link);

		if (lock_op->answer_by_ms <= now_ms)
			zkfs_reply_error(lock_op, -ETIMEDOUT);
	}
}

/* What `ls` shows */

struct label_at {
	const char *label;
	size_t index;
};

static int compare_labels(const void *a, const void *b)
{
	const struct label_at *left = a, *right = b;
	int order = strcmp(left->label, right->label);

	if (order)
		return order;
	return left->index < right->index ? -1 : 1;
}

/* A contender is shown by its label if it is the first of that label, else by
 * its znode's name, so that every entry can be told apart and removed. */
static int choose_names(const struct zkfs_queue *queue, const char **chosen)
{
	zkfs_autofree struct label_at *labels =
		calloc(queue->n_entries + 1, sizeof(*labels));
	size_t n = 0;

	if (!labels)
		return -ENOMEM;
	for (size_t i = 0; i < queue->n_entries; i++) {
		chosen[i] = queue->entries[i].names[0];
		if (queue->entries[i].label)
			labels[n++] =
				(struct label_at){queue->entries[i].label, i};
	}
	qsort(labels, n, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(labels[i].label, labels[i - 1].label) != 0)
			chosen[labels[i].index] = labels[i].label;
	return 0;
}

static int add_display(char **display, size_t *n, const char *name)
{
	display[*n] = strdup(name);
	if (!display[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

static bool is_shown(const char *name)
{
	return strlen(name) <= ZKFS_NAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && !strchr(name, '/');
}

static int fill_display(const struct zkfs_queue *queue,
			const char *const *names, size_t n_names,
			char **display, size_t *n)
{
	zkfs_autofree const char **chosen =
		calloc(queue->n_entries + 1, sizeof(*chosen));
	struct zkfs_name_parts parts;
	int error = chosen ? choose_names(queue, chosen) : -ENOMEM;

	for (size_t i = 0; i < queue->n_entries && !error; i++)
		if (is_shown(chosen[i]))
			error = add_display(display, n, chosen[i]);
	for (size_t i = 0; i < n_names && !error; i++)
		if (!zkfs_names_parse(names[i], &parts) && is_shown(names[i]))
			error = add_display(display, n, names[i]);
	return error;
}

int zkfs_lock_display(const struct zkfs_fs *fs, const char *lock,
		      const char *const *names, size_t n_names,
		      char ***ret_display, size_t *ret_n)
{
	zkfs_autofree char **display = calloc(n_names + 1, sizeof(*display));
	struct zkfs_queue queue;
	size_t n = 0;
	int error;

	if (!display)
		return -ENOMEM;
	error = zkfs_queue_parse(names, n_names, &queue);
	if (error)
		return error;
	error = fill_display(&queue, names, n_names, display, &n);
	zkfs_queue_fini(&queue);
	if (error) {
		while (n > 0)
			free(display[--n]);
		return error;
	}
	*ret_display = zkfs_steal(&display);
	*ret_n = n;
	return 0;
}
