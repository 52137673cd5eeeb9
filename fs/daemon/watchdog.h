/*
 * watchdog: a small process that ends the FUSE connection when the daemon is
 * killed.
 *
 * The kernel ends it when the last descriptor of the device is closed. A daemon
 * that is killed while one of its threads tells the kernel of a changed name
 * does not come to that: the thread waits, unkillable, for a directory that is
 * held by a request which nobody will answer any more, and its descriptors
 * stay open as long. Then nothing but an abort from outside frees those who
 * use the mount.
 */
#ifndef ZKFS_DAEMON_WATCHDOG_H
#define ZKFS_DAEMON_WATCHDOG_H

#include <sys/types.h>

struct zkfs_watchdog {
	pid_t pid; /* 0: none */
	int fd;	   /* readable when it has died; -1: none */
};

#define ZKFS_NO_WATCHDOG ((struct zkfs_watchdog){.fd = -1})

/* Forks it: when the calling thread ends, which must be the main one, it ends
 * the connection behind `abort_fd` (zkfs_fusectl_open()). It keeps that
 * descriptor and no other. `argv` is main()'s, where the child writes its
 * title, with `path`, the mount point. To be called before there are threads.
 * SIGCHLD must not be ignored. `last`, or NULL, is called in the watchdog as
 * the last thing, when the connection has been ended. 0 or a negative errno. */
int zkfs_watchdog_start(struct zkfs_watchdog *watchdog, int abort_fd,
			char **argv, const char *path, void (*last)(void *arg),
			void *arg);
/* To be called when `fd` is readable: somebody has killed it. Says so. */
void zkfs_watchdog_died(struct zkfs_watchdog *watchdog);
/* Ends it; the connection is left as it is. Fine if there is none. */
void zkfs_watchdog_stop(struct zkfs_watchdog *watchdog);

#endif
