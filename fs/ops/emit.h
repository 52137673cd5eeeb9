/*
 * emit: telling inotify(7) of what others have done.
 *
 * The kernel tells watchers of system calls on this host, and knows of no other
 * way. So a small process (daemon/emitter) repeats a change made elsewhere as
 * a system call on the mount; the requests that it causes are known by its
 * process id and answered here, from what is known, without a word to the
 * server:
 *
 *	observe: push ---> queue ---> emitter: mknod(2) ---> the kernel
 *	                                ^                     |      |
 *	                                +---- MKNOD: "done" --+   IN_CREATE
 *
 * One event at a time is with the emitter, so that it is known what a request
 * of its belongs to. The rest waits here, where equal ones are made one; what
 * finds no room is dropped and counted. Nothing ever waits for the emitter: it
 * may be stuck behind somebody's lock of a directory, be stopped, or dead.
 */
#ifndef ZKFS_OPS_EMIT_H
#define ZKFS_OPS_EMIT_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/core/metrics.h"
#include "fs/core/tree.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

enum zkfs_emit_kind {
	ZKFS_EMIT_FILE_CREATED = 'f',
	ZKFS_EMIT_DIR_CREATED = 'd',
	ZKFS_EMIT_FILE_DELETED = 'F',
	ZKFS_EMIT_DIR_DELETED = 'D',
	ZKFS_EMIT_FILE_CHANGED = 'c',
	ZKFS_EMIT_ATTR_CHANGED = 'a',
};

/* What the emitter is sent, one a packet; it answers each with one byte. */
#define ZKFS_EMIT_PATH_MAX 4096
struct zkfs_emit_record {
	char kind;
	char path[ZKFS_EMIT_PATH_MAX]; /* from the mount point on; with NUL */
};

/* What it says of itself, in packets in this order: which nodes somebody
 * watches, all anew. An answer is shorter. */
#define ZKFS_EMIT_WATCHED_MAX 1024
struct zkfs_emit_watched {
	bool first;
	bool last;
	bool unknown; /* there are others */
	uint32_t n;
	uint64_t ids[ZKFS_EMIT_WATCHED_MAX];
};

struct zkfs_emit {
	int fd;	     /* a socket to the emitter; -1: there is none */
	pid_t pid;   /* its */
	bool proven; /* its requests are known as its own */
	bool asked;  /* ... for which it was asked for a first one */
	struct zkfs_link queue;
	size_t n_queued;
	struct zkfs_emit_event *current; /* is with the emitter */
};

void zkfs_emit_init(struct zkfs_fs *fs);
void zkfs_emit_fini(struct zkfs_fs *fs);
/* There is an emitter now; `fd` stays the caller's. */
void zkfs_emit_attach(struct zkfs_fs *fs, int fd, pid_t pid);
/* There is none any more. */
void zkfs_emit_detach(struct zkfs_fs *fs);
/* `fd` is readable. False: the emitter has gone, or is not known as what it is
 * (another pid namespace): it is to be ended. */
bool zkfs_emit_ready(struct zkfs_fs *fs);

/* This has happened to the name; `node` is what it meant or means, or NULL, and
 * `stat` its Stat, or NULL. */
void zkfs_emit_push(struct zkfs_fs *fs, enum zkfs_emit_kind kind,
		    struct zkfs_node *parent, const char *name,
		    struct zkfs_node *node, const struct zkfs_stat *stat);

/* Whether the request is the emitter's; it is then to be answered by one of
 * those below. */
bool zkfs_emit_is_ours(fuse_req_t req);
void zkfs_emit_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void zkfs_emit_getattr(fuse_req_t req, fuse_ino_t ino);
void zkfs_emit_setattr(fuse_req_t req, fuse_ino_t ino);
void zkfs_emit_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* MKNOD and MKDIR. */
void zkfs_emit_create(fuse_req_t req, enum zkfs_op_kind op, fuse_ino_t parent,
		      const char *name);
/* UNLINK and RMDIR. */
void zkfs_emit_remove(fuse_req_t req, enum zkfs_op_kind op, fuse_ino_t parent,
		      const char *name);

#endif
