/*
 * reply: a FUSE request under way, and the only place that answers one.
 *
 * Every operation embeds a `struct zkfs_op` as its first member, made by
 * zkfs_op_new() and ended by exactly one of the zkfs_reply_* functions, which
 * answer, undo what the kernel will not know of (when the caller is gone), and
 * free it; what came and how it ended is counted there (core/metrics). Errors
 * are negative errnos here as everywhere; the sign is turned in this file and
 * nowhere else.
 *
 * Interrupts. The kernel sends one INTERRUPT a request, ever; if it is ignored
 * the process cannot be killed. So each op that waits has `cancel`, which
 * takes back what it asked for; the answer is then EINTR. Without `cancel`
 * the request's port call is cancelled.
 */
#ifndef ZKFS_OPS_REPLY_H
#define ZKFS_OPS_REPLY_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/ops/fs.h"

struct zkfs_op {
	struct zkfs_fs *fs;
	fuse_req_t req;
	enum zkfs_op_kind kind;
	int64_t started_us; /* when it came in */
	bool registering;   /* inside fuse_req_interrupt_func() */
	bool interrupted;
	bool unasked; /* no server was: kept as long as a watch covers it */
	struct zkfs_node *node; /* referenced; or NULL */
	char *name;		/* owned; or NULL */
	char *path;		/* owned; or NULL */
	struct zkfs_zk_req zk;
	struct zkfs_cache_ask ask;  /* the watch that `zk` arms */
	struct zkfs_absent *absent; /* or this one */
	/* An interrupt came: take back what is under way. The op is answered
	 * with EINTR and freed by the caller of this. */
	void (*cancel)(struct zkfs_op *op);
	/* Frees what the specific operation owns beyond the above. */
	void (*fini)(struct zkfs_op *op);
	struct zkfs_link link;
};

/* A zeroed op of `size` bytes for a request on node `ino` (0: none), with a
 * reference on the node. When it cannot be made (ENOMEM, or ESTALE for an id
 * that is not known) the request is answered and NULL returned. */
void *zkfs_op_new(fuse_req_t req, enum zkfs_op_kind kind, uint64_t ino,
		  size_t size);

/* Sets up the path of the op's node, or of `name` in it (NULL: itself), and
 * keeps a copy of the name. On failure the op has been answered: false. */
bool zkfs_op_path(struct zkfs_op *op, const char *name);

/* Submits op->zk (kind and arguments filled; path defaults to op->path) and
 * makes the op interruptible. If the interrupt has come already the op has
 * been answered and must not be touched any more: false. */
bool zkfs_op_submit(struct zkfs_op *op, int64_t deadline_ms,
		    void (*done)(struct zkfs_zk_req *req,
				 const struct zkfs_zk_reply *reply));
/* Makes the op interruptible without a port call: as above. */
bool zkfs_op_park(struct zkfs_op *op);
#define zkfs_op_from_zk(ptr) zkfs_container_of(ptr, struct zkfs_op, zk)

/* Answers. `error` is 0 or a negative errno. */
void zkfs_reply_error(void *op, int error);
void zkfs_reply_zk_error(void *op, enum zkfs_error error);
void zkfs_reply_buf(void *op, const void *data, size_t len);
void zkfs_reply_write(void *op, size_t len);
/* GETXATTR, LISTXATTR: the value, its length when `size` is 0, or ERANGE. */
void zkfs_reply_xattr(void *op, const void *value, size_t len, size_t size);
void zkfs_reply_attr(void *op, const struct stat *st, double timeout_s);
/* Tells the kernel of the node; its count is taken back if nobody hears, and
 * false returned. The caller's reference on the node passes over. */
bool zkfs_reply_entry(void *op, struct zkfs_node *node, const struct stat *st);
/* LOOKUP: there is no such name, and the kernel may rely on that. */
void zkfs_reply_absent(void *op);
/* Returns false if the opener is gone: the caller must undo the open. */
bool zkfs_reply_open(void *op, const struct fuse_file_info *fi);
/* Success without data. Returns false if the caller is gone. */
bool zkfs_reply_done(void *op);
void zkfs_reply_lock(void *op, const struct flock *lock);
/* For requests that need no op: answered at once. */
void zkfs_reply_now(fuse_req_t req, enum zkfs_op_kind kind, int error);
void zkfs_reply_forget(fuse_req_t req);
void zkfs_reply_statfs(fuse_req_t req, const struct statvfs *vfs);
/* POLL, with what is the case now (<poll.h>). */
void zkfs_reply_poll_now(fuse_req_t req, unsigned events);

/* Fills a stat for a node as the mount shows it. */
void zkfs_node_stat(const struct zkfs_fs *fs, const struct zkfs_node *node,
		    const char *path, const struct zkfs_stat *stat,
		    struct stat *ret_st);

static inline struct zkfs_fs *zkfs_fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
