/*
 * take: see take.h.
 */
#include "fs/tools/take.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"

/* O_NONBLOCK, given to open(2), is what makes flock(2) wait in the background.
 */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

#define LOCK_FILE "/.lock"

/* The line that a held .lock is read as, longer than any. */
#define LINE_BYTES 4096

struct taking {
	const struct zkfs_take *take;
	int64_t deadline_ms;
	bool has_line; /* it is a .lock, not any file */
	struct zkfs_taken taken;
};

/* Only our own alarm interrupts a call for good: the time is over. */
static int failed(const struct zkfs_take *take, int status)
{
	if (errno == EINTR)
		return ZKFS_TAKE_BUSY;
	warn("%s", take->path);
	return status;
}

static int refuse(const struct zkfs_take *take, const char *words)
{
	warnx("%s: %s", take->path, words);
	return EX_NOINPUT;
}

/* Time */

static void on_alarm(int sig)
{
}

/* Ends a system call that waits for a server when the time is over, and once
 * more if the signal came just before it. */
static void set_alarm(int64_t ms)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {
		.it_value = {.tv_sec = ms / 1000,
			     .tv_usec = (ms % 1000) * 1000},
		.it_interval = {.tv_usec = 50000},
	};

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void clear_alarm(void)
{
	struct itimerval timer = {0};

	(void)setitimer(ITIMER_REAL, &timer, NULL);
	(void)signal(SIGALRM, SIG_DFL);
}

static int64_t remaining_ms(const struct taking *taking)
{
	int64_t now = zkfs_clock_ms();

	return taking->deadline_ms > now ? taking->deadline_ms - now : 0;
}

/* Whether a call that failed is to be made again. */
static bool again(const struct taking *taking)
{
	return errno == EINTR && remaining_ms(taking) > 0;
}

/* The file */

/* Sets the session timeout, which only zkfs knows. */
static int check_mount(struct taking *taking, int fd)
{
	char text[24];
	ssize_t n;

	do {
		n = fgetxattr(fd, "user.zk.timeout", text, sizeof(text) - 1);
	} while (n < 0 && again(taking));
	if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return refuse(taking->take, "not on a zkfs mount");
	if (n < 0)
		return failed(taking->take, EX_NOINPUT);
	text[n] = '\0';
	taking->taken.timeout_ms = strtoll(text, NULL, 10);
	if (taking->taken.timeout_ms <= 0)
		return refuse(taking->take, "has no session timeout");
	return 0;
}

static int open_again(const struct taking *taking, int dir, const char *path)
{
	int fd;

	do {
		fd = openat(dir, path, OPEN_FLAGS);
	} while (fd < 0 && again(taking));
	return fd;
}

/* Whether the directory is one of a lock: 1, 0, or -1 and errno. */
static int find_lock(const char *dir)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s" LOCK_FILE, dir);

	if (len < 0 || (size_t)len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (access(path, F_OK) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

static int find_lock_around(const char *path)
{
	zkfs_autofree char *copy = strdup(path);

	return copy ? find_lock(dirname(copy)) : -1;
}

/* In a lock there is nothing that could be one: to mkdir(2) there is to take
 * it, and of an entry the token would be somebody else's. */
static int refuse_in_lock(const struct zkfs_take *take, const char *path)
{
	int found = find_lock_around(path);

	if (found < 0)
		return failed(take, EX_NOINPUT);
	return found ? refuse(take, "is in a lock, and not a lock") : 0;
}

/* Makes the directory of a lock. In a directory that is no lock root there is
 * then no lock; it goes again. */
static int make_lock(struct taking *taking)
{
	const char *path = taking->take->path;
	zkfs_autofree char *copy = strdup(path);
	zkfs_autoclose int dir = -1;
	int status;

	if (!copy)
		return failed(taking->take, EX_OSERR);
	dir = open_again(taking, AT_FDCWD, dirname(copy));
	if (dir < 0)
		return failed(taking->take, EX_NOINPUT);
	status = check_mount(taking, dir);
	if (!status)
		status = refuse_in_lock(taking->take, path);
	if (status)
		return status;
	if (mkdir(path, 0777) < 0)
		return errno == EEXIST ? 0 : failed(taking->take, EX_CANTCREAT);
	if (find_lock(path) != 0)
		return 0; /* or an error, which open(2) will meet too */
	(void)rmdir(path);
	return refuse(taking->take, "does not exist, and is not a lock: not "
				    "directly in a lock root");
}

static int open_path(struct taking *taking, int *ret_fd)
{
	const char *path = taking->take->path;
	int fd = open_again(taking, AT_FDCWD, path);
	int status;

	if (fd < 0 && errno == ENOENT) {
		status = make_lock(taking);
		if (status)
			return status;
		fd = open_again(taking, AT_FDCWD, path);
	}
	if (fd < 0)
		return failed(taking->take, EX_NOINPUT);
	*ret_fd = fd;
	return 0;
}

static int open_lock_of(struct taking *taking, int dir)
{
	taking->taken.fd = open_again(taking, dir, &LOCK_FILE[1]);
	taking->has_line = true;
	if (taking->taken.fd >= 0)
		return 0;
	if (errno == ENOENT)
		return refuse(taking->take, "not a lock: not directly in a "
					    "lock root");
	return failed(taking->take, EX_NOINPUT);
}

static int check_file(struct taking *taking)
{
	zkfs_autofree char *path = realpath(taking->take->path, NULL);

	if (!path)
		return failed(taking->take, EX_NOINPUT);
	if (strcmp(strrchr(path, '/'), LOCK_FILE) != 0)
		return refuse_in_lock(taking->take, path);
	taking->has_line = find_lock_around(path) > 0;
	return 0;
}

static int open_file(struct taking *taking)
{
	zkfs_autoclose int fd = -1;
	struct stat st;
	int status = open_path(taking, &fd);

	if (status)
		return status;
	status = check_mount(taking, fd);
	if (status)
		return status;
	if (fstat(fd, &st) < 0)
		return failed(taking->take, EX_NOINPUT);
	if (S_ISDIR(st.st_mode))
		return open_lock_of(taking, fd);
	taking->taken.fd = fd;
	fd = -1;
	return check_file(taking);
}

/* The lock */

/* Waits in the queue. Returns 0 when something is to be had from flock(2). */
static int wait_in_queue(struct taking *taking)
{
	struct pollfd lock = {.fd = taking->taken.fd, .events = POLLIN};
	int64_t ms = remaining_ms(taking);

	/* A day more than nothing is enough: it is called again. */
	if (poll(&lock, 1, (int)zkfs_clock_earlier(ms, 86400000)) < 0 &&
	    errno != EINTR)
		return failed(taking->take, EX_OSERR);
	if (remaining_ms(taking) == 0 && !lock.revents)
		return ZKFS_TAKE_BUSY;
	/* The session has ended, or somebody has deleted us. */
	if (lock.revents & POLLERR && taking->take->verbose)
		warnx("%s: lost the place in the queue", taking->take->path);
	return 0;
}

static int lock_file(struct taking *taking)
{
	const struct zkfs_take *take = taking->take;
	int op = (take->shared ? LOCK_SH : LOCK_EX) |
		 (take->nonblock ? LOCK_NB : 0);
	int status = 0;

	while (!status) {
		taking->taken.checked_ms = zkfs_clock_ms();
		if (flock(taking->taken.fd, op) == 0)
			return 0;
		if (errno == EWOULDBLOCK)
			return ZKFS_TAKE_BUSY;
		if (errno == EINPROGRESS || errno == EALREADY)
			status = wait_in_queue(taking);
		else if (errno == EINTR && !again(taking))
			return ZKFS_TAKE_BUSY;
		else if (errno != EINTR)
			return failed(take, EX_OSERR);
	}
	return status;
}

/* Reads where the token is told: in the line of a .lock, as an attribute of any
 * other file. */
static ssize_t read_token(const struct taking *taking, char *text, size_t len)
{
	int fd = taking->taken.fd;

	return taking->has_line ? pread(fd, text, len, 0)
				: fgetxattr(fd, "user.zk.token", text, len);
}

/* Were it not a lock of zkfs that was taken there would be none. */
static int tell_token(struct taking *taking)
{
	char text[LINE_BYTES], *token = text;
	ssize_t n;

	do {
		n = read_token(taking, text, sizeof(text) - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ENODATA)
		return failed(taking->take, EX_TEMPFAIL);
	text[n < 0 ? 0 : n] = '\0';
	if (strncmp(text, "token=", strlen("token=")) == 0)
		token += strlen("token=");
	token[strcspn(token, " ")] = '\0';
	if (strncmp(token, "0x", 2) != 0 ||
	    strlen(token) >= sizeof(taking->taken.token)) {
		warnx("%s: the lock has no token", taking->take->path);
		return EX_TEMPFAIL;
	}
	memcpy(taking->taken.token, token, strlen(token) + 1);
	return 0;
}

static void tell_taken(const struct taking *taking, int64_t began)
{
	warnx("%s: taken after %.3f s, token=%s", taking->take->path,
	      (double)(zkfs_clock_ms() - began) / 1000, taking->taken.token);
}

int zkfs_take(const struct zkfs_take *take, struct zkfs_taken *ret_taken)
{
	int64_t began = zkfs_clock_ms();
	struct taking taking = {
		.take = take,
		.taken.fd = -1,
		.deadline_ms = ZKFS_NEVER,
	};
	int status;

	if (take->wait_ms != ZKFS_NEVER) {
		taking.deadline_ms = began + take->wait_ms;
		set_alarm(take->wait_ms);
	}
	status = open_file(&taking);
	if (!status)
		status = lock_file(&taking);
	clear_alarm();
	if (!status)
		status = tell_token(&taking);
	if (status) {
		zkfs_cleanup_close(&taking.taken.fd);
		return status;
	}
	if (take->verbose)
		tell_taken(&taking, began);
	*ret_taken = taking.taken;
	return 0;
}

void zkfs_take_release(struct zkfs_taken *taken)
{
	(void)flock(taken->fd, LOCK_UN);
	(void)close(taken->fd);
	taken->fd = -1;
}
