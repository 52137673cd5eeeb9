/*
 * tree: the inodes the kernel knows, as a table of nodes.
 *
 * A node is one incarnation of one name with one type: when a znode is deleted
 * and made again, or turns from file to directory, the name gets a new node
 * with a new id, and the old one lives on, detached, for those who still hold
 * it. (The kernel marks an inode bad whose type changes under the same id, and
 * open descriptors then answer EIO.) Ids grow and are never used again; they
 * are looked up in a table on the way back, never trusted as pointers.
 *
 * Two counts keep a node alive, and they are different things:
 *   n_lookups  how often the kernel was told of it; only LOOKUP-like replies
 *              add and only FORGET takes away. While it is not zero it holds
 *              one reference.
 *   n_refs     our own pointers: children (to their parent), handles,
 *              requests under way, what is cached, and that one for the kernel.
 *
 * Nodes know their parent and name, not their path: renaming a directory is
 * one assignment.
 */
#ifndef ZKFS_CORE_TREE_H
#define ZKFS_CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/hash.h"
#include "fs/core/attr.h"
#include "include/zkfs/link.h"
#include "include/zkfs/zk.h"

#define ZKFS_TREE_ROOT_ID 1

/* There may be a million of these: in the order that leaves no holes. */
struct zkfs_node {
	uint64_t id;
	struct zkfs_node *parent; /* referenced; NULL for the root */
	char *name;		  /* `own_name`, unless it was renamed */
	int64_t czxid;		  /* of the incarnation; 0: not known yet.
				   * LOCKDIR: a number of this mount's own */

	/* Newest Stat seen, and when (zkfs_clock_ms); seen_ms 0: never. */
	struct zkfs_stat stat;
	int64_t seen_ms;
	union {
		/* DIR: one that this mount is emptying or whose data it writes
		 * stays a directory here until then, though the type rule calls
		 * it a file: `rm -r` and `tar -x` need it. */
		int64_t dir_until_ms;
		int64_t reserved_until_ms; /* ENTRY: made by MKNOD, not opened
					    * yet */
	};
	struct zkfs_cached *cached;	/* ops/cache, or NULL */
	struct zkfs_observed *observed; /* ops/observe, or NULL */
	struct zkfs_link handles;	/* open handles, the owner's */
	uint64_t n_lookups;
	unsigned n_refs;

	/* Our own unlink or rename of this name, or of a directory above a file
	 * that is written, is under way: what the watches of its handles report
	 * meanwhile is our own doing (ops/own). */
	uint16_t n_own_changes;
	enum zkfs_type type : 8;
	bool current : 1;  /* what its name means now; else detached */
	bool watched : 1;  /* somebody does, with inotify */
	bool unlinked : 1; /* removed through this mount */
	bool adopt : 1;	   /* a parent was renamed: take the next czxid seen */
	bool shared : 1;   /* its data was seen to change, and not by this
			    * mount */
	bool denied : 1;   /* ENTRY: the kernel was told that it is no more */
	/* fcntl(2) has locked it: closing any descriptor ends that, and so has
	 * to be told. */
	bool tell_closes : 1;

	struct zkfs_hash_link by_id;
	struct zkfs_hash_link by_name; /* while current */
	char own_name[];
};

struct zkfs_tree {
	struct zkfs_hash by_id;
	struct zkfs_hash by_name;
	struct zkfs_node *root;
	uint64_t last_id;
	/* A cached node has got another path (moved), or its name does not mean
	 * it any more: ends what is cached. The node may be freed. */
	void (*displaced)(struct zkfs_node *node, bool moved);
	/* The name of a node that the kernel knows ceased to mean it; it may be
	 * freed. */
	void (*detached)(struct zkfs_tree *tree, struct zkfs_node *node);
};

struct zkfs_cached;
struct zkfs_observed;

/* Returns 0 or -ENOMEM. */
int zkfs_tree_init(struct zkfs_tree *tree);
/* Frees every node, whoever still refers to it. */
void zkfs_tree_fini(struct zkfs_tree *tree);

/* The node with this id, or NULL: no reference is taken. */
struct zkfs_node *zkfs_tree_get(const struct zkfs_tree *tree, uint64_t id);
/* What the name means now, or NULL: no reference is taken. */
struct zkfs_node *zkfs_tree_find(const struct zkfs_tree *tree,
				 const struct zkfs_node *parent,
				 const char *name);
/* The node for this incarnation of a name, made if it is new; what the name
 * meant before is detached. Returns NULL when memory is short. The reference
 * is the caller's. */
struct zkfs_node *zkfs_tree_intern(struct zkfs_tree *tree,
				   struct zkfs_node *parent, const char *name,
				   enum zkfs_type type, int64_t czxid);

/* A node of a name that is gone already: detached from the first, whatever the
 * name means now. NULL when memory is short. The reference is the caller's. */
struct zkfs_node *zkfs_tree_ghost(struct zkfs_tree *tree,
				  struct zkfs_node *parent, const char *name,
				  enum zkfs_type type, int64_t czxid);

struct zkfs_node *zkfs_tree_ref(struct zkfs_node *node);
/* NULL is fine; returns NULL. */
struct zkfs_node *zkfs_tree_unref(struct zkfs_tree *tree,
				  struct zkfs_node *node);
/* The kernel was told of the node once more. */
void zkfs_tree_looked_up(struct zkfs_node *node);
/* The kernel forgets `n` of them; an id it must not know is ignored. */
void zkfs_tree_forget(struct zkfs_tree *tree, uint64_t id, uint64_t n);

/* The name is gone, or means another node: this one stays for its holders. */
void zkfs_tree_detach(struct zkfs_tree *tree, struct zkfs_node *node);
/* The node gets another name; what that name meant before is detached, and
 * every node below adopts the incarnation it is next seen with. Returns 0 or
 * -ENOMEM, and then nothing has changed. */
int zkfs_tree_rename(struct zkfs_tree *tree, struct zkfs_node *node,
		     struct zkfs_node *parent, const char *name);
/* Whether `node` is `above` or lies below it. */
bool zkfs_tree_below(const struct zkfs_node *node,
		     const struct zkfs_node *above);

/* The znode's path, to be freed by the caller, or NULL when memory is short.
 * That of a DATA node is its directory's. */
char *zkfs_tree_path(const struct zkfs_node *node);
/* Whether that is `path`. Needs no memory. */
bool zkfs_tree_is_at(const struct zkfs_node *node, const char *path);

/* Notes the newest Stat; an older one of the same incarnation is ignored. A
 * newer version is somebody else's. */
void zkfs_tree_saw(struct zkfs_node *node, const struct zkfs_stat *stat,
		   int64_t now_ms);
/* The same, of a version that this mount has made. */
void zkfs_tree_made(struct zkfs_node *node, const struct zkfs_stat *stat,
		    int64_t now_ms);

#endif
