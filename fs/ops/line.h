/*
 * line: what reading the handle of a held lock gives: one line, the fencing
 * token first. The token is fetched behind the grant, so that a reader may have
 * to wait for it.
 */
#ifndef ZKFS_OPS_LINE_H
#define ZKFS_OPS_LINE_H

#include <fuse_lowlevel.h>

#include "fs/base/buf.h"
#include "fs/ops/contender.h"
#include "include/zkfs/link.h"

/* A request that wants the token; the op comes first. */
struct zkfs_line_reader {
	struct zkfs_op op;
	/* It is known, or never will be (broken): answers the op. */
	void (*known)(struct zkfs_line_reader *reader,
		      const struct zkfs_contender *contender);
	struct zkfs_link waiting;
};

/* Those that wait, of one owner. */
struct zkfs_line {
	struct zkfs_link readers;
};

void zkfs_line_init(struct zkfs_line *line);
/* The lock is given up: who still waits gets EIO. */
void zkfs_line_fini(struct zkfs_line *line);

/* Calls `known` as soon as it can, perhaps at once. */
void zkfs_line_await(struct zkfs_line *line, struct zkfs_line_reader *reader,
		     const struct zkfs_contender *contender,
		     void (*known)(struct zkfs_line_reader *reader,
				   const struct zkfs_contender *contender));
/* Answers a READ with the line, or with EIO when the lock is lost. `note` is
 * what the holder has written, or NULL. */
void zkfs_line_read(struct zkfs_line *line, fuse_req_t req, fuse_ino_t ino,
		    size_t size, off_t off,
		    const struct zkfs_contender *contender,
		    const struct zkfs_buf *note);
/* The contender has changed: answers those who can be. */
void zkfs_line_changed(struct zkfs_line *line,
		       const struct zkfs_contender *contender);

/* How much of a note is shown: not the line ends it was written with, which
 * are blanks by now. */
int zkfs_line_note_len(const struct zkfs_buf *note);

#endif
