/*
 * observed: a directory that is observed, and the names in it: what is new,
 * gone or changed between two looks at a name, and how that is told (ops/emit).
 * For observe alone.
 */
#ifndef ZKFS_OPS_OBSERVED_H
#define ZKFS_OPS_OBSERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/hash.h"
#include "fs/core/tree.h"
#include "fs/ops/look.h"
#include "include/zkfs/link.h"
#include "include/zkfs/zk.h"

struct zkfs_observed {
	struct zkfs_look look;
	struct zkfs_node *node; /* referenced; its `observed` is this */
	struct zkfs_hash names;
	bool listed;	  /* what is not among the names is new */
	int64_t since;	  /* what was made after that zxid is, too */
	unsigned scan;	  /* in which it was watched last */
	int64_t until_ms; /* until then it need not be */
	unsigned turn;
	struct zkfs_link link;
};

struct zkfs_observed_name {
	struct zkfs_look look;
	struct zkfs_observed *dir;
	struct zkfs_node *gone; /* what it meant to the kernel until now */
	bool is_new;		/* to be told when it has been looked at */
	bool looked;		/* stat is valid */
	bool told;		/* of the version after that, too */
	unsigned turn;		/* of the list it was last in */
	struct zkfs_stat stat;
	struct zkfs_hash_link by_name;
	char name[];
};

/* NULL: there is none of that name. */
struct zkfs_observed_name *zkfs_observed_find(const struct zkfs_observed *dir,
					      const char *name);
struct zkfs_observed_name *zkfs_observed_name_at(struct zkfs_hash_link *link);
/* Where the node's name is noted, or NULL. */
struct zkfs_observed_name *zkfs_observed_name_of(const struct zkfs_node *node);
/* NULL when memory is short. Not looked at before that is asked for. */
struct zkfs_observed_name *zkfs_observed_name_new(struct zkfs_observed *dir,
						  const char *text);
void zkfs_observed_name_free(struct zkfs_observed_name *name);
/* It is not there any more: tells so, and frees it. */
void zkfs_observed_name_vanished(struct zkfs_observed_name *name);

#endif
