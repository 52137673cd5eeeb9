/*
 * listing: see listing.h.
 */
#include "fs/ops/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/hash.h"
#include "fs/base/log.h"
#include "fs/ops/control.h"
#include "fs/ops/entry.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "include/zkfs/path.h"

struct loader {
	struct zkfs_listing *listing;
	struct zkfs_fs *fs;
	const struct zkfs_node *node;
};

/* Behind those of "." and ".."; a quarter of the numbers is free behind them,
 * for the data. A loff_t is signed. */
#define PLACE_CHILDREN ((int64_t)3)
#define PLACE_DATA     (((int64_t)1 << 62) + ((int64_t)1 << 61))

int64_t zkfs_listing_place(const char *name)
{
	uint64_t hash = zkfs_hash_bytes(0, name, strlen(name));

	return PLACE_CHILDREN + (int64_t)(hash >> 2);
}

static int compare_places(const void *a, const void *b)
{
	const struct zkfs_listed *left = a, *right = b;

	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return strcmp(left->name, right->name);
}

void zkfs_listing_sort(struct zkfs_listed *children, size_t n)
{
	qsort(children, n, sizeof(*children), compare_places);
	for (size_t i = 1; i < n; i++)
		if (children[i].place <= children[i - 1].place)
			children[i].place = children[i - 1].place + 1;
}

size_t zkfs_listing_after(const struct zkfs_listing *listing, int64_t place)
{
	size_t low = 0, high = listing->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listing->entries[middle].place > place)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int64_t place_of(const struct zkfs_listing *listing,
			enum zkfs_listed_kind kind, const char *name)
{
	switch (kind) {
	case ZKFS_LISTED_CHILD:
		return zkfs_listing_place(name);
	case ZKFS_LISTED_DATA:
		return PLACE_DATA;
	default:
		return (int64_t)listing->n + 1;
	}
}

static int add_entry(struct zkfs_listing *listing, enum zkfs_listed_kind kind,
		     const char *name)
{
	struct zkfs_listed *entry = &listing->entries[listing->n];

	*entry = (struct zkfs_listed){
		.kind = kind,
		.name = strdup(name),
		.place = place_of(listing, kind, name),
	};
	if (!entry->name)
		return -ENOMEM;
	listing->n++;
	return 0;
}

/* Names that cannot be file names are left out; the data file's name, if a
 * child has it, means the data, and that of the control directory that. */
static bool can_show(const struct loader *loader, const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= ZKFS_NAME_MAX && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcmp(name, loader->fs->config.dataname) != 0 &&
	       !zkfs_control_has(loader->fs, loader->node, name);
}

static int add_children(const struct loader *loader,
			const struct zkfs_zk_reply *reply)
{
	struct zkfs_listing *listing = loader->listing;
	size_t first = listing->n, skipped = 0;

	for (size_t i = 0; i < reply->n_names; i++) {
		if (!can_show(loader, reply->names[i])) {
			skipped++;
			continue;
		}
		if (add_entry(listing, ZKFS_LISTED_CHILD, reply->names[i]) < 0)
			return -ENOMEM;
	}
	if (skipped)
		zkfs_warning("\"%s\": %zu children cannot be shown as files "
			     "(their names are too long or taken); they are "
			     "left out",
			     loader->node->name, skipped);
	zkfs_listing_sort(listing->entries + first, listing->n - first);
	return 0;
}

static int add_data(const struct loader *loader, const struct zkfs_stat *stat)
{
	struct zkfs_listing *listing = loader->listing;
	int error;

	if (stat->data_length <= 0)
		return 0;
	error = add_entry(listing, ZKFS_LISTED_DATA,
			  loader->fs->config.dataname);
	if (!error)
		listing->entries[listing->n - 1].stat = *stat;
	return error;
}

static int add_contenders(const struct loader *loader, const char *lock,
			  const struct zkfs_zk_reply *reply)
{
	const char *held = zkfs_lockdir_held_in(loader->fs, lock);
	char **names;
	size_t n;
	int error = zkfs_entry_display(loader->fs, lock, reply->names,
				       reply->n_names, &names, &n);

	if (error)
		return error;
	for (size_t i = 0; i < n; i++) {
		enum zkfs_listed_kind kind = held && strcmp(names[i], held) == 0
						     ? ZKFS_LISTED_LOCKDIR
						     : ZKFS_LISTED_CONTENDER;

		if (!error)
			error = add_entry(loader->listing, kind, names[i]);
		free(names[i]);
	}
	free(names);
	return error;
}

static int add_all(const struct loader *loader, const char *path,
		   const struct zkfs_zk_reply *reply)
{
	int error = add_entry(loader->listing, ZKFS_LISTED_DOT, ".");

	if (!error)
		error = add_entry(loader->listing, ZKFS_LISTED_DOTDOT, "..");
	if (error)
		return error;
	if (zkfs_lock_is_lock(loader->fs, path))
		return add_contenders(loader, path, reply);
	error = add_children(loader, reply);
	return error ? error : add_data(loader, reply->stat);
}

int zkfs_listing_load(struct zkfs_listing *listing, struct zkfs_fs *fs,
		      const struct zkfs_node *node, const char *path,
		      const struct zkfs_zk_reply *reply)
{
	const struct loader loader = {listing, fs, node};
	int error;

	listing->entries =
		calloc(reply->n_names + 3, sizeof(*listing->entries));
	if (!listing->entries)
		return -ENOMEM;
	error = add_all(&loader, path, reply);
	listing->loaded = !error;
	return error;
}

void zkfs_listing_unload(struct zkfs_listing *listing)
{
	for (size_t i = 0; i < listing->n; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	*listing = (struct zkfs_listing){.n = 0};
}
