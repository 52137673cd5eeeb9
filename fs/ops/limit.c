/*
 * limit: see limit.h.
 */
#include "fs/ops/limit.h"

#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"

/* Who runs into a limit does so again and again. */
#define TELL_EACH_MS 60000

static void tell(struct zkfs_fs *fs, enum zkfs_limit limit)
{
	int64_t now_ms = zkfs_clock_ms();

	if (fs->told_of_limit_ms[limit] &&
	    now_ms - fs->told_of_limit_ms[limit] < TELL_EACH_MS)
		return;
	fs->told_of_limit_ms[limit] = now_ms;
	zkfs_warning("the limit %s=%zu is reached: %s; so is all that goes "
		     "beyond it, until some is given back",
		     zkfs_limit_option(limit),
		     zkfs_limit_number(&fs->config.limits, limit),
		     strerror(-zkfs_limit_error(limit)));
}

int zkfs_limit_bind(struct zkfs_fs *fs, fuse_req_t req,
		    struct zkfs_charge *charge)
{
	return zkfs_quota_bind(&fs->quota, charge, fuse_req_ctx(req)->uid);
}

/* The quota says which errno; the limit that has counted it is the one. */
int zkfs_limit_charge(struct zkfs_fs *fs, struct zkfs_charge *charge,
		      enum zkfs_quota_kind kind, size_t n)
{
	enum zkfs_limit limit = _ZKFS_LIMIT_N;
	int error = zkfs_quota_charge(&fs->quota, charge, kind, n, &limit);

	if (error)
		tell(fs, limit);
	return error;
}

int zkfs_limit_check(struct zkfs_fs *fs, enum zkfs_limit limit, size_t n)
{
	if (n <= zkfs_limit_number(&fs->config.limits, limit))
		return 0;
	tell(fs, limit);
	return zkfs_quota_refused(&fs->quota, limit);
}
