/*
 * lost: a change whose reply was lost, as the connection broke, is looked for:
 * a sync, and behind it an exists. The sync goes through the leader, which by
 * then has made the change or never will, since that came by a connection that
 * is no more. What the exists finds is therefore the outcome, as far as a Stat
 * can tell.
 *
 * A change that was sent and not answered by its deadline is lost too; then
 * there is no time left to look, and it cannot be known.
 */
#ifndef ZKFS_OPS_LOST_H
#define ZKFS_OPS_LOST_H

#include <stdbool.h>

#include "fs/ops/fs.h"

struct zkfs_lost {
	struct zkfs_fs *fs;
	struct zkfs_zk_req req;
	/* Once: `known` is false when it could not be found out in time; `stat`
	 * is NULL when there is no such znode. */
	void (*found)(struct zkfs_lost *lost, bool known,
		      const struct zkfs_stat *stat);
};

/* Embedded and zeroed by the caller; `path` must stay until found() or
 * zkfs_lost_cancel(). found() is never called from in here. */
void zkfs_lost_look(struct zkfs_lost *lost, struct zkfs_fs *fs,
		    const char *path, int64_t deadline_ms,
		    void (*found)(struct zkfs_lost *lost, bool known,
				  const struct zkfs_stat *stat));
/* What became of it cannot be known: answers the op with EIO, and says so in
 * the log. */
void zkfs_lost_reply(void *op, const char *path);
/* Harmless on one that looks for nothing. */
void zkfs_lost_cancel(struct zkfs_lost *lost);

#endif
