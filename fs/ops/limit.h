/*
 * limit: what is charged to the caller of a request (core/quota), and the line
 * in the log when a limit is reached: whoever is refused sees an errno, and
 * who runs the mount wants to know which option it was.
 */
#ifndef ZKFS_OPS_LIMIT_H
#define ZKFS_OPS_LIMIT_H

#include <fuse_lowlevel.h>

#include "fs/ops/fs.h"

/* Binds a zeroed charge to the caller. Returns 0 or -ENOMEM. */
int zkfs_limit_bind(struct zkfs_fs *fs, fuse_req_t req,
		    struct zkfs_charge *charge);
/* As zkfs_quota_charge(). */
int zkfs_limit_charge(struct zkfs_fs *fs, struct zkfs_charge *charge,
		      enum zkfs_quota_kind kind, size_t n);
/* What no charge counts: 0, or the limit's errno when `n` is above it. */
int zkfs_limit_check(struct zkfs_fs *fs, enum zkfs_limit limit, size_t n);

#endif
