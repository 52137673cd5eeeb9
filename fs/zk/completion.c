/*
 * completion: see completion.h.
 *
 * Nothing here calls the library, from inside which it runs: what a `done` or
 * a `fired` asks for is queued, and done later in the turn.
 */
#include "fs/zk/completion.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/acl.h"
#include "fs/zk/call.h"
#include "fs/zk/private.h"
#include "include/zkfs/path.h"

static void stat_from(const struct Stat *stat, struct zkfs_stat *ret_stat)
{
	*ret_stat = (struct zkfs_stat){
		.czxid = stat->czxid,
		.mzxid = stat->mzxid,
		.pzxid = stat->pzxid,
		.ctime_ms = stat->ctime,
		.mtime_ms = stat->mtime,
		.version = stat->version,
		.cversion = stat->cversion,
		.aversion = stat->aversion,
		.data_length = stat->dataLength,
		.num_children = stat->numChildren,
		.ephemeral_owner = stat->ephemeralOwner,
	};
}

static struct zkfs_call *call_from(const void *data)
{
	/* The library passes its context as const; it is ours. */
	return (struct zkfs_call *)(uintptr_t)data;
}

void zkfs_completion_stat(int rc, const struct Stat *stat, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
	}
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_data(int rc, const char *value, int len,
			  const struct Stat *stat, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
		/* -1 is null data, which Stat does not tell from empty. */
		reply.data = len > 0 ? value : NULL;
		reply.len = len > 0 ? (size_t)len : 0;
	}
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_children(int rc, const struct String_vector *strings,
			      const struct Stat *stat, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
		reply.names = (const char *const *)strings->data;
		reply.n_names = strings->count > 0 ? (size_t)strings->count : 0;
	}
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_acl(int rc, struct ACL_vector *acl, struct Stat *stat,
			 const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	zkfs_autofree char *bytes = NULL;
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		int r = zkfs_acl_pack(acl, &bytes, &reply.len);

		stat_from(stat, &ours);
		reply.stat = &ours;
		reply.data = bytes;
		if (r == -EACCES)
			rc = ZNOAUTH;
		else if (r < 0)
			rc = zkfs_error_to_protocol(ZKFS_E_NOMEM);
	}
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_void(int rc, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};

	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_string(int rc, const char *value zkfs_unused,
			    const void *data)
{
	zkfs_completion_void(rc, data);
}

static void result_to_op(const zoo_op_result_t *result, struct zkfs_zk_op *op)
{
	op->error = ZKFS_E_OK;
	op->name[0] = '\0';
	if (op->kind == ZKFS_ZK_OP_SET && result->stat)
		stat_from(result->stat, &op->stat);
	if (op->kind == ZKFS_ZK_OP_CREATE && result->value) {
		/* The whole path, of which the library has taken the chroot
		 * off. One that does not fit is not what was asked for. */
		const char *name = zkfs_path_base(result->value);
		size_t len = strlen(name);

		if (len < sizeof(op->name))
			memcpy(op->name, name, len + 1);
	}
}

/* A failed transaction: one operation is at fault, the others are undone. The
 * server says 0 of those before it and -2 of those after. */
static size_t find_failed(const struct zkfs_call *call, size_t n_ops)
{
	for (size_t i = 0; i < n_ops; i++) {
		int err = call->results[i].err;

		if (err != ZOK && err != ZRUNTIMEINCONSISTENCY)
			return i;
	}
	return 0;
}

void zkfs_completion_multi(int rc, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_req *req = call->req;
	struct zkfs_zk_reply reply = {0};

	if (req && rc == ZOK) {
		for (size_t i = 0; i < req->n_ops; i++)
			result_to_op(&call->results[i], &req->ops[i]);
	} else if (req) {
		reply.failed = find_failed(call, req->n_ops);
		for (size_t i = 0; i < req->n_ops; i++)
			req->ops[i].error = ZKFS_E_ROLLEDBACK;
		req->ops[reply.failed].error = zkfs_error_from_protocol(rc);
	}
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_removed(int rc, const void *data)
{
	zkfs_autofree struct zkfs_call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_watch_half *half = zkfs_steal(&call->half);

	zkfs_watch_removed(&call->zk->watches, half,
			   rc == ZOK || rc == ZNOWATCHER);
	zkfs_call_finish(call, rc, &reply);
}

void zkfs_completion_watcher(zhandle_t *zh zkfs_unused, int type,
			     int state zkfs_unused, const char *path, void *ctx)
{
	struct zkfs_zk *zk = ctx;

	/* Session events are not used: the state is looked at after each call
	 * of the library, which misses none, while a failed send, for one,
	 * gives no event. */
	if (type == ZOO_SESSION_EVENT || zk->closing)
		return;
	zk->metrics.watch_events++;
	zkfs_debug("event %d on \"%s\"", type, path);
	if (type == ZOO_CREATED_EVENT)
		zkfs_watch_event(&zk->watches, path, ZKFS_ZK_CREATED);
	else if (type == ZOO_DELETED_EVENT)
		zkfs_watch_event(&zk->watches, path, ZKFS_ZK_DELETED);
	else if (type == ZOO_CHANGED_EVENT)
		zkfs_watch_event(&zk->watches, path, ZKFS_ZK_CHANGED);
	else if (type == ZOO_CHILD_EVENT)
		zkfs_watch_event(&zk->watches, path, ZKFS_ZK_CHILD);
}
