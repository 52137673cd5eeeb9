/*
 * subtree: a znode and all below it, read with their data and ACLs, in rounds:
 * all that a round has found is asked for in one go. It is no snapshot of one
 * moment: who acts on it checks the versions.
 */
#ifndef ZKFS_OPS_SUBTREE_H
#define ZKFS_OPS_SUBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "include/zkfs/zk.h"

struct zkfs_buf;
struct zkfs_fs;
struct zkfs_subtree;

/* Its children are asked for when its data is there. */
struct zkfs_subtree_node {
	struct zkfs_subtree *tree;
	char *from;
	char *to; /* the same path below another root */
	struct zkfs_buf *data;
	char *acl; /* as the port has it */
	size_t acl_len;
	bool acl_hidden; /* from us, or a part of it */
	struct zkfs_stat stat;
	struct zkfs_zk_req req;
	struct zkfs_zk_req acl_req;
	struct zkfs_link link;
};

struct zkfs_subtree {
	struct zkfs_fs *fs;
	void (*done)(struct zkfs_subtree *tree, int error);
	struct zkfs_link nodes; /* zkfs_subtree_node, parents before children */
	size_t n_nodes;
	size_t n_max;
	int64_t deadline_ms;
	size_t n_pending; /* requests under way */
	int error;	  /* the first */
};

static inline struct zkfs_subtree_node *zkfs_subtree_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_subtree_node, link);
}

/* `done` is called at the end of each reading that was begun, and may reset the
 * tree; 0, or a negative errno: -EAGAIN if a child has gone since it was
 * listed, -EXDEV if there are more than n_max, -ENOENT of the first. */
void zkfs_subtree_init(struct zkfs_subtree *tree, struct zkfs_fs *fs,
		       void (*done)(struct zkfs_subtree *tree, int error));
/* Begins to read `from` and what is below it. The tree must be empty. 0, or a
 * negative errno, and `done` is not called. */
int zkfs_subtree_read(struct zkfs_subtree *tree, const char *from,
		      const char *to, size_t n_max, int64_t deadline_ms);
/* Makes it empty; what is under way is dropped, and not told of. */
void zkfs_subtree_reset(struct zkfs_subtree *tree);

#endif
