/* port: what include/zkfs/zk.h promises, in terms of outbox, call and watch. */
#include "include/zkfs/zk.h"

#include <assert.h>

#include "fs/base/list.h"
#include "fs/zk/call.h"
#include "fs/zk/private.h"
#include "fs/zk/send.h"
#include "fs/zk/size.h"

void zkfs_zk_submit(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	size_t failed;
	enum zkfs_error error;

	assert(req->done && !zk->closing);
	assert(!req->watch || !req->watch->live);
	assert(!req->watch || req->kind == ZKFS_ZK_EXISTS ||
	       req->kind == ZKFS_ZK_GET || req->kind == ZKFS_ZK_CHILDREN);
	zkfs_outbox_add(&zk->outbox, req);
	error = zkfs_call_check(zk, req, &failed);
	if (error == ZKFS_E_OK && !zkfs_session_serves(zk, req->generation))
		error = ZKFS_E_EXPIRED;
	if (error == ZKFS_E_OK && req->connection != 0 &&
	    req->connection != zk->connection)
		error = ZKFS_E_UNSENT;
	if (error == ZKFS_E_OK && zk->state == ZKFS_SESSION_REFUSED)
		error = ZKFS_E_AUTHFAILED;
	if (error != ZKFS_E_OK)
		zkfs_outbox_decide(&zk->outbox, req, error);
}

void zkfs_zk_push(struct zkfs_zk *zk)
{
	zkfs_send_pump(zk);
}

void zkfs_zk_cancel(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	(void)zk;
	if (!req->active)
		return;
	req->active = false;
	zkfs_list_remove(&req->link);
	zkfs_call_detach(req);
}

void zkfs_zk_unwatch(struct zkfs_zk *zk, struct zkfs_zk_watch *watch)
{
	zkfs_watch_leave(&zk->watches, watch);
}

bool zkfs_zk_watches_scarce(const struct zkfs_zk *zk)
{
	return zk->watches.bytes > zk->watches.budget / 2;
}

bool zkfs_zk_connected(const struct zkfs_zk *zk)
{
	return zkfs_session_usable(zk);
}

uint64_t zkfs_zk_connection(const struct zkfs_zk *zk)
{
	return zk->connection;
}

uint64_t zkfs_zk_generation(const struct zkfs_zk *zk)
{
	return zk->generation;
}

int64_t zkfs_zk_session_id(const struct zkfs_zk *zk)
{
	return zk->session_id;
}

int64_t zkfs_zk_timeout_ms(const struct zkfs_zk *zk)
{
	return zk->timeout_ms;
}

int64_t zkfs_zk_begun_ms(const struct zkfs_zk *zk)
{
	return zk->begun_ms;
}

size_t zkfs_zk_data_max(const struct zkfs_zk *zk, const char *path)
{
	return zkfs_size_data_max(path, zk->chroot_len);
}

void zkfs_zk_listen(struct zkfs_zk *zk, struct zkfs_zk_listener *listener)
{
	zkfs_list_append(&zk->listeners, &listener->link);
}

void zkfs_zk_unlisten(struct zkfs_zk *zk, struct zkfs_zk_listener *listener)
{
	(void)zk;
	zkfs_list_remove(&listener->link);
}
