/*
 * acl: an access control list as bytes, which is what it is above the port: to
 * be kept and handed back unread. Each entry is its permissions (an int32_t),
 * its scheme and its id, both with their NUL.
 */
#ifndef ZKFS_ZK_ACL_H
#define ZKFS_ZK_ACL_H

#include <stddef.h>

#include <zookeeper/zookeeper.h>

/* Packs it. *ret_bytes is the caller's to free. Returns 0 or -ENOMEM, or
 * -EACCES when the server has hidden a part of it: it could not be given to
 * another znode. */
int zkfs_acl_pack(const struct ACL_vector *acl, char **ret_bytes,
		  size_t *ret_len);

/* Entries in it. */
size_t zkfs_acl_count(const void *bytes, size_t len);
/* Bytes it takes in a request. */
size_t zkfs_acl_size(const void *bytes, size_t len);
/* Unpacks it into as many `entries` as it has; strings point into `bytes`. */
void zkfs_acl_view(const void *bytes, size_t len, struct ACL *entries);

#endif
