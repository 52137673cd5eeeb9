/*
 * xattr: see xattr.h. Names that are not ours are answered at once, from
 * nothing: the kernel and `ls -l` ask for security.* and system.* all the time.
 * Those get EOPNOTSUPP, upon which `ls -l` asks for one file and not for each
 * (coreutils, getfilecon_cache() and file_has_acl_cache()); the kernel takes it
 * for "none" (get_vfs_caps_from_disk()). ENOSYS would switch all extended
 * attributes off for the whole mount.
 */
#include "fs/ops/xattr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/core/xattrs.h"
#include "fs/ops/aclattr.h"
#include "fs/ops/lockattr.h"
#include "fs/ops/reply.h"

/* Name spaces of which there is nothing on any znode. */
static const char *const foreign[] = {"security.", "system."};

/* Of the mount, and the same on each file: the session's timeout in ms. As it
 * tells nothing of the file it is in no list. */
#define TIMEOUT "user.zk.timeout"

/* For how many seconds what is shown may have been otherwise (-o stale); none
 * where it is current. */
#define STALE "user.zk.stale"

/* Longest value: a path, which fits a request. */
#define VALUE_MAX (64 * 1024)

struct xattr_op {
	struct zkfs_op op;
	char *attribute;
	size_t size; /* 0: the length is asked for */
};

static bool is_foreign(const char *name)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(foreign); i++)
		if (strncmp(name, foreign[i], strlen(foreign[i])) == 0)
			return true;
	return false;
}

static bool is_ours(const char *name)
{
	return strcmp(name, TIMEOUT) == 0 || strcmp(name, STALE) == 0 ||
	       zkfs_xattrs_known(name) || zkfs_aclattr_known(name) ||
	       zkfs_lockattr_known(name);
}

static void xattr_fini(struct zkfs_op *op)
{
	free(zkfs_container_of(op, struct xattr_op, op)->attribute);
}

static void answer_stat(struct xattr_op *xattr, const struct zkfs_stat *stat)
{
	zkfs_autofree char *value = malloc(VALUE_MAX);
	ssize_t len;

	if (!value) {
		zkfs_reply_error(xattr, -ENOMEM);
		return;
	}
	len = zkfs_xattrs_get(xattr->attribute, xattr->op.path, stat, value,
			      VALUE_MAX);
	if (len < 0)
		zkfs_reply_error(xattr, (int)len);
	else
		zkfs_reply_xattr(xattr, value, (size_t)len, xattr->size);
}

static void on_stat(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct xattr_op *xattr =
		zkfs_container_of(zkfs_op_from_zk(req), struct xattr_op, op);

	if (reply->error == ZKFS_E_NONODE)
		zkfs_reply_error(xattr, -ESTALE);
	else if (reply->error)
		zkfs_reply_zk_error(xattr, reply->error);
	else
		answer_stat(xattr, reply->stat);
}

static void get_timeout(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_GETXATTR, ino, sizeof(*op));
	char value[24];
	int len;

	if (!op)
		return;
	len = snprintf(value, sizeof(value), "%lld",
		       (long long)zkfs_zk_timeout_ms(op->fs->zk));
	zkfs_reply_xattr(op, value, (size_t)len, size);
}

static void get_stale(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_GETXATTR, ino, sizeof(*op));
	int64_t seconds;
	char value[24];
	int len;

	if (!op)
		return;
	seconds = zkfs_cache_stale_s(op->fs, op->node);
	if (seconds < 0) {
		zkfs_reply_error(op, -ENODATA);
		return;
	}
	len = snprintf(value, sizeof(value), "%lld", (long long)seconds);
	zkfs_reply_xattr(op, value, (size_t)len, size);
}

void zkfs_xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
		    size_t size)
{
	struct xattr_op *xattr;

	if (strcmp(name, TIMEOUT) == 0) {
		get_timeout(req, ino, size);
		return;
	}
	if (strcmp(name, STALE) == 0) {
		get_stale(req, ino, size);
		return;
	}
	if (zkfs_lockattr_known(name)) {
		zkfs_lockattr_get(req, ino, name, size);
		return;
	}
	if (zkfs_aclattr_known(name)) {
		zkfs_aclattr_get(req, ino, size);
		return;
	}
	if (!zkfs_xattrs_known(name)) {
		zkfs_reply_now(req, ZKFS_OP_GETXATTR,
			       is_foreign(name) ? -EOPNOTSUPP : -ENODATA);
		return;
	}
	xattr = zkfs_op_new(req, ZKFS_OP_GETXATTR, ino, sizeof(*xattr));
	if (!xattr)
		return;
	xattr->op.fini = xattr_fini;
	xattr->size = size;
	if (zkfs_attr_in_lock(xattr->op.node->type)) {
		zkfs_reply_error(xattr, -ENODATA);
		return;
	}
	if (!zkfs_op_path(&xattr->op, NULL))
		return;
	xattr->attribute = strdup(name);
	if (!xattr->attribute) {
		zkfs_reply_error(xattr, -ENOMEM);
		return;
	}
	if (zkfs_cache_stale_s(xattr->op.fs, xattr->op.node) >= 0) {
		answer_stat(xattr, &xattr->op.node->stat);
		return;
	}
	xattr->op.zk.kind = ZKFS_ZK_EXISTS;
	(void)zkfs_op_submit(&xattr->op, zkfs_fs_patience(xattr->op.fs),
			     on_stat);
}

void zkfs_xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_LISTXATTR, ino, sizeof(*op));
	const char *list;
	size_t len;

	if (!op)
		return;
	list = zkfs_attr_in_lock(op->node->type) ? zkfs_lockattr_list(&len)
						 : zkfs_xattrs_list(&len);
	zkfs_reply_xattr(op, list, len, size);
}

/* Of ZooKeeper's own attributes as of chmod(2): there is nothing to set, and
 * `rsync -X` and `tar --xattrs`, which have read them, need not fail. Else
 * EOPNOTSUPP and not EPERM: `cp -a` then goes on without a word. */
static int set_error(fuse_req_t req, const char *name)
{
	if (!zkfs_xattrs_known(name))
		return -EOPNOTSUPP;
	return zkfs_fs_of(req)->config.strict ? -EPERM : 0;
}

void zkfs_xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
		    const char *value, size_t size, int flags)
{
	if (zkfs_aclattr_known(name))
		zkfs_aclattr_set(req, ino, value, size, flags);
	else
		zkfs_reply_now(req, ZKFS_OP_SETXATTR, set_error(req, name));
}

void zkfs_xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	zkfs_reply_now(req, ZKFS_OP_REMOVEXATTR,
		       is_ours(name) ? -EOPNOTSUPP : -ENODATA);
}
