/*
 * store: carries out what core/commit decides for an open file, and holds the
 * requests that wait for it: flush, fsync, synchronous writes, release.
 *
 * A commit belongs to its file and not to the request that began it: an
 * interrupted fsync answers EINTR, while the commit goes on to its end.
 */
#ifndef ZKFS_OPS_STORE_H
#define ZKFS_OPS_STORE_H

#include "fs/ops/file.h"

/* An op that may have to wait for a commit. */
struct zkfs_store_op {
	struct zkfs_op op;
	struct zkfs_file *file;
	enum zkfs_commit_cause cause;
	uint64_t owner; /* the kernel's lock owner */
	size_t written; /* WRITE: what to answer */
	struct stat st; /* ftruncate: what to answer */
	bool answer_attr;
	struct zkfs_link waiting;
};

/* Commits what the cause calls for and answers the op when that is known. */
void zkfs_store(struct zkfs_store_op *op);
/* The same with nobody waiting, for release. */
void zkfs_store_released(struct zkfs_file *file);
/* Answers a store op with its own kind of success, or with `error`. */
void zkfs_store_answer(struct zkfs_store_op *op, int error);

#endif
