/*
 * snapshot: collects how the mount stands, for the control files and the log.
 */
#ifndef ZKFS_OPS_SNAPSHOT_H
#define ZKFS_OPS_SNAPSHOT_H

#include "fs/base/text.h"
#include "fs/core/status.h"
#include "fs/ops/reply.h"

/* Prints the mount's status as it is now; the request `asker`, if there is one,
 * is no part of it. Returns 0 or -ENOMEM; the text is the caller's to free in
 * either case. */
int zkfs_snapshot_print(struct zkfs_fs *fs, const struct zkfs_op *asker,
			void (*print)(struct zkfs_text *text,
				      const struct zkfs_status *status,
				      const struct zkfs_metrics *metrics),
			struct zkfs_text *text);
/* The lines of the control file `status`, into the log. */
void zkfs_snapshot_log(struct zkfs_fs *fs);

#endif
