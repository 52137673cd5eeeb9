/*
 * ahead: fetches the attributes that READDIRPLUS wants of a listing's children:
 * one `exists` a child, many in flight, and, for who will want them all
 * (ops/walk), ahead of what the kernel asks for, so that the server works while
 * `ls` digests.
 */
#ifndef ZKFS_OPS_AHEAD_H
#define ZKFS_OPS_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/ops/fs.h"
#include "fs/ops/listing.h"

struct zkfs_ahead {
	struct zkfs_fs *fs;
	struct zkfs_node *node; /* the directory; the owner's reference */
	struct zkfs_listing *listing;
	struct zkfs_link fetches; /* under way */
	/* The entry is there now, or cannot be had. */
	void (*settled)(struct zkfs_ahead *ahead, size_t index);
};

void zkfs_ahead_init(struct zkfs_ahead *ahead, struct zkfs_fs *fs,
		     struct zkfs_node *node, struct zkfs_listing *listing,
		     void (*settled)(struct zkfs_ahead *ahead, size_t index));
/* Gives up what is under way, without a call. */
void zkfs_ahead_cancel(struct zkfs_ahead *ahead);
/* Asks for what is missing of the entries from `off` to before `need`, and,
 * `further`, of some after them. Returns how many of the former are on their
 * way. */
size_t zkfs_ahead_fetch(struct zkfs_ahead *ahead, const char *path, size_t off,
			size_t need, bool further);
/* Of these entries takes what is known without asking. */
void zkfs_ahead_known(struct zkfs_ahead *ahead, size_t off, size_t need);

#endif
