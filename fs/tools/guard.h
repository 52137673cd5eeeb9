/*
 * guard: a process that looks after a lock for as long as the job that runs
 * under it.
 *
 *   zkfs-lock --- guard     leader of the job's process group
 *        '------- COMMAND   in the same group
 *
 * It does what zkfs-lock cannot. It asks the mount, a question that is never
 * answered if the daemon hangs, while zkfs-lock looks at the clock. And it
 * stays when zkfs-lock is killed: it then kills the group that it is in itself,
 * whose number nobody else can have meanwhile, and holds the lock until it has
 * done so, for it has the same descriptor.
 *
 * T is the session timeout. The mount gives a lock up T/3 or more before the
 * servers give it to another (ops/heartbeat.h). So each answer that it is held
 * is good for T/3: zkfs_guard_checked_ms() is when the newest was asked for.
 */
#ifndef ZKFS_TOOLS_GUARD_H
#define ZKFS_TOOLS_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/tools/take.h"

struct zkfs_guard_shared;

struct zkfs_guard {
	pid_t pid; /* and the process group */
	int fd;	   /* readable: there is news, zkfs_guard_hear() */
	struct zkfs_guard_shared *shared;
};

/* To be called with all those signals blocked that the job will get. 0, or a
 * negative errno. */
int zkfs_guard_start(struct zkfs_guard *guard, const struct zkfs_taken *taken);
/* Ends it, and nothing else of the group. */
void zkfs_guard_end(struct zkfs_guard *guard);

/* Asks the mount now, and there will be news. */
void zkfs_guard_ask(const struct zkfs_guard *guard);
/* Takes the news. */
void zkfs_guard_hear(struct zkfs_guard *guard);
/* Whether the mount has said that the lock is lost. The guard kills the group
 * by itself T/3 after zkfs_guard_checked_ms(). */
bool zkfs_guard_has_lost(const struct zkfs_guard *guard);
int64_t zkfs_guard_checked_ms(const struct zkfs_guard *guard);
/* It has no part in a stop of its group. */
void zkfs_guard_keep_going(const struct zkfs_guard *guard);

#endif
