/*
 * log: one line a call, to stderr or to syslog(3).
 *
 * The daemon holds locks for others, so that a line must neither end it nor
 * hold it up. To stderr that means: a pipe whose reader is gone raises no
 * SIGPIPE here, and a line that a full pipe or a stopped terminal does not
 * take at once is dropped.
 */
#include "fs/base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* A pipe that polls writable takes this much without blocking (pipe(7)). */
#define LINE_MAX_BYTES PIPE_BUF

static enum zkfs_log_level level_now = ZKFS_LOG_INFO;
static bool to_syslog;

void zkfs_log_set_level(enum zkfs_log_level level)
{
	level_now = level;
}

bool zkfs_log_enabled(enum zkfs_log_level level)
{
	return level <= level_now;
}

void zkfs_log_use_syslog(const char *ident)
{
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	to_syslog = true;
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
static void write_quietly(int fd, const char *data, size_t len)
{
	static const struct timespec at_once;
	sigset_t pipe_set, pending, old;
	bool was_pending;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigemptyset(&pending);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	if (write(fd, data, len) < 0 && errno == EPIPE && !was_pending)
		(void)sigtimedwait(&pipe_set, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Names come from other hosts: none of them may begin a line of its own or
 * speak to the terminal. */
static void disarm(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

static void emit(enum zkfs_log_level level, char *line, size_t len)
{
	static const char prefix[] = "zkfs: ";
	size_t skip = sizeof(prefix) - 1;

	if (to_syslog) {
		syslog(priority(level), "%s", line + skip);
		return;
	}
	memcpy(line, prefix, skip);
	line[len] = '\n';
	if (writable_now(STDERR_FILENO))
		write_quietly(STDERR_FILENO, line, len + 1);
}

void zkfs_log(enum zkfs_log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	size_t skip = strlen("zkfs: ");
	size_t room = sizeof(line) - skip - 1; /* the newline's byte */
	int saved = errno;
	va_list args;
	int n;

	if (!zkfs_log_enabled(level))
		return;
	va_start(args, format);
	n = vsnprintf(line + skip, room, format, args);
	va_end(args);
	if (n >= 0) {
		size_t len = zkfs_min_size((size_t)n, room - 1);

		disarm(line + skip, len);
		emit(level, line, skip + len);
	}
	errno = saved;
}
