/*
 * aclattr: see aclattr.h.
 */
#include "fs/ops/aclattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/base/clock.h"
#include "fs/base/text.h"
#include "fs/base/util.h"
#include "fs/core/acltext.h"
#include "fs/ops/owner.h"
#include "fs/ops/reply.h"

#define ACL "user.zk.acl"

struct acl_op {
	struct zkfs_op op;
	size_t size; /* get: of the caller's buffer */
	char *acl;   /* set: what to set, as the port has it */
	size_t acl_len;
	int32_t version;	  /* and over what */
	struct zkfs_zk_req again; /* what comes behind a sync */
};

bool zkfs_aclattr_known(const char *name)
{
	return strcmp(name, ACL) == 0;
}

/* What was shown */

static struct zkfs_acl_shown *find_shown(const struct zkfs_op *op)
{
	struct zkfs_aclattr *aclattr = &op->fs->aclattr;

	for (size_t i = 0; i < ZKFS_ACLATTR_SHOWN; i++) {
		struct zkfs_acl_shown *shown = &aclattr->shown[i];

		if (shown->path && shown->czxid == op->node->czxid &&
		    strcmp(shown->path, op->path) == 0)
			return shown;
	}
	return NULL;
}

/* False without memory: a version that is not known is not checked. */
static bool note_shown(const struct zkfs_op *op, int32_t version)
{
	struct zkfs_aclattr *aclattr = &op->fs->aclattr;
	struct zkfs_acl_shown *shown = find_shown(op);
	char *path;

	if (!shown) {
		path = strdup(op->path);
		if (!path)
			return false;
		shown = &aclattr->shown[aclattr->next++ % ZKFS_ACLATTR_SHOWN];
		free(shown->path);
		shown->path = path;
		shown->czxid = op->node->czxid;
	}
	shown->version = version;
	return true;
}

void zkfs_aclattr_fini(struct zkfs_aclattr *aclattr)
{
	for (size_t i = 0; i < ZKFS_ACLATTR_SHOWN; i++)
		free(aclattr->shown[i].path);
	*aclattr = (struct zkfs_aclattr){0};
}

/* Reading */

static struct acl_op *acl_from_zk(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_op_from_zk(req), struct acl_op, op);
}

static void answer_failed(struct acl_op *acl, enum zkfs_error error)
{
	if (error == ZKFS_E_NONODE)
		zkfs_reply_error(acl, -ESTALE);
	else
		zkfs_reply_zk_error(acl, error);
}

static void on_get(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct acl_op *acl = acl_from_zk(req);
	struct zkfs_text text = {0};

	if (reply->error) {
		answer_failed(acl, reply->error);
		return;
	}
	zkfs_acltext_print(&text, reply->data, reply->len);
	/* The length alone is no ACL that anybody has seen. */
	if (acl->size > 0 && !note_shown(&acl->op, reply->stat->aversion))
		text.failed = true;
	if (text.failed)
		zkfs_reply_error(acl, -ENOMEM);
	else
		zkfs_reply_xattr(acl, text.data, text.len, acl->size);
	zkfs_text_fini(&text);
}

static void acl_fini(struct zkfs_op *op)
{
	struct acl_op *acl = zkfs_container_of(op, struct acl_op, op);

	zkfs_zk_cancel(op->fs->zk, &acl->again);
	free(acl->acl);
}

/* NULL: it was answered. */
static struct acl_op *acl_new(fuse_req_t req, enum zkfs_op_kind kind,
			      fuse_ino_t ino)
{
	struct acl_op *acl = zkfs_op_new(req, kind, ino, sizeof(*acl));

	if (!acl)
		return NULL;
	acl->op.fini = acl_fini;
	if (zkfs_attr_in_lock(acl->op.node->type)) {
		zkfs_reply_error(acl, kind == ZKFS_OP_GETXATTR ? -ENODATA
							       : -EOPNOTSUPP);
		return NULL;
	}
	return zkfs_op_path(&acl->op, NULL) ? acl : NULL;
}

void zkfs_aclattr_get(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct acl_op *acl = acl_new(req, ZKFS_OP_GETXATTR, ino);

	if (!acl)
		return;
	acl->size = size;
	acl->op.zk.kind = ZKFS_ZK_GET_ACL;
	(void)zkfs_op_submit(&acl->op, zkfs_fs_patience(acl->op.fs), on_get);
}

/* Setting */

static void submit_set(struct acl_op *acl);

static void succeed(struct acl_op *acl)
{
	if (acl->version != ZKFS_ZK_ANY_VERSION)
		(void)note_shown(&acl->op, acl->version + 1);
	zkfs_observe_own_acl(acl->op.node);
	zkfs_reply_error(acl, 0);
}

/* What the leader has, after a set of which the reply was lost. The server puts
 * others' names in the place of "auth": then it cannot be known. */
static void on_read_back(struct zkfs_zk_req *req,
			 const struct zkfs_zk_reply *reply)
{
	struct acl_op *acl = zkfs_container_of(req, struct acl_op, again);

	if (reply->error)
		zkfs_reply_error(acl, -EIO);
	else if (reply->stat->aversion == acl->version)
		submit_set(acl);
	else if (reply->len == acl->acl_len &&
		 memcmp(reply->data, acl->acl, acl->acl_len) == 0)
		succeed(acl);
	else
		zkfs_reply_error(acl, -EIO);
}

/* The two go out in this order, or the second never does. */
static void on_synced(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct acl_op *acl = acl_from_zk(req);

	if (reply->error) {
		zkfs_reply_error(acl, -EIO);
		return;
	}
	acl->again = (struct zkfs_zk_req){.kind = ZKFS_ZK_GET_ACL,
					  .path = acl->op.path,
					  .deadline_ms = acl->op.zk.deadline_ms,
					  .done = on_read_back};
	zkfs_zk_submit(acl->op.fs->zk, &acl->again);
}

static void resolve(struct acl_op *acl)
{
	struct zkfs_zk_req *req = &acl->op.zk;

	if (zkfs_clock_ms() >= req->deadline_ms) {
		zkfs_reply_error(acl, -EIO);
	} else if (acl->version == ZKFS_ZK_ANY_VERSION) {
		submit_set(acl); /* twice comes to the same */
	} else {
		req->kind = ZKFS_ZK_SYNC;
		req->done = on_synced;
		zkfs_zk_submit(acl->op.fs->zk, req);
	}
}

static void on_set(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct acl_op *acl = acl_from_zk(req);

	if (reply->error == ZKFS_E_LOST)
		resolve(acl);
	else if (reply->error)
		answer_failed(acl, reply->error);
	else
		succeed(acl);
}

static void submit_set(struct acl_op *acl)
{
	struct zkfs_zk_req *req = &acl->op.zk;

	req->kind = ZKFS_ZK_SET_ACL;
	req->data = acl->acl;
	req->len = acl->acl_len;
	req->version = acl->version;
	req->done = on_set;
	zkfs_zk_submit(acl->op.fs->zk, req);
}

void zkfs_aclattr_set(fuse_req_t req, fuse_ino_t ino, const char *value,
		      size_t size, int flags)
{
	struct acl_op *acl = acl_new(req, ZKFS_OP_SETXATTR, ino);
	const struct zkfs_acl_shown *shown;
	int error = 0;

	if (!acl)
		return;
	/* As with chmod(2): the kernel lets in all who may write the file. */
	if (!zkfs_owner_calls(&acl->op))
		error = -EPERM;
	else if (flags & XATTR_CREATE)
		error = -EEXIST; /* each znode has one */
	else
		error = zkfs_acltext_parse(value, size, &acl->acl,
					   &acl->acl_len);
	if (error) {
		zkfs_reply_error(acl, error);
		return;
	}
	shown = find_shown(&acl->op);
	acl->version = shown ? shown->version : ZKFS_ZK_ANY_VERSION;
	acl->op.zk.path = acl->op.path;
	acl->op.zk.deadline_ms = zkfs_fs_short_patience(acl->op.fs);
	submit_set(acl);
	(void)zkfs_op_park(&acl->op);
}
