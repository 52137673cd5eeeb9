/*
 * emit: see emit.h.
 */
#include "fs/ops/emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/meta.h"
#include "fs/ops/reply.h"

/* How many events wait for the emitter at most. */
#define QUEUE_MAX 4096
/* The first thing it is told is to open this: were its request not known as its
 * own, the next might be taken for a user's, and a file be deleted. Not before
 * there is something to tell: who is on the mount keeps umount(8) from it. */
#define PROOF ".zkfs-emitter"

struct zkfs_emit_event {
	enum zkfs_emit_kind kind;
	struct zkfs_node *parent; /* referenced */
	struct zkfs_node *node;	  /* referenced; or NULL */
	struct zkfs_stat stat;	  /* of what was created or deleted */
	struct zkfs_link link;
	char name[];
};

static bool is_deletion(const struct zkfs_emit_event *event)
{
	return event->kind == ZKFS_EMIT_FILE_DELETED ||
	       event->kind == ZKFS_EMIT_DIR_DELETED;
}

static bool is_creation(const struct zkfs_emit_event *event)
{
	return event->kind == ZKFS_EMIT_FILE_CREATED ||
	       event->kind == ZKFS_EMIT_DIR_CREATED;
}

/* The queue */

static void event_free(struct zkfs_fs *fs, struct zkfs_emit_event *event)
{
	zkfs_tree_unref(&fs->tree, event->parent);
	zkfs_tree_unref(&fs->tree, event->node);
	free(event);
}

static struct zkfs_emit_event *pop(struct zkfs_emit *emit)
{
	struct zkfs_link *first = zkfs_list_first(&emit->queue);

	if (!first)
		return NULL;
	zkfs_list_remove(first);
	emit->n_queued--;
	return zkfs_list_entry(first, struct zkfs_emit_event, link);
}

void zkfs_emit_init(struct zkfs_fs *fs)
{
	fs->emit = (struct zkfs_emit){.fd = -1};
	zkfs_list_init(&fs->emit.queue);
}

void zkfs_emit_fini(struct zkfs_fs *fs)
{
	struct zkfs_emit_event *event;

	fs->emit.fd = -1;
	while ((event = pop(&fs->emit)))
		event_free(fs, event);
	if (fs->emit.current)
		event_free(fs, zkfs_steal(&fs->emit.current));
}

void zkfs_emit_detach(struct zkfs_fs *fs)
{
	fs->emit.pid = 0;
	zkfs_emit_fini(fs);
}

/* Nobody can watch what the kernel does not know. */
static bool is_known(const struct zkfs_node *node)
{
	return node->n_lookups > 0 || !node->parent;
}

static enum zkfs_type type_of(const struct zkfs_emit_event *event)
{
	return event->kind == ZKFS_EMIT_DIR_DELETED ||
			       event->kind == ZKFS_EMIT_DIR_CREATED
		       ? ZKFS_TYPE_DIR
		       : ZKFS_TYPE_FILE;
}

/*
 * Whether the removal can be told: what the kernel has under the name, if it
 * has anything, is what was removed.
 *
 * The request will not say: UNLINK and RMDIR carry the name alone, and the
 * kernel need not look it up before. If it had something else there, a
 * directory that was made anew, it would take that for removed, and refuse to
 * make anything in it for as long as it knows it (vfs_rmdir(), S_DEAD). But it
 * holds the parent's lock from its last look at the name to the answer, so
 * whatever it has been told by any other reply was told before, and that is in
 * the tree: the node that the name means now, if the kernel was ever told of
 * it. (What the name meant in between is detached, and gone itself: detached
 * nodes never become current again, but for one that a rename gives another
 * name.)
 */
static bool is_victim(const struct zkfs_fs *fs, struct zkfs_emit_event *event)
{
	struct zkfs_node *now =
		zkfs_tree_find(&fs->tree, event->parent, event->name);

	/* Told as created since the event came. */
	if (!event->node && now && event->stat.czxid &&
	    now->czxid == event->stat.czxid && now->type == type_of(event))
		event->node = zkfs_tree_ref(now);
	if (event->node && event->node->current && event->node != now)
		return false;
	return !now || now == event->node || !is_known(now);
}

static bool is_tellable(const struct zkfs_fs *fs, struct zkfs_emit_event *event)
{
	if (!is_known(event->parent) ||
	    (event->parent->parent && !event->parent->current))
		return false;
	return !is_deletion(event) || is_victim(fs, event);
}

static bool send_event(const struct zkfs_fs *fs,
		       const struct zkfs_emit_event *event)
{
	zkfs_autofree char *path = zkfs_tree_path(event->parent);
	struct zkfs_emit_record record = {.kind = (char)event->kind};
	size_t dir = path ? strlen(path) : 0, name = strlen(event->name);

	if (dir == 0 || dir + 1 + name >= sizeof(record.path))
		return false;
	/* "/" and "/dir" alike: the path below the mount point follows. */
	memcpy(record.path, path + 1, dir - 1);
	if (dir > 1)
		record.path[dir++ - 1] = '/';
	memcpy(record.path + dir - 1, event->name, name + 1);
	return send(fs->emit.fd, &record,
		    offsetof(struct zkfs_emit_record, path) + dir + name,
		    MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

static void pump(struct zkfs_fs *fs)
{
	struct zkfs_emit *emit = &fs->emit;
	struct zkfs_emit_event *event;

	while (emit->fd >= 0 && !emit->current && (event = pop(emit))) {
		if (is_tellable(fs, event) && send_event(fs, event)) {
			emit->current = event;
			fs->metrics.counters.events_emitted++;
		} else {
			event_free(fs, event);
		}
	}
}

bool zkfs_emit_ready(struct zkfs_fs *fs)
{
	struct zkfs_emit *emit = &fs->emit;
	struct zkfs_emit_watched watched;
	ssize_t n = recv(emit->fd, &watched, sizeof(watched), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	if ((size_t)n >= offsetof(struct zkfs_emit_watched, ids)) {
		zkfs_observer_watched(fs, &watched);
		return true;
	}
	if (emit->current)
		event_free(fs, zkfs_steal(&emit->current));
	if (!emit->proven)
		return false;
	pump(fs);
	return true;
}

static bool is_queued(const struct zkfs_emit *emit, enum zkfs_emit_kind kind,
		      const struct zkfs_node *parent, const char *name)
{
	zkfs_list_for_each(it, &emit->queue) {
		const struct zkfs_emit_event *event =
			zkfs_list_entry(it, struct zkfs_emit_event, link);

		if (event->kind == kind && event->parent == parent &&
		    strcmp(event->name, name) == 0)
			return true;
	}
	return false;
}

/* False: there is no room for it. */
static bool enqueue(struct zkfs_fs *fs, enum zkfs_emit_kind kind,
		    struct zkfs_node *parent, const char *name,
		    struct zkfs_node *node, const struct zkfs_stat *stat)
{
	struct zkfs_emit *emit = &fs->emit;
	size_t size = strlen(name) + 1;
	struct zkfs_emit_event *event = NULL;

	if (emit->n_queued < QUEUE_MAX)
		event = calloc(1, sizeof(*event) + size);
	if (!event)
		return false;
	event->kind = kind;
	event->parent = zkfs_tree_ref(parent);
	event->node = node ? zkfs_tree_ref(node) : NULL;
	if (stat)
		event->stat = *stat;
	memcpy(event->name, name, size);
	zkfs_list_append(&emit->queue, &event->link);
	emit->n_queued++;
	return true;
}

void zkfs_emit_push(struct zkfs_fs *fs, enum zkfs_emit_kind kind,
		    struct zkfs_node *parent, const char *name,
		    struct zkfs_node *node, const struct zkfs_stat *stat)
{
	struct zkfs_emit *emit = &fs->emit;

	if (emit->fd < 0 || !is_known(parent) ||
	    ((kind == ZKFS_EMIT_FILE_CHANGED ||
	      kind == ZKFS_EMIT_ATTR_CHANGED) &&
	     is_queued(emit, kind, parent, name)))
		return;
	if (!emit->asked)
		emit->asked = enqueue(fs, ZKFS_EMIT_FILE_CHANGED, fs->tree.root,
				      PROOF, NULL, NULL);
	if (!emit->asked || !enqueue(fs, kind, parent, name, node, stat))
		fs->metrics.counters.events_dropped++;
	pump(fs);
}

void zkfs_emit_attach(struct zkfs_fs *fs, int fd, pid_t pid)
{
	fs->emit.fd = fd;
	fs->emit.pid = pid;
}

/* The emitter's requests */

bool zkfs_emit_is_ours(fuse_req_t req)
{
	pid_t pid = zkfs_fs_of(req)->emit.pid;

	return pid > 0 && fuse_req_ctx(req)->pid == pid;
}

/* The event under way, if it is about this name. */
static struct zkfs_emit_event *event_of(const struct zkfs_op *op,
					const char *name)
{
	struct zkfs_emit_event *event = op->fs->emit.current;

	if (event && event->parent == op->node &&
	    strcmp(event->name, name) == 0)
		return event;
	return NULL;
}

static void answer_entry(struct zkfs_op *op, struct zkfs_node *node)
{
	zkfs_autofree char *path = node ? zkfs_tree_path(node) : NULL;
	struct stat st;

	if (!node) {
		zkfs_reply_error(op, -ENOENT);
		return;
	}
	if (!path) {
		zkfs_tree_unref(&op->fs->tree, node);
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	op->unasked = true;
	zkfs_node_stat(op->fs, node, path, &node->stat, &st);
	(void)zkfs_reply_entry(op, node, &st);
}

/* What was deleted, to be deleted in the kernel, too. */
static struct zkfs_node *deleted_node(struct zkfs_op *op,
				      struct zkfs_emit_event *event)
{
	if (!event->node) {
		event->node = zkfs_tree_ghost(&op->fs->tree, event->parent,
					      event->name, type_of(event),
					      event->stat.czxid);
		if (!event->node)
			return NULL;
		zkfs_tree_saw(event->node, &event->stat, 1);
	}
	return zkfs_tree_ref(event->node);
}

static int64_t newest_zxid(const struct zkfs_stat *stat)
{
	int64_t newest = stat->mzxid > stat->pzxid ? stat->mzxid : stat->pzxid;

	return newest > stat->czxid ? newest : stat->czxid;
}

/* What the event's name means; nobody may have looked it up yet, which it is
 * not to count as (see listed_node() in ops/dir). */
static struct zkfs_node *meant_node(struct zkfs_op *op,
				    const struct zkfs_emit_event *event,
				    const char *name)
{
	struct zkfs_fs *fs = op->fs;
	struct zkfs_node *node = zkfs_tree_find(&fs->tree, op->node, name);

	if (node)
		return zkfs_tree_ref(node);
	if (!event || !event->stat.czxid)
		return NULL;
	if (strcmp(name, fs->config.dataname) == 0) {
		node = zkfs_tree_intern(&fs->tree, op->node, name,
					ZKFS_TYPE_DATA, event->stat.czxid);
		if (node)
			zkfs_tree_saw(node, &event->stat, 0);
	} else {
		node = zkfs_meta_intern(fs, op->node, name, &event->stat);
	}
	if (node)
		node->seen_ms = 1;
	return node;
}

/* To the emitter there is no name that it is to make, and still one that it is
 * to remove. */
void zkfs_emit_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_LOOKUP, parent, sizeof(*op));
	struct zkfs_emit_event *event;

	if (!op)
		return;
	event = event_of(op, name);
	if (strcmp(name, PROOF) == 0)
		op->fs->emit.proven = true;
	if (event && is_creation(event)) {
		zkfs_reply_error(op, -ENOENT);
		return;
	}
	if (event && is_deletion(event) && is_victim(op->fs, event)) {
		answer_entry(op, deleted_node(op, event));
		return;
	}
	answer_entry(op, meant_node(op, event, name));
}

static void answer_attr(fuse_req_t req, enum zkfs_op_kind kind, fuse_ino_t ino)
{
	struct zkfs_op *op = zkfs_op_new(req, kind, ino, sizeof(*op));
	struct stat st;

	if (!op || !zkfs_op_path(op, NULL))
		return;
	zkfs_node_stat(op->fs, op->node, op->path, &op->node->stat, &st);
	zkfs_reply_attr(op, &st, zkfs_cache_attr_timeout(op->fs, op->node, 0));
}

void zkfs_emit_getattr(fuse_req_t req, fuse_ino_t ino)
{
	answer_attr(req, ZKFS_OP_GETATTR, ino);
}

void zkfs_emit_setattr(fuse_req_t req, fuse_ino_t ino)
{
	answer_attr(req, ZKFS_OP_SETATTR, ino);
}

/* Not to read or write: it is closed again. No handle has the number 0. */
void zkfs_emit_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zkfs_op *op = zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(*op));

	if (!op)
		return;
	fi->fh = 0;
	fi->direct_io = 1;
	fi->noflush = 1;
	(void)zkfs_reply_open(op, fi);
}

/* What is made, as far as it is known: what others have seen under the name
 * since may be newer than the event. */
static struct zkfs_node *made_node(struct zkfs_op *op,
				   const struct zkfs_emit_event *event,
				   const char *name)
{
	const struct zkfs_node *now =
		zkfs_tree_find(&op->fs->tree, op->node, name);
	struct zkfs_node *node;

	if (!now || newest_zxid(&now->stat) >= newest_zxid(&event->stat))
		node = meant_node(op, event, name);
	else
		node = zkfs_meta_intern(op->fs, op->node, name, &event->stat);
	if (node && node->type != type_of(event))
		node = zkfs_tree_unref(&op->fs->tree, node);
	return node;
}

void zkfs_emit_create(fuse_req_t req, enum zkfs_op_kind kind, fuse_ino_t parent,
		      const char *name)
{
	struct zkfs_op *op = zkfs_op_new(req, kind, parent, sizeof(*op));
	struct zkfs_emit_event *event;
	struct zkfs_node *node;

	if (!op)
		return;
	event = event_of(op, name);
	if (!event || !is_creation(event)) {
		zkfs_reply_error(op, -EPERM);
		return;
	}
	node = made_node(op, event, name);
	if (node)
		zkfs_observe_new(op->fs, node);
	answer_entry(op, node);
}

void zkfs_emit_remove(fuse_req_t req, enum zkfs_op_kind kind, fuse_ino_t parent,
		      const char *name)
{
	struct zkfs_op *op = zkfs_op_new(req, kind, parent, sizeof(*op));
	struct zkfs_emit_event *event;

	if (!op)
		return;
	event = event_of(op, name);
	if (!event || !is_deletion(event) || !is_victim(op->fs, event)) {
		zkfs_reply_error(op, -EPERM);
		return;
	}
	if (event->node)
		zkfs_tree_detach(&op->fs->tree, event->node);
	zkfs_reply_error(op, 0);
}
