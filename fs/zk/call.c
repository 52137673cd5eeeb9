/*
 * call: see call.h.
 *
 * Nothing here calls the library from inside one of its callbacks: what a
 * `done` or `fired` asks for is queued and done by the next turn.
 */
#include "fs/zk/call.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/private.h"
#include "fs/zk/retry.h"
#include "fs/zk/size.h"
#include "include/zkfs/path.h"

/* Digits that the server appends to a sequential name. */
#define SEQUENCE_DIGITS 10

struct call {
	struct zkfs_link link; /* zkfs_zk.calls */
	struct zkfs_zk *zk;
	struct zkfs_zk_req *req; /* NULL: nobody waits any more */
	enum zkfs_zk_kind kind;
	size_t bytes;
	struct zkfs_watch_half *half; /* the watch it may set, or NULL */

	/* MULTI: one of each an operation, in this allocation. */
	zoo_op_result_t *results;
	struct Stat *stats;
};

static struct call *call_of(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct call, link);
}

/*
 * Checks.
 */

static enum zkfs_error check_op(const struct zkfs_zk_op *op)
{
	size_t digits = op->flags & ZKFS_ZK_SEQUENCE ? SEQUENCE_DIGITS : 0;

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

static struct call *call_new(struct zkfs_zk *zk, enum zkfs_zk_kind kind,
			     size_t bytes, size_t extra)
{
	struct call *call = calloc(1, sizeof(*call) + extra);

	if (!call)
		return NULL;
	call->zk = zk;
	call->kind = kind;
	call->bytes = bytes;
	zkfs_list_append(&zk->calls, &call->link);
	zk->n_calls++;
	zk->calls_bytes += bytes;
	return call;
}

/* Takes the call off the books; the memory stays. */
static void call_end(struct call *call, bool watch_set)
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
	struct call *call = req->call;

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

/* The end of every call: `code` is the library's, `reply` has what came. */
static void finish(struct call *call, int code, struct zkfs_zk_reply *reply)
{
	struct zkfs_zk *zk = call->zk;
	struct zkfs_zk_req *req = call->req;
	/* The server sets the watch of an EXISTS on what does not exist too. */
	bool set = code == ZOK ||
		   (code == ZNONODE && call->kind == ZKFS_ZK_EXISTS);

	call_end(call, set);
	/* The server that answers so is not the one that owns the session:
	 * asking it again is no use. */
	if (code == ZSESSIONMOVED)
		zk->cut = true;
	if (!req)
		return;
	switch (zkfs_retry_decide(call->kind, code, true, &reply->error)) {
	case ZKFS_RETRY_AGAIN:
		zkfs_outbox_again(&zk->outbox, req);
		break;
	case ZKFS_RETRY_LOST:
		zkfs_call_tell(zk, req, ZKFS_E_LOST);
		break;
	case ZKFS_RETRY_ANSWER:
		tell(zk, req, reply);
		break;
	}
}

/*
 * Completions.
 */

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

static struct call *call_from(const void *data)
{
	/* The library passes its context as const; it is ours. */
	return (struct call *)(uintptr_t)data;
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
	}
	finish(call, rc, &reply);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat,
		    const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
		/* -1 is null data, which Stat does not tell from empty. */
		reply.data = len > 0 ? value : NULL;
		reply.len = len > 0 ? (size_t)len : 0;
	}
	finish(call, rc, &reply);
}

static void on_children(int rc, const struct String_vector *strings,
			const struct Stat *stat, const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_stat ours;

	if (rc == ZOK) {
		stat_from(stat, &ours);
		reply.stat = &ours;
		reply.names = (const char *const *)strings->data;
		reply.n_names = strings->count > 0 ? (size_t)strings->count : 0;
	}
	finish(call, rc, &reply);
}

static void on_void(int rc, const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};

	finish(call, rc, &reply);
}

static void on_string(int rc, const char *value zkfs_unused, const void *data)
{
	on_void(rc, data);
}

static void result_to_op(const zoo_op_result_t *result, struct zkfs_zk_op *op)
{
	op->error = ZKFS_E_OK;
	op->name[0] = '\0';
	if (op->kind == ZKFS_ZK_OP_SET && result->stat)
		stat_from(result->stat, &op->stat);
	if (op->kind == ZKFS_ZK_OP_CREATE && result->value) {
		/* The whole path, of which the library has taken the chroot
		 * off. That it fits was checked. */
		const char *name = zkfs_path_base(result->value);
		size_t len = strlen(name);

		assert(len < sizeof(op->name));
		memcpy(op->name, name, len + 1);
	}
}

/* A failed transaction: one operation is at fault, the others are undone. The
 * server says 0 of those before it and -2 of those after. */
static size_t find_failed(const struct call *call, size_t n_ops)
{
	for (size_t i = 0; i < n_ops; i++) {
		int err = call->results[i].err;

		if (err != ZOK && err != ZRUNTIMEINCONSISTENCY)
			return i;
	}
	return 0;
}

static void on_multi(int rc, const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
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
	finish(call, rc, &reply);
}

static void on_removed(int rc, const void *data)
{
	zkfs_autofree struct call *call = call_from(data);
	struct zkfs_zk_reply reply = {0};
	struct zkfs_watch_half *half = zkfs_steal(&call->half);

	zkfs_watch_removed(&call->zk->watches, half,
			   rc == ZOK || rc == ZNOWATCHER);
	finish(call, rc, &reply);
}

void zkfs_call_watcher(zhandle_t *zh zkfs_unused, int type,
		       int state zkfs_unused, const char *path, void *ctx)
{
	struct zkfs_zk *zk = ctx;

	/* Session events are not used: the state is looked at after each call
	 * of the library, which misses none, while a failed send, for one,
	 * gives no event. */
	if (type == ZOO_SESSION_EVENT || zk->closing)
		return;
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

/*
 * Handing over.
 */

/* Empty data, not null: the library sends null for a NULL pointer. */
static const char *bytes(const void *data)
{
	return data ? data : "";
}

static void fill_op(const struct zkfs_zk_op *op, struct Stat *stat, char *name,
		    size_t name_len, zoo_op_t *zop)
{
	switch (op->kind) {
	case ZKFS_ZK_OP_CREATE:
		zoo_create_op_init(zop, op->path, bytes(op->data), (int)op->len,
				   &ZOO_OPEN_ACL_UNSAFE, op->flags, name,
				   (int)name_len);
		break;
	case ZKFS_ZK_OP_SET:
		zoo_set_op_init(zop, op->path, bytes(op->data), (int)op->len,
				op->version, stat);
		break;
	case ZKFS_ZK_OP_DELETE:
		zoo_delete_op_init(zop, op->path, op->version);
		break;
	case ZKFS_ZK_OP_CHECK:
		zoo_check_op_init(zop, op->path, op->version);
		break;
	}
}

/* Room for the created path; the sequence number may gain a sign. */
static size_t name_room(const struct zkfs_zk_op *op)
{
	return op->kind == ZKFS_ZK_OP_CREATE
		       ? strlen(op->path) + SEQUENCE_DIGITS + 2
		       : 0;
}

static size_t multi_room(const struct zkfs_zk_req *req)
{
	size_t room =
		req->n_ops * (sizeof(zoo_op_result_t) + sizeof(struct Stat));

	for (size_t i = 0; i < req->n_ops; i++)
		room += name_room(&req->ops[i]);
	return room;
}

static int send_multi(zhandle_t *zh, struct call *call,
		      const struct zkfs_zk_req *req)
{
	zkfs_autofree zoo_op_t *zops = calloc(req->n_ops, sizeof(*zops));
	char *names;

	if (!zops)
		return ZSYSTEMERROR;
	call->stats = (struct Stat *)(call + 1);
	call->results = (zoo_op_result_t *)(call->stats + req->n_ops);
	names = (char *)(call->results + req->n_ops);
	for (size_t i = 0; i < req->n_ops; i++) {
		size_t room = name_room(&req->ops[i]);

		fill_op(&req->ops[i], &call->stats[i], names, room, &zops[i]);
		names += room;
	}
	return zoo_amulti(zh, (int)req->n_ops, zops, call->results, on_multi,
			  call);
}

static int send_one(zhandle_t *zh, struct call *call,
		    const struct zkfs_zk_req *req)
{
	watcher_fn watcher = call->half ? zkfs_call_watcher : NULL;
	void *ctx = call->zk;

	switch (req->kind) {
	case ZKFS_ZK_EXISTS:
		return zoo_awexists(zh, req->path, watcher, ctx, on_stat, call);
	case ZKFS_ZK_GET:
		return zoo_awget(zh, req->path, watcher, ctx, on_data, call);
	case ZKFS_ZK_CHILDREN:
		return zoo_awget_children2(zh, req->path, watcher, ctx,
					   on_children, call);
	case ZKFS_ZK_SET:
		return zoo_aset(zh, req->path, bytes(req->data), (int)req->len,
				req->version, on_stat, call);
	case ZKFS_ZK_DELETE:
		return zoo_adelete(zh, req->path, req->version, on_void, call);
	case ZKFS_ZK_MULTI:
		return send_multi(zh, call, req);
	case ZKFS_ZK_SYNC:
		return zoo_async(zh, req->path, on_string, call);
	case _ZKFS_ZK_KIND_N:
		break;
	}
	return ZBADARGUMENTS;
}

/* The library refused a request at the door. */
static void refused(struct zkfs_zk *zk, struct call *call, int rc)
{
	struct zkfs_zk_req *req = call->req;
	enum zkfs_error error;
	enum zkfs_retry retry =
		zkfs_retry_decide(call->kind, rc, false, &error);

	if (rc == ZSYSTEMERROR || rc == ZMARSHALLINGERROR) {
		/* Out of memory, and who knows how far it came: perhaps the
		 * completion is registered. Leave the record on the books, and
		 * give the connection up, so that what is registered is called;
		 * the rest goes with the handle. */
		zkfs_call_detach(req);
		zk->cut = true;
	} else {
		call_end(call, false);
		free(call);
	}
	if (retry == ZKFS_RETRY_AGAIN)
		zkfs_outbox_again(&zk->outbox, req);
	else
		zkfs_outbox_decide(&zk->outbox, req, error);
}

static void hand_over(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	size_t extra = req->kind == ZKFS_ZK_MULTI ? multi_room(req) : 0;
	size_t size = zkfs_size_request(req, zk->chroot_len);
	struct call *call = call_new(zk, req->kind, size, extra);
	int rc;

	zkfs_outbox_take(&zk->outbox, req);
	if (!call) {
		zkfs_outbox_decide(&zk->outbox, req, ZKFS_E_NOMEM);
		return;
	}
	call->req = req;
	req->call = call;
	if (req->watch)
		call->half = zkfs_watch_reserve(&zk->watches, req->path,
						req->kind == ZKFS_ZK_CHILDREN
							? ZKFS_WATCH_CHILD
							: ZKFS_WATCH_DATA);
	rc = send_one(zk->zh, call, req);
	if (rc != ZOK)
		refused(zk, call, rc);
}

/* One idle watch less, if there are too many. */
static bool send_removal(struct zkfs_zk *zk)
{
	struct zkfs_watch_half *half = zkfs_watch_victim(&zk->watches);
	/* The library declares a pointer to a function pointer, and takes the
	 * function itself (zookeeper.c, aremove_watches()). */
	union {
		void_completion_t function;
		void_completion_t *declared;
	} completion = {.function = on_removed};
	struct call *call;
	int rc;

	if (!half)
		return false;
	call = call_new(zk, ZKFS_ZK_SYNC, strlen(zkfs_watch_path(half)), 0);
	if (!call) {
		zkfs_watch_removed(&zk->watches, half, false);
		return false;
	}
	call->half = half;
	rc = zoo_aremove_all_watches(zk->zh, zkfs_watch_path(half),
				     half->kind == ZKFS_WATCH_CHILD
					     ? ZWATCHTYPE_CHILD
					     : ZWATCHTYPE_DATA,
				     0, completion.declared, call);
	if (rc == ZSYSTEMERROR || rc == ZMARSHALLINGERROR)
		zk->cut = true; /* as in refused() */
	else if (rc != ZOK)
		on_removed(rc, call);
	return rc == ZOK;
}

static bool has_room(const struct zkfs_zk *zk)
{
	return zkfs_session_usable(zk) && zk->n_calls < ZKFS_CALLS_MAX &&
	       zk->calls_bytes < ZKFS_CALLS_BYTES_MAX;
}

bool zkfs_call_ready(const struct zkfs_zk *zk)
{
	return has_room(zk) && zkfs_outbox_first(&zk->outbox);
}

void zkfs_call_pump(struct zkfs_zk *zk)
{
	while (has_room(zk)) {
		struct zkfs_zk_req *req = zkfs_outbox_first(&zk->outbox);

		if (req)
			hand_over(zk, req);
		else if (!send_removal(zk))
			break;
		/* A failed send closes the socket and tells nobody
		 * (zookeeper.c, nonblocking_send()). */
		if (zoo_state(zk->zh) != ZOO_CONNECTED_STATE) {
			zk->torn = true;
			zk->interest_ms = 0;
		}
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
		zkfs_autofree struct call *call = call_of(link);
		struct zkfs_zk_reply reply = {0};

		finish(call, ZCLOSING, &reply);
	}
}
