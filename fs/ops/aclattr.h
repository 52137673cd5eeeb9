/*
 * aclattr: user.zk.acl, the ACL of a znode as text (core/acltext). It is in no
 * list of attributes: asking for it costs a request of its own and a right of
 * its own, and `cp -a` would copy it with the rest.
 *
 * Setting it rests on what was read: the mount remembers which version of the
 * ACL it has shown of a path last, and if that was changed since, nothing is
 * set and the answer is ESTALE. What was never shown is set whatever it is.
 */
#ifndef ZKFS_OPS_ACLATTR_H
#define ZKFS_OPS_ACLATTR_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many ACLs it is remembered of that they were shown. */
#define ZKFS_ACLATTR_SHOWN 64

struct zkfs_fs;

struct zkfs_aclattr {
	struct zkfs_acl_shown {
		char *path; /* or NULL */
		int64_t czxid;
		int32_t version;
	} shown[ZKFS_ACLATTR_SHOWN];
	size_t next; /* whose place is given to another */
};

void zkfs_aclattr_fini(struct zkfs_aclattr *aclattr);

bool zkfs_aclattr_known(const char *name);
void zkfs_aclattr_get(fuse_req_t req, fuse_ino_t ino, size_t size);
void zkfs_aclattr_set(fuse_req_t req, fuse_ino_t ino, const char *value,
		      size_t size, int flags);

#endif
