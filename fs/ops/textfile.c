/*
 * textfile: see textfile.h.
 */
#include "fs/ops/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"

struct text {
	struct zkfs_handle handle;
	size_t len;
	char data[];
};

void zkfs_textfile_open(struct zkfs_op *op, struct fuse_file_info *fi,
			const char *data, size_t len)
{
	struct zkfs_fs *fs = op->fs;
	struct text *text = malloc(sizeof(*text) + len);
	int error = -ENOMEM;

	if (text) {
		*text = (struct text){
			.len = len,
			.handle.nonblock = fi->flags & O_NONBLOCK,
		};
		memcpy(text->data, data, len);
		error = zkfs_handle_add(op, &text->handle, ZKFS_HANDLE_TEXT);
		if (!error)
			error = zkfs_handle_holds(fs, &text->handle, len);
	}
	if (error) {
		if (text)
			zkfs_handle_remove(fs, &text->handle);
		free(text);
		zkfs_reply_error(op, error);
		return;
	}
	fi->fh = text->handle.fh;
	fi->direct_io = 1;
	/* As of other files: the end of a process that only reads, or that
	 * holds a lock by flock(2), does not wait for us. */
	fi->noflush =
		(fi->flags & O_ACCMODE) == O_RDONLY && !op->node->tell_closes;
	if (!zkfs_reply_open(op, fi))
		zkfs_textfile_drop(fs, &text->handle);
}

void zkfs_textfile_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	struct zkfs_op *op = zkfs_op_new(req, ZKFS_OP_READ, ino, sizeof(*op));
	struct zkfs_handle *handle;
	struct text *text;
	size_t from;

	if (!op)
		return;
	handle = zkfs_handle_get(op->fs, fi->fh, ZKFS_HANDLE_TEXT);
	if (!handle) {
		zkfs_reply_error(op, -EBADF);
		return;
	}
	text = zkfs_container_of(handle, struct text, handle);
	from = zkfs_min_size((size_t)off, text->len);
	zkfs_reply_buf(op, text->data + from,
		       zkfs_min_size(size, text->len - from));
}

void zkfs_textfile_drop(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	zkfs_handle_remove(fs, handle);
	free(zkfs_container_of(handle, struct text, handle));
}
