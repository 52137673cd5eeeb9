/* send: see send.h. */
#include "fs/zk/send.h"

#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/zk/acl.h"
#include "fs/zk/call.h"
#include "fs/zk/completion.h"
#include "fs/zk/guard.h"
#include "fs/zk/private.h"
#include "fs/zk/retry.h"
#include "fs/zk/size.h"

/* Empty data, not null: the library sends null for a NULL pointer. */
static const char *bytes(const void *data)
{
	return data ? data : "";
}

/* Where the library puts the results of an operation, and what it reads from
 * while it is handed over. */
struct op_room {
	struct Stat *stat;
	char *name;
	size_t name_len;
	struct ACL_vector *acl;
	struct ACL *entries;
};

static const struct ACL_vector *op_acl(const struct zkfs_zk_op *op,
				       const struct op_room *room)
{
	if (!op->acl)
		return &ZOO_OPEN_ACL_UNSAFE;
	zkfs_acl_view(op->acl, op->acl_len, room->entries);
	room->acl->data = room->entries;
	room->acl->count = (int32_t)zkfs_acl_count(op->acl, op->acl_len);
	return room->acl;
}

static void fill_op(const struct zkfs_zk_op *op, const struct op_room *room,
		    zoo_op_t *zop)
{
	switch (op->kind) {
	case ZKFS_ZK_OP_CREATE:
		zoo_create_op_init(zop, op->path, bytes(op->data), (int)op->len,
				   op_acl(op, room), op->flags, room->name,
				   (int)room->name_len);
		break;
	case ZKFS_ZK_OP_SET:
		zoo_set_op_init(zop, op->path, bytes(op->data), (int)op->len,
				op->version, room->stat);
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
		       ? strlen(op->path) + ZKFS_CALL_DIGITS + 2
		       : 0;
}

static size_t n_entries(const struct zkfs_zk_op *op)
{
	return op->acl ? zkfs_acl_count(op->acl, op->acl_len) : 0;
}

/* What send_multi() puts behind the record, in one allocation with it. */
static size_t multi_room(const struct zkfs_zk_req *req)
{
	size_t room = req->n_ops *
		      (sizeof(zoo_op_t) + sizeof(struct Stat) +
		       sizeof(zoo_op_result_t) + sizeof(struct ACL_vector));

	for (size_t i = 0; i < req->n_ops; i++)
		room += name_room(&req->ops[i]) +
			n_entries(&req->ops[i]) * sizeof(struct ACL);
	return room;
}

/* What is put behind the record of any request. */
static size_t room_behind(const struct zkfs_zk_req *req)
{
	if (req->kind == ZKFS_ZK_MULTI)
		return multi_room(req);
	if (req->kind == ZKFS_ZK_SET_ACL)
		return zkfs_acl_count(req->data, req->len) * sizeof(struct ACL);
	return 0;
}

static int send_multi(zhandle_t *zh, struct zkfs_call *call,
		      const struct zkfs_zk_req *req)
{
	zoo_op_t *zops = (zoo_op_t *)(call + 1);
	struct op_room room;

	/* What needs no alignment comes last. */
	call->stats = (struct Stat *)(zops + req->n_ops);
	call->results = (zoo_op_result_t *)(call->stats + req->n_ops);
	room.stat = call->stats;
	room.acl = (struct ACL_vector *)(call->results + req->n_ops);
	room.entries = (struct ACL *)(room.acl + req->n_ops);
	room.name = (char *)room.entries;
	for (size_t i = 0; i < req->n_ops; i++)
		room.name += n_entries(&req->ops[i]) * sizeof(struct ACL);
	for (size_t i = 0; i < req->n_ops; i++) {
		room.name_len = name_room(&req->ops[i]);
		fill_op(&req->ops[i], &room, &zops[i]);
		room.stat++;
		room.acl++;
		room.entries += n_entries(&req->ops[i]);
		room.name += room.name_len;
	}
	return zoo_amulti(zh, (int)req->n_ops, zops, call->results,
			  zkfs_completion_multi, call);
}

static int send_acl(zhandle_t *zh, struct zkfs_call *call,
		    const struct zkfs_zk_req *req)
{
	struct ACL *entries = (struct ACL *)(call + 1);
	struct ACL_vector acl = {
		.count = (int32_t)zkfs_acl_count(req->data, req->len),
		.data = entries};

	zkfs_acl_view(req->data, req->len, entries);
	return zoo_aset_acl(zh, req->path, req->version, &acl,
			    zkfs_completion_void, call);
}

static int send_one(zhandle_t *zh, struct zkfs_call *call,
		    const struct zkfs_zk_req *req)
{
	watcher_fn watcher = call->half ? zkfs_completion_watcher : NULL;
	void *ctx = call->zk;

	switch (req->kind) {
	case ZKFS_ZK_EXISTS:
		return zoo_awexists(zh, req->path, watcher, ctx,
				    zkfs_completion_stat, call);
	case ZKFS_ZK_GET:
		return zoo_awget(zh, req->path, watcher, ctx,
				 zkfs_completion_data, call);
	case ZKFS_ZK_CHILDREN:
		return zoo_awget_children2(zh, req->path, watcher, ctx,
					   zkfs_completion_children, call);
	case ZKFS_ZK_GET_ACL:
		return zoo_aget_acl(zh, req->path, zkfs_completion_acl, call);
	case ZKFS_ZK_SET:
		return zoo_aset(zh, req->path, bytes(req->data), (int)req->len,
				req->version, zkfs_completion_stat, call);
	case ZKFS_ZK_SET_ACL:
		return send_acl(zh, call, req);
	case ZKFS_ZK_DELETE:
		return zoo_adelete(zh, req->path, req->version,
				   zkfs_completion_void, call);
	case ZKFS_ZK_MULTI:
		return send_multi(zh, call, req);
	case ZKFS_ZK_SYNC:
		return zoo_async(zh, req->path, zkfs_completion_string, call);
	case _ZKFS_ZK_KIND_N:
		break;
	}
	return ZBADARGUMENTS;
}

/* The library refused a request at the door. */
static void refused(struct zkfs_zk *zk, struct zkfs_call *call, int rc)
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
		zkfs_call_end(call, false);
		free(call);
	}
	if (retry == ZKFS_RETRY_AGAIN)
		zkfs_outbox_again(&zk->outbox, req);
	else
		zkfs_outbox_decide(&zk->outbox, req, error);
}

static void hand_over(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	size_t extra = room_behind(req);
	size_t size = zkfs_size_request(req, zk->chroot_len);
	struct zkfs_call *call = zkfs_call_new(zk, req->kind, size, extra);
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
	if (req->watch && !call->half)
		zk->metrics.watches_refused++;
	zk->metrics.sent_bytes += size;
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
	} completion = {.function = zkfs_completion_removed};
	struct zkfs_call *call;
	int rc;

	if (!half)
		return false;
	call = zkfs_call_new(zk, ZKFS_ZK_SYNC, strlen(zkfs_watch_path(half)),
			     0);
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
		zkfs_completion_removed(rc, call);
	return rc == ZOK;
}

static bool has_room(const struct zkfs_zk *zk)
{
	return zkfs_session_usable(zk) && zk->n_calls < ZKFS_CALLS_MAX &&
	       zk->calls_bytes < ZKFS_CALLS_BYTES_MAX;
}

bool zkfs_send_ready(const struct zkfs_zk *zk)
{
	return has_room(zk) && zkfs_outbox_first(&zk->outbox);
}

static void send_all(struct zkfs_zk *zk)
{
	while (has_room(zk)) {
		struct zkfs_zk_req *req = zkfs_outbox_first(&zk->outbox);
		bool removed = send_removal(zk);

		/* In turns, so that neither starves under load. */
		if (req && zkfs_session_usable(zk))
			hand_over(zk, req);
		else if (!removed)
			break;
		/* A failed send closes the socket and tells nobody
		 * (zookeeper.c, nonblocking_send()). */
		if (zoo_state(zk->zh) != ZOO_CONNECTED_STATE) {
			zk->torn = true;
			zk->interest_ms = 0;
		}
	}
}

void zkfs_send_pump(struct zkfs_zk *zk)
{
	/* All requests of one turn wake the server once. */
	zkfs_guard_hold(zk->fd);
	send_all(zk);
	if (!zkfs_guard_flush(zk->fd))
		zk->cut = true;
}
