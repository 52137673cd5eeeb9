/*
 * mount: see mount.h.
 */
#include "fs/daemon/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/daemon/opts.h"
#include "fs/ops/fs.h"

#define FUSE_DEVICE "/dev/fuse"
#define FS_TYPE	    "fuse.zkfs"
/* id, parent, major:minor, root, mount point: proc(5) */
#define MOUNTINFO_DEVICE 3
#define MOUNTINFO_POINT	 5

/* The newest line libfuse had to say: the reason when a call of it fails. */
static char libfuse_words[256];

static void zkfs_printf(2, 0) on_libfuse_log(enum fuse_log_level level,
					     const char *format, va_list args)
{
	(void)vsnprintf(libfuse_words, sizeof(libfuse_words), format, args);
	libfuse_words[strcspn(libfuse_words, "\n")] = '\0';
	zkfs_debug("libfuse: %s", libfuse_words);
}

/* The absolute path, without a look at the last component: it may be a mount
 * that is dead or does not answer. */
static char *absolute(const char *mountpoint)
{
	zkfs_autofree char *copy = strdup(mountpoint);
	zkfs_autofree char *dir = NULL;
	zkfs_autofree char *real = NULL;
	char *path = NULL, *base;
	size_t len = copy ? strlen(copy) : 0;

	if (!copy)
		return NULL;
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	base = strrchr(copy, '/');
	base = base ? base + 1 : copy;
	/* "." and ".." and "/" are directories that are there. */
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return realpath(copy, NULL);
	dir = strndup(copy, (size_t)(base - copy));
	real = dir ? realpath(*dir ? dir : ".", NULL) : NULL;
	if (!real || asprintf(&path, "%s/%s",
			      strcmp(real, "/") == 0 ? "" : real, base) < 0)
		return NULL;
	return path;
}

/* Undoes the octal escapes of /proc/self/mountinfo (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
		    from[2] && from[3]) {
			*to = (char)((from[1] - '0') * 64 +
				     (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* The n-th blank-separated field of a line, counted from 1, ended in place;
 * NULL when there are fewer. */
static char *field(char *line, int n)
{
	char *save = NULL, *at = strtok_r(line, " \n", &save);

	while (at && --n > 0)
		at = strtok_r(NULL, " \n", &save);
	return at;
}

static dev_t parse_device(const char *text)
{
	char *rest;
	unsigned long number = strtoul(text, &rest, 10);

	return makedev(number, *rest ? strtoul(rest + 1, NULL, 10) : 0);
}

/* Whether the topmost mount on this path is a zkfs; and its device. */
static bool is_zkfs(const char *path, dev_t *ret_device)
{
	zkfs_autofree char *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		char *type = strstr(line, " - ");
		bool ours = type && strncmp(type + 3, FS_TYPE " ",
					    strlen(FS_TYPE) + 1) == 0;
		char *device = field(line, MOUNTINFO_DEVICE);
		char *point = device ? field(device + strlen(device) + 1,
					     MOUNTINFO_POINT - MOUNTINFO_DEVICE)
				     : NULL;

		if (!point)
			continue;
		unescape(point);
		if (strcmp(point, path) != 0)
			continue;
		found = ours;
		*ret_device = parse_device(device);
	}
	(void)fclose(file);
	return found;
}

static int run_fusermount(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)execlp("fusermount3", "fusermount3", "-u", "-z", "-q",
			     "--", path, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int detach(const char *path)
{
	if (umount2(path, MNT_DETACH) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(path) : -errno;
}

static int refuse(char *words, size_t words_len, const char *path, int error,
		  const char *why)
{
	(void)snprintf(words, words_len, "mount point '%s': %s%s", path,
		       why ? why : strerror(-error),
		       error == -ENOENT ? "; create it first" : "");
	return error;
}

static int check_alive(const char *path, char *words, size_t words_len)
{
	struct stat st;
	int error;

	if (stat(path, &st) == 0)
		return refuse(words, words_len, path, -EBUSY,
			      "a zkfs is mounted here already; unmount it "
			      "first");
	if (errno != ENOTCONN && errno != ECONNABORTED)
		return refuse(words, words_len, path, -errno, NULL);
	error = detach(path);
	if (error)
		return refuse(words, words_len, path, -ENOTCONN,
			      "left behind by a dead daemon; unmount it with "
			      "fusermount3 -uz");
	zkfs_info("mount point '%s' was left behind by a dead daemon; "
		  "unmounted",
		  path);
	return 0;
}

int zkfs_mount_check(const char *mountpoint, char **ret_path, char *words,
		     size_t words_len)
{
	zkfs_autofree char *path = absolute(mountpoint);
	struct stat st;
	dev_t device;
	int error;

	if (!path)
		return refuse(words, words_len, mountpoint, -errno, NULL);
	if (is_zkfs(path, &device)) {
		error = check_alive(path, words, words_len);
		if (error)
			return error;
	}
	if (stat(path, &st) < 0)
		return refuse(words, words_len, path, -errno, NULL);
	if (!S_ISDIR(st.st_mode))
		return refuse(words, words_len, path, -ENOTDIR, NULL);
	*ret_path = zkfs_steal(&path);
	return 0;
}

static int check_device(char *words, size_t words_len)
{
	zkfs_autoclose int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	(void)snprintf(words, words_len, "cannot open " FUSE_DEVICE ": %s (%s)",
		       strerror(errno),
		       errno == EACCES ? "it must be readable and writable by "
					 "this user"
				       : "is the kernel's fuse module loaded?");
	return -errno;
}

/* The source has commas, which must not end the option. */
static int add_options(struct fuse_args *args, const struct zkfs_opts *opts)
{
	zkfs_autofree char *fsname = NULL;
	char *list = NULL;
	int error = 0;

	if (asprintf(&fsname, "fsname=%s", opts->source) < 0) {
		fsname = NULL;
		return -ENOMEM;
	}
	error |= fuse_opt_add_opt_escaped(&list, fsname);
	error |= fuse_opt_add_opt(&list, "subtype=zkfs");
	error |= fuse_opt_add_opt(&list, "nosuid");
	error |= fuse_opt_add_opt(&list, "nodev");
	if (opts->noexec)
		error |= fuse_opt_add_opt(&list, "noexec");
	if (opts->ro)
		error |= fuse_opt_add_opt(&list, "ro");
	if (opts->allow_other)
		error |= fuse_opt_add_opt(&list, "allow_other");
	/* Who lets others in lets the kernel check the mode bits: without it
	 * nobody would. */
	if (opts->default_permissions || opts->allow_other)
		error |= fuse_opt_add_opt(&list, "default_permissions");
	if (opts->auto_unmount)
		error |= fuse_opt_add_opt(&list, "auto_unmount");
	error |= fuse_opt_add_arg(args, "zkfs");
	error |= fuse_opt_add_arg(args, "-o");
	error |= fuse_opt_add_arg(args, list ? list : "");
	free(list);
	return error ? -ENOMEM : 0;
}

/* Linux 6.14 can give FUSE requests a time limit, beyond which it aborts the
 * whole mount; an open that waits for a lock is such a request. */
static void warn_of_time_limits(void)
{
	static const char *const files[] = {
		"/proc/sys/fs/fuse/default_request_timeout",
		"/proc/sys/fs/fuse/max_request_timeout",
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(files); i++) {
		FILE *file = fopen(files[i], "re");
		char line[32] = "";

		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) &&
		    strtoul(line, NULL, 10) > 0)
			zkfs_warning("%s is %.*s: the kernel ends this mount "
				     "when an open waits for a lock longer "
				     "than that many seconds",
				     files[i], (int)strcspn(line, "\n"), line);
		(void)fclose(file);
	}
}

/* fusermount3, which mounts for who is not root, says on standard error why it
 * did not. Its line is to be part of ours: standard error is a file meanwhile.
 * Returns what to give back, or -1: nothing was done. */
static int divert_stderr(void)
{
	zkfs_autoclose int file = memfd_create("zkfs-stderr", MFD_CLOEXEC);
	int saved = file < 0 || zkfs_log_enabled(ZKFS_LOG_DEBUG)
			    ? -1
			    : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (saved >= 0)
		(void)dup2(file, STDERR_FILENO);
	return saved;
}

static void restore_stderr(int saved)
{
	static const char prefix[] = "fusermount3: ";
	size_t skip = sizeof(prefix) - 1;
	char text[sizeof(libfuse_words) + sizeof(prefix)];
	ssize_t n;

	if (saved < 0)
		return;
	n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, prefix, skip) != 0)
		skip = 0;
	(void)snprintf(libfuse_words, sizeof(libfuse_words), "%.*s",
		       (int)sizeof(libfuse_words) - 1, text + skip);
}

static int mount_session(struct fuse_session *session, const char *path)
{
	int saved = divert_stderr();
	int error = fuse_session_mount(session, path);

	restore_stderr(saved);
	return error;
}

int zkfs_mount(const struct zkfs_opts *opts, const char *path,
	       struct zkfs_fs *fs, struct fuse_session **ret_session,
	       dev_t *ret_device, char *words, size_t words_len)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	int error = check_device(words, words_len);

	if (error)
		return error;
	fuse_set_log_func(on_libfuse_log);
	error = add_options(&args, opts);
	if (!error)
		session = fuse_session_new(&args, zkfs_fs_operations(),
					   sizeof(*zkfs_fs_operations()), fs);
	fuse_opt_free_args(&args);
	if (session && mount_session(session, path) == 0) {
		int fd = fuse_session_fd(session);

		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		*ret_session = session;
		if (!is_zkfs(path, ret_device))
			*ret_device = 0;
		warn_of_time_limits();
		return 0;
	}
	if (session)
		fuse_session_destroy(session);
	(void)snprintf(words, words_len, "cannot mount on '%s': %s", path,
		       *libfuse_words ? libfuse_words : "unknown reason");
	return -EIO;
}

/* Whether what is mounted on the path is this session's. Somebody may have
 * taken it away, and mounted another, whose daemon is not to be asked: it may
 * hang. The device's number is ours while the connection lives. When that is
 * severed, by an abort or by `umount -f` of a mount in use, the mount is left,
 * dead; or all is gone, and the number is a living one's by now. */
static bool is_still_mounted(struct fuse_session *session, const char *path,
			     dev_t device)
{
	struct pollfd fd = {.fd = fuse_session_fd(session)};
	struct stat st;
	dev_t found;

	if (!is_zkfs(path, &found) || found != device)
		return false;
	if (poll(&fd, 1, 0) == 0 || !(fd.revents & POLLERR))
		return true;
	return stat(path, &st) < 0 && errno == ENOTCONN;
}

/* libfuse would unmount whoever is on the path by now, unless its device polls
 * as one whose mount is gone: so does a pipe that nobody reads. The connection
 * ends with the device that it takes the place of. */
static void end_session(struct fuse_session *session)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == 0) {
		(void)close(ends[0]);
		(void)dup3(ends[1], fuse_session_fd(session), O_CLOEXEC);
		(void)close(ends[1]);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
}

void zkfs_unmount(struct fuse_session *session, const char *path, dev_t device)
{
	bool mounted;

	if (!session)
		return;
	/* Without /proc it is not known. */
	mounted = device == 0 || is_still_mounted(session, path, device);
	end_session(session);
	if (mounted)
		(void)detach(path);
}

void zkfs_mount_leave(const char *path, dev_t device)
{
	dev_t topmost;

	if (is_zkfs(path, &topmost) && topmost == device)
		(void)detach(path);
}
