/*
 * file: open files: snapshots, collected writes, and their commits.
 */
#ifndef ZKFS_OPS_FILE_H
#define ZKFS_OPS_FILE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/handle.h"
#include "fs/ops/reply.h"
#include "include/zkfs/commit.h"

struct zkfs_store_op; /* ops/store.h */

struct zkfs_file {
	struct zkfs_handle handle;
	struct zkfs_fs *fs;
	struct zkfs_commit commit;
	bool writable;
	bool changed; /* since it was read (ops/change) */
	bool append;
	bool sync;	       /* O_SYNC, O_DSYNC or -o sync */
	int last_error;	       /* of the newest commit */
	bool in_conflict;      /* who wrote was told ESTALE, or is gone */
	bool released;	       /* the kernel let go; free it when settled */
	pid_t writer;	       /* thread of the newest write */
	struct zkfs_stat stat; /* of the version the handle rests on */

	struct zkfs_zk_req req; /* the commit's set or get; a reader's look */
	char *req_path;
	struct zkfs_link waiters; /* ops that wait for the commit's end */

	struct zkfs_zk_watch watch; /* tells of foreign changes */
	int64_t fresh_ms; /* when the version was looked up, without a watch */
};

void zkfs_file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void zkfs_file_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi);
void zkfs_file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zkfs_file_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi);
/* The lock that its writer relied on is lost: what is not committed yet never
 * will be, and the commit says EIO. */
void zkfs_file_lock_lost(struct zkfs_handle *handle);
/* The last close. */
void zkfs_file_release(struct zkfs_handle *handle);
/* ftruncate(2), for ops/meta: takes the op over. */
void zkfs_file_truncate(struct zkfs_store_op *op, struct zkfs_file *file,
			size_t size, uint64_t owner);

/* The open file of this node that thread `tid` has written and not committed,
 * or NULL: its size is what that thread expects to see. */
struct zkfs_file *zkfs_file_dirty_by(const struct zkfs_node *node, pid_t tid);
/* Any open file of this node, or NULL: it answers for a name that is gone. */
struct zkfs_file *zkfs_file_any(const struct zkfs_node *node);

/* This mount has set the znode to the version of `stat`: other handles that
 * rest on an older one are in conflict. `by` is the file that did it, or
 * NULL. */
void zkfs_file_committed(struct zkfs_fs *fs, struct zkfs_node *node,
			 const struct zkfs_stat *stat,
			 const struct zkfs_file *by);
/* The znode was changed or deleted, by whomever: handles that rest on it are in
 * conflict. */
void zkfs_file_changed(struct zkfs_node *node);
/* Whether a commit of any open file of the node is owed or under way. */
bool zkfs_file_pending(const struct zkfs_node *node);
/* The name is gone by this mount's doing: what is written from now on is
 * nobody's. */
void zkfs_file_unlinked(struct zkfs_node *node);
/* This mount has moved the znode: it was of the one version in its old place
 * and is of the other in its new one. Handles that rest on the former go on
 * from the latter; those that rest on another are in conflict. */
void zkfs_file_moved(struct zkfs_node *node, const struct zkfs_stat *was,
		     const struct zkfs_stat *is);
/* A new session began: handles opened for writing under the old one fail with
 * ESTALE, what they rest on may have changed unwatched and their holder may
 * have been written off by others. */
void zkfs_file_session(struct zkfs_fs *fs);
/* Closes everything without a commit: the mount is gone. */
void zkfs_file_drop(struct zkfs_file *file);

#endif
