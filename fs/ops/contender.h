/*
 * contender: one lockq (core/lockq) with its requests to the server, from the
 * open that joins until nothing of it is left. It outlives its file handle:
 * what was joined is deleted again, and that is retried until it is known.
 *
 * Who waits for a contender: at most one open (the opener), reads that want
 * the token (readers), and, in ops/lock, an `rm` of its name.
 */
#ifndef ZKFS_OPS_CONTENDER_H
#define ZKFS_OPS_CONTENDER_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/handle.h"
#include "fs/ops/reply.h"
#include "include/zkfs/lockq.h"

struct zkfs_buf;
struct zkfs_contender;

/* An interrupted open keeps its place so long: shells try again at once. */
#define ZKFS_CONTENDER_GRACE_MS 1000

/* An OPEN that waits for the lock. */
struct zkfs_opener {
	struct zkfs_op op;
	struct zkfs_contender *contender;
	struct fuse_file_info fi;
};

/* One request of the lockq, and the watch it sets. */
struct zkfs_contender_ask {
	struct zkfs_contender *contender;
	enum zkfs_lockq_ask ask;
	struct zkfs_zk_req req;
	struct zkfs_zk_watch watch;
};

struct zkfs_contender {
	struct zkfs_handle handle; /* entered when the open is answered */
	struct zkfs_fs *fs;
	struct zkfs_lockq *lockq;
	struct zkfs_node *node; /* the entry; referenced */
	char *lock;		/* path of the lock */
	char *info;		/* data of the primary: who we are */
	bool started;
	bool open;		/* the kernel has the handle */
	bool broken;		/* lost, or released by name: I/O answers EIO */
	pid_t tid;		/* of the opener */
	int64_t grace_until_ms; /* 0: not interrupted */
	int64_t answer_by_ms;	/* to the opener; NEVER once it waits */
	struct zkfs_opener *opener;
	struct zkfs_link readers; /* struct zkfs_reader */
	struct zkfs_buf *note;	  /* what was written to the handle */
	bool note_dirty;
	struct zkfs_link link; /* fs->contenders */
	struct zkfs_contender_ask asks[_ZKFS_LOCKQ_ASK_N];
};

/* A READ of a held handle that waits for the token. */
struct zkfs_reader {
	struct zkfs_op op;
	struct zkfs_contender *contender;
	size_t size;
	off_t off;
	struct zkfs_link waiting;
};

/* A new contender for the opener's node, which names lock and label. Returns
 * NULL when memory is short. It joins by zkfs_contender_start(). */
struct zkfs_contender *zkfs_contender_new(struct zkfs_opener *opener);
void zkfs_contender_start(struct zkfs_contender *contender);
/* Drops everything, also what is left on the server: the mount is gone, and
 * the end of the session deletes it. */
void zkfs_contender_drop(struct zkfs_contender *contender);

/* Submits what the lockq asks for, answers who can be answered, and frees the
 * contender if that was its end: it must not be used after this. */
void zkfs_contender_settle(struct zkfs_contender *contender);
/* Takes it out of the queue, whoever waits; as settle. `error` is what the
 * opener is told. */
void zkfs_contender_leave(struct zkfs_contender *contender, int error);
/* Whether it is (still, or on its way to be) in the queue. */
bool zkfs_contender_joined(const struct zkfs_contender *contender);
const char *zkfs_contender_label(const struct zkfs_contender *contender);

/* How much of the note is shown: not the line ends it was written with, which
 * are blanks by now. */
size_t zkfs_contender_note_len(const struct zkfs_contender *contender);
/* What reading the handle gives: one line, the token first. */
void zkfs_contender_answer_read(struct zkfs_reader *reader);

#endif
