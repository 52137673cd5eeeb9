/*
 * queuefile: LOCK/.queue, who holds the lock and who waits for it, as a table
 * (core/queue_text). It is not listed, and what is read is the queue as it was
 * at the open.
 */
#ifndef ZKFS_OPS_QUEUEFILE_H
#define ZKFS_OPS_QUEUEFILE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

/* Whether a name in a lock is that file's. */
bool zkfs_queuefile_is(const char *name);
void zkfs_queuefile_open(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi);

#endif
