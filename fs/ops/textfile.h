/*
 * textfile: files whose content is made at the open and read from there: the
 * entries of a lock, its .queue, the control files. Their size is said to be 0,
 * as that of the files of /proc.
 */
#ifndef ZKFS_OPS_TEXTFILE_H
#define ZKFS_OPS_TEXTFILE_H

#include <fuse_lowlevel.h>

#include "fs/ops/handle.h"
#include "fs/ops/reply.h"

/* Answers an OPEN with a handle that reads as this text; `fi` is a part of the
 * op's own, or lasts as long. */
void zkfs_textfile_open(struct zkfs_op *op, struct fuse_file_info *fi,
			const char *data, size_t len);
void zkfs_textfile_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi);
/* The handle goes. */
void zkfs_textfile_drop(struct zkfs_fs *fs, struct zkfs_handle *handle);

#endif
