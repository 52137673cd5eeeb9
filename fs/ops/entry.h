/*
 * entry: the entries of a lock as a user sees them: one name a contender, and
 * one line of text in it, the fencing token first. Reading never joins, so
 * that scanners and backups are harmless.
 */
#ifndef ZKFS_OPS_ENTRY_H
#define ZKFS_OPS_ENTRY_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/handle.h"
#include "fs/ops/reply.h"
#include "include/zkfs/queue.h"

/* Which contender a name in the lock means, or NULL. */
const struct zkfs_queue_entry *zkfs_entry_find(const struct zkfs_fs *fs,
					       const char *lock,
					       const struct zkfs_queue *queue,
					       const char *name);
/* Whether a child of the lock is called so. */
bool zkfs_entry_listed(const struct zkfs_zk_reply *reply, const char *name);
/* What each contender of the queue is called: by its label if it is the first
 * of that label, else by its znode's name, so that every entry can be told
 * apart and removed. `chosen` has room for all; 0 or -ENOMEM. */
int zkfs_entry_choose(const struct zkfs_queue *queue, const char **chosen);
/* The names `ls` shows for the children of a lock: one a contender, in the
 * order of the queue, children that are no contenders last. A new array of new
 * strings; 0 or -ENOMEM. */
int zkfs_entry_display(const struct zkfs_fs *fs, const char *lock,
		       const char *const *names, size_t n_names,
		       char ***ret_display, size_t *ret_n);
void zkfs_entry_stat(const struct zkfs_fs *fs, const struct zkfs_node *node,
		     struct stat *ret_st);
/* Makes one line of it: what a contender's owner wrote may be anything. */
void zkfs_entry_sanitise(char *text, size_t len);

/* A request about one entry; the op, made by zkfs_op_new(), comes first. */
struct zkfs_entry_look {
	struct zkfs_op op;
	void (*told)(struct zkfs_entry_look *look, const char *line,
		     size_t len);
	char *lock; /* path */
	char *head; /* what is known before the data is */
};

/* Calls `told` with the entry's line, which is empty for one that has not
 * joined yet; answers the op itself when there is an error. */
void zkfs_entry_look(struct zkfs_entry_look *look,
		     void (*told)(struct zkfs_entry_look *look,
				  const char *line, size_t len));

void zkfs_entry_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
