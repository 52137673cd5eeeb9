/*
 * xattrs: the user.zk.* attributes as text: version cversion aversion czxid
 * mzxid pzxid ctime mtime ephemeralOwner dataLength numChildren path. zxids
 * and owners are hexadecimal as ZooKeeper's tools print them (0x1a), times
 * are milliseconds since 1970 in decimal, the rest decimal.
 */
#ifndef ZKFS_CORE_XATTRS_H
#define ZKFS_CORE_XATTRS_H

#include <stdbool.h>
#include <sys/types.h>

#include "include/zkfs/zk.h"

/* The list for listxattr(2): names, each with its NUL, one after another. */
const char *zkfs_xattrs_list(size_t *ret_len);
/* Whether it is one of ours, thus read-only. */
bool zkfs_xattrs_known(const char *name);
/* Writes the value (no NUL) and returns its length; -ENODATA for a name that
 * is not ours, -ERANGE when it does not fit. */
ssize_t zkfs_xattrs_get(const char *name, const char *path,
			const struct zkfs_stat *stat, char *buf, size_t len);

#endif
