/*
 * commit: how the writes of one handle become one new version of a znode.
 * Pure: it is told what happened and answers what to ask of the server next;
 * it does no I/O and reads no clock.
 *
 *   open       zkfs_commit_init(), zkfs_commit_base()
 *   write      zkfs_commit_write(), zkfs_commit_truncate()
 *   flush ...  zkfs_commit_begin() -> DONE, or BUSY, or
 *
 *              SET -> zkfs_commit_set_done() -.
 *               ^                             |-> DONE, SET or GET
 *              GET -> zkfs_commit_get_done() -'
 *
 * Each of the three answers what is next, so one function of the caller can
 * act upon all of them. The outcome stands in zkfs_commit_error() once DONE was
 * answered, and until the next begin.
 *
 * A handle shows its own view: the version it started from with its writes
 * applied. The view is committed as a whole by one set that names the base
 * version; if the znode has moved on the handle fails with -ESTALE and stays
 * failed. An appending handle is not bound to a version: it takes the newest
 * data, adds what was appended, and tries again on a conflict, for as long as
 * there are conflicts. What binds it to its version is a truncation (O_TRUNC or
 * ftruncate), until that is committed.
 *
 * Two kinds of failure. A handle that has *failed* stays so: conflicts, a
 * refusal by the server, a write that does not fit. What it had collected is
 * dropped and the old version stays whole; every later write is refused, and
 * every later flush, fsync and release that has a loss to tell of tells it. The
 * other kind is the failure of *one begin*: a set that was certainly not sent
 * in time (-ETIMEDOUT), or no memory for sending it (-ENOMEM). The handle stays
 * as dirty as it was, and a later begin tries again: fsync(2) succeeds when the
 * server is back.
 *
 * A lost reply leaves the set in doubt, and is resolved by reading back:
 *
 *   the base version        it did not happen: the same set again
 *   the next, same data     it happened; but if others are known to write this
 *                           file (zkfs_commit_shared): cannot be known, -EIO
 *   the next, other data    another's change: -ESTALE, or appended again
 *   a later one             that begins with the payload of an append: it
 *                           happened; else it cannot be known: -EIO
 *   none, or a younger one  the znode was deleted, before it or after: -EIO
 *
 * A server that lags behind may show the base version although the set has
 * happened; the repeated set then meets a conflict, which is why that
 * conflict is resolved by reading back as well. When the znode cannot be read
 * back in time the begin fails with -EIO and the next one goes on with the
 * reading.
 *
 * Nothing that a server keeps of a set says whose it was: Stat has the zxid and
 * the time, and no session. So two clients that set the same bytes on the same
 * version cannot be told apart; and they do that: all who raise the same
 * counter. To take the other's set for one's own would lose a count, so where
 * there may be another, nothing is claimed. What somebody appends is told by
 * its bytes: lines name who wrote them, and a second append of the same bytes
 * is not a conflict but the same line again. (A znode of the mount's own that
 * is changed in the same transaction would tell in all cases. It would have to
 * be in the user's tree, which a mount does not touch by itself.)
 *
 * "Owner" is the kernel's lock owner of a request, one a process (its file
 * table): it tells which process wrote last and which one is closing. 0 is an
 * unknown owner (libfuse shows none for ftruncate).
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
	ZKFS_COMMIT_BUSY, /* a commit is under way: begin again after DONE */
};

/* The handle. Its fields are the module's own. */
struct zkfs_commit {
	struct zkfs_buf *view;	  /* what this handle reads; NULL: empty */
	struct zkfs_buf *payload; /* what the set under way carries */
	size_t base_len;	  /* append: where the appended bytes begin */
	size_t payload_tail;	  /* append: appended bytes in the payload */
	size_t limit;		  /* most bytes one set can carry */
	int32_t version;	  /* the base version */
	int error;		  /* outcome of the last begin */
	int failed;		  /* sticky: 0 or -errno */
	unsigned flags;
	bool based;	    /* zkfs_commit_base() was called */
	bool dirty;	    /* written to, and not in the payload */
	bool trunc;	    /* O_TRUNC not yet committed, nothing written */
	bool bound;	    /* append: truncated, so bound to the version */
	bool behind;	    /* append: the base is known to be outdated */
	bool lost;	    /* failed, and something was lost by that */
	bool abandoned;	    /* the last writer was killed by a signal */
	bool unlinked;	    /* the name is gone by our own doing */
	bool in_flight;	    /* a set or get is under way */
	bool reading;	    /* it is a get */
	bool doubt;	    /* whether the payload was set is not known */
	bool shared;	    /* others write this file, too */
	bool again;	    /* begun in doubt: set what came after it too */
	bool payload_bound; /* `bound` of what the payload carries */
	bool has_writer;    /* `writer` is set */
	bool many_writers;  /* others than `writer` have written as well */
	bool has_flusher;   /* `flusher` is set */
	uint64_t writer;    /* owner of the last write */
	uint64_t flusher;   /* owner of the first flush of a bare truncation */
};

/* `limit`: zkfs_zk_data_max(). */
void zkfs_commit_init(struct zkfs_commit *commit, unsigned flags, size_t limit);
/* Drops everything; nothing may be under way (cancel the request first). */
void zkfs_commit_fini(struct zkfs_commit *commit);

/* What open found: data (a reference is taken; NULL: empty) and its version.
 * With ZKFS_COMMIT_TRUNC the data is not looked at. Once, and before all that
 * follows. */
void zkfs_commit_base(struct zkfs_commit *commit, struct zkfs_buf *data,
		      int32_t version);

/* Collects a write. Appending handles ignore `off`. Returns 0; -EFBIG or
 * -ENOMEM, which fail the handle for good so that no half of a file is ever
 * committed; or the error the handle has failed with before. */
int zkfs_commit_write(struct zkfs_commit *commit, const void *data, size_t len,
		      size_t off, uint64_t owner);
/* ftruncate(2). Errors as zkfs_commit_write. An appending handle becomes
 * bound to its base version until that is committed. */
int zkfs_commit_truncate(struct zkfs_commit *commit, size_t len,
			 uint64_t owner);

/* The handle's view: up to `len` bytes at `off`; returns their count and
 * points *ret_data into the view, valid until the next call. */
size_t zkfs_commit_read(const struct zkfs_commit *commit, size_t off,
			size_t len, const void **ret_data);
size_t zkfs_commit_size(const struct zkfs_commit *commit);
/* Whether a commit is owed or under way: written, or truncated by open, and
 * neither failed nor abandoned. */
bool zkfs_commit_pending(const struct zkfs_commit *commit);

/* A process that had the handle open was killed by a signal. If it wrote last
 * (or nobody wrote) no flush and no release commits until somebody writes
 * again; fsync, which only the living call, does. To be called before the
 * begin of that process's flush. */
void zkfs_commit_killed(struct zkfs_commit *commit, uint64_t owner);
/* Another handle or client has changed the znode: version-bound handles fail
 * with -ESTALE unless they are unlinked; appending ones will read first. While
 * a set is under way or in doubt this is without effect, so it does no harm
 * that one's own set fires the watch before its reply: events and replies
 * come in the server's order, so a change that is seen before the reply came
 * before the set, and the reply tells of it. */
void zkfs_commit_conflict(struct zkfs_commit *commit);
/* A write was refused with `error` before it got here, and nothing will make it
 * good: the handle fails with that if it owes anything, so that neither half of
 * a file nor the bare truncation before it is committed. Not for EINTR, upon
 * which programs write again. */
void zkfs_commit_refused(struct zkfs_commit *commit, int error);
/* There is no room for what is to be written: as when zkfs_commit_write() had
 * said so. Returns what the write is answered with. */
int zkfs_commit_no_room(struct zkfs_commit *commit, int error);
/* Others are known to write this file, too: what a lost reply was about is told
 * apart from their writes no more. */
void zkfs_commit_shared(struct zkfs_commit *commit);
/* Our own mount has removed the name: commits succeed and do nothing. */
void zkfs_commit_unlink(struct zkfs_commit *commit);

/* Whether to commit now; returns DONE, BUSY, SET or GET.
 *
 * A flush commits what its owner has written. It is free when nothing is
 * dirty, and when only another process wrote: `{ echo a; date; echo b; } >f`
 * must not be committed when `date`, which has the file open too, exits. A
 * truncation with nothing written is committed by the second flush of the same
 * owner, or by RELEASE (a shell's first flush comes before its first write, as
 * it closes the descriptor it made the copy from). */
enum zkfs_commit_next zkfs_commit_begin(struct zkfs_commit *commit,
					enum zkfs_commit_cause cause,
					uint64_t owner);
/* What a SET carries; valid until zkfs_commit_set_done(). */
void zkfs_commit_payload(const struct zkfs_commit *commit,
			 const void **ret_data, size_t *ret_len,
			 int32_t *ret_version);
/* The set was answered; `version` is that of the reply's Stat. */
enum zkfs_commit_next zkfs_commit_set_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   int32_t version);
/* The get was answered: `data` as in zkfs_commit_base. */
enum zkfs_commit_next zkfs_commit_get_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   struct zkfs_buf *data,
					   int32_t version);

/* The outcome of the last begin that is DONE. */
static inline int zkfs_commit_error(const struct zkfs_commit *commit)
{
	return commit->error;
}

/* The errno a write would be refused with, or 0. */
static inline int zkfs_commit_failed(const struct zkfs_commit *commit)
{
	return commit->failed;
}

#endif
