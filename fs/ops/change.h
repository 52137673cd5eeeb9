/*
 * change: poll(2) tells who has a file open for reading that it has changed:
 * POLLPRI | POLLERR, as sysfs does, until it is read again from its beginning,
 * which then shows the newest version. (Without a poll a descriptor keeps the
 * version that it has opened.)
 *
 * Who has read to the end, and is told by fstat(2) that there is more, as
 * tail -f is, reads on if what is new was only appended: all that it has read
 * is then the beginning of the newer version, too, and no read is torn.
 */
#ifndef ZKFS_OPS_CHANGE_H
#define ZKFS_OPS_CHANGE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/file.h"

/* Somebody polls the file: from here on it is watched. */
void zkfs_change_polled(struct zkfs_file *file);
/* Whether it has changed since it was opened, or read anew. */
bool zkfs_change_seen(const struct zkfs_file *file);
/* The file's watch has fired. */
void zkfs_change_fired(struct zkfs_file *file, enum zkfs_zk_event event);
/* Whether a READ at `off` is at the end, and the file is known to have grown
 * since it was opened. */
bool zkfs_change_grown(const struct zkfs_file *file, size_t off);
/* Reads it anew, and answers the READ at `off`, which is 0, or the end of a
 * file that has grown. */
void zkfs_change_reread(fuse_req_t req, fuse_ino_t ino, size_t size, size_t off,
			struct zkfs_file *file);

#endif
