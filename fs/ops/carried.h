/*
 * carried: files below a directory that is renamed which somebody has open for
 * writing through this mount. They go along: their znodes are made anew under
 * the new name, and what rests on the old ones rests on those from then on.
 */
#ifndef ZKFS_OPS_CARRIED_H
#define ZKFS_OPS_CARRIED_H

#include <stdbool.h>
#include <stddef.h>

#include "include/zkfs/zk.h"

struct zkfs_fs;
struct zkfs_node;
struct zkfs_subtree;
struct zkfs_subtree_node;

/* Zeroed at first. */
struct zkfs_carried {
	struct {
		struct zkfs_node *node; /* referenced; a file, or data */
		const struct zkfs_subtree_node *read;
	} * all;
	size_t n;
};

/* Finds those below `source` (none below a file), of which `tree` was read.
 * Until they are let go what watches tell of them is our own doing. 0 or
 * -ENOMEM. */
int zkfs_carried_find(struct zkfs_carried *carried, struct zkfs_fs *fs,
		      const struct zkfs_node *source,
		      const struct zkfs_subtree *tree);
/* Whether that is one: the transaction must set it, to learn its new Stat. */
bool zkfs_carried_has(const struct zkfs_carried *carried,
		      const struct zkfs_subtree_node *read);
/* What is at the path `to` now is as `is` says. */
void zkfs_carried_moved(const struct zkfs_carried *carried, const char *to,
			const struct zkfs_stat *is);
/* Lets them go; harmless on none. */
void zkfs_carried_fini(struct zkfs_carried *carried, struct zkfs_fs *fs);

#endif
