/*
 * dir: a directory is listed from a snapshot (ops/listing), taken when reading
 * starts, or starts again: rewinddir(3). The attributes that READDIRPLUS wants
 * are fetched ahead (ops/ahead).
 */
#include "fs/ops/dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/ahead.h"
#include "fs/ops/entry.h"
#include "fs/ops/limit.h"
#include "fs/ops/listing.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/meta.h"
#include "fs/ops/notify.h"
#include "fs/ops/reply.h"

/* A child whose attributes could not be had; the kernel asks for it itself. */
#define UNKNOWN_INO 0xffffffff

struct zkfs_dir {
	struct zkfs_handle handle;
	struct zkfs_fs *fs;
	struct zkfs_listing listing;
	struct zkfs_ahead ahead;
	struct zkfs_link waiters; /* struct list_op, for attributes */
};

struct list_op {
	struct zkfs_op op;
	struct zkfs_dir *dir;
	size_t size;
	int64_t place; /* entries behind this one are asked for: ops/listing */
	size_t off;    /* the first of them */
	bool plus;
	bool walks;	/* it will look at all that is listed: ops/walk */
	size_t need;	/* entries up to here fit into the buffer */
	size_t missing; /* of these, still on their way */
	char *buf;
	struct zkfs_link waiting;
};

static void serve(struct list_op *list);

static void unload(struct zkfs_dir *dir)
{
	zkfs_ahead_cancel(&dir->ahead);
	zkfs_listing_unload(&dir->listing);
	(void)zkfs_handle_holds(dir->fs, &dir->handle, 0);
}

/* Serves all who wait: a new snapshot has come, or could not be kept. */
static void wake(struct zkfs_dir *dir)
{
	struct zkfs_link waiters, *first;

	zkfs_list_init(&waiters);
	zkfs_list_splice(&waiters, &dir->waiters);
	while ((first = zkfs_list_first(&waiters))) {
		struct list_op *list =
			zkfs_list_entry(first, struct list_op, waiting);

		zkfs_list_remove(first);
		if (dir->listing.loaded)
			serve(list);
		else
			zkfs_reply_error(list, -ENOMEM);
	}
}

/* Serves those for whom this entry was the last that was missing. */
static void on_settled(struct zkfs_ahead *ahead, size_t index)
{
	struct zkfs_dir *dir = zkfs_container_of(ahead, struct zkfs_dir, ahead);

	zkfs_list_for_each_safe(it, &dir->waiters) {
		struct list_op *list =
			zkfs_list_entry(it, struct list_op, waiting);

		if (index < list->off || index >= list->need ||
		    --list->missing > 0)
			continue;
		zkfs_list_remove(&list->waiting);
		serve(list);
	}
}

/* How many entries from the op's offset on fit into its buffer. */
static size_t fitting(const struct list_op *list)
{
	const struct zkfs_dir *dir = list->dir;
	size_t used = 0, n = 0;

	while (list->off + n < dir->listing.n) {
		const char *name = dir->listing.entries[list->off + n].name;

		used += fuse_add_direntry_plus(list->op.req, NULL, 0, name,
					       NULL, 0);
		if (used > list->size)
			break;
		n++;
	}
	return n;
}

/* Up to where what fits, to before `last`, is to have its attributes. Who is
 * not known to look at each entry gets the first part, but for some of it: if
 * they are looked up, that is known before the next part. */
static size_t brought_along(const struct list_op *list, size_t last)
{
	size_t first = list->off;

	if (list->walks || (list->place == 0 && last == list->dir->listing.n))
		return last;
	if (list->place > 0 || last - first <= ZKFS_WALK_LOOKS)
		return first;
	return last - ZKFS_WALK_LOOKS;
}

/* Asks for what is missing; returns whether all that is to be brought along,
 * and fits, is there. */
static bool fetch_all(struct list_op *list)
{
	struct zkfs_dir *dir = list->dir;
	size_t last = list->off + fitting(list);

	list->need = brought_along(list, last);
	list->missing = zkfs_ahead_fetch(&dir->ahead, list->op.path, list->off,
					 list->need, list->walks);
	zkfs_ahead_known(&dir->ahead, list->need, last);
	return list->missing == 0;
}

/* Whether the asker is one who looks at each entry. */
static bool note_walker(struct list_op *list)
{
	pid_t tid = fuse_req_ctx(list->op.req)->pid;
	struct zkfs_fs *fs = list->op.fs;

	zkfs_walk_listed(&fs->walkers, tid, list->op.node->id);
	return zkfs_walk_is_on(&fs->walkers, tid, zkfs_clock_ms());
}

/* Answering */

/* What a listing has shown is no look-up to a truncating open, which would take
 * its version from it (ops/file). */
static struct zkfs_node *listed_node(struct list_op *list,
				     struct zkfs_listed *entry)
{
	struct zkfs_node *node = zkfs_meta_intern(list->op.fs, list->op.node,
						  entry->name, &entry->stat);

	if (node)
		node->seen_ms = 1;
	return node;
}

static struct zkfs_node *entry_node(struct list_op *list,
				    struct zkfs_listed *entry)
{
	struct zkfs_fs *fs = list->op.fs;
	struct zkfs_node *dir = list->op.node;

	switch (entry->kind) {
	case ZKFS_LISTED_CHILD:
		if (entry->state != ZKFS_LISTED_READY)
			return NULL;
		return listed_node(list, entry);
	case ZKFS_LISTED_DATA:
		return zkfs_tree_intern(&fs->tree, dir, entry->name,
					ZKFS_TYPE_DATA, entry->stat.czxid);
	case ZKFS_LISTED_CONTENDER:
		return zkfs_tree_intern(&fs->tree, dir, entry->name,
					ZKFS_TYPE_ENTRY, 0);
	case ZKFS_LISTED_LOCKDIR:
		return zkfs_lockdir_node(fs, dir, list->op.path, entry->name);
	default:
		return NULL;
	}
}

static void entry_stat(struct list_op *list, struct zkfs_listed *entry,
		       const struct zkfs_node *node, struct stat *ret_st)
{
	zkfs_autofree char *path = NULL;

	if (node->type == ZKFS_TYPE_ENTRY) {
		zkfs_entry_stat(list->op.fs, node, ret_st);
		return;
	}
	path = zkfs_tree_path(node);
	zkfs_node_stat(list->op.fs, node, path ? path : "",
		       entry->kind == ZKFS_LISTED_DATA ? &entry->stat
						       : &node->stat,
		       ret_st);
}

static void plain_stat(const struct zkfs_listed *entry, struct stat *ret_st)
{
	*ret_st = (struct stat){.st_ino = UNKNOWN_INO};
	if (entry->kind == ZKFS_LISTED_DOT ||
	    entry->kind == ZKFS_LISTED_DOTDOT ||
	    entry->kind == ZKFS_LISTED_LOCKDIR)
		ret_st->st_mode = S_IFDIR;
	else if (entry->kind != ZKFS_LISTED_CHILD)
		ret_st->st_mode = S_IFREG;
}

static size_t put_plain(struct list_op *list, struct zkfs_listed *entry,
			char *at, size_t room)
{
	struct stat st;

	plain_stat(entry, &st);
	return fuse_add_direntry(list->op.req, at, room, entry->name, &st,
				 entry->place);
}

static double listing_timeout(const struct zkfs_dir *dir)
{
	double timeout = ZKFS_LISTING_TIMEOUT +
			 (double)dir->listing.n * ZKFS_LISTING_TIMEOUT_ONE;

	return timeout < ZKFS_LISTING_TIMEOUT_MAX ? timeout
						  : ZKFS_LISTING_TIMEOUT_MAX;
}

/* An entry without a node (".", "..", one whose attributes could not be had)
 * has the id 0, which tells the kernel to look for itself. */
static size_t put_plus(struct list_op *list, struct zkfs_listed *entry,
		       char *at, size_t room)
{
	struct fuse_entry_param param = {.ino = 0};
	struct zkfs_node *node;
	size_t used;

	plain_stat(entry, &param.attr);
	used = fuse_add_direntry_plus(list->op.req, NULL, 0, entry->name, NULL,
				      0);
	if (used > room)
		return used;
	node = entry_node(list, entry);
	if (node) {
		param.ino = node->id;
		entry_stat(list, entry, node, &param.attr);
		if (!zkfs_attr_in_lock(node->type)) {
			double timeout = listing_timeout(list->dir);

			param.attr_timeout = zkfs_cache_attr_timeout(
				list->op.fs, node, timeout);
			param.entry_timeout = zkfs_cache_name_timeout(
				list->op.fs, node, timeout);
		}
		zkfs_observe(list->op.fs, node);
		zkfs_tree_looked_up(node);
		zkfs_tree_unref(&list->op.fs->tree, node);
	}
	return fuse_add_direntry_plus(list->op.req, at, room, entry->name,
				      &param, entry->place);
}

static size_t fill(struct list_op *list)
{
	struct zkfs_dir *dir = list->dir;
	size_t used = 0;

	for (size_t i = list->off; i < dir->listing.n; i++) {
		struct zkfs_listed *entry = &dir->listing.entries[i];
		size_t room = list->size - used, n;

		if (entry->state == ZKFS_LISTED_GONE)
			continue;
		n = list->plus ? put_plus(list, entry, list->buf + used, room)
			       : put_plain(list, entry, list->buf + used, room);
		if (n > room)
			break;
		used += n;
	}
	return used;
}

static void list_fini(struct zkfs_op *op)
{
	struct list_op *list = zkfs_container_of(op, struct list_op, op);

	zkfs_list_remove(&list->waiting);
	free(list->buf);
}

static void serve(struct list_op *list)
{
	size_t used;

	list->off = zkfs_listing_after(&list->dir->listing, list->place);
	if (list->plus && !fetch_all(list)) {
		zkfs_list_append(&list->dir->waiters, &list->waiting);
		return;
	}
	used = fill(list);
	zkfs_reply_buf(list, list->buf, used);
}

/* Before anything is copied. */
static int charge(struct zkfs_dir *dir, const struct zkfs_zk_reply *reply)
{
	size_t bytes = 0;
	int error;

	for (size_t i = 0; i < reply->n_names; i++)
		bytes += strlen(reply->names[i]) + 1;
	error = zkfs_limit_check(dir->fs, ZKFS_LIMIT_listing, bytes);
	if (error)
		return error;
	bytes += reply->n_names * sizeof(*dir->listing.entries);
	return zkfs_handle_holds(dir->fs, &dir->handle, bytes);
}

static int load(struct list_op *list, const struct zkfs_zk_reply *reply)
{
	struct zkfs_dir *dir = list->dir;
	int error;

	unload(dir);
	error = charge(dir, reply);
	if (error)
		return error;
	return zkfs_listing_load(&dir->listing, dir->fs, dir->handle.node,
				 list->op.path, reply);
}

static void cover_dir(struct list_op *list, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = &list->op;

	if (op->node->czxid != reply->stat->czxid)
		return;
	zkfs_tree_saw(op->node, reply->stat, zkfs_clock_ms());
	zkfs_cache_answered(op->fs, &op->ask, &op->zk, reply, op->node);
	zkfs_cache_listed(op->node);
}

static void on_children(struct zkfs_zk_req *req,
			const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);
	struct list_op *list = zkfs_container_of(op, struct list_op, op);
	int error;

	if (reply->error) {
		zkfs_reply_zk_error(op, reply->error);
		return;
	}
	cover_dir(list, reply);
	error = load(list, reply);
	/* Another reader of this description may wait for the old snapshot's
	 * attributes: it goes on in the new one. */
	wake(list->dir);
	if (error)
		zkfs_reply_error(op, error);
	else
		serve(list);
}

/* There is never anything in it, nor a znode to ask for. */
static void list_lockdir(struct list_op *list)
{
	const struct zkfs_stat stat = {0};
	const struct zkfs_zk_reply nothing = {.stat = &stat};
	int error = load(list, &nothing);

	if (error)
		zkfs_reply_error(list, error);
	else
		serve(list);
}

static void list_start(struct list_op *list)
{
	struct zkfs_op *op = &list->op;

	if (op->node->type == ZKFS_TYPE_LOCKDIR) {
		list_lockdir(list);
		return;
	}
	if (list->place > 0 && list->dir->listing.loaded) {
		if (zkfs_op_park(op))
			serve(list);
		return;
	}
	zkfs_cache_ask_children(op->fs, &op->ask, &op->zk, op->node);
	(void)zkfs_op_submit(op, zkfs_fs_patience(op->fs), on_children);
}

static void list_new(fuse_req_t req, enum zkfs_op_kind kind, fuse_ino_t ino,
		     size_t size, off_t off, struct fuse_file_info *fi,
		     bool plus)
{
	struct list_op *list = zkfs_op_new(req, kind, ino, sizeof(*list));
	struct zkfs_handle *handle;

	if (!list)
		return;
	list->op.fini = list_fini;
	if (!zkfs_op_path(&list->op, NULL))
		return;
	handle = zkfs_handle_get(list->op.fs, fi->fh, ZKFS_HANDLE_DIR);
	list->buf = malloc(size);
	if (!handle || !list->buf) {
		zkfs_reply_error(list, handle ? -ENOMEM : -EBADF);
		return;
	}
	list->dir = zkfs_container_of(handle, struct zkfs_dir, handle);
	list->size = size;
	list->place = off;
	list->plus = plus;
	list->walks = note_walker(list);
	list_start(list);
}

void zkfs_dir_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	list_new(req, ZKFS_OP_READDIR, ino, size, off, fi, false);
}

void zkfs_dir_readplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	list_new(req, ZKFS_OP_READDIRPLUS, ino, size, off, fi, true);
}

/* Open and close */

void zkfs_dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_OPENDIR, ino, sizeof(*op));
	struct zkfs_dir *dir;
	struct zkfs_fs *fs;
	int error;

	if (!op)
		return;
	fs = op->fs;
	dir = calloc(1, sizeof(*dir));
	error = dir ? zkfs_handle_add(op, &dir->handle, ZKFS_HANDLE_DIR)
		    : -ENOMEM;
	if (error) {
		free(dir);
		zkfs_reply_error(op, error);
		return;
	}
	dir->fs = fs;
	zkfs_observe(fs, op->node);
	zkfs_ahead_init(&dir->ahead, fs, dir->handle.node, &dir->listing,
			on_settled);
	zkfs_list_init(&dir->waiters);
	fi->fh = dir->handle.fh;
	/* The kernel's copy of a listing is good while the children's watch is
	 * live; it compares the directory's mtime besides. Who is in a lock is
	 * asked each time. */
	fi->cache_readdir = !zkfs_lock_is_lock_node(fs, op->node);
	fi->keep_cache = fi->cache_readdir && zkfs_cache_has_children(op->node);
	if (!zkfs_reply_open(op, fi))
		zkfs_dir_drop(fs, &dir->handle);
}

void zkfs_dir_drop(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	struct zkfs_dir *dir =
		zkfs_container_of(handle, struct zkfs_dir, handle);

	unload(dir);
	zkfs_handle_remove(fs, handle);
	free(dir);
}

void zkfs_dir_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_handle *handle =
		zkfs_handle_get(fs, fi->fh, ZKFS_HANDLE_DIR);

	zkfs_reply_now(req, ZKFS_OP_RELEASEDIR, 0);
	if (handle)
		zkfs_dir_drop(fs, handle);
}

static void on_synced(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = zkfs_op_from_zk(req);

	/* All events of before have come; the kernel may still not know. */
	if (!reply->error)
		zkfs_cache_barrier(op->fs, op->node);
	zkfs_reply_zk_error(op, reply->error);
}

/* `sync DIR` is a barrier: what any client committed before it is seen by
 * this one after it (ZooKeeper's sync: the leader's log catches up first). */
void zkfs_dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		    struct fuse_file_info *fi)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_FSYNCDIR, ino, sizeof(*op));

	if (!op || !zkfs_op_path(op, NULL))
		return;
	op->zk.kind = ZKFS_ZK_SYNC;
	(void)zkfs_op_submit(op, zkfs_fs_patience(op->fs), on_synced);
}
