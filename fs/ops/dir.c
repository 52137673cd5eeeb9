/*
 * dir: a listing is a snapshot of the child list, taken when reading starts (or
 * starts again: rewinddir(3)), so that it is complete however children come
 * and go meanwhile. The attributes that READDIRPLUS wants are fetched one
 * `exists` a child, many in flight, and ahead of what the kernel asks for, so
 * that the server works while `ls` digests.
 *
 * A directory's own data is listed last: `cp -a` and `tar -x` then make the
 * children first, and the znode is a directory when its data is written.
 */
#include "fs/ops/dir.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/control.h"
#include "fs/ops/entry.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/meta.h"
#include "fs/ops/notify.h"
#include "fs/ops/reply.h"
#include "include/zkfs/path.h"

/* How many entries ahead of the kernel attributes are fetched. */
#define AHEAD 512
/* A child whose attributes could not be had; the kernel asks for it itself. */
#define UNKNOWN_INO 0xffffffff

enum entry_kind {
	ENTRY_DOT,
	ENTRY_DOTDOT,
	ENTRY_CHILD,
	ENTRY_CONTENDER,
	ENTRY_LOCKDIR,
	ENTRY_DATA,
};

enum entry_state {
	ENTRY_IDLE,
	ENTRY_ASKED,
	ENTRY_READY, /* stat is valid */
	ENTRY_GONE,
	ENTRY_FAILED,
};

struct entry {
	enum entry_kind kind;
	enum entry_state state;
	char *name;
	struct zkfs_stat stat;
};

struct zkfs_dir {
	struct zkfs_handle handle;
	struct zkfs_fs *fs;
	bool loaded;
	struct entry *entries;
	size_t n_entries;
	struct zkfs_link fetches; /* struct fetch, under way */
	struct zkfs_link waiters; /* struct list_op, for fetches */
};

/* One child's attributes on their way. */
struct fetch {
	struct zkfs_dir *dir;
	size_t index;
	char *path;
	struct zkfs_zk_req req;
	struct zkfs_cache_ask ask;
	struct zkfs_link link;
};

struct list_op {
	struct zkfs_op op;
	struct zkfs_dir *dir;
	size_t size;
	size_t off;
	bool plus;
	size_t need;	/* entries up to here fit into the buffer */
	size_t missing; /* of these, still on their way */
	char *buf;
	struct zkfs_link waiting;
};

static void serve(struct list_op *list);

/* The snapshot */

static void fetch_free(struct fetch *fetch)
{
	zkfs_zk_cancel(fetch->dir->fs->zk, &fetch->req);
	zkfs_cache_given_up(fetch->dir->fs, &fetch->ask);
	zkfs_list_remove(&fetch->link);
	free(fetch->path);
	free(fetch);
}

static void unload(struct zkfs_dir *dir)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&dir->fetches)))
		fetch_free(zkfs_list_entry(first, struct fetch, link));
	for (size_t i = 0; i < dir->n_entries; i++)
		free(dir->entries[i].name);
	free(dir->entries);
	dir->entries = NULL;
	dir->n_entries = 0;
	dir->loaded = false;
}

static int compare_names(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int add_entry(struct zkfs_dir *dir, enum entry_kind kind,
		     const char *name)
{
	struct entry *entry = &dir->entries[dir->n_entries];

	*entry = (struct entry){.kind = kind, .name = strdup(name)};
	if (!entry->name)
		return -ENOMEM;
	dir->n_entries++;
	return 0;
}

/* Names that cannot be file names are left out; the data file's name, if a
 * child has it, means the data, and that of the control directory that. */
static bool can_show(const struct zkfs_dir *dir, const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= ZKFS_NAME_MAX && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcmp(name, dir->fs->config.dataname) != 0 &&
	       !zkfs_control_has(dir->fs, dir->handle.node, name);
}

static int add_children(struct zkfs_dir *dir, const struct zkfs_zk_reply *reply)
{
	size_t first = dir->n_entries, skipped = 0;

	for (size_t i = 0; i < reply->n_names; i++) {
		if (!can_show(dir, reply->names[i])) {
			skipped++;
			continue;
		}
		if (add_entry(dir, ENTRY_CHILD, reply->names[i]) < 0)
			return -ENOMEM;
	}
	if (skipped)
		zkfs_warning("\"%s\": %zu children cannot be shown as files "
			     "(their names are too long or taken)",
			     dir->handle.node->name, skipped);
	qsort(dir->entries + first, dir->n_entries - first,
	      sizeof(*dir->entries), compare_names);
	return 0;
}

static int add_contenders(struct zkfs_dir *dir, const char *lock,
			  const struct zkfs_zk_reply *reply)
{
	const char *held = zkfs_lockdir_held_in(dir->fs, lock);
	char **names;
	size_t n;
	int error = zkfs_entry_display(dir->fs, lock, reply->names,
				       reply->n_names, &names, &n);

	if (error)
		return error;
	for (size_t i = 0; i < n; i++) {
		enum entry_kind kind = held && strcmp(names[i], held) == 0
					       ? ENTRY_LOCKDIR
					       : ENTRY_CONTENDER;

		if (!error)
			error = add_entry(dir, kind, names[i]);
		free(names[i]);
	}
	free(names);
	return error;
}

static int load(struct zkfs_dir *dir, const char *path,
		const struct zkfs_zk_reply *reply)
{
	int error;

	unload(dir);
	dir->entries = calloc(reply->n_names + 3, sizeof(*dir->entries));
	if (!dir->entries)
		return -ENOMEM;
	error = add_entry(dir, ENTRY_DOT, ".");
	if (!error)
		error = add_entry(dir, ENTRY_DOTDOT, "..");
	if (error)
		return error;
	if (zkfs_lock_is_lock(dir->fs, path)) {
		error = add_contenders(dir, path, reply);
	} else {
		error = add_children(dir, reply);
		if (!error && reply->stat->data_length > 0) {
			error = add_entry(dir, ENTRY_DATA,
					  dir->fs->config.dataname);
			if (!error)
				dir->entries[dir->n_entries - 1].stat =
					*reply->stat;
		}
	}
	dir->loaded = !error;
	return error;
}

/* Attributes of the children */

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
		if (dir->loaded)
			serve(list);
		else
			zkfs_reply_error(list, -ENOMEM);
	}
}

/* Serves those for whom this entry was the last that was missing. */
static void settled(struct zkfs_dir *dir, size_t index)
{
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

static struct zkfs_node *find_child(const struct zkfs_dir *dir,
				    const struct entry *entry)
{
	return zkfs_tree_find(&dir->fs->tree, dir->handle.node, entry->name);
}

static void cover_entry(struct fetch *fetch, const struct zkfs_zk_reply *reply)
{
	struct zkfs_dir *dir = fetch->dir;
	struct zkfs_node *node;

	if (!fetch->ask.cached)
		return;
	node = zkfs_meta_intern(dir->fs, dir->handle.node,
				dir->entries[fetch->index].name, reply->stat);
	if (!node)
		return;
	zkfs_cache_answered(dir->fs, &fetch->ask, &fetch->req, reply, node);
	zkfs_tree_unref(&dir->fs->tree, node);
}

static void on_fetched(struct zkfs_zk_req *req,
		       const struct zkfs_zk_reply *reply)
{
	struct fetch *fetch = zkfs_container_of(req, struct fetch, req);
	struct zkfs_dir *dir = fetch->dir;
	size_t index = fetch->index;
	struct entry *entry = &dir->entries[index];

	if (reply->error == ZKFS_E_NONODE) {
		entry->state = ENTRY_GONE;
	} else if (reply->error) {
		entry->state = ENTRY_FAILED;
	} else {
		entry->state = ENTRY_READY;
		entry->stat = *reply->stat;
		cover_entry(fetch, reply);
	}
	fetch_free(fetch);
	settled(dir, index);
}

/* One that the kernel knows already is worth a watch; of those that come by for
 * the first time most are never seen again. */
static void fetch_ask(struct fetch *fetch)
{
	struct zkfs_dir *dir = fetch->dir;
	struct zkfs_node *node = find_child(dir, &dir->entries[fetch->index]);

	fetch->req.kind = ZKFS_ZK_EXISTS;
	if (node)
		zkfs_cache_ask(dir->fs, &fetch->ask, &fetch->req, node, false);
}

static bool fetch_cached(struct zkfs_dir *dir, struct entry *entry)
{
	struct zkfs_node *node = find_child(dir, entry);

	if (!node || !zkfs_cache_has_attr(dir->fs, node))
		return false;
	entry->state = ENTRY_READY;
	entry->stat = node->stat;
	return true;
}

static void fetch_entry(struct zkfs_dir *dir, const char *path, size_t index)
{
	struct entry *entry = &dir->entries[index];
	struct fetch *fetch;

	if (fetch_cached(dir, entry))
		return;
	/* Without memory the kernel asks for this one itself. */
	entry->state = ENTRY_FAILED;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return;
	fetch->dir = dir;
	fetch->index = index;
	fetch->path = zkfs_path_join(path, entry->name);
	if (!fetch->path) {
		free(fetch);
		return;
	}
	entry->state = ENTRY_ASKED;
	fetch->req = (struct zkfs_zk_req){
		.path = fetch->path,
		.deadline_ms = zkfs_fs_patience(dir->fs),
		.done = on_fetched,
	};
	fetch_ask(fetch);
	zkfs_list_append(&dir->fetches, &fetch->link);
	zkfs_zk_submit(dir->fs->zk, &fetch->req);
}

static bool is_settled(const struct entry *entry)
{
	return entry->kind != ENTRY_CHILD || entry->state >= ENTRY_READY;
}

/* How many entries from the op's offset on fit into its buffer. */
static size_t fitting(const struct list_op *list)
{
	const struct zkfs_dir *dir = list->dir;
	size_t used = 0, n = 0;

	while (list->off + n < dir->n_entries) {
		const char *name = dir->entries[list->off + n].name;

		used += fuse_add_direntry_plus(list->op.req, NULL, 0, name,
					       NULL, 0);
		if (used > list->size)
			break;
		n++;
	}
	return n;
}

/* Asks for what is missing; returns whether all that fits is there. */
static bool fetch_all(struct list_op *list)
{
	struct zkfs_dir *dir = list->dir;
	size_t ahead;

	list->need = list->off + fitting(list);
	list->missing = 0;
	ahead = list->need + AHEAD;
	for (size_t i = list->off; i < dir->n_entries && i < ahead; i++) {
		struct entry *entry = &dir->entries[i];

		if (entry->kind == ENTRY_CHILD && entry->state == ENTRY_IDLE)
			fetch_entry(dir, list->op.path, i);
		if (i < list->need && !is_settled(entry))
			list->missing++;
	}
	return list->missing == 0;
}

/* Answering */

/* What a listing has shown is no look-up to a truncating open, which would take
 * its version from it (ops/file). */
static struct zkfs_node *listed_node(struct list_op *list, struct entry *entry)
{
	struct zkfs_node *node = zkfs_meta_intern(list->op.fs, list->op.node,
						  entry->name, &entry->stat);

	if (node)
		node->seen_ms = 1;
	return node;
}

static struct zkfs_node *entry_node(struct list_op *list, struct entry *entry)
{
	struct zkfs_fs *fs = list->op.fs;
	struct zkfs_node *dir = list->op.node;

	switch (entry->kind) {
	case ENTRY_CHILD:
		if (entry->state != ENTRY_READY)
			return NULL;
		return listed_node(list, entry);
	case ENTRY_DATA:
		return zkfs_tree_intern(&fs->tree, dir, entry->name,
					ZKFS_TYPE_DATA, entry->stat.czxid);
	case ENTRY_CONTENDER:
		return zkfs_tree_intern(&fs->tree, dir, entry->name,
					ZKFS_TYPE_ENTRY, 0);
	case ENTRY_LOCKDIR:
		return zkfs_lockdir_node(fs, dir, list->op.path, entry->name);
	default:
		return NULL;
	}
}

static void entry_stat(struct list_op *list, struct entry *entry,
		       const struct zkfs_node *node, struct stat *ret_st)
{
	zkfs_autofree char *path = NULL;

	if (node->type == ZKFS_TYPE_ENTRY) {
		zkfs_entry_stat(list->op.fs, node, ret_st);
		return;
	}
	path = zkfs_tree_path(node);
	zkfs_node_stat(list->op.fs, node, path ? path : "",
		       entry->kind == ENTRY_DATA ? &entry->stat : &node->stat,
		       ret_st);
}

static void plain_stat(const struct entry *entry, struct stat *ret_st)
{
	*ret_st = (struct stat){.st_ino = UNKNOWN_INO};
	if (entry->kind == ENTRY_DOT || entry->kind == ENTRY_DOTDOT ||
	    entry->kind == ENTRY_LOCKDIR)
		ret_st->st_mode = S_IFDIR;
	else if (entry->kind != ENTRY_CHILD)
		ret_st->st_mode = S_IFREG;
}

static size_t put_plain(struct list_op *list, struct entry *entry, char *at,
			size_t room, size_t cookie)
{
	struct stat st;

	plain_stat(entry, &st);
	return fuse_add_direntry(list->op.req, at, room, entry->name, &st,
				 (off_t)cookie);
}

static double listing_timeout(const struct zkfs_dir *dir)
{
	double timeout = ZKFS_LISTING_TIMEOUT +
			 (double)dir->n_entries * ZKFS_LISTING_TIMEOUT_ONE;

	return timeout < ZKFS_LISTING_TIMEOUT_MAX ? timeout
						  : ZKFS_LISTING_TIMEOUT_MAX;
}

/* An entry without a node (".", "..", one whose attributes could not be had)
 * has the id 0, which tells the kernel to look for itself. */
static size_t put_plus(struct list_op *list, struct entry *entry, char *at,
		       size_t room, size_t cookie)
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
				      &param, (off_t)cookie);
}

static size_t fill(struct list_op *list)
{
	struct zkfs_dir *dir = list->dir;
	size_t used = 0;

	for (size_t i = list->off; i < dir->n_entries; i++) {
		struct entry *entry = &dir->entries[i];
		size_t room = list->size - used, n;

		if (entry->state == ENTRY_GONE)
			continue;
		n = list->plus ? put_plus(list, entry, list->buf + used, room,
					  i + 1)
			       : put_plain(list, entry, list->buf + used, room,
					   i + 1);
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

	if (list->plus && !fetch_all(list)) {
		zkfs_list_append(&list->dir->waiters, &list->waiting);
		return;
	}
	used = fill(list);
	zkfs_reply_buf(list, list->buf, used);
}

static void cover_dir(struct list_op *list, const struct zkfs_zk_reply *reply)
{
	struct zkfs_op *op = &list->op;

	if (op->node->czxid != reply->stat->czxid)
		return;
	zkfs_tree_saw(op->node, reply->stat, zkfs_clock_ms());
	zkfs_cache_answered(op->fs, &op->ask, &op->zk, reply, op->node);
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
	error = load(list->dir, op->path, reply);
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
	int error = load(list->dir, list->op.path, &nothing);

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
	if (list->off > 0 && list->dir->loaded) {
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
	list->off = (size_t)off;
	list->plus = plus;
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
	error = dir ? zkfs_handle_add(fs, &dir->handle, ZKFS_HANDLE_DIR,
				      op->node)
		    : -ENOMEM;
	if (error) {
		free(dir);
		zkfs_reply_error(op, error);
		return;
	}
	dir->fs = fs;
	zkfs_observe(fs, op->node);
	zkfs_list_init(&dir->fetches);
	zkfs_list_init(&dir->waiters);
	fi->fh = dir->handle.fh;
	/* The kernel's copy of the listing is good while the children's watch
	 * is live; it compares the directory's mtime besides. Who is in a lock
	 * is asked each time. */
	fi->cache_readdir = zkfs_cache_has_children(op->node) &&
			    !zkfs_lock_is_lock_node(fs, op->node);
	fi->keep_cache = fi->cache_readdir;
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
