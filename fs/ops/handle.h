/*
 * handle: what the kernel's `fh` stands for: an open file, directory, lock or
 * generated text. Handles are table keys like node ids: an fh that is not
 * known, or is of another kind, answers EBADF and harms nothing.
 */
#ifndef ZKFS_OPS_HANDLE_H
#define ZKFS_OPS_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/core/quota.h"
#include "fs/ops/fs.h"

struct fuse_pollhandle;

enum zkfs_handle_kind {
	ZKFS_HANDLE_FILE, /* ops/file */
	ZKFS_HANDLE_DIR,  /* ops/dir */
	ZKFS_HANDLE_LOCK, /* ops/lock: a contender */
	ZKFS_HANDLE_TEXT, /* ops/textfile */
};

struct zkfs_handle {
	enum zkfs_handle_kind kind;
	uint64_t fh;
	struct zkfs_node *node;	  /* referenced */
	struct zkfs_link in_node; /* node->handles */
	struct zkfs_hash_link by_fh;
	struct zkfs_charge charge;    /* to who opened it */
	bool nonblock;		      /* opened with O_NONBLOCK */
	struct fuse_pollhandle *poll; /* who polls it (ops/poll), or NULL */
};

struct zkfs_op;

/* Enters a handle the caller embeds, for the node and the caller of `op`.
 * Returns 0; -ENFILE or -EMFILE at a limit; or -ENOMEM. */
int zkfs_handle_add(const struct zkfs_op *op, struct zkfs_handle *handle,
		    enum zkfs_handle_kind kind);
/* What it keeps in memory beside itself, in bytes. Returns 0, or -ENOMEM at a
 * limit, and then nothing has changed. */
int zkfs_handle_holds(struct zkfs_fs *fs, struct zkfs_handle *handle,
		      size_t bytes);
/* Takes it out and drops the node; harmless when it was never entered. */
void zkfs_handle_remove(struct zkfs_fs *fs, struct zkfs_handle *handle);
/* The handle with this fh and kind, or NULL. */
struct zkfs_handle *zkfs_handle_get(const struct zkfs_fs *fs, uint64_t fh,
				    enum zkfs_handle_kind kind);
/* The handle with this fh of whatever kind, or NULL. */
struct zkfs_handle *zkfs_handle_any(const struct zkfs_fs *fs, uint64_t fh);

#endif
