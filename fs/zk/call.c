/* call: see call.h. */
#include "fs/zk/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/zk/private.h"
#include "fs/zk/retry.h"
#include "fs/zk/size.h"
#include "include/zkfs/path.h"

static struct zkfs_call *call_of(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_call, link);
}

/*
 * Checks.
 */

static enum zkfs_error check_op(const struct zkfs_zk_op *op)
{
	size_t digits = op->flags & ZKFS_ZK_SEQUENCE ? ZKFS_CALL_DIGITS : 0;

	if (!zkfs_path_valid(op->path))
		return ZKFS_E_BADARGUMENTS;
	if (op->kind != ZKFS_ZK_OP_CREATE)
		return ZKFS_E_OK;
	if (op->flags & ~(ZKFS_ZK_EPHEMERAL | ZKFS_ZK_SEQUENCE))
		return ZKFS_E_BADARGUMENTS;
	if (strlen(zkfs_path_base(op->path)) + digits >= ZKFS_ZK_NAME_MAX)
		return ZKFS_E_BADARGUMENTS;
	return ZKFS_E_OK;
}

enum zkfs_error zkfs_call_check(const struct zkfs_zk *zk,
				const struct zkfs_zk_req *req,
				size_t *ret_failed)
{
	if (req->kind != ZKFS_ZK_MULTI) {
		if (!zkfs_path_valid(req->path))
			return ZKFS_E_BADARGUMENTS;
	} else if (req->n_ops == 0) {
		return ZKFS_E_BADARGUMENTS;
	} else {
		for (size_t i = 0; i < req->n_ops; i++) {
			enum zkfs_error error = check_op(&req->ops[i]);

			if (error == ZKFS_E_OK)
				continue;
			*ret_failed = i;
			return error;
		}
	}
	/* An oversize packet would cut the link: facts in size.h. */
	if (zkfs_size_request(req, zk->chroot_len) > ZKFS_SIZE_MAX)
		return ZKFS_E_TOOBIG;
	return ZKFS_E_OK;
}

/*
 * The record's life.
 */

struct zkfs_call *zkfs_call_new(struct zkfs_zk *zk, enum zkfs_zk_kind kind,
				size_t bytes, size_t extra)
{
	struct zkfs_call *call = calloc(1, sizeof(*call) + extra);

	if (!call)
		return NULL;
	call->zk = zk;
	call->kind = kind;
	call->bytes = bytes;
	call->sent_us = zkfs_clock_us();
	zkfs_list_append(&zk->calls, &call->link);
	zk->n_calls++;
	zk->calls_bytes += bytes;
	return call;
}

void zkfs_call_end(struct zkfs_call *call, bool watch_set)
{
	struct zkfs_zk *zk = call->zk;
	struct zkfs_zk_watch *watch = NULL;

	zkfs_list_remove(&call->link);
	zk->n_calls--;
	zk->calls_bytes -= call->bytes;
	if (call->req)
		call->req->call = NULL;
	if (!call->half)
		return;
	if (call->req && !zk->closing)
		watch = call->req->watch;
	zkfs_watch_settle(&zk->watches, call->half, watch_set, watch);
}

void zkfs_call_detach(struct zkfs_zk_req *req)
{
	struct zkfs_call *call = req->call;

	if (!call)
		return;
	call->req = NULL;
	req->call = NULL;
}

static void tell(struct zkfs_zk *zk, struct zkfs_zk_req *req,
		 struct zkfs_zk_reply *reply)
{
	req->active = false;
	if (zk->closing)
		return;
	reply->generation = zk->generation;
	zk->metrics.kinds[req->kind].outcomes[reply->error]++;
	req->done(req, reply);
}

void zkfs_call_tell(struct zkfs_zk *zk, struct zkfs_zk_req *req,
		    enum zkfs_error error)
{
	struct zkfs_zk_reply reply = {.error = error};

	if (req->kind != ZKFS_ZK_MULTI) {
		tell(zk, req, &reply);
		return;
	}
	for (size_t i = 0; i < req->n_ops; i++)
		req->ops[i].error = error;
	if (error == ZKFS_E_BADARGUMENTS)
		(void)zkfs_call_check(zk, req, &reply.failed);
	tell(zk, req, &reply);
}

void zkfs_call_finish(struct zkfs_call *call, int code,
		      struct zkfs_zk_reply *reply)
{
	struct zkfs_zk *zk = call->zk;
	struct zkfs_zk_req *req = call->req;
	/* The server sets the watch of an EXISTS on what does not exist too. */
	bool set = code == ZOK ||
		   (code == ZNONODE && call->kind == ZKFS_ZK_EXISTS);

	zkfs_call_end(call, set);
	reply->watched = req && req->watch && req->watch->live;
	/* The server that answers so is not the one that owns the session:
	 * asking it again is no use. */
	if (code == ZSESSIONMOVED)
		zk->cut = true;
	if (!req)
		return;
	switch (zkfs_retry_decide(call->kind, code, true, &reply->error)) {
	case ZKFS_RETRY_AGAIN:
		zk->metrics.resent++;
		zkfs_outbox_again(&zk->outbox, req);
		break;
	case ZKFS_RETRY_LOST:
		zkfs_call_tell(zk, req, ZKFS_E_LOST);
		break;
	case ZKFS_RETRY_ANSWER:
		zkfs_histogram_add(&zk->metrics.kinds[call->kind].latency,
				   zkfs_clock_us() - call->sent_us);
		tell(zk, req, reply);
		break;
	}
}

void zkfs_call_expire(struct zkfs_zk *zk, int64_t now_ms)
{
	zkfs_list_for_each(it, &zk->calls) {
		struct zkfs_zk_req *req = call_of(it)->req;

		if (!req)
			continue;
		if (req->deadline_ms > now_ms) {
			zk->outbox.scan_ms = zkfs_clock_earlier(
				zk->outbox.scan_ms, req->deadline_ms);
			continue;
		}
		zkfs_call_detach(req);
		zkfs_outbox_decide(&zk->outbox, req,
				   zkfs_retry_changes(req->kind)
					   ? ZKFS_E_LOST
					   : ZKFS_E_TIMEDOUT);
	}
}

void zkfs_call_drop_reads(struct zkfs_zk *zk)
{
	zkfs_list_for_each_safe(it, &zk->outbox.queued) {
		struct zkfs_zk_req *req =
			zkfs_list_entry(it, struct zkfs_zk_req, link);

		if (zkfs_retry_changes(req->kind))
			continue;
		zkfs_list_remove(it);
		req->active = false;
	}
}

void zkfs_call_abandon(struct zkfs_zk *zk)
{
	struct zkfs_link *link;

	while ((link = zkfs_list_first(&zk->calls))) {
		zkfs_autofree struct zkfs_call *call = call_of(link);
		struct zkfs_zk_reply reply = {0};

		zkfs_call_finish(call, ZCLOSING, &reply);
	}
}
