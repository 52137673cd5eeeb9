/*
 * listing: what a directory shows, as a snapshot of its znode's children, so
 * that reading it is complete however children come and go meanwhile.
 *
 * One reading may go from one snapshot to the next all the same: the kernel
 * gives it the first part from what it has kept of a listing, is told that this
 * is over, and asks us for the rest (fs/fuse/readdir.c, fuse_readdir_cached()).
 * So an entry's place, what seekdir(3) and d_off call a position, is a hash of
 * its name, as in ext4, and entries stand in that order: what was there all the
 * time is shown once, by whatever snapshots.
 *
 * A directory's own data is listed last: `cp -a` and `tar -x` then make the
 * children first, and the znode is a directory when its data is written. Who is
 * in a lock is listed in the queue's order; the kernel keeps none of that, so
 * that their places are numbers in the snapshot.
 */
#ifndef ZKFS_OPS_LISTING_H
#define ZKFS_OPS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/core/tree.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

enum zkfs_listed_kind {
	ZKFS_LISTED_DOT,
	ZKFS_LISTED_DOTDOT,
	ZKFS_LISTED_CHILD,
	ZKFS_LISTED_CONTENDER,
	ZKFS_LISTED_LOCKDIR,
	ZKFS_LISTED_DATA,
};

/* What is known of a child (ops/ahead). */
enum zkfs_listed_state {
	ZKFS_LISTED_IDLE,
	ZKFS_LISTED_ASKED,
	ZKFS_LISTED_READY, /* stat is valid */
	ZKFS_LISTED_GONE,
	ZKFS_LISTED_FAILED,
};

struct zkfs_listed {
	enum zkfs_listed_kind kind;
	enum zkfs_listed_state state;
	char *name;
	int64_t place; /* > 0, and more than that of the entry before */
	struct zkfs_stat stat;
};

struct zkfs_listing {
	struct zkfs_listed *entries;
	size_t n;
	bool loaded;
};

/* Fills an empty listing of the directory `node` from the reply to CHILDREN.
 * Returns 0 or a negative errno, and then the listing holds a part of it. */
int zkfs_listing_load(struct zkfs_listing *listing, struct zkfs_fs *fs,
		      const struct zkfs_node *node, const char *path,
		      const struct zkfs_zk_reply *reply);
/* Empties it. */
void zkfs_listing_unload(struct zkfs_listing *listing);
/* The index of the first entry behind this place: 0 is the beginning. */
size_t zkfs_listing_after(const struct zkfs_listing *listing, int64_t place);

/* The place of a child of this name, if no other has it. */
int64_t zkfs_listing_place(const char *name);
/* Puts children into the order of their places. Of those that want the same one
 * all but the first by name get the next that is free: if that one goes between
 * two parts of a reading, the second part may miss another. */
void zkfs_listing_sort(struct zkfs_listed *children, size_t n);

#endif
