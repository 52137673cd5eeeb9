/*
 * lost: see lost.h.
 */
#include "fs/ops/lost.h"

#include <errno.h>

#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/reply.h"

static void on_looked(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_lost *lost = zkfs_container_of(req, struct zkfs_lost, req);
	bool known = !reply->error || reply->error == ZKFS_E_NONODE;

	lost->found(lost, known, reply->stat);
}

static void on_synced(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_lost *lost = zkfs_container_of(req, struct zkfs_lost, req);

	if (reply->error) {
		lost->found(lost, false, NULL);
		return;
	}
	req->kind = ZKFS_ZK_EXISTS;
	req->done = on_looked;
	zkfs_zk_submit(lost->fs->zk, req);
}

void zkfs_lost_look(struct zkfs_lost *lost, struct zkfs_fs *fs,
		    const char *path, int64_t deadline_ms,
		    void (*found)(struct zkfs_lost *lost, bool known,
				  const struct zkfs_stat *stat))
{
	lost->fs = fs;
	lost->found = found;
	lost->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_SYNC,
		.path = path,
		.deadline_ms = deadline_ms,
		.done = on_synced,
	};
	zkfs_zk_submit(fs->zk, &lost->req);
}

void zkfs_lost_reply(void *ptr, const char *path)
{
	const struct zkfs_op *op = ptr;

	zkfs_warning("%s of \"%s\": whether it was done cannot be known: the "
		     "server's answer was lost; the caller gets EIO",
		     zkfs_op_name(op->kind), path);
	zkfs_reply_error(ptr, -EIO);
}

void zkfs_lost_cancel(struct zkfs_lost *lost)
{
	if (lost->fs)
		zkfs_zk_cancel(lost->fs->zk, &lost->req);
}
