/*
 * absent: see absent.h.
 */
#include "fs/ops/absent.h"

#include <stdlib.h>
#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/fs.h"
#include "fs/ops/notify.h"

struct zkfs_absent {
	struct zkfs_fs *fs;
	struct zkfs_node *parent; /* referenced */
	struct zkfs_zk_watch watch;
	bool stale;    /* shown though the connection is lost */
	bool asked;    /* a request with the watch is under way */
	bool promised; /* the kernel relies on it */
	bool dropped;  /* but for that request it would be freed */
	struct zkfs_link used;
	struct zkfs_hash_link by_name;
	char name[];
};

static uint64_t hash_of(const struct zkfs_node *parent, const char *name)
{
	return zkfs_hash_bytes(zkfs_hash_u64(0, parent->id), name,
			       strlen(name));
}

static struct zkfs_absent *
find(const struct zkfs_fs *fs, const struct zkfs_node *parent, const char *name)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&fs->absents.by_name, hash_of(parent, name));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct zkfs_absent *absent =
			zkfs_container_of(it, struct zkfs_absent, by_name);

		if (absent->parent == parent && strcmp(absent->name, name) == 0)
			return absent;
	}
	return NULL;
}

static void absent_free(struct zkfs_absent *absent)
{
	struct zkfs_fs *fs = absent->fs;

	zkfs_zk_unwatch(fs->zk, &absent->watch);
	zkfs_tree_unref(&fs->tree, absent->parent);
	free(absent);
}

/* Takes it out; returns whether the kernel relies on it. */
static bool drop(struct zkfs_absent *absent)
{
	struct zkfs_absents *absents = &absent->fs->absents;
	bool promised = absent->promised;

	zkfs_hash_remove(&absents->by_name, &absent->by_name);
	zkfs_list_remove(&absent->used);
	absents->n--;
	if (absent->asked)
		absent->dropped = true;
	else
		absent_free(absent);
	return promised;
}

static void drop_and_tell(struct zkfs_absent *absent)
{
	if (absent->promised)
		zkfs_notify_entry(absent->fs, absent->parent->id, absent->name);
	(void)drop(absent);
}

static void lost(struct zkfs_absent *absent, bool unwatched)
{
	if (unwatched && zkfs_cache_names_expired(absent->fs))
		absent->promised = false;
	drop_and_tell(absent);
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_absent *absent =
		zkfs_container_of(watch, struct zkfs_absent, watch);

	if (event == ZKFS_ZK_UNWATCHED && absent->fs->config.stale)
		absent->stale = true;
	else
		lost(absent, event == ZKFS_ZK_UNWATCHED);
}

void zkfs_absent_found(struct zkfs_fs *fs)
{
	zkfs_list_for_each_safe(it, &fs->absents.used) {
		struct zkfs_absent *absent =
			zkfs_list_entry(it, struct zkfs_absent, used);

		if (absent->stale)
			lost(absent, true);
	}
}

int zkfs_absents_init(struct zkfs_fs *fs, size_t max)
{
	fs->absents = (struct zkfs_absents){.max = max};
	zkfs_list_init(&fs->absents.used);
	return zkfs_hash_init(&fs->absents.by_name);
}

void zkfs_absents_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&fs->absents.used)))
		(void)drop(zkfs_list_entry(first, struct zkfs_absent, used));
	zkfs_hash_fini(&fs->absents.by_name);
}

bool zkfs_absent_known(struct zkfs_fs *fs, const struct zkfs_node *parent,
		       const char *name)
{
	struct zkfs_absent *absent = find(fs, parent, name);

	if (!absent || !(absent->watch.live || absent->stale))
		return false;
	zkfs_list_remove(&absent->used);
	zkfs_list_append(&fs->absents.used, &absent->used);
	return true;
}

void zkfs_absent_promise(struct zkfs_fs *fs, const struct zkfs_node *parent,
			 const char *name)
{
	struct zkfs_absent *absent = find(fs, parent, name);

	if (absent)
		absent->promised = true;
}

struct zkfs_absent *zkfs_absent_ask(struct zkfs_fs *fs,
				    const struct zkfs_node *parent,
				    const char *name, struct zkfs_zk_req *req)
{
	struct zkfs_absent *absent = find(fs, parent, name);

	if (!absent || absent->asked || absent->watch.live)
		return NULL;
	absent->asked = true;
	req->kind = ZKFS_ZK_EXISTS;
	req->watch = &absent->watch;
	return absent;
}

void zkfs_absent_answered(struct zkfs_fs *fs, struct zkfs_absent *absent,
			  bool missing)
{
	if (!absent)
		return;
	absent->asked = false;
	if (absent->dropped)
		absent_free(absent);
	else if (!missing || !absent->watch.live)
		drop_and_tell(absent);
}

void zkfs_absent_note(struct zkfs_fs *fs, struct zkfs_node *parent,
		      const char *name)
{
	struct zkfs_absents *absents = &fs->absents;
	size_t size = strlen(name) + 1;
	struct zkfs_absent *absent;

	if (absents->max == 0 || find(fs, parent, name))
		return;
	absent = calloc(1, sizeof(*absent) + size);
	if (!absent)
		return;
	absent->fs = fs;
	absent->parent = zkfs_tree_ref(parent);
	absent->watch.fired = on_fired;
	memcpy(absent->name, name, size);
	zkfs_hash_add(&absents->by_name, &absent->by_name,
		      hash_of(parent, name));
	zkfs_list_init(&absent->used);
	zkfs_list_append(&absents->used, &absent->used);
	if (++absents->n > absents->max)
		drop_and_tell(zkfs_list_entry(zkfs_list_first(&absents->used),
					      struct zkfs_absent, used));
}

bool zkfs_absent_forget(struct zkfs_fs *fs, const struct zkfs_node *parent,
			const char *name)
{
	struct zkfs_absent *absent = find(fs, parent, name);

	return absent && drop(absent);
}

void zkfs_absent_moved(struct zkfs_fs *fs, const struct zkfs_node *dir)
{
	zkfs_list_for_each_safe(it, &fs->absents.used) {
		struct zkfs_absent *absent =
			zkfs_list_entry(it, struct zkfs_absent, used);

		if (zkfs_tree_below(absent->parent, dir))
			drop_and_tell(absent);
	}
}
