/*
 * owner: see owner.h.
 */
#include "fs/ops/owner.h"

#include <unistd.h>

#include "fs/ops/reply.h"

bool zkfs_owner_calls(const struct zkfs_op *op)
{
	uid_t uid = fuse_req_ctx(op->req)->uid;

	return uid == 0 || uid == geteuid() || uid == op->fs->config.style.uid;
}

bool zkfs_owner_or(const struct zkfs_op *op, uid_t uid)
{
	return fuse_req_ctx(op->req)->uid == uid || zkfs_owner_calls(op);
}
