/*
 * take: takes the lock of zkfs-lock, through a file of a zkfs mount, and
 * nowhere else: on another file system flock(2) is a lock of this host, or of
 * nothing.
 *
 * LOCK is the directory of a lock, which is made if it is not there, or any
 * regular file. It is waited for in the background (ops/flock.h: EINPROGRESS
 * and poll), so that the wait can have an end.
 */
#ifndef ZKFS_TOOLS_TAKE_H
#define ZKFS_TOOLS_TAKE_H

#include <stdbool.h>
#include <stdint.h>

/* What zkfs_take() returns beside an exit status. */
#define ZKFS_TAKE_BUSY (-1)

#define ZKFS_TAKE_TOKEN_BYTES 24

struct zkfs_take {
	const char *path;
	bool shared;
	bool nonblock;
	bool verbose;
	int64_t wait_ms; /* ZKFS_NEVER: no limit */
};

struct zkfs_taken {
	int fd;		    /* O_CLOEXEC; the lock goes with it */
	int64_t timeout_ms; /* the session's */
	int64_t checked_ms; /* it was held then (zkfs_clock_ms()) or after */
	char token[ZKFS_TAKE_TOKEN_BYTES];
};

/* Returns 0; ZKFS_TAKE_BUSY, when it was not to be waited for any longer; or an
 * exit status, and has said why. */
int zkfs_take(const struct zkfs_take *take, struct zkfs_taken *ret_taken);
/* Gives it up, and returns when others can have it. */
void zkfs_take_release(struct zkfs_taken *taken);

#endif
