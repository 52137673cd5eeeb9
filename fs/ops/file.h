/*
 * file: who has which file open, and on which version each rests. Open takes a
 * snapshot (ops/open), reads are served from it and writes are collected
 * (ops/io), commits store them (ops/store).
 */
#ifndef ZKFS_OPS_FILE_H
#define ZKFS_OPS_FILE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/base/util.h"
#include "fs/ops/handle.h"
#include "fs/ops/reply.h"
#include "include/zkfs/commit.h"

struct zkfs_file {
	struct zkfs_handle handle;
	struct zkfs_fs *fs;
	struct zkfs_commit commit;
	bool writable;
	bool changed;  /* since it was read (ops/change) */
	int32_t other; /* newest version that is no more than another one */
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
	int64_t told_ms; /* when the server has told of the version, last */
};

static inline struct zkfs_file *zkfs_file_of(struct zkfs_handle *handle)
{
	return zkfs_container_of(handle, struct zkfs_file, handle);
}

/* The `fired` of a file's watch. */
void zkfs_file_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event);

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
/* Whether it is still the znode that it was is not certain any more: watches
 * have fired whose events were taken for our own doing. */
void zkfs_file_doubt(struct zkfs_node *node);
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
/* Whether a watch lies over the version that it rests on: then we would have
 * been told of another, and of another znode by this name. */
bool zkfs_file_is_watched(const struct zkfs_file *file);
/* Charges what it holds in memory, and will when it has `size` bytes. Returns
 * 0, or -ENOMEM at a limit. */
int zkfs_file_holds(struct zkfs_file *file, size_t size);
/* Closes everything without a commit: the mount is gone. */
void zkfs_file_drop(struct zkfs_file *file);

#endif
