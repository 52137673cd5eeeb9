/*
 * fusectl: see fusectl.h.
 *
 * A number alone says little: it is free for the next mount as soon as its own
 * is gone. The inode behind an open descriptor is that of one connection; the
 * kernel cuts the two apart when the connection ends (fuse_ctl_remove_conn).
 */
#include "fs/daemon/fusectl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fs/base/util.h"

#define FUSECTL "/sys/fs/fuse/connections"

/* Where nobody has mounted it, as in most containers: a mount that is in
 * nobody's tree, and gone with the last descriptor of it. */
static int mount_detached(void)
{
	zkfs_autoclose int fd = fsopen("fusectl", FSOPEN_CLOEXEC);
	int mount;

	if (fd < 0 || fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(fd, FSMOUNT_CLOEXEC, 0);
	return mount < 0 ? -errno : mount;
}

int zkfs_fusectl_open(unsigned number)
{
	zkfs_autoclose int dir = -1;
	char name[sizeof(FUSECTL) + 32];
	int fd;

	(void)snprintf(name, sizeof(name), FUSECTL "/%u/abort", number);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	dir = mount_detached();
	if (dir < 0)
		return dir;
	(void)snprintf(name, sizeof(name), "%u/abort", number);
	fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void zkfs_fusectl_abort(int fd)
{
	if (fd >= 0)
		(void)write(fd, "1", 1);
}
