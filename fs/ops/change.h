/*
 * change: poll(2) tells who has a file open for reading that it has changed:
 * POLLPRI | POLLERR, as sysfs does, until it is read again from its beginning,
 * which then shows the newest version. (Without a poll a descriptor keeps the
 * version that it has opened.)
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
/* Reads it anew, and answers the READ from the beginning. */
void zkfs_change_reread(fuse_req_t req, fuse_ino_t ino, size_t size,
			struct zkfs_file *file);

#endif
