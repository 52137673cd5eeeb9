/* size: see size.h. */
#include "fs/zk/size.h"

#include <stdint.h>
#include <string.h>

#include "fs/zk/acl.h"

#define HEADER	     8 /* xid, type */
#define INT	     4
#define BOOL	     1
#define MULTI_HEADER (INT + BOOL + INT) /* type, done, err */
/* One ACL: perms and Id("world", "anyone"), in a vector of one. */
#define OPEN_ACL (INT + INT + INT + 5 + INT + 6)

size_t zkfs_size_path(const char *path, size_t chroot_len)
{
	/* The root of a chroot is the chroot itself, not "/chroot/". */
	if (chroot_len > 0 && strcmp(path, "/") == 0)
		return chroot_len;
	return chroot_len + strlen(path);
}

/* Adds with a lid, so that a length from above cannot wrap round. */
static size_t add(size_t a, size_t b)
{
	return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t op_size(const struct zkfs_zk_op *op, size_t chroot_len)
{
	size_t size = MULTI_HEADER + INT + zkfs_size_path(op->path, chroot_len);

	switch (op->kind) {
	case ZKFS_ZK_OP_CREATE:
		size += op->acl ? zkfs_acl_size(op->acl, op->acl_len)
				: OPEN_ACL;
		return add(size + INT + INT, op->len);
	case ZKFS_ZK_OP_SET:
		return add(size + INT + INT, op->len);
	case ZKFS_ZK_OP_DELETE:
	case ZKFS_ZK_OP_CHECK:
		return size + INT;
	}
	return SIZE_MAX;
}

static size_t multi_size(const struct zkfs_zk_req *req, size_t chroot_len)
{
	size_t size = HEADER + MULTI_HEADER;

	for (size_t i = 0; i < req->n_ops; i++)
		size = add(size, op_size(&req->ops[i], chroot_len));
	return size;
}

size_t zkfs_size_request(const struct zkfs_zk_req *req, size_t chroot_len)
{
	size_t size;

	if (req->kind == ZKFS_ZK_MULTI)
		return multi_size(req, chroot_len);
	size = HEADER + INT + zkfs_size_path(req->path, chroot_len);
	switch (req->kind) {
	case ZKFS_ZK_EXISTS:
	case ZKFS_ZK_GET:
	case ZKFS_ZK_CHILDREN:
		return size + BOOL;
	case ZKFS_ZK_SET:
		return add(size + INT + INT, req->len);
	case ZKFS_ZK_SET_ACL:
		return add(size + INT, zkfs_acl_size(req->data, req->len));
	case ZKFS_ZK_DELETE:
		return size + INT;
	case ZKFS_ZK_GET_ACL:
	case ZKFS_ZK_SYNC:
		return size;
	case ZKFS_ZK_MULTI:
	case _ZKFS_ZK_KIND_N:
		break;
	}
	return SIZE_MAX;
}

size_t zkfs_size_data_max(const char *path, size_t chroot_len)
{
	struct zkfs_zk_req req = {.kind = ZKFS_ZK_SET, .path = path};
	size_t size = zkfs_size_request(&req, chroot_len);

	return size < ZKFS_SIZE_MAX ? ZKFS_SIZE_MAX - size : 0;
}
