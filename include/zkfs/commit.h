/*
 * commit: how the writes of one handle become one new version of a znode.
 * Pure: it is told what happened and answers what to ask of the server next;
 * it does no I/O and reads no clock.
 *
 *   open       zkfs_commit_init(), zkfs_commit_base()
 *   write      zkfs_commit_write(), zkfs_commit_truncate()
 *   flush ...  zkfs_commit_begin() -> SET -> zkfs_commit_set_done() -> DONE
 *                                      ^ GET <-'  (a lost reply, or an append
 *                                      '-- zkfs_commit_get_done()  that met a
 *                                                                  conflict)
 *
 * A handle shows its own view: the version it started from with its writes
 * applied. The view is committed as a whole by one set that names the base
 * version; if the znode has moved on the handle fails with -ESTALE and stays
 * failed. An appending handle is not bound to a version: it takes the newest
 * data, adds what was appended, and tries again on a conflict.
 *
 * "Owner" is the kernel's lock owner of a request, one a process (its file
 * table): it tells which process wrote last and which one is closing.
 */
#ifndef ZKFS_COMMIT_H
#define ZKFS_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/error.h"

struct zkfs_buf;

#define ZKFS_COMMIT_APPEND 1 /* O_APPEND */
#define ZKFS_COMMIT_TRUNC  2 /* O_TRUNC: remembered, merged into the commit */

enum zkfs_commit_cause {
	ZKFS_COMMIT_WRITE, /* O_SYNC: each write */
	ZKFS_COMMIT_FLUSH, /* a close of one copy of the descriptor */
	ZKFS_COMMIT_FSYNC,
	ZKFS_COMMIT_RELEASE, /* the last close is over */
};

/* What to do next. */
enum zkfs_commit_next {
	ZKFS_COMMIT_DONE, /* nothing; zkfs_commit_error() is the outcome */
	ZKFS_COMMIT_SET,  /* send zkfs_commit_payload() */
	ZKFS_COMMIT_GET,  /* read the znode, then zkfs_commit_get_done() */
	ZKFS_COMMIT_BUSY, /* a commit is under way: ask again when it ended */
};

struct zkfs_commit {
	struct zkfs_buf *view;	  /* what this handle reads; NULL: empty */
	struct zkfs_buf *payload; /* what a set under way carries */
	size_t base_len;	  /* append: where the appended bytes begin */
	size_t payload_tail;	  /* append: appended bytes in the payload */
	size_t limit;		  /* most bytes one set can carry */
	int32_t version;	  /* the base version */
	int32_t payload_version;  /* the version the set named */
	int error;		  /* sticky: 0 or -errno */
	unsigned flags;
	bool based;	   /* zkfs_commit_base() was called */
	bool dirty;	   /* view differs from the base version */
	bool trunc;	   /* O_TRUNC not yet committed, nothing written */
	bool abandoned;	   /* the last writer was killed by a signal */
	bool unlinked;	   /* the name is gone by our own doing */
	bool in_flight;	   /* a set or get is under way */
	bool verifying;	   /* the get is to resolve a lost reply */
	bool has_writer;   /* `writer` is set */
	bool has_flusher;  /* `flusher` is set */
	bool wrote_during; /* written to while in flight */
	uint64_t writer;   /* owner of the last write */
	uint64_t flusher;  /* owner of the first flush of a bare truncation */
};

/* `limit`: zkfs_zk_data_max(). */
void zkfs_commit_init(struct zkfs_commit *commit, unsigned flags, size_t limit);
void zkfs_commit_fini(struct zkfs_commit *commit);

/* What open found: data (a reference is taken; NULL: empty) and its version.
 * With ZKFS_COMMIT_TRUNC the data is not looked at. */
void zkfs_commit_base(struct zkfs_commit *commit, struct zkfs_buf *data,
		      int32_t version);

/* Collects a write. Appending handles ignore `off`. Returns 0; -EFBIG or
 * -ENOMEM, which fail the handle for good so that no half of a file is ever
 * committed; or the error the handle has failed with before. */
int zkfs_commit_write(struct zkfs_commit *commit, const void *data, size_t len,
		      size_t off, uint64_t owner);
/* ftruncate(2). Errors as zkfs_commit_write. An appending handle becomes
 * bound to its base version. */
int zkfs_commit_truncate(struct zkfs_commit *commit, size_t len,
			 uint64_t owner);

/* The handle's view: up to `len` bytes at `off`; returns their count and
 * points *ret_data into the view, valid until the next call. */
size_t zkfs_commit_read(const struct zkfs_commit *commit, size_t off,
			size_t len, const void **ret_data);
size_t zkfs_commit_size(const struct zkfs_commit *commit);
/* Whether a commit is owed: written, or truncated by open. */
bool zkfs_commit_pending(const struct zkfs_commit *commit);

/* A process that had the handle open was killed by a signal. If it wrote last
 * (or nobody wrote) nothing is committed until somebody writes again. */
void zkfs_commit_killed(struct zkfs_commit *commit, uint64_t owner);
/* Another handle or client has changed the znode: version-bound handles fail
 * with -ESTALE unless they are unlinked. Not to be called for one's own set. */
void zkfs_commit_conflict(struct zkfs_commit *commit);
/* Our own mount has removed the name: commits succeed and do nothing. */
void zkfs_commit_unlink(struct zkfs_commit *commit);

/* Whether to commit now. A FLUSH with nothing written is free; a truncation
 * with nothing written is committed by the second flush of the same owner, or
 * by RELEASE (a shell's first flush comes before its first write: facts/fuse.md,
 * section 5). Returns SET, BUSY or DONE. */
enum zkfs_commit_next zkfs_commit_begin(struct zkfs_commit *commit,
					enum zkfs_commit_cause cause,
					uint64_t owner);
/* What a SET carries; valid until zkfs_commit_set_done(). */
void zkfs_commit_payload(const struct zkfs_commit *commit,
			 const void **ret_data, size_t *ret_len,
			 int32_t *ret_version);
/* The set was answered; `version` is that of the reply's Stat. Returns DONE,
 * or GET: an append met a conflict, or the reply was lost. */
enum zkfs_commit_next zkfs_commit_set_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   int32_t version);
/* The get was answered: `data` as in zkfs_commit_base. Returns SET or DONE. */
enum zkfs_commit_next zkfs_commit_get_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   struct zkfs_buf *data,
					   int32_t version);

static inline int zkfs_commit_error(const struct zkfs_commit *commit)
{
	return commit->error;
}

#endif
