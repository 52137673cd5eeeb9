/*
 * poll: poll(2), select(2) and epoll(7) on open files. A handle is readable and
 * writable at once, but for these:
 *
 *   a lock is waited for in the background (ops/flock): not until it is ours
 *   a lock that was held or waited for through it is lost: POLLERR | POLLHUP
 *
 *   a file has changed (ops/change): POLLPRI | POLLERR besides
 *
 * The kernel asks, and again after each zkfs_poll_wake().
 */
#ifndef ZKFS_OPS_POLL_H
#define ZKFS_OPS_POLL_H

#include <fuse_lowlevel.h>

#include "fs/ops/fs.h"

void zkfs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	       struct fuse_pollhandle *ph);
/* What zkfs_poll() answers may have changed for this handle. */
void zkfs_poll_wake(const struct zkfs_fs *fs, uint64_t fh);

#endif
