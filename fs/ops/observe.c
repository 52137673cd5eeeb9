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
#include "fs/ops/observed.h"
#include "include/zkfs/path.h"

/* A directory with many children rests longer, since each look lists them all.
 */
#define CHILDREN_A_REST_MS 10
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
/* A directory */

static void dir_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	zkfs_look_due(zkfs_container_of(watch, struct zkfs_look, watch));
}

static void on_listed(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply);

static char *prepare_dir(struct zkfs_look *look)
{
	struct zkfs_observed *dir =
		zkfs_container_of(look, struct zkfs_observed, look);

	look->req.kind = ZKFS_ZK_CHILDREN;
	look->req.done = on_listed;
	return zkfs_tree_path(dir->node);
}

static void forget_names(struct zkfs_observed *dir)
{
	struct zkfs_hash_link *it, *next;

	for (it = zkfs_hash_next(&dir->names, NULL); it; it = next) {
		next = zkfs_hash_next(&dir->names, it);
		zkfs_observed_name_free(zkfs_observed_name_at(it));
	}
	dir->listed = false;
}

static void dir_free(struct zkfs_observed *dir)
{
	struct zkfs_fs *fs = dir->look.fs;

	forget_names(dir);
	zkfs_hash_fini(&dir->names);
	zkfs_look_fini(&dir->look);
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

static bool is_watched(const struct zkfs_observed_name *name)
{
	const struct zkfs_node *node = zkfs_tree_find(
		&name->look.fs->tree, name->dir->node, name->name);

	return node && node->watched;
}

static void name_listed(struct zkfs_observed *dir, const char *text, size_t n)
{
	struct zkfs_observed_name *name = zkfs_observed_find(dir, text);

	if (!name) {
		name = zkfs_observed_name_new(dir, text);
		if (!name)
			return;
		name->is_new = dir->listed;
		if (dir->listed || n <= LOOKED_AT_MAX || is_watched(name))
			zkfs_look_due(&name->look);
	}
	name->turn = dir->turn;
}

static void sweep(struct zkfs_observed *dir)
{
	struct zkfs_hash_link *it = zkfs_hash_next(&dir->names, NULL);

	while (it) {
		struct zkfs_hash_link *next = zkfs_hash_next(&dir->names, it);

		if (zkfs_observed_name_at(it)->turn != dir->turn)
			zkfs_observed_name_vanished(zkfs_observed_name_at(it));
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
		zkfs_container_of(zkfs_container_of(req, struct zkfs_look, req),
				  struct zkfs_observed, look);

	zkfs_look_ended(&dir->look);
	if (!is_worth(dir) || reply->error == ZKFS_E_NONODE ||
	    reply->error == ZKFS_E_NOAUTH || reply->n_names > NAMES_MAX) {
		dir_free(dir);
		return;
	}
	if (reply->error) {
		zkfs_look_rest(&dir->look, ZKFS_LOOK_AGAIN_MS);
		return;
	}
	dir->look.next_ms = zkfs_clock_ms() + ZKFS_LOOK_REST_MS +
			    (int64_t)reply->n_names / CHILDREN_A_REST_MS;
	dir->turn++;
	for (size_t i = 0; i < reply->n_names; i++)
		if (is_shown(dir, reply->names[i]))
			name_listed(dir, reply->names[i], reply->n_names);
	sweep(dir);
	dir->listed = true;
	if (dir->look.again)
		zkfs_look_due(&dir->look);
}

/* Beginning and end */

/* It is told as deleted later, when it has been looked at. */
static void on_detached(struct zkfs_tree *tree, struct zkfs_node *node)
{
	struct zkfs_observed_name *name = zkfs_observed_name_of(node);

	if (name) {
		zkfs_tree_unref(tree, name->gone);
		name->gone = zkfs_tree_ref(node);
		zkfs_look_due(&name->look);
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
	zkfs_look_init(&dir->look, fs, prepare_dir, dir_fired);
	dir->since = fs->observer.all ? INT64_MAX : shown_zxid(node);
	dir->node = zkfs_tree_ref(node);
	node->observed = dir;
	fs->observer.n_names++;
	zkfs_list_append(&fs->observer.dirs, &dir->link);
	zkfs_look_due(&dir->look);
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
	struct zkfs_observed_name *name;

	if (!node || !note_watched(&fs->observer, id))
		return;
	node->watched = true;
	dir = observe(fs, node->type == ZKFS_TYPE_DIR || !node->parent
				  ? node
				  : node->parent);
	if (!dir)
		return;
	dir->scan = fs->observer.scan;
	name = zkfs_observed_name_of(node);
	if (name && !name->looked)
		zkfs_look_due(&name->look);
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
	struct zkfs_observed_name *name = zkfs_observed_name_of(node);

	if (name)
		zkfs_look_due(&name->look);
}

void zkfs_observe_forgotten(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_observed_name *name;

	if (node->n_lookups > 0)
		return;
	name = zkfs_observed_name_of(node);
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
	struct zkfs_observed_name *name;

	if (!observed || !observed->listed || !is_shown(observed, text))
		return;
	name = zkfs_observed_find(observed, text);
	if (!name)
		name = zkfs_observed_name_new(observed, text);
	if (!name)
		return;
	name->turn = observed->turn;
	name->is_new = false;
	name->told = false;
	name->looked = stat != NULL;
	if (stat)
		name->stat = *stat;
	name->gone = zkfs_tree_unref(&fs->tree, name->gone);
	zkfs_look_due(&name->look);
}

void zkfs_observe_own_removal(struct zkfs_fs *fs, struct zkfs_node *dir,
			      const char *text)
{
	struct zkfs_observed_name *name =
		dir->observed ? zkfs_observed_find(dir->observed, text) : NULL;

	if (name)
		zkfs_observed_name_free(name);
}

void zkfs_observe_own_acl(const struct zkfs_node *node)
{
	struct zkfs_observed_name *name =
		node->current ? zkfs_observed_name_of(node) : NULL;

	if (name && name->looked)
		name->stat.aversion++;
}

void zkfs_observe_own_data(struct zkfs_fs *fs, const struct zkfs_node *node,
			   const struct zkfs_stat *stat)
{
	struct zkfs_observed_name *name;

	if (node->type == ZKFS_TYPE_DATA)
		node = node->parent;
	name = node->current ? zkfs_observed_name_of(node) : NULL;
	if (!name || (name->looked && name->stat.mzxid > stat->mzxid))
		return;
	name->stat = *stat;
	name->looked = true;
	name->told = false;
}

void zkfs_observe_moved(struct zkfs_fs *fs, const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &fs->observer.dirs) {
		struct zkfs_observed *dir =
			zkfs_list_entry(it, struct zkfs_observed, link);

		if (!zkfs_tree_below(dir->node, node))
			continue;
		forget_names(dir);
		zkfs_look_fini(&dir->look);
		zkfs_look_due(&dir->look);
	}
}
