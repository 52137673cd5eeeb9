/*
 * emitter: see emitter.h.
 *
 * A mount point can be mounted over, unmounted while the daemon still serves
 * who has it open (umount -l), or have other mounts inside. So each event
 * starts with the mount point's device number, and goes on by descriptors below
 * it, never out of the mount (openat2(2)).
 */
#include "fs/daemon/emitter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/daemon/child.h"
#include "fs/daemon/watchers.h"
#include "fs/ops/emit.h"

#define NAME "zkfs-emitter"
/* How long after one look for who watches the next one comes: so long, and so
 * many times as long as the look took of a processor. */
#define SCAN_MS	    250
#define SCAN_SHARE  50
#define SCAN_MS_MAX 5000
#define US_PER_MS   1000
#define US_PER_SEC  1000000
#define NS_PER_US   1000
/* After that it is told again. */
#define AGAIN_MS 10000

/* The process */

static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* Asks the mount for nothing. */
static int open_root(const char *path, dev_t device)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx sx;

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &sx) == 0 &&
	    sx.stx_dev_major == major(device) &&
	    sx.stx_dev_minor == minor(device))
		return fd;
	(void)close(fd);
	return -1;
}

/* IN_MODIFY, IN_OPEN, IN_CLOSE_WRITE: as if it had been written, but that the
 * change itself is told first: it is what most wait for, and the open is a
 * request of its own to the daemon. A change of the time of modification alone
 * is told as IN_MODIFY, and the answer brings the kernel the true one. */
static void change(int dir, const char *name)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_nsec = UTIME_NOW}};
	zkfs_autoclose int fd = open_below(dir, name, O_PATH);
	int writer;

	if (fd < 0 || utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		return;
	writer = open_below(dir, name, O_WRONLY);
	if (writer >= 0)
		(void)close(writer);
}

/* IN_ATTRIB: the mode is not stored (nor shown). A descriptor that is for its
 * path alone tells nobody that it is opened, and its entry in /proc is the only
 * way to change by it. */
static void change_attr(int dir, const char *name)
{
	zkfs_autoclose int fd = open_below(dir, name, O_PATH);
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	if (fd < 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)chmod(path, 0666);
}

/* What fails is not told: the tree has changed again. */
static void repeat_in(int dir, char kind, const char *name)
{
	switch (kind) {
	case ZKFS_EMIT_FILE_CREATED:
		(void)mknodat(dir, name, S_IFREG | 0666, 0);
		break;
	case ZKFS_EMIT_DIR_CREATED:
		(void)mkdirat(dir, name, 0777);
		break;
	case ZKFS_EMIT_FILE_DELETED:
		(void)unlinkat(dir, name, 0);
		break;
	case ZKFS_EMIT_DIR_DELETED:
		(void)unlinkat(dir, name, AT_REMOVEDIR);
		break;
	case ZKFS_EMIT_ATTR_CHANGED:
		change_attr(dir, name);
		break;
	default:
		change(dir, name);
		break;
	}
}

static void repeat(const char *mount, dev_t device,
		   struct zkfs_emit_record *record)
{
	zkfs_autoclose int root = open_root(mount, device);
	zkfs_autoclose int dir = -1;
	char *slash = strrchr(record->path, '/');

	if (root < 0)
		return;
	if (!slash) {
		repeat_in(root, record->kind, record->path);
		return;
	}
	*slash = '\0';
	dir = open_below(root, record->path, O_PATH | O_DIRECTORY);
	if (dir >= 0)
		repeat_in(dir, record->kind, slash + 1);
}

/* Looking for who watches */

struct scanner {
	struct zkfs_watchers now;
	struct zkfs_watchers told;
	int64_t told_ms;
	int64_t next_ms; /* NEVER: it does not look */
};

/* False: there is nobody any more to tell. */
static bool tell_watched(int fd, const struct zkfs_watchers *watchers)
{
	struct zkfs_emit_watched part = {.first = true};
	size_t at = 0;

	do {
		part.n = (uint32_t)zkfs_min_size(watchers->n - at,
						 ZKFS_EMIT_WATCHED_MAX);
		part.last = at + part.n == watchers->n;
		part.unknown = watchers->unknown;
		if (part.n > 0)
			memcpy(part.ids, watchers->ids + at,
			       part.n * sizeof(*part.ids));
		if (send(fd, &part,
			 offsetof(struct zkfs_emit_watched, ids) +
				 part.n * sizeof(*part.ids),
			 MSG_NOSIGNAL) < 0)
			return false;
		at += part.n;
		part.first = false;
	} while (!part.last);
	return true;
}

/* Of processor time. */
static int64_t spent_us(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (int64_t)at.tv_sec * US_PER_SEC + at.tv_nsec / NS_PER_US;
}

/* Each time costs the more the more processes there are, so it is done the
 * seldomer then. Told also what has not changed, now and then: directories that
 * are observed for a while are let go with that. */
static bool scan(struct scanner *scanner, int fd, dev_t device)
{
	int64_t began_us = spent_us(), now;
	struct zkfs_watchers was;

	zkfs_watchers_scan(&scanner->now, device);
	now = zkfs_clock_ms();
	scanner->next_ms = now + SCAN_MS +
			   (spent_us() - began_us) * SCAN_SHARE / US_PER_MS;
	if (scanner->next_ms > now + SCAN_MS_MAX)
		scanner->next_ms = now + SCAN_MS_MAX;
	if (zkfs_watchers_equal(&scanner->now, &scanner->told) &&
	    (scanner->now.n == 0 || now - scanner->told_ms < AGAIN_MS))
		return true;
	was = scanner->told;
	scanner->told = scanner->now;
	scanner->now = was;
	scanner->told_ms = now;
	return tell_watched(fd, &scanner->told);
}

/* Whether there is something to repeat; false too when it is time to look. */
static bool wait_for_work(int fd, int64_t until_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t left = until_ms - zkfs_clock_ms();

	if (until_ms == ZKFS_NEVER)
		return true;
	return poll(&poll_fd, 1, left > 0 ? (int)left : 0) > 0;
}

static _Noreturn void serve(int fd, pid_t daemon, dev_t device,
			    const char *mount, bool does_scan)
{
	struct zkfs_emit_record record;
	struct scanner scanner = {.next_ms = does_scan ? 0 : ZKFS_NEVER};

	zkfs_child_detach(fd, -1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(0);
	while (getppid() == daemon) {
		if (zkfs_clock_ms() >= scanner.next_ms &&
		    !scan(&scanner, fd, device))
			break;
		if (!wait_for_work(fd, scanner.next_ms))
			continue;
		if (recv(fd, &record, sizeof(record), 0) <= 1)
			break;
		repeat(mount, device, &record);
		if (send(fd, "", 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(EXIT_SUCCESS);
}

/* The daemon's side */

int zkfs_emitter_start(struct zkfs_emitter *emitter, dev_t device, char **argv,
		       const char *path, bool does_scan)
{
	sigset_t all, old;
	pid_t pid, daemon = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	/* As with the watchdog: no signal meant for all. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		zkfs_child_set_title(argv, NAME, path);
		serve(fds[1], daemon, device, path, does_scan);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return -EAGAIN;
	}
	*emitter = (struct zkfs_emitter){.pid = pid, .fd = fds[0]};
	return 0;
}

void zkfs_emitter_died(struct zkfs_emitter *emitter)
{
	zkfs_warning("the emitter (pid %d) has ended; ignoring, but inotify "
		     "tells no more of changes made elsewhere",
		     (int)emitter->pid);
	(void)kill(emitter->pid, SIGKILL);
	while (waitpid(emitter->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(emitter->fd);
	*emitter = ZKFS_NO_EMITTER;
}

void zkfs_emitter_stop(struct zkfs_emitter *emitter)
{
	if (emitter->pid == 0)
		return;
	(void)close(emitter->fd);
	(void)kill(emitter->pid, SIGKILL);
	(void)waitpid(emitter->pid, NULL, WNOHANG);
	*emitter = ZKFS_NO_EMITTER;
}
