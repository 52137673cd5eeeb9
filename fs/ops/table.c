/*
 * table: the FUSE operations of the mount, and who serves them. Here it is
 * decided by what kind of thing a request speaks of; everything else knows its
 * own kind only.
 *
 * No `create`: the kernel then sends MKNOD and OPEN. An OPEN that waits for a
 * lock blocks nobody else; a CREATE that waits would hold the directory's lock
 * all the while, and with it every `ls`, look-up and create there
 * (fs/namei.c, lookup_open()).
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>

#include "fs/ops/control.h"
#include "fs/ops/dir.h"
#include "fs/ops/emit.h"
#include "fs/ops/entry.h"
#include "fs/ops/flock.h"
#include "fs/ops/hold.h"
#include "fs/ops/io.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/meta.h"
#include "fs/ops/name.h"
#include "fs/ops/open.h"
#include "fs/ops/poll.h"
#include "fs/ops/queuefile.h"
#include "fs/ops/rename.h"
#include "fs/ops/reply.h"
#include "fs/ops/setattr.h"
#include "fs/ops/textfile.h"
#include "fs/ops/xattr.h"

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	struct zkfs_fs *fs = userdata;

	/* The kernel's page cache would own size and content of what is
	 * written, and lose what others append meanwhile. */
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	conn->want |= conn->capable & FUSE_CAP_ATOMIC_O_TRUNC;
	/* Who gets attributes with a listing is decided by ops/walk. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	fs->ready = true;
}

static bool is_entry(fuse_req_t req, fuse_ino_t ino)
{
	const struct zkfs_node *node =
		zkfs_tree_get(&zkfs_fs_of(req)->tree, ino);

	return node && node->type == ZKFS_TYPE_ENTRY;
}

static bool is_queue_file(fuse_req_t req, fuse_ino_t ino)
{
	return zkfs_queuefile_is(
		zkfs_tree_get(&zkfs_fs_of(req)->tree, ino)->name);
}

/* LOCK/.lock may be opened in any way, for flock(2): it never joins. */
static bool is_lock_file(fuse_req_t req, fuse_ino_t ino)
{
	const char *name = zkfs_tree_get(&zkfs_fs_of(req)->tree, ino)->name;

	return zkfs_lock_is_virtual(name) && !zkfs_queuefile_is(name);
}

static bool is_lock(fuse_req_t req, fuse_ino_t ino)
{
	const struct zkfs_fs *fs = zkfs_fs_of(req);
	const struct zkfs_node *node = zkfs_tree_get(&fs->tree, ino);

	return node && zkfs_lock_is_lock_node(fs, node);
}

static bool is_control(fuse_req_t req, fuse_ino_t ino)
{
	const struct zkfs_node *node =
		zkfs_tree_get(&zkfs_fs_of(req)->tree, ino);

	return node && zkfs_attr_is_control(node->type);
}

static bool is_control_name(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct zkfs_fs *fs = zkfs_fs_of(req);
	const struct zkfs_node *dir = zkfs_tree_get(&fs->tree, parent);

	return dir && zkfs_control_has(fs, dir, name);
}

/* FILE for a handle that is not known: EBADF is said there. */
static enum zkfs_handle_kind kind_of(fuse_req_t req,
				     const struct fuse_file_info *fi)
{
	const struct zkfs_handle *handle =
		zkfs_handle_any(zkfs_fs_of(req), fi->fh);

	return handle ? handle->kind : ZKFS_HANDLE_FILE;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_lookup(req, parent, name);
	else if (is_control_name(req, parent, name))
		zkfs_control_lookup(req, parent, name);
	else
		zkfs_meta_lookup(req, parent, name);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_getattr(req, ino);
	else if (is_control(req, ino))
		zkfs_control_getattr(req, ino);
	else
		zkfs_meta_getattr(req, ino, fi);
}

static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		       int to_set, struct fuse_file_info *fi)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_setattr(req, ino);
	else if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_SETATTR, -EPERM);
	else
		zkfs_setattr(req, ino, attr, to_set, fi);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_open(req, ino, fi);
	else if (is_control(req, ino))
		zkfs_control_open(req, ino, fi);
	else if (!is_entry(req, ino))
		zkfs_open_file(req, ino, fi);
	else if (is_queue_file(req, ino))
		zkfs_queuefile_open(req, ino, fi);
	else if ((fi->flags & O_ACCMODE) == O_RDONLY || is_lock_file(req, ino))
		zkfs_entry_open(req, ino, fi);
	else
		zkfs_hold_open(req, ino, fi);
}

/* Whether a lock is lost that was taken through the handle: then what was
 * written under it is not committed any more. */
static bool look_for_loss(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_handle *file;

	zkfs_heartbeat_check(fs);
	if (!zkfs_flock_broken(fs, fi->fh))
		return false;
	file = zkfs_handle_get(fs, fi->fh, ZKFS_HANDLE_FILE);
	if (file)
		zkfs_io_lock_lost(file);
	return true;
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	if (look_for_loss(req, fi)) {
		zkfs_reply_now(req, ZKFS_OP_READ, -EIO);
		return;
	}
	switch (kind_of(req, fi)) {
	case ZKFS_HANDLE_LOCK:
		zkfs_hold_read(req, ino, size, off, fi);
		break;
	case ZKFS_HANDLE_TEXT:
		if (!is_lock_file(req, ino) ||
		    !zkfs_flock_read(req, ino, size, off, fi))
			zkfs_textfile_read(req, ino, size, off, fi);
		break;
	default:
		zkfs_io_read(req, ino, size, off, fi);
		break;
	}
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	if (look_for_loss(req, fi))
		zkfs_reply_now(req, ZKFS_OP_WRITE, -EIO);
	else if (kind_of(req, fi) == ZKFS_HANDLE_LOCK)
		zkfs_hold_write(req, ino, data, size, off, fi);
	else if (kind_of(req, fi) == ZKFS_HANDLE_TEXT)
		zkfs_reply_now(req, ZKFS_OP_WRITE, -EPERM);
	else
		zkfs_io_write(req, ino, data, size, off, fi);
}

static void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)look_for_loss(req, fi);
	zkfs_flock_flushed(zkfs_fs_of(req), fi->fh, fi->lock_owner);
	switch (kind_of(req, fi)) {
	case ZKFS_HANDLE_LOCK:
		zkfs_hold_sync(req, ZKFS_OP_FLUSH, fi);
		break;
	case ZKFS_HANDLE_TEXT:
		zkfs_reply_now(req, ZKFS_OP_FLUSH, 0);
		break;
	default:
		zkfs_io_flush(req, ino, fi);
		break;
	}
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	if (look_for_loss(req, fi)) {
		zkfs_reply_now(req, ZKFS_OP_FSYNC, -EIO);
		return;
	}
	switch (kind_of(req, fi)) {
	case ZKFS_HANDLE_LOCK:
		zkfs_hold_sync(req, ZKFS_OP_FSYNC, fi);
		break;
	case ZKFS_HANDLE_TEXT:
		zkfs_reply_now(req, ZKFS_OP_FSYNC, 0);
		break;
	default:
		zkfs_io_fsync(req, ino, datasync, fi);
		break;
	}
}

/* Answered at once: the kernel holds back further RELEASEs after twelve
 * unanswered ones (max_background), while nobody waits for any of them. */
static void on_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct zkfs_fs *fs = zkfs_fs_of(req);
	struct zkfs_handle *handle = zkfs_handle_any(fs, fi->fh);

	if (!handle) {
		zkfs_reply_now(req, ZKFS_OP_RELEASE, 0);
		return;
	}
	(void)look_for_loss(req, fi);
	zkfs_flock_released(fs, fi->fh, fi->lock_owner);
	switch (handle->kind) {
	case ZKFS_HANDLE_FILE:
		zkfs_io_release(handle);
		break;
	case ZKFS_HANDLE_LOCK:
		zkfs_hold_drop(fs, handle);
		/* The next in the queue waits for this, and nobody for the
		 * reply. */
		zkfs_zk_push(fs->zk);
		break;
	case ZKFS_HANDLE_TEXT:
		zkfs_textfile_drop(fs, handle);
		break;
	case ZKFS_HANDLE_DIR:
		break; /* comes as RELEASEDIR */
	}
	zkfs_reply_now(req, ZKFS_OP_RELEASE, 0);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_create(req, ZKFS_OP_MKNOD, parent, name);
	else if (is_control_name(req, parent, name))
		zkfs_reply_now(req, ZKFS_OP_MKNOD, -EPERM);
	else
		zkfs_name_mknod(req, parent, name, mode, rdev);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_create(req, ZKFS_OP_MKDIR, parent, name);
	else if (is_control_name(req, parent, name))
		zkfs_reply_now(req, ZKFS_OP_MKDIR, -EPERM);
	else if (is_lock(req, parent))
		zkfs_lockdir_mkdir(req, parent, name);
	else
		zkfs_name_mkdir(req, parent, name, mode);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_remove(req, ZKFS_OP_RMDIR, parent, name);
	else if (is_control_name(req, parent, name))
		zkfs_reply_now(req, ZKFS_OP_RMDIR, -EPERM);
	else if (is_lock(req, parent))
		zkfs_lockdir_rmdir(req, parent, name);
	else
		zkfs_name_rmdir(req, parent, name);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (zkfs_emit_is_ours(req))
		zkfs_emit_remove(req, ZKFS_OP_UNLINK, parent, name);
	else if (is_control_name(req, parent, name))
		zkfs_reply_now(req, ZKFS_OP_UNLINK, -EPERM);
	else if (is_lock(req, parent))
		zkfs_lock_unlink(req, parent, name);
	else
		zkfs_name_unlink(req, parent, name);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		      fuse_ino_t newparent, const char *newname, unsigned flags)
{
	if (is_control_name(req, parent, name) ||
	    is_control_name(req, newparent, newname))
		zkfs_reply_now(req, ZKFS_OP_RENAME, -EPERM);
	else
		zkfs_rename(req, parent, name, newparent, newname, flags);
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	if (is_control(req, ino))
		zkfs_control_opendir(req, ino, fi);
	else
		zkfs_dir_open(req, ino, fi);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	if (is_control(req, ino))
		zkfs_control_readdir(req, ino, size, off);
	else
		zkfs_dir_read(req, ino, size, off, fi);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi)
{
	if (is_control(req, ino))
		zkfs_control_readdirplus(req, ino, size, off);
	else
		zkfs_dir_readplus(req, ino, size, off, fi);
}

static void on_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
			struct fuse_file_info *fi)
{
	if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_FSYNCDIR, 0);
	else
		zkfs_dir_fsync(req, ino, datasync, fi);
}

static void on_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	if (zkfs_emit_is_ours(req))
		zkfs_reply_now(req, ZKFS_OP_GETXATTR, -ENODATA);
	else if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_GETXATTR, -ENODATA);
	else
		zkfs_xattr_get(req, ino, name, size);
}

static void on_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			const char *value, size_t size, int flags)
{
	if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_SETXATTR, -EOPNOTSUPP);
	else
		zkfs_xattr_set(req, ino, name, value, size, flags);
}

static void on_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (is_control(req, ino))
		zkfs_control_listxattr(req, ino, size);
	else
		zkfs_xattr_list(req, ino, size);
}

/* The locks of the control files would be locks of their paths for the whole
 * cluster, and these files are each mount's own. */

static void on_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     int op)
{
	if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_FLOCK, -ENOLCK);
	else
		zkfs_flock(req, ino, fi, op);
}

static void on_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct flock *lock)
{
	if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_GETLK, -ENOLCK);
	else
		zkfs_flock_getlk(req, ino, fi, lock);
}

static void on_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct flock *lock, int sleep)
{
	if (is_control(req, ino))
		zkfs_reply_now(req, ZKFS_OP_SETLK, -ENOLCK);
	else
		zkfs_flock_setlk(req, ino, fi, lock, sleep);
}

const struct fuse_lowlevel_ops *zkfs_fs_operations(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = on_init,
		.lookup = on_lookup,
		.forget = zkfs_meta_forget,
		.forget_multi = zkfs_meta_forget_multi,
		.getattr = on_getattr,
		.setattr = on_setattr,
		.statfs = zkfs_meta_statfs,
		.mknod = on_mknod,
		.mkdir = on_mkdir,
		.unlink = on_unlink,
		.rmdir = on_rmdir,
		.symlink = zkfs_name_symlink,
		.link = zkfs_name_link,
		.rename = on_rename,
		.open = on_open,
		.read = on_read,
		.write = on_write,
		.flush = on_flush,
		.fsync = on_fsync,
		.release = on_release,
		.opendir = on_opendir,
		.readdir = on_readdir,
		.readdirplus = on_readdirplus,
		.releasedir = zkfs_dir_release,
		.fsyncdir = on_fsyncdir,
		.getxattr = on_getxattr,
		.listxattr = on_listxattr,
		.setxattr = on_setxattr,
		.removexattr = zkfs_xattr_remove,
		.poll = zkfs_poll,
		.flock = on_flock,
		.getlk = on_getlk,
		.setlk = on_setlk,
	};

	return &ops;
}
