/*
 * call: requests that were handed to the library, one record each. The library
 * copies path and data when it takes a request, and calls each completion
 * exactly once, in the order of sending; so the record outlives the caller's
 * request when that is cancelled, and everything that the library writes to
 * later (results of a multi, created names) belongs to the record.
 */
#ifndef ZKFS_ZK_CALL_H
#define ZKFS_ZK_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zookeeper/zookeeper.h>

#include "fs/zk/watch.h"
#include "include/zkfs/zk.h"

/* Digits that the server appends to a sequential name. */
#define ZKFS_CALL_DIGITS 10

struct zkfs_call {
	struct zkfs_link link; /* zkfs_zk.calls */
	struct zkfs_zk *zk;
	struct zkfs_zk_req *req; /* NULL: nobody waits any more */
	enum zkfs_zk_kind kind;
	size_t bytes;
	int64_t sent_us;
	struct zkfs_watch_half *half; /* the watch it may set, or NULL */

	/* MULTI: one of each an operation, behind this in memory. */
	zoo_op_result_t *results;
	struct Stat *stats;
};

/* Whether a request can be sent at all: valid paths (one bad path in a multi
 * corrupts the library's heap), a name that fits the result, a size that the
 * server takes. For a multi *ret_failed is the operation at fault. */
enum zkfs_error zkfs_call_check(const struct zkfs_zk *zk,
				const struct zkfs_zk_req *req,
				size_t *ret_failed);

/* A record on the books, with `extra` bytes behind it, or NULL. */
struct zkfs_call *zkfs_call_new(struct zkfs_zk *zk, enum zkfs_zk_kind kind,
				size_t bytes, size_t extra);
/* Takes it off the books; the memory stays. `watch_set`: whether the server
 * has set the watch that the request carried. */
void zkfs_call_end(struct zkfs_call *call, bool watch_set);
/* The end of every call that was sent: takes it off the books, and answers the
 * request or queues it again. `code` is the library's, `reply` has what came
 * with it. The memory stays. */
void zkfs_call_finish(struct zkfs_call *call, int code,
		      struct zkfs_zk_reply *reply);

/* Lets go of a request whose reply nobody wants any more. */
void zkfs_call_detach(struct zkfs_zk_req *req);
/* Decides those whose deadline has come. */
void zkfs_call_expire(struct zkfs_zk *zk, int64_t now_ms);
/* Drops what is queued and changes nothing; their `done` is not called. */
void zkfs_call_drop_reads(struct zkfs_zk *zk);
/* The handle is gone: ends the calls of which the library has said nothing. */
void zkfs_call_abandon(struct zkfs_zk *zk);
/* Tells a decided request: the last thing done with it. */
void zkfs_call_tell(struct zkfs_zk *zk, struct zkfs_zk_req *req,
		    enum zkfs_error error);

#endif
