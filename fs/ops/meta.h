/*
 * meta: looking names up, and the attributes of what was found.
 */
#ifndef ZKFS_OPS_META_H
#define ZKFS_OPS_META_H

#include <fuse_lowlevel.h>

#include "fs/ops/reply.h"

void zkfs_meta_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_meta_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void zkfs_meta_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets);
void zkfs_meta_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi);
void zkfs_meta_statfs(fuse_req_t req, fuse_ino_t ino);

/* The node for a name found with this Stat: the type rule, and the exception
 * of a directory that this mount is emptying (core/tree.h). NULL: no memory.
 * The reference is the caller's. */
struct zkfs_node *zkfs_meta_intern(struct zkfs_fs *fs, struct zkfs_node *parent,
				   const char *name,
				   const struct zkfs_stat *stat);
/* Answers a LOOKUP-like op for `name` in op->node with what was found. */
void zkfs_meta_answer(struct zkfs_op *op, const struct zkfs_stat *stat);
/* The same for the data file of the directory op->node. */
void zkfs_meta_answer_data(struct zkfs_op *op, const struct zkfs_stat *stat);

/* Whether `stat` is of the incarnation that the node stands for. */
bool zkfs_meta_same_node(const struct zkfs_fs *fs, struct zkfs_node *node,
			 const struct zkfs_stat *stat);
/* Answers with the attributes of op->node: those of `stat`. */
void zkfs_meta_answer_attr(struct zkfs_op *op, const struct zkfs_stat *stat);
/* The same where the name is gone or means something else. */
void zkfs_meta_answer_gone(struct zkfs_op *op);
/* The same with what the server says. */
void zkfs_meta_ask_attr(struct zkfs_op *op, int64_t deadline_ms);

#endif
