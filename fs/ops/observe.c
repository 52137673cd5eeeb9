/*
 * observe: see observe.h.
 */
#include "fs/ops/observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/control.h"
#include "fs/ops/emit.h"
#include "fs/ops/fs.h"
#include "fs/ops/lock.h"
#include "include/zkfs/path.h"

/* Between two looks at the same thing; a directory with many children rests
 * longer, since each look lists them all. */
#define REST_MS		   50
#define CHILDREN_A_REST_MS 10
/* Looks under way, and in PERIOD_MS. */
#define LOOKING_MAX 16
#define PERIOD_MS   10
#define LOOKED_MAX  16
/* Names in a directory that are each looked at; and that are told at all. */
#define LOOKED_AT_MAX 1000
#define NAMES_MAX     10000
/* How long a directory that was told as created is observed before somebody
 * watches it. */
#define NEW_MS 20000
/* How old what was shown of a directory may be to tell what is new in it. */
#define SHOWN_MS 3000
/* Names and directories in all; the directories that were looked up longest ago
 * go first. */
#define TOTAL_MAX 100000
/* After an error. */
#define AGAIN_MS 1000

/* One thing that is looked at: an EXISTS or CHILDREN, and its watch. */
struct look {
	struct zkfs_fs *fs;
	struct zkfs_zk_req req;
	struct zkfs_zk_watch watch;
	char *path;	 /* of the request */
	bool again;	 /* its watch was live then, and is not now */
	int64_t next_ms; /* not before */
	struct zkfs_link link;
};

struct zkfs_observed {
	struct look look;
	struct zkfs_node *node; /* referenced; its `observed` is this */
	struct zkfs_hash names;
	bool listed;	  /* what is not among the names is new */
	int64_t since;	  /* what was made after that zxid is, too */
	unsigned scan;	  /* in which it was watched last */
	int64_t until_ms; /* until then it need not be */
	unsigned turn;
	struct zkfs_link link;
};

struct name {
	struct look look;
	struct zkfs_observed *dir;
	struct zkfs_node *gone; /* what it meant to the kernel until now */
	bool is_new;		/* to be told when it has been looked at */
	bool looked;		/* stat is valid */
	unsigned turn;		/* of the list it was last in */
	struct zkfs_stat stat;
	struct zkfs_hash_link by_name;
	char name[];
};

/* Looking */

static void look_init(struct look *look, struct zkfs_fs *fs,
		      void (*fired)(struct zkfs_zk_watch *watch,
				    enum zkfs_zk_event event))
{
	look->fs = fs;
	look->watch.fired = fired;
	zkfs_list_init(&look->link);
}

static void look_fini(struct look *look)
{
	zkfs_zk_cancel(look->fs->zk, &look->req);
	zkfs_zk_unwatch(look->fs->zk, &look->watch);
	look->fs->observer.n_due -= look->path || zkfs_list_linked(&look->link);
	zkfs_list_remove(&look->link);
	if (look->path)
		look->fs->observer.n_looking--;
	free(look->path);
	look->path = NULL;
}

static void look_ended(struct look *look)
{
	look->fs->observer.n_looking--;
	look->fs->observer.n_due--;
	free(look->path);
	look->path = NULL;
}

static struct look *look_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct look, link);
}

/* To be looked at in `ms`; the list stays sorted. */
static void rest(struct look *look, int64_t ms)
{
	struct zkfs_link *head = &look->fs->observer.resting, *at = head;

	if (look->path || zkfs_list_linked(&look->link))
		return;
	look->next_ms = zkfs_clock_ms() + ms;
	while (at->prev != head && look_at(at->prev)->next_ms > look->next_ms)
		at = at->prev;
	zkfs_list_append(at, &look->link);
	look->fs->observer.n_due++;
}

/* To be looked at as soon as it may. */
static void come_due(struct look *look)
{
	int64_t left = look->next_ms - zkfs_clock_ms();

	look->again = look->path;

	if (left > 0)
		rest(look, left);
	else if (!look->path && !zkfs_list_linked(&look->link)) {
		zkfs_list_append(&look->fs->observer.due, &look->link);
		look->fs->observer.n_due++;
	}
}

/* The names of a directory */

static struct name *name_at(struct zkfs_hash_link *link)
{
	return zkfs_container_of(link, struct name, by_name);
}

static uint64_t hash_of(const char *name)
{
	return zkfs_hash_bytes(0, name, strlen(name));
}

static struct name *name_find(const struct zkfs_observed *dir, const char *name)
{
	struct zkfs_hash_link *it = zkfs_hash_find(&dir->names, hash_of(name));

	for (; it; it = zkfs_hash_find_next(it))
		if (strcmp(name_at(it)->name, name) == 0)
			return name_at(it);
	return NULL;
}

/* Where the node's name is noted, or NULL. */
static struct name *name_of(const struct zkfs_node *node)
{
	struct zkfs_observed *dir =
		node->parent ? node->parent->observed : NULL;

	return dir ? name_find(dir, node->name) : NULL;
}

static void name_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	come_due(zkfs_container_of(watch, struct look, watch));
}

static struct name *name_new(struct zkfs_observed *dir, const char *text)
{
	size_t size = strlen(text) + 1;
	struct name *name = calloc(1, sizeof(*name) + size);

	if (!name)
		return NULL;
	look_init(&name->look, dir->look.fs, name_fired);
	name->dir = dir;
	memcpy(name->name, text, size);
	zkfs_hash_add(&dir->names, &name->by_name, hash_of(text));
	dir->look.fs->observer.n_names++;
	return name;
}

static void name_free(struct name *name)
{
	struct zkfs_fs *fs = name->look.fs;

	look_fini(&name->look);
	zkfs_hash_remove(&name->dir->names, &name->by_name);
	fs->observer.n_names--;
	zkfs_tree_unref(&fs->tree, name->gone);
	free(name);
}

/* Telling */

static bool is_known(const struct zkfs_node *node)
{
	return node->n_lookups > 0;
}

static bool is_dir(const struct zkfs_stat *stat)
{
	return zkfs_attr_type(stat, false) == ZKFS_TYPE_DIR;
}

static void tell_created(struct name *name)
{
	struct zkfs_node *dir = name->dir->node;
	struct zkfs_fs *fs = name->look.fs;

	if (is_dir(&name->stat)) {
		zkfs_emit_push(fs, ZKFS_EMIT_DIR_CREATED, dir, name->name, NULL,
			       &name->stat);
		return;
	}
	zkfs_emit_push(fs, ZKFS_EMIT_FILE_CREATED, dir, name->name, NULL,
		       &name->stat);
	/* Who makes a file here and writes it closes it then. */
	if (name->stat.data_length > 0)
		zkfs_emit_push(fs, ZKFS_EMIT_FILE_CHANGED, dir, name->name,
			       NULL, &name->stat);
}

/* Whether the kernel's node is what the name means with this Stat. */
static bool is_still(const struct zkfs_node *node, const struct zkfs_stat *stat)
{
	bool dir = is_dir(stat) || (node->type == ZKFS_TYPE_DIR &&
				    zkfs_clock_ms() < node->dir_until_ms);

	return (node->adopt || node->czxid == stat->czxid) &&
	       (node->type == ZKFS_TYPE_DIR) == dir;
}

/* A directory in a lock directory's place goes on being it when it is made
 * anew, with the same node: see adopt_lock() in ops/meta. It cannot be told as
 * removed and be that, too. */
static bool is_lock(const struct name *name)
{
	struct zkfs_fs *fs = name->look.fs;
	zkfs_autofree char *dir = zkfs_tree_path(name->dir->node);
	zkfs_autofree char *path = dir ? zkfs_path_join(dir, name->name) : NULL;

	return !path || zkfs_lock_is_lock(fs, path);
}

/* What the kernel knew under the name, and is no more; `now` NULL: nothing is.
 * From here on nobody is answered with it. NULL if there is nothing such. The
 * reference is the caller's. */
static struct zkfs_node *gone_node(struct name *name,
				   const struct zkfs_stat *now)
{
	struct zkfs_fs *fs = name->look.fs;
	struct zkfs_node *node =
		zkfs_tree_find(&fs->tree, name->dir->node, name->name);

	if (node && node->n_own_changes == 0 && (!now || !is_still(node, now)))
		zkfs_tree_detach(&fs->tree, node); /* see on_detached() */
	return zkfs_steal(&name->gone);
}

static void tell_deleted(struct name *name, const struct zkfs_stat *was,
			 const struct zkfs_stat *now)
{
	struct zkfs_fs *fs = name->look.fs;
	struct zkfs_node *node = gone_node(name, now);
	bool was_dir = node ? node->type == ZKFS_TYPE_DIR : is_dir(was);
	struct zkfs_stat stat = *was;

	/* It has become something else, and may become what it was: what is
	 * called so then is not what was removed. */
	if (now && now->czxid == was->czxid)
		stat.czxid = 0;
	zkfs_emit_push(fs,
		       was_dir ? ZKFS_EMIT_DIR_DELETED : ZKFS_EMIT_FILE_DELETED,
		       name->dir->node, name->name, node, &stat);
	zkfs_tree_unref(&fs->tree, node);
}

/* The data of a directory is shown as a file in it. */
static void tell_changed(struct name *name)
{
	struct zkfs_fs *fs = name->look.fs;
	struct zkfs_node *dir = name->dir->node;
	const char *file = name->name;

	if (is_dir(&name->stat)) {
		dir = zkfs_tree_find(&fs->tree, dir, name->name);
		file = fs->config.dataname;
	}
	if (dir)
		zkfs_emit_push(fs, ZKFS_EMIT_FILE_CHANGED, dir, file, NULL,
			       &name->stat);
}

static bool is_another(const struct name *name, const struct zkfs_stat *was)
{
	const struct zkfs_node *node = zkfs_tree_find(
		&name->look.fs->tree, name->dir->node, name->name);

	if (name->gone || was->czxid != name->stat.czxid)
		return true;
	return is_dir(was) != is_dir(&name->stat) &&
	       !(node && is_still(node, &name->stat));
}

/* For who has watched it for a moment: whether it is not what was shown. */
static void tell_since(struct name *name)
{
	const struct zkfs_node *node = zkfs_tree_find(
		&name->look.fs->tree, name->dir->node, name->name);

	if (node && is_known(node) && is_still(node, &name->stat)) {
		if (node->stat.mzxid < name->stat.mzxid)
			tell_changed(name);
	} else if (name->stat.czxid > name->dir->since) {
		tell_created(name);
	}
}

static void tell_another(struct name *name, const struct zkfs_stat *was)
{
	if (is_lock(name)) {
		name->gone = zkfs_tree_unref(&name->look.fs->tree, name->gone);
		return;
	}
	tell_deleted(name, was, &name->stat);
	tell_created(name);
}

static void name_seen(struct name *name, const struct zkfs_stat *stat)
{
	const struct zkfs_stat was = name->stat;
	bool was_looked = name->looked;

	name->stat = *stat;
	name->looked = true;
	if (name->is_new) {
		name->is_new = false;
		tell_created(name);
	} else if (!was_looked) {
		tell_since(name);
	} else if (is_another(name, &was)) {
		tell_another(name, &was);
	} else if (was.mzxid != stat->mzxid) {
		tell_changed(name);
	}
}

static void name_vanished(struct name *name)
{
	if (!name->is_new && !is_lock(name))
		tell_deleted(name, &name->stat, NULL);
	name_free(name);
}

static void on_name_looked(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct name *name = zkfs_container_of(
		zkfs_container_of(req, struct look, req), struct name, look);

	look_ended(&name->look);
	name->look.next_ms = zkfs_clock_ms() + REST_MS;
	if (name->look.again)
		rest(&name->look, REST_MS);
	if (reply->error == ZKFS_E_NONODE)
		name_vanished(name);
	else if (reply->error)
		rest(&name->look, AGAIN_MS);
	else
		name_seen(name, reply->stat);
}

/* A directory */

static void dir_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	come_due(zkfs_container_of(watch, struct look, watch));
}

static void forget_names(struct zkfs_observed *dir)
{
	struct zkfs_hash_link *it, *next;

	for (it = zkfs_hash_next(&dir->names, NULL); it; it = next) {
		next = zkfs_hash_next(&dir->names, it);
		name_free(name_at(it));
	}
	dir->listed = false;
}

static void dir_free(struct zkfs_observed *dir)
{
	struct zkfs_fs *fs = dir->look.fs;

	forget_names(dir);
	zkfs_hash_fini(&dir->names);
	look_fini(&dir->look);
	zkfs_list_remove(&dir->link);
	fs->observer.n_names--;
	dir->node->observed = NULL;
	zkfs_tree_unref(&fs->tree, dir->node);
	free(dir);
}

/* As in ops/dir. */
static bool is_shown(const struct zkfs_observed *dir, const char *name)
{
	const struct zkfs_fs *fs = dir->look.fs;
	size_t len = strlen(name);

	return len > 0 && len <= ZKFS_NAME_MAX && zkfs_path_name_valid(name) &&
	       strcmp(name, fs->config.dataname) != 0 &&
	       !zkfs_control_has(fs, dir->node, name);
}

static bool is_watched(const struct name *name)
{
	const struct zkfs_node *node = zkfs_tree_find(
		&name->look.fs->tree, name->dir->node, name->name);

	return node && node->watched;
}

static void name_listed(struct zkfs_observed *dir, const char *text, size_t n)
{
	struct name *name = name_find(dir, text);

	if (!name) {
		name = name_new(dir, text);
		if (!name)
			return;
		name->is_new = dir->listed;
		if (dir->listed || n <= LOOKED_AT_MAX || is_watched(name))
			come_due(&name->look);
	}
	name->turn = dir->turn;
}

static void sweep(struct zkfs_observed *dir)
{
	struct zkfs_hash_link *it = zkfs_hash_next(&dir->names, NULL);

	while (it) {
		struct zkfs_hash_link *next = zkfs_hash_next(&dir->names, it);

		if (name_at(it)->turn != dir->turn)
			name_vanished(name_at(it));
		it = next;
	}
}

static bool is_worth(const struct zkfs_observed *dir)
{
	return !dir->node->parent ||
	       (dir->node->current && dir->node->n_lookups > 0);
}

static void on_listed(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_observed *dir =
		zkfs_container_of(zkfs_container_of(req, struct look, req),
				  struct zkfs_observed, look);

	look_ended(&dir->look);
	if (!is_worth(dir) || reply->error == ZKFS_E_NONODE ||
	    reply->error == ZKFS_E_NOAUTH || reply->n_names > NAMES_MAX) {
		dir_free(dir);
		return;
	}
	if (reply->error) {
		rest(&dir->look, AGAIN_MS);
		return;
	}
	dir->look.next_ms = zkfs_clock_ms() + REST_MS +
			    (int64_t)reply->n_names / CHILDREN_A_REST_MS;
	dir->turn++;
	for (size_t i = 0; i < reply->n_names; i++)
		if (is_shown(dir, reply->names[i]))
			name_listed(dir, reply->names[i], reply->n_names);
	sweep(dir);
	dir->listed = true;
	if (dir->look.again)
		come_due(&dir->look);
}

/* What is looked at when */

static void ask(struct look *look)
{
	struct zkfs_fs *fs = look->fs;

	look->req.path = look->path;
	look->req.watch = look->watch.live ? NULL : &look->watch;
	look->req.deadline_ms = ZKFS_NEVER;
	fs->observer.n_looking++;
	fs->observer.n_looked++;
	look->again = false;
	zkfs_zk_submit(fs->zk, &look->req);
}

static void start(struct look *look)
{
	struct zkfs_fs *fs = look->fs;

	if (look->watch.fired == dir_fired) {
		struct zkfs_observed *dir =
			zkfs_container_of(look, struct zkfs_observed, look);

		look->path = zkfs_tree_path(dir->node);
		look->req.kind = ZKFS_ZK_CHILDREN;
		look->req.done = on_listed;
	} else {
		struct name *name = zkfs_container_of(look, struct name, look);
		zkfs_autofree char *dir = zkfs_tree_path(name->dir->node);

		look->path = dir ? zkfs_path_join(dir, name->name) : NULL;
		look->req.kind = ZKFS_ZK_EXISTS;
		look->req.done = on_name_looked;
	}
	if (look->path) {
		ask(look);
		return;
	}
	fs->observer.n_due--;
	rest(look, AGAIN_MS);
}

static void wake(struct zkfs_observer *observer, int64_t now_ms)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&observer->resting)) &&
	       look_at(first)->next_ms <= now_ms) {
		zkfs_list_remove(first);
		zkfs_list_append(&observer->due, first);
	}
}

void zkfs_observer_tick(struct zkfs_fs *fs, int64_t now_ms)
{
	struct zkfs_observer *observer = &fs->observer;
	struct zkfs_link *first;

	if (!observer->enabled || !zkfs_zk_connected(fs->zk))
		return;
	wake(observer, now_ms);
	if (now_ms - observer->began_ms >= PERIOD_MS) {
		observer->began_ms = now_ms;
		observer->n_looked = 0;
	}
	while (observer->n_looking < LOOKING_MAX &&
	       observer->n_looked < LOOKED_MAX &&
	       (first = zkfs_list_first(&observer->due))) {
		zkfs_list_remove(first);
		start(look_at(first));
	}
}

int64_t zkfs_observer_deadline(const struct zkfs_fs *fs)
{
	const struct zkfs_observer *observer = &fs->observer;
	struct zkfs_link *first = zkfs_list_first(&observer->resting);

	if (!observer->enabled || !zkfs_zk_connected(fs->zk))
		return ZKFS_NEVER;
	if (!zkfs_list_empty(&observer->due) &&
	    observer->n_looking < LOOKING_MAX)
		return observer->n_looked < LOOKED_MAX
			       ? 0
			       : observer->began_ms + PERIOD_MS;
	return first ? look_at(first)->next_ms : ZKFS_NEVER;
}

/* Beginning and end */

/* It is told as deleted later, when it has been looked at. */
static void on_detached(struct zkfs_tree *tree, struct zkfs_node *node)
{
	struct name *name = name_of(node);

	if (name) {
		zkfs_tree_unref(tree, name->gone);
		name->gone = zkfs_tree_ref(node);
		come_due(&name->look);
	}
	if (node->observed)
		dir_free(node->observed);
}

void zkfs_observer_init(struct zkfs_fs *fs)
{
	fs->observer = (struct zkfs_observer){0};
	zkfs_list_init(&fs->observer.dirs);
	zkfs_list_init(&fs->observer.due);
	zkfs_list_init(&fs->observer.resting);
}

void zkfs_observer_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	fs->observer.enabled = false;
	free(zkfs_steal(&fs->observer.watched));
	fs->observer.n_watched = fs->observer.room_watched = 0;
	fs->tree.detached = NULL;
	while ((first = zkfs_list_first(&fs->observer.dirs)))
		dir_free(zkfs_list_entry(first, struct zkfs_observed, link));
}

void zkfs_observer_all(struct zkfs_fs *fs)
{
	if (!fs->observer.enabled || fs->observer.all)
		return;
	fs->observer.all = true;
	zkfs_observe(fs, fs->tree.root);
}

void zkfs_observer_start(struct zkfs_fs *fs, bool all)
{
	fs->observer.enabled = true;
	fs->tree.detached = on_detached;
	if (all)
		zkfs_observer_all(fs);
}

static void make_room(struct zkfs_fs *fs)
{
	struct zkfs_observer *observer = &fs->observer;
	struct zkfs_link *first;

	while (observer->n_names > TOTAL_MAX &&
	       (first = zkfs_list_first(&observer->dirs)))
		dir_free(zkfs_list_entry(first, struct zkfs_observed, link));
}

static bool can_observe(const struct zkfs_fs *fs, const struct zkfs_node *node)
{
	return fs->observer.enabled && node->type == ZKFS_TYPE_DIR &&
	       (node->current || !node->parent) &&
	       !zkfs_lock_is_lock_node(fs, node);
}

/* The zxid after which what is made in the directory is news to who watches it:
 * what was shown of it, if that is as new as the watch. */
static int64_t shown_zxid(const struct zkfs_node *node)
{
	if (zkfs_cache_has_children(node) ||
	    zkfs_clock_ms() - node->seen_ms < SHOWN_MS)
		return node->stat.pzxid;
	return INT64_MAX;
}

static struct zkfs_observed *observe(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_observed *dir = node->observed;

	if (dir) {
		zkfs_list_remove(&dir->link);
		zkfs_list_append(&fs->observer.dirs, &dir->link);
		return dir;
	}
	if (!can_observe(fs, node))
		return NULL;
	make_room(fs);
	dir = calloc(1, sizeof(*dir));
	if (!dir || zkfs_hash_init(&dir->names) < 0) {
		free(dir);
		return NULL;
	}
	look_init(&dir->look, fs, dir_fired);
	dir->since = fs->observer.all ? INT64_MAX : shown_zxid(node);
	dir->node = zkfs_tree_ref(node);
	node->observed = dir;
	fs->observer.n_names++;
	zkfs_list_append(&fs->observer.dirs, &dir->link);
	come_due(&dir->look);
	return dir;
}

void zkfs_observe(struct zkfs_fs *fs, struct zkfs_node *node)
{
	if (fs->observer.all || node->observed)
		(void)observe(fs, node);
}

void zkfs_observe_new(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_observed *dir = observe(fs, node);

	if (!dir)
		return;
	dir->until_ms = zkfs_clock_ms() + NEW_MS;
	dir->since = 0;
}

/* Who watches what */

static void forget_watched(struct zkfs_fs *fs)
{
	struct zkfs_observer *observer = &fs->observer;

	for (size_t i = 0; i < observer->n_watched; i++) {
		struct zkfs_node *node =
			zkfs_tree_get(&fs->tree, observer->watched[i]);

		if (node)
			node->watched = false;
	}
	observer->n_watched = 0;
	observer->scan++;
}

static bool note_watched(struct zkfs_observer *observer, uint64_t id)
{
	if (observer->n_watched == observer->room_watched) {
		size_t room = observer->room_watched * 2 + 64;
		uint64_t *ids = reallocarray(observer->watched, room,
					     sizeof(*observer->watched));

		if (!ids)
			return false;
		observer->watched = ids;
		observer->room_watched = room;
	}
	observer->watched[observer->n_watched++] = id;
	return true;
}

/* A file's events come with the looks at its directory. */
static void watch(struct zkfs_fs *fs, uint64_t id)
{
	struct zkfs_node *node = zkfs_tree_get(&fs->tree, id);
	struct zkfs_observed *dir;
	struct name *name;

	if (!node || !note_watched(&fs->observer, id))
		return;
	node->watched = true;
	dir = observe(fs, node->type == ZKFS_TYPE_DIR || !node->parent
				  ? node
				  : node->parent);
	if (!dir)
		return;
	dir->scan = fs->observer.scan;
	name = name_of(node);
	if (name && !name->looked)
		come_due(&name->look);
}

static void drop_unwatched(struct zkfs_fs *fs)
{
	int64_t now = zkfs_clock_ms();

	zkfs_list_for_each_safe(it, &fs->observer.dirs) {
		struct zkfs_observed *dir =
			zkfs_list_entry(it, struct zkfs_observed, link);

		if (dir->scan != fs->observer.scan && dir->until_ms <= now)
			dir_free(dir);
	}
}

void zkfs_observer_watched(struct zkfs_fs *fs,
			   const struct zkfs_emit_watched *part)
{
	if (!fs->observer.enabled || fs->observer.all)
		return;
	if (part->first)
		forget_watched(fs);
	for (size_t i = 0; i < part->n && i < ZKFS_EMIT_WATCHED_MAX; i++)
		watch(fs, part->ids[i]);
	if (part->unknown)
		zkfs_observer_all(fs);
	else if (part->last)
		drop_unwatched(fs);
}

void zkfs_observe_again(const struct zkfs_node *node)
{
	struct name *name = name_of(node);

	if (name)
		come_due(&name->look);
}

void zkfs_observe_forgotten(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct name *name;

	if (node->n_lookups > 0)
		return;
	name = name_of(node);
	if (name && name->gone == node)
		name->gone = zkfs_tree_unref(&fs->tree, node);
	if (node->observed)
		dir_free(node->observed);
}

/* What this mount does */

void zkfs_observe_own_name(struct zkfs_fs *fs, struct zkfs_node *dir,
			   const char *text, const struct zkfs_stat *stat)
{
	struct zkfs_observed *observed = dir->observed;
	struct name *name;

	if (!observed || !observed->listed || !is_shown(observed, text))
		return;
	name = name_find(observed, text);
	if (!name)
		name = name_new(observed, text);
	if (!name)
		return;
	name->turn = observed->turn;
	name->is_new = false;
	name->looked = stat != NULL;
	if (stat)
		name->stat = *stat;
	name->gone = zkfs_tree_unref(&fs->tree, name->gone);
	come_due(&name->look);
}

void zkfs_observe_own_removal(struct zkfs_fs *fs, struct zkfs_node *dir,
			      const char *text)
{
	struct name *name =
		dir->observed ? name_find(dir->observed, text) : NULL;

	if (name)
		name_free(name);
}

void zkfs_observe_own_data(struct zkfs_fs *fs, const struct zkfs_node *node,
			   const struct zkfs_stat *stat)
{
	struct name *name;

	if (node->type == ZKFS_TYPE_DATA)
		node = node->parent;
	name = node->current ? name_of(node) : NULL;
	if (!name || (name->looked && name->stat.mzxid > stat->mzxid))
		return;
	name->stat = *stat;
	name->looked = true;
}

void zkfs_observe_moved(struct zkfs_fs *fs, const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &fs->observer.dirs) {
		struct zkfs_observed *dir =
			zkfs_list_entry(it, struct zkfs_observed, link);

		if (!zkfs_tree_below(dir->node, node))
			continue;
		forget_names(dir);
		look_fini(&dir->look);
		come_due(&dir->look);
	}
}
