/*
 * ahead: see ahead.h.
 */
#include "fs/ops/ahead.h"

#include <stdlib.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/cache.h"
#include "fs/ops/meta.h"
#include "include/zkfs/path.h"

/* How many entries ahead of the kernel attributes are fetched. */
#define AHEAD 512

/* One child's attributes on their way. */
struct fetch {
	struct zkfs_ahead *ahead;
	size_t index;
	char *path;
	struct zkfs_zk_req req;
	struct zkfs_cache_ask ask;
	struct zkfs_link link;
};

static void fetch_free(struct fetch *fetch)
{
	zkfs_zk_cancel(fetch->ahead->fs->zk, &fetch->req);
	zkfs_cache_given_up(fetch->ahead->fs, &fetch->ask);
	zkfs_list_remove(&fetch->link);
	free(fetch->path);
	free(fetch);
}

static struct zkfs_node *find_child(const struct zkfs_ahead *ahead,
				    const struct zkfs_listed *entry)
{
	return zkfs_tree_find(&ahead->fs->tree, ahead->node, entry->name);
}

static void cover_entry(struct fetch *fetch, const struct zkfs_zk_reply *reply)
{
	struct zkfs_ahead *ahead = fetch->ahead;
	struct zkfs_node *node;

	if (!fetch->ask.cached)
		return;
	node = zkfs_meta_intern(ahead->fs, ahead->node,
				ahead->listing->entries[fetch->index].name,
				reply->stat);
	if (!node)
		return;
	zkfs_cache_answered(ahead->fs, &fetch->ask, &fetch->req, reply, node);
	zkfs_tree_unref(&ahead->fs->tree, node);
}

static void on_fetched(struct zkfs_zk_req *req,
		       const struct zkfs_zk_reply *reply)
{
	struct fetch *fetch = zkfs_container_of(req, struct fetch, req);
	struct zkfs_ahead *ahead = fetch->ahead;
	size_t index = fetch->index;
	struct zkfs_listed *entry = &ahead->listing->entries[index];

	if (reply->error == ZKFS_E_NONODE) {
		entry->state = ZKFS_LISTED_GONE;
	} else if (reply->error) {
		entry->state = ZKFS_LISTED_FAILED;
	} else {
		entry->state = ZKFS_LISTED_READY;
		entry->stat = *reply->stat;
		cover_entry(fetch, reply);
	}
	fetch_free(fetch);
	ahead->settled(ahead, index);
}

/* One that the kernel knows already is worth a watch; of those that come by for
 * the first time most are never seen again. */
static void fetch_ask(struct fetch *fetch)
{
	struct zkfs_ahead *ahead = fetch->ahead;
	struct zkfs_node *node =
		find_child(ahead, &ahead->listing->entries[fetch->index]);

	fetch->req.kind = ZKFS_ZK_EXISTS;
	if (node)
		zkfs_cache_ask(ahead->fs, &fetch->ask, &fetch->req, node,
			       false);
}

static bool fetch_cached(struct zkfs_ahead *ahead, struct zkfs_listed *entry)
{
	struct zkfs_node *node = find_child(ahead, entry);

	if (!node || !zkfs_cache_has_attr(ahead->fs, node))
		return false;
	entry->state = ZKFS_LISTED_READY;
	entry->stat = node->stat;
	return true;
}

static void fetch_entry(struct zkfs_ahead *ahead, const char *path,
			size_t index)
{
	struct zkfs_listed *entry = &ahead->listing->entries[index];
	struct fetch *fetch;

	if (fetch_cached(ahead, entry))
		return;
	/* Without memory the kernel asks for this one itself. */
	entry->state = ZKFS_LISTED_FAILED;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return;
	fetch->ahead = ahead;
	fetch->index = index;
	fetch->path = zkfs_path_join(path, entry->name);
	if (!fetch->path) {
		free(fetch);
		return;
	}
	entry->state = ZKFS_LISTED_ASKED;
	fetch->req = (struct zkfs_zk_req){
		.path = fetch->path,
		.deadline_ms = zkfs_fs_patience(ahead->fs),
		.done = on_fetched,
	};
	fetch_ask(fetch);
	zkfs_list_append(&ahead->fetches, &fetch->link);
	zkfs_zk_submit(ahead->fs->zk, &fetch->req);
}

static bool is_settled(const struct zkfs_listed *entry)
{
	return entry->kind != ZKFS_LISTED_CHILD ||
	       entry->state >= ZKFS_LISTED_READY;
}

static bool is_idle(const struct zkfs_listed *entry)
{
	return entry->kind == ZKFS_LISTED_CHILD &&
	       entry->state == ZKFS_LISTED_IDLE;
}

void zkfs_ahead_known(struct zkfs_ahead *ahead, size_t off, size_t need)
{
	const struct zkfs_listing *listing = ahead->listing;

	for (size_t i = off; i < listing->n && i < need; i++)
		if (is_idle(&listing->entries[i]))
			(void)fetch_cached(ahead, &listing->entries[i]);
}

size_t zkfs_ahead_fetch(struct zkfs_ahead *ahead, const char *path, size_t off,
			size_t need, bool further)
{
	const struct zkfs_listing *listing = ahead->listing;
	size_t until = further ? need + AHEAD : need, missing = 0;

	for (size_t i = off; i < listing->n && i < until; i++) {
		const struct zkfs_listed *entry = &listing->entries[i];

		if (is_idle(entry))
			fetch_entry(ahead, path, i);
		if (i < need && !is_settled(entry))
			missing++;
	}
	return missing;
}

void zkfs_ahead_init(struct zkfs_ahead *ahead, struct zkfs_fs *fs,
		     struct zkfs_node *node, struct zkfs_listing *listing,
		     void (*settled)(struct zkfs_ahead *ahead, size_t index))
{
	*ahead = (struct zkfs_ahead){
		.fs = fs,
		.node = node,
		.listing = listing,
		.settled = settled,
	};
	zkfs_list_init(&ahead->fetches);
}

void zkfs_ahead_cancel(struct zkfs_ahead *ahead)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&ahead->fetches)))
		fetch_free(zkfs_list_entry(first, struct fetch, link));
}
