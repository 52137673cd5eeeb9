/* rewrite: see rewrite.h. */
#include "fs/core/rewrite.h"

#include <errno.h>

static enum zkfs_rewrite_next failed(struct zkfs_rewrite *rewrite, int error)
{
	rewrite->error = error;
	return ZKFS_REWRITE_FAILED;
}

/* Whether the set in doubt was done. 0: no, or it is still in doubt; 1: yes;
 * -EIO: that cannot be told. */
static int resolve(struct zkfs_rewrite *rewrite, enum zkfs_error error,
		   const struct zkfs_stat *stat, bool same)
{
	if (error || stat->czxid != rewrite->czxid)
		return -EIO;
	if (stat->version == rewrite->version)
		return 0;
	if (stat->version - rewrite->version != 1)
		return -EIO;
	rewrite->doubt = false;
	return same;
}

enum zkfs_rewrite_next zkfs_rewrite_read(struct zkfs_rewrite *rewrite,
					 enum zkfs_error error,
					 const struct zkfs_stat *stat,
					 bool same, bool ours)
{
	int done = rewrite->doubt ? resolve(rewrite, error, stat, same) : 0;

	if (done < 0)
		return failed(rewrite, done);
	if (done)
		return ZKFS_REWRITE_DONE;
	if (error && error != ZKFS_E_NONODE)
		return failed(rewrite, zkfs_error_to_errno(error));
	if (error || !ours)
		return failed(rewrite, -ESTALE);
	rewrite->version = stat->version;
	rewrite->czxid = stat->czxid;
	return ZKFS_REWRITE_SET;
}

enum zkfs_rewrite_next zkfs_rewrite_set(struct zkfs_rewrite *rewrite,
					enum zkfs_error error, bool in_time)
{
	rewrite->doubt |= error == ZKFS_E_LOST;
	/* Somebody was faster, or may have been: again, on the newest. In doubt
	 * it may have been we ourselves. */
	if (error == ZKFS_E_BADVERSION || error == ZKFS_E_UNSENT ||
	    (error == ZKFS_E_LOST && in_time))
		return ZKFS_REWRITE_READ;
	if (!error)
		return ZKFS_REWRITE_DONE;
	/* This one was refused; the one before it may have been done. */
	return failed(rewrite,
		      rewrite->doubt ? -EIO : zkfs_error_to_errno(error));
}
