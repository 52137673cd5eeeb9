/*
 * mount: the mount point and the FUSE session on it. Failures are one line of
 * words for the person who typed the command.
 */
#ifndef ZKFS_DAEMON_MOUNT_H
#define ZKFS_DAEMON_MOUNT_H

#include <stddef.h>
#include <sys/types.h>

struct fuse_session;
struct zkfs_fs;
struct zkfs_opts;

/* Whether the mount point can be used: a directory, not a zkfs mount already.
 * One that a dead daemon has left behind is unmounted. *ret_path is its
 * absolute path, the caller's to free. 0, or a negative errno with words. */
int zkfs_mount_check(const char *mountpoint, char **ret_path, char *words,
		     size_t words_len);
/* Mounts; /dev/fuse is in non-blocking mode then. *ret_device is the mount's
 * st_dev. As above. */
int zkfs_mount(const struct zkfs_opts *opts, const char *path,
	       struct zkfs_fs *fs, struct fuse_session **ret_session,
	       dev_t *ret_device, char *words, size_t words_len);
/* Unmounts `path`, unless that has been done, and frees. Another's mount that
 * is there by now is left alone. NULL is fine. */
void zkfs_unmount(struct fuse_session *session, const char *path, dev_t device);

/* For -o auto_unmount: unmounts `path` if the daemon whose mount it was, with
 * this device, has died, and it is still there. */
void zkfs_mount_leave(const char *path, dev_t device);

#endif
