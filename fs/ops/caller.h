/*
 * caller: what /proc tells of the process behind a request. `tid` is
 * fuse_req_ctx()->pid, which is a thread id; 0, or one that cannot be read
 * (another pid namespace), tells nothing, and the answer is the ordinary case.
 */
#ifndef ZKFS_OPS_CALLER_H
#define ZKFS_OPS_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ZKFS_COMM_BYTES 64

/* Whether it is dying of a signal. At the FLUSH of an exiting process the last
 * field of /proc/TID/stat, exit_code, has the signal in its low 7 bits, and
 * flags, the 9th, has PF_EXITING; PF_SIGNALED is no use, exit_group() sets it
 * too (proc(5); kernel/exit.c). */
bool zkfs_caller_killed(pid_t tid);
/* Whether a fatal signal is pending for it: SigPnd in /proc/TID/status then
 * shows SIGKILL, which the kernel adds (complete_signal()); a signal that has
 * a handler shows none. */
bool zkfs_caller_dying(pid_t tid);
/* Its command name, printable bytes only; "?" when it cannot be read. */
void zkfs_caller_comm(pid_t tid, char comm[ZKFS_COMM_BYTES]);
/* Its process id; `tid` itself when it cannot be read. */
pid_t zkfs_caller_process(pid_t tid);

#endif
