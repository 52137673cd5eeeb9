/*
 * outbox: the requests that the library does not have: those that wait to be
 * sent, in the order in which they were submitted, and those whose answer is
 * decided but not yet told, as `done` is called from the loop only.
 *
 *   submit -> queued -> (the library: call.h) -> done
 *               ^  |               |
 *               |  `-> answers ----+--> done
 *               `------------------'  a read whose link broke
 *
 * Requests wait here and not in the library while there is no connection: what
 * the library has been given and fails with ZCONNECTIONLOSS may or may not
 * have been executed; what is here was certainly not.
 *
 * The time-outs are found by a walk over all requests, made when the earliest
 * deadline that was ever seen since the last walk has come: with a deadline of
 * seconds on each request that is one walk every few seconds.
 */
#ifndef ZKFS_ZK_OUTBOX_H
#define ZKFS_ZK_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/zk.h"

struct zkfs_outbox {
	struct zkfs_link queued;  /* zkfs_zk_req.link, by seq */
	struct zkfs_link answers; /* zkfs_zk_req.link; verdict is set */
	uint64_t seq;
	int64_t scan_ms; /* no deadline is earlier */
};

void zkfs_outbox_init(struct zkfs_outbox *outbox);

/* Takes a new request: it becomes active and last in the queue. */
void zkfs_outbox_add(struct zkfs_outbox *outbox, struct zkfs_zk_req *req);
/* Takes one back that was sent in vain, to its old place in the order. */
void zkfs_outbox_again(struct zkfs_outbox *outbox, struct zkfs_zk_req *req);
/* Decides a request, whether it is queued or was with the library. */
void zkfs_outbox_decide(struct zkfs_outbox *outbox, struct zkfs_zk_req *req,
			enum zkfs_error verdict);
/* The next to send, or NULL; it stays until zkfs_outbox_take(). */
struct zkfs_zk_req *zkfs_outbox_first(const struct zkfs_outbox *outbox);
void zkfs_outbox_take(struct zkfs_outbox *outbox, struct zkfs_zk_req *req);

/* A walk over the queued requests; those whose deadline has come are decided
 * (ZKFS_E_TIMEDOUT). Sets scan_ms anew: the caller lowers it by the deadlines
 * of the requests that the library has. */
void zkfs_outbox_expire(struct zkfs_outbox *outbox, int64_t now_ms);
enum zkfs_outbox_those {
	ZKFS_OUTBOX_ALL,
	ZKFS_OUTBOX_OF_SESSION,	   /* bound to some session */
	ZKFS_OUTBOX_OF_CONNECTION, /* bound to some connection */
};

/* Decides those of the queued requests. */
void zkfs_outbox_fail(struct zkfs_outbox *outbox, enum zkfs_outbox_those those,
		      enum zkfs_error verdict);
/* Moves the decided ones to `batch`, which the caller initialised. */
void zkfs_outbox_take_answers(struct zkfs_outbox *outbox,
			      struct zkfs_link *batch);

#endif
