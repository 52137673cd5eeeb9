/*
 * log: one line a call, to stderr or to the system's log.
 *
 * The daemon holds locks for others, so that a line must neither end it nor
 * hold it up. To stderr that means: a pipe whose reader is gone raises no
 * SIGPIPE here, and a line that a full pipe, a full disk or a stopped terminal
 * does not take at once is dropped. How many were is told in front of the next
 * one that is taken.
 */
#include "fs/base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/syslog.h"

/* A pipe that polls writable takes this much without blocking (pipe(7)). */
#define LINE_MAX_BYTES PIPE_BUF

static enum zkfs_log_level level_now = ZKFS_LOG_INFO;
static bool to_syslog;
static struct zkfs_syslog sys = {.fd = -1};
/* Not all lines are the loop's thread's. */
static atomic_ulong dropped; /* in all */
static atomic_ulong untold;  /* of them, since a line was taken */
static atomic_bool torn;     /* a line without its end is there */

void zkfs_log_set_level(enum zkfs_log_level level)
{
	level_now = level;
}

bool zkfs_log_enabled(enum zkfs_log_level level)
{
	return level <= level_now;
}

void zkfs_log_use_syslog(const char *path, const char *ident)
{
	zkfs_syslog_fini(&sys);
	zkfs_syslog_init(&sys, path, ident);
	to_syslog = true;
}

unsigned long zkfs_log_dropped(void)
{
	return atomic_load(&dropped);
}

static int priority(enum zkfs_log_level level)
{
	switch (level) {
	case ZKFS_LOG_ERROR:
		return LOG_ERR;
	case ZKFS_LOG_WARNING:
		return LOG_WARNING;
	case ZKFS_LOG_INFO:
		return LOG_INFO;
	case ZKFS_LOG_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

/* O_NONBLOCK is no way to ask this: it belongs to the open file description,
 * which we share with the shell that started us. */
static bool writable_now(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT;
}

/* Writes with SIGPIPE held back, and takes the one that we caused, so that
 * neither the caller's disposition nor a pending signal is disturbed. */
static ssize_t write_quietly(int fd, const char *data, size_t len)
{
	static const struct timespec at_once;
	sigset_t pipe_set, pending, old;
	bool was_pending;
	ssize_t n;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigemptyset(&pending);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	n = write(fd, data, len);
	if (n < 0 && errno == EPIPE && !was_pending)
		(void)sigtimedwait(&pipe_set, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return n;
}

/* Names come from other hosts: none of them may begin a line of its own or
 * speak to the terminal. */
static void disarm(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

/* What stands before and behind the words, on stderr. The first newline ends
 * what a full disk has cut short. */
static const char prefix[] = "\nzkfs: ";
#define SKIP (sizeof(prefix) - 1)

static bool put_stderr(char *line, size_t len)
{
	size_t from = atomic_load(&torn) ? 0 : 1;
	ssize_t n;

	if (!writable_now(STDERR_FILENO))
		return false;
	memcpy(line, prefix, SKIP);
	line[len++] = '\n';
	n = write_quietly(STDERR_FILENO, line + from, len - from);
	if (n > 0)
		atomic_store(&torn, (size_t)n < len - from);
	return n == (ssize_t)(len - from);
}

/* A line of `len` bytes, of which the first SKIP are for the prefix, and with
 * room for its end. */
static bool put(enum zkfs_log_level level, char *line, size_t len)
{
	if (to_syslog)
		return zkfs_syslog_send(&sys, priority(level) | LOG_DAEMON,
					line + SKIP, len - SKIP);
	return put_stderr(line, len);
}

static bool tell_untold(unsigned long n)
{
	char line[128];
	int len = snprintf(
		line + SKIP, sizeof(line) - SKIP - 1,
		"lines of the log that nobody took, before this: %lu", n);

	if (len < 0 || !put(ZKFS_LOG_WARNING, line, SKIP + (size_t)len))
		return false;
	atomic_fetch_sub(&untold, n);
	return true;
}

static void emit(enum zkfs_log_level level, char *line, size_t len)
{
	unsigned long n = atomic_load(&untold);

	if ((n == 0 || tell_untold(n)) && put(level, line, len))
		return;
	atomic_fetch_add(&untold, 1);
	atomic_fetch_add(&dropped, 1);
}

void zkfs_log(enum zkfs_log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	size_t room = sizeof(line) - SKIP - 1; /* the newline's byte */
	int saved = errno;
	va_list args;
	int n;

	if (!zkfs_log_enabled(level))
		return;
	va_start(args, format);
	n = vsnprintf(line + SKIP, room, format, args);
	va_end(args);
	if (n >= 0) {
		size_t len = zkfs_min_size((size_t)n, room - 1);

		disarm(line + SKIP, len);
		emit(level, line, SKIP + len);
	}
	errno = saved;
}
