/*
 * poll: see poll.h.
 */
#include "fs/ops/poll.h"

#include <errno.h>
#include <poll.h>

#include "fs/base/util.h"
#include "fs/ops/change.h"
#include "fs/ops/file.h"
#include "fs/ops/flock.h"
#include "fs/ops/handle.h"
#include "fs/ops/heartbeat.h"
#include "fs/ops/hold.h"
#include "fs/ops/reply.h"

#define READY (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)
/* Readable too: a read ends at once, with EIO. */
#define LOST (READY | POLLERR | POLLHUP)

static struct zkfs_file *file_of(struct zkfs_handle *handle)
{
	return handle->kind == ZKFS_HANDLE_FILE ? zkfs_file_of(handle) : NULL;
}

static bool has_changed(struct zkfs_handle *handle)
{
	struct zkfs_file *file = file_of(handle);

	return file && zkfs_change_seen(file);
}

static unsigned events_of(const struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	if (handle->kind == ZKFS_HANDLE_LOCK && zkfs_hold_broken(handle))
		return LOST;
	if (zkfs_flock_broken(fs, handle->fh))
		return LOST;
	if (zkfs_flock_waits(fs, handle->fh))
		return 0;
	return has_changed(handle) ? READY | POLLPRI | POLLERR : READY;
}

void zkfs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	       struct fuse_pollhandle *ph)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_handle *handle;
	struct zkfs_file *file;

	zkfs_heartbeat_check(fs);
	handle = zkfs_handle_any(fs, fi->fh);
	if (!handle) {
		fuse_pollhandle_destroy(ph);
		zkfs_reply_now(req, ZKFS_OP_POLL, -EBADF);
		return;
	}
	if (ph) {
		fuse_pollhandle_destroy(handle->poll);
		handle->poll = ph;
	}
	file = file_of(handle);
	if (file)
		zkfs_change_polled(file);
	zkfs_reply_poll_now(req, events_of(fs, handle));
}

void zkfs_poll_wake(const struct zkfs_fs *fs, uint64_t fh)
{
	struct zkfs_handle *handle = zkfs_handle_any(fs, fh);
	struct fuse_pollhandle *ph;

	if (!handle || !handle->poll)
		return;
	ph = zkfs_steal(&handle->poll);
	(void)fuse_lowlevel_notify_poll(ph);
	fuse_pollhandle_destroy(ph);
}
