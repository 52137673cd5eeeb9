/*
 * job: COMMAND under the lock: run in a process group of its own, passed
 * signals on to, and ended when the lock is lost.
 *
 *   held ---- the mount says "lost", or nothing for T/4 ----> SIGTERM
 *     '--- COMMAND ends, and the lock         T/3 after the last
 *          was held until then: its status    "held": SIGKILL
 *
 * T is the session timeout, and guard.h says why T/3 is early enough.
 */
#ifndef ZKFS_TOOLS_JOB_H
#define ZKFS_TOOLS_JOB_H

#include "fs/tools/take.h"

/* Returns the exit status: COMMAND's if the lock was held all the time, else
 * EX_TEMPFAIL. Gives the lock up. `path` is the lock's name for messages. */
int zkfs_job_run(const char *path, char **command, struct zkfs_taken *taken);

#endif
