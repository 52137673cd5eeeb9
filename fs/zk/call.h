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

#include "include/zkfs/error.h"

struct zkfs_zk;
struct zkfs_zk_req;

/* Whether a request can be sent at all: valid paths (one bad path in a multi
 * corrupts the library's heap), a name that fits the result, a size that the
 * server takes. For a multi *ret_failed is the operation at fault. */
enum zkfs_error zkfs_call_check(const struct zkfs_zk *zk,
				const struct zkfs_zk_req *req,
				size_t *ret_failed);

/* Whether there is something to hand over, and the library can take it. */
bool zkfs_call_ready(const struct zkfs_zk *zk);
/* Hands queued requests over while the library can take them. */
void zkfs_call_pump(struct zkfs_zk *zk);
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
