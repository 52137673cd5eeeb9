/*
 * own: changes that this mount makes to the name of a node, by an unlink, a
 * rmdir or a rename. Until one has ended, what the watches tell of the node is
 * our own doing; after it, what was told of the node before is not certain.
 */
#ifndef ZKFS_OPS_OWN_H
#define ZKFS_OPS_OWN_H

struct zkfs_fs;
struct zkfs_node;

/* It begins. Takes a reference, and returns the node. */
struct zkfs_node *zkfs_own_change(struct zkfs_node *node);
/* It has ended; gives the reference back. NULL is fine; returns NULL. */
struct zkfs_node *zkfs_own_change_end(struct zkfs_fs *fs,
				      struct zkfs_node *node);

#endif
