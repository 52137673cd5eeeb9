/*
 * observed: see observed.h.
 */
#include "fs/ops/observed.h"

#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/emit.h"
#include "fs/ops/file.h"
#include "fs/ops/fs.h"
#include "fs/ops/lock.h"
#include "fs/ops/reply.h"
#include "include/zkfs/path.h"

/* The names of a directory */

struct zkfs_observed_name *zkfs_observed_name_at(struct zkfs_hash_link *link)
{
	return zkfs_container_of(link, struct zkfs_observed_name, by_name);
}

static uint64_t hash_of(const char *name)
{
	return zkfs_hash_bytes(0, name, strlen(name));
}

struct zkfs_observed_name *zkfs_observed_find(const struct zkfs_observed *dir,
					      const char *name)
{
	struct zkfs_hash_link *it = zkfs_hash_find(&dir->names, hash_of(name));

	for (; it; it = zkfs_hash_find_next(it))
		if (strcmp(zkfs_observed_name_at(it)->name, name) == 0)
			return zkfs_observed_name_at(it);
	return NULL;
}

struct zkfs_observed_name *zkfs_observed_name_of(const struct zkfs_node *node)
{
	struct zkfs_observed *dir =
		node->parent ? node->parent->observed : NULL;

	return dir ? zkfs_observed_find(dir, node->name) : NULL;
}

static void name_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event);

static void on_name_looked(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply);

static char *prepare_name(struct zkfs_look *look)
{
	struct zkfs_observed_name *name =
		zkfs_container_of(look, struct zkfs_observed_name, look);
	zkfs_autofree char *dir = zkfs_tree_path(name->dir->node);

	look->req.kind = ZKFS_ZK_EXISTS;
	look->req.done = on_name_looked;
	return dir ? zkfs_path_join(dir, name->name) : NULL;
}

struct zkfs_observed_name *zkfs_observed_name_new(struct zkfs_observed *dir,
						  const char *text)
{
	size_t size = strlen(text) + 1;
	struct zkfs_observed_name *name = calloc(1, sizeof(*name) + size);

	if (!name)
		return NULL;
	zkfs_look_init(&name->look, dir->look.fs, prepare_name, name_fired);
	name->dir = dir;
	memcpy(name->name, text, size);
	zkfs_hash_add(&dir->names, &name->by_name, hash_of(text));
	dir->look.fs->observer.n_names++;
	return name;
}

void zkfs_observed_name_free(struct zkfs_observed_name *name)
{
	struct zkfs_fs *fs = name->look.fs;

	zkfs_look_fini(&name->look);
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

static void tell_created(struct zkfs_observed_name *name)
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
static bool is_lock(const struct zkfs_observed_name *name)
{
	struct zkfs_fs *fs = name->look.fs;
	zkfs_autofree char *dir = zkfs_tree_path(name->dir->node);
	zkfs_autofree char *path = dir ? zkfs_path_join(dir, name->name) : NULL;

	return !path || zkfs_lock_is_lock(fs, path);
}

/* What the kernel knew under the name, and is no more; `now` NULL: nothing is.
 * From here on nobody is answered with it. NULL if there is nothing such. The
 * reference is the caller's. */
static struct zkfs_node *gone_node(struct zkfs_observed_name *name,
				   const struct zkfs_stat *now)
{
	struct zkfs_fs *fs = name->look.fs;
	struct zkfs_node *node =
		zkfs_tree_find(&fs->tree, name->dir->node, name->name);

	if (node && node->n_own_changes == 0 && (!now || !is_still(node, now)))
		zkfs_tree_detach(&fs->tree, node); /* see on_detached() */
	return zkfs_steal(&name->gone);
}

static void tell_deleted(struct zkfs_observed_name *name,
			 const struct zkfs_stat *was,
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
static void tell_changed(struct zkfs_observed_name *name)
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

/* The ACL is other than it was. No watch tells of that: it is seen when the
 * name is looked at for another reason. */
static void tell_attr(struct zkfs_observed_name *name)
{
	zkfs_emit_push(name->look.fs, ZKFS_EMIT_ATTR_CHANGED, name->dir->node,
		       name->name, NULL, &name->stat);
}

/* What is written may be what this mount writes, which the kernel tells. */
static bool may_be_own(const struct zkfs_fs *fs, const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_file_of(handle)->writable)
			return true;
	}
	zkfs_list_for_each(it, &fs->ops) {
		const struct zkfs_op *op =
			zkfs_list_entry(it, struct zkfs_op, link);

		if (op->node == node && op->kind == ZKFS_OP_SETATTR)
			return true;
	}
	return node->n_own_changes > 0;
}

/* A file that the kernel knows, and that is not told too often, has changed:
 * that is all there is to say, and who hears of it asks for the rest. */
static bool can_tell_at_once(const struct zkfs_observed_name *name,
			     enum zkfs_zk_event event)
{
	const struct zkfs_fs *fs = name->look.fs;
	const struct zkfs_node *node =
		zkfs_tree_find(&fs->tree, name->dir->node, name->name);

	return event == ZKFS_ZK_CHANGED && name->looked && !name->is_new &&
	       !name->gone && !is_dir(&name->stat) && node && is_known(node) &&
	       node->type == ZKFS_TYPE_FILE &&
	       node->czxid == name->stat.czxid &&
	       zkfs_look_is_rested(&name->look) && !may_be_own(fs, node);
}

/* Whether that was it. Of several versions the last is told by the look. */
static bool was_told(struct zkfs_observed_name *name,
		     const struct zkfs_stat *was)
{
	bool told = name->told;

	name->told = false;
	return told && name->stat.version == was->version + 1;
}

static void name_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_observed_name *name = zkfs_container_of(
		zkfs_container_of(watch, struct zkfs_look, watch),
		struct zkfs_observed_name, look);

	if (can_tell_at_once(name, event)) {
		tell_changed(name);
		name->told = true;
	}
	zkfs_look_due(&name->look);
}

static bool is_another(const struct zkfs_observed_name *name,
		       const struct zkfs_stat *was)
{
	const struct zkfs_node *node = zkfs_tree_find(
		&name->look.fs->tree, name->dir->node, name->name);

	if (name->gone || was->czxid != name->stat.czxid)
		return true;
	return is_dir(was) != is_dir(&name->stat) &&
	       !(node && is_still(node, &name->stat));
}

/* For who has watched it for a moment: whether it is not what was shown. */
static void tell_since(struct zkfs_observed_name *name)
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

static void tell_another(struct zkfs_observed_name *name,
			 const struct zkfs_stat *was)
{
	if (is_lock(name)) {
		name->gone = zkfs_tree_unref(&name->look.fs->tree, name->gone);
		return;
	}
	tell_deleted(name, was, &name->stat);
	tell_created(name);
}

static void name_seen(struct zkfs_observed_name *name,
		      const struct zkfs_stat *stat)
{
	const struct zkfs_stat was = name->stat;
	bool was_looked = name->looked, told;

	name->stat = *stat;
	told = was_told(name, &was);
	name->looked = true;
	if (name->is_new) {
		name->is_new = false;
		tell_created(name);
	} else if (!was_looked) {
		tell_since(name);
	} else if (is_another(name, &was)) {
		tell_another(name, &was);
	} else {
		if (was.mzxid != stat->mzxid && !told)
			tell_changed(name);
		if (was.aversion != stat->aversion)
			tell_attr(name);
	}
}

void zkfs_observed_name_vanished(struct zkfs_observed_name *name)
{
	if (!name->is_new && !is_lock(name))
		tell_deleted(name, &name->stat, NULL);
	zkfs_observed_name_free(name);
}

static void on_name_looked(struct zkfs_zk_req *req,
			   const struct zkfs_zk_reply *reply)
{
	struct zkfs_observed_name *name =
		zkfs_container_of(zkfs_container_of(req, struct zkfs_look, req),
				  struct zkfs_observed_name, look);

	zkfs_look_ended(&name->look);
	name->look.next_ms = zkfs_clock_ms() + ZKFS_LOOK_REST_MS;
	if (name->look.again)
		zkfs_look_rest(&name->look, ZKFS_LOOK_REST_MS);
	if (reply->error == ZKFS_E_NONODE)
		zkfs_observed_name_vanished(name);
	else if (reply->error)
		zkfs_look_rest(&name->look, ZKFS_LOOK_AGAIN_MS);
	else
		name_seen(name, reply->stat);
}
