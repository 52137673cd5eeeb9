/*
 * listing: what a directory shows, as a snapshot of its znode's children, so
 * that reading it is complete however children come and go meanwhile.
 *
 * A directory's own data is listed last: `cp -a` and `tar -x` then make the
 * children first, and the znode is a directory when its data is written.
 */
#ifndef ZKFS_OPS_LISTING_H
#define ZKFS_OPS_LISTING_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
